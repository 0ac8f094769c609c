//! Keeping signals for the next image of this process.

#![expect(unsafe_code, reason = "raise(3)")]

use super::end::change_mask;
use super::{Catch, Signal, table};
use crate::interrupt::Interrupt;
use std::io;

/// Signals on their way to the next image: nobody reads them here any more, and none of them may be lost.
///
/// Handlers do not survive an exec, and until the new image has its own, a signal would do what it does by default: end the
/// process, most of them. But a blocked signal waits, and the kernel keeps both the mask of the thread that executes and
/// what waits for it (execve(2), signal(7)). Dropping this gives the signals back, as dropping [`Catch`] does; what waits is
/// delivered once it is [unblocked](super::unblock).
#[derive(Debug)]
pub struct Kept {
    catch: Catch,
    interrupt: Option<Interrupt>,
}

impl Kept {
    /// These, of which the reader has ended.
    #[must_use]
    pub fn new(catch: Catch, interrupt: Option<Interrupt>) -> Kept {
        Kept { catch, interrupt }
    }

    /// To be called on the thread that executes, right before: blocks the signals there, and sends it again what has come
    /// since the reader has ended. Whoever takes them in the new image [unblocks](super::unblock) them then.
    ///
    /// # Errors
    /// What pthread_sigmask(3) says; none is to be expected.
    pub fn block(&self) -> io::Result<()> {
        let interrupt = self.interrupt.as_ref().map(|_| Signal::INT);
        change_mask(libc::SIG_BLOCK, self.catch.signals().chain(interrupt))?;
        // Other threads do not block them: their handlers pass on what comes.
        table::pass_on_to_this_thread(true);
        for signal in self.catch.left_over() {
            // SAFETY: raise(3) takes no pointers. The signal is blocked in this thread, so it waits and nothing runs.
            unsafe { libc::raise(signal.number()) };
        }
        Ok(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        table::pass_on_to_this_thread(false);
    }
}

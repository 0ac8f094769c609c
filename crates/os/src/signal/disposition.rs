//! What a signal does in this process, to be looked at, saved and put back: sigaction(2).

#![expect(unsafe_code, reason = "sigaction(2) takes function pointers, and nix knows no real-time signals")]

use super::Signal;
use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

pub(crate) type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// The action of one signal, as the kernel holds it.
///
/// One is made only of a handler with `'static` code, of the default, or of what the kernel said was in force: so to
/// [`put`](Disposition::put) one back is always sound.
#[derive(Clone, Copy)]
pub(crate) struct Disposition(libc::sigaction);

impl Disposition {
    /// What is in force.
    pub(crate) fn of(signal: Signal) -> io::Result<Disposition> {
        call(signal, ptr::null())
    }

    /// The default action.
    pub(crate) fn default_action() -> Disposition {
        Disposition::new(libc::SIG_DFL, 0)
    }

    /// Nothing happens, and what was still pending is taken back.
    pub(crate) fn ignored() -> Disposition {
        Disposition::new(libc::SIG_IGN, 0)
    }

    /// A handler. System calls that it interrupts are restarted where the kernel can (signal(7)).
    ///
    /// No other signal interrupts it, and it runs on the stack of the thread: Rust's alternative stacks may be just as
    /// large as one signal frame, so that a second frame on one, or a handler that is not tiny, overflows it.
    pub(crate) fn handler(handler: Handler) -> Disposition {
        let mut it = Disposition::new(handler as *const () as usize, libc::SA_SIGINFO | libc::SA_RESTART);
        // SAFETY: the mask is ours, and any bytes may be overwritten with a full set.
        unsafe { libc::sigfillset(&mut it.0.sa_mask) };
        it
    }

    /// Puts this one in force and returns the one before.
    pub(crate) fn put(&self, signal: Signal) -> io::Result<Disposition> {
        call(signal, &self.0)
    }

    pub(crate) fn is_default(&self) -> bool {
        self.0.sa_sigaction == libc::SIG_DFL
    }

    pub(crate) fn is_ignored(&self) -> bool {
        self.0.sa_sigaction == libc::SIG_IGN
    }

    /// Whether both lead to the same code, whatever their flags.
    pub(crate) fn same_handler(&self, other: &Disposition) -> bool {
        self.0.sa_sigaction == other.0.sa_sigaction
    }

    fn new(action: usize, flags: c_int) -> Disposition {
        // SAFETY: sigaction is a plain C structure, for which all zeroes is a value: default action, empty mask.
        let mut it: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        it.sa_sigaction = action;
        it.sa_flags = flags;
        Disposition(it)
    }
}

fn call(signal: Signal, new: *const libc::sigaction) -> io::Result<Disposition> {
    let mut before = Disposition::default_action();
    // SAFETY: `new` is null or a Disposition, which names only code that lives as long as the process; `before` is ours.
    match unsafe { libc::sigaction(signal.number(), new, &mut before.0) } {
        0 => Ok(before),
        _ => Err(io::Error::last_os_error()),
    }
}

//! Threads that a listener waits for. Were such a thread to wait for the bus, each would wait for the other.

use std::cell::Cell;

use crate::handle::Handle;
use crate::sync::thread_local;

thread_local! {
    /// The address of the bus whose listeners wait for this thread, if one does.
    static AWAITED: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Whether a listener of the bus at this address may be waiting for this thread.
pub(crate) fn is_awaited(bus: usize) -> bool {
    AWAITED.with(Cell::get) == Some(bus)
}

impl Handle {
    /// Runs `work` on this thread as something that a listener of this bus waits for, as a stop listener waits for a thread
    /// of its plugin: the verbs then return [`Done::Noted`](crate::Done::Noted) at once, as they do inside a listener, and
    /// the request is done as soon as it can be. Without this, a thread that stops the bus waits for the listener that waits
    /// for the thread.
    pub fn awaited<T>(&self, work: impl FnOnce() -> T) -> T {
        let address = Some(self.core.address());
        let _before = Restore(AWAITED.with(|awaited| awaited.replace(address)));
        work()
    }
}

/// Also when the work panics.
struct Restore(Option<usize>);

impl Drop for Restore {
    fn drop(&mut self) {
        AWAITED.with(|awaited| awaited.set(self.0));
    }
}

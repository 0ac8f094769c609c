//! What was taken from the process, and how it is given back.

use sitebus_os::interrupt::Interrupt;
use sitebus_os::signal::{Catch, Signal};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long giving back waits for the threads; one of them may be in a listener that never returns.
const PATIENCE: Duration = Duration::from_secs(1);

/// Held until the first [`release`](Held::release); later ones find nothing to do.
pub(crate) struct Held(Mutex<Option<Taken>>);

/// All that was taken.
pub(crate) struct Taken {
    pub(crate) catch: Catch,
    pub(crate) interrupt: Option<Interrupt>,
    pub(crate) threads: Vec<JoinHandle<()>>,
    /// Closed once all threads are through.
    pub(crate) through: Receiver<()>,
}

impl Held {
    pub(crate) fn nothing() -> Arc<Held> {
        Arc::new(Held(Mutex::new(None)))
    }

    pub(crate) fn hold(&self, taken: Taken) {
        *self.lock() = Some(taken);
    }

    /// Gives every signal back, and ends the threads. Returns those whose handler somebody else has replaced, which is
    /// left as it is.
    pub(crate) fn release(&self) -> Vec<Signal> {
        let Some(taken) = self.lock().take() else { return Vec::new() };
        let mut replaced = Vec::new();
        if taken.interrupt.is_some_and(|interrupt| !interrupt.release()) {
            replaced.push(Signal::INT);
        }
        replaced.extend(taken.catch.release()); // this ends the reader, and then the errands
        wait_for(taken.threads, &taken.through);
        replaced
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Taken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait_for(threads: Vec<JoinHandle<()>>, through: &Receiver<()>) {
    let current = thread::current().id();
    let ours = threads.iter().any(|thread| thread.thread().id() == current);
    // A listener of ours that gives signals back cannot wait for its own end.
    if !ours && through.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected) {
        for thread in threads {
            let _ = thread.join();
        }
    }
}

/// Gives back when it is dropped: for a bus that is dropped, or unsubscribed, without an exit.
pub(crate) struct ReleaseOnDrop(pub(crate) Arc<Held>);

impl Drop for ReleaseOnDrop {
    fn drop(&mut self) {
        self.0.release();
    }
}

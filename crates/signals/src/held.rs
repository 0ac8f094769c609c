//! What was taken from the process, and how it is given back.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sitebus_os::interrupt::Interrupt;
use sitebus_os::signal::{Catch, Kept, Signal};

/// How long giving back waits for the threads; one of them may be in a listener that never returns.
const PATIENCE: Duration = Duration::from_secs(1);

/// What one subscription has taken. It is given back once, and whoever comes later finds nothing to do.
#[derive(Default)]
pub(crate) struct Held(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    NotYet,
    Taken(Taken),
    GivenBack,
}

/// All that was taken.
pub(crate) struct Taken {
    pub(crate) catch: Catch,
    pub(crate) interrupt: Option<Interrupt>,
    pub(crate) threads: Vec<JoinHandle<()>>,
    /// Closed once all threads are through.
    pub(crate) through: Receiver<()>,
}

impl Held {
    /// Holds what is taken here; unless it is over already, because somebody has ended the bus: then all is given back.
    ///
    /// Whoever wants it back waits until it is held: the first signal may be a restart, and come while it is being taken.
    pub(crate) fn hold<E>(&self, take: impl FnOnce() -> Result<Taken, E>) -> Result<(), E> {
        let mut state = self.lock();
        let taken = take()?;
        if let State::NotYet = *state {
            *state = State::Taken(taken);
        } else {
            drop(state);
            taken.give_back(|_| false);
        }
        Ok(())
    }

    /// Gives every signal back, and ends the threads. Returns those whose handler somebody else has replaced, which is
    /// left as it is.
    pub(crate) fn release(&self) -> Vec<Signal> {
        self.release_for_good(|_| false)
    }

    /// The same, but those of which this is true are ignored from then on.
    pub(crate) fn release_for_good(&self, ignored: impl Fn(Signal) -> bool) -> Vec<Signal> {
        let state = std::mem::replace(&mut *self.lock(), State::GivenBack);
        match state {
            State::Taken(taken) => taken.give_back(ignored),
            State::NotYet | State::GivenBack => Vec::new(),
        }
    }

    /// Ends the threads, and leaves what comes from here on to the next image of the process.
    pub(crate) fn keep(&self) -> Option<Kept> {
        let state = std::mem::replace(&mut *self.lock(), State::GivenBack);
        match state {
            State::Taken(Taken { catch, interrupt, threads, through }) => {
                catch.remote().close(); // the reader still acts on what came before
                wait_for(threads, &through);
                Some(Kept::new(catch, interrupt))
            }
            State::NotYet | State::GivenBack => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn give_back(self, ignored: impl Fn(Signal) -> bool) -> Vec<Signal> {
        let mut replaced = Vec::new();
        if self.interrupt.is_some_and(|interrupt| !interrupt.release()) {
            replaced.push(Signal::INT);
        }
        replaced.extend(self.catch.release_for_good(ignored)); // this ends the reader, and then the errands
        wait_for(self.threads, &self.through);
        replaced
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

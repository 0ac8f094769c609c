//! The runtime that handlers run on: our own, or one that was lent.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

pub(crate) enum Engine {
    Own(Runtime),
    Lent(Handle),
}

impl Engine {
    /// `threads` of 0 is one for each processor.
    pub(crate) fn start(name: &str, threads: usize) -> io::Result<Engine> {
        let threads =
            if threads > 0 { threads } else { thread::available_parallelism().map_or(1, usize::from) };
        try_threads(threads + 1)?; // one more, for work that blocks
        let mut builder = Builder::new_multi_thread();
        // Always said: left alone, tokio would look for the number in the environment, and panic if it is none.
        builder
            .worker_threads(threads)
            .thread_name(name.replace('\0', ""))
            .enable_all()
            .build()
            .map(Engine::Own)
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Engine::Own(runtime) => drop(runtime.spawn(task)),
            Engine::Lent(handle) => drop(handle.spawn(task)),
        }
    }

    /// Ends our own runtime: threads that are stuck in a handler are left behind after `patience`. Must be called on a
    /// plain thread, as the bus's lane is one.
    pub(crate) fn end(self, patience: Duration) {
        match self {
            Engine::Own(runtime) => runtime.shutdown_timeout(patience),
            Engine::Lent(_) => {}
        }
    }
}

/// Whether so many threads can be had at once. Where one cannot, tokio panics, and then waits without end for those that it
/// has made.
fn try_threads(count: usize) -> io::Result<()> {
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock();
    let made: io::Result<Vec<_>> = (0..count)
        .map(|_| {
            let gate = Arc::clone(&gate);
            thread::Builder::new().spawn(move || drop(gate.lock()))
        })
        .collect();
    drop(closed);
    for thread in made? {
        let _ = thread.join(); // it only waited
    }
    Ok(())
}

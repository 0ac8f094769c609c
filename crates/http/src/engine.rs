//! The runtime that handlers run on: our own, or one that was lent.

use std::io;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};

pub(crate) enum Engine {
    Own(Runtime),
    Lent(Handle),
}

impl Engine {
    /// `threads` of 0 is one for each processor.
    pub(crate) fn start(name: &str, threads: usize) -> io::Result<Engine> {
        let mut builder = Builder::new_multi_thread();
        if threads > 0 {
            builder.worker_threads(threads);
        }
        builder.thread_name(name.replace('\0', "")).enable_all().build().map(Engine::Own)
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

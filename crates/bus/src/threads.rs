//! Threads that the bus was told of, and waits for at the end.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crate::core::Core;
use crate::latch::Latch;
use crate::message::Level;
use crate::sync::{Mutex, spawn};

/// A thread with its result forgotten.
trait Joined: Send {
    fn is_finished(&self) -> bool;
    fn is_current(&self) -> bool;
    /// False if it panicked.
    fn join(self: Box<Self>) -> bool;
}

impl<T: Send> Joined for JoinHandle<T> {
    fn is_finished(&self) -> bool {
        JoinHandle::is_finished(self)
    }

    fn is_current(&self) -> bool {
        self.thread().id() == std::thread::current().id()
    }

    fn join(self: Box<Self>) -> bool {
        JoinHandle::join(*self).is_ok()
    }
}

struct Adopted {
    name: Arc<str>,
    thread: Box<dyn Joined>,
}

#[derive(Default)]
pub(crate) struct Threads(Mutex<Vec<Adopted>>);

impl Threads {
    pub(crate) fn adopt<T: Send + 'static>(&self, name: Arc<str>, thread: JoinHandle<T>) {
        let mut threads = self.0.lock();
        // A bus lives for months: what has ended is not kept until its end.
        threads.retain(|adopted| !adopted.thread.is_finished());
        threads.push(Adopted { name, thread: Box::new(thread) });
    }
}

impl Core {
    /// Waits for the adopted threads, all together for no longer than the limit; names those that it leaves behind.
    pub(crate) fn join_threads(&self) {
        let threads = std::mem::take(&mut *self.threads.0.lock());
        let until = Instant::now() + self.limits.join;
        for Adopted { name, thread } in threads {
            if thread.is_current() {
                continue;
            }
            if !thread.is_finished() {
                self.log(Level::Info, format!("waiting for thread '{name}'"));
            }
            match join_until(thread, until) {
                Some(true) => {}
                Some(false) => self.log(Level::Error, format!("thread '{name}' panicked")),
                None => {
                    let limit = self.limits.join;
                    self.log(
                        Level::Error,
                        format!("thread '{name}' was left behind: it had not ended after {limit:?}"),
                    );
                }
            }
        }
    }
}

/// A thread can only be joined without a deadline, so another one joins it.
fn join_until(thread: Box<dyn Joined>, until: Instant) -> Option<bool> {
    if thread.is_finished() {
        return Some(thread.join());
    }
    let ended = Latch::new();
    let report = ended.clone();
    let waiting = spawn("join".to_owned(), move || report.set(thread.join())).ok()?;
    let outcome = ended.wait(Some(until))?;
    let _ = waiting.join(); // it has nothing left to do
    Some(outcome)
}

//! Threads that the bus was told of, and waits for at the end.

use std::sync::Arc;
use std::thread::{JoinHandle, ThreadId};
use std::time::Instant;

use crate::core::Core;
use crate::foreign::quietly;
use crate::latch::Latch;
use crate::message::Level;
use crate::sync::{Mutex, spawn};

/// A thread with its result forgotten.
trait Joined: Send {
    fn is_finished(&self) -> bool;
    fn id(&self) -> ThreadId;
    /// False if it panicked.
    fn join(self: Box<Self>) -> bool;
}

impl<T: Send> Joined for JoinHandle<T> {
    fn is_finished(&self) -> bool {
        JoinHandle::is_finished(self)
    }

    fn id(&self) -> ThreadId {
        self.thread().id()
    }

    fn join(self: Box<Self>) -> bool {
        // The result is dropped here, and its destructor is foreign.
        quietly(|| JoinHandle::join(*self).is_ok()).unwrap_or(false)
    }
}

pub(crate) struct Adopted {
    name: Arc<str>,
    thread: Box<dyn Joined>,
}

#[derive(Default)]
pub(crate) struct Threads(Mutex<Known>);

#[derive(Default)]
struct Known {
    adopted: Vec<Adopted>,
    /// Somebody has begun to join.
    begun: bool,
    /// Those that are joined, and the thread that joins them: they must not wait for it.
    joining: Vec<ThreadId>,
}

impl Threads {
    pub(crate) fn must_not_wait(&self) -> bool {
        self.0.lock().joining.contains(&std::thread::current().id())
    }

    /// The first caller is to join all threads but itself; the others get nothing. Who is joined is known before anybody
    /// can ask, so that none of them waits for the end of what waits for it.
    pub(crate) fn begin_to_join(&self) -> Option<Vec<Adopted>> {
        let mut known = self.0.lock();
        if std::mem::replace(&mut known.begun, true) {
            return None;
        }
        known.joining.push(std::thread::current().id());
        Some(known.take())
    }

    pub(crate) fn forget(&self) {
        let adopted = std::mem::take(&mut self.0.lock().adopted);
        quietly(|| drop(adopted));
    }

    /// Those that came since.
    pub(crate) fn take_late(&self) -> Vec<Adopted> {
        self.0.lock().take()
    }
}

impl Known {
    /// All but the calling thread itself.
    fn take(&mut self) -> Vec<Adopted> {
        let current = std::thread::current().id();
        let taken = self.adopted.extract_if(.., |adopted| adopted.thread.id() != current).collect::<Vec<_>>();
        self.joining.extend(taken.iter().map(|adopted| adopted.thread.id()));
        taken
    }
}

impl Core {
    pub(crate) fn adopt<T: Send + 'static>(&self, name: Arc<str>, thread: JoinHandle<T>) {
        let mut known = self.threads.0.lock();
        // A bus lives for months: what has ended is not kept until its end.
        let ended = known.adopted.extract_if(.., |adopted| adopted.thread.is_finished()).collect::<Vec<_>>();
        known.adopted.push(Adopted { name, thread: Box::new(thread) });
        drop(known);
        self.forget_late();
        for Adopted { name, thread } in ended {
            self.note_end(&name, thread.join());
        }
    }

    /// Waits for these threads, all together for no longer than the limit; names those that it leaves behind.
    pub(crate) fn join_threads(&self, threads: Vec<Adopted>) {
        let limit = self.limits.join;
        let until = Instant::now().checked_add(limit);
        for Adopted { name, thread } in threads {
            if !thread.is_finished() {
                self.log_in_time(Level::Info, format!("waiting for thread '{name}'"));
            }
            match join_until(thread, until) {
                Some(ended_well) => self.note_end(&name, ended_well),
                None => self.log_in_time(
                    Level::Error,
                    format!("thread '{name}' was left behind: it had not ended after {limit:?}"),
                ),
            }
        }
    }

    fn note_end(&self, name: &str, ended_well: bool) {
        if !ended_well {
            self.log_in_time(Level::Error, format!("thread '{name}' panicked"));
        }
    }
}

/// A thread can only be joined without a deadline, so another one joins it.
fn join_until(thread: Box<dyn Joined>, until: Option<Instant>) -> Option<bool> {
    if thread.is_finished() {
        return Some(thread.join());
    }
    let ended = Latch::new();
    let report = ended.clone();
    let waiting = spawn("join".to_owned(), move || report.set(thread.join())).ok()?;
    let outcome = ended.wait(until)?;
    let _ = waiting.join(); // it has nothing left to do
    Some(outcome)
}

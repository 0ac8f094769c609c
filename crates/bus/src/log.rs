//! The log channel: it can never fail its publisher.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::channel::{Listeners, exit_in};
use crate::core::Core;
use crate::failure::Failure;
use crate::foreign::quietly;
use crate::latch::Latch;
use crate::listener::guarded;
use crate::message::{Level, Record};
use crate::sync::{AtomicBool, Mutex, spawn, thread_local};

thread_local! {
    /// The buses whose log listeners this thread is in the midst of. One of them that logs on the same bus would call
    /// itself for ever, so what it says goes to `tracing`.
    static LOGGING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    /// Whether this thread is in the midst of `tracing`: a subscriber that hands its lines to a bus gets none of them back.
    static TRACING: Cell<bool> = const { Cell::new(false) };
}

/// What is known of log listeners that may hang.
pub(crate) struct LogWatch {
    /// The one that the lane is at.
    at: Mutex<Option<Arc<str>>>,
    /// One has hung once: from then on the bus's own lines go to `tracing` only.
    hung: AtomicBool,
    /// The report about that, until it is written.
    report: Mutex<Option<Failure>>,
}

impl LogWatch {
    pub(crate) fn new() -> LogWatch {
        LogWatch { at: Mutex::new(None), hung: AtomicBool::new(false), report: Mutex::new(None) }
    }

    /// The log listener that the lane is at.
    pub(crate) fn listener(&self) -> Arc<str> {
        self.at.lock().clone().unwrap_or_else(|| Arc::from("a log listener"))
    }

    pub(crate) fn hangs(&self, report: Failure) {
        *self.report.lock() = Some(report);
        self.hung.store(true, Ordering::Relaxed);
    }
}

impl Core {
    pub(crate) fn log(&self, level: Level, message: String) {
        self.log_from(&self.name, level, message);
    }

    /// Writes a line for a thread that must not hang although no keeper watches it: the one that blocks, or drops the owner.
    pub(crate) fn log_in_time(&self, level: Level, message: String) {
        if self.is_inside() {
            return self.log(level, message);
        }
        let hung = self.log_watch.hung.load(Ordering::Relaxed);
        let Some(core) = self.me.upgrade().filter(|_| !hung && self.has_log_listener()) else {
            let record = Record { level, source: Arc::clone(&self.name), message };
            return traced(|| trace(&record));
        };
        let (written, line) = (Latch::new(), message.clone());
        let report = written.clone();
        let writer = spawn("log".to_owned(), move || {
            core.log(level, line);
            report.set(());
        });
        let written =
            writer.ok().filter(|_| written.wait(Instant::now().checked_add(self.limits.log)).is_some());
        match written {
            Some(writer) => drop(writer.join()), // it has nothing left to do
            None => {
                self.log_watch.hung.store(true, Ordering::Relaxed);
                let bus = &self.name;
                traced(|| tracing::error!(%bus, "a log listener hangs; it was told: {message}"));
            }
        }
    }

    fn has_log_listener(&self) -> bool {
        !self.channels.log.snapshot().tags().is_empty()
    }

    pub(crate) fn log_failure(&self, failure: &Failure) {
        self.log(Level::Error, spell(failure));
    }

    pub(crate) fn log_from(&self, source: &Arc<str>, level: Level, message: String) {
        let record = Record { level, source: Arc::clone(source), message };
        let listeners = self.channels.log.snapshot();
        if listeners.tags().is_empty() || self.lane_avoids_log() || self.is_logging() {
            traced(|| trace(&record));
        } else {
            LOGGING.with(|logging| logging.borrow_mut().push(self.address()));
            self.deliver(&listeners, &record);
            LOGGING.with(|logging| logging.borrow_mut().pop());
        }
    }

    /// A thread that ends has no list any more; what its last destructors say goes to `tracing`.
    pub(crate) fn is_logging(&self) -> bool {
        LOGGING.try_with(|logging| logging.borrow().contains(&self.address())).unwrap_or(true)
    }

    /// Whether this is the lane, and a log listener has hung on it before.
    fn lane_avoids_log(&self) -> bool {
        if !self.is_inside() || !self.log_watch.hung.load(Ordering::Relaxed) {
            return false;
        }
        // Taken first: the subscriber must not run under this lock, which the keeper takes.
        let report = self.log_watch.report.lock().take();
        if let Some(failure) = report {
            let bus = &self.name;
            traced(|| tracing::error!(%bus, "{failure}; the bus's own lines go to tracing from now on"));
        }
        true
    }

    fn deliver(&self, listeners: &Listeners<Record, ()>, record: &Record) {
        let mut failed = false;
        for (index, tag) in listeners.tags().iter().enumerate() {
            if self.is_inside() {
                *self.log_watch.at.lock() = Some(Arc::clone(&tag.name));
            }
            let Err(reason) = guarded(|| listeners.hear(index, record)) else { continue };
            if let Some(exit) = exit_in(&reason) {
                drop(self.ask_exit(exit.after_failures(failed)));
                quietly(|| drop(reason));
                break;
            }
            failed = true;
            let failure = reason.by(&tag.name, self.channels.log.name());
            let (bus, text) = (&self.name, spell(&failure));
            traced(|| tracing::error!(%bus, "{text}; it was told: {}", record.message));
            quietly(|| drop(failure));
        }
    }
}

/// The text of a failure: the error in it is foreign code.
fn spell(failure: &Failure) -> String {
    quietly(|| failure.to_string()).unwrap_or_else(|| {
        let (listener, channel) = (failure.listener(), failure.channel());
        format!("'{listener}' failed on '{channel}' with an error that panics when it is printed")
    })
}

/// Subscribers are foreign code too.
fn traced(write: impl FnOnce()) {
    if !TRACING.with(|tracing| tracing.replace(true)) {
        quietly(write);
        TRACING.with(|tracing| tracing.set(false));
    }
}

fn trace(Record { level, source, message }: &Record) {
    match level {
        Level::Debug => tracing::debug!(source = %source, "{message}"),
        Level::Info => tracing::info!(source = %source, "{message}"),
        Level::Warn => tracing::warn!(source = %source, "{message}"),
        Level::Error => tracing::error!(source = %source, "{message}"),
    }
}

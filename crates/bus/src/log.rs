//! The log channel: it can never fail its publisher.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::channel::exit_in;
use crate::core::Core;
use crate::failure::Failure;
use crate::listener::guarded;
use crate::message::{Level, Record};
use crate::sync::thread_local;

thread_local! {
    /// A log listener that logs would call itself for ever; what it says goes to `tracing`.
    static LOGGING: Cell<bool> = const { Cell::new(false) };
}

impl Core {
    pub(crate) fn log(&self, level: Level, message: String) {
        self.log_from(&self.name, level, message);
    }

    pub(crate) fn log_failure(&self, failure: &Failure) {
        self.log(Level::Error, failure.to_string());
    }

    pub(crate) fn log_from(&self, source: &Arc<str>, level: Level, message: String) {
        let record = Record { level, source: Arc::clone(source), message };
        let listeners = self.channels.log.snapshot();
        let hung = self.is_inside() && self.log_hung.load(Ordering::Relaxed);
        if listeners.tags().is_empty() || hung || LOGGING.get() {
            return trace(&record);
        }
        LOGGING.set(true);
        for (index, tag) in listeners.tags().iter().enumerate() {
            let Err(reason) = guarded(|| listeners.hear(index, &record)) else { continue };
            if let Some(exit) = exit_in(&reason) {
                drop(self.ask_exit(exit));
                break;
            }
            let failure = reason.by(&tag.name, self.channels.log.name());
            tracing::error!(bus = %self.name, "{failure}; it was told: {}", record.message);
        }
        LOGGING.set(false);
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

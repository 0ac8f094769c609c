//! The program's log, from its first moment on, and what it says of panics.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

use crate::log::{self, Filter, Log, LogError, Settings};

/// Sends the log to standard error; `RUST_LOG` chooses what is shown.
///
/// `None` if the program has a subscriber of its own: then all lines are its.
pub(crate) fn install() -> Option<Log> {
    let asked = Filter::from_env();
    let mut settings = Settings::default();
    if let Ok(Some(filter)) = &asked {
        settings.filter = filter.clone();
    }
    let log = Log::new(settings).and_then(|log| log.install().map(|()| log));
    let log = log.inspect_err(report_unless_taken).ok()?;
    // The hook that is there by itself writes as it likes, and waits for as long as standard error is full.
    std::panic::set_hook(Box::new(log_panic));
    if let Err(wrong) = asked {
        let default = Filter::default();
        tracing::warn!(source = "log", "RUST_LOG is not understood ({wrong}) and counts as `{default}`");
    }
    Some(log)
}

fn report_unless_taken(error: &LogError) {
    if !matches!(error, LogError::Installed) {
        log::report(error);
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name");
    let backtrace = Backtrace::capture();
    let trace = match backtrace.status() {
        BacktraceStatus::Captured => format!("\n{backtrace}"),
        _ => String::new(),
    };
    tracing::error!(source = "panic", "thread '{name}' {panic}{trace}");
}

//! What can be wrong with a log.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use sitebus_bus::TopicClash;

/// Why a log was not made or changed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A file cannot be opened.
    #[error("the log file {} cannot be opened: {cause}; {}", path.display(), cure(cause))]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Two targets are one and the same.
    #[error("the log is to go to {target} twice; name it once")]
    Twice {
        /// The file's path, or `standard error`.
        target: String,
    },
    /// There is no thread to write a file.
    #[error("the log cannot write {target}: making a thread for it failed: {cause}")]
    NoThread {
        /// The file's path, or `standard error`.
        target: String,
        /// What the system says.
        cause: io::Error,
    },
    /// The process has a subscriber of `tracing` already, and can have but one.
    #[error(
        "the log cannot take the events of tracing: this process has a subscriber of them already; install one of the two"
    )]
    Installed,
    /// Somebody uses the name of a topic with other types.
    #[error("the log cannot be subscribed: {0}")]
    Clash(#[from] TopicClash),
}

/// What helps against a file that cannot be opened.
pub(crate) fn cure(cause: &io::Error) -> &'static str {
    match cause.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "make its folder",
        ErrorKind::PermissionDenied => "let this user write it, or choose another place",
        ErrorKind::IsADirectory => "that is a folder: name a file in it",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room",
        ErrorKind::ReadOnlyFilesystem => "choose a place that can be written",
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "have them read",
        _ => "choose another place, or mend this one",
    }
}

//! Why there is no daemon.

use std::io;
use std::path::PathBuf;

use sitebus_bus::TopicClash;
use sitebus_os::detach::DetachError;

use crate::supervisor::Supervisor;

/// Why the process did not leave its terminal. It is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonizeError {
    /// It has done so already.
    #[error(
        "this process is a daemon already, or the launcher of one, and does not become one twice; start the bus instead"
    )]
    Twice,
    /// Whoever started it expects it to stay in the foreground.
    #[error(
        "this process does not leave the foreground: {0}; run it without daemon mode there, and with a service manager that \
         expects a process that forks (Type=forking) say so in the settings"
    )]
    Supervised(Supervisor),
    /// A file cannot be opened.
    #[error("the daemon's {what} {} cannot be opened: {cause}; name another one, or make it so that it can be", path.display())]
    Open {
        /// What it was to be.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// This is no umask.
    #[error("{given:#o} is no umask: it has nine bits, such as 0o027")]
    Umask {
        /// What was asked for.
        given: u32,
    },
    /// There are other threads, or the system made no process.
    #[error("the process cannot leave the foreground: {0}")]
    Detach(DetachError),
    /// Somebody uses the name of a topic with other types.
    #[error("the daemon cannot listen: {0}")]
    Clash(TopicClash),
}

// `Display` tells the whole story, so there is no `source`: a report that walks the chain prints nothing twice.
impl From<DetachError> for DaemonizeError {
    fn from(cause: DetachError) -> DaemonizeError {
        DaemonizeError::Detach(cause)
    }
}

impl From<TopicClash> for DaemonizeError {
    fn from(cause: TopicClash) -> DaemonizeError {
        DaemonizeError::Clash(cause)
    }
}

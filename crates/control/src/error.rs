//! Why there is no control socket.

use std::io;
use std::path::PathBuf;

use sitebus_bus::TopicClash;

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// A running site has it.
    #[error(
        "the control socket {} is in use by {}: stop that one first, or use another path", path.display(),
        by.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The socket.
        path: PathBuf,
        /// Who listens there, if that could be told.
        by: Option<u32>,
    },
    /// Something else is there, and it is not ours to remove.
    #[error("the control socket {} cannot be made: there is a file that is no socket; remove it or use another path", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("the control socket {} cannot be made: {cause}; its folder must be there, and writable", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// There is no thread to serve it.
    #[error("the control socket cannot be served: making a thread or a pipe failed: {0}")]
    NoThread(io::Error),
    /// Somebody uses the name of a topic with other types.
    #[error(transparent)]
    Clash(#[from] TopicClash),
}

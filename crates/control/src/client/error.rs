//! Why there is no answer, and what status a program should end with.

use std::io;
use std::path::PathBuf;

use crate::protocol::Verdict;

/// Why there is no connection to a site.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no socket, or nobody listens on it.
    #[error("the site is not running: {why} at {}", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// What was found instead.
        why: &'static str,
    },
    /// This user may not.
    #[error("the site may not be asked by this user: {why}; be root, or the user that the site runs as ({})", path.display())]
    NotPermitted {
        /// The socket.
        path: PathBuf,
        /// Who says so.
        why: String,
    },
    /// There is a file, but no socket.
    #[error("{} is no socket: name the control socket of a site", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// Too many others are connected.
    #[error("the site is busy: {why}")]
    Busy {
        /// What it says.
        why: String,
    },
    /// Somebody listens, but has not answered.
    #[error("{} did not answer in time: its site may hang, or be stopped by SIGSTOP", path.display())]
    TimedOut {
        /// The socket.
        path: PathBuf,
    },
    /// Whoever listens there speaks another language, or another version of ours.
    #[error("what answers at {} cannot be understood: {why}", path.display())]
    Foreign {
        /// The socket.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The system refuses.
    #[error("connecting to {} failed: {cause}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl ConnectError {
    /// The status for a command: 1 refused or failed, 3 timed out, 4 not running.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            ConnectError::NotRunning { .. } => 4,
            ConnectError::TimedOut { .. } => 3,
            _ => 1,
        }
    }
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The time was over. What the site was asked for still goes on.
    #[error("timed out: {why}")]
    TimedOut {
        /// What was still going on.
        why: String,
    },
    /// The connection ended before there was an answer.
    #[error("the site ended before it answered: {known}")]
    Ended {
        /// What is known of it now.
        known: String,
        /// Whether its process is gone, if that could be told.
        gone: Option<bool>,
    },
    /// What came is not the protocol.
    #[error("the answer cannot be understood: {why}")]
    Foreign {
        /// What is wrong.
        why: String,
    },
    /// The system refuses.
    #[error("talking to the site failed: {0}")]
    Io(io::Error),
}

impl AskError {
    /// The status for a command: 1 failed, 3 timed out.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            AskError::TimedOut { .. } => 3,
            _ => 1,
        }
    }
}

impl Verdict {
    /// The status for a command: 0 done, 1 refused or failed, 2 not understood.
    #[must_use]
    pub fn exit_status(self) -> u8 {
        match self {
            Verdict::Done | Verdict::Asked => 0,
            Verdict::Invalid => 2,
            _ => 1,
        }
    }
}

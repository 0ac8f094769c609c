//! What can go wrong, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use sitebus_os::lock::LockError;

/// Why there is no PID file, or why it was not seen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PidFileError {
    /// The path is empty, or the current folder, from which it is to be found, is gone.
    #[error("the path {path:?} of the PID file makes no sense: {cause}; give an absolute one")]
    Path {
        /// The path.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Others could write into the file, and so choose whom a stop script kills; or its owner could not.
    #[error(
        "the mode {mode:#o} of the PID file will not do: its owner reads and writes it, others read it at most; take 0o644 or \
         0o600"
    )]
    Mode {
        /// What was asked for.
        mode: u32,
    },
    /// Another process has it.
    #[error("the PID file {} is held by {holder}: stop that one first, or name another file", path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// Who.
        holder: Holder,
    },
    /// It cannot be made.
    #[error("there can be no PID file: {0}")]
    Lock(LockError),
    /// It was asked to become another one while the process runs.
    #[error("the PID file stays {} (mode {:#o}) until the process ends: restart to have another", now.path.display(), now.mode)]
    Fixed {
        /// What it is.
        now: crate::Settings,
    },
    /// No process has come to hold it.
    #[error("no process holds the PID file {}: look why none has started", path.display())]
    NotHeld {
        /// The file.
        path: PathBuf,
    },
    /// Its process has not let go of it.
    #[error("the PID file {} is still held by {holder}: look why that does not end", path.display())]
    StillHeld {
        /// The file.
        path: PathBuf,
        /// Who.
        holder: Holder,
    },
}

/// The process that holds the file, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its number, unless it has not written it.
    pub pid: Option<u32>,
    /// What it is called, if that may be read.
    pub name: Option<String>,
}

impl Holder {
    pub(crate) fn of(pid: Option<u32>) -> Holder {
        let name = pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok());
        Holder { pid, name: name.map(|name| name.trim_end().to_owned()) }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(pid) = self.pid else { return f.write_str("another process") };
        let this = if pid == std::process::id() { "this very " } else { "" };
        write!(f, "{this}process {pid}")?;
        // A process chooses its own name, so what is in it is spelt out.
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " ({})", name.escape_debug()))
    }
}

impl From<LockError> for PidFileError {
    fn from(error: LockError) -> PidFileError {
        match error {
            LockError::Held { by, path } => PidFileError::Held { path, holder: Holder::of(by) },
            error => PidFileError::Lock(error),
        }
    }
}

//! Why a process ends, and with which code.

use std::error::Error;
use std::fmt;
use std::process::{ExitCode, Termination};
use std::sync::Arc;

/// An exit as a value: its code and its cause. [`Bus::block`](crate::Bus::block) returns it, and `main` may return it too.
///
/// A listener that *returns* one as its error (`Err(Exit::success("--check").into())`) ends the publish that runs it
/// at once and asks the bus to exit with it; on `stop` and `exit` the other listeners still run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use = "the code in it is the status that the process should end with"]
pub struct Exit {
    code: u8,
    cause: Cause,
}

/// Who or what asked for an exit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Somebody asked: a place in the program, or a name that it gave.
    Asked {
        /// Who.
        by: Arc<str>,
    },
    /// A signal asked.
    Signal {
        /// Its name without `SIG`, such as `TERM`.
        name: Arc<str>,
        /// Its number.
        number: i32,
    },
    /// Something failed that the process cannot go on without.
    Failed {
        /// What failed.
        what: Arc<str>,
    },
    /// The process is to be replaced by a new image of itself.
    Restart {
        /// Who asked.
        by: Arc<str>,
    },
    /// The process was to be replaced, but is still this one.
    RestartFailed {
        /// Why the new image could not take over.
        why: Arc<str>,
    },
    /// The owner of the bus was dropped before anyone asked for an exit.
    Dropped,
}

/// The code of an exit that failed, where nobody named another one.
pub(crate) const FAILURE: u8 = 1;

impl Exit {
    /// Everything went well. `by` says who asks.
    pub fn success(by: impl Into<Arc<str>>) -> Exit {
        Exit { code: 0, cause: Cause::Asked { by: by.into() } }
    }

    /// Something failed; code 1. `what` says what.
    pub fn failure(what: impl Into<Arc<str>>) -> Exit {
        Exit { code: FAILURE, cause: Cause::Failed { what: what.into() } }
    }

    /// A code of the program's own. `by` says who asks.
    pub fn with_code(code: u8, by: impl Into<Arc<str>>) -> Exit {
        Exit { code, cause: Cause::Asked { by: by.into() } }
    }

    /// A signal, by its name without `SIG` and its number; code 0, since ending on a signal is a clean end.
    pub fn signal(name: impl Into<Arc<str>>, number: i32) -> Exit {
        Exit { code: 0, cause: Cause::Signal { name: name.into(), number } }
    }

    pub(crate) fn restart(by: impl Into<Arc<str>>) -> Exit {
        Exit { code: 0, cause: Cause::Restart { by: by.into() } }
    }

    pub(crate) fn restart_failed(why: impl Into<Arc<str>>) -> Exit {
        Exit { code: FAILURE, cause: Cause::RestartFailed { why: why.into() } }
    }

    pub(crate) fn dropped() -> Exit {
        Exit { code: FAILURE, cause: Cause::Dropped }
    }

    /// The status for the process: 0 is success.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Who or what asked.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Whether the process is to be replaced by a new image of itself.
    #[must_use]
    pub fn is_restart(&self) -> bool {
        matches!(self.cause, Cause::Restart { .. })
    }

    /// A success code is no longer true once something has failed.
    pub(crate) fn after_failures(self, failed: bool) -> Exit {
        if failed && self.code == 0 { Exit { code: FAILURE, ..self } } else { self }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Asked { by } => write!(f, "exit with code {} asked by {by}", self.code),
            Cause::Signal { name, number } => {
                write!(f, "exit with code {} asked by signal SIG{name} ({number})", self.code)
            }
            Cause::Failed { what } => write!(f, "exit with code {} because of a failure: {what}", self.code),
            Cause::Restart { by } => write!(f, "restart asked by {by}"),
            Cause::RestartFailed { why } => {
                write!(f, "restart failed, so this is still the old image: {why}")
            }
            Cause::Dropped => {
                write!(f, "exit with code {} because the owner of the bus was dropped", self.code)
            }
        }
    }
}

impl Error for Exit {}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code)
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}

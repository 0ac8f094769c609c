//! What came of a launch.

use std::fmt;
use std::io::{self, Write as _};
use std::process::{ExitCode, Termination};

use sitebus_os::signal::{Signal, die_by};

/// What came of the daemon, for its launcher to return from `main`.
///
/// With any status but 0 there is no daemon any more. As the result of `main` it writes its message to standard error,
/// unless the daemon is STARTED; and if the launcher was interrupted by a signal, it ends the launcher by that signal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "main returns it: it is the launcher's status"]
pub struct LaunchOutcome {
    pub(crate) pid: u32,
    pub(crate) ending: Ending,
    pub(crate) status: u8,
    pub(crate) message: String,
}

/// In which way a launch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The daemon is STARTED, and goes on. Status 0.
    Started,
    /// It said why it failed, and ended. Its own status, or the one that it told.
    Failed,
    /// It ended without a word. Its own status, but never 0; 128 and the signal's number if a signal ended it.
    Died,
    /// It was not STARTED in time, and was ended. Status 3.
    Overran,
    /// The launcher was sent this signal, and has ended the daemon. 128 and the signal's number.
    Interrupted(Signal),
    /// The launcher cannot see any more what becomes of the daemon. Status 1.
    Lost,
}

impl LaunchOutcome {
    /// The daemon's process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// In which way the launch ended.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// The status for the launcher: 0 if the daemon is STARTED, and only then.
    #[must_use]
    pub fn status(&self) -> u8 {
        self.status
    }

    /// What there is to say.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for LaunchOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Termination for LaunchOutcome {
    fn report(self) -> ExitCode {
        if self.ending != Ending::Started {
            let _ = writeln!(io::stderr(), "{}", self.message);
        }
        if let Ending::Interrupted(signal) = self.ending {
            die_by(signal);
        }
        ExitCode::from(self.status)
    }
}

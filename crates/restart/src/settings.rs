//! How a restart is looked at before it happens.

use std::ffi::OsString;
use std::time::Duration;

/// How a restart is looked at before it happens. By default the file is examined, and nothing is run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Arguments with which the new image is run once, as a process of its own, before anything stops: something that ends
    /// by itself and says with its status whether a start would succeed, such as `check site.toml` or `--version`.
    pub trial: Option<Vec<OsString>>,
    /// How long that may take: 20 s.
    pub trial_time: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { trial: None, trial_time: Duration::from_secs(20) }
    }
}

impl Settings {
    /// With a trial that has these arguments.
    #[must_use]
    pub fn trial<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Settings {
        self.trial = Some(arguments.into_iter().map(Into::into).collect());
        self
    }
}

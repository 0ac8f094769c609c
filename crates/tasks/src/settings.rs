//! How often, and what after a failure.

use std::collections::BTreeMap;
use std::time::Duration;

/// When a [`Monitor`](crate::Monitor) calls. Offered in a reload, new ones are taken up at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// From the begin of one call to that of the next. Zero: never. Default a minute.
    pub every: Duration,
    /// Whether the first call comes at once, or after one period. Default after one period.
    pub at_once: bool,
    /// How much longer it waits after failures.
    pub backoff: Backoff,
}

/// Settings of several monitors on one bus, by the monitor's name. A monitor that finds its name here does not look at a plain
/// [`Settings`] of the same reload.
pub type SettingsOf = BTreeMap<String, Settings>;

/// How long to wait after failures: `first` after one, twice as long after each further one, never longer than `most`. A
/// success ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After one failure. Default 100 ms.
    pub first: Duration,
    /// After any number of them. Default a minute.
    pub most: Duration,
}

impl Settings {
    /// A call in each of these periods.
    #[must_use]
    pub fn every(period: Duration) -> Settings {
        Settings { every: period, ..Settings::default() }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { every: Duration::from_secs(60), at_once: false, backoff: Backoff::default() }
    }
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { first: Duration::from_millis(100), most: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// How long to wait when this many have failed in a row.
    pub(crate) fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.most)
    }
}

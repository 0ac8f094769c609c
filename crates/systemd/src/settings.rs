//! What the service manager is told.

/// What the service manager is told, beside that the site is ready, reloads and stops. A reload takes up changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// That the process lives, twice as often as the unit's `WatchdogSec=` asks for. Default true; it does nothing for a unit
    /// without one.
    pub watchdog: bool,
    /// That it needs more time, for as long as the bus itself grants that to a start, a stop or a reload. Default true:
    /// otherwise the unit's `TimeoutStartSec=` and `TimeoutStopSec=` end a process that its bus would still wait for.
    pub extend: bool,
    /// What it is doing, in words, for `systemctl status`. Default true.
    pub status: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { watchdog: true, extend: true, status: true }
    }
}

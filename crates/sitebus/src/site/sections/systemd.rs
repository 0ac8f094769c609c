//! `[systemd]`

use serde::Deserialize;

use crate::site::Section;
use crate::systemd::Settings;

/// `[systemd]`: what the service manager is told, beside that the site is ready, reloads and stops.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SystemdSection {
    /// That the process lives, if the unit has `WatchdogSec=`. By default it is told.
    pub watchdog: Option<bool>,
    /// That it needs more time, as long as the site itself grants it. By default it is told.
    pub extend: Option<bool>,
    /// What it is doing, in words. By default it is told.
    pub status: Option<bool>,
}

impl SystemdSection {
    /// As settings of the plugin.
    pub fn settings(self) -> Settings {
        let mut settings = Settings::default();
        settings.watchdog = self.watchdog.unwrap_or(settings.watchdog);
        settings.extend = self.extend.unwrap_or(settings.extend);
        settings.status = self.status.unwrap_or(settings.status);
        settings
    }
}

impl Section for SystemdSection {}

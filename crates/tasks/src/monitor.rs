//! Something that is looked at every so often.

use std::sync::Arc;
use std::time::Instant;

use sitebus_bus::{Commit, Graceful, Handle, Heard, Plugin, Priority};

use crate::runner::Runner;
use crate::schedule::{Pace, Schedule};
use crate::settings::{Settings, SettingsOf};
use crate::shared::Body;
use crate::turn::Turn;

/// A closure that is called once in each period, on a thread of its own, from each start of the bus to the next stop.
///
/// A call that takes longer than a period makes it skip those that it has missed. A reload begins its periods anew, with
/// new [`Settings`] if the reload has some for it.
pub struct Monitor {
    name: Arc<str>,
    settings: Settings,
    body: Body,
}

impl Monitor {
    /// A monitor of that name, which its thread has too (the system shows the first 15 bytes), and every line about it.
    ///
    /// The closure returns nothing, or an `anyhow::Result<()>`.
    pub fn new<R: Heard<()>>(
        name: impl Into<Arc<str>>,
        settings: Settings,
        mut body: impl FnMut(&Turn) -> R + Send + 'static,
    ) -> Monitor {
        let body = Box::new(move |turn: &Turn| body(turn).heard());
        Monitor { name: name.into(), settings, body }
    }

    /// Has it begin at [`priority::TASKS`](sitebus_bus::priority::TASKS) of each start, end at
    /// [`priority::STOP_TASKS`](sitebus_bus::priority::STOP_TASKS) of each stop, and take part in reloads.
    pub fn subscribe(self, bus: &Handle) -> Plugin {
        let plugin = bus.plugin(Arc::clone(&self.name));
        let runner = Runner::subscribe(&plugin, begin(&self.settings), self.body);
        plugin.on_graceful(Priority::DEFAULT, move |reload| {
            let (runner, new) = (Arc::clone(&runner), settings_of(&self.name, reload));
            Ok(Commit::new(move || {
                runner.reschedule(|old| new.as_ref().map_or_else(|| old.again(Instant::now()), begin));
                Ok(())
            }))
        });
        plugin
    }
}

fn begin(settings: &Settings) -> Schedule {
    Schedule::begin(Pace::from(settings), settings.backoff, Instant::now())
}

fn settings_of(name: &str, reload: &Graceful) -> Option<Settings> {
    let by_name = reload.get::<SettingsOf>().and_then(|all| all.get(name).cloned());
    by_name.or_else(|| reload.get::<Settings>().map(|settings| Settings::clone(&settings)))
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor").field("name", &self.name).field("settings", &self.settings).finish()
    }
}

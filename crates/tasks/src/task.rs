//! Something that is done in the background, for as long as the bus is started.

use std::sync::Arc;
use std::time::Instant;

use sitebus_bus::{Handle, Heard, Plugin};

use crate::runner::Runner;
use crate::schedule::{Pace, Schedule};
use crate::settings::Backoff;
use crate::shared::Body;
use crate::turn::Turn;

/// A closure that is called again and again on a thread of its own, from each start of the bus to the next stop.
///
/// What it waits for, it waits for inside: by its [`Turn`], or by whatever has a deadline. One that returns without having
/// waited is called again at once.
pub struct Task {
    name: Arc<str>,
    body: Body,
    backoff: Backoff,
}

impl Task {
    /// A task of that name, which its thread has too (the system shows the first 15 bytes), and every line about it.
    ///
    /// The closure returns nothing, or an `anyhow::Result<()>`.
    pub fn new<R: Heard<()>>(
        name: impl Into<Arc<str>>,
        mut body: impl FnMut(&Turn) -> R + Send + 'static,
    ) -> Task {
        let body = Box::new(move |turn: &Turn| body(turn).heard());
        Task { name: name.into(), body, backoff: Backoff::default() }
    }

    /// How long it waits after failures.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Task {
        self.backoff = backoff;
        self
    }

    /// Has it begin at [`priority::TASKS`](sitebus_bus::priority::TASKS) of each start, and end at
    /// [`priority::STOP_TASKS`](sitebus_bus::priority::STOP_TASKS) of each stop.
    pub fn subscribe(self, bus: &Handle) -> Plugin {
        let plugin = bus.plugin(self.name);
        let schedule = Schedule::begin(Pace::Always, self.backoff, Instant::now());
        Runner::subscribe(&plugin, schedule, self.body);
        plugin
    }
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("name", &self.name).field("backoff", &self.backoff).finish()
    }
}

//! What a task is told while it works.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::shared::Shared;

/// One turn of a task, or one call of a monitor: it says when to end, and waits without missing that.
pub struct Turn {
    pub(crate) shared: Arc<Shared>,
    pub(crate) run: u64,
}

impl Turn {
    /// Whether the task is to end: return as soon as that can be done. Ask this in whatever takes long.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.shared.is_over(self.run)
    }

    /// Waits for as long, or until the task is to end; says whether it is. That wakes it at once.
    #[must_use = "whether the task is to end"]
    pub fn wait(&self, time: Duration) -> bool {
        self.shared.wait_for_end(self.run, Instant::now().checked_add(time))
    }

    /// Waits until then, or until the task is to end; says whether it is. That wakes it at once.
    #[must_use = "whether the task is to end"]
    pub fn wait_until(&self, time: Instant) -> bool {
        self.shared.wait_for_end(self.run, Some(time))
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("is_ending", &self.is_ending()).finish()
    }
}

//! The time that deadlines are measured in.

use std::sync::Arc;
use std::time::Instant;

/// A source of time for the deadlines of a bus. Tests use one that moves by hand.
pub trait Clock: Send + Sync + 'static {
    /// Now. Never goes back. It is asked while locks of the bus are held, so it must not ask the bus in turn.
    fn now(&self) -> Instant;

    /// Whether this clock moves by hand. If so it keeps `moved` and calls it after each move, since the bus cannot sleep
    /// until a time that does not come by itself, and with no lock held that `now` takes.
    fn moves_by_hand(&self, moved: Arc<dyn Fn() + Send + Sync>) -> bool {
        drop(moved);
        false
    }
}

/// The monotonic clock of the system.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
}

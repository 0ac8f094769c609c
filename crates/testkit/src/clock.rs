//! A clock that moves only by hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sitebus_bus::Clock;

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A [`Clock`] for the deadlines of a bus, which stands still until [`advance`](FakeClock::advance) moves it: a deadline of
/// an hour passes at once, and one of a millisecond never does by itself.
///
/// ```
/// use std::time::Duration;
/// use sitebus_bus::Bus;
/// use sitebus_testkit::FakeClock;
///
/// let clock = FakeClock::new();
/// let bus = Bus::builder("shop").clock(clock.clone()).build();
/// clock.advance(Duration::from_secs(3600));
/// # drop(bus);
/// ```
///
/// What waits for the bus from outside (a ticket, a state, a thread to be joined) is measured in real time all the same.
pub struct FakeClock(Mutex<Hands>);

struct Hands {
    now: Instant,
    watched_by: Vec<Arc<dyn Fn() + Send + Sync>>,
}

impl FakeClock {
    /// A clock that stands still. Several buses may share it.
    #[must_use]
    pub fn new() -> Arc<FakeClock> {
        Arc::new(FakeClock(Mutex::new(Hands { now: Instant::now(), watched_by: Vec::new() })))
    }

    /// Moves it forward, and lets every bus look at its deadlines. By more than it can count, it moves a century.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.0.lock();
        let far = || hands.now.checked_add(CENTURY);
        hands.now = hands.now.checked_add(by).or_else(far).unwrap_or(hands.now);
        let watched_by = hands.watched_by.clone();
        drop(hands);
        watched_by.iter().for_each(|moved| moved());
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Instant {
        self.0.lock().now
    }

    fn moves_by_hand(&self, moved: Arc<dyn Fn() + Send + Sync>) -> bool {
        self.0.lock().watched_by.push(moved);
        true
    }
}

impl std::fmt::Debug for FakeClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FakeClock").field(&self.0.lock().now).finish()
    }
}

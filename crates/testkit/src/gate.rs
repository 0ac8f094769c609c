//! A place where a listener can be held.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::transcript::after;

/// Holds whoever passes until it is opened, and says who has come: for tests of what happens meanwhile, and of listeners
/// that hang. Cheap to clone; all clones are one gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    passage: Mutex<Passage>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Passage {
    open: bool,
    arrivals: usize,
    left: usize,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Gate {
        Gate::default()
    }

    /// Waits here until the gate is open.
    pub fn pass(&self) {
        let mut passage = self.0.passage.lock();
        passage.arrivals += 1;
        self.0.changed.notify_all();
        while !passage.open {
            self.0.changed.wait(&mut passage);
        }
        passage.left += 1;
        self.0.changed.notify_all();
    }

    /// Lets everybody pass, from now on.
    pub fn open(&self) {
        self.0.passage.lock().open = true;
        self.0.changed.notify_all();
    }

    /// Holds everybody who comes from now on.
    pub fn close(&self) {
        self.0.passage.lock().open = false;
    }

    /// Waits until somebody is held here.
    ///
    /// # Panics
    /// Nobody came within `patience`.
    #[track_caller]
    pub fn wait_for_arrival(&self, patience: Duration) {
        self.wait_for_arrivals(1, patience);
    }

    /// Waits until that many have come since the gate was made.
    ///
    /// # Panics
    /// They did not within `patience`.
    #[track_caller]
    pub fn wait_for_arrivals(&self, count: usize, patience: Duration) {
        let arrivals = self.wait(patience, |passage| passage.arrivals >= count).arrivals;
        assert!(arrivals >= count, "{arrivals} of {count} came to the gate within {patience:?}");
    }

    /// Waits until everybody who came has passed.
    ///
    /// # Panics
    /// Somebody was still held when `patience` was over.
    #[track_caller]
    pub fn wait_until_passed(&self, patience: Duration) {
        let Passage { arrivals, left, .. } = self.wait(patience, |passage| passage.left == passage.arrivals);
        assert!(left == arrivals, "{left} of {arrivals} passed the gate within {patience:?}");
    }

    fn wait(&self, patience: Duration, enough: impl Fn(&Passage) -> bool) -> Passage {
        let deadline = after(patience);
        let mut passage = self.0.passage.lock();
        while !enough(&passage) && !self.0.changed.wait_until(&mut passage, deadline).timed_out() {}
        Passage { ..*passage }
    }
}

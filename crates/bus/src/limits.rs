//! How long listeners may take.

use std::time::Duration;

/// How long one kind of transition may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Limit {
    /// For each listener. When it has passed, the listener is given up and named, and the next one runs.
    pub each: Duration,
    /// For all of them together. Whoever is called after it has passed gets no more than [`Limits::last_call`]. A start or a
    /// reload in which somebody has failed calls nobody any more; a stop or an exit calls everybody, and sets the hurry flag.
    pub total: Duration,
}

impl Limit {
    /// A limit for each listener and for all of them together.
    #[must_use]
    pub const fn new(each: Duration, total: Duration) -> Limit {
        Limit { each, total }
    }
}

/// The deadlines of a bus. Every wait has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Limits {
    /// Start listeners: 60 s each, 120 s in total.
    pub start: Limit,
    /// Stop listeners: 30 s each, 60 s in total.
    pub stop: Limit,
    /// Exit listeners: 10 s each, 20 s in total.
    pub exit: Limit,
    /// Graceful listeners, for looking and for committing: 30 s each, 60 s in total.
    pub graceful: Limit,
    /// Restart listeners, for looking whether a new image would be right: 60 s each, 120 s in total.
    pub restart: Limit,
    /// What a listener is still given when the total has run out: 250 ms.
    pub last_call: Duration,
    /// Delivery of one log line of the bus itself, and whatever else of other people's code the lane runs between listeners
    /// (wakers, destructors): 2 s.
    pub log: Duration,
    /// Threads that the bus was told of, all together, once it has exited: 10 s.
    pub join: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        const fn seconds(each: u64, total: u64) -> Limit {
            Limit::new(Duration::from_secs(each), Duration::from_secs(total))
        }
        Limits {
            start: seconds(60, 120),
            stop: seconds(30, 60),
            exit: seconds(10, 20),
            graceful: seconds(30, 60),
            restart: seconds(60, 120),
            last_call: Duration::from_millis(250),
            log: Duration::from_secs(2),
            join: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// The same limit for start, stop, exit, graceful and restart listeners, and the defaults for the rest.
    #[must_use]
    pub fn all(each: Duration, total: Duration) -> Limits {
        let limit = Limit::new(each, total);
        Limits {
            start: limit,
            stop: limit,
            exit: limit,
            graceful: limit,
            restart: limit,
            ..Limits::default()
        }
    }
}

//! When a change is complete: nothing has happened for a while, but no longer than anybody wants to wait.

use std::time::{Duration, Instant};

/// What is mostly followed by more gets this many times the usual quiet.
const LONGER: u32 = 4;

/// The rest that a change is waited to come to. Pure: the caller brings the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settle {
    quiet: Duration,
    end: Instant,
    still_since: Instant,
}

impl Settle {
    /// `since` is when the change was made, or heard of.
    pub(crate) fn begin(quiet: Duration, limit: Duration, since: Instant) -> Settle {
        let end = since.checked_add(limit).unwrap_or(since + Duration::from_secs(86_400));
        Settle { quiet, end, still_since: since }
    }

    /// Something has happened again.
    pub(crate) fn disturb(&mut self, at: Instant) {
        self.still_since = self.still_since.max(at);
    }

    /// When to look whether it is complete. `longer`: it is mostly followed by more.
    pub(crate) fn until(&self, longer: bool) -> Instant {
        let quiet = if longer { self.quiet.saturating_mul(LONGER) } else { self.quiet };
        self.still_since.checked_add(quiet).map_or(self.end, |still| still.min(self.end))
    }

    /// Whether it is not waited for any more.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(25);
    const LIMIT: Duration = Duration::from_secs(2);

    #[test]
    fn each_disturbance_begins_the_quiet_anew() {
        let begun = Instant::now();
        let mut settle = Settle::begin(QUIET, LIMIT, begun);
        assert_eq!(settle.until(false), begun + QUIET);
        assert_eq!(settle.until(true), begun + 4 * QUIET);
        settle.disturb(begun + 10 * QUIET);
        settle.disturb(begun + 5 * QUIET); // told late
        assert_eq!(settle.until(false), begun + 11 * QUIET);
    }

    #[test]
    fn what_never_rests_is_not_waited_for_any_longer_than_the_limit() {
        let begun = Instant::now();
        let mut settle = Settle::begin(QUIET, LIMIT, begun);
        settle.disturb(begun + LIMIT - Duration::from_millis(1));
        assert_eq!(settle.until(true), begun + LIMIT);
        assert!(!settle.is_over(begun + LIMIT - Duration::from_millis(1)));
        assert!(settle.is_over(begun + LIMIT));
        assert!(!Settle::begin(QUIET, Duration::MAX, begun).is_over(begun + LIMIT));
    }
}

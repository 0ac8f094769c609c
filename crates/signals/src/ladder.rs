//! The ladder of signals that ask for an exit: ask, hurry, die. A pure machine: what time it is, it is told.

use std::time::{Duration, Instant};

/// What one more signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask the bus to exit.
    Ask,
    /// Cut drains short.
    Hurry,
    /// End the process by the signal.
    Die,
    /// Nothing: it belongs to the one before.
    Repeat,
}

/// Where we stand. All signals that ask for an exit climb the same ladder, and nobody climbs down.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    burst: Duration,
    rung: u8,
    /// When the last signal came that counted. Not the last one at all: hammering must lead upwards.
    counted: Option<Instant>,
    deadline: Option<Instant>,
}

impl Ladder {
    /// At the foot. Signals within `burst` of the last that counted are one with it.
    pub(crate) fn new(burst: Duration) -> Ladder {
        Ladder { burst, rung: 0, counted: None, deadline: None }
    }

    /// A signal came that asks for an exit. `patience` is how long drains may take if it is the first one.
    pub(crate) fn climb(&mut self, now: Instant, patience: Option<Duration>) -> Step {
        let repeats = |counted: Instant| now.saturating_duration_since(counted) < self.burst;
        if self.counted.is_some_and(repeats) {
            return Step::Repeat;
        }
        self.counted = Some(now);
        self.rung = self.rung.saturating_add(1);
        match self.rung {
            1 => {
                self.deadline = patience.and_then(|patience| now.checked_add(patience));
                Step::Ask
            }
            2 => {
                self.deadline = None;
                Step::Hurry
            }
            _ => Step::Die,
        }
    }

    /// When patience ends, if it does.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether patience has ended: true once. It is no rung, since no signal came.
    pub(crate) fn out_of_patience(&mut self, now: Instant) -> bool {
        self.deadline.take_if(|deadline| *deadline <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Step::{Ask, Die, Hurry, Repeat};
    use super::*;

    const BURST: Duration = Duration::from_millis(200);
    const PATIENCE: Option<Duration> = Some(Duration::from_secs(30));

    fn climb_at(milliseconds: &[u64]) -> Vec<Step> {
        let mut ladder = Ladder::new(BURST);
        let start = Instant::now();
        milliseconds.iter().map(|at| ladder.climb(start + Duration::from_millis(*at), PATIENCE)).collect()
    }

    #[test]
    fn the_first_asks_the_second_hurries_and_the_third_and_all_later_ones_end_it() {
        assert_eq!(climb_at(&[0, 200, 400, 600, 800]), [Ask, Hurry, Die, Die, Die]);
        assert_eq!(climb_at(&[0, 100_000, 9_000_000]), [Ask, Hurry, Die]);
    }

    #[test]
    fn a_burst_is_one_signal() {
        assert_eq!(climb_at(&[0, 0, 1, 100, 199]), [Ask, Repeat, Repeat, Repeat, Repeat]);
        assert_eq!(climb_at(&[0, 199, 200, 201, 399, 400]), [Ask, Repeat, Hurry, Repeat, Repeat, Die]);
    }

    #[test]
    fn hammering_climbs_all_the_same() {
        let every_150_ms: Vec<u64> = (0..6).map(|press| press * 150).collect();
        assert_eq!(climb_at(&every_150_ms), [Ask, Repeat, Hurry, Repeat, Die, Repeat]);
    }

    #[test]
    fn without_a_burst_time_every_signal_counts() {
        let mut ladder = Ladder::new(Duration::ZERO);
        let now = Instant::now();
        assert_eq!([(); 3].map(|()| ladder.climb(now, None)), [Ask, Hurry, Die]);
    }

    #[test]
    fn a_clock_that_seems_to_go_back_makes_repeats_not_panics() {
        let mut ladder = Ladder::new(BURST);
        let now = Instant::now();
        assert_eq!(ladder.climb(now + Duration::from_secs(1), PATIENCE), Ask);
        assert_eq!(ladder.climb(now, PATIENCE), Repeat);
    }

    #[test]
    fn patience_counts_from_the_first_signal_and_ends_once() {
        let mut ladder = Ladder::new(BURST);
        let now = Instant::now();
        let seconds = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(ladder.deadline(), None);
        assert!(!ladder.out_of_patience(now));
        ladder.climb(now, PATIENCE);
        ladder.climb(now + BURST / 2, Some(Duration::from_secs(99)));
        assert_eq!(ladder.deadline(), Some(seconds(30)));
        assert!(!ladder.out_of_patience(seconds(29)));
        assert!(ladder.out_of_patience(seconds(30)));
        assert!(!ladder.out_of_patience(seconds(31)));
        assert_eq!(ladder.deadline(), None);
        // It was no rung: the second signal is still the second.
        assert_eq!(ladder.climb(seconds(32), PATIENCE), Hurry);
        assert_eq!(ladder.climb(seconds(33), PATIENCE), Die);
    }

    #[test]
    fn a_second_signal_ends_patience() {
        let mut ladder = Ladder::new(BURST);
        let now = Instant::now();
        ladder.climb(now, PATIENCE);
        ladder.climb(now + BURST, PATIENCE);
        assert_eq!(ladder.deadline(), None);
    }

    #[test]
    fn a_drain_has_no_deadline_of_the_ladder_and_neither_has_a_patience_beyond_all_time() {
        for patience in [None, Some(Duration::MAX)] {
            let mut ladder = Ladder::new(BURST);
            assert_eq!(ladder.climb(Instant::now(), patience), Ask);
            assert_eq!(ladder.deadline(), None);
        }
    }
}

//! When the next turn is due: a pure machine, which is told the time.

use std::time::{Duration, Instant};

use crate::settings::{Backoff, Settings};

/// How often there is a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As soon as the last one is over.
    Always,
    /// At whole periods since the begin. Those that were missed are skipped.
    Every { period: Duration, at_once: bool },
}

#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pace: Pace,
    backoff: Backoff,
    begun: Instant,
    due: Option<Instant>,
    failures: u32,
}

impl Schedule {
    pub(crate) fn begin(pace: Pace, backoff: Backoff, now: Instant) -> Schedule {
        let due = match pace {
            Pace::Every { period: Duration::ZERO, .. } => None,
            Pace::Always | Pace::Every { at_once: true, .. } => Some(now),
            Pace::Every { period, .. } => now.checked_add(period),
        };
        Schedule { pace, backoff, begun: now, due, failures: 0 }
    }

    /// The same from the beginning.
    pub(crate) fn again(&self, now: Instant) -> Schedule {
        Schedule::begin(self.pace, self.backoff, now)
    }

    /// When the next turn is due; nothing if never.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// How long to wait at least, if the last turn has failed.
    pub(crate) fn pause(&self) -> Option<Duration> {
        (self.failures > 0).then(|| self.backoff.after(self.failures))
    }

    /// A turn is over.
    pub(crate) fn ended(&mut self, went_well: bool, now: Instant) {
        self.failures = if went_well { 0 } else { self.failures.saturating_add(1) };
        let earliest = self.pause().map_or(Some(now), |pause| now.checked_add(pause));
        self.due = earliest.and_then(|earliest| match self.pace {
            Pace::Always => Some(earliest),
            Pace::Every { period, .. } => self.next_tick(period, earliest),
        });
    }

    /// The first whole period since the begin that is later than this.
    fn next_tick(&self, period: Duration, than: Instant) -> Option<Instant> {
        let since = than.saturating_duration_since(self.begun);
        let periods = since.as_nanos().checked_div(period.as_nanos())?; // none: it was set to zero
        let nanoseconds = period.as_nanos().checked_mul(periods + 1)?;
        self.begun.checked_add(Duration::from_nanos(nanoseconds.try_into().ok()?))
    }
}

impl From<&Settings> for Pace {
    fn from(settings: &Settings) -> Pace {
        Pace::Every { period: settings.every, at_once: settings.at_once }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const BACKOFF: Backoff = Backoff { first: SECOND, most: Duration::from_secs(10) };

    fn every(seconds: u64, at_once: bool) -> (Schedule, Instant) {
        let now = Instant::now();
        let pace = Pace::Every { period: seconds as u32 * SECOND, at_once };
        (Schedule::begin(pace, BACKOFF, now), now)
    }

    fn ends(schedule: &mut Schedule, went_well: bool, at: Instant) -> Instant {
        schedule.ended(went_well, at);
        schedule.due().unwrap()
    }

    #[test]
    fn the_first_turn_comes_after_one_period_or_at_once() {
        let (schedule, now) = every(60, false);
        assert_eq!(schedule.due(), Some(now + 60 * SECOND));
        let (schedule, now) = every(60, true);
        assert_eq!(schedule.due(), Some(now));
    }

    #[test]
    fn turns_come_at_whole_periods_however_long_they_take_and_missed_ones_are_skipped() {
        let (mut schedule, now) = every(10, false);
        assert_eq!(ends(&mut schedule, true, now + 11 * SECOND), now + 20 * SECOND);
        assert_eq!(ends(&mut schedule, true, now + 29 * SECOND), now + 30 * SECOND);
        assert_eq!(ends(&mut schedule, true, now + 75 * SECOND), now + 80 * SECOND);
        assert_eq!(ends(&mut schedule, true, now + 80 * SECOND), now + 90 * SECOND);
    }

    #[test]
    fn failures_wait_twice_as_long_each_time_up_to_the_most_and_a_success_ends_that() {
        let now = Instant::now();
        let mut schedule = Schedule::begin(Pace::Always, BACKOFF, now);
        assert_eq!(schedule.due(), Some(now));
        for expected in [1, 2, 4, 8, 10, 10] {
            assert_eq!(ends(&mut schedule, false, now), now + expected * SECOND);
            assert_eq!(schedule.pause(), Some(expected * SECOND));
        }
        assert_eq!(ends(&mut schedule, true, now), now);
        assert_eq!(schedule.pause(), None);
        assert_eq!(ends(&mut schedule, false, now), now + SECOND);
    }

    #[test]
    fn after_a_failure_a_monitor_comes_back_at_a_whole_period_once_it_has_waited() {
        let (mut schedule, now) = every(3, false);
        assert_eq!(ends(&mut schedule, false, now + 3 * SECOND), now + 6 * SECOND);
        assert_eq!(ends(&mut schedule, false, now + 6 * SECOND), now + 9 * SECOND);
        assert_eq!(ends(&mut schedule, false, now + 9 * SECOND), now + 15 * SECOND);
    }

    #[test]
    fn a_period_of_zero_and_one_beyond_the_clock_are_never_due_and_nothing_overflows() {
        let (mut schedule, now) = every(0, true);
        assert_eq!(schedule.due(), None);
        schedule.ended(true, now);
        assert_eq!(schedule.due(), None);

        let endless = Pace::Every { period: Duration::MAX, at_once: true };
        let backoff = Backoff { first: Duration::MAX, most: Duration::MAX };
        let mut schedule = Schedule::begin(endless, backoff, now);
        assert_eq!(schedule.due(), Some(now));
        schedule.ended(true, now);
        assert_eq!(schedule.due(), None);
        for _ in 0..100 {
            schedule.ended(false, now);
        }
        assert_eq!(schedule.due(), None);
        assert_eq!(BACKOFF.after(u32::MAX), 10 * SECOND);
    }

    #[test]
    fn a_schedule_that_begins_again_knows_no_failures() {
        let (mut schedule, now) = every(5, false);
        schedule.ended(false, now);
        let again = schedule.again(now + SECOND);
        assert_eq!((again.due(), again.pause()), (Some(now + 6 * SECOND), None));
    }
}

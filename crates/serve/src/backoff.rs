//! What to do when accept(2) fails: at once again, or after a while.

use std::io;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// An episode is over when accepting has gone well for so long; one lucky accept in between does not end it.
const CALM: Duration = Duration::from_secs(1);

/// The pauses of one accept loop.
///
/// An error that belongs to one connection (it was given up before we took it) costs nothing. Any other, of which running
/// out of descriptors is the usual one, is followed by a pause that doubles, so the loop neither spins nor ends.
#[derive(Default)]
pub(crate) struct Backoff {
    episode: Option<Episode>,
}

struct Episode {
    since: Instant,
    last_failure: Instant,
    pause: Duration,
    failures: u64,
}

/// What follows a failed accept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    AtOnce,
    /// `first` of its episode, so it is worth a word.
    After {
        pause: Duration,
        first: bool,
    },
}

/// An episode that is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Over {
    pub(crate) lasted: Duration,
    pub(crate) failures: u64,
}

impl Backoff {
    pub(crate) fn failed(&mut self, error: &io::Error, now: Instant) -> Next {
        if concerns_one_connection(error) {
            return Next::AtOnce;
        }
        let first = self.episode.is_none();
        let episode = self.episode.get_or_insert(Episode {
            since: now,
            last_failure: now,
            pause: FIRST_PAUSE,
            failures: 0,
        });
        let pause = episode.pause;
        episode.pause = (pause * 2).min(LONGEST_PAUSE);
        episode.last_failure = now;
        episode.failures += 1;
        Next::After { pause, first }
    }

    /// Cheap when all is well: the clock is read only within an episode.
    pub(crate) fn accepted(&mut self, now: impl FnOnce() -> Instant) -> Option<Over> {
        let episode = self.episode.as_mut()?;
        episode.pause = FIRST_PAUSE;
        let now = now();
        if now.duration_since(episode.last_failure) < CALM {
            return None;
        }
        let over = Over { lasted: now.duration_since(episode.since), failures: episode.failures };
        self.episode = None;
        Some(over)
    }
}

/// accept(2), "Error handling": errors of a connection that is already gone are reported by accept, and one should try
/// again as if nothing had come.
pub(crate) fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::TimedOut
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out_of_descriptors() -> io::Error {
        io::Error::from_raw_os_error(24)
    }

    #[test]
    fn a_connection_that_gave_up_costs_no_pause() {
        let error = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(Backoff::default().failed(&error, Instant::now()), Next::AtOnce);
    }

    #[test]
    fn pauses_double_up_to_a_second_and_only_the_first_is_told() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        let pauses: Vec<Next> = (0..9).map(|_| backoff.failed(&out_of_descriptors(), now)).collect();
        let expected: Vec<Next> = [10, 20, 40, 80, 160, 320, 640, 1000, 1000]
            .into_iter()
            .enumerate()
            .map(|(place, millis)| Next::After { pause: Duration::from_millis(millis), first: place == 0 })
            .collect();
        assert_eq!(pauses, expected);
    }

    #[test]
    fn one_lucky_accept_shortens_the_pause_but_does_not_end_the_episode() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        backoff.failed(&out_of_descriptors(), start);
        backoff.failed(&out_of_descriptors(), start);
        assert_eq!(backoff.accepted(|| start + Duration::from_millis(30)), None);
        let again = backoff.failed(&out_of_descriptors(), start + Duration::from_millis(40));
        assert_eq!(again, Next::After { pause: FIRST_PAUSE, first: false });
        let over = backoff.accepted(|| start + Duration::from_secs(2));
        assert_eq!(over, Some(Over { lasted: Duration::from_secs(2), failures: 3 }));
        assert_eq!(backoff.accepted(Instant::now), None);
    }
}

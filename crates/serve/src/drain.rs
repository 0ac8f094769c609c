//! The table of open connections, and the wait until it is empty.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::wait::block_until;

/// Instead of a grace that is longer than the clock can count.
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// The connections of a server that are open, each with what the server keeps about it.
///
/// Shared by clones. Entering and leaving cost a lock, so once per connection and not per request; the count is free.
pub struct Connections<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    places: Mutex<Places<T>>,
    count: AtomicUsize,
    left: Notify,
}

struct Places<T> {
    taken: Vec<Option<Arc<T>>>,
    free: Vec<usize>,
}

impl<T> Connections<T> {
    /// An empty table.
    #[must_use]
    pub fn new() -> Connections<T> {
        let places = Mutex::new(Places { taken: Vec::new(), free: Vec::new() });
        Connections { shared: Arc::new(Shared { places, count: AtomicUsize::new(0), left: Notify::new() }) }
    }

    /// Enters a connection, which stays in the table until what is returned is dropped.
    #[must_use]
    pub fn enter(&self, entry: T) -> Entry<T> {
        let entry = Arc::new(entry);
        let mut places = self.shared.places.lock();
        let place = match places.free.pop() {
            Some(place) => place,
            None => {
                places.taken.push(None);
                places.taken.len() - 1
            }
        };
        places.taken[place] = Some(Arc::clone(&entry));
        self.shared.count.fetch_add(1, Ordering::SeqCst);
        Entry { entry, place, shared: Arc::clone(&self.shared) }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.count.load(Ordering::SeqCst)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Visits every connection. The table is locked meanwhile: nobody enters or leaves, so be quick and do not do so
    /// yourself.
    pub fn for_each(&self, mut visit: impl FnMut(&Arc<T>)) {
        for entry in self.shared.places.lock().taken.iter().flatten() {
            visit(entry);
        }
    }

    /// All connections of this moment, to do something with them that must not hold up the table.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Arc<T>> {
        self.shared.places.lock().taken.iter().flatten().cloned().collect()
    }

    /// Waits until fewer than `most` are open. Needs no particular runtime.
    pub async fn fewer_than(&self, most: usize) {
        loop {
            let mut left = pin!(self.shared.left.notified());
            left.as_mut().enable();
            if self.len() < most {
                return;
            }
            left.await;
        }
    }

    /// Blocks until all connections are closed, or the deadline has come, or `hurry` is ready. Not for async code.
    pub fn wait_empty(&self, deadline: Instant, hurry: impl Future<Output = ()>) -> End {
        let mut empty = pin!(self.fewer_than(1));
        let mut hurry = pin!(hurry);
        let first = std::future::poll_fn(|cx| {
            if empty.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Empty);
            }
            hurry.as_mut().poll(cx).map(|()| End::Hurried)
        });
        block_until(first, deadline).unwrap_or(End::Deadline)
    }

    /// Waits as [`Connections::wait_empty`] does; then has the rest cut, one by one, and gives them `grace` to be gone.
    ///
    /// `cut` tells a connection to end, and must not wait for that.
    pub fn drain(
        &self,
        deadline: Instant,
        hurry: impl Future<Output = ()>,
        grace: Duration,
        mut cut: impl FnMut(&T),
    ) -> Drained {
        let began = Instant::now();
        let end = self.wait_empty(deadline, hurry);
        let waited = began.elapsed();
        if end == End::Empty {
            return Drained { end, waited, cut: 0, stuck: 0 };
        }
        let rest = self.snapshot();
        rest.iter().for_each(|entry| cut(entry));
        let now = Instant::now();
        let gone_by = now.checked_add(grace).unwrap_or(now + LONGEST_GRACE);
        let _ = self.wait_empty(gone_by, std::future::pending());
        Drained { end, waited, cut: rest.len(), stuck: self.len() }
    }
}

impl<T> Clone for Connections<T> {
    fn clone(&self) -> Connections<T> {
        Connections { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Default for Connections<T> {
    fn default() -> Connections<T> {
        Connections::new()
    }
}

impl<T> fmt::Debug for Connections<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// A connection in the table; dropping this takes it out.
pub struct Entry<T> {
    entry: Arc<T>,
    place: usize,
    shared: Arc<Shared<T>>,
}

impl<T> Entry<T> {
    /// What is kept about it, to be shared with those who outlive the entry.
    #[must_use]
    pub fn shared(&self) -> &Arc<T> {
        &self.entry
    }
}

impl<T> Deref for Entry<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.entry
    }
}

impl<T> Drop for Entry<T> {
    fn drop(&mut self) {
        let mut places = self.shared.places.lock();
        let entry = places.taken[self.place].take();
        places.free.push(self.place);
        self.shared.count.fetch_sub(1, Ordering::SeqCst);
        drop(places);
        self.shared.left.notify_waiters();
        drop(entry);
    }
}

impl<T> fmt::Debug for Entry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("place", &self.place).finish_non_exhaustive()
    }
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// By itself: nothing was open any more.
    Empty,
    /// At its deadline.
    Deadline,
    /// Somebody was in a hurry.
    Hurried,
}

/// What a drain came to; its [`fmt::Display`] is a line for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// How it ended.
    pub end: End,
    /// How long it was waited for connections to end by themselves.
    pub waited: Duration,
    /// How many had to be cut.
    pub cut: usize,
    /// How many of those were still there after the grace.
    pub stuck: usize,
}

impl fmt::Display for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Drained { end, waited, cut, stuck } = self;
        match end {
            End::Empty => write!(f, "all connections ended within {waited:.1?}"),
            End::Deadline => write!(f, "{cut} connections were cut at the deadline, after {waited:.1?}"),
            End::Hurried => write!(f, "{cut} connections were cut in a hurry, after {waited:.1?}"),
        }?;
        if *stuck > 0 {
            write!(f, "; {stuck} of them do not end even so")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    fn late() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn an_empty_table_is_drained_at_once() {
        let table = Connections::<()>::new();
        assert_eq!(table.wait_empty(late(), pending()), End::Empty);
    }

    #[test]
    fn places_are_used_again() {
        let table = Connections::new();
        let first = table.enter(1);
        let second = table.enter(2);
        drop(first);
        let third = table.enter(3);
        let mut seen = Vec::new();
        table.for_each(|entry| seen.push(**entry));
        assert_eq!((seen, table.len()), (vec![3, 2], 2));
        drop((second, third));
        assert!(table.is_empty());
    }

    #[test]
    fn the_last_one_to_leave_ends_the_wait() {
        let table = Connections::new();
        let entry = table.enter(());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| table.wait_empty(late(), pending()));
            drop(entry);
            assert!(matches!(waiting.join(), Ok(End::Empty)));
        });
    }

    #[test]
    fn a_grace_longer_than_the_clock_counts_is_no_panic() {
        let table = Connections::new();
        let mut entry = Some(table.enter(()));
        let drained = table.drain(soon(), pending(), Duration::MAX, |()| drop(entry.take()));
        assert_eq!((drained.cut, drained.stuck), (1, 0));
    }

    #[test]
    fn hurry_and_deadline_cut_what_is_left_and_count_it() {
        let table = Connections::new();
        let entries = [table.enter(1), table.enter(2)];
        let mut sum = 0;
        let drained = table.drain(soon(), pending(), Duration::ZERO, |entry| sum += entry);
        assert_eq!((drained.end, drained.cut, drained.stuck, sum), (End::Deadline, 2, 2, 3));
        let drained = table.drain(late(), ready(()), Duration::ZERO, |_| {});
        assert_eq!((drained.end, drained.cut), (End::Hurried, 2));
        drop(entries);
    }
}

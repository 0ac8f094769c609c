//! What the thread of a task, its turns and its listeners share.

use std::sync::Arc;
use std::task::Wake;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::schedule::Schedule;
use crate::turn::Turn;

/// What a task does in each turn.
pub(crate) type Body = Box<dyn FnMut(&Turn) -> anyhow::Result<()> + Send>;

pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Counts the runs, and the ends of runs: a thread of another run than this is to end.
    run: u64,
    schedule: Schedule,
    /// Counts the schedules: a turn says how it went to the one that it began under.
    edition: u64,
    /// Taken by the thread that takes the turns.
    body: Option<Body>,
    /// The threads that have not ended.
    living: usize,
}

impl Shared {
    pub(crate) fn new(schedule: Schedule, body: Body) -> Arc<Shared> {
        let state = State { run: 0, schedule, edition: 0, body: Some(body), living: 0 };
        Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() })
    }

    /// Another schedule, which begins now; or the same one anew.
    pub(crate) fn reschedule(&self, change: impl FnOnce(&Schedule) -> Schedule) {
        let mut state = self.state.lock();
        state.schedule = change(&state.schedule);
        state.edition += 1;
        self.changed.notify_all();
    }

    /// Begins a run: its number, and a place among those who live.
    pub(crate) fn begin(self: &Arc<Shared>) -> (u64, Living) {
        self.reschedule(|schedule| schedule.again(Instant::now()));
        let mut state = self.state.lock();
        state.run += 1;
        state.living += 1;
        (state.run, Living(Arc::clone(self)))
    }

    /// Ends the run, and wakes whatever waits in it.
    pub(crate) fn end(&self) {
        self.state.lock().run += 1;
        self.changed.notify_all();
    }

    pub(crate) fn is_over(&self, run: u64) -> bool {
        self.state.lock().run != run
    }

    /// Says whether the run is over; no later than at the deadline.
    pub(crate) fn wait_for_end(&self, run: u64, deadline: Option<Instant>) -> bool {
        self.wait_until(deadline, |state| state.run != run)
    }

    /// Says whether nobody lives; no later than at the deadline, or once something else is so.
    pub(crate) fn wait_for_death(&self, deadline: Instant, or: impl Fn() -> bool) -> bool {
        self.wait_until(Some(deadline), |state| state.living == 0 || or());
        self.state.lock().living == 0
    }

    /// The body, once a thread that was left behind has put it back; nothing if the run is over first.
    pub(crate) fn take_body(&self, run: u64) -> Option<Body> {
        self.wait_until(None, |state| state.body.is_some() || state.run != run);
        let mut state = self.state.lock();
        if state.run == run { state.body.take() } else { None }
    }

    pub(crate) fn put_back(&self, body: Body) {
        self.state.lock().body = Some(body);
        self.changed.notify_all();
    }

    /// The edition of the schedule by which it is time for a turn; nothing if the run is over.
    pub(crate) fn wait_for_turn(&self, run: u64) -> Option<u64> {
        let mut state = self.state.lock();
        while state.run == run {
            let due = state.schedule.due();
            if due.is_some_and(|due| due <= Instant::now()) {
                return Some(state.edition);
            }
            self.sleep(&mut state, due);
        }
        None
    }

    /// How long it waits now at least, if the turn has failed.
    pub(crate) fn turn_ended(&self, edition: u64, went_well: bool) -> Option<Duration> {
        let mut state = self.state.lock();
        if state.edition == edition {
            state.schedule.ended(went_well, Instant::now());
        }
        state.schedule.pause()
    }

    fn wait_until(&self, deadline: Option<Instant>, is_so: impl Fn(&State) -> bool) -> bool {
        let mut state = self.state.lock();
        while !is_so(&state) {
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return false;
            }
            self.sleep(&mut state, deadline);
        }
        true
    }

    /// Until something changes, or then.
    fn sleep(&self, state: &mut MutexGuard<'_, State>, until: Option<Instant>) {
        match until {
            Some(until) => drop(self.changed.wait_until(state, until)),
            None => self.changed.wait(state),
        }
    }
}

/// As the waker of a future: whoever waits here looks again.
impl Wake for Shared {
    fn wake(self: Arc<Shared>) {
        drop(self.state.lock()); // whoever has looked before this sleeps by now
        self.changed.notify_all();
    }
}

/// A thread that has not ended.
pub(crate) struct Living(Arc<Shared>);

impl Drop for Living {
    fn drop(&mut self) {
        self.0.state.lock().living -= 1;
        self.0.changed.notify_all();
    }
}

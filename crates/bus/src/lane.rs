//! The two threads of a bus: the lane runs listeners one after the other, the keeper watches the time.
//!
//! A listener that overruns its deadline takes its lane with it: the keeper gives both up and starts another lane, which
//! goes on with the next listener. What the lost one may still report is ignored.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::core::{Core, Crew, Shared, Wake};
use crate::failure::{Failure, Reason};
use crate::machine::{CallId, Outcome, Step, Work};
use crate::sync::{MutexGuard, spawn, thread_local};
use crate::timing::TimingOutcome;
use crate::topic::LOG;

thread_local! {
    /// The buses whose listeners this thread is in the midst of, innermost last.
    static INSIDE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Whether this thread runs a listener that the bus at this address is waiting for.
pub(crate) fn is_inside(bus: usize) -> bool {
    INSIDE.with(|inside| inside.borrow().contains(&bus))
}

impl Core {
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(crate) fn is_inside(&self) -> bool {
        is_inside(self.address())
    }

    /// Makes the lane and the keeper, unless they are there: a bus that nobody has asked for anything has no thread, so a
    /// process may still fork.
    pub(crate) fn make_crew(&self, shared: &mut Shared) -> io::Result<()> {
        let Some(core) = self.me.upgrade().filter(|_| shared.crew.is_none() && !shared.ended) else {
            return Ok(());
        };
        let watched = Arc::clone(&core);
        let keeper = spawn(format!("{} keeper", self.name), move || watched.keep())?;
        let first = shared.lane;
        match spawn(format!("{} lane", self.name), move || core.run_lane(first)) {
            Ok(lane) => shared.crew = Some(Crew { lane: Some(lane), keeper: Some(keeper) }),
            Err(error) => return Err(error), // the keeper finds that it has no crew, and ends
        }
        Ok(())
    }

    /// The body of a lane thread. `own` tells this lane from those that replace it.
    fn run_lane(self: Arc<Core>, own: u64) {
        let mut shared = self.lock();
        loop {
            if shared.lane != own {
                return;
            }
            match shared.step(&self) {
                Step::Ended => {
                    self.publish_effects(shared);
                    return self.keeper_wakes.notify_one();
                }
                Step::Idle => {
                    self.publish_effects(shared);
                    shared = self.lock();
                    // Somebody may have asked while the lock was away.
                    if shared.lane == own && !shared.machine.has_work() {
                        shared = self.lane_wakes.wait(shared);
                    }
                }
                Step::Run { id, deadline, work } => {
                    if shared.keeper_until.is_none_or(|until| deadline < until) {
                        self.keeper_wakes.notify_one();
                    }
                    // Effects first: they set up what the listener is told.
                    let wakes = shared.apply_effects(&self.exited);
                    let task = shared.task(&work, self.instant(deadline));
                    drop(shared);
                    wakes.into_iter().for_each(Wake::fire);
                    let began = self.now();
                    let outcome = match task {
                        Some(task) => self.enter(|| task.perform(&self)),
                        None => Outcome::Ok,
                    };
                    shared = self.lock();
                    let took = self.now().saturating_sub(began);
                    shared.report(id, &work, outcome, took);
                }
            }
        }
    }

    fn enter<T>(&self, body: impl FnOnce() -> T) -> T {
        INSIDE.with(|inside| inside.borrow_mut().push(self.address()));
        let result = body(); // does not unwind: whatever is foreign in it is guarded
        INSIDE.with(|inside| inside.borrow_mut().pop());
        result
    }

    /// The body of the keeper thread.
    fn keep(self: Arc<Core>) {
        let mut shared = self.lock();
        while shared.crew.is_some() && !shared.ended {
            let now = self.now();
            if let Some((work, given)) = shared.machine.overdue(now) {
                shared = self.give_up(shared, &work, given);
                continue;
            }
            shared.keeper_until = shared.machine.deadline();
            shared = match shared.keeper_until {
                Some(until) if !self.by_hand => self.keeper_wakes.wait_until(shared, self.instant(until)),
                _ => self.keeper_wakes.wait(shared),
            };
        }
    }

    /// Goes on without the step that the lane is at, on another lane.
    fn give_up<'a>(
        self: &'a Arc<Core>,
        mut shared: MutexGuard<'a, Shared>,
        work: &Work<Failure>,
        given: Duration,
    ) -> MutexGuard<'a, Shared> {
        let failure = shared.overrun(work, given);
        if let Work::Say(_) = work {
            self.log_hung.store(true, Ordering::Relaxed);
            tracing::error!(bus = %self.name, "{failure}; the bus's own lines go to tracing from now on");
        }
        shared.time(work, given, TimingOutcome::Overran);
        shared.machine.give_up(failure);
        shared.lane += 1;
        let own = shared.lane;
        let core = Arc::clone(self);
        match spawn(format!("{} lane", self.name), move || core.run_lane(own)) {
            Ok(lane) => {
                if let Some(crew) = &mut shared.crew {
                    crew.lane = Some(lane); // the old thread is left to the listener that keeps it
                }
            }
            Err(error) => {
                // Better without a keeper than without a lane.
                drop(shared);
                tracing::error!(bus = %self.name, "no thread for another lane ({error}): deadlines are not kept any more");
                Arc::clone(self).run_lane(own);
                shared = self.lock();
            }
        }
        shared
    }

    /// Waits for the lane and the keeper, which end by themselves once the bus has exited.
    pub(crate) fn dismiss_crew(&self) {
        if self.is_inside() {
            return;
        }
        let crew = self.lock().crew.take();
        for thread in crew.into_iter().flat_map(|crew| [crew.lane, crew.keeper]).flatten() {
            let _ = thread.join(); // neither panics
        }
    }
}

impl Shared {
    fn report(&mut self, id: CallId, work: &Work<Failure>, outcome: Outcome<Failure>, took: Duration) {
        let timed = match outcome {
            Outcome::Failed(_) => TimingOutcome::Failed,
            Outcome::Ok | Outcome::Exit(_) => TimingOutcome::Done,
        };
        if self.machine.finished(id, outcome) {
            self.time(work, took, timed);
        }
    }

    fn overrun(&self, work: &Work<Failure>, given: Duration) -> Failure {
        let reason = Reason::Overran(given);
        match (work, &self.round) {
            (Work::Listener { index, .. }, Some(round)) => {
                reason.by(&round.tags()[*index].name, round.channel())
            }
            _ => reason.by(&Arc::from("a log listener"), LOG.name()),
        }
    }
}

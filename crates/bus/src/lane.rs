//! The two threads of a bus: the lane runs listeners one after the other, the keeper watches the time.
//!
//! A listener that overruns its deadline takes its lane with it: the keeper gives both up and starts another lane, which
//! goes on with the next listener. What the lost one may still report is ignored.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::core::Core;
use crate::failure::{Failure, Reason};
use crate::foreign::{Foreign, quietly};
use crate::machine::{CallId, Outcome, Step, Tick, Work};
use crate::message::Level;
use crate::shared::{Crew, Shared};
use crate::sync::{MutexGuard, spawn, thread_local};
use crate::timing::TimingOutcome;
use crate::topic::{LOG, STATE};

thread_local! {
    /// The address of the bus of which this thread is a lane, if it is one, and which lane.
    static INSIDE: Cell<Option<(usize, u64)>> = const { Cell::new(None) };
}

/// Whether this thread is a lane of the bus at this address: it runs its listeners, and the wakers and destructors
/// between them. To wait for the bus there would be to wait for oneself.
pub(crate) fn is_inside(bus: usize) -> bool {
    INSIDE.with(Cell::get).is_some_and(|(of, _)| of == bus)
}

impl Core {
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(crate) fn is_inside(&self) -> bool {
        is_inside(self.address())
    }

    /// Who runs on this thread while the bus can do nothing but wait for them: here no state comes, however long one waits.
    /// Nobody on any other thread, and nobody who was given up: for those the bus goes on.
    pub(crate) fn caught(&self) -> Option<Arc<str>> {
        let lane = INSIDE.with(Cell::get).filter(|(bus, _)| *bus == self.address())?.1;
        let shared = self.lock();
        if lane != shared.lane {
            return None;
        }
        if self.is_logging() {
            return Some(self.log_watch.listener());
        }
        let name = match (shared.machine.work(), &shared.round) {
            (Some(Work::Listener { index, .. }), Some(round)) => Some(Arc::clone(&round.tags()[*index].name)),
            _ => shared.aside_by.clone(),
        };
        Some(name.unwrap_or_else(|| Arc::from("a waker or a destructor")))
    }

    /// Makes the lane and the keeper, unless they are there: a bus that nobody has asked for anything has no thread, so a
    /// process may still fork.
    pub(crate) fn make_crew(&self, shared: &mut Shared) -> io::Result<()> {
        let Some(core) = self.me.upgrade().filter(|_| shared.crew.is_none() && !shared.ended) else {
            return Ok(());
        };
        let (watched, first) = (Arc::clone(&core), shared.lane);
        let lane = spawn(format!("{} lane", self.name), move || core.run_lane(first))?;
        match spawn(format!("{} keeper", self.name), move || watched.keep()) {
            Ok(keeper) => shared.crew = Some(Crew { lane: Some(lane), keeper: Some(keeper) }),
            Err(error) => {
                shared.lane += 1; // that lane finds that it is not wanted, and ends
                return Err(error);
            }
        }
        Ok(())
    }

    /// The body of a lane thread. `own` tells this lane from those that replace it.
    fn run_lane(self: Arc<Core>, own: u64) {
        INSIDE.with(|inside| inside.set(Some((self.address(), own))));
        let mut shared = self.lock();
        while shared.lane == own {
            if let Some(foreign) = shared.foreign.pop_front() {
                let listener = foreign.listener();
                shared = self.run_aside(shared, own, listener, || foreign.run());
                continue;
            }
            match shared.step(&self) {
                Step::Tell => {
                    let foreign = shared.apply_effects(&self);
                    shared.foreign.extend(foreign);
                }
                Step::Ended => {
                    shared.tidy();
                    if !shared.foreign.is_empty() {
                        continue;
                    }
                    if !std::mem::take(&mut shared.orphaned) {
                        return self.end_lane(shared);
                    }
                    shared = self.run_aside(shared, own, None, || self.forget_all());
                }
                Step::Idle => {
                    shared.tidy();
                    if shared.foreign.is_empty() {
                        shared = self.lane_wakes.wait(shared);
                    }
                }
                Step::Run { id, deadline, work } => match self.run_step(shared, id, deadline, work) {
                    Some(guard) => shared = guard,
                    None => return,
                },
            }
        }
    }

    /// Does one step. Nothing if this lane was given up meanwhile: then whatever is dropped here is foreign, and no lock is
    /// held.
    fn run_step<'a>(
        &'a self,
        shared: MutexGuard<'a, Shared>,
        id: CallId,
        deadline: Tick,
        work: Work<Failure>,
    ) -> Option<MutexGuard<'a, Shared>> {
        if shared.keeper_until.is_none_or(|until| deadline < until) {
            self.keeper_wakes.notify_one();
        }
        let task = shared.task(&work, self.instant(deadline));
        drop(shared);
        let began = self.now();
        let outcome = task.map_or(Outcome::Ok, |task| task.perform(self));
        let mut shared = self.lock();
        let took = self.now().saturating_sub(began);
        let late = shared.report(id, &work, outcome, took);
        if late.is_some() {
            drop(shared);
            quietly(|| drop((late, work)));
            return None;
        }
        Some(shared)
    }

    /// Runs foreign code between two listeners, within a time that the keeper watches.
    fn run_aside<'a>(
        &'a self,
        mut shared: MutexGuard<'a, Shared>,
        own: u64,
        listener: Option<Arc<str>>,
        body: impl FnOnce(),
    ) -> MutexGuard<'a, Shared> {
        let until = self.now().saturating_add(self.limits.log);
        shared.aside = Some(until);
        shared.aside_by = listener;
        if shared.keeper_until.is_none_or(|known| until < known) {
            self.keeper_wakes.notify_one();
        }
        drop(shared);
        body();
        shared = self.lock();
        if shared.lane == own {
            shared.aside = None;
        }
        shared
    }

    /// The last thing that the last lane does.
    fn end_lane(&self, mut shared: MutexGuard<'_, Shared>) {
        shared.over = true;
        self.keeper_wakes.notify_one();
        drop(shared);
        self.lane_over.set(());
    }

    /// The body of the keeper thread. No foreign code runs on it.
    fn keep(self: Arc<Core>) {
        let mut shared = self.lock();
        while !shared.over {
            let now = self.now();
            if let Some((work, given)) = shared.machine.overdue(now) {
                self.give_up(&mut shared, &work, given);
                shared = self.replace_lane(shared);
                continue;
            }
            if shared.aside.take_if(|until| *until <= now).is_some() {
                if let Some(listener) = shared.aside_by.take() {
                    let failure = Reason::Overran(self.limits.log).by(&listener, STATE.name());
                    shared.foreign.push_front(self.report_later(failure));
                }
                shared = self.replace_lane(shared);
                continue;
            }
            shared.keeper_until = [shared.machine.deadline(), shared.aside].into_iter().flatten().min();
            shared = match shared.keeper_until {
                Some(until) if !self.by_hand => self.keeper_wakes.wait_until(shared, self.instant(until)),
                _ => self.keeper_wakes.wait(shared),
            };
        }
    }

    /// Goes on without the step that the lane is at.
    fn give_up(&self, shared: &mut Shared, work: &Work<Failure>, given: Duration) {
        let failure = self.overrun(shared, work, given);
        if let Work::Say(_) = work {
            self.log_watch.hangs(failure.clone());
        }
        shared.time(work, given, TimingOutcome::Overran);
        shared.machine.give_up(failure);
    }

    /// Makes another lane; the old thread is left to whatever keeps it.
    fn replace_lane<'a>(self: &'a Arc<Core>, mut shared: MutexGuard<'a, Shared>) -> MutexGuard<'a, Shared> {
        shared.lane += 1;
        let own = shared.lane;
        let core = Arc::clone(self);
        let lane = spawn(format!("{} lane", self.name), move || core.run_lane(own));
        let failed = lane.is_err();
        if let Some(crew) = &mut shared.crew {
            crew.lane = lane.ok();
        }
        if failed {
            // Better without a keeper than without a lane: deadlines are not kept any more.
            drop(shared);
            Arc::clone(self).run_lane(own);
            shared = self.lock();
        }
        shared
    }

    /// Waits for the lane and the keeper, which end by themselves once the bus has exited.
    pub(crate) fn dismiss_crew(&self) {
        if self.lock().crew.is_none() {
            return;
        }
        let limit = self.limits.join;
        if self.lane_over.wait(Instant::now().checked_add(limit)).is_none() {
            let line = format!(
                "the lane was left behind {limit:?} after the last listener: a waker or a destructor hangs"
            );
            return self.log_in_time(Level::Error, line);
        }
        let Some(crew) = self.lock().crew.take() else { return };
        for thread in [crew.lane, crew.keeper].into_iter().flatten() {
            let _ = thread.join(); // neither panics
        }
    }

    fn overrun(&self, shared: &Shared, work: &Work<Failure>, given: Duration) -> Failure {
        let reason = Reason::Overran(given);
        match (work, &shared.round) {
            (Work::Listener { index, .. }, Some(round)) => {
                reason.by(&round.tags()[*index].name, round.channel())
            }
            _ => reason.by(&self.log_watch.listener(), LOG.name()),
        }
    }
}

impl Shared {
    /// Notes how a step ended. Gives the outcome back if it comes too late: it is to be dropped with no lock held.
    fn report(
        &mut self,
        id: CallId,
        work: &Work<Failure>,
        outcome: Outcome<Failure>,
        took: Duration,
    ) -> Option<Outcome<Failure>> {
        let timed = match outcome {
            Outcome::Failed(_) => TimingOutcome::Failed,
            Outcome::Ok | Outcome::Exit(_) => TimingOutcome::Done,
        };
        if !self.machine.finished(id, outcome.clone()) {
            return Some(outcome);
        }
        if let Outcome::Failed(failure) = outcome {
            self.garbage.push(Foreign::forget(failure));
        }
        self.time(work, took, timed);
        None
    }
}

//! The life of a process as a pure function of state and event.
//!
//! Nothing here blocks, calls a listener, reads a clock or knows what a channel is. The shell asks it for the next step,
//! does that step with no lock held, and tells it how the step ended; whatever the outside must learn leaves as an
//! [`Effect`]. So the same code runs in the shipped bus, in the exhaustive model and under the model checker.

mod job;
#[cfg(test)]
mod model;
mod request;

use std::collections::VecDeque;
use std::time::Duration;

pub(crate) use self::job::{Entry, Outcome, Phase};
pub(crate) use self::request::{Answer, Ask, Effect, TicketId};

use self::job::{Call, Job};
use self::request::{ExitAsked, Request};
use crate::exit::Exit;
use crate::limits::Limits;
use crate::state::State;

/// Time since the bus was made.
pub(crate) type Tick = Duration;

/// Names one step of the lane, so that a late report is known as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CallId(u64);

/// A group of subscriptions that start and stop together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PluginId(pub(crate) u64);

/// What the lane has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step<F> {
    /// Do this, and report.
    Run { id: CallId, deadline: Tick, work: Work<F> },
    /// Tell the outside what has happened, and come back: what that sets off must not count against a listener's time.
    Tell,
    /// Nothing, until somebody asks.
    Idle,
    /// Nothing, ever again.
    Ended,
}

/// One step of the lane. All of them run foreign code, so all of them have a deadline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work<F> {
    /// Call the listener at this place of the plan.
    Listener { phase: Phase, index: usize },
    /// Write a line to the log.
    Say(Say<F>),
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Say<F> {
    /// The bus has entered a state.
    Entered(State),
    /// The last exit listener is through.
    Exited,
    /// A reload begins.
    Graceful,
    /// A reload has ended: taken up, or refused.
    Reloaded(bool),
    /// A restart is asked for, and everybody looks whether that is wise.
    Restart(Exit),
    /// It was refused.
    NotRestarted,
    /// A listener failed.
    Failed(F),
    /// A start failed, so the bus exits.
    StartFailed,
}

/// What the lane does before the next listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Errand<F> {
    Say(Say<F>),
    Answer(Vec<TicketId>, Answer<F>),
    Exited(Exit),
}

/// What the machine must know of a failure: who failed, for the cause of an exit.
pub(crate) trait Report: Clone {
    fn listener(&self) -> &str;
}

/// The machine. `F` is what a failure is: a report in the shipped bus, next to nothing in the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Machine<F> {
    limits: Limits,
    state: State,
    job: Option<Job<F>>,
    call: Option<Call<F>>,
    calls: u64,
    errands: VecDeque<Errand<F>>,
    queue: VecDeque<Request>,
    exit: Option<ExitAsked<F>>,
    exited: bool,
    /// Plugins of which a start listener began since the last start.
    began: Vec<PluginId>,
    /// Whether the stop listeners have run since the last start.
    stopped: bool,
    effects: Vec<Effect<F>>,
}

impl<F: Report> Machine<F> {
    pub(crate) fn new(limits: Limits) -> Machine<F> {
        Machine {
            limits,
            state: State::Stopped,
            job: None,
            call: None,
            calls: 0,
            errands: VecDeque::new(),
            queue: VecDeque::new(),
            exit: None,
            exited: false,
            began: Vec::new(),
            stopped: false,
            effects: Vec::new(),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// The exit that was asked for, if one was.
    pub(crate) fn exit(&self) -> Option<&Exit> {
        self.exit.as_ref().map(|asked| &asked.exit)
    }

    /// What happened since this was last asked, in order.
    pub(crate) fn effects(&mut self) -> Vec<Effect<F>> {
        std::mem::take(&mut self.effects)
    }

    /// The step that the lane is at.
    pub(crate) fn work(&self) -> Option<&Work<F>> {
        self.call.as_ref().map(|call| &call.work)
    }

    /// The restart that is being looked at.
    pub(crate) fn restart(&self) -> Option<&Exit> {
        self.job.as_ref().and_then(|job| job.restart.as_ref())
    }

    /// When the step that the lane is at must be over.
    pub(crate) fn deadline(&self) -> Option<Tick> {
        self.call.as_ref().map(|call| call.deadline)
    }

    /// The lane is free: what is next? `plan` lists the listeners of a phase, in the order in which they are to run.
    pub(crate) fn step(&mut self, now: Tick, mut plan: impl FnMut(Phase) -> Vec<Entry>) -> Step<F> {
        debug_assert!(self.call.is_none(), "the lane does one thing at a time");
        loop {
            if !self.effects.is_empty() {
                return Step::Tell;
            }
            match self.errands.pop_front() {
                Some(Errand::Say(say)) => {
                    return self.call(now.saturating_add(self.limits.log), now, Work::Say(say));
                }
                Some(Errand::Answer(tickets, answer)) => {
                    self.answer(tickets, &answer);
                    continue;
                }
                Some(Errand::Exited(exit)) => {
                    self.effects.push(Effect::Exited(exit));
                    continue;
                }
                None if self.exited => return Step::Ended,
                None => {}
            }
            if self.hurries_the_rest(now) {
                continue;
            }
            if let Some(next) = self.next_listener(now) {
                let (deadline, work) = next;
                return self.call(deadline, now, work);
            }
            if let Some(job) = self.job.take() {
                self.finish(job, now);
            } else if !self.begin_next(now, &mut plan) {
                return Step::Idle;
            }
        }
    }

    /// The lane has done the step `id`. False if the step had been given up before: then nothing changes.
    pub(crate) fn finished(&mut self, id: CallId, outcome: Outcome<F>) -> bool {
        let Some(call) = self.call.take_if(|call| call.id == id) else { return false };
        if let Work::Listener { .. } = call.work {
            self.listener_done(outcome);
        }
        true
    }

    /// The step that the lane is at has run out of time: what it was, and how long it was given. The caller follows with
    /// [`Machine::give_up`].
    pub(crate) fn overdue(&self, now: Tick) -> Option<(Work<F>, Duration)> {
        let call = self.call.as_ref().filter(|call| call.deadline <= now)?;
        Some((call.work.clone(), call.deadline.saturating_sub(call.began)))
    }

    /// Goes on without the step that the lane is at; `failure` is the report about it.
    pub(crate) fn give_up(&mut self, failure: F) {
        let Some(call) = self.call.take() else { return };
        if let Work::Listener { .. } = call.work {
            self.listener_done(Outcome::Failed(failure));
        }
    }

    fn call(&mut self, deadline: Tick, now: Tick, work: Work<F>) -> Step<F> {
        let id = CallId(self.calls);
        self.calls += 1;
        self.call = Some(Call { id, began: now, deadline, work: work.clone() });
        Step::Run { id, deadline, work }
    }

    fn say(&mut self, say: Say<F>) {
        self.errands.push_back(Errand::Say(say));
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.effects.push(Effect::Entered(state));
        self.say(Say::Entered(state));
    }

    fn answer(&mut self, tickets: Vec<TicketId>, answer: &Answer<F>) {
        self.effects.extend(tickets.into_iter().map(|ticket| Effect::Answered(ticket, answer.clone())));
    }
}

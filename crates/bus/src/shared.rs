//! What the lock of a bus protects, and what the machine's effects do to it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::core::Core;
use crate::failure::{Error, Failure, Failures};
use crate::foreign::Foreign;
use crate::latch::{Flag, Latch};
use crate::limits::Limits;
use crate::machine::{Answer, Effect, Machine, Phase, Step, Tick, TicketId, Work};
use crate::message::{Exiting, Graceful, HandedOn, Offers, Restarting, SettingsMap, Start, Stop};
use crate::round::{Message, Round, Task};
use crate::sync::JoinHandle;
use crate::ticket::Done;
use crate::timing::{Timing, TimingOutcome};
use crate::wait::Waiters;

pub(crate) struct Shared {
    pub(crate) machine: Machine<Failure>,
    /// The lane that may report; those before it were given up.
    pub(crate) lane: u64,
    /// The lane and the keeper, once there are any.
    pub(crate) crew: Option<Crew>,
    /// The machine has ended.
    pub(crate) ended: bool,
    /// The last lane is about to end, and so does the keeper.
    pub(crate) over: bool,
    /// When the keeper will look again by itself.
    pub(crate) keeper_until: Option<Tick>,
    /// What the lane runs between listeners, one at a time: one that hangs takes only its own lane with it.
    pub(crate) foreign: VecDeque<Foreign>,
    /// Until when the lane may be at one of them.
    pub(crate) aside: Option<Tick>,
    /// Which listener that is, if it is one.
    pub(crate) aside_by: Option<Arc<str>>,
    /// The owner was dropped on the lane: the lane forgets the listeners when it ends.
    pub(crate) orphaned: bool,
    pub(crate) round: Option<Round>,
    /// What is dropped once the machine is at rest: until then it holds failures too, and drops them under the lock.
    pub(crate) garbage: Vec<Foreign>,
    pub(crate) waiters: Waiters,
    pub(crate) timings: Vec<Timing>,
    pub(crate) last_graceful: Option<Result<(), Error>>,
    /// What exit listeners leave to the restarter.
    pub(crate) handed_on: HandedOn,
    tickets: HashMap<TicketId, Latch<Result<Done, Error>>>,
    next_ticket: u64,
    settings: HashMap<TicketId, SettingsMap>,
    current: Offers,
    cancelled: Flag,
    hurry: Flag,
}

pub(crate) struct Crew {
    pub(crate) lane: Option<JoinHandle>,
    pub(crate) keeper: Option<JoinHandle>,
}

impl Shared {
    pub(crate) fn new(limits: Limits) -> Shared {
        Shared {
            machine: Machine::new(limits),
            lane: 0,
            crew: None,
            ended: false,
            over: false,
            keeper_until: None,
            foreign: VecDeque::new(),
            aside: None,
            aside_by: None,
            orphaned: false,
            round: None,
            garbage: Vec::new(),
            waiters: Waiters::default(),
            timings: Vec::new(),
            last_graceful: None,
            handed_on: HandedOn::default(),
            tickets: HashMap::new(),
            next_ticket: 0,
            settings: HashMap::new(),
            current: Offers::default(),
            cancelled: Flag::new(),
            hurry: Flag::new(),
        }
    }

    /// Takes a request in: its answer will be put into `latch`.
    pub(crate) fn admit(&mut self, latch: Latch<Result<Done, Error>>, settings: SettingsMap) -> TicketId {
        let id = TicketId(self.next_ticket);
        self.next_ticket += 1;
        self.tickets.insert(id, latch);
        if !settings.is_empty() {
            self.settings.insert(id, settings);
        }
        id
    }

    /// The lane's next step, with everything that it needs to do it without the lock.
    pub(crate) fn step(&mut self, core: &Core) -> Step<Failure> {
        let Shared { machine, round, garbage, .. } = self;
        machine.step(core.now(), |phase| {
            let new = Round::of(phase, &core.channels);
            let plan = new.plan(&core.channels);
            garbage.extend(round.replace(new).map(Foreign::forget));
            plan
        })
    }

    pub(crate) fn task(&self, work: &Work<Failure>, deadline: Instant) -> Option<Task> {
        let (phase, index) = match work {
            Work::Say(say) => return Some(Task::Say(say.clone())),
            Work::Listener { phase, index } => (*phase, *index),
        };
        let (cancelled, hurry) = (self.cancelled.clone(), self.hurry.clone());
        let message = match phase {
            Phase::Start => Message::Start(Start { deadline, cancelled }),
            Phase::Stop => Message::Stop(Stop { deadline, hurry, exit: self.machine.exit().cloned() }),
            Phase::Exit => {
                let (exit, handed_on) = (self.machine.exit()?.clone(), self.handed_on.clone());
                Message::Exit(Exiting { deadline, hurry, exit, handed_on })
            }
            Phase::Look => {
                let exit = self.machine.restart()?.clone();
                Message::Look(Restarting { deadline, cancelled, exit })
            }
            Phase::Prepare => {
                Message::Prepare(Graceful { deadline, cancelled, settings: self.current.clone() })
            }
            Phase::Commit => Message::Commit,
            Phase::Abort => Message::Abort,
        };
        Some(Task::Call(self.round.clone()?, index, message))
    }

    pub(crate) fn time(&mut self, work: &Work<Failure>, took: Duration, outcome: TimingOutcome) {
        let (Work::Listener { phase, index }, Some(round)) = (work, &self.round) else { return };
        let listener = Arc::clone(&round.tags()[*index].name);
        self.timings.push(Timing { step: phase.name(), listener, took, outcome });
    }

    /// Answers and wakes whom the machine has something to say to, but for the foreign code that is part of it.
    #[must_use = "these futures would never be woken"]
    pub(crate) fn apply_effects(&mut self, core: &Core) -> Vec<Foreign> {
        let mut foreign = Vec::new();
        for effect in self.machine.effects() {
            match effect {
                Effect::Entered(state) => {
                    self.waiters.entered(state, &mut foreign);
                    core.announce(state, &mut foreign);
                }
                Effect::Began { phase, settings } => self.began(phase, settings),
                Effect::Reloaded(answer) => {
                    let old = self.last_graceful.replace(spell(answer).map(drop));
                    self.garbage.push(Foreign::forget(old));
                }
                Effect::Answered(ticket, answer) => {
                    if let Some(unused) = self.settings.remove(&ticket) {
                        foreign.push(Foreign::forget(unused));
                    }
                    if let Some(latch) = self.tickets.remove(&ticket) {
                        foreign.extend(latch.put(spell(answer)));
                    }
                }
                Effect::Cancel => foreign.extend(self.cancelled.raise()),
                Effect::Hurry => foreign.extend(self.hurry.raise()),
                Effect::Exited(exit) => {
                    self.ended = true;
                    self.waiters.exited(&exit, &mut foreign);
                    foreign.extend(core.exited.put(exit));
                }
            }
        }
        foreign
    }

    fn began(&mut self, phase: Phase, settings: Option<TicketId>) {
        if matches!(phase, Phase::Commit | Phase::Abort) {
            return;
        }
        let of_reload = [Phase::Prepare, Phase::Commit, Phase::Abort].map(Phase::name);
        let renewed = if phase == Phase::Prepare { &of_reload[..] } else { &[phase.name()] };
        self.timings.retain(|timing| !renewed.contains(&timing.step));
        self.cancelled = Flag::new();
        self.hurry = Flag::new();
        if self.machine.hurried() {
            drop(self.hurry.raise()); // nobody can wait for it yet
        }
        let new = settings.and_then(|ticket| self.settings.remove(&ticket)).unwrap_or_default();
        self.garbage.push(Foreign::forget(std::mem::replace(&mut self.current, Offers::of(new))));
    }

    /// Hands the lane everything foreign that a machine at rest has left over.
    pub(crate) fn tidy(&mut self) {
        if let Some(round) = self.round.take() {
            self.garbage.push(Foreign::forget(round));
            self.garbage.push(Foreign::forget(std::mem::take(&mut self.current)));
        }
        self.foreign.extend(self.garbage.drain(..));
    }
}

/// The machine's answer in the words of the public interface.
fn spell(answer: Answer<Failure>) -> Result<Done, Error> {
    match answer {
        Answer::Done => Ok(Done::Done),
        Answer::Failed(asked, failures) => Failures::gather(failures)
            .map_or(Ok(Done::Done), |failures| Err(Error::Failed { asked, failures })),
        Answer::Vetoed(asked, failures) => Failures::gather(failures)
            .map_or(Ok(Done::Done), |failures| Err(Error::Vetoed { asked, failures })),
        Answer::Refused(asked, exit) => Err(Error::Refused { asked, exit }),
        Answer::Interrupted(asked, exit) => Err(Error::Interrupted { asked, exit }),
    }
}

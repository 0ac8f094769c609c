//! What all handles of one bus share, and how the machine's effects reach the outside.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::channel::Channel;
use crate::clock::Clock;
use crate::exit::Exit;
use crate::failure::{Error, Failure, Failures};
use crate::foreign::{Foreign, quietly};
use crate::latch::{Flag, Latch};
use crate::limits::Limits;
use crate::machine::{Answer, Ask, Effect, Machine, Phase, Step, Tick, TicketId, Work};
use crate::message::{Commit, Exiting, Graceful, Record, Settings, Start, Stop};
use crate::registry::Registry;
use crate::restart::Restarter;
use crate::round::{Message, Round, Task};
use crate::sync::{AtomicBool, Condvar, JoinHandle, Mutex, MutexGuard};
use crate::threads::Threads;
use crate::ticket::{Done, Ticket};
use crate::timing::{Timing, TimingOutcome};
use crate::topic::{EXIT, GRACEFUL, LOG, START, STOP, Topic};
use crate::wait::Waiters;

pub(crate) struct Core {
    pub(crate) name: Arc<str>,
    pub(crate) me: Weak<Core>,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) by_hand: bool,
    epoch: Instant,
    pub(crate) registry: Registry,
    pub(crate) channels: BuiltIn,
    shared: Mutex<Shared>,
    pub(crate) lane_wakes: Condvar,
    pub(crate) keeper_wakes: Condvar,
    pub(crate) exited: Latch<Exit>,
    pub(crate) threads: Threads,
    /// Somebody has begun to join the threads and to restart.
    pub(crate) concluding: AtomicBool,
    /// How that ended.
    pub(crate) concluded: Latch<Exit>,
    pub(crate) restarter: Mutex<Option<Restarter>>,
    /// The owner is gone.
    forgetful: AtomicBool,
    /// The log listener that the lane is at.
    pub(crate) log_at: Mutex<Option<Arc<str>>>,
    /// A log listener has hung once on the lane: from then on the bus's own lines go to `tracing` only.
    pub(crate) log_hung: AtomicBool,
    /// The report about that, until it is written.
    pub(crate) log_report: Mutex<Option<Failure>>,
    /// Set as the very last thing that the lane does.
    pub(crate) lane_over: Latch<()>,
    next_plugin: AtomicU64,
}

/// The channels that every bus has.
pub(crate) struct BuiltIn {
    pub(crate) start: Channel<Start>,
    pub(crate) stop: Channel<Stop>,
    pub(crate) exit: Channel<Exiting>,
    pub(crate) graceful: Channel<Graceful, Commit>,
    pub(crate) log: Channel<Record>,
}

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
    /// The owner was dropped on the lane: the lane forgets the listeners when it ends.
    pub(crate) orphaned: bool,
    pub(crate) round: Option<Round>,
    /// What is dropped once the machine is at rest: until then it holds failures too, and drops them under the lock.
    pub(crate) garbage: Vec<Foreign>,
    pub(crate) waiters: Waiters,
    pub(crate) timings: Vec<Timing>,
    pub(crate) last_graceful: Option<Result<(), Error>>,
    tickets: HashMap<TicketId, Latch<Result<Done, Error>>>,
    next_ticket: u64,
    settings: HashMap<TicketId, Settings>,
    current: Settings,
    cancelled: Flag,
    hurry: Flag,
}

pub(crate) struct Crew {
    pub(crate) lane: Option<JoinHandle>,
    pub(crate) keeper: Option<JoinHandle>,
}

impl Core {
    pub(crate) fn new(name: Arc<str>, limits: Limits, clock: Arc<dyn Clock>) -> Arc<Core> {
        Arc::new_cyclic(|me: &Weak<Core>| {
            let registry = Registry::default();
            let channels = BuiltIn::of(&registry, me);
            let keeper = Weak::clone(me);
            let by_hand = clock.moves_by_hand(Arc::new(move || {
                let Some(core) = keeper.upgrade() else { return };
                let shared = core.lock();
                // As a clock that runs would do it: so that a keeper that should have been told of a deadline, and was not,
                // misses it under a test's clock too.
                if shared.keeper_until.is_some_and(|until| until <= core.now()) {
                    core.keeper_wakes.notify_one();
                }
            }));
            Core {
                name,
                me: Weak::clone(me),
                limits,
                epoch: clock.now(),
                clock,
                by_hand,
                registry,
                channels,
                shared: Mutex::new(Shared::new(limits)),
                lane_wakes: Condvar::default(),
                keeper_wakes: Condvar::default(),
                exited: Latch::new(),
                threads: Threads::default(),
                concluding: AtomicBool::new(false),
                concluded: Latch::new(),
                restarter: Mutex::new(None),
                forgetful: AtomicBool::new(false),
                log_at: Mutex::new(None),
                log_hung: AtomicBool::new(false),
                log_report: Mutex::new(None),
                lane_over: Latch::new(),
                next_plugin: AtomicU64::new(0),
            }
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock()
    }

    /// Takes what the machine has to say, lets go of the lock, and wakes whom it concerns.
    pub(crate) fn publish_effects(&self, mut shared: MutexGuard<'_, Shared>) {
        let foreign = shared.apply_effects(&self.exited);
        drop(shared);
        foreign.into_iter().for_each(Foreign::run);
    }

    pub(crate) fn now(&self) -> Tick {
        self.clock.now().saturating_duration_since(self.epoch)
    }

    pub(crate) fn instant(&self, tick: Tick) -> Instant {
        const ENDLESS: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        self.epoch + tick.min(ENDLESS)
    }

    pub(crate) fn next_plugin(&self) -> u64 {
        self.next_plugin.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn ask_exit(&self, exit: Exit) -> Ticket {
        let inside = self.is_inside();
        self.ask(Ask::Exit { exit, inside }, Settings::new())
    }

    pub(crate) fn ask(&self, ask: Ask, settings: Settings) -> Ticket {
        let mut shared = self.lock();
        let latch = Latch::new();
        let ticket = Ticket::new(self.address(), latch.clone());
        if let Err(error) = self.make_crew(&mut shared) {
            drop(shared);
            latch.set(Err(Error::NoThread(Arc::new(error))));
            return ticket;
        }
        let id = TicketId(shared.next_ticket);
        shared.next_ticket += 1;
        shared.tickets.insert(id, latch);
        if !settings.is_empty() {
            shared.settings.insert(id, settings);
        }
        let may_hurry = matches!(ask, Ask::Exit { .. });
        shared.machine.ask(ask, id, self.now());
        if may_hurry {
            self.keeper_wakes.notify_one(); // a deadline may have come nearer
        }
        self.lane_wakes.notify_one();
        self.publish_effects(shared);
        ticket
    }

    /// Forgets everything that may hold a handle to this bus, and so keep it alive, now and for later.
    pub(crate) fn forget_all(&self) {
        self.forgetful.store(true, Ordering::SeqCst);
        self.registry.close();
        self.forget_late();
        let last_graceful = self.lock().last_graceful.take();
        quietly(|| drop(last_graceful));
    }

    /// Whoever brings a restarter or a thread after the end of the bus calls this when it is there.
    pub(crate) fn forget_late(&self) {
        if self.forgetful.load(Ordering::SeqCst) {
            let restarter = self.restarter.lock().take();
            quietly(|| drop(restarter));
            self.threads.forget();
        }
    }

    pub(crate) fn hurry(&self) {
        let mut shared = self.lock();
        shared.machine.hurry(self.now());
        self.keeper_wakes.notify_one(); // a deadline may have come nearer
        self.publish_effects(shared);
    }
}

impl BuiltIn {
    fn of(registry: &Registry, bus: &Weak<Core>) -> BuiltIn {
        fn on<M: 'static, O: 'static>(
            registry: &Registry,
            topic: Topic<M, O>,
            bus: &Weak<Core>,
        ) -> Channel<M, O> {
            let name = topic.name();
            registry.on(topic, bus).unwrap_or_else(|_| Channel::new(name, Weak::clone(bus), false))
        }
        BuiltIn {
            start: on(registry, START, bus),
            stop: on(registry, STOP, bus),
            exit: on(registry, EXIT, bus),
            graceful: on(registry, GRACEFUL, bus),
            log: on(registry, LOG, bus),
        }
    }
}

impl Shared {
    fn new(limits: Limits) -> Shared {
        Shared {
            machine: Machine::new(limits),
            lane: 0,
            crew: None,
            ended: false,
            over: false,
            keeper_until: None,
            foreign: VecDeque::new(),
            aside: None,
            orphaned: false,
            round: None,
            garbage: Vec::new(),
            waiters: Waiters::default(),
            timings: Vec::new(),
            last_graceful: None,
            tickets: HashMap::new(),
            next_ticket: 0,
            settings: HashMap::new(),
            current: Settings::new(),
            cancelled: Flag::new(),
            hurry: Flag::new(),
        }
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
            Phase::Stop => Message::Stop(Stop { deadline, hurry, for_exit: self.machine.exit().is_some() }),
            Phase::Exit => Message::Exit(Exiting { deadline, hurry, exit: self.machine.exit()?.clone() }),
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
    pub(crate) fn apply_effects(&mut self, exited: &Latch<Exit>) -> Vec<Foreign> {
        let mut foreign = Vec::new();
        for effect in self.machine.effects() {
            match effect {
                Effect::Entered(state) => self.waiters.entered(state, &mut foreign),
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
                    foreign.extend(exited.put(exit));
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
        self.garbage.push(Foreign::forget(std::mem::replace(&mut self.current, new)));
    }

    /// Hands the lane everything foreign that a machine at rest has left over.
    pub(crate) fn tidy(&mut self, exited: &Latch<Exit>) {
        let foreign = self.apply_effects(exited);
        self.foreign.extend(foreign);
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
        Answer::Vetoed(failures) => {
            Failures::gather(failures).map_or(Ok(Done::Done), |failures| Err(Error::Vetoed(failures)))
        }
        Answer::Refused(asked, exit) => Err(Error::Refused { asked, exit }),
        Answer::Interrupted(asked, exit) => Err(Error::Interrupted { asked, exit }),
    }
}

//! What all handles of one bus share, and how the machine's effects reach the outside.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::channel::Channel;
use crate::clock::Clock;
use crate::exit::Exit;
use crate::failure::{Error, Failure, Failures};
use crate::foreign::quietly;
use crate::latch::{Flag, Latch};
use crate::limits::Limits;
use crate::machine::{Answer, Ask, Effect, Machine, Phase, Step, Tick, TicketId, Work};
use crate::message::{Commit, Exiting, Graceful, Record, Settings, Start, Stop};
use crate::registry::Registry;
use crate::restart::Restarter;
use crate::round::{Message, Round, Task};
use crate::state::State;
use crate::sync::{Condvar, JoinHandle, Mutex, MutexGuard};
use crate::threads::Threads;
use crate::ticket::{Done, Ticket};
use crate::timing::{Timing, TimingOutcome};
use crate::topic::{EXIT, GRACEFUL, LOG, START, STOP, Topic};
use crate::wait::{WaitError, Waiters};

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
    /// The machine has ended, and so do the lane and the keeper.
    pub(crate) ended: bool,
    /// When the keeper will look again by itself.
    pub(crate) keeper_until: Option<Tick>,
    /// Until when the lane may be at wakers and destructors, between listeners.
    pub(crate) aside: Option<Tick>,
    /// The owner was dropped on the lane: the lane forgets the listeners when it ends.
    pub(crate) orphaned: bool,
    pub(crate) round: Option<Round>,
    /// What may be dropped once the machine is at rest: until then it holds failures too, and drops them under the lock.
    pub(crate) garbage: Vec<Box<dyn Send>>,
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

/// What is to be done once no lock is held, since it runs foreign code: wakers and destructors.
pub(crate) enum Wake {
    Ticket(Latch<Result<Done, Error>>, Result<Done, Error>),
    Waiter(Latch<Result<State, WaitError>>, Result<State, WaitError>),
    Flag(Flag),
    Exited(Latch<Exit>, Exit),
    Forget(Box<dyn Send>),
}

impl Wake {
    pub(crate) fn fire(self) {
        match self {
            Wake::Ticket(latch, answer) => latch.set(answer),
            Wake::Waiter(latch, answer) => latch.set(answer),
            Wake::Flag(flag) => flag.raise(),
            Wake::Exited(latch, exit) => latch.set(exit),
            Wake::Forget(garbage) => {
                quietly(|| drop(garbage));
            }
        }
    }
}

impl Core {
    pub(crate) fn new(name: Arc<str>, limits: Limits, clock: Arc<dyn Clock>) -> Arc<Core> {
        Arc::new_cyclic(|me: &Weak<Core>| {
            let registry = Registry::default();
            let channels = BuiltIn::of(&registry, me);
            let keeper = Weak::clone(me);
            let by_hand = clock.moves_by_hand(Arc::new(move || {
                if let Some(core) = keeper.upgrade() {
                    let _shared = core.lock();
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
        let wakes = shared.apply_effects(&self.exited);
        drop(shared);
        wakes.into_iter().for_each(Wake::fire);
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
        shared.machine.ask(ask, id);
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
        shared.machine.hurry();
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
            keeper_until: None,
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
            garbage.extend(round.replace(new).map(|old| Box::new(old) as Box<dyn Send>));
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

    pub(crate) fn apply_effects(&mut self, exited: &Latch<Exit>) -> Vec<Wake> {
        let mut wakes = Vec::new();
        for effect in self.machine.effects() {
            match effect {
                Effect::Entered(state) => self.waiters.entered(state, &mut wakes),
                Effect::Began { phase, settings } => self.began(phase, settings),
                Effect::Reloaded(answer) => {
                    let old = self.last_graceful.replace(spell(answer).map(drop));
                    self.garbage.push(Box::new(old));
                }
                Effect::Answered(ticket, answer) => {
                    if let Some(unused) = self.settings.remove(&ticket) {
                        wakes.push(Wake::Forget(Box::new(unused)));
                    }
                    if let Some(latch) = self.tickets.remove(&ticket) {
                        wakes.push(Wake::Ticket(latch, spell(answer)));
                    }
                }
                Effect::Cancel => wakes.push(Wake::Flag(self.cancelled.clone())),
                Effect::Hurry => wakes.push(Wake::Flag(self.hurry.clone())),
                Effect::Exited(exit) => {
                    self.ended = true;
                    self.waiters.exited(&exit, &mut wakes);
                    wakes.push(Wake::Exited(exited.clone(), exit));
                }
            }
        }
        wakes
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
            self.hurry.raise();
        }
        let new = settings.and_then(|ticket| self.settings.remove(&ticket)).unwrap_or_default();
        self.garbage.push(Box::new(std::mem::replace(&mut self.current, new)));
    }

    /// The effects of a machine at rest, and everything that nobody needs any more.
    pub(crate) fn tidy(&mut self, exited: &Latch<Exit>) -> Vec<Wake> {
        let mut wakes = self.apply_effects(exited);
        if let Some(round) = self.round.take() {
            let settings = std::mem::take(&mut self.current);
            wakes.push(Wake::Forget(Box::new((round, settings))));
        }
        wakes.extend(std::mem::take(&mut self.garbage).into_iter().map(Wake::Forget));
        wakes
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

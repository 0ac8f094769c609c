//! What all handles of one bus share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::exit::Exit;
use crate::failure::Error;
use crate::foreign::{Foreign, quietly};
use crate::latch::Latch;
use crate::limits::Limits;
use crate::log::LogWatch;
use crate::machine::{Ask, Tick};
use crate::message::SettingsMap;
use crate::registry::{BuiltIn, Registry};
use crate::restart::Conclusion;
use crate::shared::Shared;
use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard};
use crate::threads::Threads;
use crate::ticket::Ticket;

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
    pub(crate) conclusion: Conclusion,
    /// The owner is gone.
    forgetful: AtomicBool,
    pub(crate) log_watch: LogWatch,
    /// Set as the very last thing that the lane does.
    pub(crate) lane_over: Latch<()>,
    next_plugin: AtomicU64,
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
                conclusion: Conclusion::new(),
                forgetful: AtomicBool::new(false),
                log_watch: LogWatch::new(),
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
        let foreign = shared.apply_effects(self);
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
        self.ask(Ask::Exit { exit, inside }, SettingsMap::new())
    }

    pub(crate) fn ask(&self, ask: Ask, settings: SettingsMap) -> Ticket {
        let mut shared = self.lock();
        let latch = Latch::new();
        let ticket = Ticket::new(self.address(), ask.verb(), latch.clone());
        if let Err(error) = self.make_crew(&mut shared) {
            drop(shared);
            latch.set(Err(Error::NoThread(Arc::new(error))));
            return ticket;
        }
        let id = shared.admit(latch, settings);
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
        let handed_on = std::mem::take(&mut self.lock().handed_on);
        quietly(|| drop(handed_on));
    }

    /// Whoever brings a restarter or a thread after the end of the bus calls this when it is there.
    pub(crate) fn forget_late(&self) {
        if self.forgetful.load(Ordering::SeqCst) {
            self.conclusion.forget_restarter();
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

//! Deadlines: a clock that the scenario moves, and listeners that overrun.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex as Plain};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use shuttle::sync::{Condvar, Mutex};
use sitebus_bus::{Bus, Clock, Exit, LOG, Limits, Priority, Reason, State, Ticket};

use crate::checker::{hold, in_every_schedule};
use crate::site::{answered, aside, join_all};

/// A clock that moves only by hand. The lock of the standard library is held for no longer than a copy.
#[derive(Default)]
struct Hand {
    passed: Plain<Duration>,
    watched_by: Plain<Vec<Arc<dyn Fn() + Send + Sync>>>,
}

struct ByHand(Instant, Hand);

impl ByHand {
    fn new() -> Arc<ByHand> {
        Arc::new(ByHand(Instant::now(), Hand::default()))
    }

    fn advance(&self, by: Duration) {
        *self.1.passed.lock().unwrap() += by;
        let watched_by = self.1.watched_by.lock().unwrap().clone();
        watched_by.iter().for_each(|moved| moved());
    }
}

impl Clock for ByHand {
    fn now(&self) -> Instant {
        self.0 + *self.1.passed.lock().unwrap()
    }

    fn moves_by_hand(&self, moved: Arc<dyn Fn() + Send + Sync>) -> bool {
        self.1.watched_by.lock().unwrap().push(moved);
        true
    }
}

/// Where a listener hangs until it is let go.
#[derive(Default)]
struct Gate {
    at: Mutex<Place>,
    moved: Condvar,
}

#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    #[default]
    Before,
    In,
    Open,
}

impl Gate {
    fn hang(&self) {
        let mut at = self.at.lock().unwrap();
        if *at == Place::Before {
            *at = Place::In;
            self.moved.notify_all();
        }
        while *at != Place::Open {
            at = self.moved.wait(at).unwrap();
        }
    }

    fn until_somebody_hangs(&self) {
        let mut at = self.at.lock().unwrap();
        while *at == Place::Before {
            at = self.moved.wait(at).unwrap();
        }
    }

    fn open(&self) {
        *self.at.lock().unwrap() = Place::Open;
        self.moved.notify_all();
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn bus(clock: &Arc<ByHand>) -> Bus {
    let mut limits = Limits::all(SECOND, 10 * SECOND);
    limits.log = SECOND;
    Bus::builder("site").limits(limits).clock(Arc::clone(clock) as Arc<dyn Clock>).build()
}

#[test]
fn a_start_listener_that_overruns_is_given_up_and_reports_late() {
    in_every_schedule("a listener that overruns is given up, and its late report changes nothing", || {
        let (clock, gate) = (ByHand::new(), Arc::new(Gate::default()));
        let bus = bus(&clock);
        let hangs = Arc::clone(&gate);
        bus.plugin("slow").on_start(Priority::DEFAULT, move |_| hangs.hang());
        let handle = bus.handle();
        let start = aside(move || {
            let outcome = handle.start();
            let failures = outcome.as_ref().err().and_then(sitebus_bus::Error::failures);
            let named = failures.is_some_and(|failures| {
                failures.len() == 1
                    && failures.first().listener() == "slow"
                    && matches!(failures.first().reason(), Reason::Overran(SECOND))
            });
            hold(named, "a listener that overruns is given up and named");
        });
        gate.until_somebody_hangs();
        clock.advance(SECOND);
        start.join().unwrap();
        let late = Arc::clone(&gate);
        let lets_go = aside(move || late.open());
        let exit = bus.block();
        hold(exit.code() == 1 && bus.state() == State::Exiting, "a failed start exits");
        lets_go.join().unwrap();
    });
}

#[test]
fn a_second_exit_gives_a_hanging_start_its_last_call() {
    in_every_schedule("a hurried exit leaves a start that holds it up no more than a last call", || {
        let (clock, gate) = (ByHand::new(), Arc::new(Gate::default()));
        let bus = bus(&clock);
        let hangs = Arc::clone(&gate);
        bus.plugin("slow").on_start(Priority::DEFAULT, move |_| hangs.hang());
        let (one, two) = (bus.handle(), bus.handle());
        let start = aside(move || answered(&one.start(), &["failed"]));
        gate.until_somebody_hangs();
        let exit = aside(move || answered(&two.exit(), &["done"]));
        let second = bus.ask_exit(Exit::success("somebody who cannot wait"));
        let hurried = bus.ask_exit(Exit::success("somebody who really cannot wait"));
        clock.advance(Limits::default().last_call);
        let tickets = [second, hurried];
        tickets.iter().for_each(|ticket| answered(&ticket.wait(), &["done"]));
        let _ = bus.block();
        gate.open();
        join_all([start, exit]);
    });
}

#[test]
fn a_stop_listener_that_overruns_does_not_keep_the_exit() {
    in_every_schedule("STOPPED is reached even if a stop listener never returns", || {
        let (clock, gate) = (ByHand::new(), Arc::new(Gate::default()));
        let bus = bus(&clock);
        let hangs = Arc::clone(&gate);
        bus.plugin("drain").on_stop(Priority::DEFAULT, move |_| hangs.hang());
        let (one, two) = (bus.handle(), bus.handle());
        let exit = aside(move || answered(&one.exit(), &["failed"]));
        let start = aside(move || answered(&two.start(), &["done", "refused", "interrupted"]));
        gate.until_somebody_hangs();
        clock.advance(SECOND);
        let code = bus.block().code();
        hold(code == 1, "success becomes failure after failures");
        gate.open();
        join_all([exit, start]);
    });
}

#[test]
fn a_log_listener_that_hangs_is_given_up() {
    in_every_schedule("logging can never keep the bus", || {
        let (clock, gate) = (ByHand::new(), Arc::new(Gate::default()));
        let bus = bus(&clock);
        let hangs = Arc::clone(&gate);
        bus.on(LOG).unwrap().subscribe("hangs", move |_| hangs.hang());
        let handle = bus.handle();
        let start = aside(move || answered(&handle.start(), &["done"]));
        gate.until_somebody_hangs();
        clock.advance(SECOND);
        start.join().unwrap();
        answered(&bus.exit(), &["done"]);
        let _ = bus.block();
        gate.open();
    });
}

/// A waker is foreign code, and this one hangs.
struct Hangs(Arc<Gate>);

impl Wake for Hangs {
    fn wake(self: Arc<Hangs>) {
        self.0.hang();
    }
}

const NO_WAKER: &str = "no waker can keep the lane: between listeners it has a deadline too";

/// Polls the ticket with a waker that hangs. True if somebody hangs in it now.
fn hangs_in(ticket: &mut Ticket, gate: &Arc<Gate>) -> bool {
    let waker = Waker::from(Arc::new(Hangs(Arc::clone(gate))));
    let pending = Pin::new(ticket).poll(&mut Context::from_waker(&waker)).is_pending();
    if pending {
        gate.until_somebody_hangs();
    }
    pending
}

#[test]
fn a_waker_that_hangs_between_two_listeners_does_not_keep_the_lane() {
    in_every_schedule(NO_WAKER, || {
        let (clock, gate) = (ByHand::new(), Arc::new(Gate::default()));
        let bus = bus(&clock);
        if hangs_in(&mut bus.ask_start(), &gate) {
            clock.advance(SECOND);
        }
        answered(&bus.stop(), &["done"]);
        let late = Arc::clone(&gate);
        let lets_go = aside(move || late.open());
        answered(&bus.start(), &["done"]);
        answered(&bus.exit(), &["done"]);
        let _ = bus.block();
        lets_go.join().unwrap();
    });
}

#[test]
fn a_waker_that_hangs_while_nothing_else_happens_does_not_keep_the_lane() {
    in_every_schedule(NO_WAKER, || {
        let (clock, gate) = (ByHand::new(), Arc::new(Gate::default()));
        let bus = bus(&clock);
        answered(&bus.start(), &["done"]);
        clock.advance(SECOND); // whatever the keeper looked out for has passed
        if hangs_in(&mut bus.ask_start(), &gate) {
            clock.advance(SECOND);
        }
        answered(&bus.stop(), &["done"]);
        gate.open();
        answered(&bus.exit(), &["done"]);
        let _ = bus.block();
    });
}

//! Listeners that hang where few look for it: before a restart, in a reload while somebody blocks, behind a thread that asks
//! for the exit that runs, and while the owner goes.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::ops::Deref;
use std::sync::mpsc;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use sitebus_bus::{
    Bus, Cause, Commit, Done, EXIT, Error, Exit, GRACEFUL, Handle, Limits, RESTART, Reason, START, STOP,
    SettingsMap, State, Ticket, Verb,
};
use sitebus_testkit::{FakeClock, Gate, Recorder, Transcript};

const SOON: Duration = Duration::from_secs(10);
const EACH: Duration = Duration::from_secs(60);

fn site() -> (Bus, Arc<FakeClock>, Hangs) {
    let clock = FakeClock::new();
    let bus = Bus::builder("site").limits(Limits::all(EACH, EACH * 10)).clock(clock.clone()).build();
    (bus, clock, Hangs(Gate::new()))
}

/// Where listeners hang. Opens when the test is over: one that has failed must not wait in the drop of the bus, whose clock
/// stands still.
struct Hangs(Gate);

impl Drop for Hangs {
    fn drop(&mut self) {
        self.0.open();
    }
}

impl Deref for Hangs {
    type Target = Gate;

    fn deref(&self) -> &Gate {
        &self.0
    }
}

/// The one listener that failed: by its name, and because its time was over.
#[track_caller]
fn overran(ticket: &Ticket) -> Error {
    let error = ticket.wait_for(SOON).unwrap_err();
    let failures = error.failures().unwrap_or_else(|| panic!("{error}"));
    assert_eq!((failures.len(), failures.first().listener()), (1, "hangs"), "{error}");
    assert!(matches!(failures.first().reason(), Reason::Overran(after) if *after == EACH), "{error}");
    error
}

#[test]
fn one_that_hangs_while_it_looks_before_a_restart_is_a_veto_and_the_next_one_looks() {
    let (bus, clock, gate) = site();
    let heard = Transcript::new();
    let (held, noted) = (gate.0.clone(), heard.clone());
    let hangs = bus.on(RESTART).unwrap().subscribe("hangs", move |_| held.pass());
    bus.on(RESTART).unwrap().subscribe("next", move |_| noted.note("looked"));
    bus.start().unwrap();
    let restart = bus.ask_restart("a test");
    gate.wait_for_arrival(SOON);
    clock.advance(EACH);
    assert!(matches!(overran(&restart), Error::Vetoed { asked: Verb::Restart, .. }));
    assert_eq!(heard.lines(), ["looked"]);
    assert_eq!((bus.state(), bus.exit_asked()), (State::Started, None), "nothing has changed");

    hangs.unsubscribe();
    gate.open();
    assert_eq!(bus.ask_restart("again").wait_for(SOON).unwrap(), Done::Done);
    assert!(bus.block().is_restart());
}

#[test]
fn one_that_hangs_in_a_reload_keeps_neither_an_exit_nor_block() {
    for in_commit in [false, true] {
        let (bus, clock, gate) = site();
        let held = gate.0.clone();
        bus.on(GRACEFUL).unwrap().subscribe("hangs", move |_| {
            let held = held.clone();
            let pass = move || {
                held.pass();
                Ok(())
            };
            if in_commit { Ok(Commit::new(pass)) } else { pass().map(|()| Commit::nothing()) }
        });
        bus.start().unwrap();
        let handle = bus.handle();
        let blocks = aside(move || bus.block());
        let reload = handle.ask_graceful(SettingsMap::new());
        gate.wait_for_arrival(SOON);
        let exit = handle.ask_exit(Exit::with_code(4, "a test"));
        assert!(exit.outcome().is_none());
        clock.advance(EACH);
        assert_eq!(matches!(overran(&reload), Error::Vetoed { .. }), !in_commit);
        assert_eq!(exit.wait_for(SOON).unwrap(), Done::Done);
        assert_eq!(blocks.recv_timeout(SOON).unwrap().code(), 4);
        gate.open();
    }
}

/// The thread waits for the exit, the exit for the listener, the listener for the thread.
#[test]
fn an_exit_listener_that_joins_a_thread_which_calls_exit_is_given_up_and_the_end_is_reached() {
    let (bus, clock, gate) = site();
    let (handle, arrived) = (bus.handle(), gate.0.clone());
    gate.open();
    bus.on(EXIT).unwrap().subscribe("hangs", move |_| {
        let handle = handle.clone();
        let exits = thread::spawn(move || handle.exit());
        arrived.pass();
        let _ = exits.join().unwrap();
    });
    let exit = bus.ask_exit(Exit::success("a test"));
    gate.wait_for_arrival(SOON);
    clock.advance(EACH);
    assert!(matches!(overran(&exit), Error::Failed { asked: Verb::Exit, .. }));
    let exit = aside(move || bus.block()).recv_timeout(SOON).unwrap();
    assert_eq!((exit.code(), exit.cause()), (1, &Cause::Asked { by: "a test".into() }));
}

#[test]
fn an_owner_that_goes_while_a_listener_hangs_is_gone_at_the_deadline_names_it_and_frees_the_rest() {
    for place in ["start", "stop", "exit"] {
        let (bus, clock, gate) = site();
        let (recorder, handle) = (Recorder::of(&bus), bus.handle());
        let (circle, owned) = (bus.handle(), Arc::new(()));
        let weak = Arc::downgrade(&owned);
        bus.on(STOP).unwrap().subscribe_at(90, "owns", move |_| drop((circle.state(), Arc::clone(&owned))));
        let held = gate.0.clone();
        match place {
            "start" => bus.on(START).unwrap().subscribe("hangs", move |_| held.pass()),
            "stop" => bus.on(STOP).unwrap().subscribe("hangs", move |_| held.pass()),
            _ => bus.on(EXIT).unwrap().subscribe("hangs", move |_| held.pass()),
        };
        drop(bus.ask_start());
        if place == "start" {
            gate.wait_for_arrival(SOON); // an exit that came before would skip it
        }
        let dropped = aside(move || drop(bus));
        gate.wait_for_arrival(SOON);
        clock.advance(EACH);
        dropped.recv_timeout(SOON).unwrap();
        let named = format!("'hangs' was given up on '{place}' after 60s: it had not returned");
        assert!(recorder.log().lines().contains(&named), "{place}: {:?}", recorder.log().lines());
        assert_eq!(handle.state(), State::Exiting);
        assert!(nobody_listens(&handle), "{place}");
        gate.open(); // its thread lives on until now, and with it what was to be called after it
        wait_until_freed(&weak);
    }
}

fn nobody_listens(bus: &Handle) -> bool {
    bus.channels().iter().all(|channel| channel.listeners.is_empty())
}

fn wait_until_freed(weak: &Weak<()>) {
    let began = Instant::now();
    while weak.strong_count() > 0 {
        assert!(began.elapsed() < SOON, "not freed");
        thread::yield_now();
    }
}

/// Runs this in a thread of its own, so that what never returns is a failure and not the end of the run.
fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> mpsc::Receiver<T> {
    let (done, end) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    end
}

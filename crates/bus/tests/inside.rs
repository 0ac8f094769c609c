//! Waiting for the bus inside what the bus itself is waiting for: refused at once, and only there.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use sitebus_bus::{
    Bus, Commit, EXIT, Exit, GRACEFUL, Handle, LOG, Level, Limits, START, STATE, STOP, SettingsMap, State,
    States, Topic, WaitError,
};
use sitebus_testkit::{FakeClock, Gate, Transcript, block_on};

const SOON: Duration = Duration::from_secs(10);
const EACH: Duration = Duration::from_secs(60);
const OWN: Topic<str> = Topic::new("own");

/// Waits without end where that cannot end, and notes who was told so.
fn refused(bus: &Handle, states: impl Into<States>, heard: &Transcript) {
    let states = states.into();
    for patience in [None, Some(SOON)] {
        match bus.wait(states, patience) {
            Err(WaitError::Inside { states: asked, listener }) if asked == states => heard.note(&*listener),
            other => heard.note(format!("{other:?}")),
        }
    }
}

/// A bus whose listeners have an hour, so that a wait that is not refused is a test that fails and not a listener that
/// is given up.
fn patient() -> Bus {
    let hour = Duration::from_secs(3600);
    Bus::builder("site").limits(Limits::all(hour, hour)).build()
}

#[test]
fn every_listener_of_a_transition_is_refused_and_named() {
    let (bus, heard) = (patient(), Transcript::new());
    let told = |state: State| {
        let (handle, heard) = (bus.handle(), heard.clone());
        move || refused(&handle, state, &heard)
    };
    let (starts, stops, exits) = (told(State::Started), told(State::Stopped), told(State::Started));
    let (prepares, commits) = (told(State::Stopping), told(State::Exiting));
    bus.on(START).unwrap().subscribe("starts", move |_| starts());
    bus.on(STOP).unwrap().subscribe("stops", move |_| stops());
    bus.on(EXIT).unwrap().subscribe("exits", move |_| exits());
    bus.on(GRACEFUL).unwrap().subscribe("prepares", move |_| {
        prepares();
        Ok(Commit::nothing())
    });
    bus.plugin("commits").at_commit(90, move |_| commits());
    bus.ask_start().wait_for(SOON).unwrap();
    assert_eq!(heard.take(), ["starts"; 2]);
    bus.ask_graceful(SettingsMap::new()).wait_for(SOON).unwrap();
    assert_eq!(heard.take(), ["prepares", "prepares", "commits", "commits"]);
    bus.ask_exit(Exit::success("test")).wait_for(SOON).unwrap();
    assert_eq!(heard.take(), ["stops", "stops", "exits", "exits"]);
}

#[test]
fn a_log_listener_is_refused_on_the_lane_and_may_wait_elsewhere() {
    let (bus, heard) = (patient(), Transcript::new());
    let (handle, noted) = (bus.handle(), heard.clone());
    bus.on(LOG).unwrap().subscribe("writes", move |record| match &*record.message {
        "Bus STARTED" | "speaks" => refused(&handle, State::Stopping, &noted),
        "hello" => noted.note(format!("{:?}", handle.wait(State::Started, Some(SOON)))),
        _ => {}
    });
    let handle = bus.handle();
    bus.on(START).unwrap().subscribe("speaks", move |_| handle.log(Level::Info, "speaks"));
    let start = bus.ask_start();
    bus.log(Level::Info, "hello");
    start.wait_for(SOON).unwrap();
    let mut lines = heard.take();
    lines.sort();
    assert_eq!(lines, ["Ok(Started)", "writes", "writes", "writes", "writes"]);
}

#[test]
fn the_state_that_is_there_and_a_look_without_patience_need_no_waiting() {
    let (bus, heard) = (patient(), Transcript::new());
    let (handle, noted) = (bus.handle(), heard.clone());
    bus.on(START).unwrap().subscribe("looks", move |_| {
        noted.note(format!("{:?}", handle.wait([State::Starting, State::Started], None)));
        let looked = handle.wait(State::Started, Some(Duration::ZERO));
        noted.note(format!("{}", matches!(looked, Err(WaitError::TimedOut { .. }))));
    });
    bus.ask_start().wait_for(SOON).unwrap();
    assert_eq!(heard.lines(), ["Ok(Starting)", "true"]);
}

#[test]
fn the_refusal_names_the_listener_and_the_cure() {
    let bus = patient();
    let handle = bus.handle();
    bus.on(START).unwrap().subscribe("warm-up", move |_| {
        handle.wait(State::Started, None)?;
        Ok(())
    });
    let error = bus.ask_start().wait_for(SOON).unwrap_err();
    let refusal = error.failures().unwrap().first().error().unwrap().to_string();
    assert_eq!(
        refusal,
        "the bus cannot become STARTED inside 'warm-up', since it waits for 'warm-up' to return; ask for what is wanted and \
         return, or have another thread or a task wait, with when()"
    );
}

#[test]
fn a_listener_may_leave_a_future_that_waits() {
    let bus = patient();
    let (handle, gate) = (bus.handle(), Gate::new());
    let (opens, threads) = (gate.clone(), bus.handle());
    bus.on(START).unwrap().subscribe("leaves", move |_| {
        let (when, opens) = (handle.when(State::Started), opens.clone());
        let waits = std::thread::spawn(move || {
            assert_eq!(block_on(when, SOON).unwrap().unwrap(), State::Started);
            opens.pass();
        });
        threads.adopt("waits", waits);
    });
    bus.ask_start().wait_for(SOON).unwrap();
    gate.wait_for_arrival(SOON);
    gate.open();
}

#[test]
fn a_listener_of_an_own_topic_may_wait_on_the_publishers_thread() {
    let bus = patient();
    let handle = bus.handle();
    bus.on(OWN).unwrap().subscribe("waits", move |_: &str| {
        drop(handle.ask_start());
        handle.wait(State::Started, Some(SOON))?;
        Ok(())
    });
    bus.on(OWN).unwrap().publish("go").unwrap();
    assert_eq!(bus.state(), State::Started);
}

#[test]
fn a_listener_of_an_own_topic_that_a_start_listener_publishes_to_is_refused() {
    let (bus, heard) = (patient(), Transcript::new());
    let (handle, noted) = (bus.handle(), heard.clone());
    bus.on(OWN).unwrap().subscribe("waits", move |_: &str| refused(&handle, State::Started, &noted));
    let own = bus.on(OWN).unwrap();
    bus.on(START).unwrap().subscribe("publishes", move |_| Ok(own.publish("go")?));
    bus.ask_start().wait_for(SOON).unwrap();
    assert_eq!(heard.lines(), ["publishes"; 2], "it is the one that the bus waits for");
}

/// A listener that was given up is no longer waited for, so what it waits for may come.
#[test]
fn a_listener_that_was_given_up_may_wait() {
    let clock = FakeClock::new();
    let bus = Bus::builder("site").limits(Limits::all(EACH, EACH * 10)).clock(clock.clone()).build();
    let (handle, gate, heard) = (bus.handle(), Gate::new(), Transcript::new());
    let (hangs, noted) = (gate.clone(), heard.clone());
    bus.on(STOP).unwrap().subscribe("hangs", move |_| {
        hangs.pass();
        noted.note(format!("{:?}", handle.wait(State::Stopped, Some(SOON))));
    });
    bus.ask_start().wait_for(SOON).unwrap();
    let stop = bus.ask_stop();
    gate.wait_for_arrival(SOON);
    clock.advance(EACH);
    stop.wait_for(SOON).unwrap_err();
    gate.open();
    heard.wait_for("Ok(Stopped)", SOON).unwrap();
}

#[test]
fn a_listener_of_states_is_refused_and_named() {
    let (bus, heard) = (patient(), Transcript::new());
    let (handle, noted) = (bus.handle(), heard.clone());
    bus.on(STATE).unwrap().subscribe("watches", move |state| {
        if *state == State::Starting {
            refused(&handle, State::Started, &noted);
        }
    });
    bus.ask_start().wait_for(SOON).unwrap();
    bus.ask_exit(Exit::success("test")).wait_for(SOON).unwrap();
    assert_eq!(heard.lines(), ["watches"; 2]);
}

struct Waits {
    bus: Handle,
    heard: Transcript,
}

impl Wake for Waits {
    fn wake(self: Arc<Self>) {
        refused(&self.bus, State::Exiting, &self.heard);
    }
}

#[test]
fn a_waker_that_the_lane_runs_is_refused() {
    let (bus, heard) = (patient(), Transcript::new());
    let waker = Waker::from(Arc::new(Waits { bus: bus.handle(), heard: heard.clone() }));
    let mut when = bus.when(State::Started);
    assert!(Pin::new(&mut when).poll(&mut Context::from_waker(&waker)).is_pending());
    bus.ask_start().wait_for(SOON).unwrap();
    bus.ask_exit(Exit::success("test")).wait_for(SOON).unwrap();
    assert_eq!(heard.lines(), ["a waker or a destructor"; 2]);
}

#[test]
fn block_inside_a_listener_fails_at_once_and_names_it() {
    let bus = Arc::new(patient());
    let (inner, heard) = (Arc::downgrade(&bus), Transcript::new());
    let noted = heard.clone();
    bus.on(START).unwrap().subscribe("blocks", move |_| {
        let bus = inner.upgrade().unwrap();
        noted.note(bus.block().to_string());
    });
    bus.ask_start().wait_for(SOON).unwrap();
    assert_eq!(
        heard.lines(),
        [
            "exit with code 1 because of a failure: block() was called inside 'blocks', which the bus is waiting for; call it \
          on a thread of the program, or ask with ask_exit() and return"
        ]
    );
    bus.ask_exit(Exit::success("test")).wait_for(SOON).unwrap();
    assert_eq!(bus.block().code(), 0);
}

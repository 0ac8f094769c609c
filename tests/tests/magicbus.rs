//! MagicBus's own suite (4.1.2), as far as it asserts something about the bus, on this bus.
//!
//! Left out: its graph of eleven states (here there are five, and the table of verbs is tested in `crates/bus`); what only
//! says again what CherryPy's suite says (custom channels, log, traceback: `cherrypy_bus.rs`); listener errors, which it
//! skips on the only channel that it has; and `start_with_callback`, which it skips as flaky. The plugins for daemon,
//! signals, server and threads are in `magicbus_process.rs`.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::thread;
use std::time::Duration;

use sitebus_bus::{Bus, EXIT, Exit, START, STOP, State};
use sitebus_testkit::{Recorder, Transcript};

const SOON: Duration = Duration::from_secs(10);

/// Three listeners on each channel, which note the channel.
fn noting(bus: &Bus) -> Transcript {
    let heard = Transcript::new();
    for name in ["one", "two", "three"] {
        let (on_start, on_stop, on_exit) = (heard.clone(), heard.clone(), heard.clone());
        bus.on(START).unwrap().subscribe(name, move |_| on_start.note("start"));
        bus.on(STOP).unwrap().subscribe(name, move |_| on_stop.note("stop"));
        bus.on(EXIT).unwrap().subscribe(name, move |_| on_exit.note("exit"));
    }
    heard
}

/// Its INITIAL and IDLE are STOPPED here, its RUN is STARTED.
#[test]
fn from_the_first_state_to_running_every_start_listener_is_called() {
    let bus = Bus::new("site");
    let (recorder, heard) = (Recorder::of(&bus), noting(&bus));
    bus.start().unwrap();
    assert_eq!(bus.state(), State::Started);
    assert_eq!(heard.lines(), ["start"; 3]);
    assert_eq!(recorder.log().lines(), ["Bus STARTING", "Bus STARTED"]);
}

#[test]
fn from_running_to_idle_every_stop_listener_is_called() {
    let bus = Bus::new("site");
    bus.start().unwrap();
    let (recorder, heard) = (Recorder::of(&bus), noting(&bus));
    bus.stop().unwrap();
    assert_eq!(bus.state(), State::Stopped);
    assert_eq!(heard.lines(), ["stop"; 3]);
    assert_eq!(recorder.log().lines(), ["Bus STOPPING", "Bus STOPPED"]);
}

/// Decided otherwise: stop listeners that belong to no start listener run on the way out too, once.
#[test]
fn from_the_first_state_to_the_last_every_exit_listener_is_called() {
    let bus = Bus::new("site");
    let (recorder, heard) = (Recorder::of(&bus), noting(&bus));
    bus.exit().unwrap();
    assert_eq!(bus.state(), State::Exiting);
    assert_eq!(heard.lines(), ["stop", "stop", "stop", "exit", "exit", "exit"]);
    assert_eq!(recorder.log().lines(), ["Bus STOPPING", "Bus STOPPED", "Bus EXITING", "Bus EXITED"]);
}

#[test]
fn a_thread_that_waits_is_told_when_another_has_moved_the_bus_there() {
    type Ask = fn(&Bus);
    let bus = Bus::new("site");
    let asks: [(Ask, &[State]); 4] = [
        (|bus| drop(bus.ask_start()), &[State::Started]),
        (|bus| drop(bus.ask_stop()), &[State::Stopped]),
        (|bus| drop(bus.ask_start()), &[State::Starting, State::Started]),
        (|bus| drop(bus.ask_exit(Exit::success("a test"))), &[State::Exiting]),
    ];
    for (ask, states) in asks {
        let handle = bus.handle();
        let waiter = thread::spawn(move || handle.wait(states, Some(SOON)));
        ask(&bus);
        assert!(states.contains(&waiter.join().unwrap().unwrap()));
    }
}

/// Decided otherwise: nothing is published while somebody waits, and only adopted threads are joined.
#[test]
fn block_returns_once_the_last_state_is_reached() {
    let bus = Bus::new("site");
    let recorder = Recorder::of(&bus);
    let handle = bus.handle();
    let exits = thread::spawn(move || handle.exit());
    assert_eq!(bus.block().code(), 0);
    assert_eq!(bus.state(), State::Exiting);
    exits.join().unwrap().unwrap();
    assert_eq!(recorder.log().lines(), ["Bus STOPPING", "Bus STOPPED", "Bus EXITING", "Bus EXITED"]);
}

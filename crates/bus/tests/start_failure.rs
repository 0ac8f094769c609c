//! A start that fails: undone, and its caller has the original error.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fmt;
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{Bus, Cause, EXIT, Error, Exit, START, STOP, State, Verb};
use sitebus_testkit::{Gate, Recorder, Transcript};

const SOON: Duration = Duration::from_secs(10);

#[derive(Debug, PartialEq)]
struct PortTaken(u16);

impl fmt::Display for PortTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {} is taken", self.0)
    }
}

impl std::error::Error for PortTaken {}

fn original(error: &Error) -> &PortTaken {
    let failure = error.failures().unwrap().first();
    assert_eq!((failure.listener(), failure.channel()), ("http", "start"));
    failure.error().unwrap().downcast_ref::<PortTaken>().unwrap()
}

/// A plugin before the one that fails, one after it, and the one that fails.
fn failing() -> (Bus, Transcript) {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    for (name, priority, fails) in [("db", 10, false), ("http", 20, true), ("cron", 30, false)] {
        let plugin = bus.plugin(name);
        let [on_start, on_stop, on_exit] = [(); 3].map(|()| heard.clone());
        plugin.on_start(priority, move |_| {
            on_start.note(format!("start {name}"));
            if fails { Err(PortTaken(80).into()) } else { Ok(()) }
        });
        plugin.on_stop(100 - priority, move |_| on_stop.note(format!("stop {name}")));
        plugin.on_exit(50, move |_| on_exit.note(format!("exit {name}")));
    }
    (bus, heard)
}

#[test]
fn what_began_is_stopped_the_bus_exits_and_the_caller_gets_the_original_error() {
    let (bus, heard) = failing();
    let recorder = Recorder::of(&bus);
    let error = bus.start().unwrap_err();
    assert_eq!(original(&error), &PortTaken(80));
    assert!(matches!(error, Error::Failed { asked: Verb::Start, .. }));
    assert_eq!(error.to_string(), "start failed: 'http' failed on 'start': port 80 is taken");
    let expected = [
        "start db",
        "start http",
        "start cron",
        "stop cron",
        "stop http",
        "stop db",
        "exit cron",
        "exit http",
        "exit db",
    ];
    assert_eq!(heard.lines(), expected);
    assert_eq!(bus.state(), State::Exiting);
    let log = recorder.log().lines();
    let expected = [
        "Bus STARTING",
        "'http' failed on 'start': port 80 is taken",
        "the start failed, so the bus exits",
        "Bus STOPPING",
        "Bus STOPPED",
        "Bus EXITING",
        "Bus EXITED",
    ];
    assert_eq!(log, expected);
}

#[test]
fn the_exit_after_it_names_who_failed() {
    let (bus, _heard) = failing();
    bus.start().unwrap_err();
    let exit = bus.block();
    assert_eq!((exit.code(), exit.cause()), (1, &Cause::Failed { what: "'http' failed to start".into() }));
    assert_eq!(exit.to_string(), "exit with code 1 because of a failure: 'http' failed to start");
}

#[test]
fn the_thread_of_a_callback_gets_the_same_error() {
    let (bus, _heard) = failing();
    let told = Transcript::new();
    let tells = told.clone();
    let error = bus
        .start_with_callback(move |outcome| tells.note(original(&outcome.unwrap_err()).to_string()))
        .map(|_| ())
        .unwrap_err();
    assert_eq!(original(&error), &PortTaken(80));
    told.wait_for("port 80 is taken", SOON).unwrap();
}

#[test]
fn everybody_who_joined_the_start_gets_it_and_only_after_the_exit() {
    let (bus, gate, leaving) = (Bus::new("site"), Gate::new(), Gate::new());
    let (held, leaves) = (gate.clone(), leaving.clone());
    bus.on(START).unwrap().subscribe("http", move |_| -> anyhow::Result<()> {
        held.pass();
        Err(PortTaken(443).into())
    });
    bus.on(EXIT).unwrap().subscribe("leaves", move |_| leaves.pass());
    let (first, together) = (bus.ask_start(), bus.ask_start());
    gate.wait_for_arrival(SOON);
    let tickets = [first, together, bus.ask_start()];
    gate.open();
    leaving.wait_for_arrival(SOON);
    assert!(tickets.iter().all(|ticket| ticket.outcome().is_none()), "the exit is not over");
    leaving.open();
    for ticket in tickets {
        let error = ticket.wait_for(SOON).unwrap_err();
        assert_eq!(original(&error), &PortTaken(443));
        assert_eq!(bus.state(), State::Exiting);
    }
}

#[test]
fn a_failure_on_the_way_out_does_not_hide_the_first_error() {
    let (bus, _heard) = failing();
    bus.on(STOP).unwrap().subscribe("also fails", |_| Err(anyhow!("and more")));
    bus.on(EXIT).unwrap().subscribe("also panics", |_| -> () { panic!("and more") });
    let error = bus.start().unwrap_err();
    assert_eq!((original(&error), error.failures().unwrap().len()), (&PortTaken(80), 1));
}

#[test]
fn a_start_that_fails_after_an_exit_was_asked_keeps_its_code_unless_that_was_success() {
    for (asked, code) in [(Exit::success("a test"), 1), (Exit::with_code(5, "a test"), 5)] {
        let (bus, gate) = (Bus::new("site"), Gate::new());
        let held = gate.clone();
        bus.on(START).unwrap().subscribe("http", move |_| -> anyhow::Result<()> {
            held.pass();
            Err(PortTaken(80).into())
        });
        let start = bus.ask_start();
        gate.wait_for_arrival(SOON);
        drop(bus.ask_exit(asked));
        gate.open();
        assert_eq!(original(&start.wait_for(SOON).unwrap_err()), &PortTaken(80));
        assert_eq!(bus.block().code(), code);
    }
}

#[test]
fn a_callback_runs_after_a_start_that_succeeds_in_a_thread_that_can_be_joined() {
    let bus = Bus::new("site");
    let handle = bus.handle();
    let thread = bus.start_with_callback(move |outcome| (outcome.is_ok(), handle.state())).unwrap();
    assert_eq!(thread.join().unwrap(), (true, State::Started));
}

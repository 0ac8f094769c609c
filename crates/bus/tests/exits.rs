//! An exit and its cause: who asked, with which code, and what the listeners on the way out are told.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{Bus, Cause, Done, EXIT, Error, Exit, START, STOP, State};
use sitebus_testkit::{Gate, Transcript};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn block_returns_the_code_and_the_cause_that_were_asked_for() {
    let asked: [(Exit, u8, Cause); 4] = [
        (Exit::success("the console"), 0, Cause::Asked { by: "the console".into() }),
        (Exit::with_code(17, "the console"), 17, Cause::Asked { by: "the console".into() }),
        (Exit::signal("TERM", 15), 0, Cause::Signal { name: "TERM".into(), number: 15 }),
        (Exit::failure("the disk is full"), 1, Cause::Failed { what: "the disk is full".into() }),
    ];
    for (exit, code, cause) in asked {
        let bus = Bus::new("site");
        drop(bus.ask_exit(exit));
        let exit = bus.block();
        assert_eq!((exit.code(), exit.cause(), exit.is_restart()), (code, &cause, false));
    }
}

#[test]
fn an_exit_without_a_name_has_the_place_that_asked() {
    let bus = Bus::new("site");
    let line = line!() + 1;
    bus.exit().unwrap();
    let exit = bus.block();
    let place = format!("{}:{line}", file!());
    assert!(matches!(exit.cause(), Cause::Asked { by } if by.starts_with(&place)), "{exit}");
    let bus = Bus::new("site");
    let line = line!() + 1;
    assert_eq!(bus.restart().unwrap(), Done::Done);
    assert!(bus.block().to_string().starts_with(&format!("restart asked by {}:{line}", file!())));
}

#[test]
fn an_exit_says_who_asked_in_one_sentence() {
    let said = [
        (Exit::success("main"), "exit with code 0 asked by main"),
        (Exit::with_code(3, "main"), "exit with code 3 asked by main"),
        (Exit::signal("INT", 2), "exit with code 0 asked by signal SIGINT (2)"),
        (Exit::failure("no disk"), "exit with code 1 because of a failure: no disk"),
    ];
    for (exit, text) in said {
        assert_eq!(exit.to_string(), text);
    }
}

#[test]
fn an_exit_is_what_main_returns() {
    assert_eq!(Exit::with_code(9, "a test").report(), ExitCode::from(9));
    assert_eq!(ExitCode::from(Exit::success("a test")), ExitCode::SUCCESS);
}

#[test]
fn exit_listeners_are_told_why_and_everybody_may_ask() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let noted = heard.clone();
    bus.on(EXIT).unwrap().subscribe("exits", move |exiting| noted.note(exiting.exit().to_string()));
    assert_eq!(bus.exit_asked(), None);
    bus.ask_exit(Exit::signal("QUIT", 3)).wait_for(SOON).unwrap();
    assert_eq!(heard.lines(), ["exit with code 0 asked by signal SIGQUIT (3)"]);
    assert_eq!(bus.exit_asked(), Some(Exit::signal("QUIT", 3)));
}

#[test]
fn the_first_of_several_exits_counts() {
    let (bus, gate) = (Bus::new("site"), Gate::new());
    let held = gate.clone();
    bus.on(STOP).unwrap().subscribe("is held", move |_| held.pass());
    let first = bus.ask_exit(Exit::with_code(1, "first"));
    gate.wait_for_arrival(SOON);
    let second = bus.ask_exit(Exit::with_code(2, "second"));
    gate.open();
    assert_eq!((first.wait_for(SOON).unwrap(), second.wait_for(SOON).unwrap()), (Done::Done, Done::Done));
    assert_eq!(bus.block(), Exit::with_code(1, "first"));
    drop(bus.ask_exit(Exit::with_code(3, "third")));
    assert_eq!(bus.block(), Exit::with_code(1, "first"));
}

#[test]
fn failures_on_the_way_out_come_back_to_whoever_asked_and_the_end_is_reached() {
    let bus = Bus::new("site");
    bus.on(STOP).unwrap().subscribe("stops badly", |_| Err(anyhow!("no")));
    bus.on(EXIT).unwrap().subscribe("exits badly", |_| -> () { panic!("no") });
    bus.start().unwrap();
    let error = bus.ask_exit(Exit::signal("TERM", 15)).wait_for(SOON).unwrap_err();
    let failed = error.failures().unwrap().iter().map(|failure| failure.listener());
    assert_eq!(failed.collect::<Vec<_>>(), ["stops badly", "exits badly"]);
    assert!(error.to_string().starts_with("exit failed: "), "{error}");
    let exit = bus.block();
    assert_eq!((exit.code(), exit.cause()), (1, Exit::signal("TERM", 15).cause()));
}

#[test]
fn block_may_be_called_on_any_thread_by_several_before_and_after_the_end() {
    let bus = Arc::new(Bus::new("site"));
    bus.start().unwrap();
    let blocks = (0..3).map(|_| {
        let bus = Arc::clone(&bus);
        thread::spawn(move || bus.block())
    });
    let blocks = blocks.collect::<Vec<_>>();
    bus.ask_exit(Exit::with_code(4, "a test")).wait_for(SOON).unwrap();
    for block in blocks {
        assert_eq!(block.join().unwrap().code(), 4);
    }
    assert_eq!(bus.block().code(), 4);
}

#[test]
fn whoever_is_answered_finds_the_bus_exited() {
    let bus = Bus::new("site");
    for ticket in [bus.ask_exit(Exit::success("one")), bus.ask_exit(Exit::success("two"))] {
        ticket.wait_for(SOON).unwrap();
        assert!(matches!(bus.wait(State::Started, None), Err(sitebus_bus::WaitError::Exited { .. })));
    }
}

#[test]
fn an_error_of_the_bus_says_what_was_asked_and_the_cure() {
    let bus = Bus::new("site");
    bus.exit().unwrap();
    let error = bus.start().unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("start was refused: the bus is exiting (exit with code 0 asked by "), "{text}");
    assert!(text.ends_with("; make a new Bus to start again"), "{text}");

    let (bus, gate) = (Bus::new("site"), Gate::new());
    let held = gate.clone();
    bus.on(START).unwrap().subscribe("is held", move |_| held.pass());
    let start = bus.ask_start();
    gate.wait_for_arrival(SOON);
    drop(bus.ask_exit(Exit::signal("INT", 2)));
    gate.open();
    let error: Error = start.wait_for(SOON).unwrap_err();
    assert_eq!(error.to_string(), "start was interrupted: exit with code 0 asked by signal SIGINT (2)");
}

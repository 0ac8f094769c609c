//! How tasks end: together, in time, and by their own wish.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{NEVER, SOON, bus, bus_with_stop, end, wait_for_lines};
use sitebus_bus::{Bus, Exit, State};
use sitebus_tasks::Task;
use sitebus_testkit::{Gate, Recorder, Transcript};

#[test]
fn one_may_stop_the_bus_itself() {
    let ((bus, _), answers) = (bus(), Transcript::new());
    let (handle, notes) = (bus.handle(), answers.clone());
    Task::new("sweeper", move |turn| {
        notes.note(format!("{:?}", handle.stop()));
        assert!(turn.wait(NEVER));
    })
    .subscribe(&bus);
    for _ in 0..2 {
        bus.start().unwrap();
        bus.wait(State::Stopped, Some(SOON)).unwrap();
    }
    assert_eq!(answers.lines(), ["Ok(Noted)", "Ok(Noted)"]);
    end(bus);
}

#[test]
fn one_may_end_and_restart_and_reload_the_bus_itself() {
    let ((bus, log), answers) = (bus(), Transcript::new());
    let (asks, notes) = (bus.handle(), answers.clone());
    Task::new("sweeper", move |turn| {
        asks.graceful().unwrap(); // this one may be done already
        notes.note(format!("{:?}", asks.restart()));
        notes.note(format!("{:?}", asks.exit()));
        assert!(turn.wait(NEVER));
    })
    .subscribe(&bus);
    drop(bus.ask_start());
    let exit = bus.block();
    assert!(!exit.is_restart(), "the exit was asked for last: {exit}");
    assert_eq!(answers.lines(), ["Ok(Noted)"; 2]);
    assert!(!log.lines().iter().any(|line| line.contains("not ended")), "{log:?}");
}

#[test]
fn one_that_does_not_end_is_named_and_never_has_two_turns_at_once() {
    let bus = bus_with_stop(Duration::from_millis(50));
    let (log, gate, turns) = (Recorder::of(&bus).log().clone(), Gate::new(), Transcript::new());
    let (held, notes) = (gate.clone(), turns.clone());
    Task::new("sweeper", move |turn| {
        notes.note("begins");
        held.pass();
        notes.note("ends");
        let _ = turn.wait(Duration::from_millis(1));
    })
    .subscribe(&bus);
    for _ in 0..2 {
        bus.start().unwrap();
        gate.wait_for_arrival(SOON);
        let error = bus.stop().unwrap_err().to_string();
        assert!(error.contains("task 'sweeper' has not ended"), "{error}");
        assert!(error.contains("have it look at its `Turn` more often"), "{error}");
    }
    assert_eq!(turns.lines(), ["begins"]);
    bus.start().unwrap();
    gate.open();
    wait_for_lines(&turns, 6);
    bus.stop().unwrap();
    for pair in turns.lines().chunks(2) {
        assert_eq!(pair, ["begins", "ends"]);
    }
    assert!(!log.lines().iter().any(|line| line.contains("left behind: it had not ended")), "{log:?}");
    end(bus);
}

#[test]
fn one_that_never_ends_is_named_again_at_the_end_of_the_bus() {
    let bus = bus_with_stop(Duration::from_millis(50));
    let (log, gate) = (Recorder::of(&bus).log().clone(), Gate::new());
    let held = gate.clone();
    Task::new("sweeper", move |_| held.pass()).subscribe(&bus);
    bus.start().unwrap();
    gate.wait_for_arrival(SOON);
    drop(bus.ask_exit(Exit::success("a test")));
    assert_eq!(bus.block().code(), 1);
    log.wait_for("thread 'sweeper' was left behind", SOON).unwrap();
    gate.open();
}

#[test]
fn all_are_told_before_the_first_is_waited_for() {
    let (bus, _) = bus();
    let (done, is_done) = mpsc::channel();
    // The last one is stopped first: it ends once the first one has.
    Task::new("first", move |turn| {
        assert!(turn.wait(NEVER));
        let _ = done.send(());
    })
    .subscribe(&bus);
    Task::new("last", move |turn| {
        assert!(turn.wait(NEVER));
        is_done.recv_timeout(SOON).unwrap();
    })
    .subscribe(&bus);
    bus.start().unwrap();
    bus.stop().unwrap();
    end(bus);
}

#[test]
fn a_hurry_ends_the_waiting_for_one_that_does_not_end() {
    let (bus, gate) = (bus_with_stop(NEVER), Gate::new());
    let held = gate.clone();
    Task::new("sweeper", move |_| held.pass()).subscribe(&bus);
    bus.start().unwrap();
    gate.wait_for_arrival(SOON);
    let stopping = bus.ask_stop();
    bus.wait(State::Stopping, Some(SOON)).unwrap();
    bus.hurry();
    let error = stopping.wait_for(SOON).unwrap_err().to_string();
    assert!(error.contains("task 'sweeper' has not ended"), "{error}");
    gate.open();
    end(bus);
}

#[test]
fn unsubscribing_ends_it_and_so_does_the_end_of_the_bus() {
    for drop_the_bus in [false, true] {
        let ((bus, _), turns) = (bus(), Transcript::new());
        let notes = turns.clone();
        let plugin = Task::new("sweeper", move |turn| {
            notes.note("begins");
            assert!(turn.wait(NEVER));
            notes.note("ends");
        })
        .subscribe(&bus);
        bus.start().unwrap();
        turns.wait_for("begins", SOON).unwrap();
        if drop_the_bus {
            drop(bus);
        } else {
            plugin.unsubscribe();
        }
        turns.wait_for("ends", SOON).unwrap();
    }
}

#[test]
fn a_turn_says_that_it_is_to_end_to_whoever_asks() {
    let ((bus, _), seen) = (bus(), Transcript::new());
    let notes = seen.clone();
    Task::new("sweeper", move |turn| {
        notes.note(format!("{:?}", turn.wait(Duration::ZERO)));
        while !turn.is_ending() {
            thread::yield_now();
        }
        notes.note(format!("{:?}", turn.wait(NEVER)));
    })
    .subscribe(&bus);
    bus.start().unwrap();
    wait_for_lines(&seen, 1);
    bus.stop().unwrap();
    assert_eq!(seen.lines(), ["false", "true"]);
    end(bus);
}

#[test]
fn a_start_that_fails_ends_what_had_begun() {
    let (bus, turns) = (Bus::new("site"), Transcript::new());
    let notes = turns.clone();
    Task::new("sweeper", move |turn| {
        notes.note("begins");
        assert!(turn.wait(NEVER));
        notes.note("ends");
    })
    .subscribe(&bus);
    let begun = turns.clone();
    bus.plugin("late").on_start(sitebus_bus::priority::TASKS, move |_| {
        begun.wait_for("begins", SOON)?;
        anyhow::bail!("too late")
    });
    bus.start().unwrap_err();
    let _ = bus.block();
    assert_eq!(turns.lines(), ["begins", "ends"]);
}

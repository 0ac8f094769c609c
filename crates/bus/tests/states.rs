//! The channel on which a bus says that its state has changed.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use sitebus_bus::{Bus, Cause, Exit, Limits, START, STATE, State};
use sitebus_testkit::{Gate, Recorder, Transcript};

const SOON: Duration = Duration::from_secs(10);

fn noted(bus: &Bus) -> Transcript {
    let states = Transcript::new();
    let lines = states.clone();
    bus.on(STATE).unwrap().subscribe("noted", move |state| lines.note(state.to_string()));
    states
}

#[test]
fn every_change_is_told_in_order_and_after_it_has_happened() {
    let bus = Bus::new("site");
    let states = noted(&bus);
    let (handle, last) = (bus.handle(), states.clone());
    bus.on(STATE)
        .unwrap()
        .subscribe("agrees", move |state| last.note(format!("{}", handle.state() == *state)));
    bus.start().unwrap();
    bus.stop().unwrap();
    bus.exit().unwrap();
    drop(bus.block());
    let expected = ["STARTING", "STARTED", "STOPPING", "STOPPED", "EXITING"];
    assert_eq!(states.lines(), expected.map(|state| [state, "true"]).concat());
}

#[test]
fn one_that_fails_is_reported_and_the_others_are_told() {
    let bus = Bus::new("site");
    bus.on(STATE).unwrap().subscribe_at(1, "fails", |_| -> anyhow::Result<()> { bail!("no bus to tell") });
    bus.on(STATE).unwrap().subscribe_at(2, "panics", |_| -> () { panic!("no bus at all") });
    let (states, recorder) = (noted(&bus), Recorder::of(&bus));
    bus.start().unwrap();
    bus.exit().unwrap();
    drop(bus.block());
    assert_eq!(states.lines().len(), 5);
    let said = |line: &str| recorder.log().lines().iter().filter(|said| said.contains(line)).count();
    assert_eq!(said("'fails' failed on 'state': no bus to tell"), 5);
    assert_eq!(said("'panics' panicked on 'state': no bus at all"), 5);
}

#[test]
fn one_that_hangs_is_given_up_and_named_and_holds_up_nothing() {
    let mut limits = Limits::default();
    limits.log = Duration::from_millis(20);
    let bus = Bus::builder("site").limits(limits).build();
    let never = Gate::new();
    let held = never.clone();
    bus.on(STATE).unwrap().subscribe_at(1, "hangs", move |state| {
        if *state == State::Starting {
            held.pass();
        }
    });
    let (states, recorder) = (noted(&bus), Recorder::of(&bus));
    bus.start().unwrap();
    recorder.log().wait_for("'hangs' was given up on 'state' after 20ms", SOON).unwrap();
    bus.exit().unwrap();
    drop(bus.block());
    assert_eq!(states.lines()[..2], ["STARTING", "STARTED"]);
    never.open();
}

#[test]
fn one_may_ask_for_an_exit_by_calling_and_by_returning_it() {
    for by_returning in [false, true] {
        let bus = Bus::new("site");
        let handle = bus.handle();
        bus.on(STATE).unwrap().subscribe("enough", move |state| {
            if *state == State::Started {
                if by_returning {
                    return Err(Exit::with_code(7, "returned").into());
                }
                drop(handle.ask_exit(Exit::with_code(7, "called")));
            }
            Ok(())
        });
        bus.start().unwrap();
        assert_eq!(bus.block().code(), 7);
    }
}

#[test]
fn a_success_that_one_returns_after_a_failure_is_none_and_the_others_are_told() {
    let bus = Bus::new("site");
    bus.on(STATE).unwrap().subscribe_at(1, "fails", |_| -> anyhow::Result<()> { bail!("no bus to tell") });
    bus.on(STATE).unwrap().subscribe_at(2, "enough", |state| match state {
        State::Started => Err(Exit::success("enough").into()),
        _ => Ok(()),
    });
    let states = noted(&bus);
    bus.start().unwrap();
    assert_eq!(bus.block().code(), 1);
    assert_eq!(states.lines().len(), 5);
}

#[test]
fn a_start_that_fails_is_told_to_its_end() {
    let bus = Bus::new("site");
    let states = noted(&bus);
    bus.on(START).unwrap().subscribe("fails", |_| Err::<(), _>(anyhow!("no")));
    bus.start().unwrap_err();
    assert!(matches!(bus.block().cause(), Cause::Failed { .. }));
    assert_eq!(states.lines(), ["STARTING", "STOPPING", "STOPPED", "EXITING"]);
}

#[test]
fn its_listeners_are_forgotten_with_the_bus() {
    let (bus, held) = (Bus::new("site"), Arc::new(()));
    let (handle, value) = (bus.handle(), Arc::clone(&held));
    bus.on(STATE).unwrap().subscribe("circle", move |_| drop((handle.state(), Arc::clone(&value))));
    bus.start().unwrap();
    bus.exit().unwrap();
    drop(bus.block());
    drop(bus);
    assert_eq!(Arc::strong_count(&held), 1);
}

//! Async listeners, waited for where they are called.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::thread;
use std::time::Duration;

use anyhow::{anyhow, bail};
use sitebus_bus::{Bus, Commit, GRACEFUL, Limits, Reason, START, STOP, Task, Topic, from_async};
use sitebus_testkit::{FakeClock, Gate, Transcript, block_on};

const SOON: Duration = Duration::from_secs(10);
const DOUBLE: Topic<u32, u32> = Topic::new("double");

/// The smallest runtime that there is: a thread for each task.
fn spawn(task: Task) {
    thread::spawn(move || block_on(task, SOON * 6));
}

#[test]
fn the_listener_ends_when_its_future_does_so_the_order_holds() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    for name in ["one", "two", "three"] {
        let heard = heard.clone();
        let listener = from_async(spawn, move |_start| {
            let heard = heard.clone();
            async move {
                heard.note(format!("{name} begins"));
                thread::yield_now();
                heard.note(format!("{name} ends"));
                Ok(())
            }
        });
        bus.on(START).unwrap().subscribe(name, listener);
    }
    bus.start().unwrap();
    let expected = ["one begins", "one ends", "two begins", "two ends", "three begins", "three ends"];
    assert_eq!(heard.lines(), expected);
}

#[test]
fn outputs_errors_and_commits_come_through() {
    let bus = Bus::new("site");
    let double = bus.on(DOUBLE).unwrap();
    double.subscribe("doubles", from_async(spawn, |number: u32| async move { Ok(number * 2) }));
    double.subscribe("refuses", from_async(spawn, |number: u32| async move { bail!("not {number}") }));
    let collected = double.collect(&21);
    assert_eq!(collected.outputs, [42]);
    assert_eq!(collected.failures.unwrap().to_string(), "'refuses' failed on 'double': not 21");

    let heard = Transcript::new();
    let noted = heard.clone();
    let prepares = from_async(spawn, move |_graceful| {
        let noted = noted.clone();
        async move {
            Ok(Commit::new(move || {
                noted.note("commit");
                Ok(())
            }))
        }
    });
    bus.on(GRACEFUL).unwrap().subscribe("prepares", prepares);
    bus.graceful().unwrap();
    assert_eq!(heard.lines(), ["commit"]);
}

#[test]
fn a_task_that_panics_or_is_dropped_is_a_failure() {
    let bus = Bus::new("site");
    let double = bus.on(DOUBLE).unwrap();
    double.subscribe("panics", from_async(spawn, |_| async { panic!("oh") }));
    double.subscribe("is dropped", from_async(drop, |number| async move { Ok(number) }));
    double.subscribe(
        "has no runtime",
        from_async(|_| panic!("no runtime"), |number| async move { Ok(number) }),
    );
    let failures = double.collect(&1).failures.unwrap();
    let texts = failures.iter().map(ToString::to_string).collect::<Vec<_>>();
    let gone = "its task ended without an answer: it panicked, or its runtime is gone";
    assert_eq!(texts[0], format!("'panics' failed on 'double': {gone}"));
    assert_eq!(texts[1], format!("'is dropped' failed on 'double': {gone}"));
    assert!(texts[2].contains("panicked on 'double': no runtime"), "{texts:?}");
}

#[test]
fn the_deadline_holds_for_a_future_that_hangs_and_its_late_answer_is_ignored() {
    let clock = FakeClock::new();
    let bus = Bus::builder("site").clock(clock.clone()).build();
    let gate = Gate::new();
    let held = gate.clone();
    let hangs = from_async(spawn, move |_stop| {
        let held = held.clone();
        async move {
            held.pass();
            Err::<(), _>(anyhow!("late"))
        }
    });
    bus.on(STOP).unwrap().subscribe("hangs", hangs);
    let stop = bus.ask_stop();
    gate.wait_for_arrival(SOON);
    clock.advance(Limits::default().stop.each);
    let error = stop.wait_for(SOON).unwrap_err();
    assert!(matches!(error.failures().unwrap().first().reason(), Reason::Overran(_)));
    gate.open();
    bus.start().unwrap();
}

#[test]
fn a_future_can_wait_for_the_cancellation_and_the_hurry_in_its_message() {
    let (bus, gate) = (Bus::new("site"), Gate::new());
    let held = gate.clone();
    gate.open();
    let waits = from_async(spawn, move |start: sitebus_bus::Start| {
        let held = held.clone();
        async move {
            held.pass();
            start.cancelled().when().await;
            Ok(())
        }
    });
    bus.on(START).unwrap().subscribe("waits", waits);
    let drains = from_async(spawn, |stop: sitebus_bus::Stop| async move {
        stop.hurry().when().await;
        Ok(())
    });
    bus.on(STOP).unwrap().subscribe("drains", drains);
    let start = bus.ask_start();
    gate.wait_for_arrival(SOON);
    let exit = bus.ask_exit(sitebus_bus::Exit::success("a test"));
    start.wait_for(SOON).unwrap_err();
    bus.hurry();
    exit.wait_for(SOON).unwrap();
    assert_eq!(bus.block().code(), 0);
}

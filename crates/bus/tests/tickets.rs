//! Receipts for requests: asking never blocks, and inside listeners nothing waits.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{Bus, Done, EXIT, Error, Exit, Handle, START, STOP, SettingsMap, State, Verb};
use sitebus_testkit::{Gate, Transcript, block_on};

const SOON: Duration = Duration::from_secs(10);

/// A bus that is held in its start.
fn held() -> (Bus, Gate) {
    let (bus, gate) = (Bus::new("site"), Gate::new());
    let held = gate.clone();
    bus.on(START).unwrap().subscribe("is held", move |_| held.pass());
    (bus, gate)
}

#[test]
fn asking_never_blocks_whatever_runs() {
    let (bus, gate) = held();
    let start = bus.ask_start();
    gate.wait_for_arrival(SOON);
    let asked = [bus.ask_stop(), bus.ask_start(), bus.ask_graceful(SettingsMap::new())];
    assert!(start.outcome().is_none() && asked.iter().all(|ticket| ticket.outcome().is_none()));
    gate.open();
    for ticket in asked {
        assert_eq!(ticket.wait_for(SOON).unwrap(), Done::Done);
    }
    assert_eq!(start.outcome().unwrap().unwrap(), Done::Done);
}

#[test]
fn dropping_a_ticket_cancels_nothing() {
    let (bus, gate) = held();
    drop(bus.ask_start());
    gate.open();
    bus.wait(State::Started, Some(SOON)).unwrap();
}

#[test]
fn patience_ends_and_the_request_goes_on() {
    let (bus, gate) = held();
    let ticket = bus.ask_start();
    let error = ticket.wait_for(Duration::from_millis(1)).unwrap_err();
    let patience = Duration::from_millis(1);
    assert!(matches!(error, Error::TimedOut { asked: Verb::Start, waited } if waited == patience));
    assert_eq!(
        error.to_string(),
        "start was not done within 1ms; it still goes on, and can be waited for again"
    );
    gate.open();
    assert_eq!(ticket.wait_for(SOON).unwrap(), Done::Done);
}

#[test]
fn patience_without_end_is_no_overflow() {
    let (bus, gate) = held();
    let ticket = bus.ask_start();
    gate.wait_for_arrival(SOON);
    gate.open();
    assert_eq!(ticket.wait_for(Duration::MAX).unwrap(), Done::Done);
}

#[test]
fn a_ticket_is_waited_for_by_many_and_all_learn_the_same() {
    let bus = Bus::new("site");
    let gate = Gate::new();
    let held = gate.clone();
    bus.on(START).unwrap().subscribe("fails", move |_| {
        held.pass();
        Err(anyhow!("no"))
    });
    let ticket = bus.ask_start();
    let waiters = (0..20).map(|number| {
        let ticket = ticket.clone();
        thread::spawn(move || if number % 2 == 0 { ticket.wait() } else { block_on(ticket, SOON).unwrap() })
    });
    let waiters = waiters.collect::<Vec<_>>();
    gate.open();
    for waiter in waiters {
        let error = waiter.join().unwrap().unwrap_err();
        assert_eq!(error.failures().unwrap().first().listener(), "fails");
    }
    block_on(ticket, SOON).unwrap().unwrap_err();
}

#[test]
fn a_ticket_is_a_future_that_belongs_to_no_runtime() {
    let bus = Bus::new("site");
    assert_eq!(block_on(bus.ask_start(), SOON).unwrap().unwrap(), Done::Done);
    let ticket = bus.ask_exit(Exit::success("a test"));
    let outcome = block_on(
        async {
            let (one, two) = (ticket.clone().await, ticket.await);
            one.and(two)
        },
        SOON,
    );
    assert_eq!(outcome.unwrap().unwrap(), Done::Done);
}

/// Every verb on the bus of one's own lane.
fn ask_everything(handle: &Handle) -> Vec<Result<Done, Error>> {
    vec![
        handle.start(),
        handle.stop(),
        handle.graceful(),
        handle.ask_stop().wait_for(SOON),
        handle.start_with_callback(drop).map(|_| Done::Noted),
        handle.exit(),
        handle.ask_restart("refused, but a later moment decides").wait(),
    ]
}

#[test]
fn inside_a_listener_every_verb_is_noted_at_once() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let (handle, noted) = (bus.handle(), heard.clone());
    bus.on(STOP).unwrap().subscribe("asks", move |_| {
        for outcome in ask_everything(&handle) {
            noted.note(outcome.map_or_else(|error| error.to_string(), |done| format!("{done:?}")));
        }
    });
    let handle = bus.handle();
    bus.on(EXIT).unwrap().subscribe("asks", move |_| {
        assert_eq!(handle.exit().unwrap(), Done::Noted);
        assert!(matches!(handle.start(), Err(Error::Refused { .. })), "what is refused is so at once");
        assert!(matches!(handle.stop(), Err(Error::Refused { .. })));
    });
    bus.start().unwrap();
    bus.stop().unwrap();
    assert_eq!(bus.block().code(), 0);
    let lines = heard.lines();
    assert_eq!(lines[..6], ["Noted"; 6]);
    assert!(lines[6].starts_with("restart was refused"), "{lines:?}");
}

#[test]
fn what_a_listener_asked_for_is_done_next() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let (handle, noted) = (bus.handle(), heard.clone());
    bus.on(START).unwrap().subscribe("asks", move |_| {
        assert_eq!(handle.stop().unwrap(), Done::Noted);
        assert_eq!(handle.state(), State::Starting);
        noted.note("start");
    });
    let noted = heard.clone();
    bus.on(STOP).unwrap().subscribe("stops", move |_| noted.note("stop"));
    let stopped = bus.when(State::Stopping);
    bus.start().unwrap();
    assert_eq!(block_on(stopped, SOON).unwrap().unwrap(), State::Stopping);
    bus.stop().unwrap();
    assert_eq!(heard.lines(), ["start", "stop"]);
}

/// The publisher of a topic of one's own is not the bus: it waits for itself only if it is the lane.
#[test]
fn a_listener_of_another_topic_on_another_thread_may_wait_for_the_bus() {
    const TOPIC: sitebus_bus::Topic<()> = sitebus_bus::Topic::new("topic");
    let bus = Bus::new("site");
    let handle = bus.handle();
    bus.on(TOPIC).unwrap().subscribe("starts", move |()| {
        assert_eq!(handle.start()?, Done::Done);
        Ok(())
    });
    bus.on(TOPIC).unwrap().publish(&()).unwrap();
    assert_eq!(bus.state(), State::Started);
}

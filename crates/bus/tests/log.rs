//! The log channel: it can never fail its publisher.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{Bus, Exit, LOG, Level, Limits, START, Topic};
use sitebus_testkit::{FakeClock, Gate, Recorder, Transcript};

const SOON: Duration = Duration::from_secs(10);

fn messages(bus: &Bus) -> Transcript {
    let heard = Transcript::new();
    let noted = heard.clone();
    bus.on(LOG).unwrap().subscribe("notes", move |record| noted.note(record.message.clone()));
    heard
}

#[test]
fn a_line_has_its_level_and_the_name_of_the_bus_or_the_plugin() {
    let bus = Bus::new("site");
    let recorder = Recorder::of(&bus);
    bus.log(Level::Info, "of the bus");
    bus.plugin("http").log(Level::Warn, "of a plugin");
    assert_eq!(recorder.transcript().lines(), ["log INFO site: of the bus", "log WARN http: of a plugin"]);
    assert!(Level::Debug < Level::Info && Level::Info < Level::Warn && Level::Warn < Level::Error);
}

#[test]
fn a_log_listener_that_fails_or_panics_fails_neither_the_publisher_nor_the_other_listeners() {
    let bus = Bus::new("site");
    bus.on(LOG).unwrap().subscribe("fails", |_| Err(anyhow!("disk full")));
    bus.on(LOG).unwrap().subscribe("panics", |_| -> () { panic!("disk on fire") });
    let heard = messages(&bus);
    bus.log(Level::Info, "one");
    bus.start().unwrap();
    bus.graceful().unwrap();
    bus.exit().unwrap();
    assert_eq!(bus.block().code(), 0);
    let lines = heard.lines();
    assert_eq!((lines[0].as_str(), lines.len()), ("one", 9), "{lines:?}");
}

#[test]
fn a_log_listener_that_logs_does_not_call_itself() {
    let bus = Bus::new("site");
    let handle = bus.handle();
    let heard = Transcript::new();
    let noted = heard.clone();
    bus.on(LOG).unwrap().subscribe("logs", move |record| {
        noted.note(record.message.clone());
        handle.log(Level::Info, format!("heard: {}", record.message));
    });
    bus.log(Level::Info, "one");
    bus.log(Level::Info, "two");
    assert_eq!(heard.lines(), ["one", "two"]);
}

#[test]
fn a_log_listener_may_hand_its_lines_to_another_bus_and_back_once() {
    let (site, fleet) = (Bus::new("site"), Bus::new("fleet"));
    let (in_site, in_fleet) = (messages(&site), messages(&fleet));
    let (up, down) = (fleet.handle(), site.handle());
    site.on(LOG).unwrap().subscribe("up", move |record| up.log(record.level, record.message.clone()));
    fleet.on(LOG).unwrap().subscribe("down", move |record| down.log(record.level, record.message.clone()));
    site.log(Level::Info, "from the site");
    assert_eq!(
        (in_site.take(), in_fleet.take()),
        (vec!["from the site".into()], vec!["from the site".into()])
    );
    fleet.log(Level::Info, "from the fleet");
    assert_eq!(
        (in_site.take(), in_fleet.take()),
        (vec!["from the fleet".into()], vec!["from the fleet".into()])
    );
}

#[test]
fn a_log_listener_may_ask_the_bus_for_an_exit_by_returning_one() {
    let bus = Bus::new("site");
    bus.on(LOG).unwrap().subscribe_at(1, "fails", |_| Err(anyhow!("no")));
    bus.on(LOG).unwrap().subscribe_at(2, "leaves", |record| {
        if record.message == "leave" { Err(Exit::success("the log").into()) } else { Ok(()) }
    });
    let heard = messages(&bus);
    bus.log(Level::Info, "leave");
    assert_eq!(bus.block().code(), 1, "something had failed before");
    assert!(!heard.lines().contains(&"leave".to_owned()), "the publish ended at once");
}

#[test]
fn failures_on_the_log_channel_published_by_hand_come_back_to_the_publisher() {
    let bus = Bus::new("site");
    let records = bus.on(LOG).unwrap().receive("records", 1);
    bus.log(Level::Info, "one");
    let record = records.receiver().recv_timeout(SOON).unwrap();
    drop(records);
    bus.on(LOG).unwrap().subscribe("fails", |_| Err(anyhow!("no")));
    assert_eq!(bus.on(LOG).unwrap().publish(&record).unwrap_err().len(), 1);
}

/// The line is delivered by the lane, with a deadline like everything there.
#[test]
fn a_log_listener_that_hangs_on_the_lane_is_given_up_once_and_not_asked_again_there() {
    let clock = FakeClock::new();
    let bus = Bus::builder("site").clock(clock.clone()).build();
    let (gate, heard) = (Gate::new(), Transcript::new());
    let (held, noted) = (gate.clone(), heard.clone());
    bus.on(LOG).unwrap().subscribe("hangs", move |record| {
        noted.note(record.message.clone());
        held.pass();
    });
    let started = Transcript::new();
    let starts = started.clone();
    bus.on(START).unwrap().subscribe("starts", move |_| starts.note("start"));
    let start = bus.ask_start();
    gate.wait_for_arrival(SOON);
    clock.advance(Limits::default().log);
    start.wait_for(SOON).unwrap();
    assert_eq!(started.lines(), ["start"]);
    bus.ask_exit(Exit::success("a test")).wait_for(SOON).unwrap();
    assert_eq!(bus.block().code(), 0, "a line that is late fails nothing");
    assert_eq!(heard.lines(), ["Bus STARTING"], "the rest went to tracing");

    // Other threads take their own time with it.
    let handle = bus.handle();
    let logs = thread::spawn(move || handle.log(Level::Info, "from elsewhere"));
    heard.wait_for("from elsewhere", SOON).unwrap();
    gate.open();
    logs.join().unwrap();
}

/// A full pipe behind the log is no reason to stay: neither for whoever blocks nor for whoever drops the owner.
#[test]
fn a_log_listener_that_hangs_keeps_neither_block_nor_the_drop_of_the_owner() {
    let mut limits = Limits::default();
    (limits.log, limits.join) = (Duration::from_millis(20), Duration::from_millis(20));
    for blocks in [true, false] {
        let bus = Bus::builder("site").limits(limits).build();
        let (gate, heard) = (Gate::new(), Transcript::new());
        let (held, noted) = (gate.clone(), heard.clone());
        bus.start().unwrap();
        let adopted = gate.clone();
        bus.adopt("worker", thread::spawn(move || adopted.pass()));
        if blocks {
            bus.exit().unwrap();
        }
        bus.on(LOG).unwrap().subscribe("hangs", move |record| {
            noted.note(record.message.clone());
            held.pass();
        });
        if blocks {
            assert_eq!(bus.block().code(), 0);
            assert_eq!(heard.lines(), ["waiting for thread 'worker'"]);
        }
        drop(bus);
        assert_eq!(heard.lines().len(), 1, "asked once");
        gate.open();
    }
}

#[test]
fn what_a_listener_logs_while_it_fails_is_told_too() {
    const TOPIC: Topic<()> = Topic::new("topic");
    let bus = Bus::new("site");
    let heard = messages(&bus);
    let handle = bus.handle();
    bus.on(TOPIC).unwrap().subscribe("db", move |()| {
        handle.log(Level::Info, "trying");
        Err(anyhow!("gone"))
    });
    bus.on(TOPIC).unwrap().publish(&()).unwrap_err();
    assert_eq!(heard.lines(), ["trying", "'db' failed on 'topic': gone"]);
}

//! What fails in a publish, and who learns of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::time::Duration;

use anyhow::{Context, anyhow};
use sitebus_bus::{
    Bus, Cause, Commit, Done, EXIT, Error, Exit, GRACEFUL, RESTART, START, STOP, State, Topic,
};
use sitebus_testkit::{Recorder, Transcript};

const TOPIC: Topic<()> = Topic::new("topic");
const PRICE: Topic<(), u32> = Topic::new("price");
const SOON: Duration = Duration::from_secs(10);

#[test]
fn every_listener_runs_and_failures_are_collected_in_order_with_listener_channel_and_error() {
    let bus = Bus::new("site");
    let (channel, heard) = (bus.on(TOPIC).unwrap(), Transcript::new());
    let recorder = Recorder::of(&bus);
    for (number, fails) in [(1, true), (2, false), (3, true), (4, false)] {
        let heard = heard.clone();
        channel.subscribe(format!("number {number}"), move |()| {
            heard.note(number.to_string());
            if fails { Err(anyhow!("error {number}")).context("at work") } else { Ok(()) }
        });
    }
    let failures = channel.publish(&()).unwrap_err();
    assert_eq!(heard.lines(), ["1", "2", "3", "4"]);
    let told =
        failures.iter().map(|failure| (failure.listener(), failure.channel(), failure.error().unwrap()));
    let told = told.map(|(listener, channel, error)| format!("{listener} {channel} {error:#}"));
    assert_eq!(
        told.collect::<Vec<_>>(),
        ["number 1 topic at work: error 1", "number 3 topic at work: error 3"]
    );
    assert_eq!(
        failures.to_string(),
        "'number 1' failed on 'topic': at work: error 1; 'number 3' failed on 'topic': at work: error 3"
    );
    assert_eq!(failures.first().listener(), "number 1");
    assert_eq!(recorder.log().lines().len(), 2, "each is logged");
}

#[test]
fn outputs_come_beside_failures_in_the_order_of_the_listeners() {
    let bus = Bus::new("site");
    let channel = bus.on(PRICE).unwrap();
    channel.subscribe("one", |()| Ok(1));
    channel.subscribe("two", |()| Err(anyhow!("sold out")));
    channel.subscribe("panics", |()| -> anyhow::Result<u32> { panic!("out of stock") });
    channel.subscribe("four", |()| Ok(4));
    let collected = channel.collect(&());
    assert_eq!(collected.outputs, [1, 4]);
    let failures = collected.failures.unwrap();
    assert_eq!(failures.iter().map(|failure| failure.listener()).collect::<Vec<_>>(), ["two", "panics"]);
    assert!(collected.exit.is_none());
}

#[test]
fn a_listener_that_returns_an_exit_ends_the_publish_at_once_and_the_bus_exits_with_it() {
    let bus = Bus::new("site");
    let (channel, heard) = (bus.on(TOPIC).unwrap(), Transcript::new());
    channel.subscribe("leaves", |()| Err(Exit::with_code(4, "the listener").into()));
    let noted = heard.clone();
    channel.subscribe("not reached", move |()| noted.note("reached"));
    let failures = channel.publish(&()).unwrap_err();
    assert_eq!((failures.len(), failures.first().listener()), (1, "leaves"));
    let exit = bus.block();
    assert_eq!((exit.code(), exit.cause()), (4, &Cause::Asked { by: "the listener".into() }));
    assert!(heard.lines().is_empty());
}

#[test]
fn an_exit_under_a_context_is_an_exit_all_the_same() {
    let bus = Bus::new("site");
    let channel = bus.on(TOPIC).unwrap();
    channel.subscribe("leaves", |()| Err(Exit::with_code(4, "inside")).context("one").context("two"));
    channel.publish(&()).unwrap_err();
    assert_eq!(bus.block().code(), 4);
}

#[test]
fn a_collect_tells_which_exit_ended_it() {
    let bus = Bus::new("site");
    let channel = bus.on(PRICE).unwrap();
    channel.subscribe("one", |()| Ok(1));
    channel.subscribe("fails", |()| Err(anyhow!("no")));
    channel.subscribe("leaves", |()| Err(Exit::success("enough").into()));
    channel.subscribe("not reached", |()| Ok(4));
    let collected = channel.collect(&());
    assert_eq!(collected.outputs, [1]);
    assert_eq!(collected.failures.unwrap().len(), 2);
    assert_eq!(collected.exit.unwrap().code(), 1, "something had failed before");
    assert_eq!(bus.block().code(), 1);
}

#[test]
fn a_start_listener_that_returns_an_exit_skips_the_rest_of_the_start() {
    let bus = Bus::new("site");
    let heard = Transcript::new();
    bus.on(START).unwrap().subscribe("leaves", |_| Err(Exit::with_code(6, "checked").into()));
    let (noted, stopped) = (heard.clone(), heard.clone());
    bus.on(START).unwrap().subscribe("not reached", move |_| noted.note("start"));
    bus.on(STOP).unwrap().subscribe("stops", move |_| stopped.note("stop"));
    let error = bus.start().unwrap_err();
    assert!(matches!(&error, Error::Interrupted { exit, .. } if exit.code() == 6), "{error}");
    assert_eq!(bus.block().code(), 6);
    assert_eq!(heard.lines(), ["stop"]);
}

#[test]
fn a_stop_or_exit_listener_that_returns_an_exit_ends_neither_stop_nor_exit() {
    let bus = Bus::new("site");
    let heard = Transcript::new();
    let [on_stop, on_exit] = [(); 2].map(|()| heard.clone());
    bus.on(STOP).unwrap().subscribe_at(1, "leaves", |_| Err(Exit::with_code(3, "stop").into()));
    bus.on(STOP).unwrap().subscribe_at(2, "runs", move |_| on_stop.note("stop"));
    bus.on(EXIT).unwrap().subscribe_at(1, "leaves too", |_| Err(Exit::with_code(4, "exit").into()));
    bus.on(EXIT).unwrap().subscribe_at(2, "runs", move |_| on_exit.note("exit"));
    bus.start().unwrap();
    assert_eq!(bus.stop().unwrap(), Done::Done);
    assert_eq!(bus.block().code(), 3, "the first one counts");
    assert_eq!(heard.lines(), ["stop", "exit"]);
}

#[test]
fn a_success_becomes_a_failure_if_something_failed_before_in_the_same_start() {
    let bus = Bus::new("site");
    bus.on(START).unwrap().subscribe("fails", |_| Err(anyhow!("no")));
    bus.on(START).unwrap().subscribe("leaves", |_| Err(Exit::success("enough").into()));
    let error = bus.start().unwrap_err();
    assert_eq!(error.failures().unwrap().first().listener(), "fails");
    assert_eq!(bus.block().code(), 1);
}

#[test]
fn a_success_becomes_a_failure_if_something_failed_before_in_the_same_stop() {
    let bus = Bus::new("site");
    bus.on(STOP).unwrap().subscribe_at(1, "fails", |_| Err(anyhow!("no")));
    bus.on(STOP).unwrap().subscribe_at(2, "leaves", |_| Err(Exit::success("enough").into()));
    bus.start().unwrap();
    let error = bus.stop().unwrap_err();
    assert_eq!((error.failures().unwrap().len(), error.failures().unwrap().first().listener()), (1, "fails"));
    assert_eq!(bus.block().code(), 1);
}

/// Where the failures themselves end nothing: they are a veto, or the report of a reload.
#[test]
fn a_success_becomes_a_failure_if_something_failed_before_in_the_same_reload_or_look() {
    let (looks, commits) = (Bus::new("looks"), Bus::new("commits"));
    looks.on(GRACEFUL).unwrap().subscribe("fails", |_| Err(anyhow!("no")));
    looks.on(GRACEFUL).unwrap().subscribe("leaves", |_| Err(Exit::success("enough").into()));
    looks.graceful().unwrap_err();
    commits.on(GRACEFUL).unwrap().subscribe("fails", |_| Ok(Commit::new(|| Err(anyhow!("no")))));
    commits
        .on(GRACEFUL)
        .unwrap()
        .subscribe("leaves", |_| Ok(Commit::new(|| Err(Exit::success("enough").into()))));
    commits.graceful().unwrap_err();
    let restarts = Bus::new("restarts");
    restarts.on(RESTART).unwrap().subscribe("fails", |_| Err(anyhow!("no")));
    restarts.on(RESTART).unwrap().subscribe("leaves", |_| Err(Exit::success("enough").into()));
    restarts.restart().unwrap_err();
    for bus in [looks, commits, restarts] {
        assert_eq!(bus.block().code(), 1, "{}", bus.name());
    }
}

#[test]
fn a_success_becomes_a_failure_if_something_fails_on_the_way_out() {
    for fails_on_stop in [true, false] {
        let bus = Bus::new("site");
        if fails_on_stop {
            bus.on(STOP).unwrap().subscribe("fails", |_| Err(anyhow!("no")));
        } else {
            bus.on(EXIT).unwrap().subscribe("fails", |_| Err(anyhow!("no")));
        }
        let error = bus.exit().unwrap_err();
        assert_eq!(error.failures().unwrap().first().listener(), "fails");
        assert_eq!(bus.block().code(), 1);
    }
}

#[test]
fn a_listener_that_calls_exit_is_noted_and_everything_it_was_part_of_goes_on() {
    let bus = Bus::new("site");
    let (channel, heard) = (bus.on(TOPIC).unwrap(), Transcript::new());
    let [on_stop, after, on_start] = [(); 3].map(|()| heard.clone());
    let (handle, inner) = (bus.handle(), channel.clone());
    channel.subscribe("asks", move |()| {
        assert_eq!(handle.exit().unwrap(), Done::Noted);
    });
    channel.subscribe("after", move |()| after.note("after"));
    // Published by a listener of the lane, so that the exit cannot begin before the publish is over.
    bus.on(STOP).unwrap().subscribe("publishes", move |_| {
        inner.publish(&()).unwrap();
        on_stop.note("stop");
    });
    bus.start().unwrap();
    bus.stop().unwrap();
    assert_eq!(bus.wait(State::Exiting, Some(SOON)).unwrap(), State::Exiting);
    assert_eq!(heard.take(), ["after", "stop"]);

    let bus = Bus::new("site");
    let handle = bus.handle();
    bus.on(START).unwrap().subscribe("asks", move |_| {
        assert_eq!(handle.exit().unwrap(), Done::Noted);
        on_start.note("start");
    });
    bus.start().unwrap_err();
    assert_eq!(bus.block().code(), 0);
    assert_eq!(heard.take(), ["start"]);
}

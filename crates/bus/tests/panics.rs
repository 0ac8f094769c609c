//! A panic in each place where foreign code runs.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{
    Bus, Commit, Done, EXIT, Error, Exit, Failures, GRACEFUL, LOG, Level, Reason, START, STOP, State, Topic,
};
use sitebus_testkit::{Recorder, Transcript};

const TOPIC: Topic<()> = Topic::new("topic");
const SOON: Duration = Duration::from_secs(10);

#[track_caller]
fn panicked(failures: &Failures, channel: &str) {
    let failure = failures.first();
    assert_eq!((failure.listener(), failure.channel(), failures.len()), ("panics", channel, 1));
    assert!(matches!(failure.reason(), Reason::Panicked(text) if &**text == "oh"), "{failure}");
}

/// After whatever happened, a whole life is still possible.
#[track_caller]
fn lives(bus: &Bus) {
    assert_eq!(bus.start().unwrap(), Done::Done);
    assert_eq!(bus.graceful().unwrap(), Done::Done);
    assert_eq!(bus.exit().unwrap(), Done::Done);
    assert_eq!(bus.block().code(), 0);
}

#[test]
fn a_panic_in_start_fails_the_start() {
    let bus = Bus::new("site");
    bus.on(START).unwrap().subscribe("panics", |_| -> () { panic!("oh") });
    let error = bus.start().unwrap_err();
    panicked(error.failures().unwrap(), "start");
    assert_eq!(bus.block().code(), 1);
}

#[test]
fn a_panic_in_stop_fails_the_stop_and_no_later_one() {
    let bus = Bus::new("site");
    let panics = bus.on(STOP).unwrap().subscribe("panics", |_| -> () { panic!("oh") });
    bus.start().unwrap();
    let error = bus.stop().unwrap_err();
    panicked(error.failures().unwrap(), "stop");
    panics.unsubscribe();
    lives(&bus);
}

#[test]
fn a_panic_in_exit_fails_the_exit_and_the_end_is_reached() {
    let bus = Bus::new("site");
    bus.on(EXIT).unwrap().subscribe("panics", |_| -> () { panic!("oh") });
    let error = bus.exit().unwrap_err();
    panicked(error.failures().unwrap(), "exit");
    assert_eq!(bus.block().code(), 1);
}

#[test]
fn a_panic_in_a_look_is_a_veto_and_one_in_a_commit_is_a_failure() {
    for in_commit in [false, true] {
        let bus = Bus::new("site");
        let panics = bus.on(GRACEFUL).unwrap().subscribe("panics", move |_| {
            if in_commit { Ok(Commit::new(|| panic!("oh"))) } else { panic!("oh") }
        });
        let error = bus.graceful().unwrap_err();
        assert_eq!(matches!(error, Error::Vetoed { .. }), !in_commit);
        panicked(error.failures().unwrap(), "graceful");
        panics.unsubscribe();
        lives(&bus);
    }
}

struct PanicsWhenDropped(&'static str);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

fn owning(commit: PanicsWhenDropped) -> Commit {
    Commit::new(move || {
        let _commit = &commit;
        Ok(())
    })
}

#[test]
fn a_panic_in_the_abort_of_a_commit_is_logged_and_does_not_hide_the_veto() {
    let bus = Bus::new("site");
    let recorder = Recorder::of(&bus);
    let panics = bus.on(GRACEFUL).unwrap().subscribe("panics", |_| Ok(owning(PanicsWhenDropped("oh"))));
    let refuses = bus.on(GRACEFUL).unwrap().subscribe("refuses", |_| Err(anyhow!("no")));
    let error = bus.graceful().unwrap_err();
    assert_eq!(error.failures().unwrap().first().listener(), "refuses");
    recorder.log().wait_for("'panics' panicked on 'graceful': oh", SOON).unwrap();
    panics.unsubscribe();
    refuses.unsubscribe();
    lives(&bus);
}

#[test]
fn a_panic_in_a_log_listener_is_nobodys_failure() {
    let bus = Bus::new("site");
    bus.on(LOG).unwrap().subscribe("panics", |_| -> () { panic!("oh") });
    bus.log(Level::Info, "a line");
    lives(&bus);
}

#[test]
fn a_panic_on_a_topic_of_ones_own_fails_that_publish() {
    let bus = Bus::new("site");
    let panics = bus.on(TOPIC).unwrap().subscribe("panics", |()| -> () { panic!("oh") });
    panicked(&bus.on(TOPIC).unwrap().publish(&()).unwrap_err(), "topic");
    panics.unsubscribe();
    bus.on(TOPIC).unwrap().publish(&()).unwrap();
    lives(&bus);
}

#[test]
fn a_panic_in_a_callback_is_that_threads_own() {
    let bus = Bus::new("site");
    let thread = bus.start_with_callback(|_| -> () { panic!("oh") }).unwrap();
    assert_eq!(thread.join().unwrap_err().downcast_ref(), Some(&"oh"));
    assert_eq!(bus.state(), State::Started);
    lives(&bus);
}

#[test]
fn a_panic_in_an_adopted_thread_is_named_when_the_thread_is_put_away() {
    let bus = Bus::new("site");
    let recorder = Recorder::of(&bus);
    let thread = thread::spawn(|| -> () { panic!("oh") });
    while !thread.is_finished() {
        thread::yield_now();
    }
    bus.adopt("worker", thread);
    bus.adopt("another", thread::spawn(|| ())); // what has ended is put away here
    recorder.log().wait_for("thread 'worker' panicked", SOON).unwrap();
    lives(&bus);
}

/// What was thrown is dropped by the bus, and may throw in turn: itself, for ever.
#[test]
fn a_panic_in_the_destructor_of_what_was_thrown_is_not_dropped_again() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(Bomb);
        }
    }
    let bus = Bus::new("site");
    let panics = bus.on(TOPIC).unwrap().subscribe("panics", |()| -> () { panic_any(Bomb) });
    let failures = bus.on(TOPIC).unwrap().publish(&()).unwrap_err();
    assert_eq!(failures.to_string(), "'panics' panicked on 'topic': a panic without a text");
    panics.unsubscribe();
    bus.on(STOP).unwrap().subscribe("panics", |_| -> () { panic_any(Bomb) });
    bus.stop().unwrap_err();
    assert_eq!(bus.start().unwrap(), Done::Done);
}

/// Prints and drops badly.
#[derive(Debug)]
struct BadError(&'static str);

impl fmt::Display for BadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == "prints" {
            panic!("in a text");
        }
        f.write_str("bad")
    }
}

impl std::error::Error for BadError {}

#[test]
fn a_panic_in_the_text_of_an_error_leaves_the_names() {
    let bus = Bus::new("site");
    let recorder = Recorder::of(&bus);
    bus.on(LOG).unwrap().subscribe("fails too", |_| Err(BadError("prints").into()));
    let fails = bus.on(STOP).unwrap().subscribe("fails", |_| Err(BadError("prints").into()));
    bus.on(TOPIC).unwrap().subscribe("fails", |()| Err(BadError("prints").into()));
    let failures = bus.on(TOPIC).unwrap().publish(&()).unwrap_err();
    assert_eq!(failures.first().error().unwrap().downcast_ref::<BadError>().unwrap().0, "prints");
    bus.stop().unwrap_err();
    let line = recorder.log().wait_for("'fails' failed on 'stop'", SOON).unwrap();
    assert_eq!(line, "'fails' failed on 'stop' with an error that panics when it is printed");
    fails.unsubscribe();
    lives(&bus);
}

#[derive(Debug)]
struct ErrorThatDropsBadly;

impl Drop for ErrorThatDropsBadly {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

impl fmt::Display for ErrorThatDropsBadly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad")
    }
}

impl std::error::Error for ErrorThatDropsBadly {}

/// Nobody keeps the tickets, so the bus drops the errors itself.
#[test]
fn a_panic_in_the_destructor_of_an_error_ends_nothing() {
    let bus = Bus::new("site");
    let on_log = bus.on(LOG).unwrap().subscribe("fails", |_| Err(ErrorThatDropsBadly.into()));
    bus.log(Level::Info, "a line");
    let on_stop = bus.on(STOP).unwrap().subscribe("fails", |_| Err(ErrorThatDropsBadly.into()));
    let on_graceful = bus.on(GRACEFUL).unwrap().subscribe("fails", |_| Err(ErrorThatDropsBadly.into()));
    drop(bus.ask_stop());
    drop(bus.ask_graceful(sitebus_bus::SettingsMap::new()));
    drop(bus.ask_graceful(sitebus_bus::SettingsMap::new()));
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(bus.graceful())));
    drop(dropped);
    for subscription in [on_log, on_stop, on_graceful] {
        subscription.unsubscribe();
    }
    lives(&bus);

    let bus = Bus::new("site");
    bus.on(STOP).unwrap().subscribe("fails", |_| Err(ErrorThatDropsBadly.into()));
    bus.on(EXIT).unwrap().subscribe("fails", |_| Err(ErrorThatDropsBadly.into()));
    drop(bus.ask_exit(Exit::success("a test")));
    assert_eq!(bus.block().code(), 1);
}

#[test]
fn a_panic_in_the_destructor_of_a_listener_keeps_no_other_from_being_dropped() {
    let bus = Bus::new("site");
    let heard = Transcript::new();
    let (handle, noted) = (bus.handle(), heard.clone());
    for name in ["one", "two"] {
        let owned = PanicsWhenDropped(name);
        bus.on(START).unwrap().subscribe(name, move |_| {
            let _owned = &owned;
        });
        let owned = PanicsWhenDropped(name);
        bus.on(TOPIC).unwrap().subscribe(name, move |()| {
            let _owned = &owned;
        });
    }
    // One that the lane is the last to know.
    let owned = PanicsWhenDropped("three");
    let plugin = bus.plugin("three");
    let itself = plugin.clone();
    plugin.on_start(50, move |_| {
        let _owned = &owned;
        itself.unsubscribe();
    });
    bus.start().unwrap();
    bus.on(EXIT).unwrap().subscribe("exits", move |_| noted.note("exit"));
    drop(bus);
    assert_eq!((handle.state(), heard.lines()), (State::Exiting, vec!["exit".to_owned()]));
    assert!(handle.channels().iter().all(|channel| channel.listeners.is_empty()), "all are forgotten");
}

#[test]
fn a_panic_in_the_clone_of_a_message_fails_the_inbox_that_wanted_it() {
    #[derive(Debug)]
    struct Message;
    impl Clone for Message {
        fn clone(&self) -> Message {
            panic!("oh")
        }
    }
    const MESSAGES: Topic<Message> = Topic::new("messages");
    let bus = Bus::new("site");
    let inbox = bus.on(MESSAGES).unwrap().receive("panics", 1);
    panicked(&bus.on(MESSAGES).unwrap().publish(&Message).unwrap_err(), "messages");
    assert!(inbox.receiver().try_recv().is_err());
}

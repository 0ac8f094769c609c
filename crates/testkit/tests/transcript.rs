//! Recording a bus, and waiting for what comes.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::thread;
use std::time::Duration;

use sitebus_bus::{Bus, Level};
use sitebus_testkit::{Recorder, Transcript};

const SOON: Duration = Duration::from_secs(10);
const NOW: Duration = Duration::ZERO;

#[test]
fn a_recorder_writes_down_states_lines_and_reloads_in_order() {
    let bus = Bus::new("shop");
    let recorder = Recorder::of(&bus);
    bus.start().unwrap();
    bus.graceful().unwrap();
    bus.log(Level::Warn, "hello");
    bus.exit().unwrap();
    let expected = [
        "log INFO shop: Bus STARTING",
        "start",
        "log INFO shop: Bus STARTED",
        "log INFO shop: Bus graceful",
        "graceful",
        "commit",
        "log INFO shop: Bus reloaded",
        "log WARN shop: hello",
        "log INFO shop: Bus STOPPING",
        "stop",
        "log INFO shop: Bus STOPPED",
        "log INFO shop: Bus EXITING",
        "exit",
        "log INFO shop: Bus EXITED",
    ];
    recorder.transcript().wait_for("EXITED", SOON).unwrap();
    assert_eq!(recorder.transcript().lines(), expected);
    assert_eq!(recorder.log().lines()[4], "hello");
}

#[test]
fn a_reload_that_is_refused_is_recorded_as_an_abort() {
    let bus = Bus::new("shop");
    let recorder = Recorder::of(&bus);
    let refuses = bus.plugin("no");
    refuses.on_graceful(50, |_| anyhow::bail!("no"));
    bus.graceful().unwrap_err();
    assert!(recorder.transcript().lines().contains(&"abort".to_owned()));
    recorder.transcript().wait_for("commit", NOW).unwrap_err();
}

#[test]
fn a_recorder_that_has_ended_hears_nothing_more() {
    let bus = Bus::new("shop");
    let recorder = Recorder::of(&bus);
    let transcript = recorder.transcript().clone();
    bus.log(Level::Info, "first");
    recorder.end();
    bus.log(Level::Info, "second");
    assert_eq!(transcript.lines(), ["log INFO shop: first"]);
}

#[test]
fn a_line_that_came_before_and_one_that_comes_later_are_both_found() {
    let transcript = Transcript::new();
    transcript.note("one");
    assert_eq!(transcript.wait_for("one", NOW).unwrap(), "one");
    let later = transcript.clone();
    let writer = thread::spawn(move || later.note("line two"));
    assert_eq!(transcript.wait_for("two", SOON).unwrap(), "line two");
    writer.join().unwrap();
    assert_eq!(transcript.take(), ["one", "line two"]);
    assert!(transcript.lines().is_empty());
}

#[test]
fn a_line_that_does_not_come_is_reported_with_those_that_came() {
    let transcript = Transcript::new();
    transcript.note("one");
    let error = transcript.wait_for("two", Duration::from_millis(1)).unwrap_err().to_string();
    assert!(error.contains("\"two\" did not come within 1ms") && error.contains("\n    one"), "{error}");
    transcript.close();
    let error = transcript.wait_for("two", Duration::MAX).unwrap_err().to_string();
    assert!(error.contains("no line comes any more"), "{error}");
}

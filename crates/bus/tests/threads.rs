//! Threads that the bus was told of.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sitebus_bus::{Bus, EXIT, Exit, Limits, State, priority};
use sitebus_testkit::{Gate, Recorder, Transcript};

const SOON: Duration = Duration::from_secs(10);

fn limited(join: Duration) -> Bus {
    let mut limits = Limits::default();
    limits.join = join;
    Bus::builder("site").limits(limits).build()
}

#[test]
fn block_waits_for_adopted_threads_after_the_last_exit_listener() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let (on_exit, gate) = (heard.clone(), Gate::new());
    for name in ["one", "two"] {
        let (held, heard) = (gate.clone(), heard.clone());
        bus.adopt(
            name,
            thread::spawn(move || {
                held.pass();
                heard.note(name);
            }),
        );
    }
    bus.on(EXIT).unwrap().subscribe("exits", move |_| {
        on_exit.note("exit");
        gate.open();
    });
    drop(bus.ask_exit(Exit::success("a test")));
    assert_eq!(bus.block().code(), 0);
    let lines = heard.lines();
    assert_eq!((lines[0].as_str(), lines.len()), ("exit", 3));
}

#[test]
fn one_that_does_not_end_in_time_is_named_and_left_behind() {
    let bus = limited(Duration::from_millis(20));
    let (recorder, gate) = (Recorder::of(&bus), Gate::new());
    let held = gate.clone();
    bus.adopt("hangs", thread::spawn(move || held.pass()));
    bus.adopt("ends", thread::spawn(|| ()));
    drop(bus.ask_exit(Exit::success("a test")));
    assert_eq!(bus.block().code(), 0);
    let left = "thread 'hangs' was left behind: it had not ended after 20ms";
    assert!(recorder.log().lines().contains(&left.to_owned()), "{:?}", recorder.log().lines());
    assert!(!recorder.log().lines().iter().any(|line| line.contains("'ends' was left")));
    gate.open();
}

#[test]
fn the_limit_is_for_all_of_them_together() {
    let limit = Duration::from_secs(1);
    let bus = limited(limit);
    let (recorder, gate) = (Recorder::of(&bus), Gate::new());
    for number in 0..50 {
        let held = gate.clone();
        bus.adopt(format!("number {number}"), thread::spawn(move || held.pass()));
    }
    bus.exit().unwrap();
    let began = Instant::now();
    assert_eq!(bus.block().code(), 0);
    // One after the other they would have had fifty times as long.
    assert!(began.elapsed() < limit * 20, "{:?}", began.elapsed());
    assert_eq!(recorder.log().lines().iter().filter(|line| line.contains("left behind")).count(), 50);
    gate.open();
}

#[test]
fn one_that_panics_on_the_way_out_is_named() {
    let bus = Bus::new("site");
    let (recorder, handle) = (Recorder::of(&bus), bus.handle());
    bus.adopt(
        "panics",
        thread::spawn(move || {
            handle.wait(State::Exiting, Some(SOON)).unwrap();
            panic!("oh");
        }),
    );
    drop(bus.ask_exit(Exit::success("a test")));
    assert_eq!(bus.block().code(), 0);
    assert!(recorder.log().lines().contains(&"thread 'panics' panicked".to_owned()));
}

#[test]
fn a_thread_that_blocks_and_was_adopted_itself_keeps_nobody_waiting() {
    let bus = Arc::new(Bus::new("site"));
    let recorder = Recorder::of(&bus);
    let blocks = Arc::clone(&bus);
    bus.adopt("blocks", thread::spawn(move || blocks.block()));
    bus.restart_by(|_, _| anyhow::anyhow!("not today"));
    drop(bus.ask_restart("a test"));
    assert_eq!(bus.block().code(), 1);
    assert!(!recorder.log().lines().iter().any(|line| line.contains("left behind")));
}

#[test]
fn the_result_of_a_thread_that_has_ended_is_not_kept() {
    let bus = Bus::new("site");
    let token = Arc::new(());
    let weak = Arc::downgrade(&token);
    let thread = thread::spawn(move || token);
    while !thread.is_finished() {
        thread::yield_now();
    }
    bus.adopt("one", thread);
    assert!(weak.upgrade().is_some());
    bus.adopt("another", thread::spawn(|| ()));
    assert!(weak.upgrade().is_none());
}

#[test]
fn threads_may_be_adopted_by_listeners_and_by_the_destructors_of_results() {
    struct Adopts(sitebus_bus::Handle);
    impl Drop for Adopts {
        fn drop(&mut self) {
            self.0.adopt("from a destructor", thread::spawn(|| ()));
        }
    }
    let bus = Bus::new("site");
    let handle = bus.handle();
    bus.on(EXIT).unwrap().subscribe("adopts", move |_| {
        let adopts = Adopts(handle.clone());
        handle.adopt("from a listener", thread::spawn(move || adopts));
    });
    let handle = bus.handle();
    let adopts = Adopts(handle.clone());
    let thread = thread::spawn(move || adopts);
    while !thread.is_finished() {
        thread::yield_now();
    }
    handle.adopt("has ended", thread);
    handle.adopt("another", thread::spawn(|| ()));
    drop(bus.ask_exit(Exit::success("a test")));
    assert_eq!(bus.block().code(), 0);
}

#[test]
fn a_thread_that_a_stop_waits_for_may_stop_the_bus_itself() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let ended = Gate::new();
    let end = ended.clone();
    bus.plugin("worker").on_stop(priority::STOP_TASKS, move |_| end.pass());
    bus.start().unwrap();
    let (handle, notes) = (bus.handle(), heard.clone());
    let worker = thread::spawn(move || {
        let asked = handle.awaited(|| handle.stop());
        notes.note(format!("{asked:?}"));
        ended.open();
        handle.wait(State::Stopped, Some(SOON)).unwrap();
        notes.note(format!("{:?}", handle.stop()));
    });
    worker.join().unwrap();
    assert_eq!(heard.lines(), ["Ok(Noted)", "Ok(Done)"]);
}

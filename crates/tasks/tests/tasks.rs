//! A task takes its turns, and goes on whatever happens in one.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::thread;

use common::{NEVER, SHORT, SOON, bus, end, wait_for_lines};
use sitebus_tasks::{Backoff, Task, Turn};
use sitebus_testkit::Transcript;

/// A body that notes each of its turns with its number, and then waits until it is to end.
fn counts(turns: &Transcript) -> impl FnMut(&Turn) + Send + 'static {
    let (turns, mut number) = (turns.clone(), 0);
    move |turn| {
        number += 1;
        turns.note(number.to_string());
        assert!(turn.wait(NEVER));
    }
}

#[test]
fn it_takes_turn_after_turn_on_a_thread_of_its_name_from_the_start_to_the_stop() {
    let ((bus, _), turns) = (bus(), Transcript::new());
    let notes = turns.clone();
    Task::new("sweeper", move |_| notes.note(thread::current().name().unwrap())).subscribe(&bus);
    assert!(turns.lines().is_empty());
    bus.start().unwrap();
    wait_for_lines(&turns, 3);
    bus.stop().unwrap();
    let taken = turns.lines();
    assert!(taken.iter().all(|name| name == "sweeper"));
    end(bus);
    assert_eq!(turns.lines(), taken, "no turn after the stop");
}

#[test]
fn a_stop_wakes_it_at_once_and_another_start_goes_on_with_the_same_body() {
    let ((bus, log), turns) = (bus(), Transcript::new());
    Task::new("sweeper", counts(&turns)).subscribe(&bus);
    for run in 1..=3 {
        bus.start().unwrap();
        turns.wait_for(&run.to_string(), SOON).unwrap();
        bus.stop().unwrap();
    }
    end(bus);
    assert_eq!(turns.lines(), ["1", "2", "3"]);
    assert!(!log.lines().iter().any(|line| line.contains("sweeper")), "{log:?}");
}

#[test]
fn errors_and_panics_are_logged_and_it_goes_on() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a panic of a panic");
        }
    }
    let ((bus, log), turns) = (bus(), Transcript::new());
    let (notes, mut number) = (turns.clone(), 0);
    let body = move |turn: &Turn| {
        number += 1;
        match number {
            1 => Err(anyhow::anyhow!("no such file").context("reading the list")),
            2 => panic!("out of tea"),
            3 => panic!("out of {}", "milk"),
            4 => std::panic::panic_any(Bomb),
            _ => {
                notes.note("goes on");
                assert!(turn.wait(NEVER));
                Ok(())
            }
        }
    };
    Task::new("sweeper", body).backoff(SHORT).subscribe(&bus);
    bus.start().unwrap();
    turns.wait_for("goes on", SOON).unwrap();
    end(bus);
    let said: Vec<_> = log.lines().into_iter().filter(|line| line.contains("it goes on in")).collect();
    assert_eq!(
        said,
        [
            "failed: reading the list: no such file; it goes on in 1ms at the earliest",
            "panicked: out of tea; it goes on in 2ms at the earliest",
            "panicked: out of milk; it goes on in 2ms at the earliest",
            "panicked: without a text; it goes on in 2ms at the earliest",
        ]
    );
}

#[test]
fn a_stop_does_not_wait_for_the_pause_after_a_failure() {
    let ((bus, log), long) = (bus(), Backoff { first: NEVER, most: NEVER });
    Task::new("sweeper", |_| anyhow::bail!("not today")).backoff(long).subscribe(&bus);
    for _ in 0..2 {
        bus.start().unwrap();
        log.wait_for("failed: not today; it goes on in 3600s", SOON).unwrap();
        log.take();
        bus.stop().unwrap();
    }
    end(bus);
}

#[test]
fn a_name_may_hold_what_the_name_of_a_thread_may_not() {
    let ((bus, _), turns) = (bus(), Transcript::new());
    Task::new("a\0b, which is longer than a system shows", counts(&turns)).subscribe(&bus);
    bus.start().unwrap();
    wait_for_lines(&turns, 1);
    end(bus);
}

#[test]
fn two_tasks_of_one_name_are_two() {
    let ((bus, _), turns) = (bus(), Transcript::new());
    Task::new("sweeper", counts(&turns)).subscribe(&bus);
    Task::new("sweeper", counts(&turns)).subscribe(&bus);
    bus.start().unwrap();
    wait_for_lines(&turns, 2);
    end(bus);
    assert_eq!(turns.lines(), ["1", "1"]);
}

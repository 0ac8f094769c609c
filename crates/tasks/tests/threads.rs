//! The book of threads.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::sync::Mutex;
use std::thread;

use common::{SOON, bus, end, wait_for_lines};
use sitebus_bus::topics::{ACQUIRE_THREAD, RELEASE_THREAD, START_THREAD, STOP_THREAD};
use sitebus_bus::{Handle, Topic};
use sitebus_tasks::{TasksError, Threads};
use sitebus_testkit::{Gate, Transcript};

/// What a framework is told, and on which thread.
fn told(bus: &Handle) -> Transcript {
    let told = Transcript::new();
    for topic in [START_THREAD, STOP_THREAD] {
        let notes = told.clone();
        let note = move |id: &u64| {
            let thread = thread::current();
            notes.note(format!("{} {id} on {}", topic.name(), thread.name().unwrap_or_default()));
        };
        bus.on(topic).unwrap().subscribe("framework", note);
    }
    told
}

/// Does this on a thread of that name, to its end.
fn on_a_thread<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

#[test]
fn listeners_hear_of_a_thread_on_that_thread_once_at_its_begin_and_once_at_its_end() {
    let (bus, _) = bus();
    let (threads, told) = (Threads::subscribe(&bus).unwrap(), told(&bus));
    on_a_thread("one", || {
        assert_eq!((threads.acquire().unwrap(), threads.acquire().unwrap()), (1, 1));
        assert_eq!(threads.holders()[0].thread, "one");
        assert_eq!((threads.release(), threads.release()), (Some(1), None));
    });
    assert_eq!(told.lines(), ["start_thread 1 on one", "stop_thread 1 on one"]);
    assert!(threads.holders().is_empty());
    end(bus);
}

#[test]
fn frameworks_that_do_not_know_the_book_use_the_topics() {
    let (bus, _) = bus();
    let (_threads, told) = (Threads::subscribe(&bus).unwrap(), told(&bus));
    on_a_thread("one", || {
        bus.on(ACQUIRE_THREAD).unwrap().publish(&()).unwrap();
        bus.on(RELEASE_THREAD).unwrap().publish(&()).unwrap();
    });
    assert_eq!(told.lines(), ["start_thread 1 on one", "stop_thread 1 on one"]);
    end(bus);
}

#[test]
fn no_number_is_used_twice() {
    let (bus, _) = bus();
    let threads = Threads::subscribe(&bus).unwrap();
    let acquired = Mutex::new(vec![threads.acquire().unwrap()]);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let id = threads.acquire().unwrap();
                    assert_eq!(threads.acquire().unwrap(), id);
                    acquired.lock().unwrap().push(id);
                    threads.release().unwrap();
                }
            });
        }
    });
    let mut acquired = acquired.into_inner().unwrap();
    acquired.sort_unstable();
    assert!(acquired.iter().copied().eq(1..=801), "{acquired:?}");
    assert_eq!(threads.release(), Some(1));
    end(bus);
}

#[test]
fn a_stop_releases_those_who_still_hold_and_says_which() {
    let (bus, log) = bus();
    let (threads, told, gate) = (Threads::subscribe(&bus).unwrap(), told(&bus), Gate::new());
    bus.start().unwrap();
    thread::scope(|scope| {
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let held = named("held").spawn_scoped(scope, || {
            threads.acquire().unwrap();
            gate.pass();
            assert_eq!(threads.release(), None, "it was released already");
            assert_eq!(threads.acquire().unwrap(), 2, "and may hold again");
            threads.release()
        });
        gate.wait_for_arrival(SOON);
        bus.stop().unwrap();
        assert_eq!(told.lines(), ["start_thread 1 on held", "stop_thread 1 on site lane"]);
        assert!(threads.holders().is_empty());
        gate.open();
        assert_eq!(held.unwrap().join().unwrap(), Some(2));
    });
    log.wait_for("threads that still hold at the stop: 1 (held); what they have is taken back", SOON)
        .unwrap();
    bus.start().unwrap();
    bus.stop().unwrap();
    wait_for_lines(&told, 4);
    end(bus);
}

#[test]
fn a_thread_for_which_something_cannot_be_made_is_not_acquired_and_the_rest_is_taken_back() {
    let (bus, _) = bus();
    let (threads, told) = (Threads::subscribe(&bus).unwrap(), told(&bus));
    bus.on(START_THREAD).unwrap().subscribe("database", |_| anyhow::bail!("too many connections"));
    on_a_thread("one", || {
        let error = threads.acquire().unwrap_err();
        assert!(matches!(error, TasksError::NotAcquired { id: 1, .. }));
        let text = error.to_string();
        assert!(
            text.contains("thread 1 (one) cannot be acquired") && text.contains("too many connections"),
            "{text}"
        );
        bus.on(ACQUIRE_THREAD).unwrap().publish(&()).unwrap_err();
    });
    assert!(threads.holders().is_empty());
    assert_eq!(told.lines()[..2], ["start_thread 1 on one", "stop_thread 1 on one"]);
    end(bus);
}

#[test]
fn a_failure_on_the_way_out_is_logged_and_the_thread_is_released() {
    let (bus, log) = bus();
    let threads = Threads::subscribe(&bus).unwrap();
    bus.on(STOP_THREAD).unwrap().subscribe("database", |_| anyhow::bail!("it was gone already"));
    threads.acquire().unwrap();
    assert_eq!(threads.release(), Some(1));
    log.wait_for("it was gone already", SOON).unwrap();
    end(bus);
}

#[test]
fn a_topic_that_is_in_use_with_other_types_is_a_refusal() {
    let (bus, _) = bus();
    const OTHER: Topic<String> = Topic::new("start_thread");
    bus.on(OTHER).unwrap();
    let error = Threads::subscribe(&bus).unwrap_err().to_string();
    assert!(error.contains("'start_thread'"), "{error}");
    end(bus);
}

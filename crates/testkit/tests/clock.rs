//! The clock that moves by hand, in a bus.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::{Arc, mpsc};
use std::time::Duration;

use sitebus_bus::{Bus, Clock, Limits, START};
use sitebus_testkit::FakeClock;

#[test]
fn it_stands_still_until_it_is_moved() {
    let clock = FakeClock::new();
    let then = clock.now();
    assert_eq!(clock.now(), then);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(clock.now() - then, Duration::from_secs(3600));
}

#[test]
fn moving_it_further_than_it_counts_is_no_panic() {
    let clock = FakeClock::new();
    let then = clock.now();
    clock.advance(Duration::MAX);
    assert!(clock.now() - then > Duration::from_secs(3600));
    clock.advance(Duration::from_secs(i64::MAX as u64 / 2));
    clock.advance(Duration::from_secs(i64::MAX as u64 / 2));
    clock.advance(Duration::MAX);
}

#[test]
fn moving_it_passes_the_deadlines_of_every_bus_that_has_it() {
    let clock = FakeClock::new();
    let (entered, entries) = mpsc::channel();
    let (_release, hangs) = a_hang();
    let buses = ["one", "two"].map(|name| {
        let limits = Limits::all(Duration::from_secs(3600), Duration::from_secs(7200));
        let bus = Bus::builder(name).limits(limits).clock(clock.clone()).build();
        let (entered, hangs) = (entered.clone(), Arc::clone(&hangs));
        bus.on(START).unwrap().subscribe("hangs", move |_| {
            entered.send(()).unwrap();
            let _ = hangs.lock().unwrap().recv(); // until the test is over
        });
        bus
    });
    let tickets = buses.each_ref().map(|bus| bus.ask_start());
    for _ in &tickets {
        entries.recv_timeout(Duration::from_secs(10)).unwrap();
    }
    clock.advance(Duration::from_secs(3600));
    for ticket in &tickets {
        let error = ticket.wait_for(Duration::from_secs(10)).unwrap_err().to_string();
        assert!(error.contains("'hangs' was given up on 'start' after 3600s"), "{error}");
    }
}

type Hangs = Arc<std::sync::Mutex<mpsc::Receiver<()>>>;

fn a_hang() -> (mpsc::Sender<()>, Hangs) {
    let (release, hangs) = mpsc::channel();
    (release, Arc::new(std::sync::Mutex::new(hangs)))
}

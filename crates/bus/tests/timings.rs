//! How long each listener took.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{Bus, EXIT, Limits, START, STOP, TimingOutcome};
use sitebus_testkit::{FakeClock, Gate};

const SOON: Duration = Duration::from_secs(10);

/// On a clock by hand a listener takes as long as it moves the clock.
fn taking(clock: &Arc<FakeClock>, milliseconds: u64) -> impl Fn() + Send + Sync + 'static {
    let clock = Arc::clone(clock);
    move || clock.advance(Duration::from_millis(milliseconds))
}

fn site() -> (Bus, Arc<FakeClock>) {
    let clock = FakeClock::new();
    (Bus::builder("site").clock(clock.clone()).build(), clock)
}

#[test]
fn they_are_kept_for_each_listener_slowest_first_and_print_as_a_table() {
    let (bus, clock) = site();
    assert_eq!(bus.timings().iter().count(), 0);
    let (cache, db, http, rest) =
        (taking(&clock, 2), taking(&clock, 40), taking(&clock, 7), taking(&clock, 1));
    bus.on(START).unwrap().subscribe("cache", move |_| cache());
    bus.on(START).unwrap().subscribe("db", move |_| db());
    bus.on(STOP).unwrap().subscribe("http", move |_| {
        http();
        Err(anyhow!("no"))
    });
    bus.on(EXIT).unwrap().subscribe("rest", move |_| rest());
    bus.start().unwrap();
    bus.exit().unwrap_err();
    let timings = bus.timings();
    let told = timings
        .iter()
        .map(|timing| (timing.step, &*timing.listener, timing.took.as_millis(), timing.outcome));
    let expected = [
        ("start", "db", 40, TimingOutcome::Done),
        ("stop", "http", 7, TimingOutcome::Failed),
        ("start", "cache", 2, TimingOutcome::Done),
        ("exit", "rest", 1, TimingOutcome::Done),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let table = "      40.000 ms  start     db\n       7.000 ms  stop      http  failed\n       \
                 2.000 ms  start     cache\n       1.000 ms  exit      rest\n";
    assert_eq!(timings.to_string(), table);
}

#[test]
fn those_of_the_last_transition_of_a_kind_take_the_place_of_the_ones_before() {
    let (bus, clock) = site();
    let takes = taking(&clock, 3);
    bus.on(START).unwrap().subscribe("a", move |_| takes());
    let takes = taking(&clock, 5);
    bus.plugin("b").at_commit(50, move |_| takes());
    for _ in 0..3 {
        bus.start().unwrap();
        bus.graceful().unwrap();
        bus.stop().unwrap();
    }
    let timings = bus.timings();
    let told = timings.iter().map(|timing| (timing.step, timing.took.as_millis())).collect::<Vec<_>>();
    assert_eq!(told, [("commit", 5), ("start", 3), ("prepare", 0)]);
}

#[test]
fn one_that_was_given_up_has_the_time_that_it_was_given() {
    let (bus, clock) = site();
    let gate = Gate::new();
    let held = gate.clone();
    bus.on(STOP).unwrap().subscribe("hangs", move |_| held.pass());
    let stop = bus.ask_stop();
    gate.wait_for_arrival(SOON);
    let limit = Limits::default().stop.each;
    clock.advance(limit * 3 / 2);
    stop.wait_for(SOON).unwrap_err();
    let timings = bus.timings();
    let hung = timings.iter().next().unwrap();
    assert_eq!((hung.took, hung.outcome), (limit, TimingOutcome::Overran));
    assert_eq!(timings.to_string(), "   30000.000 ms  stop      hangs  given up\n");
    gate.open();
}

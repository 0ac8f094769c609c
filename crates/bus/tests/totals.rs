//! The limit for all listeners of a transition together.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::Arc;
use std::time::Duration;

use sitebus_bus::{
    Bus, Clock, Commit, EXIT, Error, Exit, GRACEFUL, Limits, Reason, START, STOP, SettingsMap, State,
};
use sitebus_testkit::{FakeClock, Gate, Transcript};

const SOON: Duration = Duration::from_secs(10);
const EACH: Duration = Duration::from_secs(60);
const TOTAL: Duration = Duration::from_secs(90);

fn site() -> (Bus, Arc<FakeClock>, Transcript) {
    let clock = FakeClock::new();
    let bus = Bus::builder("site").limits(Limits::all(EACH, TOTAL)).clock(clock.clone()).build();
    (bus, clock, Transcript::new())
}

fn given(error: &Error) -> Vec<(String, Duration)> {
    let failures = error.failures().unwrap().iter().map(|failure| match failure.reason() {
        Reason::Overran(after) => (failure.listener().to_owned(), *after),
        other => panic!("{other:?}"),
    });
    failures.collect()
}

#[test]
fn a_start_that_runs_out_of_time_fails_and_skips_the_rest() {
    let (bus, clock, heard) = site();
    let gate = Gate::new();
    for name in ["one", "two"] {
        let gate = gate.clone();
        bus.on(START).unwrap().subscribe(name, move |_| gate.pass());
    }
    let (plugin, starts, stops) = (bus.plugin("three"), heard.clone(), heard.clone());
    plugin.on_start(90, move |_| starts.note("three started"));
    plugin.on_stop(50, move |_| stops.note("three stopped"));
    let start = bus.ask_start();
    gate.wait_for_arrival(SOON);
    clock.advance(EACH);
    gate.wait_for_arrivals(2, SOON);
    clock.advance(TOTAL - EACH);
    let error = start.wait_for(SOON).unwrap_err();
    assert_eq!(given(&error), [("one".to_owned(), EACH), ("two".to_owned(), TOTAL - EACH)]);
    assert!(heard.lines().is_empty(), "it never began");
    assert_eq!(bus.block().code(), 1);
    gate.open();
}

#[test]
fn a_stop_that_runs_out_of_time_hurries_and_still_calls_the_rest_each_with_a_last_call() {
    for exits in [false, true] {
        let (bus, clock, heard) = site();
        let gate = Gate::new();
        for (priority, name) in [(1, "one"), (2, "two")] {
            let (on_stop, on_exit) = (gate.clone(), gate.clone());
            if exits {
                bus.on(EXIT).unwrap().subscribe_at(priority, name, move |_| on_exit.pass());
            } else {
                bus.on(STOP).unwrap().subscribe_at(priority, name, move |_| on_stop.pass());
            }
        }
        let last_call = Limits::default().last_call;
        let (noted, time) = (heard.clone(), clock.clone());
        let note = move |name: &str, hurried: bool, deadline: std::time::Instant| {
            noted
                .note(format!("{name}: hurried {hurried}, last call {}", deadline - time.now() == last_call));
        };
        for (priority, name) in [(3, "three"), (4, "four")] {
            let (on_stop, on_exit) = (note.clone(), note.clone());
            if exits {
                bus.on(EXIT)
                    .unwrap()
                    .subscribe_at(priority, name, move |m| on_exit(name, m.hurry().is_set(), m.deadline()));
            } else {
                bus.on(STOP)
                    .unwrap()
                    .subscribe_at(priority, name, move |m| on_stop(name, m.hurry().is_set(), m.deadline()));
            }
        }
        let ticket = if exits { bus.ask_exit(Exit::success("a test")) } else { bus.ask_stop() };
        gate.wait_for_arrival(SOON);
        clock.advance(EACH);
        gate.wait_for_arrivals(2, SOON);
        clock.advance(TOTAL - EACH);
        let error = ticket.wait_for(SOON).unwrap_err();
        assert_eq!(given(&error), [("one".to_owned(), EACH), ("two".to_owned(), TOTAL - EACH)]);
        assert_eq!(
            heard.lines(),
            ["three: hurried true, last call true", "four: hurried true, last call true"]
        );
        gate.open();
    }
}

#[test]
fn one_that_hangs_in_its_last_call_is_given_up_too() {
    let (bus, clock, _heard) = site();
    let gate = Gate::new();
    for (priority, name) in [(1, "one"), (2, "two"), (3, "three")] {
        let gate = gate.clone();
        bus.on(STOP).unwrap().subscribe_at(priority, name, move |_| gate.pass());
    }
    let stop = bus.ask_stop();
    for (number, time) in [(1, EACH), (2, TOTAL - EACH), (3, Limits::default().last_call)] {
        gate.wait_for_arrivals(number, SOON);
        clock.advance(time);
    }
    assert_eq!(
        given(&stop.wait_for(SOON).unwrap_err())[2],
        ("three".to_owned(), Limits::default().last_call)
    );
    assert_eq!(bus.state(), State::Stopped);
    gate.open();
}

#[test]
fn a_drain_that_listens_to_the_hurry_is_woken_when_the_time_is_over() {
    let (bus, clock, _heard) = site();
    let gate = Gate::new();
    let held = gate.clone();
    bus.on(STOP).unwrap().subscribe_at(1, "one", move |_| held.pass());
    let held = gate.clone();
    bus.on(STOP).unwrap().subscribe_at(2, "two", move |_| held.pass());
    bus.on(STOP).unwrap().subscribe_at(3, "drains", |stop| {
        assert!(stop.hurry().wait_until(std::time::Instant::now() + SOON));
    });
    let stop = bus.ask_stop();
    gate.wait_for_arrival(SOON);
    clock.advance(EACH);
    gate.wait_for_arrivals(2, SOON);
    clock.advance(TOTAL - EACH);
    assert_eq!(given(&stop.wait_for(SOON).unwrap_err()).len(), 2, "the drain ended by itself");
    gate.open();
}

#[test]
fn a_reload_that_runs_out_of_time_while_it_looks_is_vetoed_and_skips_the_rest() {
    let (bus, clock, heard) = site();
    let gate = Gate::new();
    for name in ["one", "two"] {
        let gate = gate.clone();
        bus.on(GRACEFUL).unwrap().subscribe(name, move |_| {
            gate.pass();
            Ok(Commit::nothing())
        });
    }
    let noted = heard.clone();
    bus.on(GRACEFUL).unwrap().subscribe("three", move |_| {
        noted.note("three");
        Ok(Commit::nothing())
    });
    let reload = bus.ask_graceful(SettingsMap::new());
    gate.wait_for_arrival(SOON);
    clock.advance(EACH);
    gate.wait_for_arrivals(2, SOON);
    clock.advance(TOTAL - EACH);
    let error = reload.wait_for(SOON).unwrap_err();
    assert!(matches!(error, Error::Vetoed { .. }));
    assert_eq!((given(&error).len(), heard.lines().len()), (2, 0));
    gate.open();
}

/// What half of the listeners have taken up, the others must take up too.
#[test]
fn a_reload_that_runs_out_of_time_while_it_commits_still_commits_the_rest() {
    let (bus, clock, heard) = site();
    let gate = Gate::new();
    for name in ["one", "two"] {
        let gate = gate.clone();
        bus.plugin(name).at_commit(50, move |_| gate.pass());
    }
    let noted = heard.clone();
    bus.plugin("three").at_commit(50, move |_| noted.note("three"));
    let reload = bus.ask_graceful(SettingsMap::new());
    gate.wait_for_arrival(SOON);
    clock.advance(EACH);
    gate.wait_for_arrivals(2, SOON);
    clock.advance(TOTAL - EACH);
    assert_eq!(given(&reload.wait_for(SOON).unwrap_err()).len(), 2);
    assert_eq!(heard.lines(), ["three"]);
    gate.open();
}

#[test]
fn each_kind_of_transition_has_its_own_limits() {
    let clock = FakeClock::new();
    let second = |each, total| sitebus_bus::Limit::new(Duration::from_secs(each), Duration::from_secs(total));
    let mut limits = Limits::default();
    (limits.start, limits.stop) = (second(1, 10), second(2, 20));
    (limits.exit, limits.graceful) = (second(3, 30), second(4, 40));
    let bus = Bus::builder("site").limits(limits).clock(clock.clone()).build();
    let (now, heard) = (clock.now(), Transcript::new());
    let [on_start, on_stop, on_exit, on_graceful] = [(); 4].map(|()| heard.clone());
    bus.on(START).unwrap().subscribe("a", move |m| on_start.note(format!("{:?}", m.deadline() - now)));
    bus.on(STOP).unwrap().subscribe("b", move |m| on_stop.note(format!("{:?}", m.deadline() - now)));
    bus.on(EXIT).unwrap().subscribe("c", move |m| on_exit.note(format!("{:?}", m.deadline() - now)));
    bus.plugin("d").at_commit(50, move |m| on_graceful.note(format!("{:?}", m.deadline() - now)));
    bus.start().unwrap();
    bus.graceful().unwrap();
    bus.exit().unwrap();
    assert_eq!(heard.lines(), ["1s", "4s", "2s", "3s"]);
}

#[test]
fn the_defaults_are_those_that_the_documentation_states() {
    let limits = Limits::default();
    let seconds = |limit: sitebus_bus::Limit| (limit.each.as_secs(), limit.total.as_secs());
    assert_eq!((seconds(limits.start), seconds(limits.stop)), ((60, 120), (30, 60)));
    assert_eq!((seconds(limits.exit), seconds(limits.graceful)), ((10, 20), (30, 60)));
    assert_eq!((limits.last_call, limits.log, limits.join), {
        (Duration::from_millis(250), Duration::from_secs(2), Duration::from_secs(10))
    });
}

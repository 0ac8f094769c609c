//! A monitor is called once in each period, and a reload gives it another one.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::time::Duration;

use common::{NEVER, SHORT, SOON, bus, end, wait_for_lines};
use sitebus_bus::{Handle, SettingsMap};
use sitebus_tasks::{Monitor, Settings, SettingsOf, Turn};
use sitebus_testkit::Transcript;

const OFTEN: Duration = Duration::from_millis(1);

fn at_once(every: Duration) -> Settings {
    let mut settings = Settings::every(every);
    settings.at_once = true;
    settings.backoff = SHORT;
    settings
}

/// A monitor that notes its calls.
fn monitor(bus: &Handle, name: &'static str, settings: Settings) -> Transcript {
    let calls = Transcript::new();
    let notes = calls.clone();
    Monitor::new(name, settings, move |_| notes.note(name)).subscribe(bus);
    calls
}

fn reload<T: Send + Sync + 'static>(bus: &Handle, settings: T) {
    bus.ask_graceful(SettingsMap::new().with(settings)).wait().unwrap();
}

#[test]
fn it_is_called_in_each_period_from_the_start_to_the_stop() {
    let (bus, _) = bus();
    let calls = monitor(&bus, "pulse", Settings::every(OFTEN));
    for _ in 0..2 {
        bus.start().unwrap();
        wait_for_lines(&calls, 3);
        bus.stop().unwrap();
        let taken = calls.take();
        assert!(calls.take().is_empty(), "after {} calls", taken.len());
    }
    end(bus);
}

#[test]
fn the_first_call_comes_after_a_period_or_at_once() {
    let (bus, _) = bus();
    let late = monitor(&bus, "late", Settings::every(NEVER));
    let early = monitor(&bus, "early", at_once(NEVER));
    bus.start().unwrap();
    wait_for_lines(&early, 1);
    end(bus);
    assert_eq!((early.lines().len(), late.lines().len()), (1, 0));
}

#[test]
fn a_period_of_zero_is_never_until_a_reload_brings_another() {
    let (bus, _) = bus();
    let calls = monitor(&bus, "pulse", at_once(Duration::ZERO));
    bus.start().unwrap();
    bus.graceful().unwrap();
    assert!(calls.lines().is_empty());
    reload(&bus, Settings::every(OFTEN));
    wait_for_lines(&calls, 3);
    end(bus);
}

#[test]
fn a_reload_to_zero_ends_the_calls() {
    let (bus, _) = bus();
    let calls = monitor(&bus, "pulse", at_once(OFTEN));
    bus.start().unwrap();
    wait_for_lines(&calls, 3);
    reload(&bus, Settings::every(Duration::ZERO));
    bus.stop().unwrap(); // a call that had begun is over
    calls.take();
    bus.start().unwrap();
    bus.graceful().unwrap();
    end(bus);
    assert!(calls.lines().is_empty());
}

#[test]
fn a_reload_begins_the_periods_anew() {
    let (bus, _) = bus();
    let calls = monitor(&bus, "pulse", at_once(NEVER));
    bus.start().unwrap();
    for reloads in 1..=3 {
        wait_for_lines(&calls, reloads);
        bus.graceful().unwrap();
    }
    wait_for_lines(&calls, 4);
    end(bus);
    assert_eq!(calls.lines().len(), 4);
}

#[test]
fn settings_by_name_reach_that_one_alone_and_win() {
    let (bus, _) = bus();
    let (pulse, sweep) =
        (monitor(&bus, "pulse", Settings::every(NEVER)), monitor(&bus, "sweep", Settings::every(NEVER)));
    bus.start().unwrap();
    reload(&bus, SettingsOf::from([("pulse".to_owned(), at_once(NEVER))]));
    wait_for_lines(&pulse, 1);
    assert!(sweep.lines().is_empty());
    let by_name = SettingsOf::from([("pulse".to_owned(), Settings::every(NEVER))]);
    bus.ask_graceful(SettingsMap::new().with(by_name).with(at_once(NEVER))).wait().unwrap();
    wait_for_lines(&sweep, 1);
    end(bus);
    assert_eq!((pulse.lines().len(), sweep.lines().len()), (1, 1));
}

#[test]
fn a_veto_leaves_the_periods_as_they_are() {
    let (bus, _) = bus();
    let calls = monitor(&bus, "pulse", at_once(NEVER));
    bus.plugin("strict").on_graceful(90, |_| anyhow::bail!("no"));
    bus.start().unwrap();
    wait_for_lines(&calls, 1);
    bus.graceful().unwrap_err();
    end(bus);
    assert_eq!(calls.lines().len(), 1);
}

#[test]
fn one_error_does_not_end_it() {
    let ((bus, log), calls) = (bus(), Transcript::new());
    let notes = calls.clone();
    let mut number = 0;
    let body = move |_: &Turn| {
        number += 1;
        notes.note(number.to_string());
        anyhow::ensure!(number % 2 == 0, "odd");
        Ok(())
    };
    let mut settings = Settings::every(OFTEN);
    settings.backoff = SHORT;
    Monitor::new("pulse", settings, body).subscribe(&bus);
    bus.start().unwrap();
    wait_for_lines(&calls, 6);
    end(bus);
    log.wait_for("failed: odd; it goes on in 1ms at the earliest", SOON).unwrap();
    assert!(!log.lines().iter().any(|line| line.contains("in 2ms")), "a success resets the pause");
}

#[test]
fn it_may_reload_and_end_the_bus_itself() {
    let (bus, _) = bus();
    let handle = bus.handle();
    let mut calls = 0;
    let body = move |_: &Turn| {
        calls += 1;
        match calls {
            1 => handle.graceful().map(drop),
            _ => handle.exit().map(drop),
        }
        .map_err(anyhow::Error::from)
    };
    Monitor::new("pulse", Settings::every(OFTEN), body).subscribe(&bus);
    drop(bus.ask_start());
    assert_eq!(bus.block().code(), 0);
}

//! The ladder, climbed by real signals.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod site;

use site::{drains, each_counts, hangs, never_return, patient_bus, run, subscribe};
use sitebus_bus::{LOG, Priority, topics};
use sitebus_signals::{Action, Settings, Signal, Signals};
use sitebus_testkit::own_process::{Process, ended_by, hear, is_child, say};
use std::time::Duration;

#[test]
fn a_second_signal_of_any_kind_hurries_the_drain() {
    if is_child() {
        let bus = patient_bus();
        subscribe(&bus, each_counts());
        drains(&bus);
        let _ = run(&bus);
        return;
    }
    for second in [Signal::INT, Signal::TERM, Signal::QUIT] {
        let mut child = Process::start("a_second_signal_of_any_kind_hurries_the_drain");
        child.expect("ready");
        child.send(Signal::TERM);
        child.expect("draining");
        child.send(second);
        let said = child.expect("exit with code 0 asked by signal SIGTERM (15)");
        assert!(said.iter().any(|line| line == "hurried: true"), "{said:?}");
        let line = format!("WARN {second}: drains are cut short; a third signal ends the process at once");
        assert!(said.contains(&line), "{said:?}");
        assert!(child.wait().success());
    }
}

#[test]
fn the_first_signal_hurries_an_exit_that_somebody_else_has_asked_for() {
    if is_child() {
        let bus = patient_bus();
        subscribe(&bus, each_counts());
        drains(&bus);
        bus.start().unwrap();
        drop(bus.ask_exit(sitebus_bus::Exit::success("somebody else")));
        return say(bus.block());
    }
    let mut child = Process::start("the_first_signal_hurries_an_exit_that_somebody_else_has_asked_for");
    child.expect("draining");
    child.send(Signal::TERM);
    let said = child.expect("exit with code 0 asked by somebody else");
    assert!(said.iter().any(|line| line == "hurried: true"), "{said:?}");
    let line = "INFO SIGTERM: exiting already, so drains are cut short";
    assert!(said.iter().any(|said| said == line), "{said:?}");
    assert!(child.wait().success());
}

#[test]
fn a_third_signal_ends_a_process_that_hangs_and_shows_as_that_signal() {
    if is_child() {
        let bus = patient_bus();
        subscribe(&bus, each_counts());
        hangs(&bus);
        let _ = run(&bus);
        return;
    }
    for (third, number) in [(Signal::INT, 2), (Signal::TERM, 15), (Signal::QUIT, 3)] {
        let mut child = Process::start("a_third_signal_ends_a_process_that_hangs_and_shows_as_that_signal");
        child.expect("ready");
        child.send(Signal::INT);
        child.expect("draining");
        child.send(Signal::TERM);
        child.expect("hurried: true");
        child.send(third);
        assert_eq!(ended_by(child.wait()), Some(number));
    }
}

#[test]
fn a_start_that_waits_is_cancelled_by_the_first_signal() {
    if is_child() {
        let bus = patient_bus();
        subscribe(&bus, Settings::default());
        bus.plugin("slow").on_start(Priority::DEFAULT, |start| {
            say("starting");
            say(format!("cancelled: {}", start.cancelled().wait_until(start.deadline())));
        });
        bus.start().unwrap_err();
        return say(bus.block());
    }
    let mut child = Process::start("a_start_that_waits_is_cancelled_by_the_first_signal");
    child.expect("starting");
    child.send(Signal::TERM);
    child.expect("cancelled: true");
    child.expect("exit with code 0 asked by signal SIGTERM (15)");
    assert!(child.wait().success());
}

#[test]
fn a_start_that_hangs_is_ended_by_the_third_signal() {
    if is_child() {
        let bus = patient_bus();
        subscribe(&bus, each_counts());
        bus.plugin("stuck").on_start(Priority::DEFAULT, |_| {
            say("starting");
            never_return();
        });
        let _ = bus.start();
        return;
    }
    let mut child = Process::start("a_start_that_hangs_is_ended_by_the_third_signal");
    child.expect("starting");
    child.send(Signal::TERM);
    child.expect("INFO SIGTERM: exiting; drains end in 30s; a second signal cuts them short");
    child.send(Signal::TERM);
    child.expect("WARN SIGTERM: drains are cut short; a third signal ends the process at once");
    child.send(Signal::TERM);
    assert_eq!(ended_by(child.wait()), Some(15));
}

#[test]
fn listeners_that_never_return_do_not_keep_anybody_from_the_ladder() {
    if is_child() {
        let bus = patient_bus();
        // The one of the log is called first, by the first signal.
        bus.on(LOG).unwrap().subscribe("stuck", |record: &sitebus_bus::Record| {
            if &*record.source == "signals" {
                never_return();
            }
        });
        bus.on(topics::SIGNAL).unwrap().subscribe("stuck", |_| {
            say("published");
            never_return();
        });
        Signals::new(each_counts().map("USR1", "publish").unwrap()).subscribe(&bus).unwrap();
        hangs(&bus);
        let _ = run(&bus);
        return;
    }
    for begin_with in [Signal::USR1, Signal::TERM] {
        let mut child = Process::start("listeners_that_never_return_do_not_keep_anybody_from_the_ladder");
        child.expect("ready");
        if begin_with == Signal::USR1 {
            child.send(Signal::USR1);
            child.expect("published");
        }
        child.send(Signal::TERM);
        child.expect("draining");
        child.send(Signal::TERM);
        child.expect("hurried: true");
        child.send(Signal::TERM);
        assert_eq!(ended_by(child.wait()), Some(15));
    }
}

#[test]
fn a_burst_counts_once() {
    if is_child() {
        let bus = patient_bus();
        // So long that no machine is too slow for it.
        let settings = Settings::default().burst(Duration::from_secs(600)).map("USR1", "publish").unwrap();
        subscribe(&bus, settings);
        bus.on(topics::SIGNAL).unwrap().subscribe("signal", |_| say("all have come"));
        bus.plugin("drain").on_stop(Priority::DEFAULT, |stop| {
            say("draining");
            hear();
            say(format!("hurried: {}", stop.hurry().is_set()));
        });
        let _ = run(&bus);
        return;
    }
    let mut child = Process::start("a_burst_counts_once");
    child.expect("ready");
    child.send(Signal::TERM);
    child.expect("draining");
    for _ in 0..20 {
        for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
            child.send(signal);
        }
    }
    child.send(Signal::USR1);
    child.expect("all have come");
    child.tell("go on");
    child.expect("hurried: false");
    child.expect("exit with code 0 asked by signal SIGTERM (15)");
    assert!(child.wait().success());
}

#[test]
fn when_patience_is_over_the_drain_is_hurried_without_a_second_signal() {
    if is_child() {
        let bus = patient_bus();
        let short = Action::exit_within(Duration::from_millis(10));
        subscribe(&bus, Settings::default().on(Signal::TERM, short).unwrap());
        drains(&bus);
        let _ = run(&bus);
        return;
    }
    let mut child = Process::start("when_patience_is_over_the_drain_is_hurried_without_a_second_signal");
    child.expect("ready");
    child.send(Signal::TERM);
    child.expect("draining");
    child.expect("hurried: true");
    assert!(child.wait().success());
}

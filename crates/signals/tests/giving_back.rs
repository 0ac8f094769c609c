//! Signals are lent: what is given back, when, and what is left alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod site;

use nix::sys::signal::{self as kernel, kill, raise};
use nix::unistd::Pid;
use site::{patient_bus, run, say_the_log, subscribe};
use sitebus_bus::{Bus, Handle, Priority, topics};
use sitebus_os::descriptors;
use sitebus_signals::{Settings, Signal, Signals, Subscribed};
use sitebus_testkit::own_process::{
    LONG, Process, ended_by, hear, in_a_process_of_its_own, is_child, say, status,
};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// What this process does with signals: caught, ignored, blocked.
fn signals_of_the_process() -> [String; 3] {
    ["SigCgt", "SigIgn", "SigBlk"].map(status)
}

fn take(bus: &Handle) -> Subscribed {
    Signals::default().subscribe(bus).unwrap()
}

#[test]
fn an_embedded_bus_touches_no_signal() {
    in_a_process_of_its_own("an_embedded_bus_touches_no_signal", || {
        let before = signals_of_the_process();
        let bus = Bus::new("embedded");
        bus.start().unwrap();
        assert_eq!(signals_of_the_process(), before);
        bus.exit().unwrap();
        let _ = bus.block();
        assert_eq!(signals_of_the_process(), before);
    });
}

#[test]
fn after_unsubscribing_a_signal_ends_the_process_as_ever() {
    if is_child() {
        let bus = patient_bus();
        let before = signals_of_the_process();
        let subscribed = subscribe(&bus, Settings::default());
        bus.start().unwrap();
        assert_ne!(signals_of_the_process(), before);
        subscribed.unsubscribe();
        assert_eq!(signals_of_the_process(), before);
        say("given back");
        hear();
        return;
    }
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::USR2] {
        let mut child = Process::start("after_unsubscribing_a_signal_ends_the_process_as_ever");
        child.expect("given back");
        child.send(signal);
        assert_eq!(ended_by(child.wait()), Some(signal.number()));
    }
}

#[test]
fn once_the_bus_has_exited_signals_are_what_they_were_and_its_threads_have_ended() {
    in_a_process_of_its_own(
        "once_the_bus_has_exited_signals_are_what_they_were_and_its_threads_have_ended",
        || {
            take(&Bus::new("first")).unsubscribe(); // ctrlc keeps its thread
            let (before, threads) = (signals_of_the_process(), status("Threads"));
            let bus = Bus::new("site");
            take(&bus);
            bus.start().unwrap();
            raise(kernel::SIGTERM).unwrap();
            let _ = bus.block();
            assert_eq!((signals_of_the_process(), status("Threads")), (before, threads));
        },
    );
}

#[test]
fn they_are_given_back_after_every_other_exit_listener() {
    in_a_process_of_its_own("they_are_given_back_after_every_other_exit_listener", || {
        let bus = Bus::new("site");
        take(&bus);
        let held = signals_of_the_process();
        bus.plugin("last").on_exit(sitebus_bus::priority::RELEASE, move |_| {
            assert_eq!(signals_of_the_process(), held);
        });
        bus.exit().unwrap();
    });
}

#[test]
fn a_bus_that_is_dropped_gives_them_back_whether_it_was_ever_asked_for_anything_or_not() {
    in_a_process_of_its_own(
        "a_bus_that_is_dropped_gives_them_back_whether_it_was_ever_asked_for_anything_or_not",
        || {
            let before = signals_of_the_process();
            for start in [false, true] {
                let bus = Bus::new("site");
                let subscribed = take(&bus);
                if start {
                    bus.start().unwrap();
                }
                drop(bus);
                assert_eq!(signals_of_the_process(), before);
                subscribed.unsubscribe(); // too late, and harmless
            }
        },
    );
}

#[test]
fn twenty_rounds_leave_no_thread_and_no_descriptor_behind() {
    in_a_process_of_its_own("twenty_rounds_leave_no_thread_and_no_descriptor_behind", || {
        let bus = Bus::new("site");
        take(&bus).unsubscribe(); // ctrlc keeps its thread
        let now = || (status("Threads"), descriptors::open().unwrap(), signals_of_the_process());
        let before = now();
        for round in 0..20 {
            let subscribed = take(&bus);
            raise(kernel::SIGUSR1).unwrap();
            subscribed.unsubscribe();
            // A thread that was joined is counted for a moment longer.
            let deadline = Instant::now() + LONG;
            while now() != before {
                assert!(Instant::now() < deadline, "round {round}: {:?} is not {before:?}", now());
                thread::yield_now();
            }
        }
    });
}

#[test]
fn a_second_bus_is_refused_and_told_which_one_has_them() {
    in_a_process_of_its_own("a_second_bus_is_refused_and_told_which_one_has_them", || {
        let (first, second) = (Bus::new("first"), Bus::new("second"));
        let subscribed = take(&first);
        let before = signals_of_the_process();
        let refused = |settings: Settings| Signals::new(settings).subscribe(&second).unwrap_err().to_string();
        let error = refused(Settings::default());
        assert!(error.starts_with("bus second cannot take signals: SIG"), "{error}");
        assert!(error.contains("is already caught in this process by bus first: let that one go"), "{error}");
        let error = refused(Settings::none().map("WINCH", "ignore").unwrap().map("INT", "exit").unwrap());
        assert!(error.contains("SIGINT is already caught in this process by bus first"), "{error}");
        assert_eq!(signals_of_the_process(), before);

        Signals::new(Settings::none().map("WINCH", "ignore").unwrap()).subscribe(&second).unwrap();
        subscribed.unsubscribe();
        let third = Bus::new("third");
        take(&third);
    });
}

#[test]
fn a_handler_that_came_later_is_left_alone_with_a_warning() {
    if is_child() {
        let bus = patient_bus();
        let subscribed = subscribe(&bus, Settings::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let mut theirs = signal(SignalKind::terminate()).unwrap();
            subscribed.unsubscribe();
            kill(Pid::this(), kernel::SIGTERM).unwrap();
            theirs.recv().await;
        });
        return say("theirs got it");
    }
    let mut child = Process::start("a_handler_that_came_later_is_left_alone_with_a_warning");
    let said = child.expect("theirs got it");
    let warning = "WARN handlers that others have installed meanwhile are left alone: SIGTERM";
    assert!(said.iter().any(|line| line == warning), "{said:?}");
    assert!(child.wait().success());
}

#[test]
fn a_handler_that_was_there_before_comes_back() {
    if is_child() {
        let bus = patient_bus();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let mut theirs = signal(SignalKind::user_defined1()).unwrap();
            subscribe(&bus, Settings::default()).unsubscribe();
            kill(Pid::this(), kernel::SIGUSR1).unwrap();
            theirs.recv().await;
        });
        return say("theirs got it");
    }
    let mut child = Process::start("a_handler_that_was_there_before_comes_back");
    let said = child.expect("theirs got it");
    let warning = "WARN handlers that others have installed are not called for now: SIGUSR1";
    assert!(said.iter().any(|line| line == warning), "{said:?}");
    assert!(child.wait().success());
}

#[test]
fn what_was_ignored_stays_ignored_and_is_logged() {
    if is_child() {
        let bus = patient_bus();
        let subscribed = subscribe(&bus, Settings::default());
        assert_eq!(subscribed.ignored().len(), 2);
        bus.plugin("reload").at_commit(Priority::DEFAULT, |_| say("reloaded"));
        let _ = run(&bus);
        return;
    }
    let mut child = Process::start_by_shell(
        "what_was_ignored_stays_ignored_and_is_logged",
        "trap '' HUP INT; exec \"$@\"",
    );
    let said = child.expect("ready");
    let line = "INFO ignored when the process was started, and left so: SIGHUP, SIGINT";
    assert!(said.iter().any(|said| said == line), "{said:?}");
    child.send(Signal::HUP);
    child.send(Signal::INT);
    child.send(Signal::TERM);
    let said = child.expect("exit with code 0 asked by signal SIGTERM (15)");
    assert!(!said.iter().any(|line| line == "reloaded"), "{said:?}");
    assert!(child.wait().success());
}

#[test]
fn a_listener_of_a_signal_may_unsubscribe() {
    if is_child() {
        let bus = patient_bus();
        say_the_log(&bus);
        let mine: &'static Mutex<Option<Subscribed>> = Box::leak(Box::default());
        let settings = Settings::default().map("USR1", "publish").unwrap();
        let subscribed = Signals::new(settings).subscribe(&bus).unwrap();
        *mine.lock().unwrap() = Some(subscribed);
        bus.on(topics::SIGNAL).unwrap().subscribe("unsubscribe", |_| {
            let mine = mine.lock().unwrap_or_else(PoisonError::into_inner).take();
            mine.unwrap().unsubscribe();
            say("unsubscribed");
        });
        bus.start().unwrap();
        say("ready");
        hear();
        return;
    }
    let mut child = Process::start("a_listener_of_a_signal_may_unsubscribe");
    child.expect("ready");
    child.send(Signal::USR1);
    child.expect("unsubscribed");
    child.send(Signal::TERM);
    assert_eq!(ended_by(child.wait()), Some(15));
}

#[test]
fn a_bus_whose_name_no_thread_can_have_is_served_all_the_same() {
    in_a_process_of_its_own("a_bus_whose_name_no_thread_can_have_is_served_all_the_same", || {
        let bus = Bus::new("one\0two");
        Signals::new(Settings::default()).subscribe(&bus).unwrap().unsubscribe();
    });
}

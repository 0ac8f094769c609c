//! What each signal does to a running program.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod site;

use site::{drains, hangs, patient_bus, run, subscribe};
use sitebus_bus::{Bus, Priority, topics};
use sitebus_signals::{Settings, Signal};
use sitebus_testkit::own_process::{Process, ended_by, hear, is_child, say};
use sitebus_testkit::window::{Window, move_into};

/// Says every message of the topics, and every reload.
fn listen(bus: &Bus) {
    bus.on(topics::REOPEN).unwrap().subscribe("reopen", |()| say("reopen"));
    bus.on(topics::SCALE).unwrap().subscribe("scale", |by| say(format!("scale {by}")));
    bus.on(topics::SIGNAL).unwrap().subscribe("signal", |number| say(format!("signal {number}")));
    bus.plugin("reload").at_commit(Priority::DEFAULT, |_| say("reloaded"));
}

fn site(settings: Settings) {
    let _ = nix::unistd::setsid(); // whatever terminal the tests were started from is not ours
    let bus = patient_bus();
    subscribe(&bus, settings);
    listen(&bus);
    let _ = run(&bus);
}

fn assert_success(child: &mut Process) {
    let status = child.wait();
    assert!(status.success(), "{status}\n{}", child.output());
}

#[test]
fn int_term_and_quit_exit_with_the_signal_as_the_cause() {
    if is_child() {
        return site(Settings::default());
    }
    let asking = [
        (Signal::INT, "SIGINT (2)", "; drains end in 10s; a second signal cuts them short"),
        (Signal::TERM, "SIGTERM (15)", "; drains end in 30s; a second signal cuts them short"),
        (Signal::QUIT, "SIGQUIT (3)", "; a second signal cuts drains short"),
    ];
    for (signal, named, limit) in asking {
        let mut child = Process::start("int_term_and_quit_exit_with_the_signal_as_the_cause");
        child.expect("ready");
        child.send(signal);
        let said = child.expect(&format!("exit with code 0 asked by signal {named}"));
        let line = format!("INFO {signal}: exiting{limit}");
        assert!(said.contains(&line), "{said:?}");
        assert_success(&mut child);
    }
}

#[test]
fn usr1_reopens_logs_and_ttin_and_ttou_scale() {
    if is_child() {
        return site(Settings::default());
    }
    let mut child = Process::start("usr1_reopens_logs_and_ttin_and_ttou_scale");
    child.expect("ready");
    for (signal, event) in [(Signal::USR1, "reopen"), (Signal::TTIN, "scale 1"), (Signal::TTOU, "scale -1")] {
        child.send(signal);
        child.expect(event);
    }
    child.send(Signal::TERM);
    assert_success(&mut child);
}

#[test]
fn usr2_restarts() {
    if is_child() {
        return site(Settings::default());
    }
    let mut child = Process::start("usr2_restarts");
    child.expect("ready");
    child.send(Signal::USR2);
    let said = child.expect("restart asked by SIGUSR2");
    assert!(said.iter().any(|line| line == "INFO SIGUSR2: restarting"), "{said:?}");
    assert_success(&mut child);
}

#[test]
fn hup_reloads_where_there_is_no_terminal() {
    if is_child() {
        return site(Settings::default());
    }
    let mut child = Process::start("hup_reloads_where_there_is_no_terminal");
    child.expect("ready");
    for _ in 0..3 {
        child.send(Signal::HUP);
        child.expect("reloaded");
    }
    child.send(Signal::TERM);
    assert_success(&mut child);
}

fn site_in_a_terminal(settings: Settings) {
    let device = move_into(&hear());
    let bus = patient_bus();
    subscribe(&bus, settings);
    listen(&bus);
    drop(device);
    let _ = run(&bus);
}

#[test]
fn hup_reloads_while_the_terminal_is_there_and_exits_when_it_is_gone() {
    if is_child() {
        return site_in_a_terminal(Settings::default());
    }
    let window = Window::open();
    let mut child = Process::start("hup_reloads_while_the_terminal_is_there_and_exits_when_it_is_gone");
    child.tell(&window.name);
    child.expect("ready");
    child.send(Signal::HUP);
    child.expect("reloaded");
    window.close();
    let said = child.expect("exit with code 0 asked by signal SIGHUP (1)");
    assert!(said.iter().any(|line| line.contains("SIGHUP: the terminal is gone, exiting")), "{said:?}");
    assert_success(&mut child);
}

#[test]
fn hup_may_be_told_to_reload_although_the_terminal_is_gone() {
    if is_child() {
        return site_in_a_terminal(Settings::default().reload_without_terminal());
    }
    let window = Window::open();
    let mut child = Process::start("hup_may_be_told_to_reload_although_the_terminal_is_gone");
    child.tell(&window.name);
    child.expect("ready");
    window.close();
    child.expect("reloaded");
    child.send(Signal::TERM);
    assert_success(&mut child);
}

#[test]
fn signals_do_what_they_were_mapped_to() {
    if is_child() {
        let settings = Settings::none().map("SIGWINCH", "publish").unwrap().map("hup", "scale-up").unwrap();
        return site(settings.map("RTMIN+1", "publish").unwrap().map("USR1", "drain").unwrap());
    }
    let mut child = Process::start("signals_do_what_they_were_mapped_to");
    child.expect("ready");
    child.send(Signal::WINCH);
    child.expect(&format!("signal {}", Signal::WINCH.number()));
    child.send(Signal::HUP);
    child.expect("scale 1");
    child.send(Signal::USR1);
    child.expect("exit with code 0 asked by signal SIGUSR1 (10)");
    assert_success(&mut child);
}

#[test]
fn an_ignored_signal_does_nothing_and_a_left_one_what_it_always_did() {
    if is_child() {
        return site(Settings::default().map("USR1", "ignore").unwrap().leave("TERM".parse().unwrap()));
    }
    let mut child = Process::start("an_ignored_signal_does_nothing_and_a_left_one_what_it_always_did");
    child.expect("ready");
    child.send(Signal::USR1);
    child.send(Signal::TTIN);
    child.expect("scale 1");
    child.send(Signal::TERM);
    assert_eq!(ended_by(child.wait()), Some(15));
}

#[test]
fn a_reload_or_restart_during_an_exit_is_said_to_be_refused() {
    if is_child() {
        let bus = patient_bus();
        subscribe(&bus, Settings::default());
        drains(&bus);
        let _ = run(&bus);
        return;
    }
    let mut child = Process::start("a_reload_or_restart_during_an_exit_is_said_to_be_refused");
    child.expect("ready");
    child.send(Signal::TERM);
    child.expect("draining");
    child.send(Signal::USR2);
    let exit = "exit with code 0 asked by signal SIGTERM (15)";
    child.expect(&format!("WARN SIGUSR2: not restarting, for the bus is exiting: {exit}"));
}

#[test]
fn an_exit_wins_over_a_restart() {
    if is_child() {
        let bus = patient_bus();
        subscribe(&bus, Settings::default());
        drains(&bus);
        let _ = run(&bus);
        return;
    }
    let mut child = Process::start("an_exit_wins_over_a_restart");
    child.expect("ready");
    child.send(Signal::USR2);
    child.expect("draining");
    child.send(Signal::TERM);
    child.expect("exit with code 0 asked by signal SIGTERM (15)");
    assert_success(&mut child);
}

#[test]
fn a_signal_that_its_parent_had_blocked_is_heard() {
    if is_child() {
        let bus = patient_bus();
        nix::sys::signal::SigSet::all().thread_block().unwrap();
        subscribe(&bus, Settings::default());
        hangs(&bus);
        let _ = run(&bus);
        return;
    }
    for signal in [Signal::TERM, Signal::INT] {
        let mut child = Process::start("a_signal_that_its_parent_had_blocked_is_heard");
        child.expect("ready");
        child.send(signal);
        child.expect("draining");
    }
}

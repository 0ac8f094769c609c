//! A process that may make no thread: every request is refused at once, with the cure, and nothing waits.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_bus::{Bus, EXIT, Error, Exit, START, SettingsMap, State, Ticket};
use sitebus_testkit::own_process::{Process, is_child, say};

#[track_caller]
fn refused(ticket: &Ticket) {
    let error = ticket.outcome().expect("it is known at once").unwrap_err();
    assert!(matches!(error, Error::NoThread(_)), "{error}");
    assert!(error.to_string().ends_with("allow the process more of them (`ulimit -u`)"), "{error}");
}

#[test]
fn without_threads_every_request_is_refused_at_once_and_the_owner_can_go() {
    let name = "without_threads_every_request_is_refused_at_once_and_the_owner_can_go";
    if is_child() {
        std::thread::Builder::new().spawn(|| ()).expect_err("there is no room for a thread");
        let bus = Bus::new("site");
        bus.on(START).unwrap().subscribe("starts", |_| say("started"));
        bus.on(EXIT).unwrap().subscribe("exits", |_| say("exited"));
        refused(&bus.ask_start());
        refused(&bus.ask_stop());
        refused(&bus.ask_graceful(SettingsMap::new()));
        refused(&bus.ask_restart("a test"));
        refused(&bus.ask_exit(Exit::success("a test")));
        assert!(matches!(bus.start_with_callback(drop), Err(Error::NoThread(_))));
        assert_eq!((bus.state(), bus.exit_asked()), (State::Stopped, None), "nothing was begun");
        drop(bus);
        return say("gone");
    }
    // Stacks of a pebibyte: no address space has room for one.
    let script = "export RUST_MIN_STACK=1125899906842624; exec \"$@\"";
    let mut child = Process::start_by_shell(name, script);
    assert_eq!(child.expect("gone"), ["gone"]);
    assert!(child.wait().success());
}

//! A stop is done when the process is gone, and whoever was waiting when it was killed learns that.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::path::Path;
use std::time::Instant;

use common::{LONG, MOMENT, ask_aside, patient_bus, soon};
use sitebus_bus::priority;
use sitebus_control::{AskError, Client, Command, ConnectError, Control, Event, Settings, Verdict};
use sitebus_os::process::Process as Watched;
use sitebus_os::signal::Signal;
use sitebus_testkit::own_process::{Process, hear, is_child, say};

/// A site in a child, and a client of it.
fn site(test: &str, folder: &Path) -> (Process, Client) {
    let path = folder.join("control.sock");
    let mut child = Process::start(test);
    child.tell(path.to_str().unwrap());
    child.expect("started");
    let client = Client::connect(&path, soon()).unwrap();
    assert_eq!(client.pid(), Some(child.pid()));
    (child, client)
}

/// The site in the child: it exits when it is asked to, and the process when `end` says so.
fn serve(drains: bool, end: impl FnOnce()) {
    let bus = patient_bus();
    Control::new(Settings::at(hear())).subscribe(&bus).unwrap();
    if drains {
        bus.plugin("drain").on_stop(priority::SITE, |stop| {
            let _ = stop.hurry().wait_until(stop.deadline());
        });
    }
    bus.start().unwrap();
    say("started");
    let _ = bus.block();
    end();
}

#[test]
fn a_stop_is_done_when_the_process_is_gone() {
    if is_child() {
        return serve(false, || drop(hear()));
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut child, mut client) = site("a_stop_is_done_when_the_process_is_gone", folder.path());
    let process = Watched::open(child.pid()).unwrap();
    let error = client.ask(Command::Stop, Instant::now() + 10 * MOMENT, |_| {}).unwrap_err();
    assert_eq!(error.exit_status(), 3);
    let expected = format!("the site has exited, but its process {} still runs", child.pid());
    assert!(error.to_string().contains(&expected), "{error}");
    assert!(!process.has_ended().unwrap());
    child.tell("end");
    assert!(process.wait(Some(soon())).unwrap());

    let (mut child, client) = site("a_stop_is_done_when_the_process_is_gone", folder.path());
    let process = Watched::open(child.pid()).unwrap();
    let stop = ask_aside(client, Command::Stop);
    stop.expect(&Event::State("EXITING".to_owned()));
    child.tell("end");
    let outcome = stop.outcome();
    assert_eq!((outcome.verdict(), outcome.message()), (Verdict::Done, "the site has exited"));
    assert!(process.has_ended().unwrap());
    assert!(child.wait().success());
}

#[test]
fn a_site_that_is_killed_meanwhile_is_gone_and_did_not_answer() {
    if is_child() {
        return serve(true, || {});
    }
    let name = "a_site_that_is_killed_meanwhile_is_gone_and_did_not_answer";
    let folder = tempfile::tempdir().unwrap();
    let (mut child, client) = site(name, folder.path());
    let stop = ask_aside(client, Command::Stop);
    stop.expect(&Event::State("STOPPING".to_owned()));
    child.send(Signal::KILL);
    let outcome = stop.outcome();
    assert_eq!(outcome.verdict(), Verdict::Done);
    assert!(outcome.message().contains("it ended before it could say how"), "{}", outcome.message());
    child.wait();
    let path = folder.path().join("control.sock");
    assert!(path.exists());
    let error = Client::connect(&path, soon()).unwrap_err();
    assert!(matches!(error, ConnectError::NotRunning { .. }), "{error}");

    // The next one replaces what it left; and a restart in which everything ends is no restart.
    let (mut child, mut client) = site(name, folder.path());
    let killer = std::thread::spawn({
        let process = Watched::open(child.pid()).unwrap();
        let path = path.clone();
        move || {
            let mut other = Client::connect(&path, soon()).unwrap();
            while other.ask(Command::Status, soon(), |_| {}).unwrap().status().unwrap().state != "STOPPING" {}
            child.send(Signal::KILL);
            assert!(process.wait(Some(Instant::now() + LONG)).unwrap());
            child.wait();
        }
    });
    let error = client.ask(Command::Restart, soon(), |_| {}).unwrap_err();
    assert!(matches!(error, AskError::Ended { gone: Some(true), .. }), "{error}");
    assert!(error.to_string().contains("is gone; what it was asked for may be half done"), "{error}");
    killer.join().unwrap();
}

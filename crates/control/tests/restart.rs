//! A restart as its clients see it: the connection goes on into the next image, or the next image is found.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::sync::mpsc;

use anyhow::{anyhow, bail};
use common::{Asking, LONG, Site, ask_aside, patient_bus, settings, soon};
use sitebus_bus::{Bus, Cause, START, priority};
use sitebus_control::{AskError, Client, Command, Control, Event, Subscribed, Verdict};
use sitebus_os::parcel::{Inherited, Item};
use sitebus_testkit::Gate;

/// A site that is to restart, and a client that waits for it. What was handed on comes out when the bus has exited.
fn restarting(site: &Site) -> (Asking, Inherited) {
    let (sender, handed) = mpsc::channel();
    site.bus.restart_by(move |_, handed_on| {
        sender.send(handed_on.take::<Item>()).unwrap();
        anyhow!("no room for a new image")
    });
    let asking = ask_aside(site.client(), Command::Restart);
    asking.expect(&Event::State("EXITING".to_owned()));
    let exit = site.bus.block();
    assert!(matches!(exit.cause(), Cause::RestartFailed { .. }), "{exit}");
    let inherited = Inherited::nothing();
    inherited.put(handed.recv_timeout(LONG).unwrap());
    (asking, inherited)
}

fn next_image(site: &Site, inherited: &Inherited) -> (Bus, Subscribed) {
    let bus = patient_bus();
    let control = Control::new(settings(&site.folder)).inherit(inherited).subscribe(&bus).unwrap();
    (bus, control)
}

#[test]
fn the_next_image_answers_whoever_waits_and_no_connect_is_refused_meanwhile() {
    let site = Site::started();
    let (asking, inherited) = restarting(&site);
    assert_eq!(inherited.left().len(), 2);
    // Between the images a connect is not refused: it is answered when there is somebody to do so.
    let path = site.path();
    let between = std::thread::spawn(move || Client::connect(&path, soon()).unwrap().state().to_owned());
    let (bus, control) = next_image(&site, &inherited);
    assert_eq!(between.join().unwrap(), "STOPPED");
    let gate = Gate::new();
    let held = gate.clone();
    bus.plugin("slow").on_start(priority::SITE, move |_| held.pass());
    drop(bus.ask_start());
    gate.wait_for_arrival(LONG);
    asking.expect(&Event::State("STARTING".to_owned()));
    assert!(!asking.outcome.is_finished(), "done before it is STARTED");
    gate.open();
    let outcome = asking.outcome();
    assert_eq!((outcome.verdict(), outcome.message()), (Verdict::Done, "the site has restarted"));
    bus.exit().unwrap();
    let _ = bus.block();
    assert!(!control.path().exists(), "the file is the next image's, which removes it");
}

#[test]
fn a_next_image_that_does_not_come_up_says_why() {
    let site = Site::started();
    let (asking, inherited) = restarting(&site);
    let (bus, _control) = next_image(&site, &inherited);
    bus.on(START).unwrap().subscribe("cellar", |_| -> anyhow::Result<()> { bail!("flooded") });
    bus.start().unwrap_err();
    let _ = bus.block();
    let outcome = asking.outcome();
    assert_eq!((outcome.verdict(), outcome.exit_status()), (Verdict::Failed, 1));
    assert!(outcome.message().starts_with("the new image did not come up: "), "{}", outcome.message());
    assert!(outcome.message().contains("cellar"), "{}", outcome.message());
}

#[test]
fn a_restart_that_fails_is_told_by_the_old_image_once_it_is_back() {
    let site = Site::started();
    let (asking, inherited) = restarting(&site);
    let bus = patient_bus();
    let control = Control::new(settings(&site.folder)).inherit(&inherited);
    let control = control.after_failed_restart("no room for a new image").subscribe(&bus).unwrap();
    bus.start().unwrap();
    let outcome = asking.outcome();
    assert_eq!(outcome.verdict(), Verdict::Failed);
    assert!(
        outcome.message().ends_with("in the old image: no room for a new image"),
        "{}",
        outcome.message()
    );
    let mut client = Client::connect(control.path(), soon()).unwrap();
    let status = client.ask(Command::Status, soon(), |_| {}).unwrap().status().unwrap();
    assert_eq!(status.failed_restart.unwrap(), "no room for a new image");
}

#[test]
fn two_restarts_in_a_row_carry_whoever_waits_since_the_first() {
    let site = Site::started();
    let (asking, mut inherited) = restarting(&site);
    for _ in 0..3 {
        let (bus, _control) = next_image(&site, &inherited);
        let (sender, handed) = mpsc::channel();
        bus.restart_by(move |_, handed_on| {
            sender.send(handed_on.take::<Item>()).unwrap();
            anyhow!("again")
        });
        drop(bus.ask_restart("impatience"));
        let _ = bus.block();
        inherited = Inherited::nothing();
        inherited.put(handed.recv_timeout(LONG).unwrap());
    }
    let (bus, _control) = next_image(&site, &inherited);
    bus.start().unwrap();
    assert_eq!(asking.outcome().verdict(), Verdict::Done);
}

#[test]
fn without_a_parcel_the_client_finds_the_next_image() {
    for failed in [None, Some("no room")] {
        let site = Site::started();
        let (asking, inherited) = restarting(&site);
        drop(inherited); // nothing is handed on, so the connection ends
        let bus = patient_bus();
        let mut control = Control::new(settings(&site.folder));
        if let Some(why) = failed {
            control = control.after_failed_restart(why);
        }
        let _control = control.subscribe(&bus).unwrap();
        asking.expect(&Event::State("STOPPED".to_owned())); // the client has found it
        bus.start().unwrap();
        let outcome = asking.outcome();
        let expected = if failed.is_none() { Verdict::Done } else { Verdict::Failed };
        assert_eq!(outcome.verdict(), expected, "{}", outcome.message());
    }
}

#[test]
fn a_restart_that_a_plain_exit_overrules_has_failed_and_leaves_no_file() {
    let site = Site::started();
    let gate = Gate::new();
    let held = gate.clone();
    // After everything has been handed on.
    site.bus.plugin("late").on_exit(priority::SIGNALS, move |_| held.pass());
    let asking = ask_aside(site.client(), Command::Restart);
    gate.wait_for_arrival(LONG);
    let stop = site.bus.ask_exit(sitebus_bus::Exit::success("closing time"));
    gate.open();
    let exit = site.bus.block();
    assert!(!exit.is_restart(), "{exit}");
    stop.wait().unwrap();
    let outcome = asking.outcome();
    assert_eq!(outcome.verdict(), Verdict::Failed);
    assert!(outcome.message().contains("closing time"), "{}", outcome.message());
    assert!(!site.path().exists());
}

#[test]
fn what_was_handed_on_for_another_path_makes_room_for_a_new_socket() {
    let site = Site::started();
    let (asking, inherited) = restarting(&site);
    let mut elsewhere = settings(&site.folder);
    elsewhere.path = site.folder.path().join("elsewhere.sock");
    let bus = patient_bus();
    let control = Control::new(elsewhere).inherit(&inherited).subscribe(&bus).unwrap();
    bus.start().unwrap();
    assert_eq!(asking.outcome().verdict(), Verdict::Done);
    assert_eq!(Client::connect(control.path(), soon()).unwrap().state(), "STARTED");
    assert!(!site.path().exists(), "the old file is ours, and nobody listens there any more");
}

#[test]
fn an_end_without_an_answer_is_told_as_that() {
    let Site { bus, control, folder: _folder } = Site::started();
    let gate = Gate::new();
    let held = gate.clone();
    bus.plugin("slow").at_commit(priority::SITE, move |_| held.pass());
    let mut client = Client::connect(control.path(), soon()).unwrap();
    let asking = std::thread::spawn(move || client.ask(Command::Reload, soon(), |_| {}).unwrap_err());
    gate.wait_for_arrival(LONG);
    control.unsubscribe();
    let error = asking.join().unwrap();
    assert!(matches!(error, AskError::Ended { gone: Some(false), .. }), "{error}");
    assert_eq!(error.exit_status(), 1);
    assert!(error.to_string().contains("still runs; ask for its status"), "{error}");
    gate.open();
}

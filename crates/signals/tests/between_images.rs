//! Signals that come between two images of a process.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod site;

use std::env;

use nix::sys::signal::{Signal as Number, kill};
use nix::unistd::Pid;
use sitebus_bus::{Bus, RESTART};
use sitebus_os::image::Image;
use sitebus_os::signal::{Kept, Signal, unblock};
use sitebus_signals::{Settings, Signals};
use sitebus_testkit::own_process::{Process, is_child, say};

const SECOND: &str = "SITEBUS_TEST_SECOND_IMAGE";

fn settings() -> Settings {
    Settings::none().map("USR1", "publish").unwrap().map("TERM", "exit").unwrap().map("INT", "exit").unwrap()
}

/// The first image has nobody left who reads signals when a TERM comes; the second one exits by it.
#[test]
fn a_signal_that_comes_between_two_images_is_heard_by_the_second() {
    let name = "a_signal_that_comes_between_two_images_is_heard_by_the_second";
    if !is_child() {
        let mut child = Process::start(name);
        child.expect("exit with code 0 asked by signal SIGTERM (15)");
        assert!(child.wait().success(), "{}", child.output());
        return;
    }
    let bus = Bus::new("site");
    site::say_the_log(&bus);
    Signals::new(settings()).subscribe(&bus).unwrap();
    unblock([Signal::TERM, Signal::INT]).unwrap();
    if env::var_os(SECOND).is_none() {
        // The harness runs tests on a second thread, and only the one that executes keeps what waits for it: so the signal
        // comes once the reader has ended, and is sent to this thread again.
        bus.restart_by(|_, handed_on| {
            let kept = handed_on.take::<Kept>();
            assert_eq!(kept.len(), 1);
            kill(Pid::this(), Number::SIGTERM).unwrap();
            kept[0].block().unwrap();
            let mut command = Image::capture().unwrap().command();
            command.args(env::args_os().skip(1)).env(SECOND, "1");
            anyhow::anyhow!(std::os::unix::process::CommandExt::exec(&mut command))
        });
        bus.on(RESTART).unwrap().subscribe("looks", |_| ());
        bus.start().unwrap();
        bus.restart().unwrap();
        panic!("{}", bus.block());
    }
    let _ = bus.start(); // refused, if the signal was faster
    say(bus.block());
}

#[test]
fn what_is_kept_for_an_image_that_never_comes_is_given_back() {
    let name = "what_is_kept_for_an_image_that_never_comes_is_given_back";
    if !is_child() {
        let status = Process::start(name).wait();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15), "by the default action");
        return;
    }
    let bus = Bus::new("site");
    Signals::new(settings()).subscribe(&bus).unwrap();
    bus.restart_by(|_, handed_on| {
        drop(handed_on.take::<Kept>());
        anyhow::anyhow!("no such program")
    });
    bus.start().unwrap();
    bus.restart().unwrap();
    drop(bus.block());
    kill(Pid::this(), Number::SIGTERM).unwrap();
    say("still there");
}

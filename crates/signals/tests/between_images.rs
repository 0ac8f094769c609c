//! Signals that come between two images of a process. A `main` of its own: what waits for the thread that executes is heard
//! by the first thread of the next image.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::env;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, Output};

use nix::sys::signal::{Signal as Number, kill};
use nix::unistd::Pid;
use sitebus_bus::Bus;
use sitebus_os::image::Image;
use sitebus_os::signal::{Kept, Signal, unblock};
use sitebus_signals::{Settings, Signals};
use sitebus_testkit::{own_main, tests};

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("first") => first(),
        Some("second") => second(),
        Some("alone") => alone(),
        _ => {
            return own_main::run(tests![
                a_signal_that_comes_between_two_images_is_heard_by_the_second,
                what_is_kept_for_an_image_that_never_comes_is_given_back,
            ]);
        }
    }
    ExitCode::SUCCESS
}

fn run(role: &str) -> Output {
    Command::new(env::current_exe().unwrap()).arg(role).output().unwrap()
}

fn bus() -> Bus {
    let bus = Bus::new("site");
    let settings = Settings::none().map("TERM", "exit").unwrap().map("USR1", "publish").unwrap();
    Signals::new(settings).subscribe(&bus).unwrap();
    unblock([Signal::TERM]).unwrap();
    bus
}

/// The first image has nobody left who reads signals when a TERM comes; the second one exits by it. Often, since any thread
/// may be the one that the kernel interrupts.
fn a_signal_that_comes_between_two_images_is_heard_by_the_second() {
    for _ in 0..50 {
        let output = run("first");
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", output.status);
        assert_eq!(said, "exit with code 0 asked by signal SIGTERM (15)\n");
    }
}

fn first() {
    let bus = bus();
    bus.restart_by(|_, handed_on| {
        let kept = handed_on.take::<Kept>();
        assert_eq!(kept.len(), 1);
        kill(Pid::this(), Number::SIGTERM).unwrap();
        kept[0].block().unwrap();
        let mut command = Image::capture().unwrap().command();
        anyhow::anyhow!(std::os::unix::process::CommandExt::exec(command.arg("second")))
    });
    bus.start().unwrap();
    bus.restart().unwrap();
    panic!("{}", bus.block());
}

#[expect(clippy::print_stdout, reason = "the answer to the test")]
fn second() {
    let bus = bus();
    let _ = bus.start(); // refused, if the signal was faster
    println!("{}", bus.block());
}

fn what_is_kept_for_an_image_that_never_comes_is_given_back() {
    let status = run("alone").status;
    assert_eq!(status.signal(), Some(Signal::TERM.number()), "by the default action: {status}");
}

fn alone() {
    let bus = bus();
    bus.restart_by(|_, handed_on| {
        let kept = handed_on.take::<Kept>();
        kept[0].block().unwrap();
        drop(kept);
        anyhow::anyhow!("no such program")
    });
    bus.start().unwrap();
    bus.restart().unwrap();
    drop(bus.block());
    unblock([Signal::TERM]).unwrap();
    kill(Pid::this(), Number::SIGTERM).unwrap();
}

//! A bus as a program has one, in a child, whose events are said to the parent.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_bus::{Bus, Exit, LOG, Limits, priority};
use sitebus_signals::{Settings, Signals, Subscribed};
use sitebus_testkit::own_process::say;
use std::time::Duration;

/// Limits that no test reaches: what ends is ended by signals.
pub(crate) fn patient_bus() -> Bus {
    let long = Duration::from_secs(600);
    let mut limits = Limits::all(long, long);
    limits.log = long;
    Bus::builder("site").limits(limits).build()
}

/// Says the lines of the plugin, as `INFO SIGTERM: …`.
pub(crate) fn say_the_log(bus: &Bus) {
    bus.on(LOG).unwrap().subscribe("log", |record: &sitebus_bus::Record| {
        if &*record.source == "signals" {
            say(format!("{} {}", record.level, record.message));
        }
    });
}

pub(crate) fn subscribe(bus: &Bus, settings: Settings) -> Subscribed {
    say_the_log(bus);
    Signals::new(settings).subscribe(bus).unwrap()
}

/// A stop listener that drains until it is hurried, and says so.
pub(crate) fn drains(bus: &Bus) {
    bus.plugin("drain").on_stop(priority::STOP_SERVER, |stop| {
        say("draining");
        say(format!("hurried: {}", stop.hurry().wait_until(stop.deadline())));
    });
}

/// A stop listener that never returns, and says when a hurry came.
pub(crate) fn hangs(bus: &Bus) {
    bus.plugin("hang").on_stop(priority::STOP_SERVER, |stop| {
        say("draining");
        say(format!("hurried: {}", stop.hurry().wait_until(stop.deadline())));
        never_return();
    });
}

/// The body of a listener that has hung itself up.
pub(crate) fn never_return() {
    loop {
        std::thread::park();
    }
}

/// Starts, says `ready`, waits for the end and says why.
pub(crate) fn run(bus: &Bus) -> Exit {
    bus.start().unwrap();
    say("ready");
    let exit = bus.block();
    say(&exit);
    exit
}

/// Every signal that asks counts, so that a test need not wait between them.
pub(crate) fn each_counts() -> Settings {
    Settings::default().burst(Duration::ZERO)
}

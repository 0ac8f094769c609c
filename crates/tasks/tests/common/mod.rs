//! A bus with a log, and what tasks of tests do.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::time::Duration;

use sitebus_bus::{Bus, Limits};
use sitebus_tasks::Backoff;
use sitebus_testkit::{Recorder, Transcript};

/// No event of a test comes later.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// Nothing comes after this in a test.
pub(crate) const NEVER: Duration = Duration::from_secs(60 * 60);
/// No test waits longer for the next turn after a failure.
pub(crate) const SHORT: Backoff = Backoff { first: Duration::from_millis(1), most: Duration::from_millis(2) };

/// A bus, and its log.
pub(crate) fn bus() -> (Bus, Transcript) {
    let bus = Bus::new("site");
    let log = Recorder::of(&bus).log().clone();
    (bus, log)
}

/// A bus whose stop listeners are given up after this.
pub(crate) fn bus_with_stop(each: Duration) -> Bus {
    let mut limits = Limits::default();
    limits.stop = sitebus_bus::Limit::new(each, NEVER);
    limits.join = Duration::from_millis(20);
    Bus::builder("site").limits(limits).build()
}

pub(crate) fn end(bus: Bus) {
    bus.exit().unwrap();
    let _ = bus.block();
}

/// Waits until as many lines have come.
pub(crate) fn wait_for_lines(lines: &Transcript, count: usize) {
    let enough = |lines: &[String]| (lines.len() >= count).then_some(());
    lines.wait_until(SOON, &format!("{count} lines"), enough).unwrap();
}

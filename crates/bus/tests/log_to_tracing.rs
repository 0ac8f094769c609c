//! Where lines end that nobody listens to: a subscriber of `tracing`, of which there is one in a process.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fmt::{self, Write};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{Bus, Handle, LOG, Level, Limits};
use sitebus_testkit::{FakeClock, Gate, Transcript};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const SOON: Duration = Duration::from_secs(10);

/// Notes every event, and misbehaves on demand.
struct Notes {
    lines: Transcript,
    bus: OnceLock<Handle>,
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

impl Subscriber for &'static Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sitebus")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(format!("{} ", event.metadata().level()));
        event.record(&mut text);
        self.lines.note(text.0.trim_end());
        if text.0.contains("panic, please") {
            panic!("a subscriber that panics");
        }
        if let Some(bus) = self.bus.get() {
            // A subscriber that hands everything on to a bus, which hands it back to tracing, which…
            assert!(!bus.name().is_empty() && bus.exit_asked().is_none());
            bus.log(Level::Info, "again");
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn lines_without_a_listener_end_in_tracing_whatever_the_subscriber_does() {
    static NOTES: OnceLock<Notes> = OnceLock::new();
    let notes = NOTES.get_or_init(|| Notes { lines: Transcript::new(), bus: OnceLock::new() });
    tracing::subscriber::set_global_default(notes).unwrap();

    let bus = Bus::new("site");
    bus.log(Level::Debug, "one");
    bus.plugin("http").log(Level::Error, "two");
    assert_eq!(notes.lines.take(), ["DEBUG message=one source=site", "ERROR message=two source=http"]);
    bus.start().unwrap();
    notes.lines.wait_for("Bus STARTED", SOON).unwrap();
    bus.exit().unwrap();
    drop(notes.lines.take());

    // One that panics: on the publisher, and on the lane.
    let bus = Bus::new("panic, please");
    bus.log(Level::Info, "one");
    bus.start().unwrap();
    assert_eq!(bus.exit().unwrap(), sitebus_bus::Done::Done);
    assert_eq!(bus.block().code(), 0);
    drop(notes.lines.take());

    // The failure of a log listener, and what it did not take.
    let bus = Bus::new("site");
    bus.on(LOG).unwrap().subscribe("disk", |_| Err(anyhow!("full")));
    bus.log(Level::Info, "lost?");
    let line = notes.lines.wait_for("full", SOON).unwrap();
    assert!(
        line.starts_with("ERROR") && line.contains("'disk' failed on 'log'") && line.contains("lost?"),
        "{line}"
    );

    // A log listener that hangs is named, and what it was not told ends here.
    let clock = FakeClock::new();
    let bus = Bus::builder("slow").clock(clock.clone()).build();
    let gate = Gate::new();
    let held = gate.clone();
    bus.on(LOG).unwrap().subscribe("pipe", move |_| held.pass());
    let start = bus.ask_start();
    gate.wait_for_arrival(SOON);
    clock.advance(Limits::default().log);
    start.wait_for(SOON).unwrap();
    let line = notes.lines.wait_for("given up", SOON).unwrap();
    assert!(line.contains("'pipe' was given up on 'log' after 2s"), "{line}");
    notes.lines.wait_for("Bus STARTED source=slow", SOON).unwrap();
    bus.exit().unwrap();
    let reports = notes.lines.lines().into_iter().filter(|line| line.contains("given up")).count();
    assert_eq!(reports, 1);
    gate.open();
    drop(bus);

    // A subscriber that asks the bus and logs on it, from every thread of the bus.
    let bus = Bus::new("circle");
    assert!(notes.bus.set(bus.handle()).is_ok());
    bus.log(Level::Info, "one");
    bus.start().unwrap();
    bus.stop().unwrap();
    assert!(!notes.lines.lines().iter().any(|line| line.contains("again")), "it would go round for ever");
}

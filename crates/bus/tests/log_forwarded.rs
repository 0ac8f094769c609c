//! A `tracing` subscriber that hands its lines to the bus, and a log listener that hangs: the bus stays alive.
//!
//! Alone in its file, since a subscriber is the whole process's.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sitebus_bus::{Bus, Handle, LOG, Level, Limits};
use sitebus_testkit::Gate;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const PATIENCE: Duration = Duration::from_secs(20);

struct Forward(OnceLock<Handle>);

impl Subscriber for &'static Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sitebus")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        if let Some(bus) = self.0.get() {
            bus.log(Level::Info, "forwarded");
            let _ = bus.state();
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_subscriber_that_writes_to_a_bus_whose_log_hangs_locks_nobody_out() {
    static FORWARD: Forward = Forward(OnceLock::new());
    tracing::subscriber::set_global_default(&FORWARD).unwrap();
    let mut limits = Limits::default();
    limits.log = Duration::from_millis(50);
    let bus = Bus::builder("site").limits(limits).build();
    assert!(FORWARD.0.set(bus.handle()).is_ok());
    let gate = Gate::new();
    let hangs = gate.clone();
    bus.on(LOG).unwrap().subscribe("hangs", move |_| hangs.pass());

    bus.ask_start().wait_for(PATIENCE).unwrap();
    let (answer, answered) = mpsc::channel();
    let handle = bus.handle();
    let asking = thread::spawn(move || answer.send(handle.state()));
    answered.recv_timeout(PATIENCE).unwrap();
    asking.join().unwrap().unwrap();
    gate.open();
}

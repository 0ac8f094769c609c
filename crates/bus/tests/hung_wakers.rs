//! A waker that hangs costs its own time and nobody else's.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use sitebus_bus::{Bus, LOG, Limits, STOP, State};
use sitebus_testkit::{FakeClock, Gate, Transcript};

const SOON: Duration = Duration::from_secs(20);

struct Hang(Gate);

impl Wake for Hang {
    fn wake(self: Arc<Self>) {
        self.0.pass();
    }
}

#[test]
fn a_waker_that_hangs_on_a_state_is_not_charged_to_the_log_listener_after_it() {
    let clock = FakeClock::new();
    let bus = Bus::builder("site").clock(clock.clone()).build();
    let lines = Transcript::new();
    let heard = lines.clone();
    bus.on(LOG).unwrap().subscribe("innocent", move |record| heard.note(record.message.clone()));
    bus.start().unwrap();

    let gate = Gate::new();
    let waker = Waker::from(Arc::new(Hang(gate.clone())));
    let mut stopping = Box::pin(bus.when(State::Stopping));
    assert!(stopping.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let stop = bus.ask_stop();
    gate.wait_for_arrival(SOON);
    clock.advance(Limits::default().log);
    stop.wait_for(SOON).unwrap();
    bus.ask_exit(sitebus_bus::Exit::success("test")).wait_for(SOON).unwrap();

    let expected =
        ["Bus STARTING", "Bus STARTED", "Bus STOPPING", "Bus STOPPED", "Bus EXITING", "Bus EXITED"];
    assert_eq!(lines.lines(), expected);
    gate.open();
}

#[test]
fn a_waker_that_hangs_on_a_hurry_costs_no_listener_its_call() {
    let mut limits = Limits::default();
    limits.stop.total = Duration::from_secs(1);
    limits.last_call = Duration::from_secs(10);
    let clock = FakeClock::new();
    let bus = Bus::builder("site").limits(limits).clock(clock.clone()).build();
    let (gate, called) = (Gate::new(), Transcript::new());
    let channel = bus.on(STOP).unwrap();
    // What is subscribed first stops last.
    for name in ["three", "two"] {
        let called = called.clone();
        channel.subscribe(name, move |_| called.note(name));
    }
    let (hangs, noted, hands) = (gate.clone(), called.clone(), clock.clone());
    channel.subscribe("one", move |stop| {
        noted.note("one");
        let waker = Waker::from(Arc::new(Hang(hangs.clone())));
        let mut hurry = Box::pin(stop.hurry().when());
        assert!(hurry.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        Box::leak(Box::new(hurry)); // it waits until the process ends
        hands.advance(Duration::from_secs(2)); // past the total: the others are called in a hurry
    });
    bus.start().unwrap();
    let stop = bus.ask_stop();
    gate.wait_for_arrival(SOON);
    clock.advance(limits.log); // the waker's time is over
    stop.wait_for(SOON).unwrap();
    assert_eq!(called.lines(), ["one", "two", "three"]);
    gate.open();
}

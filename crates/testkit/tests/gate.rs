//! Holding a thread where the test wants it, and waiting for a future.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::future;
use std::thread;
use std::time::Duration;

use sitebus_testkit::{Gate, block_on};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_gate_holds_until_it_is_opened() {
    let gate = Gate::new();
    let held = gate.clone();
    let thread = thread::spawn(move || held.pass());
    gate.wait_for_arrival(SOON);
    assert!(!thread.is_finished());
    gate.open();
    gate.wait_until_passed(SOON);
    thread.join().unwrap();
    gate.pass();
    gate.wait_for_arrivals(2, SOON);
}

#[test]
fn a_future_is_waited_for_until_it_is_ready_or_the_patience_is_over() {
    assert_eq!(block_on(async { 7 }, SOON).unwrap(), 7);
    let error = block_on(future::pending::<()>(), Duration::from_millis(1)).unwrap_err();
    assert_eq!(error.to_string(), "the future was not ready within 1ms");
}

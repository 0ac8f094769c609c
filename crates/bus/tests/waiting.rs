//! Waiting for states, by blocking and as a future.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use sitebus_bus::{Bus, Exit, START, STOP, State, States, WaitError};
use sitebus_testkit::{Gate, block_on};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_state_that_is_there_is_not_waited_for() {
    let bus = Bus::new("site");
    assert_eq!(bus.wait(State::Stopped, Some(Duration::ZERO)).unwrap(), State::Stopped);
    assert_eq!(bus.wait([State::Stopped, State::Started], None).unwrap(), State::Stopped);
}

#[test]
fn the_first_of_several_states_ends_the_wait() {
    let bus = Bus::new("site");
    let when = bus.when([State::Started, State::Starting]);
    bus.start().unwrap();
    assert_eq!(block_on(when, SOON).unwrap().unwrap(), State::Starting);
    assert_eq!(bus.wait([State::Exiting, State::Started], Some(SOON)).unwrap(), State::Started);
}

#[test]
fn a_state_that_comes_and_goes_at_once_is_not_missed() {
    let bus = Bus::new("site");
    let waits = [State::Starting, State::Started, State::Stopping, State::Exiting]
        .map(|state| (state, bus.when(state)));
    // No listener anywhere: each of them lasts for next to no time.
    bus.start().unwrap();
    bus.stop().unwrap();
    bus.exit().unwrap();
    for (state, when) in waits {
        assert_eq!(block_on(when, SOON).unwrap().unwrap(), state);
    }
}

#[test]
fn a_thread_that_blocks_is_woken_by_the_change() {
    let (bus, gate) = (Bus::new("site"), Gate::new());
    let held = gate.clone();
    bus.on(START).unwrap().subscribe("is held", move |_| held.pass());
    drop(bus.ask_start());
    gate.wait_for_arrival(SOON);
    let waits = (0..3).map(|_| {
        let handle = bus.handle();
        thread::spawn(move || handle.wait(State::Started, Some(SOON)))
    });
    let waits = waits.collect::<Vec<_>>();
    gate.open();
    for wait in waits {
        assert_eq!(wait.join().unwrap().unwrap(), State::Started);
    }
}

#[test]
fn patience_ends_with_an_error_that_says_what_was_waited_for() {
    let bus = Bus::new("site");
    let patience = Duration::from_millis(1);
    let error = bus.wait([State::Started, State::Exiting], Some(patience)).unwrap_err();
    let states = States::from([State::Started, State::Exiting]);
    assert_eq!(error, WaitError::TimedOut { states, waited: patience });
    assert_eq!(error.to_string(), "the bus was not STARTED or EXITING within 1ms");
    let nothing: [State; 0] = [];
    let error = bus.wait(nothing, Some(Duration::ZERO)).unwrap_err();
    assert_eq!(error.to_string(), "the bus was not no state at all within 0ns");
}

#[test]
fn patience_without_end_is_no_overflow() {
    let bus = Bus::new("site");
    let handle = bus.handle();
    let waits = thread::spawn(move || handle.wait(State::Started, Some(Duration::MAX)));
    bus.start().unwrap();
    assert_eq!(waits.join().unwrap().unwrap(), State::Started);
}

#[test]
fn once_the_bus_has_exited_a_wait_for_another_state_ends_at_once() {
    let bus = Bus::new("site");
    let (early, handle) = (bus.when(State::Started), bus.handle());
    let blocked = thread::spawn(move || handle.wait(State::Starting, None));
    bus.ask_exit(Exit::signal("TERM", 15)).wait_for(SOON).unwrap();
    let exited = |error: WaitError| matches!(error, WaitError::Exited { exit, .. } if exit == Exit::signal("TERM", 15));
    assert!(exited(block_on(early, SOON).unwrap().unwrap_err()));
    assert!(exited(blocked.join().unwrap().unwrap_err()));
    assert!(exited(bus.wait(State::Stopped, None).unwrap_err()));
    assert!(exited(block_on(bus.when(State::Started), SOON).unwrap().unwrap_err()));
    assert_eq!(bus.wait([State::Stopped, State::Exiting], None).unwrap(), State::Exiting);
    let error = bus.wait(State::Started, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the bus will never be STARTED again: exit with code 0 asked by signal SIGTERM (15)"
    );
}

#[test]
fn sets_of_states_are_made_of_states_arrays_slices_and_iterators() {
    let all = [State::Stopped, State::Starting, State::Started, State::Stopping, State::Exiting];
    let some = States::from(&all[1..3]);
    assert_eq!(some, States::from([State::Starting, State::Started]));
    assert_eq!(some, all.into_iter().filter(|state| some.contains(*state)).collect());
    assert!(all.into_iter().all(|state| States::from(all).contains(state)));
    assert_eq!(format!("{some:?} {some}"), "{Starting, Started} STARTING or STARTED");
}

#[derive(Default)]
struct Counts(AtomicUsize);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_future_wakes_the_last_task_that_polled_it_and_only_once() {
    let bus = Bus::new("site");
    let (first, last) = (Arc::<Counts>::default(), Arc::<Counts>::default());
    let mut when = pin!(bus.when(State::Started));
    for counts in [&first, &first, &last, &last] {
        let waker = Waker::from(Arc::clone(counts));
        assert!(when.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    bus.start().unwrap();
    bus.stop().unwrap();
    let woken = |counts: &Counts| counts.0.load(Ordering::SeqCst);
    assert_eq!((woken(&first), woken(&last)), (0, 1));
    let ready = when.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(ready, Poll::Ready(Ok(State::Started))));
}

#[test]
fn a_future_that_is_dropped_leaves_no_waker_behind() {
    let bus = Bus::new("site");
    let (counts, gate) = (Arc::<Counts>::default(), Gate::new());
    let held = gate.clone();
    bus.on(STOP).unwrap().subscribe("is held", move |stop| {
        let waker = Waker::from(Arc::<Counts>::default());
        let mut when = pin!(stop.hurry().when());
        assert!(when.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        held.pass();
    });
    bus.start().unwrap();
    let ticket = bus.ask_stop();
    gate.wait_for_arrival(SOON);
    let waker = Waker::from(Arc::clone(&counts));
    let mut context = Context::from_waker(&waker);
    {
        let mut when = pin!(bus.when(State::Exiting));
        let mut awaited = pin!(ticket.clone());
        assert!(
            when.as_mut().poll(&mut context).is_pending() && awaited.as_mut().poll(&mut context).is_pending()
        );
        assert_eq!(Arc::strong_count(&counts), 4);
    }
    assert_eq!(Arc::strong_count(&counts), 2, "the waker here, and its origin");
    gate.open();
    ticket.wait_for(SOON).unwrap();
    bus.exit().unwrap();
    assert_eq!(counts.0.load(Ordering::SeqCst), 0);
}

/// Were each of them to look for itself in a list, this would take minutes.
#[test]
fn a_hundred_thousand_wait_and_leave_in_no_time() {
    let bus = Bus::new("site");
    let ticket_held = Gate::new();
    let held = ticket_held.clone();
    bus.on(START).unwrap().subscribe("is held", move |_| held.pass());
    let ticket = bus.ask_start();
    ticket_held.wait_for_arrival(SOON);
    let mut context = Context::from_waker(Waker::noop());
    let mut futures = Vec::new();
    for _ in 0..100_000 {
        let (mut when, mut awaited) = (Box::pin(bus.when(State::Exiting)), Box::pin(ticket.clone()));
        assert!(
            when.as_mut().poll(&mut context).is_pending() && awaited.as_mut().poll(&mut context).is_pending()
        );
        futures.push((when, awaited));
    }
    for (when, awaited) in &mut futures {
        assert!(
            when.as_mut().poll(&mut context).is_pending() && awaited.as_mut().poll(&mut context).is_pending()
        );
    }
    let rest = futures.split_off(50_000);
    drop(futures);
    ticket_held.open();
    ticket.wait_for(SOON).unwrap();
    bus.exit().unwrap();
    for (when, awaited) in rest {
        assert_eq!(block_on(when, SOON).unwrap().unwrap(), State::Exiting);
        block_on(awaited, SOON).unwrap().unwrap();
    }
}

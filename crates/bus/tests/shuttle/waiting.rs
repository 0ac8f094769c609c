//! Those who wait: for states and for tickets, by blocking and as futures.

use shuttle::future::block_on;
use sitebus_bus::{State, States, WaitError};

use crate::checker::{hold, in_every_schedule};
use crate::site::{Site, answered, aside, join_all};

const WOKEN: &str = "whoever waits for a state is told of it: no state is entered in silence";

fn reached(outcome: &Result<State, WaitError>, states: impl Into<States>) {
    let states = states.into();
    hold(outcome.as_ref().is_ok_and(|state| states.contains(*state)), WOKEN);
}

/// A state may have come and gone before the wait began; then the exit ends it.
fn reached_or_over(outcome: &Result<State, WaitError>) {
    hold(matches!(outcome, Ok(_) | Err(WaitError::Exited { .. })), WOKEN);
}

#[test]
fn threads_that_wait_for_states() {
    in_every_schedule(WOKEN, || {
        let site = Site::new();
        let [one, two, three] = [(); 3].map(|()| site.bus.handle());
        let started = aside(move || reached_or_over(&one.wait(State::Started, None)));
        let passing = aside(move || reached_or_over(&two.wait([State::Starting, State::Stopping], None)));
        let exiting = aside(move || reached(&three.wait(State::Exiting, None), State::Exiting));
        answered(&site.bus.start(), &["done"]);
        answered(&site.bus.exit(), &["done"]);
        site.end();
        join_all([started, passing, exiting]);
    });
}

#[test]
fn a_state_that_comes_and_goes_at_once_is_not_missed() {
    in_every_schedule(WOKEN, || {
        let site = Site::new();
        // Registered before, so each state must be told.
        let states = [State::Starting, State::Started, State::Stopping, State::Exiting];
        let passing = states.map(|state| site.bus.when(state));
        let handle = site.bus.handle();
        let asks = aside(move || {
            let tickets = (handle.ask_start(), handle.ask_stop());
            let (start, stop) = (tickets.0.wait(), tickets.1.wait());
            answered(&start, &["done"]);
            answered(&stop, &["done"]);
            answered(&handle.exit(), &["done"]);
        });
        for (state, when) in states.into_iter().zip(passing) {
            reached(&block_on(when), state);
        }
        asks.join().unwrap();
        site.end();
    });
}

#[test]
fn a_wait_for_what_never_comes_ends_with_the_exit() {
    in_every_schedule("a wait ends with the bus at the latest", || {
        let site = Site::new();
        let (one, two) = (site.bus.handle(), site.bus.handle());
        let never = aside(move || {
            let outcome = one.wait(State::Started, None);
            hold(matches!(outcome, Err(WaitError::Exited { .. })), "a state that never came is not told");
        });
        // A future that is dropped before its end leaves no trace.
        let dropped = aside(move || drop(two.when(State::Started)));
        answered(&site.bus.exit(), &["done"]);
        site.end();
        join_all([never, dropped]);
    });
}

#[test]
fn one_ticket_for_many() {
    in_every_schedule("every clone of a ticket is answered, blocking or awaited", || {
        let site = Site::new();
        let ticket = site.bus.ask_start();
        let [blocking, awaited, polled] = [(); 3].map(|()| ticket.clone());
        let one = aside(move || answered(&blocking.wait(), &["done", "interrupted", "refused"]));
        let two = aside(move || answered(&block_on(awaited), &["done", "interrupted", "refused"]));
        let exit = site.bus.ask_exit(sitebus_bus::Exit::success("the test"));
        answered(&ticket.wait(), &["done", "interrupted", "refused"]);
        hold(polled.outcome().is_some(), "every clone of a ticket is answered, blocking or awaited");
        answered(&exit.wait(), &["done"]);
        site.end();
        join_all([one, two]);
    });
}

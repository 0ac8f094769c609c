//! Several threads ask at once.

use anyhow::anyhow;
use sitebus_bus::{Cause, Error, Exit, Handle, Priority, START, State};

use crate::checker::{hold, in_every_schedule};
use crate::site::{Note, SHOP, Site, answered, aside, join_all, kind};

#[test]
fn start_stop_and_exit_from_three_threads() {
    in_every_schedule("every ticket is answered exactly once, whoever asks meanwhile", || {
        let site = Site::new();
        let [one, two, three] = [(); 3].map(|()| site.bus.handle());
        let start = aside(move || answered(&one.start(), &["done", "interrupted", "refused"]));
        let stop = aside(move || answered(&two.stop(), &["done", "refused"]));
        let exit = aside(move || answered(&three.exit(), &["done"]));
        site.end();
        join_all([start, stop, exit]);
    });
}

#[test]
fn two_starts_and_two_stops_from_four_threads() {
    in_every_schedule("every ticket is answered exactly once, also those that join", || {
        let site = Site::new();
        let starts = [(); 2].map(|()| {
            let handle = site.bus.handle();
            aside(move || answered(&handle.start(), &["done"]))
        });
        let stops = [(); 2].map(|()| {
            let handle = site.bus.handle();
            aside(move || answered(&handle.stop(), &["done"]))
        });
        starts.into_iter().chain(stops).for_each(|thread| thread.join().unwrap());
        answered(&site.bus.exit(), &["done"]);
        site.end();
    });
}

const NOT_LOST: &str = "no exit is lost: asked while STARTING, it cancels the start and is done";

#[test]
fn an_exit_during_a_start_that_waits_to_be_cancelled() {
    in_every_schedule(NOT_LOST, || {
        let site = Site::new();
        let slow = site.bus.plugin("slow");
        slow.on_start(10, |start| {
            // It is up only when nobody wants it any more.
            hold(start.cancelled().wait_until(start.deadline()), "an exit cancels the start that runs");
        });
        let (starter, exiter) = (site.bus.handle(), site.bus.handle());
        let start = aside(move || hold(kind(&starter.start()) == "interrupted", NOT_LOST));
        let exit = aside(move || {
            exiter.wait([State::Starting, State::Stopping, State::Exiting], None).unwrap();
            answered(&exiter.exit(), &["done"]);
        });
        let notes = site.notes.clone();
        site.end();
        let skipped = !notes.all().contains(&Note::Start(SHOP));
        hold(skipped, "nothing of a start, a look or a commit begins once an exit forbids it");
        join_all([start, exit]);
    });
}

#[test]
fn a_second_exit_hurries_a_drain() {
    in_every_schedule("a second exit hurries what drains", || {
        let site = Site::new();
        site.bus.plugin("drain").on_stop(10, |stop| {
            hold(stop.hurry().wait_until(stop.deadline()), "a second exit hurries what drains");
        });
        let exits = [(); 2].map(|()| {
            let handle = site.bus.handle();
            aside(move || answered(&handle.exit(), &["done"]))
        });
        site.end();
        join_all(exits);
    });
}

const ORIGINAL: &str = "a failed start is answered with the original error, once everything is over";

#[test]
fn a_start_that_fails_while_others_ask() {
    in_every_schedule(ORIGINAL, || {
        let site = Site::new();
        site.bus.on(START).unwrap().subscribe("broken", |_| Err::<(), _>(anyhow!("no room")));
        let [one, two, three] = [(); 3].map(|()| site.bus.handle());
        let [start, joined] = [one, two].map(|handle| aside(move || fails_or_is_refused(&handle)));
        let stop = aside(move || answered(&three.stop(), &["done", "refused"]));
        let exit = site.bus.block();
        hold(exit.code() == 1, "success becomes failure after failures");
        site.end();
        join_all([start, joined, stop]);
    });
}

fn fails_or_is_refused(handle: &Handle) {
    match handle.start() {
        Err(Error::Failed { failures, .. }) => {
            let original = failures.len() == 1 && failures.first().listener() == "broken";
            hold(original && handle.state() == State::Exiting, ORIGINAL);
        }
        outcome => answered(&outcome, &["refused"]),
    }
}

#[test]
fn a_restart_and_an_exit_at_once() {
    in_every_schedule("a plain exit wins over a restart, whoever comes first", || {
        let site = Site::new();
        site.bus.restart_by(|_, _| anyhow!("nothing to become"));
        let (one, two) = (site.bus.handle(), site.bus.handle());
        let restart = aside(move || {
            let outcome = one.restart();
            answered(&outcome, &["done", "refused", "interrupted"]);
            kind(&outcome)
        });
        let exit = aside(move || answered(&two.ask_exit(Exit::with_code(3, "two")).wait(), &["done"]));
        let ending = site.bus.block();
        let restarted = matches!(ending.cause(), Cause::RestartFailed { .. });
        hold(restarted || ending.code() == 3, "an exit keeps its code");
        let promised = restart.join().unwrap() == "done";
        hold(promised == restarted, "a restart is performed if its asker was told so, and only then");
        exit.join().unwrap();
        site.end();
    });
}

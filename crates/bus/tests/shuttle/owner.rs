//! The owner of the bus goes.

use std::sync::{Arc, Weak};

use anyhow::anyhow;
use shuttle::sync::{Condvar, Mutex};
use sitebus_bus::{Exit, START, State, Topic, topics};

use crate::checker::{hold, in_every_schedule};
use crate::site::{Site, answered, aside, everything_ended, join_all};

/// Gives the site a listener that owns something, and a handle, and returns how to find out whether it lives.
fn with_a_circle(site: &Site) -> Weak<()> {
    let owned = Arc::new(());
    let (weak, handle) = (Arc::downgrade(&owned), site.bus.handle());
    site.bus.on(START).unwrap().subscribe("circle", move |_| {
        let _ = (&owned, &handle);
    });
    weak
}

const FREED: &str = "dropping the owner ends the bus and frees its listeners";

#[test]
fn the_owner_goes_while_others_ask() {
    in_every_schedule(FREED, || {
        let site = Site::new();
        let listener = with_a_circle(&site);
        let [one, two, three] = [(); 3].map(|()| site.bus.handle());
        let start = aside(move || answered(&one.start(), &["done", "interrupted", "refused"]));
        let graceful = aside(move || answered(&two.graceful(), &["done", "interrupted", "refused"]));
        let waits = aside(move || drop(three.wait(State::Started, None)));
        let Site { bus, notes } = site;
        drop(bus);
        join_all([start, graceful, waits]);
        everything_ended(&notes);
        hold(listener.strong_count() == 0, FREED);
    });
}

#[test]
fn the_owner_goes_while_another_exits_and_one_waits() {
    in_every_schedule(FREED, || {
        let site = Site::new();
        let listener = with_a_circle(&site);
        answered(&site.bus.start(), &["done"]);
        let (one, two) = (site.bus.handle(), site.bus.handle());
        let exit = aside(move || answered(&one.exit(), &["done"]));
        let waits = aside(move || drop(two.wait(State::Stopped, None)));
        let Site { bus, notes } = site;
        drop(bus);
        join_all([exit, waits]);
        everything_ended(&notes);
        hold(listener.strong_count() == 0, FREED);
    });
}

/// Tells when it is dropped, so that a scenario can wait for that.
#[derive(Clone, Default)]
struct Dropped(Arc<(Mutex<bool>, Condvar)>);

struct TellsWhenDropped(Dropped);

impl Drop for TellsWhenDropped {
    fn drop(&mut self) {
        *self.0.0.0.lock().unwrap() = true;
        self.0.0.1.notify_all();
    }
}

impl Dropped {
    fn wait(&self) {
        let mut dropped = self.0.0.lock().unwrap();
        while !*dropped {
            dropped = self.0.1.wait(dropped).unwrap();
        }
    }
}

#[test]
fn the_owner_goes_inside_a_listener() {
    in_every_schedule(FREED, || {
        let Site { bus, notes } = Site::new();
        let handle = bus.handle();
        let (owner, dropped) = (std::sync::Mutex::new(Some(bus)), Dropped::default());
        let (circle, tells) = (handle.clone(), TellsWhenDropped(dropped.clone()));
        handle.on(START).unwrap().subscribe("drops its owner", move |_| {
            let _ = (&circle, &tells);
            let bus = owner.lock().unwrap().take();
            drop(bus);
        });
        answered(&handle.start(), &["interrupted"]);
        hold(handle.wait(State::Exiting, None).is_ok(), "an owner that goes inside is an exit too");
        answered(&handle.exit(), &["done"]);
        everything_ended(&notes);
        dropped.wait();
    });
}

#[test]
fn what_is_subscribed_while_the_owner_goes_is_forgotten_too() {
    in_every_schedule(FREED, || {
        let Site { bus, notes } = Site::new();
        let handle = bus.handle();
        let owned = Arc::new(());
        let weak = Arc::downgrade(&owned);
        let comes = aside(move || {
            for topic in [Topic::<()>::new("new"), topics::REOPEN] {
                let (circle, owned) = (handle.clone(), Arc::clone(&owned));
                handle.on(topic).unwrap().subscribe("late", move |()| {
                    let _ = (&circle, &owned);
                });
            }
            let (circle, owned) = (handle.clone(), owned);
            handle.on(START).unwrap().subscribe("late", move |_| {
                let _ = (&circle, &owned);
            });
            let circle = handle.clone();
            handle.restart_by(move |_, _| anyhow!("{} is gone", circle.name()));
        });
        drop(bus);
        comes.join().unwrap();
        everything_ended(&notes);
        hold(weak.strong_count() == 0, FREED);
    });
}

#[test]
fn several_threads_block() {
    in_every_schedule("block() returns the exit to everybody who waits for it", || {
        let Site { bus, notes } = Site::new();
        let (handle, bus) = (bus.handle(), Arc::new(bus));
        let other = Arc::clone(&bus);
        let blocks = aside(move || hold(other.block().code() == 3, "an exit keeps its code"));
        let exits = aside(move || drop(handle.ask_exit(Exit::with_code(3, "the test"))));
        hold(bus.block().code() == 3, "an exit keeps its code");
        join_all([blocks, exits]);
        everything_ended(&notes);
    });
}

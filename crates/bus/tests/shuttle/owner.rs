//! The owner of the bus goes.

use std::sync::{Arc, Weak};

use sitebus_bus::{START, State};

use crate::checker::{hold, in_every_schedule};
use crate::site::{Site, answered, aside, everything_ended};

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
        [start, graceful, waits].map(|thread| thread.join().unwrap());
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
        [exit, waits].map(|thread| thread.join().unwrap());
        everything_ended(&notes);
        hold(listener.strong_count() == 0, FREED);
    });
}

#[test]
fn the_owner_goes_inside_a_listener() {
    in_every_schedule(FREED, || {
        let Site { bus, notes } = Site::new();
        let handle = bus.handle();
        let owner = std::sync::Mutex::new(Some(bus));
        handle.on(START).unwrap().subscribe("drops its owner", move |_| {
            let bus = owner.lock().unwrap().take();
            drop(bus);
        });
        answered(&handle.start(), &["interrupted"]);
        hold(handle.wait(State::Exiting, None).is_ok(), "an owner that goes inside is an exit too");
        answered(&handle.exit(), &["done"]);
        everything_ended(&notes);
    });
}

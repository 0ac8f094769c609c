//! Listeners that ask the bus that is waiting for them.

use sitebus_bus::{Commit, Priority, State};

use crate::checker::{hold, in_every_schedule};
use crate::site::{Site, answered, aside, join_all};

#[test]
fn listeners_that_ask_are_noted() {
    in_every_schedule("a listener that asks its own bus never waits for itself", || {
        let site = Site::new();
        let [on_start, on_stop, on_exit] = [(); 3].map(|()| site.bus.handle());
        let curious = site.bus.plugin("curious");
        curious.on_start(60, move |_| answered(&on_start.exit(), &["noted"]));
        curious.on_stop(60, move |_| answered(&on_stop.start(), &["refused"]));
        curious.on_exit(60, move |exiting| {
            answered(&on_exit.exit(), &["noted"]);
            hold(!exiting.hurry().is_set(), "nobody is hurried without a reason");
        });
        let handle = site.bus.handle();
        let start = aside(move || answered(&handle.start(), &["interrupted"]));
        site.end();
        start.join().unwrap();
    });
}

#[test]
fn a_reload_that_asks_for_an_exit_while_another_thread_stops() {
    in_every_schedule("no exit is lost: noted inside, it is done next", || {
        let site = Site::new();
        let inside = site.bus.handle();
        site.bus.plugin("curious").on_graceful(Priority::DEFAULT, move |_| {
            answered(&inside.exit(), &["noted"]);
            Ok(Commit::nothing())
        });
        let (one, two) = (site.bus.handle(), site.bus.handle());
        let stop = aside(move || answered(&one.stop(), &["done", "refused"]));
        let graceful = aside(move || answered(&two.graceful(), &["interrupted"]));
        site.end();
        join_all([stop, graceful]);
    });
}

#[test]
fn a_listener_of_one_bus_waits_for_another() {
    in_every_schedule("one bus may wait for another", || {
        let (outer, inner) = (Site::new(), Site::new());
        let (starts, stops) = (inner.bus.handle(), inner.bus.handle());
        let nested = outer.bus.plugin("nested");
        nested.on_start(60, move |_| answered(&starts.start(), &["done"]));
        nested.on_stop(60, move |_| answered(&stops.exit(), &["done"]));
        let handle = outer.bus.handle();
        let exit = aside(move || {
            handle.wait(State::Started, None).unwrap();
            answered(&handle.exit(), &["done"]);
        });
        answered(&outer.bus.start(), &["done"]);
        outer.end();
        inner.end();
        exit.join().unwrap();
    });
}

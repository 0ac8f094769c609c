//! Publishes, and changes made meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use shuttle::thread;
use sitebus_bus::{Bus, Exit, START, Topic};

use crate::checker::{hold, in_every_schedule};
use crate::site::{Site, answered, aside, join_all};

const ORDER: Topic<u32> = Topic::new("shop.order");

#[test]
fn subscribing_and_unsubscribing_during_publishes() {
    in_every_schedule("changes made during a publish count from the next one", || {
        let bus = Bus::new("shop");
        let (channel, publisher) = (bus.on(ORDER).unwrap(), bus.on(ORDER).unwrap());
        let (constant, passing) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&constant);
        channel.subscribe("constant", move |_| {
            counter.fetch_add(1, SeqCst);
            thread::yield_now();
        });
        let publishes = aside(move || {
            for order in 0..3 {
                publisher.publish(&order).unwrap();
            }
        });
        for _ in 0..2 {
            let counter = Arc::clone(&passing);
            let subscription = channel.subscribe("passing", move |order| {
                counter.fetch_add(usize::from(*order == 100), SeqCst);
            });
            channel.publish(&100).unwrap();
            subscription.unsubscribe();
            channel.publish(&100).unwrap();
        }
        publishes.join().unwrap();
        hold(constant.load(SeqCst) == 7, "every publish calls every listener");
        hold(passing.load(SeqCst) == 2, "changes made during a publish count from the next one");
    });
}

#[test]
fn subscribing_during_a_start() {
    in_every_schedule(
        "a listener that comes during a start counts from the next one, and is stopped only then",
        || {
            let site = Site::new();
            let (one, two) = (site.bus.handle(), site.bus.handle());
            let start = aside(move || answered(&one.start(), &["done", "interrupted", "refused"]));
            let (began, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (begins, ends) = (Arc::clone(&began), Arc::clone(&ended));
            let comes = aside(move || {
                let late = two.plugin("late");
                late.on_start(sitebus_bus::Priority::DEFAULT, move |_| {
                    begins.fetch_add(1, SeqCst);
                });
                late.on_stop(sitebus_bus::Priority::DEFAULT, move |_| {
                    ends.fetch_add(1, SeqCst);
                });
            });
            join_all([start, comes]);
            answered(&site.bus.exit(), &["done"]);
            site.end();
            hold(
                began.load(SeqCst) == ended.load(SeqCst),
                "what never began is never stopped, and what began is",
            );
        },
    );
}

#[test]
fn a_listener_that_unsubscribes_itself_and_returns_an_exit() {
    in_every_schedule("no exit is lost: one that a listener returns on any channel is done", || {
        let site = Site::new();
        let channel = site.bus.on(ORDER).unwrap();
        channel.subscribe("last", |_| Err::<(), _>(Exit::with_code(4, "the last order").into()));
        let handle = site.bus.handle();
        let start = aside(move || answered(&handle.start(), &["done", "interrupted", "refused"]));
        let starts = site.bus.on(START).unwrap();
        let subscription = starts.subscribe("never", |_| ());
        let publishes = aside(move || {
            subscription.unsubscribe();
            hold(channel.publish(&1).is_err(), "an exit ends the publish that it was returned in");
        });
        let exit = site.bus.block();
        hold(exit.code() == 4, "an exit keeps its code");
        site.end();
        join_all([start, publishes]);
    });
}

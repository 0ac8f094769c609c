//! Topics and channels: a name, its types, and who listens.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sitebus_bus::{
    Bus, Channel, Commit, EXIT, Error, Exit, Exiting, Failure, Failures, Flag, GRACEFUL, Graceful, Handle,
    Inbox, LOG, Plugin, Record, START, STOP, SettingsMap, Start, Stop, Subscription, Ticket, Timings, Topic,
    TopicClash, WaitError, When, topics,
};

const ORDER: Topic<str> = Topic::new("shop.order");
const PRICE: Topic<u32, u64> = Topic::new("shop.price");

#[test]
fn a_clash_of_types_under_one_name_is_an_error_that_names_both_and_the_cure() {
    const OTHER_MESSAGE: Topic<String> = Topic::new("shop.order");
    const OTHER_OUTPUT: Topic<u32, i64> = Topic::new("shop.price");
    let bus = Bus::new("shop");
    bus.on(ORDER).unwrap();
    bus.on(PRICE).unwrap();
    let clash: TopicClash = bus.on(OTHER_MESSAGE).unwrap_err();
    assert_eq!(
        clash.to_string(),
        "channel 'shop.order' has messages str and outputs (), but was asked for with messages alloc::string::String and \
         outputs (); use the same Topic constant on both sides, or another name"
    );
    let clash = bus.on(OTHER_OUTPUT).unwrap_err().to_string();
    assert!(clash.contains("messages u32 and outputs u64, but") && clash.contains("outputs i64"), "{clash}");
    const STOLEN: Topic<()> = Topic::new("start");
    bus.on(STOLEN).unwrap_err();
    bus.plugin("thief").subscribe(STOLEN, 50, |()| ()).unwrap_err();
}

#[test]
fn one_topic_is_one_channel_for_whoever_asks_and_on_each_bus_another() {
    let (bus, other) = (Bus::new("shop"), Bus::new("other"));
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    bus.on(ORDER).unwrap().subscribe("counts", move |order: &str| {
        count.fetch_add(order.len(), Ordering::Relaxed);
    });
    bus.handle().on(ORDER).unwrap().clone().publish("tea").unwrap();
    other.on(ORDER).unwrap().publish("coffee").unwrap();
    assert_eq!(heard.load(Ordering::Relaxed), 3);
    assert_eq!(bus.on(ORDER).unwrap().name(), ORDER.name());
}

#[test]
fn publishing_to_nobody_is_no_failure() {
    let bus = Bus::new("shop");
    bus.on(ORDER).unwrap().publish("tea").unwrap();
    let collected = bus.on(PRICE).unwrap().collect(&1);
    assert!(collected.outputs.is_empty() && collected.failures.is_none() && collected.exit.is_none());
}

#[test]
fn seven_channels_are_built_in_and_tools_find_all_by_name() {
    let bus = Bus::new("shop");
    let names = bus.channels().into_iter().map(|channel| channel.name).collect::<Vec<_>>();
    assert_eq!(names, ["exit", "graceful", "log", "restart", "start", "state", "stop"]);

    bus.on(PRICE).unwrap().subscribe_at(7, "list price", |_| Ok(9));
    bus.on(PRICE).unwrap().subscribe_at(3, "discount", |_| Ok(8));
    let price = bus.channels().into_iter().find(|channel| channel.name == "shop.price").unwrap();
    assert_eq!((price.message, price.output), ("u32", "u64"));
    let listeners = price.listeners.iter().map(|listener| (&*listener.name, listener.priority.value()));
    assert_eq!(listeners.collect::<Vec<_>>(), [("discount", 3), ("list price", 7)]);
    assert_eq!(price.to_string(), "shop.price (u32 -> u64)\n     3  discount\n     7  list price\n");
}

#[test]
fn topics_that_plugins_share_have_std_types() {
    let bus = Bus::new("shop");
    let (reopen, scale): (Channel<()>, Channel<i32>) =
        (bus.on(topics::REOPEN).unwrap(), bus.on(topics::SCALE).unwrap());
    let (signal, listening): (Channel<i32>, Channel<str>) =
        (bus.on(topics::SIGNAL).unwrap(), bus.on(topics::LISTENING).unwrap());
    reopen.publish(&()).unwrap();
    scale.publish(&-1).unwrap();
    signal.publish(&12).unwrap();
    listening.publish("http://127.0.0.1:8080").unwrap();
}

#[test]
fn everything_but_the_ownership_may_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    fn cloned<T: Clone>() {}
    shared::<Bus>();
    shared::<Handle>();
    shared::<Plugin>();
    shared::<Subscription>();
    shared::<Ticket>();
    shared::<When>();
    shared::<Inbox<Record>>();
    // Whatever the messages and outputs are.
    shared::<Channel<std::cell::Cell<u8>, *const u8>>();
    shared::<Topic<std::cell::Cell<u8>, *const u8>>();
    shared::<(Start, Stop, Exiting, Graceful, Record, SettingsMap, Flag)>();
    shared::<(Error, Failure, Failures, WaitError, TopicClash, Exit, Timings)>();
    cloned::<(Handle, Plugin, Channel<str>, Topic<str>, Subscription, Ticket, Error, Failures, WaitError)>();
    cloned::<(Start, Stop, Exiting, Graceful, Record, Flag)>();
    fn sent<T: Send>() {}
    sent::<Commit>();
}

/// Compiles only as long as exactly one of the two implementations fits.
#[test]
fn there_is_one_owner_and_one_inbox_for_one_who_reads() {
    trait NotBoth<Which> {
        fn one() {}
    }
    struct Cloneable;
    impl<T> NotBoth<()> for T {}
    impl<T: Clone> NotBoth<Cloneable> for T {}
    <Bus as NotBoth<_>>::one();
    <Inbox<u8> as NotBoth<_>>::one();
    <Commit as NotBoth<_>>::one();
}

#[test]
fn a_channel_is_published_on_by_many_threads_at_once_while_others_come_and_go() {
    let bus = Bus::new("shop");
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    let channel = bus.on(ORDER).unwrap();
    channel.subscribe("counts", move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|_| channel.publish("tea").unwrap()));
            scope.spawn(|| (0..100).for_each(|_| channel.subscribe("comes and goes", |_| ()).unsubscribe()));
        }
    });
    assert_eq!(heard.load(Ordering::Relaxed), 4000);
    assert_eq!(bus.channels().iter().find(|found| found.name == "shop.order").unwrap().listeners.len(), 1);
}

#[test]
fn built_in_topics_have_the_names_of_the_verbs() {
    let names = [START.name(), STOP.name(), EXIT.name(), GRACEFUL.name(), LOG.name()];
    assert_eq!(names, ["start", "stop", "exit", "graceful", "log"]);
}

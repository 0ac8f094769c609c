//! Receivers in place of listeners.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, TryRecvError};
use sitebus_bus::{Bus, LOG, Level, START, Topic};

const TOPIC: Topic<u32> = Topic::new("topic");
const SOON: Duration = Duration::from_secs(10);

fn listeners(bus: &Bus) -> usize {
    bus.channels().iter().find(|channel| channel.name == "topic").unwrap().listeners.len()
}

#[test]
fn a_full_inbox_is_never_waited_for_and_its_losses_are_counted() {
    let bus = Bus::new("site");
    let channel = bus.on(TOPIC).unwrap();
    let inbox = channel.receive("slow reader", 2);
    for number in 0..5 {
        channel.publish(&number).unwrap();
    }
    assert_eq!(inbox.lost(), 3);
    assert_eq!(inbox.receiver().try_iter().collect::<Vec<_>>(), [0, 1]);
    channel.publish(&9).unwrap();
    assert_eq!(inbox.receiver().recv_timeout(SOON).unwrap(), 9);
    assert_eq!(inbox.lost(), 3);
}

#[test]
fn it_ends_when_it_is_dropped() {
    let bus = Bus::new("site");
    let channel = bus.on(TOPIC).unwrap();
    let inbox = channel.receive("reader", 2);
    let receiver = inbox.receiver().clone();
    assert_eq!(listeners(&bus), 1);
    channel.publish(&1).unwrap();
    drop(inbox);
    assert_eq!(listeners(&bus), 0);
    channel.publish(&2).unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn it_is_disconnected_when_the_bus_is_gone() {
    let bus = Bus::new("site");
    let inbox = bus.on(TOPIC).unwrap().receive("reader", 2);
    assert_eq!(inbox.receiver().try_recv(), Err(TryRecvError::Empty));
    drop(bus);
    assert_eq!(inbox.receiver().recv_timeout(SOON), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn it_takes_messages_of_built_in_channels_too() {
    let bus = Bus::new("site");
    let (starts, lines) =
        (bus.on(START).unwrap().receive("starts", 9), bus.on(LOG).unwrap().receive("lines", 9));
    bus.log(Level::Warn, "first");
    bus.start().unwrap();
    assert!(!starts.receiver().recv_timeout(SOON).unwrap().cancelled().is_set());
    let lines = lines.receiver().try_iter().map(|line| line.message).collect::<Vec<_>>();
    assert_eq!(lines, ["first", "Bus STARTING", "Bus STARTED"]);
}

#[test]
fn one_without_room_has_room_for_one() {
    let bus = Bus::new("site");
    let channel = bus.on(TOPIC).unwrap();
    let inbox = channel.receive("reader", 0);
    channel.publish(&1).unwrap();
    channel.publish(&2).unwrap();
    assert_eq!((inbox.receiver().try_recv(), inbox.lost()), (Ok(1), 1));
}

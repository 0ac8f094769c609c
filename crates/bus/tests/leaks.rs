//! Buses come and go and grow old, and leave nothing. Alone in its file, since it counts the whole process.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::thread;
use std::time::Duration;

use sitebus_bus::{Bus, Commit, EXIT, GRACEFUL, LOG, START, STOP, SettingsMap, State, Topic};
use sitebus_testkit::{Leaks, block_on};

const SOON: Duration = Duration::from_secs(10);
const TOPIC: Topic<u64> = Topic::new("topic");

/// A whole life, with everything that could be left behind, and circles wherever there can be any.
fn live(number: u64) {
    let bus = Bus::new(format!("site {number}"));
    let weight = vec![number; 4096]; // 32 KiB: two hundred of them would be seen
    let plugin = bus.plugin("plugin");
    let (handle, heavy) = (bus.handle(), weight.clone());
    plugin.on_start(10, move |_| assert_eq!((handle.state(), heavy.len()), (State::Starting, 4096)));
    let (handle, heavy) = (bus.handle(), weight.clone());
    plugin.on_stop(10, move |_| assert_eq!((handle.state(), heavy.len()), (State::Stopping, 4096)));
    let handle = bus.handle();
    bus.on(EXIT).unwrap().subscribe("exits", move |_| assert_eq!(handle.state(), State::Exiting));
    let handle = bus.handle();
    bus.on(LOG).unwrap().subscribe("log", move |_| assert!(handle.name().starts_with("site")));
    let handle = bus.handle();
    bus.on(GRACEFUL).unwrap().subscribe("reloads", move |graceful| {
        let (handle, settings) = (handle.clone(), graceful.get::<Vec<u64>>());
        Ok(Commit::new(move || {
            assert!(settings.is_none_or(|settings| settings.len() == 4096) && !handle.name().is_empty());
            Ok(())
        }))
    });
    let inbox = bus.on(TOPIC).unwrap().receive("inbox", 64);
    let handle = bus.handle();
    bus.restart_by(move |exit, _| anyhow::anyhow!("{handle:?} {exit}"));
    drop((bus.when(State::Exiting), bus.on(START).unwrap(), bus.on(STOP).unwrap()));

    let callback = bus.start_with_callback(|outcome| outcome.unwrap()).unwrap();
    callback.join().unwrap();
    bus.on(TOPIC).unwrap().publish(&number).unwrap();
    assert_eq!(inbox.receiver().try_recv(), Ok(number));
    bus.ask_graceful(SettingsMap::new().with(weight.clone())).wait_for(SOON).unwrap();
    bus.graceful().unwrap();
    bus.stop().unwrap();
    bus.start().unwrap();
    let handle = bus.handle();
    bus.adopt("adopted", thread::spawn(move || handle.wait(State::Exiting, Some(SOON)).unwrap()));
    match number % 4 {
        0 => drop(block_on(bus.ask_exit(sitebus_bus::Exit::success("a test")), SOON).unwrap()),
        1 => assert_eq!(bus.exit().map(|_| bus.block().code()).unwrap(), 0),
        2 => assert_eq!(bus.restart().map(|_| bus.block().code()).unwrap(), 1),
        _ => {} // the owner is dropped as it is
    }
}

#[test]
fn neither_two_hundred_buses_nor_a_hundred_thousand_requests_leave_anything_behind() {
    (0..20).for_each(live); // what is made once is made now
    let before = Leaks::now().unwrap();
    (0..200).for_each(live);
    let after = before.wait_back(SOON).unwrap();
    let grown = after.resident().saturating_sub(before.resident());
    // One heavy closure kept for each bus would be 6 MiB, and there are three.
    assert!(grown < 4 << 20, "{grown} bytes more than before: {before:?} became {after:?}");

    // One bus that lives for long: whoever has waited, subscribed, asked or ended leaves nothing behind in it.
    let bus = Bus::new("long");
    let plugin = bus.plugin("plugin");
    let once = || {
        drop(bus.when(State::Exiting));
        bus.wait(State::Exiting, Some(Duration::ZERO)).unwrap_err();
        plugin.subscribe(TOPIC, 50, |_| ()).unwrap().unsubscribe();
        drop(bus.ask_stop());
    };
    (0..1000).for_each(|_| once());
    bus.stop().unwrap();
    let before = Leaks::now().unwrap();
    (0..100_000).for_each(|_| once());
    bus.stop().unwrap();
    let grown = Leaks::now().unwrap().resident().saturating_sub(before.resident());
    // A hundred bytes kept by each would be 10 MB.
    assert!(grown < 8 << 20, "{grown} bytes more than before");
}

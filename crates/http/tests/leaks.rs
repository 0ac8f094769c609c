//! Descriptors and threads come back. Alone in this file, since both belong to the process.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use sitebus_os::descriptors;
use support::{Client, greeter, start};

fn open() -> usize {
    descriptors::open().unwrap().len()
}

fn threads() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .collect();
    names.sort();
    names
}

#[test]
fn after_twenty_starts_and_stops_nothing_is_left_behind() {
    let site = start(greeter());
    site.bus.stop().unwrap();
    let before = (open(), threads());
    for _ in 0..20 {
        site.bus.start().unwrap();
        let (mut idle, mut half) = (site.connect(), site.connect());
        idle.get("/");
        half.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let _silent: Client = site.connect();
        site.bus.stop().unwrap();
    }
    assert_eq!((open(), threads()), before);
}

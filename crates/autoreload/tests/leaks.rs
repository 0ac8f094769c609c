//! What a start makes is gone after the stop, and the plugin does not keep a bus alive.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod site;

use std::fs;

use site::{LONG, Site, folder, publishing};
use sitebus_autoreload::{Before, Settings};
use sitebus_testkit::Leaks;

/// Three starts of one bus, with a change and a command in each.
fn life() {
    let folder = folder();
    for number in 0..20 {
        fs::create_dir(folder.path().join(number.to_string())).unwrap();
    }
    let before = Some(Before::new(["sh", "-c", "sleep 600 & echo run"]));
    let site = Site::stopped(Settings { before, ..publishing(&folder, ["."]) }, folder);
    for round in 0..3 {
        site.bus.start().unwrap();
        site.write("7/a", &"x".repeat(round + 1));
        site.expect("7/a");
        site.bus.stop().unwrap();
    }
    site.bus.exit().unwrap();
}

#[test]
fn threads_descriptors_and_processes_go_with_the_stop() {
    life(); // whatever is made once in a process
    let before = Leaks::now().unwrap();
    for _ in 0..5 {
        life();
    }
    before.assert_back(LONG);
    let children =
        fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id())).unwrap_or_default();
    assert_eq!(children, "", "no child, and no zombie, is left");
}

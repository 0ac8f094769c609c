//! What waits costs nothing, and nothing is left behind. Alone in its file, since it counts what the whole process does.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use common::{NEVER, SOON, bus, end, wait_for_lines};
use sitebus_tasks::{Monitor, Settings, Task};
use sitebus_testkit::own_process::in_a_process_of_its_own;
use sitebus_testkit::{Leaks, Transcript};

/// Of the threads with this name: how often each went to sleep or was interrupted; nothing while one of them is awake.
fn switches(name: &str) -> Option<BTreeMap<String, Vec<String>>> {
    let mut switches = BTreeMap::new();
    for thread in fs::read_dir("/proc/self/task").unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let field =
            |field: &str| status.lines().find_map(|line| line.strip_prefix(field)).unwrap().trim().to_owned();
        if field("Name:") != name {
            continue;
        }
        if !field("State:").starts_with('S') {
            return None;
        }
        switches.insert(
            field("Pid:"),
            vec![field("voluntary_ctxt_switches:"), field("nonvoluntary_ctxt_switches:")],
        );
    }
    Some(switches)
}

#[test]
fn what_waits_never_wakes() {
    in_a_process_of_its_own("what_waits_never_wakes", || {
        let ((bus, _), turns) = (bus(), Transcript::new());
        for _ in 0..3 {
            let notes = turns.clone();
            Task::new("idle", move |turn| {
                notes.note("waits");
                let _ = turn.wait(NEVER);
            })
            .subscribe(&bus);
            Monitor::new("idle", Settings::every(NEVER), |_| ()).subscribe(&bus);
            Monitor::new("idle", Settings::every(Duration::ZERO), |_| ()).subscribe(&bus);
        }
        bus.start().unwrap();
        wait_for_lines(&turns, 3);
        let deadline = Instant::now() + SOON;
        let asleep = loop {
            match switches("idle") {
                Some(switches) if switches.len() == 9 => break switches,
                _ => thread::yield_now(),
            }
            assert!(Instant::now() < deadline, "they do not go to sleep");
        };
        thread::park_timeout(Duration::from_millis(500)); // what is measured is what happens in this time: nothing
        assert_eq!(switches("idle"), Some(asleep));
        end(bus);
    });
}

#[test]
fn nothing_is_left_behind_by_hundreds_of_runs() {
    in_a_process_of_its_own("nothing_is_left_behind_by_hundreds_of_runs", || {
        let before = Leaks::now().unwrap();
        let ((bus, _), turns) = (bus(), Transcript::new());
        let notes = turns.clone();
        Task::new("idle", move |turn| {
            notes.note("waits");
            let _ = turn.wait(NEVER);
        })
        .subscribe(&bus);
        Monitor::new("pulse", Settings::every(Duration::from_micros(10)), |_| ()).subscribe(&bus);
        for run in 1..=300 {
            bus.start().unwrap();
            wait_for_lines(&turns, run);
            bus.graceful().unwrap();
            bus.stop().unwrap();
        }
        end(bus);
        before.assert_back(SOON);
    });
}

//! A systemd that is dropped leaves nothing. Alone in its file: it counts what the machine has.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use sitebus_testkit::left_out;
use sitebus_testkit::systemd::Systemd;

/// The namespaces of processes that are in use, and the mounts and cgroups that are seen from here.
fn machine() -> (Vec<String>, String, Vec<String>) {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let spaces = processes.filter_map(|process| fs::read_link(process.path().join("ns/pid")).ok());
    let mut spaces: Vec<String> = spaces.map(|space| space.display().to_string()).collect();
    spaces.sort();
    spaces.dedup();
    let cgroups =
        ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(fs::read_dir).into_iter().flatten().flatten();
    let names = cgroups.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let own = format!("sitebus-{}-", std::process::id());
    (
        spaces,
        fs::read_to_string("/proc/self/mounts").unwrap(),
        names.filter(|name| name.starts_with(&own)).collect(),
    )
}

#[test]
fn a_systemd_that_is_dropped_leaves_no_process_no_mount_and_no_cgroup() {
    let (spaces, mounts, _) = machine();
    let booted = match Systemd::boot() {
        Ok(booted) => booted,
        Err(why) => {
            return left_out(why);
        }
    };
    let ours = fs::read_link(booted.path("/proc/1/ns/pid")).unwrap().display().to_string();
    assert!(!spaces.contains(&ours));
    booted.write_unit("waits.service", "[Service]\nType=exec\nExecStart=sleep 1000\n").unwrap();
    assert!(booted.systemctl(["start", "waits.service"]).unwrap().status.success());
    let main = booted.property("waits.service", "MainPID").unwrap();
    assert_eq!(
        fs::read_link(booted.path("/proc").join(main).join("ns/pid")).unwrap().display().to_string(),
        ours
    );
    assert!(booted.journal().unwrap().contains("Started waits.service"), "{}", booted.journal().unwrap());
    drop(booted);

    let began = Instant::now();
    // Process 1 ends when the others have; who looks at them ends a moment later.
    while machine().0.contains(&ours) {
        assert!(began.elapsed() < Duration::from_secs(10), "{ours} still has a process");
        thread::yield_now();
    }
    let (_, now, cgroups) = machine();
    assert_eq!((now, cgroups), (mounts, Vec::new()));
}

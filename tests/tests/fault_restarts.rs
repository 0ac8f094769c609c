//! Two hundred restarts in a row: the process is the same, and holds what it held.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::time::Duration;

use sitebus_testkit::Load;
use sitebus_tests::{Daemon, Folder, processes_in, program, run, wait_until};

const RESTARTS: usize = 200;
/// Until then memory may grow as it likes.
const WARM: usize = 20;
/// By so much it may differ afterwards, in KiB: what an allocator gets differs from image to image.
const GROWTH: u64 = 3072;

/// How many descriptors and threads a process has (proc(5)).
fn holds(pid: u32) -> (usize, usize) {
    let count = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).map_or(0, Iterator::count);
    (count("fd"), count("task"))
}

/// Resident memory, in KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn two_hundred_restarts_under_load_refuse_nobody_and_leave_the_process_as_it_was() {
    let folder = Folder::small();
    folder.site("[http]\nlisten = [\"127.0.0.1:0\"]\n[pidfile]\npath = \"site.pid\"\n");
    let daemon = Daemon::start(program!(), &folder);
    let pid = daemon.process().id();
    let restart = || {
        let restarted = run(program!(), folder.path(), &["restart"]);
        assert_eq!(restarted.code, Some(0), "{restarted:?}");
    };
    restart();
    let before = wait_until("a count that stays", || {
        let (one, two) = (holds(pid), holds(pid));
        (one == two && one.1 > 1).then_some(one)
    });
    let load = Load::new(daemon.address()).connections(2).close_each().requests(u64::MAX);
    let load = load.within(Duration::from_secs(120)).start();
    load.wait_for_answers(10, Duration::from_secs(30)).unwrap();
    let mut warm = 0;
    for done in 0..RESTARTS {
        if done == WARM {
            warm = resident(pid);
        }
        restart();
        assert!(!daemon.process().has_ended(), "after {done} restarts");
    }
    let after = resident(pid);
    let report = load.stop();
    assert_eq!(report.lost(), 0, "{report}");
    assert!(report.answered > RESTARTS as u64, "{report}");
    wait_until("as many descriptors and threads as before", || (holds(pid) == before).then_some(()));
    assert!(after <= warm + GROWTH, "{warm} KiB became {after} KiB");
    assert_eq!(processes_in(folder.path()), [pid], "no trial run is left");
    assert_eq!(folder.read("site.pid"), format!("{pid}\n"));
    assert_eq!(run(program!(), folder.path(), &["stop"]).code, Some(0));
    assert!(daemon.process().has_ended());
}

//! The kernel has no room for more watches, or for another user of them. The limits are those of a user namespace of the test's
//! own, so nobody else notices.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod site;

use std::fs;
use std::process::Command;

use site::{LONG, Site, calm, folder, publishing};
use sitebus_testkit::left_out;
use sitebus_testkit::own_process::{Process, is_child};

/// Runs this test again, with a limit. False, and says so, where no namespace can be made.
fn run_with_limit(test: &str, limit: &str) {
    let possible =
        Command::new("unshare").args(["-Ur", "test", "-w", "/proc/sys/user/max_inotify_watches"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        return left_out(format_args!("{test}: there is no unshare(1), or user namespaces are forbidden"));
    }
    let script = format!("exec unshare -Ur sh -c 'echo {limit} && exec \"$0\" \"$@\"' \"$@\"");
    let mut child = Process::start_by_shell(test, &script);
    let status = child.wait();
    assert!(status.success(), "{status}\n{}", child.output());
}

#[test]
fn without_room_for_watches_the_log_names_the_cure_and_files_are_looked_at() {
    if !is_child() {
        return run_with_limit(
            "without_room_for_watches_the_log_names_the_cure_and_files_are_looked_at",
            "3 > /proc/sys/user/max_inotify_watches",
        );
    }
    let folder = folder();
    for number in 0..10 {
        fs::create_dir(folder.path().join(number.to_string())).unwrap();
    }
    let site = Site::with(calm(publishing(&folder, ["."])), folder);
    let warning = site.heard.wait_for("WARN the kernel watches no more folders", LONG).unwrap();
    assert!(warning.contains("allow more by sysctl fs.inotify.max_user_watches=524288"), "{warning}");
    assert!(warning.ends_with("meanwhile all files are looked at every 1s"), "{warning}");
    for number in 0..10 {
        site.write(&format!("{number}/a"), "1");
    }
    site.expect("0/a 1/a 2/a 3/a 4/a 5/a 6/a 7/a 8/a 9/a");
    // Not all of them are watched.
    for number in [0, 1, 8, 9] {
        site.expect_nothing_but(&format!("{number}/a"));
    }
    assert!(site.heard.lines().iter().all(|line| !line.starts_with("WARN")), "it was said once");
}

#[test]
fn without_any_events_the_log_names_the_cure_and_files_are_looked_at() {
    if !is_child() {
        return run_with_limit(
            "without_any_events_the_log_names_the_cure_and_files_are_looked_at",
            "0 > /proc/sys/user/max_inotify_instances",
        );
    }
    let site = Site::watching(["."]);
    let warning = site.heard.wait_for("WARN the system gives no events of changed files", LONG).unwrap();
    assert!(warning.contains("sysctl fs.inotify.max_user_instances=1024"), "{warning}");
    site.expect_nothing_but("a");
    site.expect_nothing_but("b");
}

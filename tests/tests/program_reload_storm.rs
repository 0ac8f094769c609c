//! Signals by the hundred: the last state counts, and nothing leaks.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;

use sitebus_os::signal::Signal;
use sitebus_testkit::Load;
use sitebus_tests::{Folder, SOON, Site, Verdict, program, wait_until};

fn site_file(body: &str, listen: &str) -> String {
    format!("[http]\nlisten = [{listen}]\n[[route]]\npath = \"/x\"\nrespond = {{ body = \"{body}\" }}\n")
}

/// Resident memory in kilobytes (proc(5)).
fn resident(site: &Site) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", site.child().id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn holds_no_more_than(site: &Site, (threads, descriptors): (usize, usize)) {
    wait_until("as many threads and descriptors as before", || {
        let now = site.holds();
        (now.0 <= threads && now.1 <= descriptors).then_some(())
    });
}

#[test]
fn a_hundred_hangups_end_in_the_last_state_and_leak_nothing() {
    let folder = Folder::small();
    folder.write("site.toml", site_file("first", "\"127.0.0.1:0\""));
    let site = Site::start(program!(), &folder);
    assert_eq!(site.reload(), Verdict::Reloaded);
    let before = site.holds();
    let load =
        Load::new(site.address()).path("/x").connections(2).requests(u64::MAX).within(2 * SOON).start();
    load.wait_for_answers(20, SOON).unwrap();
    for number in 0..100 {
        let more = if number % 2 == 0 { ", \"unix:extra.sock\"" } else { "" };
        folder.write("site.toml", site_file(&format!("state {number}"), &format!("\"127.0.0.1:0\"{more}")));
        site.signal(Signal::HUP);
    }
    wait_until("the last state", || (site.get("/x").text() == "state 99").then_some(()));
    let report = load.stop();
    assert_eq!(report.lost(), 0, "{report}");
    assert!(!site.log().lines().iter().any(|line| line.contains("not reloaded")), "none was refused");
    wait_until("the end of the extra listener", || (!folder.at("extra.sock").exists()).then_some(()));
    holds_no_more_than(&site, before);
    site.stop();
}

#[test]
fn hundreds_of_reloads_take_no_more_memory_than_some() {
    let folder = Folder::small();
    folder.write("site.toml", site_file("small", "\"127.0.0.1:0\""));
    let site = Site::start(program!(), &folder);
    for _ in 0..30 {
        assert_eq!(site.reload(), Verdict::Reloaded);
    }
    let (memory, before) = (resident(&site), site.holds());
    for _ in 0..300 {
        assert_eq!(site.reload(), Verdict::Reloaded);
    }
    let grown = resident(&site).saturating_sub(memory);
    assert!(grown < 8 * 1024, "{grown} kB more after 300 reloads");
    holds_no_more_than(&site, before);
    site.stop();
}

#[test]
fn refused_reloads_leak_nothing_either() {
    let folder = Folder::small();
    folder.write("site.toml", site_file("small", "\"127.0.0.1:0\""));
    let site = Site::start(program!(), &folder);
    assert_eq!(site.reload(), Verdict::Reloaded);
    let before = site.holds();
    // The first of the new listeners can be had and the second cannot.
    folder.write(
        "site.toml",
        site_file("never", "\"127.0.0.1:0\", \"unix:new.sock\", \"unix:no/folder.sock\""),
    );
    for _ in 0..50 {
        assert_eq!(site.reload(), Verdict::Refused);
    }
    assert_eq!(site.get("/x").text(), "small");
    assert!(!folder.at("new.sock").exists());
    holds_no_more_than(&site, before);
    site.stop();
}

#[test]
fn hangups_and_an_end_at_the_same_time_end_it() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    for _ in 0..20 {
        site.signal(Signal::HUP);
    }
    site.signal(Signal::TERM);
    for _ in 0..20 {
        site.signal(Signal::HUP);
    }
    let ended = site.ends();
    // Once the signals are given back, a hangup has its old meaning, which is to end the process.
    assert!(matches!(ended.code, Some(0) | None), "{}", ended.stderr);
    assert!(ended.stderr.contains("Bus EXITED") || ended.code.is_none(), "{}", ended.stderr);
}

#[test]
fn a_storm_of_restarts_ends_with_one_site_that_serves() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let pid = site.child().id();
    for started in 2..12 {
        site.signal(Signal::USR2);
        site.signal(Signal::USR2);
        site.says_times(started, "Bus STARTED");
    }
    assert_eq!(site.child().id(), pid);
    assert_eq!(site.get("/").status, 200);
    site.stop();
}

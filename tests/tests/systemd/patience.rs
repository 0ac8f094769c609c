//! The manager's patience: the watchdog, and a start that takes longer than it grants.

use std::fs;
use std::process::Command;
use std::time::Duration;

use sitebus_tests::{Folder, SOON, get, own_program, program};

use crate::unit::Unit;

#[test]
fn a_site_that_lives_keeps_the_watchdog_quiet_and_one_that_hangs_is_replaced() {
    let Some(unit) = Unit::of(program!(), Folder::small()) else { return };
    unit.set("WatchdogSec=2\nLimitCORE=0");
    unit.does("start", &["site.service"]);
    let main = unit.property("MainPID");
    unit.stays("active", Duration::from_secs(5));
    // A restart in place takes the watchdog with it.
    assert_eq!(unit.ask("restart").code, Some(0));
    unit.wait_for("StatusText", |status| status == "STARTED");
    unit.stays("active", Duration::from_secs(3));
    assert_eq!(unit.properties(["MainPID", "NRestarts"]), [main.as_str(), "0"]);

    unit.does("kill", &["--signal=STOP", "site.service"]);
    unit.wait_for("NRestarts", |times| times == "1");
    unit.wait_for("ActiveState", |state| state == "active");
    assert_ne!(unit.property("MainPID"), main);
    assert!(unit.journal().contains("Watchdog timeout"), "{}", unit.journal());
    assert_eq!(get(unit.address(), "/").unwrap().status, 200);
    unit.does("stop", &["site.service"]);
}

#[test]
fn a_start_may_take_longer_than_the_manager_grants() {
    let folder = Folder::small();
    assert!(Command::new("mkfifo").arg(folder.at("hang-at-start")).status().unwrap().success());
    let Some(unit) = Unit::of(own_program!(), folder) else { return };
    unit.set("TimeoutStartSec=1");
    let starting = unit.begins("start");
    unit.wait_for("StatusText", |status| status.contains("waiting for 'hangs'"));
    unit.stays("activating", Duration::from_secs(3));
    fs::write(unit.folder.at("hang-at-start"), "").unwrap();
    let started = starting.wait(SOON).unwrap();
    assert!(started.success(), "{:?}", starting.output());
    assert_eq!(unit.properties(["ActiveState", "NRestarts"]), ["active", "0"]);
    unit.does("stop", &["site.service"]);
}

#[test]
fn a_stop_may_take_longer_than_the_manager_grants() {
    let folder = Folder::small();
    assert!(Command::new("mkfifo").arg(folder.at("hang-at-stop")).status().unwrap().success());
    let Some(unit) = Unit::of(own_program!(), folder) else { return };
    unit.set("TimeoutStopSec=1");
    unit.does("start", &["site.service"]);
    let stopping = unit.begins("stop");
    unit.wait_for("StatusText", |status| status.contains("waiting for 'hangs'"));
    unit.stays("deactivating", Duration::from_secs(3));
    fs::write(unit.folder.at("hang-at-stop"), "").unwrap();
    assert!(stopping.wait(SOON).unwrap().success(), "{:?}", stopping.output());
    assert_eq!(unit.properties(["ActiveState", "Result"]), ["inactive", "success"]);
}

#[test]
fn a_restart_in_place_may_take_longer_than_the_manager_grants() {
    let Some(unit) = Unit::of(own_program!(), Folder::small()) else { return };
    unit.set("TimeoutStartSec=2\nWatchdogSec=2");
    unit.does("start", &["site.service"]);
    let main = unit.property("MainPID");
    assert!(Command::new("mkfifo").arg(unit.folder.at("hang-at-start")).status().unwrap().success());
    let restarting = unit.asks("restart");
    unit.wait_for("StatusText", |status| status.contains("waiting for 'hangs'"));
    unit.stays("reloading", Duration::from_secs(4));
    fs::write(unit.folder.at("hang-at-start"), "").unwrap();
    assert!(restarting.wait(SOON).unwrap().success(), "{:?}", restarting.output());
    unit.wait_for("ActiveState", |state| state == "active");
    assert_eq!(unit.properties(["MainPID", "NRestarts"]), [main.as_str(), "0"]);
    unit.does("stop", &["site.service"]);
}

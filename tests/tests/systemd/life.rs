//! Start, reload, restart, stop.

use std::fs;
use std::process::Command;

use sitebus_testkit::Load;
use sitebus_tests::{Folder, SOON, get, own_program, program, run};

use crate::unit::Unit;

#[test]
fn the_unit_that_the_program_writes_is_one_that_systemd_finds_nothing_wrong_with() {
    let Some(unit) = Unit::of(program!(), Folder::small()) else { return };
    let path = "/run/systemd/system/site.service";
    let verified = unit.run_in_there("systemd-analyze", &["verify", "--man=no", path]);
    assert_eq!((verified.code, verified.stdout.as_str(), verified.stderr.as_str()), (Some(0), "", ""));
    unit.does("start", &["site.service"]);
    assert!(!unit.journal().contains("ignoring"), "{}", unit.journal());
}

#[test]
fn start_returns_when_the_site_is_started_and_stop_when_nothing_of_it_is_left() {
    let folder = Folder::small();
    assert!(Command::new("mkfifo").arg(folder.at("hang-at-start")).status().unwrap().success());
    let Some(unit) = Unit::of(own_program!(), folder) else { return };
    let starting = unit.begins("start");
    unit.wait_for("StatusText", |status| status.contains("waiting for 'hangs'"));
    assert_eq!(unit.property("ActiveState"), "activating");
    // Opening waits for the start, and closing lets it go on.
    fs::write(unit.folder.at("hang-at-start"), "").unwrap();
    let started = starting.wait(SOON).unwrap();
    assert!(started.success(), "{:?}", starting.output());
    assert_eq!(unit.properties(["ActiveState", "SubState"]), ["active", "running"]);
    assert_eq!(get(unit.address(), "/").unwrap().status, 200);
    unit.wait_for("StatusText", |status| status == "STARTED");
    assert_eq!(unit.processes(), [unit.property("MainPID")]);

    let address = unit.address();
    unit.does("stop", &["site.service"]);
    let ended = unit.properties(["ActiveState", "Result", "ExecMainStatus", "NRestarts"]);
    assert_eq!(ended, ["inactive", "success", "0", "0"]);
    assert_eq!(unit.processes(), [""; 0]);
    assert!(get(address, "/").is_err());
    assert_eq!(unit.ask("status").code, Some(4));
}

#[test]
fn a_start_that_fails_fails_the_unit_and_its_status_says_why() {
    let folder = Folder::small();
    folder.write("fail-at-start", "");
    let Some(unit) = Unit::of(own_program!(), folder) else { return };
    unit.set("Restart=no");
    assert_eq!(unit.systemctl(&["start", "site.service"]).code, Some(1));
    assert_eq!(unit.properties(["ActiveState", "Result"]), ["failed", "exit-code"]);
    unit.shows("on purpose");
    let grave = unit.run_in_there("journalctl", &["--priority=err", "--output=cat", "--unit=site.service"]);
    assert!(grave.stdout.contains("'hangs' failed on 'start': on purpose"), "{}", grave.stdout);
    assert!(!grave.stdout.contains("STOPPED"), "{}", grave.stdout);

    fs::remove_file(unit.folder.at("fail-at-start")).unwrap();
    unit.does("start", &["site.service"]);
}

#[test]
fn a_site_file_that_is_wrong_is_not_tried_again() {
    let Some(unit) = Unit::of(program!(), Folder::small()) else { return };
    unit.folder.write("site.toml", "[http]\nlisen = []\n");
    assert_eq!(unit.systemctl(&["start", "site.service"]).code, Some(1));
    let ended = unit.properties(["ActiveState", "Result", "ExecMainStatus", "NRestarts"]);
    assert_eq!(ended, ["failed", "exit-code", "2", "0"]);
    unit.shows("did you mean `listen`?");
}

#[test]
fn a_reload_by_systemctl_is_the_truth() {
    let Some(unit) = Unit::of(program!(), Folder::small()) else { return };
    unit.does("start", &["site.service"]);
    let (address, main) = (unit.address(), unit.property("MainPID"));
    let good = unit.folder.read("site.toml");
    unit.folder
        .write("site.toml", format!("{good}[[route]]\npath = \"/new\"\nrespond = {{ body = \"new\" }}\n"));
    unit.does("reload", &["site.service"]);
    assert_eq!(get(address, "/new").unwrap().text(), "new");

    unit.folder.write("site.toml", good.replace("listen", "lisen"));
    let refused = unit.systemctl(&["reload", "site.service"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(get(address, "/new").unwrap().text(), "new", "the old settings still hold");
    assert_eq!(unit.properties(["ActiveState", "MainPID", "NRestarts"]), ["active", &main, "0"]);
    unit.shows("did you mean `listen`?");

    unit.folder.write("site.toml", good);
    unit.does("reload", &["site.service"]);
    assert_eq!(get(address, "/new").unwrap().status, 404);
    unit.does("stop", &["site.service"]);
}

#[test]
fn a_restart_by_systemctl_is_another_process() {
    let Some(unit) = Unit::of(program!(), Folder::small()) else { return };
    unit.does("start", &["site.service"]);
    let main = unit.property("MainPID");
    unit.does("restart", &["site.service"]);
    assert_ne!(unit.property("MainPID"), main);
    assert_eq!(unit.processes(), [unit.property("MainPID")]);
    assert_eq!(get(unit.address(), "/").unwrap().status, 200);
    assert_eq!(unit.property("ActiveState"), "active");
}

#[test]
fn a_restart_in_place_is_the_same_service_and_refuses_nobody() {
    let Some(unit) = Unit::of(program!(), Folder::small()) else { return };
    unit.does("start", &["site.service"]);
    let address = unit.address();
    let before = unit.properties(["MainPID", "InvocationID"]);
    let load = Load::new(address).close_each().requests(u64::MAX).start();
    load.wait_for_answers(10, SOON).unwrap();
    for _ in 0..3 {
        let restarted = unit.ask("restart");
        assert_eq!(restarted.code, Some(0), "{restarted:?}");
        unit.wait_for("ActiveState", |state| state == "active");
        let after = unit.properties(["MainPID", "InvocationID", "NRestarts", "SubState"]);
        assert_eq!(after, [before[0].as_str(), &before[1], "0", "running"]);
    }
    let report = load.stop();
    assert_eq!(report.lost(), 0, "{report}");
    unit.wait_for("StatusText", |status| status == "STARTED");
    unit.does("stop", &["site.service"]);
    assert_eq!(unit.property("Result"), "success");
}

#[test]
fn a_restart_in_place_into_what_is_wrong_is_refused_and_the_service_is_still_active() {
    let Some(unit) = Unit::of(program!(), Folder::small()) else { return };
    unit.does("start", &["site.service"]);
    let (address, main) = (unit.address(), unit.property("MainPID"));
    unit.folder.write("site.toml", "[http]\nlisen = []\n");
    assert_eq!(unit.ask("restart").code, Some(1));
    assert_eq!(unit.properties(["ActiveState", "MainPID", "NRestarts"]), ["active", &main, "0"]);
    assert_eq!(get(address, "/").unwrap().status, 200);
    // Not even a manager that waits for the end of a reload has been misled.
    unit.does("stop", &["site.service"]);
}

#[test]
fn what_is_killed_comes_back() {
    let Some(unit) = Unit::of(program!(), Folder::small()) else { return };
    unit.does("start", &["site.service"]);
    let main = unit.property("MainPID");
    unit.does("kill", &["--signal=KILL", "site.service"]);
    unit.wait_for("NRestarts", |times| times == "1");
    unit.wait_for("ActiveState", |state| state == "active");
    assert_ne!(unit.property("MainPID"), main);
    assert_eq!(get(unit.address(), "/").unwrap().status, 200);
    unit.does("stop", &["site.service"]);
    assert_eq!(unit.property("ActiveState"), "inactive");
}

#[test]
fn a_stop_by_the_program_is_one_for_systemd_too() {
    let Some(unit) = Unit::of(program!(), Folder::small()) else { return };
    unit.does("start", &["site.service"]);
    assert_eq!(unit.ask("stop").code, Some(0));
    unit.wait_for("ActiveState", |state| state == "inactive");
    assert_eq!(unit.properties(["Result", "NRestarts"]), ["success", "0"]);
}

#[test]
fn a_stop_in_the_middle_of_a_restart_in_place_is_a_stop() {
    let Some(unit) = Unit::of(own_program!(), Folder::small()) else { return };
    // The old image hangs, which looks for this once it is up; or the new one does.
    for hangs in ["hang-at-stop", "hang-at-start"] {
        let fifo = unit.folder.at(hangs);
        let hang = || assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        if hangs == "hang-at-stop" {
            hang();
        }
        unit.does("start", &["site.service"]);
        if hangs == "hang-at-start" {
            hang();
        }
        let restarting = unit.asks("restart");
        unit.wait_for("StatusText", |status| status.contains("waiting for 'hangs'"));
        assert_eq!(unit.property("ActiveState"), "reloading");
        let stopping = unit.begins("stop");
        unit.wait_for("ActiveState", |state| state == "deactivating");
        fs::write(&fifo, "").unwrap();
        assert!(stopping.wait(SOON).unwrap().success(), "{:?}", stopping.output());
        assert_eq!(
            unit.properties(["ActiveState", "Result", "ExecMainStatus"]),
            ["inactive", "success", "0"]
        );
        assert_eq!(unit.processes(), [""; 0]);
        assert_eq!(restarting.wait(SOON).unwrap().code(), Some(1), "{:?}", restarting.output());
        fs::remove_file(&fifo).unwrap();
    }
    // Wherever it hits.
    for _ in 0..5 {
        unit.does("start", &["site.service"]);
        let restarting = unit.asks("restart");
        unit.does("stop", &["site.service"]);
        assert_eq!(
            unit.properties(["ActiveState", "Result", "ExecMainStatus"]),
            ["inactive", "success", "0"]
        );
        assert_eq!(unit.processes(), [""; 0]);
        restarting.wait(SOON).unwrap();
    }
}

#[test]
fn leaving_for_the_background_is_refused_with_the_cure() {
    let Some(unit) = Unit::of(program!(), Folder::small()) else { return };
    let (program, site) = (program!().display(), unit.folder.at("site.toml"));
    unit.set(&format!("Restart=no\nExecStart=\nExecStart={program} start {}", site.display()));
    assert_eq!(unit.systemctl(&["start", "site.service"]).code, Some(1));
    for part in ["NOTIFY_SOCKET", "`run` in place of `start`"] {
        unit.shows(part);
    }
    assert_eq!(unit.processes(), [""; 0]);
    let outside = run(program!(), unit.folder.path(), &["status"]);
    assert_eq!(outside.code, Some(4), "{outside:?}");
}

#[test]
fn a_site_that_is_not_root_is_told_of_and_asked_all_the_same() {
    let drops = "[privileges]\nuser = \"daemon\"\n";
    for (more, arguments) in [("", &["--user", "daemon"][..]), (drops, &[])] {
        let folder = Folder::small();
        folder.open_to_all();
        let site = folder.read("site.toml");
        folder.write("site.toml", format!("{site}{more}"));
        let Some(unit) = Unit::of(program!(), folder) else { return };
        unit.generate(arguments);
        unit.does("start", &["site.service"]);
        let (address, main) = (unit.address(), unit.property("MainPID"));
        let status = fs::read_to_string(unit.machine.path("/proc").join(&main).join("status")).unwrap();
        assert!(status.contains("\nUid:\t1\t1\t1\t1\n"), "{status}");
        unit.does("reload", &["site.service"]);
        let restarted = unit.ask("restart");
        assert_eq!(restarted.code, Some(0), "{restarted:?}");
        unit.does("reload", &["site.service"]);
        assert_eq!(unit.properties(["ActiveState", "MainPID", "NRestarts"]), ["active", &main, "0"]);
        assert_eq!(get(address, "/").unwrap().status, 200);
        unit.does("restart", &["site.service"]);
        unit.does("stop", &["site.service"]);
        assert_eq!(unit.properties(["ActiveState", "Result"]), ["inactive", "success"]);
    }
}

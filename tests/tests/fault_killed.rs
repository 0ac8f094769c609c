//! A daemon that is killed in any moment, and one that is started and stopped many times: nothing that is left stands in the
//! way of the next one, and nobody says anything that is not so.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::thread;
use std::time::Duration;

use sitebus_testkit::Child;
use sitebus_tests::{
    Daemon, Dice, Ended, Folder, Outsider, get, nobody_is_left_in, processes_in, program, run, wait_until,
};

fn folder() -> Folder {
    let folder = Folder::small();
    let sections = "[pidfile]\npath = \"site.pid\"\n[log]\nfile = \"site.log\"";
    folder.site(&format!("[http]\nlisten = [\"127.0.0.1:0\"]\n{sections}\n"));
    folder
}

fn ask(folder: &Folder, arguments: &[&str]) -> Ended {
    run(program!(), folder.path(), arguments)
}

fn begin(folder: &Folder, command: &str) -> Child {
    let mut begun = Command::new(program!());
    begun.arg(command).current_dir(folder.path());
    Child::spawn(begun).unwrap()
}

fn pause(dice: &mut Dice, micros: u64) {
    thread::park_timeout(Duration::from_micros(dice.throw(micros)));
}

/// It is gone, that is what is said of it, and the next one is up.
fn the_next_one_starts(folder: &Folder, moment: &str) -> Daemon {
    nobody_is_left_in(folder.path());
    for command in ["status", "reload", "stop"] {
        let told = ask(folder, &[command]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(4), ""), "{moment}, {command}: {told:?}");
    }
    let daemon = Daemon::start(program!(), folder);
    assert_eq!(folder.read("site.pid"), format!("{}\n", daemon.process().id()), "{moment}");
    assert_eq!(get(daemon.address(), "/").unwrap().status, 200, "{moment}");
    daemon
}

#[test]
fn killed_in_any_moment_of_its_start_it_is_not_running_and_the_next_start_works() {
    let folder = folder();
    for seed in 0..10 {
        let moment = format!("start, moment {seed}");
        let launcher = begin(&folder, "start");
        let mut dice = Dice::new(seed);
        pause(&mut dice, 12_000);
        let others = || processes_in(folder.path()).into_iter().filter(|pid| *pid != launcher.id());
        let victims: Vec<Outsider> = wait_until("a daemon", || {
            let victims: Vec<Outsider> = others().map(Outsider::of).collect();
            let over = launcher.wait(Duration::ZERO).is_ok();
            assert!(!over || !victims.is_empty(), "{moment}: {:?}", launcher.output().lines());
            (!victims.is_empty()).then_some(victims)
        });
        drop(victims); // which kills them
        let launched = Ended::of(launcher);
        match launched.code {
            // It was STARTED a moment before; or it was only its parent that died, and it goes on.
            Some(0) => processes_in(folder.path()).into_iter().map(Outsider::of).for_each(drop),
            Some(137) => assert!(launched.stderr.contains("was ended by SIGKILL"), "{moment}: {launched:?}"),
            _ => assert!(launched.code == Some(1) && launched.stderr.contains("was killed"), "{launched:?}"),
        }
        let daemon = the_next_one_starts(&folder, &moment);
        assert_eq!(ask(&folder, &["stop"]).code, Some(0));
        assert!(daemon.process().has_ended());
    }
}

#[test]
fn killed_in_any_moment_of_a_reload_or_a_restart_it_is_not_running_and_the_next_start_works() {
    let folder = folder();
    let mut daemon = Daemon::start(program!(), &folder);
    for seed in 0..20 {
        let command = if seed % 2 == 0 { "restart" } else { "reload" };
        let moment = format!("{command}, moment {seed}");
        let asking = begin(&folder, command);
        let mut dice = Dice::new(seed);
        pause(&mut dice, if command == "restart" { 60_000 } else { 12_000 });
        daemon.process().signal("KILL");
        let asked = Ended::of(asking);
        match asked.code {
            Some(0) => assert_eq!(asked.stdout.lines().count(), 1, "{moment}: {asked:?}"),
            Some(1) => assert!(asked.stderr.contains("is gone"), "{moment}: {asked:?}"),
            _ => assert_eq!(asked.code, Some(4), "{moment}: {asked:?}"),
        }
        daemon = the_next_one_starts(&folder, &moment);
    }
    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
}

#[test]
fn fifty_starts_and_stops_leave_no_process_no_lock_and_no_file_but_the_documented_ones() {
    let folder = folder();
    let mut expected: Vec<String> = folder.list();
    for left in [".sitebus/", ".sitebus/site/", ".sitebus/site/lock", ".sitebus/site/log", "site.log"] {
        expected.push(left.to_owned());
    }
    expected.sort();
    for round in 0..50 {
        let daemon = Daemon::start(program!(), &folder);
        assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
        let stopped = ask(&folder, &["stop"]);
        assert_eq!(stopped.code, Some(0), "round {round}: {stopped:?}");
        assert!(daemon.process().has_ended(), "round {round}");
        assert_eq!(folder.list(), expected, "round {round}");
    }
    nobody_is_left_in(folder.path());
    let locks = fs::read_to_string("/proc/locks").unwrap();
    for file in [".sitebus/site/lock", "site.log", ".sitebus/site/log"] {
        let inode = format!(":{} ", fs::metadata(folder.at(file)).unwrap().ino());
        let held = locks.lines().find(|line| line.contains(&inode));
        assert_eq!(held, None, "{file}");
    }
    assert_eq!(folder.read(".sitebus/site/log"), "", "nothing went wrong that had to be said there");
}

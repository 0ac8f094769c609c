//! What can be wrong with a PID file, before a start and while the site runs.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

use sitebus_testkit::left_out;
use sitebus_tests::{
    Daemon, Ended, Folder, Site, as_somebody, get, json, logs, nobody_is_left_in, program, run,
};

/// A user whom nobody else is.
const SOMEBODY: u32 = 61_312;

fn with_pid_file(path: &str) -> Folder {
    let folder = Folder::small();
    folder.site(&format!("[http]\nlisten = [\"127.0.0.1:0\"]\n[pidfile]\npath = \"{path}\"\n"));
    folder
}

fn ask(folder: &Folder, arguments: &[&str]) -> Ended {
    run(program!(), folder.path(), arguments)
}

/// A start that fails for this reason, and leaves nothing that runs.
fn is_refused(folder: &Folder, says: &[&str]) {
    let refused = ask(folder, &["start"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    for part in says {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    nobody_is_left_in(folder.path());
    assert_eq!(ask(folder, &["status"]).code, Some(4));
}

/// The site is asked to restart, refuses for this reason, and goes on.
fn will_not_restart(folder: &Folder, daemon: &Daemon, says: &[&str]) {
    let refused = ask(folder, &["restart"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.stderr.contains("restart was refused and nothing has changed"), "{}", refused.stderr);
    for part in says {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert!(!daemon.process().has_ended());
    assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
}

fn own_number(daemon: &Daemon) -> String {
    format!("{}\n", daemon.process().id())
}

fn is_root() -> bool {
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        return true;
    }
    left_out("only root can become another user, and give files away");
    false
}

#[test]
fn a_folder_that_is_not_there_is_pointed_at_and_nothing_is_begun() {
    let folder = with_pid_file("run/site.pid");
    for command in ["check", "start"] {
        let refused = ask(&folder, &[command]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
        assert!(refused.stderr.contains("the folder of the PID file does not exist"), "{}", refused.stderr);
        assert!(refused.stderr.contains("^^^"), "{}", refused.stderr);
    }
    assert!(!folder.at(".sitebus").exists());
}

#[test]
fn a_folder_that_goes_while_the_site_runs_stops_reloads_and_restarts_until_it_is_back_and_no_end() {
    let folder = with_pid_file("run/site.pid");
    fs::create_dir(folder.at("run")).unwrap();
    let daemon = Daemon::start(program!(), &folder);
    fs::remove_dir_all(folder.at("run")).unwrap();
    let refused = ask(&folder, &["reload"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("the folder of the PID file does not exist"), "{}", refused.stderr);
    will_not_restart(&folder, &daemon, &["the folder of the PID file does not exist"]);

    fs::create_dir(folder.at("run")).unwrap();
    assert_eq!(ask(&folder, &["reload"]).code, Some(0));
    let restarted = ask(&folder, &["restart"]);
    assert_eq!(restarted.code, Some(0), "{restarted:?}");
    assert_eq!(folder.read("run/site.pid"), own_number(&daemon), "it is there again");

    fs::remove_dir_all(folder.at("run")).unwrap();
    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
    assert!(daemon.process().has_ended());
}

#[test]
fn a_folder_that_this_user_may_not_write_is_named_and_nothing_is_left() {
    if !is_root() {
        return;
    }
    let folder = with_pid_file("run/site.pid");
    fs::create_dir(folder.at("run")).unwrap();
    let words = as_somebody(SOMEBODY, program!(), &folder).unwrap();
    let somebody = |arguments: &[&str]| {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(arguments);
        Site::spawn(command, &folder).ends()
    };
    let refused = somebody(&["start"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    let path = folder.at("run/site.pid").display().to_string();
    let says = format!("making the lock file {path} failed: Permission denied");
    assert!(refused.stderr.contains(&says), "{}", refused.stderr);
    nobody_is_left_in(folder.path());
    assert_eq!(somebody(&["status"]).code, Some(4));

    // The file of somebody else, there already.
    fs::write(&path, "1\n").unwrap();
    let refused = somebody(&["start"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    let says = format!("opening the lock file {path} failed: Permission denied");
    assert!(refused.stderr.contains(&says), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), "1\n", "it is left as it is");
}

#[test]
fn a_file_that_another_user_has_planted_in_a_folder_of_all_is_not_written_to() {
    if !is_root() {
        return;
    }
    let folder = with_pid_file("run/site.pid");
    folder.write("run/site.pid", "1\n");
    fs::set_permissions(folder.at("run"), Permissions::from_mode(0o1777)).unwrap();
    chown(folder.at("run/site.pid"), Some(SOMEBODY), None).unwrap();
    is_refused(&folder, &["belongs to user 61312"]);
    assert_eq!(folder.read("run/site.pid"), "1\n");
}

#[test]
fn a_link_is_not_followed_and_what_it_leads_to_is_not_touched() {
    for there in [true, false] {
        let folder = with_pid_file("site.pid");
        if there {
            folder.write("precious", "kept");
        }
        symlink("precious", folder.at("site.pid")).unwrap();
        is_refused(&folder, &["site.pid", "it is a symbolic link; remove it or name another path"]);
        assert_eq!(fs::read_to_string(folder.at("precious")).ok().as_deref(), there.then_some("kept"));
        assert!(folder.at("site.pid").is_symlink());
    }
}

#[test]
fn a_file_that_a_link_replaces_while_the_site_runs_stops_a_restart_but_no_reload_and_no_end() {
    let folder = with_pid_file("site.pid");
    let daemon = Daemon::start(program!(), &folder);
    folder.write("precious", "kept");
    fs::remove_file(folder.at("site.pid")).unwrap();
    symlink("precious", folder.at("site.pid")).unwrap();
    assert_eq!(ask(&folder, &["reload"]).code, Some(0));
    will_not_restart(&folder, &daemon, &["pidfile", "site.pid", "it is a symbolic link; remove it"]);
    // Once it is away, the next restart brings the file back.
    fs::remove_file(folder.at("site.pid")).unwrap();
    let restarted = ask(&folder, &["restart"]);
    assert_eq!(restarted.code, Some(0), "{restarted:?}");
    assert_eq!(folder.read("site.pid"), own_number(&daemon));

    fs::remove_file(folder.at("site.pid")).unwrap();
    symlink("precious", folder.at("site.pid")).unwrap();
    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
    assert!(daemon.process().has_ended());
    assert!(folder.at("site.pid").is_symlink(), "it is not ours to remove");
    assert_eq!(folder.read("precious"), "kept");
    logs(&folder.at(".sitebus/site/log"), "it is another file by now, or none");
}

#[test]
fn a_file_that_another_process_has_taken_meanwhile_stops_a_restart() {
    let folder = with_pid_file("site.pid");
    let daemon = Daemon::start(program!(), &folder);
    fs::remove_file(folder.at("site.pid")).unwrap();
    let other = Folder::small();
    let path = folder.at("site.pid").display().to_string();
    other.site(&format!("[http]\nlisten = [\"127.0.0.1:0\"]\n[pidfile]\npath = \"{path}\"\n"));
    let thief = Daemon::start(program!(), &other);
    will_not_restart(&folder, &daemon, &[&format!("is held by process {} ", thief.process().id())]);
    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
    assert_eq!(folder.read("site.pid"), own_number(&thief), "it is not ours to remove");
    assert_eq!(ask(&other, &["stop"]).code, Some(0));
    assert!(!folder.at("site.pid").exists());
}

#[test]
fn a_number_that_is_by_now_another_processs_stops_nobody() {
    let mine = std::process::id().to_string();
    for left in ["1\n", mine.as_str(), "4194999\n", "", "no number\n"] {
        let folder = with_pid_file("site.pid");
        folder.write("site.pid", left);
        let daemon = Daemon::start(program!(), &folder);
        assert_eq!(folder.read("site.pid"), own_number(&daemon), "after {left:?}");
        assert_eq!(ask(&folder, &["stop"]).code, Some(0));
        assert!(!folder.at("site.pid").exists());
    }
}

#[test]
fn what_a_killed_site_left_stops_neither_its_next_start_nor_a_status_from_being_true() {
    let folder = with_pid_file("site.pid");
    let killed = Daemon::start(program!(), &folder);
    killed.process().signal("KILL");
    nobody_is_left_in(folder.path());
    assert_eq!(folder.read("site.pid"), own_number(&killed));
    assert_eq!(ask(&folder, &["status"]).code, Some(4));
    // As if the number had been given to another.
    let lock = Path::new(".sitebus/site/lock").display().to_string();
    for stale in ["site.pid", lock.as_str()] {
        folder.write(stale, format!("{}\n", std::process::id()));
    }
    let told = ask(&folder, &["status", "--json"]);
    assert_eq!((told.code, &json(&told)["result"]), (Some(4), &"not-running".into()));
    let daemon = Daemon::start(program!(), &folder);
    assert_eq!(folder.read("site.pid"), own_number(&daemon));
    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
}

//! Logs that cannot be written or opened, and disks that are full: they cost lines, and no site.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use sitebus_testkit::left_out;
use sitebus_testkit::small_disk::on_a_small_disk;
use sitebus_tests::{
    Daemon, Ended, Folder, Site, as_somebody, get, logs, nobody_is_left_in, program, run, wait_until,
};

/// A user whom nobody else is.
const SOMEBODY: u32 = 61_313;

fn ask(folder: &Folder, arguments: &[&str]) -> Ended {
    run(program!(), folder.path(), arguments)
}

fn site_with(sections: &str) -> Folder {
    let folder = Folder::small();
    folder.site(&format!("[http]\nlisten = [\"127.0.0.1:0\"]\n{sections}\n"));
    folder
}

/// Takes what room there is on a disk.
fn fill(disk: &Path) {
    let _ = fs::write(disk.join("fill"), vec![0; 1 << 20]);
}

fn make_room(disk: &Path) {
    fs::remove_file(disk.join("fill")).unwrap();
}

/// More lines than a small disk has room for.
fn say_much(daemon: &Daemon) {
    for _ in 0..300 {
        assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
    }
}

fn is_root() -> bool {
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        return true;
    }
    left_out("only root can become another user");
    false
}

#[test]
fn a_log_on_a_full_disk_costs_lines_that_are_counted_and_the_site_goes_on() {
    let test = "a_log_on_a_full_disk_costs_lines_that_are_counted_and_the_site_goes_on";
    on_a_small_disk(test, "64k", |disk| {
        let log = disk.join("site.log");
        let folder = site_with(&format!("[log]\nfile = \"{}\"\naccess = true", log.display()));
        let daemon = Daemon::start(program!(), &folder);
        fill(disk);
        say_much(&daemon);
        let told = logs(&folder.at(".sitebus/site/log"), "cannot be written: No space left on device");
        assert!(told.contains("make room"), "{told}");
        assert_eq!(ask(&folder, &["reload"]).code, Some(0));
        assert_eq!(ask(&folder, &["status"]).code, Some(0));
        let restarted = ask(&folder, &["restart"]);
        assert_eq!(restarted.code, Some(0), "{restarted:?}");
        say_much(&daemon);
        make_room(disk);
        say_much(&daemon);
        logs(&folder.at(".sitebus/site/log"), "is written again");
        assert_eq!(ask(&folder, &["stop"]).code, Some(0));
        assert!(daemon.process().has_ended());
        assert!(fs::read_to_string(&log).unwrap().contains("Bus EXITED"), "the last line is there");
    });
}

#[test]
fn output_to_a_full_disk_stops_neither_a_start_nor_a_reload_nor_a_restart_nor_an_end() {
    let test = "output_to_a_full_disk_stops_neither_a_start_nor_a_reload_nor_a_restart_nor_an_end";
    on_a_small_disk(test, "64k", |disk| {
        let output = disk.join("daemon.log");
        let folder = site_with(&format!("[log]\naccess = true\n[daemon]\noutput = \"{}\"", output.display()));
        fill(disk);
        let daemon = Daemon::start(program!(), &folder);
        say_much(&daemon);
        for command in ["reload", "restart", "reopen", "stop"] {
            let done = ask(&folder, &[command]);
            assert_eq!(done.code, Some(0), "{command}: {done:?}");
        }
        assert!(daemon.process().has_ended());
        make_room(disk);
        let daemon = Daemon::start(program!(), &folder);
        logs(&output, "Bus STARTED");
        assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
        assert_eq!(ask(&folder, &["stop"]).code, Some(0));
    });
}

#[test]
fn a_pid_file_on_a_full_disk_is_told_and_no_empty_one_is_left() {
    on_a_small_disk("a_pid_file_on_a_full_disk_is_told_and_no_empty_one_is_left", "16k", |disk| {
        let path = disk.join("site.pid");
        let folder = site_with(&format!("[pidfile]\npath = \"{}\"", path.display()));
        fill(disk);
        let refused = ask(&folder, &["start"]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        let says = format!("writing the lock file {} failed: No space left", path.display());
        assert!(refused.stderr.contains(&says), "{}", refused.stderr);
        nobody_is_left_in(folder.path());
        assert!(!path.exists());
        assert_eq!(ask(&folder, &["status"]).code, Some(4));

        make_room(disk);
        let daemon = Daemon::start(program!(), &folder);
        fill(disk);
        let restarted = ask(&folder, &["restart"]);
        assert_eq!(restarted.code, Some(0), "{restarted:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", daemon.process().id()));
        // Removed by somebody, and no room for another: a restart would end the site, and so it is refused.
        fs::remove_file(&path).unwrap();
        fill(disk);
        let refused = ask(&folder, &["restart"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("No space left"), "{}", refused.stderr);
        assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
        assert_eq!(ask(&folder, &["stop"]).code, Some(0));
    });
}

#[test]
fn a_state_folder_on_a_full_disk_is_told_and_stops_nobody_later() {
    on_a_small_disk("a_state_folder_on_a_full_disk_is_told_and_stops_nobody_later", "64k", |disk| {
        let folder =
            site_with(&format!("[site]\nstate = \"{}\"\n[daemon]\noutput = \"null\"", disk.display()));
        fill(disk);
        let refused = ask(&folder, &["start"]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        assert!(refused.stderr.contains("No space left"), "{}", refused.stderr);
        assert!(refused.stderr.contains(&disk.display().to_string()), "{}", refused.stderr);
        nobody_is_left_in(folder.path());
        assert_eq!(ask(&folder, &["status"]).code, Some(4));

        make_room(disk);
        let daemon = Daemon::start(program!(), &folder);
        fill(disk);
        for command in ["status", "reload", "restart", "stop"] {
            let done = ask(&folder, &[command]);
            assert_eq!(done.code, Some(0), "{command}: {done:?}");
        }
        assert!(daemon.process().has_ended());
    });
}

#[test]
fn a_log_whose_folder_goes_stops_reloads_and_restarts_until_it_is_back() {
    let folder = site_with("[log]\nfile = \"logs/site.log\"");
    let refused = ask(&folder, &["start"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("the folder of the log does not exist"), "{}", refused.stderr);

    fs::create_dir(folder.at("logs")).unwrap();
    let daemon = Daemon::start(program!(), &folder);
    fs::rename(folder.at("logs"), folder.at("away")).unwrap();
    for command in ["reload", "restart", "reopen"] {
        let refused = ask(&folder, &[command]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{command}: {refused:?}");
        assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
    }
    fs::rename(folder.at("away"), folder.at("logs")).unwrap();
    for command in ["reload", "restart", "reopen", "stop"] {
        let done = ask(&folder, &[command]);
        assert_eq!(done.code, Some(0), "{command}: {done:?}");
    }
    assert!(folder.read("logs/site.log").contains("Bus EXITED"));
}

#[test]
fn what_root_has_opened_the_user_that_it_becomes_can_open_again() {
    if !is_root() {
        return;
    }
    let folder = site_with("[log]\nfile = \"logs/site.log\"\n[pidfile]\npath = \"site.pid\"");
    let mut file = folder.read("site.toml");
    file += &format!("[privileges]\nuser = \"{SOMEBODY}\"\ngroup = \"{SOMEBODY}\"\n");
    folder.write("site.toml", file);
    fs::create_dir(folder.at("logs")).unwrap();
    // It is executed anew as that user, for whom the build folder may be closed.
    let program = as_somebody(SOMEBODY, program!(), &folder).and_then(|mut words| words.pop()).unwrap();
    let ask = |arguments: &[&str]| run(Path::new(&program), folder.path(), arguments);
    let daemon = Daemon::start(Path::new(&program), &folder);
    let log = folder.at("logs/site.log");
    assert_eq!(fs::metadata(&log).unwrap().uid(), SOMEBODY);
    for command in ["reopen", "reload", "restart", "reopen", "restart"] {
        let done = ask(&[command]);
        assert_eq!(done.code, Some(0), "{command}: {done:?}");
        assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
    }
    // Somebody has made it a file of root's: the next image could not write it.
    fs::remove_file(&log).unwrap();
    fs::write(&log, "").unwrap();
    Command::new("chmod").arg("600").arg(&log).status().unwrap();
    let refused = ask(&["restart"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    for part in
        ["restart was refused", "site.log cannot be opened: Permission denied", "let this user write it"]
    {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
    // So it is with a PID file that only root could make again.
    fs::remove_file(&log).unwrap();
    std::os::unix::fs::chown(folder.at("logs"), Some(SOMEBODY), None).unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::remove_file(folder.at("site.pid")).unwrap();
    let refused = ask(&["restart"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("site.pid failed: Permission denied"), "{}", refused.stderr);
    assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
    assert_eq!(ask(&["stop"]).code, Some(0));
    nobody_is_left_in(folder.path());
}

#[test]
fn a_pipe_that_nobody_reads_any_more_ends_no_site() {
    let folder = site_with("[log]\naccess = true");
    let mut command = Command::new("sh");
    command.args(["-c", "\"$0\" run 2>&1 | head -n 1"]).arg(program!());
    let piped = Site::spawn(command, &folder);
    let status = || {
        let told = ask(&folder, &["status", "--json"]);
        (told.code == Some(0) && told.stdout.contains("http://")).then_some(told)
    };
    let status = wait_until("the site", status);
    let daemon = Daemon::of(&sitebus_tests::json(&status)["data"]);
    say_much(&daemon);
    for command in ["reload", "restart", "stop"] {
        let done = ask(&folder, &[command]);
        assert_eq!(done.code, Some(0), "{command}: {done:?}");
    }
    assert_eq!(piped.ends().stdout.lines().count(), 1);
}

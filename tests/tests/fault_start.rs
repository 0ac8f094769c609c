//! Starts that fail in the worst moment, or for want of what the system grants: the launcher's status is the truth.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::process::Command;

use sitebus_testkit::left_out;
use sitebus_tests::{
    Daemon, Ended, Folder, Site, as_somebody, faulty_program, get, json, nobody_is_left_in, program, run,
};

/// A user whom nobody else is, so that nobody else's processes count.
const SOMEBODY: u32 = 61_311;

fn with_pid_file() -> Folder {
    let folder = Folder::small();
    folder.site("[http]\nlisten = [\"127.0.0.1:0\"]\n[pidfile]\npath = \"site.pid\"\n");
    folder
}

fn faulty(folder: &Folder, arguments: &[&str]) -> Ended {
    run(faulty_program!(), folder.path(), arguments)
}

#[test]
fn a_daemon_that_crashes_before_it_is_started_is_told_of_by_its_signal_and_stands_in_nobodys_way() {
    for (signal, number) in [("KILL", 9), ("ABRT", 6), ("SEGV", 11), ("TERM", 15)] {
        let folder = with_pid_file();
        folder.write("die-at-start", signal);
        let crashed = faulty(&folder, &["start"]);
        assert_eq!(
            (crashed.code, crashed.stdout.as_str()),
            (Some(128 + number), ""),
            "{signal}: {crashed:?}"
        );
        let told = format!("was ended by SIG{signal} ({number}) before it was STARTED");
        assert!(crashed.stderr.starts_with("error: the daemon (process "), "{}", crashed.stderr);
        assert!(crashed.stderr.contains(&told), "{}", crashed.stderr);
        nobody_is_left_in(folder.path());
        assert_eq!(faulty(&folder, &["status"]).code, Some(4));

        let crashed = faulty(&folder, &["start", "--json"]);
        assert_eq!(
            (crashed.code, crashed.stderr.as_str()),
            (Some(128 + number), ""),
            "{signal}: {crashed:?}"
        );
        let answer = json(&crashed);
        assert_eq!((&answer["result"], &answer["status"]), (&"failed".into(), &(128 + number).into()));
        assert!(answer["message"].as_str().unwrap().contains(&told), "{answer}");

        // What it left, an unlocked PID file and a socket at which nobody listens, is taken over.
        fs::remove_file(folder.at("die-at-start")).unwrap();
        let daemon = Daemon::start(faulty_program!(), &folder);
        assert_eq!(folder.read("site.pid"), format!("{}\n", daemon.process().id()));
        assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
        assert_eq!(faulty(&folder, &["stop"]).code, Some(0));
        assert!(!folder.at("site.pid").exists());
    }
}

#[test]
fn a_new_image_that_crashes_in_its_start_is_told_to_whoever_asked_for_the_restart() {
    let folder = with_pid_file();
    let daemon = Daemon::start(faulty_program!(), &folder);
    folder.write("die-at-start", "ABRT");
    let crashed = faulty(&folder, &["restart"]);
    assert_eq!((crashed.code, crashed.stdout.as_str()), (Some(1), ""), "{crashed:?}");
    let told = format!("process {} is gone", daemon.process().id());
    assert!(crashed.stderr.contains(&told), "{}", crashed.stderr);
    nobody_is_left_in(folder.path());
    assert_eq!(faulty(&folder, &["status"]).code, Some(4));
    fs::remove_file(folder.at("die-at-start")).unwrap();
    let _daemon = Daemon::start(faulty_program!(), &folder);
    assert_eq!(faulty(&folder, &["stop"]).code, Some(0));
}

#[test]
fn a_user_or_a_group_that_nobody_knows_is_pointed_at_and_nothing_is_begun() {
    for (line, says) in [
        ("user = \"nobody-at-all\"", "nobody-at-all"),
        ("user = \"4294967295\"", "4294967295"),
        ("group = \"no-group-at-all\"", "no-group-at-all"),
        ("user = \"nobody\"\ngroups = [\"no-group-at-all\"]", "no-group-at-all"),
    ] {
        let folder = Folder::small();
        folder.site(&format!("[http]\nlisten = [\"127.0.0.1:0\"]\n[privileges]\n{line}\n"));
        for command in ["check", "run", "start"] {
            let refused = run(program!(), folder.path(), &[command]);
            assert_eq!(
                (refused.code, refused.stdout.as_str()),
                (Some(2), ""),
                "{command} {line}: {refused:?}"
            );
            assert!(refused.stderr.starts_with("error: "), "{}", refused.stderr);
            assert!(refused.stderr.contains(says), "{}", refused.stderr);
            assert!(
                refused.stderr.contains("\n --> site.toml:") && refused.stderr.contains("| "),
                "{refused:?}"
            );
            assert!(refused.stderr.lines().any(|line| line.contains("^^^")), "a caret: {}", refused.stderr);
        }
        assert!(!folder.at(".sitebus").exists());
    }
}

#[test]
fn a_running_site_does_not_take_up_a_user_that_nobody_knows_neither_by_reload_nor_by_restart() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    folder.site("[http]\nlisten = [\"127.0.0.1:0\"]\n[privileges]\nuser = \"nobody-at-all\"\n");
    for command in ["reload", "restart"] {
        let refused = run(program!(), folder.path(), &[command]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        assert!(
            refused.stderr.contains("nobody-at-all") && refused.stderr.contains("^^^"),
            "{}",
            refused.stderr
        );
        assert_eq!(site.get("/").status, 200);
    }
    site.stop();
}

#[test]
fn with_too_few_processes_allowed_a_start_says_so_and_leaves_nobody_behind() {
    let folder = Folder::small();
    let Some(words) = as_somebody(SOMEBODY, program!(), &folder) else {
        return left_out("only root can become a user whose processes nobody else counts");
    };
    let somebody = |limit: Option<u32>, arguments: &[&str]| {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..words.len() - 1]);
        if let Some(limit) = limit {
            command.args(["prlimit", &format!("--nproc={limit}:{limit}")]);
        }
        command.arg(words.last().unwrap()).args(arguments);
        Site::spawn(command, &folder).ends()
    };
    let (mut by_limit, mut refused) = (false, 0);
    for limit in 1..60 {
        let ended = somebody(Some(limit), &["start", "--json"]);
        if ended.code == Some(0) {
            break;
        }
        refused += 1;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""), "{limit}: {ended:?}");
        let message = json(&ended)["message"].as_str().unwrap().to_owned();
        by_limit |= message.contains("ulimit -u");
        assert!(message.contains("os error 11") || message.contains("ulimit -u"), "{limit}: {message}");
        nobody_is_left_in(folder.path());
        assert_eq!(somebody(None, &["status"]).code, Some(4), "{limit}");
    }
    assert!(by_limit && refused > 2, "{refused} refused");
    let daemon = Daemon::of(&json(&somebody(None, &["status", "--json"]))["data"]);
    assert_eq!(get(daemon.address(), "/").unwrap().status, 200);

    // No process is left for the trial run of a restart: refused, and the site goes on.
    let pid = daemon.process().id().to_string();
    let mut limit = Command::new(&words[0]);
    limit.args(&words[1..words.len() - 1]).args(["prlimit", "--pid", &pid, "--nproc=1:1"]);
    let limited = limit.status().unwrap();
    assert!(limited.success());
    let refused = somebody(None, &["restart"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.stderr.contains("os error 11"), "{}", refused.stderr);
    assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
    assert_eq!(somebody(None, &["stop"]).code, Some(0));
}

//! `stop`, `reload`, `restart` and `reopen`: done means done, and what is not done says why.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use sitebus_tests::{Ended, Folder, Site, TerminalSession, own_program, program, run, wait_until};

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

fn ask(folder: &Folder, arguments: &[&str]) -> Ended {
    run(program!(), folder.path(), arguments)
}

fn phases(ended: &Ended) -> Vec<String> {
    let phases = json(ended)["phases"].as_array().cloned().unwrap_or_default();
    phases.iter().map(|phase| phase["phase"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn stop_is_done_when_the_process_is_gone() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let stopped = ask(&folder, &["stop"]);
    assert!(
        !fs::exists(format!("/proc/{}/exe", site.child().id())).unwrap_or(false),
        "only a zombie is left"
    );
    assert_eq!(
        (stopped.code, stopped.stdout.as_str()),
        (Some(0), "the site has exited\n"),
        "{}",
        stopped.stderr
    );
    let told = "stop: asked, while the site is STARTED\nstop: STOPPING\nstop: STOPPED\nstop: EXITING\n";
    assert_eq!(stopped.stderr, told);
    let ended = site.ends();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("the command stop"), "{}", ended.stderr);
}

#[test]
fn in_json_the_phases_are_in_the_answer_and_nothing_is_beside_it() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let stopped = ask(&folder, &["stop", "--json"]);
    assert_eq!((stopped.code, stopped.stderr.as_str(), stopped.stdout.lines().count()), (Some(0), "", 1));
    assert_eq!(json(&stopped)["result"], "done");
    assert_eq!(phases(&stopped)[1..], ["STOPPING", "STOPPED", "EXITING"]);
    assert_eq!(site.ends().code, Some(0));
}

#[test]
fn a_reload_is_done_when_the_new_settings_hold_and_one_that_is_refused_says_where_it_is_wrong() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let good = folder.read("site.toml");
    folder.write("site.toml", format!("{good}[[route]]\npath = \"/new\"\nrespond = {{ body = \"new\" }}\n"));
    let reloaded = ask(&folder, &["reload"]);
    assert_eq!((reloaded.code, reloaded.stdout.as_str()), (Some(0), "the new settings are taken up\n"));
    assert_eq!(site.get("/new").text(), "new");

    folder.write("site.toml", good.replace("listen", "lisen"));
    let refused = ask(&folder, &["reload"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    for part in
        ["error: graceful was refused and nothing has changed", "site.toml:2:1", "did you mean `listen`?"]
    {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    let refused = ask(&folder, &["reload", "--json"]);
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), ""));
    let told = json(&refused);
    assert_eq!((&told["result"], &told["status"]), (&"refused".into(), &1.into()));
    assert_eq!(told["failures"][0]["listener"], "site file");
    assert_eq!(site.get("/new").text(), "new");
    site.stop();
}

#[test]
fn a_restart_is_done_when_the_new_image_is_started_in_the_same_process() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let instance = |folder: &Folder| json(&ask(folder, &["status", "--json"]))["data"].clone();
    let before = instance(&folder);
    let restarted = ask(&folder, &["restart"]);
    assert_eq!(
        (restarted.code, restarted.stdout.as_str()),
        (Some(0), "the site has restarted\n"),
        "{restarted:?}"
    );
    assert!(restarted.stderr.contains("a new image takes the place of the old one"), "{}", restarted.stderr);
    assert!(restarted.stderr.ends_with("restart: STARTED\n"), "{}", restarted.stderr);
    let after = instance(&folder);
    assert_eq!((&before["pid"], &before["listening"]), (&after["pid"], &after["listening"]));
    assert_eq!(site.log().lines().iter().filter(|line| line.ends_with("Bus STARTED")).count(), 2);
    assert_eq!(site.get("/").status, 200);
    site.stop();
}

#[test]
fn several_who_wait_for_one_restart_all_learn_how_it_ended() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let restarted: Vec<Ended> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&folder, &["restart"]))).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    for restarted in restarted {
        assert_eq!(restarted.code, Some(0), "{restarted:?}");
    }
    site.stop();
}

#[test]
fn whoever_asks_while_the_site_restarts_gets_an_answer() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let through = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0;
            while !through.load(Ordering::SeqCst) {
                let told = ask(&folder, &["status"]);
                assert_eq!(told.code, Some(0), "{told:?}");
                asked += 1;
            }
            asked
        });
        let restarted: Vec<Ended> = (0..10).map(|_| ask(&folder, &["restart"])).collect();
        through.store(true, Ordering::SeqCst);
        assert!(asking.join().unwrap() > 0);
        for restarted in restarted {
            assert_eq!(restarted.code, Some(0), "{restarted:?}");
        }
    });
    site.stop();
}

#[test]
fn a_restart_into_what_is_wrong_is_refused_and_the_site_goes_on() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    folder.write("site.toml", "[http]\nlisen = []\n");
    let refused = ask(&folder, &["restart"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    assert!(refused.stderr.contains("restart was refused and nothing has changed"), "{}", refused.stderr);
    assert!(refused.stderr.contains("did you mean `listen`?"), "{}", refused.stderr);
    assert_eq!(site.get("/").status, 200);
    site.stop();
}

#[test]
fn a_restart_whose_new_image_does_not_come_up_has_failed() {
    let folder = Folder::small();
    let site = Site::start(own_program!(), &folder);
    // The trial run knows nothing of it.
    folder.write("fail-at-start", "");
    let failed = run(own_program!(), folder.path(), &["restart"]);
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{failed:?}");
    assert!(failed.stderr.contains("error: the new image did not come up"), "{}", failed.stderr);
    assert_eq!(site.ends().code, Some(1));
}

#[test]
fn a_restart_whose_program_vanishes_at_the_last_moment_has_failed_and_the_site_runs_on() {
    let folder = Folder::small();
    let program = folder.at("shop");
    fs::copy(own_program!(), &program).unwrap();
    assert!(Command::new("mkfifo").arg(folder.at("hang-at-stop")).status().unwrap().success());
    let site = Site::start(&program, &folder);
    let mut command = Command::new(own_program!());
    command.arg("restart");
    let restarting = Site::spawn(command, &folder);
    site.says("hang-at-stop"); // so it has been looked at, and found well
    fs::remove_file(&program).unwrap();
    let release = fs::File::options().write(true).open(folder.at("hang-at-stop")).unwrap();
    fs::remove_file(folder.at("hang-at-stop")).unwrap();
    drop(release);
    let failed = restarting.ends();
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{failed:?}");
    let said = "error: the restart failed, and the site runs on in the old image: ";
    assert!(failed.stderr.contains(said), "{}", failed.stderr);
    assert!(failed.stderr.contains("shop"), "{}", failed.stderr);
    let told = ask(&folder, &["status"]);
    assert!(told.stdout.contains("is STARTED") && told.stdout.contains("\n  last restart"), "{told:?}");
    assert_eq!(site.get("/").status, 200);
    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
    assert_eq!(site.ends().code, Some(0));
}

#[test]
fn reopen_is_done_when_the_files_are_open_again() {
    let folder = Folder::small();
    let file = folder.read("site.toml");
    folder.write("site.toml", format!("{file}[log]\nfile = \"site.log\"\n"));
    let mut command = Command::new(program!());
    command.arg("run");
    let site = Site::spawn(command, &folder);
    let logged = |part: &str| fs::read_to_string(folder.at("site.log")).is_ok_and(|log| log.contains(part));
    wait_until("the start", || logged("Bus STARTED").then_some(()));
    fs::rename(folder.at("site.log"), folder.at("site.log.1")).unwrap();
    let reopened = ask(&folder, &["reopen"]);
    assert_eq!(
        (reopened.code, reopened.stdout.as_str()),
        (Some(0), "files were opened again\n"),
        "{reopened:?}"
    );
    assert!(folder.at("site.log").exists());
    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
    assert_eq!(site.ends().code, Some(0));
    assert!(logged("Bus EXITED"));
}

#[test]
fn without_waiting_it_is_only_asked_for() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    for (command, times) in [("reload", "Bus reloaded"), ("restart", "Bus STARTED")] {
        let asked = ask(&folder, &[command, "--no-wait"]);
        let told = format!("the site was asked for a {command}\n");
        assert_eq!((asked.code, asked.stdout, asked.stderr.as_str()), (Some(0), told, ""));
        site.says(times);
    }
    site.says_times(2, "Bus STARTED");
    let asked = json(&ask(&folder, &["stop", "--no-wait", "--json"]));
    assert_eq!((&asked["result"], &asked["status"]), (&"asked".into(), &0.into()));
    assert_eq!(site.ends().code, Some(0));
}

#[test]
fn on_a_terminal_the_phases_are_one_line_and_the_outcome_is_another() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let command = format!("exec {} stop", program!().display());
    let session = TerminalSession::start(folder.path(), &command, &[]);
    let line = session.shows("the site has exited");
    assert!(line.ends_with("\r\u{1b}[Kthe site has exited"), "{line:?}");
    assert!(line.contains("\r\u{1b}[Kstop: STOPPED"), "{line:?}");
    assert_eq!(session.ends(), Some(0));
    assert_eq!(site.ends().code, Some(0));
}

#[test]
fn bad_usage_is_status_2() {
    let folder = Folder::small();
    for (arguments, says) in [
        (&["stop", "--timeout", "soon"][..], "write a number of seconds"),
        (&["status", "--no-wait"], "unexpected argument"),
        (&["reload", "a", "b"], "unexpected argument 'b'"),
        (&["generate"], "systemd"),
        (&["completions"], "<SHELL>"),
        (&["stpo"], "'stop'"),
    ] {
        let ended = ask(&folder, arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn a_program_of_ones_own_has_the_same_commands() {
    let folder = Folder::small();
    let site = Site::start(own_program!(), &folder);
    let ask = |arguments: &[&str]| run(own_program!(), folder.path(), arguments);
    assert!(ask(&["status"]).stdout.contains("version     made with sitebus "));
    for command in ["reload", "restart", "reopen", "timings", "stop"] {
        let ended = ask(&[command]);
        assert_eq!(ended.code, Some(0), "{command}: {ended:?}");
    }
    assert_eq!(site.ends().code, Some(0));
}

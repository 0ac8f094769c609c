//! `start`: a site in the background, whose launcher tells the truth.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sitebus_testkit::left_out;
use sitebus_tests::{
    Ended, Folder, Outsider, Site, as_an_ordinary_user, get, own_program, program, run, wait_until,
};

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

/// A site that was started in the background. It is killed in the end, if it is still there.
struct Daemon {
    process: Outsider,
    address: SocketAddr,
}

impl Daemon {
    fn start(program: &Path, folder: &Folder) -> Daemon {
        let started = run(program, folder.path(), &["start", "--json"]);
        assert_eq!((started.code, started.stderr.as_str()), (Some(0), ""), "{started:?}");
        Daemon::of(&json(&started)["data"])
    }

    fn of(status: &Value) -> Daemon {
        let pid = u32::try_from(status["pid"].as_u64().unwrap()).unwrap();
        let address = status["listening"][0].as_str().unwrap().strip_prefix("http://").unwrap().parse();
        Daemon { process: Outsider::of(pid), address: address.unwrap() }
    }
}

/// Waits for a line in a log.
fn logs(log: &Path, part: &str) {
    wait_until(part, || fs::read_to_string(log).ok().filter(|log| log.contains(part)));
}

fn ask(folder: &Folder, arguments: &[&str]) -> Ended {
    run(program!(), folder.path(), arguments)
}

#[test]
fn start_returns_when_the_site_is_started_and_says_where() {
    let folder = Folder::small();
    let started = ask(&folder, &["start"]);
    assert_eq!((started.code, started.stderr.as_str()), (Some(0), ""), "{started:?}");
    let status = json(&ask(&folder, &["status", "--json"]))["data"].clone();
    let daemon = Daemon::of(&status);
    let (pid, log) = (daemon.process.id(), folder.at(".sitebus/site/log"));
    assert_eq!(
        started.stdout,
        format!(
            "the site 'site' is STARTED, process {pid}, and listens on http://{}; its output goes to {}\n",
            daemon.address,
            log.display()
        )
    );
    assert_eq!(get(daemon.address, "/").unwrap().status, 200);
    logs(&log, "Bus STARTED");
    assert_eq!(fs::metadata(&log).unwrap().mode() & 0o777, 0o640);
    // It belongs to no terminal and to no session of ours.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[4], "0", "no terminal: {stat}");
    assert_eq!(fs::read_link(format!("/proc/{pid}/fd/0")).unwrap(), Path::new("/dev/null"));
    assert_eq!(fs::read_link(format!("/proc/{pid}/fd/2")).unwrap(), log);

    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
    assert!(daemon.process.has_ended());
    assert_eq!(ask(&folder, &["status"]).code, Some(4));
}

#[test]
fn a_second_instance_is_refused_and_named_and_the_first_one_does_not_notice() {
    let folder = Folder::small();
    let daemon = Daemon::start(program!(), &folder);
    let log = folder.read(".sitebus/site/log");
    let second = ask(&folder, &["start"]);
    assert_eq!((second.code, second.stdout.as_str()), (Some(1), ""));
    let who = format!("error: the site 'site' is already running: process {} holds ", daemon.process.id());
    assert!(second.stderr.starts_with(&who), "{}", second.stderr);
    let second = ask(&folder, &["start", "--json"]);
    assert_eq!((second.code, &json(&second)["result"]), (Some(1), &"refused".into()));
    let logged = folder.read(".sitebus/site/log");
    assert!(logged.starts_with(&log) && !logged.contains("already running"), "{logged}");
    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
}

#[test]
fn of_many_who_start_one_site_at_once_one_does_and_the_others_say_so() {
    let folder = Folder::small();
    let all: Vec<Ended> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&folder, &["start"]))).collect();
        starting.into_iter().map(|starting| starting.join().unwrap()).collect()
    });
    let daemon = Daemon::of(&json(&ask(&folder, &["status", "--json"]))["data"]);
    let started = all.iter().filter(|ended| ended.code == Some(0)).count();
    assert_eq!(started, 1, "{all:?}");
    for refused in all.iter().filter(|ended| ended.code != Some(0)) {
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("is already running"), "{refused:?}");
    }
    assert_eq!(get(daemon.address, "/").unwrap().status, 200);
    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing_running() {
    let folder = Folder::small();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    folder.site(&format!("[http]\nlisten = [\"{address}\"]\n"));
    let failed = ask(&folder, &["start"]);
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{failed:?}");
    assert!(failed.stderr.starts_with("error: "), "{}", failed.stderr);
    assert!(failed.stderr.contains(&address.to_string()), "{}", failed.stderr);
    assert_eq!(ask(&folder, &["status"]).code, Some(4));

    folder.site("[http]\nlisten = [\"127.0.0.1:0\"]\n");
    folder.write("fail-at-start", "");
    let failed = run(own_program!(), folder.path(), &["start", "--json"]);
    assert_eq!((failed.code, failed.stderr.as_str()), (Some(1), ""), "{failed:?}");
    assert_eq!(json(&failed)["result"], "failed");
    assert!(failed.stdout.contains("on purpose"), "{failed:?}");
}

#[test]
fn a_file_that_is_wrong_is_refused_before_there_is_a_second_process() {
    let folder = Folder::small();
    folder.write("site.toml", "[http]\nlisen = []\n");
    let refused = ask(&folder, &["start"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.contains("did you mean `listen`?"), "{}", refused.stderr);
    let refused = ask(&folder, &["start", "--json"]);
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(2), ""));
    assert_eq!(json(&refused)["result"], "bad-file");
    assert!(!folder.at(".sitebus").exists());
}

#[test]
fn a_start_that_takes_too_long_is_undone_and_status_3() {
    let folder = Folder::small();
    assert!(Command::new("mkfifo").arg(folder.at("hang-at-start")).status().unwrap().success());
    let mut command = Command::new(own_program!());
    command.args(["start", "--timeout", "300ms"]);
    let starting = Site::spawn(command, &folder);
    let log = folder.at(".sitebus/site/log");
    logs(&log, "SIGTERM");
    fs::write(folder.at("hang-at-start"), "").unwrap();
    let ended = starting.ends();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""), "{ended:?}");
    assert!(ended.stderr.contains("was not STARTED within 300ms, and was ended"), "{}", ended.stderr);
    assert_eq!(run(own_program!(), folder.path(), &["status"]).code, Some(4));
}

#[test]
fn ctrl_c_at_the_launcher_ends_the_site_that_it_starts() {
    let folder = Folder::small();
    assert!(Command::new("mkfifo").arg(folder.at("hang-at-start")).status().unwrap().success());
    let mut command = Command::new(own_program!());
    command.arg("start");
    let starting = Site::spawn(command, &folder);
    let log = folder.at(".sitebus/site/log");
    logs(&log, "hang-at-start");
    starting.signal("INT".parse().unwrap());
    logs(&log, "SIGTERM");
    fs::write(folder.at("hang-at-start"), "").unwrap();
    let ended = starting.ends();
    assert_eq!((ended.code, ended.stdout.as_str()), (None, ""), "by the signal: {ended:?}");
    assert!(ended.stderr.contains("because of SIGINT"), "{}", ended.stderr);
    assert_eq!(run(own_program!(), folder.path(), &["status"]).code, Some(4));
}

#[test]
fn a_daemon_that_drops_its_privileges_writes_and_reopens_its_log_as_the_user_that_it_is() {
    let folder = Folder::small();
    let Some(words) = as_an_ordinary_user(program!(), &folder).filter(|words| words[0] == "setpriv") else {
        return left_out("only root can drop privileges");
    };
    let program = Path::new(words.last().unwrap());
    let file = folder.read("site.toml");
    folder.write("site.toml", format!("{file}[privileges]\nuser = \"nobody\"\n"));
    let daemon = Daemon::start(program, &folder);
    let log = folder.at(".sitebus/site/log");
    logs(&log, "Bus STARTED");
    assert_eq!(fs::metadata(&log).unwrap().uid(), 65534);
    assert_eq!(fs::metadata(format!("/proc/{}", daemon.process.id())).unwrap().uid(), 65534);
    fs::rename(&log, folder.at("old")).unwrap();
    for command in ["reopen", "restart", "stop"] {
        let ended = run(program, folder.path(), &[command]);
        assert_eq!(ended.code, Some(0), "{command}: {ended:?}");
    }
    assert!(fs::read_to_string(&log).unwrap().contains("Bus EXITED"));
}

#[test]
fn a_restart_of_a_daemon_is_the_same_daemon_and_forks_no_more() {
    let folder = Folder::small();
    let daemon = Daemon::start(program!(), &folder);
    for _ in 0..3 {
        let restarted = ask(&folder, &["restart"]);
        assert_eq!(
            (restarted.code, restarted.stdout.as_str()),
            (Some(0), "the site has restarted\n"),
            "{restarted:?}"
        );
        assert!(!daemon.process.has_ended());
        assert_eq!(get(daemon.address, "/").unwrap().status, 200);
    }
    let log = folder.at(".sitebus/site/log");
    fs::rename(&log, folder.at("old")).unwrap();
    assert_eq!(ask(&folder, &["reopen"]).code, Some(0));
    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
    assert!(daemon.process.has_ended());
    assert!(fs::read_to_string(&log).unwrap().contains("Bus EXITED"));
}

#[test]
fn the_section_daemon_says_where_it_runs_and_where_its_output_goes() {
    let folder = Folder::small();
    let file = folder.read("site.toml");
    folder.write("site.toml", format!("{file}[daemon]\noutput = \"daemon.log\"\nfolder = \"public\"\n"));
    let daemon = Daemon::start(program!(), &folder);
    let folder_of = fs::read_link(format!("/proc/{}/cwd", daemon.process.id())).unwrap();
    assert_eq!(folder_of, folder.at("public").canonicalize().unwrap());
    logs(&folder.at("daemon.log"), "Bus STARTED");
    folder.write("site.toml", format!("{file}[daemon]\noutput = \"other.log\"\nfolder = \"public\"\n"));
    let reloaded = ask(&folder, &["reload"]);
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
    assert!(folder.read("other.log").contains("Bus EXITED"));
}

#[test]
fn where_a_service_manager_waits_for_this_very_process_it_is_refused() {
    let folder = Folder::small();
    let mut command = Command::new(program!());
    command.arg("start").env("NOTIFY_SOCKET", folder.at("nobody.sock"));
    let refused = Site::spawn(command, &folder).ends();
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.stderr.contains("NOTIFY_SOCKET"), "{}", refused.stderr);
    assert_eq!(ask(&folder, &["status"]).code, Some(4));
}

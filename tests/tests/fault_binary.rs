//! A program that is replaced, deleted, or half written when a restart is asked for, or that cannot be executed after all.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sitebus_tests::{Daemon, Ended, Folder, faulty_program, get, json, logs, own_program, program, run};

/// A site whose program is a file in its own folder.
struct Installed {
    folder: Folder,
    program: PathBuf,
}

impl Installed {
    fn new(program: &Path) -> Installed {
        let folder = Folder::small();
        let installed = Installed { program: folder.at("program"), folder };
        installed.put(program);
        installed
    }

    /// Another file in its place, at once, as package managers do it.
    fn put(&self, program: &Path) {
        let new = self.folder.at("new");
        fs::hard_link(program, &new).or_else(|_| fs::copy(program, &new).map(drop)).unwrap();
        fs::rename(new, &self.program).unwrap();
    }

    fn put_text(&self, text: impl AsRef<[u8]>, mode: u32) {
        let new = self.folder.at("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, Permissions::from_mode(mode)).unwrap();
        fs::rename(new, &self.program).unwrap();
    }

    fn start(&self) -> Daemon {
        Daemon::start(&self.program, &self.folder)
    }

    /// The operator's program is another one: it need not be the site's.
    fn ask(&self, arguments: &[&str]) -> Ended {
        run(program!(), self.folder.path(), arguments)
    }

    fn version(&self) -> String {
        json(&self.ask(&["status", "--json"]))["data"]["version"].as_str().unwrap().to_owned()
    }
}

/// The same program with another ending, and so another version.
fn version_of(program: &Path, version: &str, to: &Path) {
    fs::copy(program, to).unwrap();
    let mut file = File::options().append(true).open(to).unwrap();
    write!(file, "\nversion {version}").unwrap();
}

#[test]
fn a_restart_runs_what_is_there_by_now() {
    let site = Installed::new(faulty_program!());
    let daemon = site.start();
    assert_eq!(site.version(), "0");
    for version in ["1", "2"] {
        let new = site.folder.at("download");
        version_of(faulty_program!(), version, &new);
        fs::rename(&new, &site.program).unwrap();
        assert_ne!(site.version(), version, "not before it is asked for");
        let restarted = site.ask(&["restart"]);
        assert_eq!(restarted.code, Some(0), "{restarted:?}");
        assert_eq!(site.version(), version);
        assert!(!daemon.process().has_ended());
        assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
    }
    assert_eq!(site.ask(&["stop"]).code, Some(0));
}

#[test]
fn a_restart_into_what_cannot_run_is_refused_with_the_reason_and_the_site_goes_on() {
    let site = Installed::new(faulty_program!());
    let daemon = site.start();
    let is_refused = |what: &str, says: &str| {
        let refused = site.ask(&["restart"]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{what}: {refused:?}");
        let whole = "restart was refused and nothing has changed";
        assert!(
            refused.stderr.contains(whole) && refused.stderr.contains(says),
            "{what}: {}",
            refused.stderr
        );
        let told = site.ask(&["restart", "--json"]);
        assert_eq!((told.code, &json(&told)["result"]), (Some(1), &"refused".into()), "{what}");
        assert!(!daemon.process().has_ended(), "{what}");
        assert_eq!(get(daemon.address(), "/").unwrap().status, 200, "{what}");
        assert!(site.ask(&["status"]).stdout.starts_with("the site 'site' is STARTED"), "{what}");
    };
    fs::remove_file(&site.program).unwrap();
    is_refused("deleted", "is not there any more");
    fs::create_dir(&site.program).unwrap();
    is_refused("a folder", "it is no regular file");
    fs::remove_dir(&site.program).unwrap();
    site.put_text("", 0o755);
    is_refused("empty", "it is empty");
    let whole = fs::read(faulty_program!()).unwrap();
    for part in [100, 4096, whole.len() / 2, whole.len() - 1] {
        site.put_text(&whole[..part], 0o755);
        is_refused("half written", "it is still being written, or was cut short");
    }
    drop(whole);
    site.put_text("no program", 0o755);
    is_refused("text", "it is neither a program nor a script");
    site.put_text("#!/bin/sh\nexit 0\n", 0o644);
    is_refused("not executable", "it may not be executed");
    site.put_text("#!/no/such/interpreter\n", 0o755);
    is_refused("a script without interpreter", "a trial run");
    site.put_text("#!/bin/sh\necho broken library >&2\nexit 127\n", 0o755);
    is_refused("it fails", "broken library");
    site.put_text("#!/bin/sh\nkill -SEGV $$\n", 0o755);
    is_refused("it crashes", "SIGSEGV");
    let mut other = fs::read("/proc/self/exe").unwrap();
    other.truncate(1 << 20);
    other[18] ^= 0xff;
    site.put_text(&other, 0o755);
    is_refused("another machine", "another kind of machine");
    // Still open for writing (ETXTBSY), whole as it is.
    site.put_text(fs::read(faulty_program!()).unwrap(), 0o755);
    let writing = File::options().append(true).open(&site.program).unwrap();
    is_refused("being written", "Text file busy");
    drop(writing);
    let restarted = site.ask(&["restart"]);
    assert_eq!(restarted.code, Some(0), "{restarted:?}");
    assert_eq!(site.ask(&["stop"]).code, Some(0));
}

/// A restart that is past its look, held in its stop until the returned function is called.
fn held_in_its_stop(site: &Installed) -> impl FnOnce() -> Ended {
    let fifo = site.folder.at("hang-at-stop");
    let mut restart = Command::new(program!());
    restart.arg("restart").current_dir(site.folder.path());
    let restart = sitebus_testkit::Child::spawn(restart).unwrap();
    logs(&site.folder.at(".sitebus/site/log"), "hangs: hang-at-stop");
    move || {
        // The bus that comes after it is not to hang again: it looks for the file when it is made.
        let open = File::options().write(true).open(&fifo).unwrap();
        fs::remove_file(&fifo).unwrap();
        drop(open);
        Ended::of(restart)
    }
}

/// Which signals its main thread blocks, ignores and catches (proc(5)).
fn signals_of(daemon: &Daemon) -> Vec<String> {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.process().id())).unwrap();
    let lines =
        status.lines().filter(|line| ["SigBlk", "SigIgn", "SigCgt"].iter().any(|of| line.starts_with(of)));
    lines.map(str::to_owned).collect()
}

#[test]
fn an_exec_that_fails_after_all_brings_the_site_back_on_its_sockets_and_says_so() {
    type Break = fn(&Installed);
    let breaks: [(&str, Break, &str); 5] = [
        ("gone", |site| fs::remove_file(&site.program).unwrap(), "No such file"),
        ("no interpreter", |site| site.put_text("#!/no/such/interpreter\n", 0o755), "No such file"),
        ("not executable", |site| site.put_text("#!/bin/sh\n", 0o644), "Permission denied"),
        ("no program", |site| site.put_text([0x7f; 4096], 0o755), "Exec format error"),
        (
            "cut short",
            |site| site.put_text(&fs::read(own_program!()).unwrap()[..60], 0o755),
            "Exec format error",
        ),
    ];
    for (what, damage, says) in breaks {
        let site = Installed::new(own_program!());
        let fifo = site.folder.at("hang-at-stop");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let daemon = site.start();
        let signals = signals_of(&daemon);
        let release = held_in_its_stop(&site);
        damage(&site);
        let failed = release();
        assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{what}: {failed:?}");
        assert!(failed.stderr.contains(says), "{what}: {}", failed.stderr);
        assert!(failed.stderr.contains("program"), "{what}: {}", failed.stderr);

        assert!(!daemon.process().has_ended(), "{what}");
        assert_eq!(get(daemon.address(), "/").unwrap().status, 200, "{what}: on the same socket");
        assert_eq!(signals_of(&daemon), signals, "{what}: what is blocked, ignored and caught");
        let told = site.ask(&["status"]);
        assert_eq!(told.code, Some(0), "{told:?}");
        assert!(told.stdout.starts_with("the site 'site' is STARTED"), "{}", told.stdout);
        let last = told.stdout.lines().find(|line| line.starts_with("  last restart")).unwrap();
        assert!(last.contains(says), "{what}: {last}");
        let told = json(&site.ask(&["status", "--json"]));
        assert_eq!(told["data"]["pid"], daemon.process().id());
        assert!(told["data"]["failed_restart"].as_str().unwrap().contains(says), "{told}");

        // It is the same site as ever: it reloads, and restarts once the program is there again.
        assert_eq!(site.ask(&["reload"]).code, Some(0));
        assert_eq!(site.ask(&["restart"]).code, Some(1), "{what}: refused at the look");
        site.put(own_program!());
        let restarted = site.ask(&["restart"]);
        assert_eq!(restarted.code, Some(0), "{what}: {restarted:?}");
        assert!(!site.ask(&["status"]).stdout.contains("last restart"));
        assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
        assert_eq!(site.ask(&["stop"]).code, Some(0));
        assert!(daemon.process().has_ended());
    }
}

#[test]
fn an_exec_that_fails_is_survived_with_a_pid_file_a_log_and_a_site_file_that_is_wrong_by_then() {
    let site = Installed::new(own_program!());
    let sections = "[pidfile]\npath = \"site.pid\"\n[log]\nfile = \"site.log\"";
    site.folder.site(&format!("[http]\nlisten = [\"127.0.0.1:0\"]\n{sections}\n"));
    assert!(Command::new("mkfifo").arg(site.folder.at("hang-at-stop")).status().unwrap().success());
    let daemon = site.start();
    let mut restart = Command::new(program!());
    restart.arg("restart").current_dir(site.folder.path());
    let restart = sitebus_testkit::Child::spawn(restart).unwrap();
    logs(&site.folder.at("site.log"), "hangs: hang-at-stop");
    fs::remove_file(&site.program).unwrap();
    let good = site.folder.read("site.toml");
    site.folder.write("site.toml", good.replace("listen", "lisen"));
    let open = File::options().write(true).open(site.folder.at("hang-at-stop")).unwrap();
    fs::remove_file(site.folder.at("hang-at-stop")).unwrap();
    drop(open);
    let failed = Ended::of(restart);
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{failed:?}");

    assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
    assert_eq!(site.folder.read("site.pid"), format!("{}\n", daemon.process().id()));
    let log = site.folder.read("site.log");
    assert!(log.contains("it is wrong by now, and the site goes on as it was"), "{log}");
    site.folder.write("site.toml", good);
    site.put(own_program!());
    for command in ["reload", "restart", "stop"] {
        let done = site.ask(&[command]);
        assert_eq!(done.code, Some(0), "{command}: {done:?}");
    }
    assert!(daemon.process().has_ended() && !site.folder.at("site.pid").exists());
}

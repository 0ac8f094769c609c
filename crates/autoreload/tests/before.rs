//! The command that runs before, and the program itself.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod site;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use site::{LONG, Site, folder, publishing};
use sitebus_autoreload::{Before, Program, Settings};
use tempfile::TempDir;

fn running(folder: &TempDir, script: &str) -> Settings {
    let before = Some(Before::new(["sh", "-c", script]));
    Settings { before, ..publishing(folder, ["a", "b", "out"]) }
}

fn site(script: &str) -> Site {
    let folder = folder();
    Site::with(running(&folder, script), folder)
}

/// Those that end so.
fn lines(site: &Site, part: &str) -> Vec<String> {
    site.heard.lines().into_iter().filter(|line| line.ends_with(part)).collect()
}

#[test]
fn a_command_that_fails_keeps_the_running_version_and_its_output_is_in_the_log() {
    let site = site("echo looks bad; echo very bad >&2; test -e good");
    site.write("a", "1");
    site.heard.wait_for("ERROR a was created, but 'sh -c ", LONG).unwrap();
    let log = site.heard.lines();
    assert!(
        log.last()
            .unwrap()
            .ends_with("failed (exit status: 1): the running version stays until the next change")
    );
    for said in ["looks bad", "very bad"] {
        assert!(
            log.iter().any(|line| line.starts_with("INFO ") && line.ends_with(&format!(": {said}"))),
            "{log:?}"
        );
    }
    assert!(site.changes().is_empty());
    // The next change tries again; what was changed before is in it, but not named any more.
    site.heard.take();
    site.write("good", "");
    site.write("b", "1");
    site.expect("b");
}

#[test]
fn a_command_that_there_is_not_keeps_the_running_version() {
    let folder = folder();
    let before = Some(Before::new(["/nowhere/at/all"]));
    let site = Site::with(Settings { before, ..publishing(&folder, ["a"]) }, folder);
    site.write("a", "1");
    site.heard.wait_for("'/nowhere/at/all' could not be run: ", LONG).unwrap();
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_its_children() {
    let folder = folder();
    let settings = running(&folder, "sleep 600 & echo started; wait");
    let before = settings.before.map(|before| Before { patience: Duration::from_millis(200), ..before });
    let site = Site::with(Settings { before, ..settings }, folder);
    site.write("a", "1");
    // Both held the pipe of the output, so its end means theirs.
    site.heard.wait_for("was ended, for it took longer than 200ms: the running version stays", LONG).unwrap();
    assert_eq!(lines(&site, ": started").len(), 1);
}

#[test]
fn a_stop_ends_the_command() {
    let site = site("trap '' TERM; echo started; sleep 600");
    site.write("a", "1");
    site.heard.wait_for(": started", LONG).unwrap();
    site.bus.stop().unwrap();
    assert!(site.changes().is_empty());
    site.bus.exit().unwrap();
}

#[test]
fn what_the_command_writes_itself_is_no_new_change() {
    let site = site("echo run; date +%s%N > out");
    for round in 0..3 {
        site.write("a", &"x".repeat(round + 1));
        site.heard.wait_for("changed: a out", LONG).unwrap();
        assert_eq!(site.changes(), ["changed: a out"]);
        // The first time it runs once more, since somebody else might have written it.
        assert_eq!(lines(&site, "sh: run").len(), if round == 0 { 2 } else { 1 });
        site.heard.take();
    }
    // By somebody else it is.
    site.write("out", "by hand");
    site.heard.wait_for("changed: out", LONG).unwrap();
}

#[test]
fn an_edit_while_the_command_runs_makes_it_run_again() {
    // It waits for the test at a pipe that has a name.
    let folder = folder();
    let mkfifo = std::process::Command::new("mkfifo").arg(folder.path().join("go")).status().unwrap();
    assert!(mkfifo.success());
    let site = Site::with(running(&folder, "echo saw $(cat a b); cat go > /dev/null"), folder);
    site.write("b", "0");
    site.heard.wait_for(": saw 0", LONG).unwrap();
    site.write("a", "1");
    fs::write(site.path("go"), "").unwrap();
    site.heard.wait_for(": saw 10", LONG).unwrap();
    assert!(site.changes().is_empty());
    fs::write(site.path("go"), "").unwrap();
    site.expect("a b");
}

fn program(folder: &TempDir) -> Settings {
    let path = folder.path().join("program");
    fs::write(&path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Settings { program: Program::At("program".into()), ..publishing(folder, ["a"]) }
}

#[test]
fn a_program_that_is_replaced_by_renaming_is_a_change() {
    let folder = folder();
    let site = Site::with(program(&folder), folder);
    site.write("new", "#!/bin/sh\nexit 1\n");
    fs::set_permissions(site.path("new"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(site.path("new"), site.path("program")).unwrap();
    site.expect("program");
}

#[test]
fn a_program_that_is_written_slowly_is_waited_for_until_it_can_run() {
    let folder = folder();
    let settings = Settings { settle_limit: Duration::from_millis(100), ..program(&folder) };
    let site = Site::with(settings, folder);
    let whole = fs::read(std::env::current_exe().unwrap()).unwrap();
    fs::remove_file(site.path("program")).unwrap();
    site.write("a", "changed beside it: there is nothing to restart with yet");
    site.heard.wait_for("the program is being replaced", LONG).unwrap();
    fs::write(site.path("program"), &whole[..whole.len() / 2]).unwrap();
    fs::set_permissions(site.path("program"), fs::Permissions::from_mode(0o755)).unwrap();
    site.write("a", "changed again");
    assert!(site.changes().is_empty());
    fs::write(site.path("program"), &whole).unwrap();
    site.expect("a program");
}

#[test]
fn a_program_that_the_command_builds_is_the_same_change() {
    let folder = folder();
    let build = "echo '#!/bin/sh' > new; echo exit 3 >> new; chmod +x new; mv new program";
    let settings = Settings { before: Some(Before::new(["sh", "-c", build])), ..program(&folder) };
    let site = Site::with(settings, folder);
    site.write("a", "1");
    site.expect("a program");
    assert!(site.heard.lines().is_empty());
}

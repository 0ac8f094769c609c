//! Who may ask: root and the site's own user, and nobody else.
//!
//! The other user is a process of its own, which only root can make.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command as Program;

use common::{LONG, Site, soon};
use sitebus_bus::{LOG, Record};
use sitebus_control::{Client, ConnectError};
use sitebus_os::peer::our_user;
use sitebus_testkit::{Transcript, left_out};

const SOCKET: &str = "SITEBUS_TEST_SOCKET";
const NOBODY: u32 = 65534;

#[test]
fn another_user_is_refused_by_the_file_and_if_that_is_open_by_name() {
    if let Some(path) = env::var_os(SOCKET) {
        return say_how_it_went(Path::new(&path));
    }
    if our_user() != 0 {
        return left_out("only root can ask as another user");
    }
    let site = Site::started();
    let log = Transcript::new();
    let lines = log.clone();
    site.bus.on(LOG).unwrap().subscribe("log", move |record: &Record| {
        lines.note(format!("{} {}", record.level, record.message));
    });
    let program = readable_copy(site.folder.path());
    fs::set_permissions(site.folder.path(), Permissions::from_mode(0o755)).unwrap();
    let ask = || ask_as_nobody(&program, &site.path());

    assert!(ask().contains("said: NotPermitted Permission denied"), "{}", ask());
    fs::set_permissions(site.path(), Permissions::from_mode(0o777)).unwrap();
    for _ in 0..3 {
        let said = ask();
        assert!(said.contains("said: NotPermitted process "), "{said}");
        assert!(
            said.contains("of user 65534 may not ask: only root and the user of this site's process may")
        );
    }
    let line = log.wait_for("refused at the control socket", LONG).unwrap();
    assert!(line.starts_with("WARN refused at the control socket: process "), "{line}");
    let refusals = log.lines().iter().filter(|line| line.contains("refused at")).count();
    assert_eq!(refusals, 1, "a peer cannot flood the log");
}

/// In the other user's process.
#[expect(clippy::print_stdout, reason = "what the other process says")]
fn say_how_it_went(path: &Path) {
    match Client::connect(path, soon()) {
        Err(ConnectError::NotPermitted { why, .. }) => println!("said: NotPermitted {why}"),
        other => println!("said: {other:?}"),
    }
}

/// Others may not come to where this program lies.
fn readable_copy(folder: &Path) -> PathBuf {
    let program = folder.join("test");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    program
}

fn ask_as_nobody(program: &Path, socket: &Path) -> String {
    let name = "another_user_is_refused_by_the_file_and_if_that_is_open_by_name";
    let mut ask = Program::new(program);
    ask.args([name, "--exact", "--nocapture"]).env(SOCKET, socket).current_dir("/");
    let output = ask.uid(NOBODY).gid(NOBODY).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

//! Other processes wait for a site by its PID file.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;

use common::{be_a_site, folder, in_a_moment, soon};
use sitebus_os::signal::Signal;
use sitebus_pidfile::{PidFile, PidFileError};
use sitebus_testkit::own_process::{Process, is_child};

#[test]
fn wait_returns_the_number_once_a_process_holds_the_file_and_join_when_it_has_exited() {
    let name = "wait_returns_the_number_once_a_process_holds_the_file_and_join_when_it_has_exited";
    if is_child() {
        return be_a_site();
    }
    let (_folder, path) = folder();
    let mut site = Process::start(name);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| PidFile::wait(&path, soon()).unwrap());
        site.tell(path.to_str().unwrap());
        assert_eq!(waiting.join().unwrap(), site.pid());
        let joining = scope.spawn(|| PidFile::join(&path, soon()).unwrap());
        site.expect("started");
        site.tell("exit");
        joining.join().unwrap();
    });
    assert!(!path.exists());
}

#[test]
fn join_returns_when_the_process_was_killed_though_its_file_is_left() {
    if is_child() {
        return be_a_site();
    }
    let (_folder, path) = folder();
    let mut site = Process::start("join_returns_when_the_process_was_killed_though_its_file_is_left");
    site.tell(path.to_str().unwrap());
    site.expect("started");
    thread::scope(|scope| {
        let joining = scope.spawn(|| PidFile::join(&path, soon()).unwrap());
        site.send(Signal::KILL);
        joining.join().unwrap();
    });
    assert!(path.exists());
    PidFile::join(&path, in_a_moment()).unwrap();
}

#[test]
fn a_deadline_ends_both_with_the_file_and_the_holder() {
    let (_folder, path) = folder();
    fs::write(&path, "1\n").unwrap();
    let error = PidFile::wait(&path, in_a_moment()).unwrap_err();
    assert!(matches!(error, PidFileError::NotHeld { .. }), "{error}");
    PidFile::join(&path, in_a_moment()).unwrap();

    let (bus, _) = common::site(&path);
    bus.start().unwrap();
    assert_eq!(PidFile::wait(&path, in_a_moment()).unwrap(), std::process::id());
    let error = PidFile::join(&path, in_a_moment()).unwrap_err().to_string();
    let expected = format!("the PID file {} is still held by this very process", path.display());
    assert!(error.contains(&expected), "{error}");
    common::end(bus);
    PidFile::join(&path, in_a_moment()).unwrap();
}

#[test]
fn join_returns_when_a_process_that_lives_on_has_given_the_file_back() {
    let (_folder, path) = folder();
    let (bus, _) = common::site(&path);
    bus.start().unwrap();
    thread::scope(|scope| {
        let joining = scope.spawn(|| PidFile::join(&path, soon()).unwrap());
        common::end(bus);
        joining.join().unwrap();
    });
}

#[test]
fn what_is_no_file_is_an_error_and_not_waited_for() {
    let (folder, path) = folder();
    symlink(folder.path().join("elsewhere"), &path).unwrap();
    let error = PidFile::wait(&path, soon()).unwrap_err().to_string();
    assert!(error.contains("it is a symbolic link"), "{error}");
    assert!(PidFile::join(&path, soon()).is_err());
}

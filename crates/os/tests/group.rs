//! A command is ended with all that it has started.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::thread;

use sitebus_os::group::Group;

fn shell(script: &str) -> Group {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    Group::spawn(&mut command).unwrap()
}

#[test]
fn the_end_of_a_group_is_the_end_of_the_children_of_its_children() {
    let mut group = shell("sleep 600 & sleep 600 & echo ready; wait");
    let mut output = BufReader::new(group.stdout().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let status = group.end().unwrap();
    assert_eq!(status.signal(), Some(9));
    // Every process of the group held the pipe: it ends only when all of them have.
    assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn a_group_that_is_dropped_is_killed() {
    let mut group = shell("sleep 600 & echo ready; wait");
    let mut output = BufReader::new(group.stdout().unwrap());
    output.read_line(&mut String::new()).unwrap();
    drop(group);
    assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn what_is_left_behind_by_its_leader_is_killed_too() {
    let mut group = shell("sleep 600 & exit 3");
    let mut output = group.stdout().unwrap();
    group.wait().unwrap();
    group.wait().unwrap(); // it has only looked
    assert_eq!(group.end().unwrap().code(), Some(3));
    assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn a_group_can_be_asked_to_end() {
    let mut group = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 600 & wait; done");
    let mut output = BufReader::new(group.stdout().unwrap());
    output.read_line(&mut String::new()).unwrap();
    group.ask();
    group.wait().unwrap();
    assert_eq!(group.end().unwrap().code(), Some(7));
}

#[test]
fn a_command_does_not_outlive_the_thread_that_began_it() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let mut output = thread::spawn(|| {
        let mut group = shell("exec sleep 600");
        let output = group.stdout().unwrap();
        Box::leak(Box::new(group)); // nobody drops it
        output
    })
    .join()
    .unwrap();
    assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn a_program_that_there_is_not_is_an_error() {
    let error = Group::spawn(&mut Command::new("/nowhere/at/all")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

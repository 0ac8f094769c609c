//! Waiting for the end of processes.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_os::process::{Process, ProcessError};
use sitebus_testkit::own_process::LONG;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn an_end_is_seen_before_anybody_has_reaped_and_stays_seen_after() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let process = Process::open(child.id()).unwrap();
    assert_eq!(process.id(), child.id());
    assert!(!process.has_ended().unwrap());
    assert!(!process.wait(Some(Instant::now() + Duration::from_millis(5))).unwrap());
    drop(child.stdin.take());
    assert!(process.wait(Some(Instant::now() + LONG)).unwrap());
    child.wait().unwrap();
    assert!(process.has_ended().unwrap(), "the number is free now, but the process is still this one");
    assert!(matches!(Process::open(child.id()), Err(ProcessError::Gone { .. })));
}

#[test]
fn grandchildren_can_be_watched_too() {
    let script = "cat >/dev/null 2>&1 <&3 & echo $!";
    let mut shell = Command::new("sh");
    let (reader, writer) = std::io::pipe().unwrap();
    shell.args(["-c", &format!("exec 3<&0; {script}")]).stdin(reader);
    let output = shell.output().unwrap(); // the shell is gone, its child is not ours
    drop(shell); // with our copy of the reading end
    let id = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    let process = Process::open(id).unwrap();
    assert!(!process.has_ended().unwrap());
    drop(writer);
    assert!(process.wait(Some(Instant::now() + LONG)).unwrap());
}

#[test]
fn numbers_that_no_process_can_have_are_gone() {
    for id in [0, u32::MAX, i32::MAX as u32] {
        let error = Process::open(id).unwrap_err();
        assert!(matches!(error, ProcessError::Gone { .. }), "{error}");
        assert_eq!(error.to_string(), format!("there is no process {id}"));
    }
}

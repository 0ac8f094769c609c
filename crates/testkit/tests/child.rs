//! Programs that a test starts.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use sitebus_os::signal::Signal;
use sitebus_testkit::Child;

const SOON: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Child::spawn(command).unwrap()
}

#[test]
fn its_lines_are_read_from_both_streams_and_its_status_is_known() {
    let child = shell("echo out; echo err >&2; exit 7");
    assert_eq!(child.wait(SOON).unwrap().code(), Some(7));
    child.wait_for_line("err", SOON).unwrap();
    child.stdout().wait_for("out", SOON).unwrap();
    child.stdout().wait_for("err", SOON).unwrap_err();
    assert_eq!(child.stderr().lines(), ["err"]);
    let mut both = child.output().lines();
    both.sort();
    assert_eq!(both, ["err", "out"]);
}

#[test]
fn all_that_it_wrote_is_there_once_its_end_was_waited_for() {
    let child = shell("seq 20000; seq 20000 >&2");
    assert!(child.wait(SOON).unwrap().success());
    assert_eq!((child.stdout().lines().len(), child.stderr().lines().len()), (20_000, 20_000));
    assert_eq!(child.output().lines().len(), 40_000);
}

#[test]
fn a_line_that_cannot_come_any_more_is_missing_at_once() {
    let child = shell("echo only");
    let error = child.wait_for_line("another", Duration::MAX).unwrap_err().to_string();
    assert!(error.contains("no line comes any more") && error.contains("only"), "{error}");
}

#[test]
fn a_signal_reaches_it_and_is_seen_in_its_status() {
    let child =
        shell("trap 'echo caught; kill $!; exit 3' USR1; echo ready; cat /dev/zero > /dev/null & wait");
    child.wait_for_line("ready", SOON).unwrap();
    child.signal(Signal::USR1).unwrap();
    child.wait_for_line("caught", SOON).unwrap();
    assert_eq!(child.wait(SOON).unwrap().code(), Some(3));

    let child = shell("echo ready; exec cat /dev/zero > /dev/null");
    child.wait_for_line("ready", SOON).unwrap();
    child.signal(Signal::TERM).unwrap();
    assert_eq!(child.wait(SOON).unwrap().signal(), Some(Signal::TERM.number()));
}

#[test]
fn one_that_goes_on_is_reported_with_what_it_wrote() {
    let child = shell("echo busy; exec cat /dev/zero > /dev/null");
    child.wait_for_line("busy", SOON).unwrap();
    let error = child.wait(Duration::ZERO).unwrap_err().to_string();
    assert!(error.contains("still runs") && error.contains("busy"), "{error}");
}

#[test]
fn dropping_it_kills_it_with_its_children() {
    let child = shell("cat /dev/zero > /dev/null & echo child $!; wait");
    let line = child.wait_for_line("child ", SOON).unwrap();
    let grandchild = Pid::from_raw(line.rsplit(' ').next().unwrap().parse().unwrap());
    let pid = Pid::from_raw(child.id().cast_signed());
    kill(grandchild, None).unwrap();
    let output = child.output().clone();
    drop(child);
    kill(pid, None).unwrap_err();
    // Closed only when the last holder of the pipe is gone, and the grandchild has it too.
    output.wait_for("never", SOON).unwrap_err();
    assert!(output.wait_for("never", Duration::MAX).unwrap_err().to_string().contains("any more"));
}

//! A lock that goes on in another program. Alone in its file: any process that is made meanwhile would inherit it too.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![cfg(target_os = "linux")]

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use sitebus_os::lock::Lock;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

#[test]
fn a_lock_lives_on_in_a_program_that_has_inherited_it_and_ends_with_that() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let descriptor = OwnedFd::from(Lock::take(&path).unwrap());
    fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let mut heir = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    drop(descriptor);
    assert_eq!(Lock::holder(&path).unwrap(), Some(std::process::id()), "it has not signed");
    Lock::take(&path).unwrap_err();
    drop(heir.stdin.take());
    heir.wait().unwrap();
    assert_eq!(Lock::holder(&path).unwrap(), None);
    Lock::take(&path).unwrap();
}

//! The log file of a process without a terminal.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use sitebus_os::detach::open_log;
use sitebus_testkit::left_out;

#[test]
fn a_new_one_is_for_its_owner_and_group_and_an_old_one_is_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.log");
    open_log(&path, None).unwrap().write_all(b"one\n").unwrap();
    open_log(&path, None).unwrap().write_all(b"two\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777 & !0o640, 0);

    if geteuid().is_root() {
        let owned = folder.path().join("owned.log");
        open_log(&owned, Some((61234, 61235))).unwrap();
        open_log(&owned, Some((1, 1))).unwrap(); // an old one keeps its owner
        let metadata = fs::metadata(&owned).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (61234, 61235));
    } else {
        left_out("only root can give a log to somebody");
    }
}

#[test]
fn links_folders_and_fifos_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    fs::write(&target, "").unwrap();
    let link = folder.path().join("link");
    symlink(&target, &link).unwrap();
    assert!(open_log(&link, None).unwrap_err().to_string().contains("symbolic link"));
    let dangling = folder.path().join("dangling");
    symlink(folder.path().join("nowhere"), &dangling).unwrap();
    assert!(open_log(&dangling, None).unwrap_err().to_string().contains("symbolic link"));

    let fifo = folder.path().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    assert!(open_log(&fifo, None).unwrap_err().to_string().contains("no regular file"));
    open_log(folder.path(), None).unwrap_err();
    open_log("/dev/null".as_ref(), None).unwrap_err();
}

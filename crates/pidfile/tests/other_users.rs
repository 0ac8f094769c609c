//! Other users, dropped privileges, and a full disk: each in a process of its own, as root.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use common::{end, folder, is_root, own_number, read, refusal, site};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, setresgid, setresuid};
use sitebus_bus::{Exit, priority};
use sitebus_testkit::own_process::in_a_process_of_its_own;

/// A user whom nobody else is.
const SOMEBODY: u32 = 61234;

/// Runs the test in a process of its own, if that is root.
fn as_root(test: &str, body: impl FnOnce()) {
    if is_root() {
        in_a_process_of_its_own(test, body);
    }
}

fn become_somebody() {
    let (user, group) = (Uid::from_raw(SOMEBODY), Gid::from_raw(SOMEBODY));
    setresgid(group, group, group).unwrap();
    setresuid(user, user, user).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_may_not_be_written_is_named() {
    as_root("a_folder_that_may_not_be_written_is_named", || {
        let (folder, path) = folder();
        set_mode(folder.path(), 0o755);
        become_somebody();
        let error = refusal(&path);
        let expected = format!("making the lock file {} failed: Permission denied", path.display());
        assert!(error.contains(&expected), "{error}");
    });
}

#[test]
fn a_file_of_another_user_that_may_not_be_written_is_named_and_left() {
    as_root("a_file_of_another_user_that_may_not_be_written_is_named_and_left", || {
        let (folder, path) = folder();
        fs::write(&path, "1\n").unwrap();
        set_mode(folder.path(), 0o1777);
        become_somebody();
        let error = refusal(&path);
        let expected = format!("opening the lock file {} failed: Permission denied", path.display());
        assert!(error.contains(&expected), "{error}");
        assert_eq!(read(&path), "1\n");
    });
}

#[test]
fn root_takes_no_file_that_another_user_has_planted_in_a_folder_of_all() {
    as_root("root_takes_no_file_that_another_user_has_planted_in_a_folder_of_all", || {
        let (folder, path) = folder();
        fs::write(&path, "1\n").unwrap();
        chown(&path, Some(SOMEBODY), None).unwrap();
        set_mode(folder.path(), 0o1777);
        let error = refusal(&path);
        assert!(error.contains("belongs to user 61234; remove it, or name a path"), "{error}");
        assert_eq!(read(&path), "1\n");
    });
}

#[test]
fn who_may_not_remove_it_any_more_leaves_it_empty_and_unlocked_and_says_so_once() {
    as_root("who_may_not_remove_it_any_more_leaves_it_empty_and_unlocked_and_says_so_once", || {
        let (folder, path) = folder();
        set_mode(folder.path(), 0o755);
        let (bus, log) = site(&path);
        bus.plugin("privileges").on_start(priority::PRIVILEGES, |_| become_somebody());
        bus.start().unwrap();
        assert_eq!((read(&path), fs::metadata(&path).unwrap().uid()), (own_number(), 0));
        bus.stop().unwrap();
        bus.start().unwrap();
        drop(bus.ask_exit(Exit::success("a test")));
        let exit = bus.block();
        assert_eq!(exit.code(), 0, "this is no failure");
        assert_eq!(read(&path), "");
        let said: Vec<_> = log.lines().into_iter().filter(|line| line.contains("site.pid")).collect();
        assert!(
            said.len() == 1 && said[0].contains("it is left empty, unlocked, and stops nobody"),
            "{said:?}"
        );
        fs::File::open(&path).unwrap().try_lock().unwrap();
    });
}

#[test]
fn who_may_still_remove_it_after_dropping_privileges_does() {
    as_root("who_may_still_remove_it_after_dropping_privileges_does", || {
        let (folder, path) = folder();
        chown(folder.path(), Some(SOMEBODY), None).unwrap();
        let (bus, _) = site(&path);
        bus.plugin("privileges").on_start(priority::PRIVILEGES, |_| become_somebody());
        bus.start().unwrap();
        end(bus);
        assert!(!path.exists());
    });
}

#[test]
fn on_a_full_disk_the_start_fails_and_leaves_no_empty_file() {
    as_root("on_a_full_disk_the_start_fails_and_leaves_no_empty_file", || {
        // A disk of one page, which only this thread and those that it makes can see.
        let (folder, path) = folder();
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let nothing = None::<&str>;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).unwrap();
        mount(Some("tiny"), folder.path(), Some("tmpfs"), MsFlags::empty(), Some("size=4k")).unwrap();
        let full = folder.path().join("full");
        fs::write(&full, [0; 4096]).unwrap();
        let error = refusal(&path);
        let expected = format!("writing the lock file {} failed: No space left", path.display());
        assert!(error.contains(&expected), "{error}");
        assert!(!path.exists());

        fs::remove_file(full).unwrap();
        let (bus, _) = site(&path);
        bus.start().unwrap();
        assert_eq!(read(&path), own_number());
        end(bus);
    });
}

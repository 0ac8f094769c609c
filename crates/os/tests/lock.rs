//! The lock file.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_os::descriptors;
use sitebus_os::lock::{Lock, LockError};
use sitebus_os::signal::Signal;
use sitebus_testkit::left_out;
use sitebus_testkit::own_process::{Process, hear, is_child, say};
use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    (folder, path)
}

#[test]
fn a_second_taker_is_refused_and_told_who_has_it_until_the_first_is_dropped() {
    let (_folder, path) = folder();
    let lock = Lock::take(&path).unwrap();
    assert_eq!(fs::read_to_string(lock.path()).unwrap(), format!("{}\n", std::process::id()));
    let error = Lock::take(&path).unwrap_err();
    let LockError::Held { by, path: named } = &error else { panic!("{error}") };
    assert_eq!((*by, named), (Some(std::process::id()), &path));
    assert!(error.to_string().contains("is held by this very process"), "{error}");
    drop(lock);
    Lock::take(&path).unwrap();
}

#[test]
fn a_killed_holder_leaves_a_file_that_stops_nobody() {
    let name = "a_killed_holder_leaves_a_file_that_stops_nobody";
    if is_child() {
        let _lock = Lock::take(hear()).unwrap();
        say("held");
        hear();
        return;
    }
    let (_folder, path) = folder();
    let mut holder = Process::start(name);
    holder.tell(path.to_str().unwrap());
    holder.expect("held");
    let error = Lock::take(&path).unwrap_err().to_string();
    assert!(error.contains(&format!("is held by process {}", holder.pid())), "{error}");

    holder.send(Signal::KILL);
    holder.wait();
    assert!(path.exists());
    Lock::take(&path).unwrap();
}

#[test]
fn what_a_left_file_says_is_overwritten_whatever_it_is() {
    let (_folder, path) = folder();
    for content in ["1\n", "garbage", "", "123456789012345678901234567890\nand more\n", "\0\0\0"] {
        fs::write(&path, content).unwrap();
        let lock = Lock::take(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(lock);
    }
}

#[test]
fn what_is_no_file_is_refused_and_does_not_hang() {
    let (folder, path) = folder();
    let refused = |expected: &str| {
        let error = Lock::take(&path).unwrap_err();
        let LockError::NotAFile { what, .. } = error else { panic!("{expected}: {error}") };
        assert_eq!(what, expected);
    };
    fs::write(folder.path().join("target"), "kept").unwrap();
    symlink(folder.path().join("target"), &path).unwrap();
    refused("a symbolic link");
    assert_eq!(fs::read_to_string(folder.path().join("target")).unwrap(), "kept");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("a folder");
    fs::remove_dir(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused("no regular file");
    fs::remove_file(&path).unwrap();
    let _socket = UnixListener::bind(&path).unwrap();
    refused("no regular file");
    Lock::holder(&path).unwrap_err();
}

#[test]
fn a_missing_folder_is_named_with_what_was_being_done() {
    let (folder, _) = folder();
    let error = Lock::take(folder.path().join("no/lock")).unwrap_err().to_string();
    assert!(error.starts_with("making the lock file ") && error.contains("no/lock failed: "), "{error}");
}

#[test]
fn a_new_file_has_the_mode_that_was_asked_for_and_is_close_on_exec() {
    let (_folder, path) = folder();
    let lock = Lock::take_with_mode(&path, 0o600).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let number = lock.as_fd().as_raw_fd();
    let open = descriptors::open().unwrap();
    assert!(open.iter().any(|descriptor| descriptor.number == number && descriptor.close_on_exec));
}

#[test]
fn a_removed_and_remade_file_is_another_lock_and_stays() {
    let (_folder, path) = folder();
    let old = Lock::take(&path).unwrap();
    assert!(old.is_in_place());
    fs::remove_file(&path).unwrap();
    assert!(!old.is_in_place());
    let new = Lock::take(&path).unwrap();
    assert!(!old.is_in_place() && new.is_in_place());
    old.remove().unwrap();
    assert!(path.exists(), "the old owner removed the file of the new one");
    new.remove().unwrap();
    assert!(!path.exists());
}

#[test]
fn whoever_looks_sees_the_holder_and_stands_in_nobodys_way() {
    let (_folder, path) = folder();
    assert_eq!(Lock::holder(&path).unwrap(), None, "no file");
    fs::write(&path, "1\n").unwrap();
    assert_eq!(Lock::holder(&path).unwrap(), None, "a file that is left");
    let lock = Lock::take(&path).unwrap();
    assert_eq!(Lock::holder(&path).unwrap(), Some(std::process::id()));
    drop(lock);
    assert_eq!(Lock::holder(&path).unwrap(), None, "the holder has let go");
}

#[test]
fn a_lock_that_was_taken_by_other_means_names_nobody() {
    let (_folder, path) = folder();
    fs::write(&path, "1\n").unwrap();
    let other = fs::File::open(&path).unwrap();
    other.lock().unwrap();
    let LockError::Held { by, .. } = Lock::take(&path).unwrap_err() else { panic!("it is held") };
    assert_eq!(
        (by, Lock::holder(&path).unwrap()),
        (None, None),
        "the number in the file is not the holder's"
    );
}

#[test]
fn a_lock_goes_on_in_the_descriptor_that_is_handed_on() {
    let (_folder, path) = folder();
    let descriptor = OwnedFd::from(Lock::take(&path).unwrap());
    Lock::take(&path).unwrap_err();
    fs::write(&path, "1\n").unwrap();
    let lock = Lock::inherited(descriptor, &path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    assert!(lock.remove().unwrap());
}

#[test]
fn a_descriptor_that_is_not_the_lock_is_refused() {
    let (folder, path) = folder();
    let _lock = Lock::take(&path).unwrap();
    let unlocked = fs::File::options().read(true).write(true).open(&path).unwrap();
    let error = Lock::inherited(unlocked.into(), &path).unwrap_err();
    assert!(matches!(error, LockError::Held { by: Some(_), .. }), "{error}");
    let elsewhere = OwnedFd::from(Lock::take(folder.path().join("elsewhere")).unwrap());
    let error = Lock::inherited(elsewhere, &path).unwrap_err();
    assert!(matches!(error, LockError::Replaced { .. }), "{error}");
}

#[test]
fn in_a_folder_of_many_a_file_of_others_is_refused_and_left_as_it_is() {
    if !nix::unistd::geteuid().is_root() {
        return left_out("only root can make files of others");
    }
    let (folder, path) = folder();
    let plant = |mode, owner| {
        let _ = fs::remove_file(&path);
        fs::write(&path, "1\n").unwrap();
        chown(&path, Some(owner), None).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    };
    for mode in [0o1777, 0o777, 0o775] {
        plant(mode, 61234);
        let error = Lock::take(&path).unwrap_err().to_string();
        assert!(
            error.contains("belongs to user 61234; remove it, or name a path in a folder of your own"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }
    for (mode, owner) in [(0o1777, 0), (0o755, 61234)] {
        plant(mode, owner);
        Lock::take(&path).unwrap();
    }
    plant(0o1777, 0);
    fs::hard_link(&path, folder.path().join("passwd")).unwrap();
    let error = Lock::take(&path).unwrap_err().to_string();
    assert!(error.contains("has other names too"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
}

#[test]
fn however_often_it_is_removed_and_remade_there_is_one_holder_at_a_time() {
    let (_folder, path) = folder();
    let (holders, taken) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    match Lock::take(&path) {
                        Ok(lock) => {
                            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two holders at once");
                            taken.fetch_add(1, Ordering::SeqCst);
                            holders.fetch_sub(1, Ordering::SeqCst);
                            lock.remove().unwrap();
                        }
                        Err(LockError::Held { .. } | LockError::Unstable { .. }) => thread::yield_now(),
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    assert!(taken.into_inner() > 0);
}

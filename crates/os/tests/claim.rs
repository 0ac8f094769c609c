//! The claim on a path.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use nix::unistd::{Uid, geteuid, setuid};
use sitebus_os::claim::{Claim, ClaimError};
use sitebus_os::descriptors;
use sitebus_os::signal::Signal;
use sitebus_testkit::left_out;
use sitebus_testkit::own_process::{Process, hear, is_child, say};

/// Claims the path that it hears, and holds it until it is told to end.
fn hold() {
    let claim = Claim::take(Path::new(&hear()));
    say(claim.as_ref().map_or_else(ToString::to_string, |_| "held".to_owned()));
    hear();
}

#[test]
fn a_second_one_is_refused_and_told_who_has_it_until_the_first_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let claim = Claim::take(folder.path()).unwrap();
    let error = Claim::take(folder.path()).unwrap_err();
    assert!(matches!(error, ClaimError::Held { by: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert!(error.to_string().contains("is claimed by this very process"), "{error}");
    drop(claim);
    Claim::take(folder.path()).unwrap();
}

#[test]
fn a_claim_outlives_what_is_removed_and_made_again_but_not_its_holder() {
    if is_child() {
        return hold();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    fs::create_dir(&path).unwrap();
    let mut holder = Process::start("a_claim_outlives_what_is_removed_and_made_again_but_not_its_holder");
    holder.tell(path.to_str().unwrap());
    holder.expect("held");
    fs::remove_dir(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = Claim::take(&path).unwrap_err().to_string();
    assert!(error.contains(&format!("is claimed by process {}", holder.pid())), "{error}");

    holder.send(Signal::KILL);
    holder.wait();
    Claim::take(&path).unwrap();
}

#[test]
fn a_path_is_one_path_through_links_and_others_are_others() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other, link) =
        (folder.path().join("one"), folder.path().join("other"), folder.path().join("link"));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&other).unwrap();
    symlink(&one, &link).unwrap();
    let _one = Claim::take(&one).unwrap();
    let _other = Claim::take(&other).unwrap();
    for path in [link, folder.path().join("other/../one/.")] {
        let error = Claim::take(&path).unwrap_err();
        assert!(matches!(error, ClaimError::Held { .. }), "{error}");
    }
}

#[test]
fn a_path_that_is_missing_is_named() {
    let error = Claim::take(Path::new("/nowhere/at/all")).unwrap_err().to_string();
    assert!(error.starts_with("finding /nowhere/at/all failed: "), "{error}");
}

#[test]
fn it_is_close_on_exec() {
    let folder = tempfile::tempdir().unwrap();
    let _claim = Claim::take(folder.path()).unwrap();
    let passed_on = descriptors::open().unwrap().into_iter().filter(|one| !one.close_on_exec);
    let sockets: Vec<_> = passed_on.filter(|one| one.target.to_string_lossy().contains("socket")).collect();
    assert!(sockets.iter().all(|one| one.number <= 2), "{sockets:?}");
}

#[test]
fn the_holder_is_told_even_to_those_who_come_when_it_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let _claim = Claim::take(folder.path()).unwrap();
    let queue = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    for _ in 0..queue.trim().parse::<usize>().unwrap() + 2 {
        let error = Claim::take(folder.path()).unwrap_err();
        assert!(matches!(error, ClaimError::Held { by: Some(_), .. }), "{error}");
    }
}

#[test]
fn a_strangers_claim_is_told_from_one_that_counts_and_root_is_no_stranger() {
    if is_child() {
        if hear() == "nobody" {
            setuid(Uid::from_raw(65534)).unwrap();
        }
        say("ready");
        return hold();
    }
    if !geteuid().is_root() {
        return left_out("only root can be somebody else");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let start = |user: &str| {
        let mut one =
            Process::start("a_strangers_claim_is_told_from_one_that_counts_and_root_is_no_stranger");
        one.tell(user);
        one.expect("ready");
        one.tell(folder.path().to_str().unwrap());
        one
    };
    let mut stranger = start("nobody");
    stranger.expect("held");
    let error = Claim::take(folder.path()).unwrap_err();
    let who = (stranger.pid(), 65534);
    assert!(matches!(error, ClaimError::Foreign { by: Some(by), .. } if by == who), "{error}");
    assert!(error.to_string().contains(&format!("process {} of the user 65534", who.0)), "{error}");
    stranger.tell("");
    stranger.wait();

    let _ours = Claim::take(folder.path()).unwrap();
    let mut other = start("nobody");
    other.expect(&format!(
        "{} is claimed by process {}: stop that one first, or use another path",
        folder.path().display(),
        std::process::id()
    ));
    other.tell("");
    other.wait();
}

//! Becoming another user: complete, in every thread, and for good.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};
use sitebus_os::identity::{
    AccountError, Assumed, Capability, Group, Identity, IdentityError, Standing, Umask, User,
};
use sitebus_testkit::left_out;
use sitebus_testkit::own_process::in_a_process_of_its_own;

/// Whether this test can do its work; said if not.
fn is_root() -> bool {
    if geteuid().is_root() {
        return true;
    }
    left_out("only root may become another user");
    false
}

/// A user whom nobody else is.
fn somebody() -> Identity {
    let (user, group) = (User::find("61234").unwrap(), Group::find("61235").unwrap());
    Identity { user, group, groups: BTreeSet::from([61235, 61236]), keep: None }
}

fn somebody_who_binds() -> Identity {
    Identity { keep: Some(Capability::NET_BIND_SERVICE), ..somebody() }
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread that was there before, and does what it is told.
struct Worker {
    jobs: Sender<Job>,
}

impl Worker {
    fn new() -> Worker {
        let (jobs, todo): (Sender<Job>, Receiver<Job>) = mpsc::channel();
        thread::spawn(move || todo.into_iter().for_each(|job| job()));
        Worker { jobs }
    }

    fn ask<T: Send + 'static>(&self, question: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, wait) = mpsc::channel();
        self.jobs.send(Box::new(move || answer.send(question()).unwrap())).unwrap();
        wait.recv().unwrap()
    }
}

fn assert_all_are(identity: &Identity) {
    let kept = identity.keep.map_or(0, |capability| 1 << capability.number());
    for thread in Standing::all().unwrap() {
        assert_eq!(thread.users, [identity.user.id; 4], "{thread:?}");
        assert_eq!(thread.groups, [identity.group.id; 4], "{thread:?}");
        assert_eq!(thread.supplementary, identity.groups, "{thread:?}");
        assert_eq!(thread.capabilities, [0, kept, kept, 0], "{thread:?}");
    }
}

#[test]
fn users_and_groups_are_found_by_name_and_by_number() {
    let root = User::find("root").unwrap();
    assert_eq!((root.id, root.name.as_deref(), root.group), (0, Some("root"), Some(0)));
    assert_eq!(User::find("0").unwrap(), root);
    let nobody = User::find("nobody").unwrap();
    assert_eq!(nobody.to_string(), format!("nobody ({})", nobody.id));
    let stranger = User::find("61234").unwrap();
    assert_eq!((stranger.id, stranger.name, stranger.group), (61234, None, None));
    assert_eq!(Group::find("0").unwrap(), Group::find("root").unwrap());
    assert_eq!(Group::find("61234").unwrap().to_string(), "61234");
    assert!(nobody.groups(nobody.group.unwrap()).unwrap().contains(&nobody.group.unwrap()));
}

#[test]
fn an_unknown_name_is_an_error_with_the_name_that_was_meant() {
    let error = User::find("nobdy").unwrap_err();
    assert!(
        matches!(&error, AccountError::Unknown { nearest: Some(name), .. } if name == "nobody"),
        "{error}"
    );
    assert_eq!(error.to_string(), "there is no user 'nobdy' on this system: did you mean 'nobody'?");
    let error = Group::find("no such group at all").unwrap_err().to_string();
    assert!(error.ends_with("create it, or name one that `getent group` lists"), "{error}");
    for odd in ["", "ro\0ot", "-1", "0x0"] {
        User::find(odd).unwrap_err();
        Group::find(odd).unwrap_err();
    }
}

#[test]
fn the_number_that_means_unchanged_is_refused() {
    for number in ["4294967295", "4294967296", "99999999999999999999"] {
        let error = User::find(number).unwrap_err();
        assert!(matches!(error, AccountError::NoNumber { .. }), "{error}");
        Group::find(number).unwrap_err();
    }
}

#[test]
fn root_is_nobody_to_become() {
    let identity = Identity { user: User::find("root").unwrap(), ..somebody() };
    let error = identity.assume().unwrap_err();
    assert!(matches!(error, IdentityError::Root(_)), "{error}");
}

#[test]
fn every_thread_becomes_the_user_and_none_comes_back() {
    in_a_process_of_its_own("every_thread_becomes_the_user_and_none_comes_back", || {
        if !is_root() {
            return;
        }
        let workers: Vec<Worker> = (0..4).map(|_| Worker::new()).collect();
        let identity = somebody();
        identity.look().unwrap();
        assert_eq!(identity.assume().unwrap(), Assumed::Now);
        assert_all_are(&identity);
        assert!(Standing::all().unwrap().len() > 4);
        for worker in &workers {
            worker.ask(|| {
                setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).unwrap_err();
                setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0)).unwrap_err();
                setgroups(&[]).unwrap_err();
                std::fs::read("/etc/shadow").unwrap_err();
            });
        }
        // A later thread, and another image.
        thread::spawn(move || assert_all_are(&somebody())).join().unwrap();
        let id = Command::new("id").arg("-u").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&id.stdout), "61234\n");
    });
}

#[test]
fn the_second_time_nothing_is_changed_and_nothing_is_tried() {
    in_a_process_of_its_own("the_second_time_nothing_is_changed_and_nothing_is_tried", || {
        if !is_root() {
            return;
        }
        assert_eq!(somebody().assume().unwrap(), Assumed::Now);
        assert_eq!(somebody().assume().unwrap(), Assumed::Already { missing: BTreeSet::new() });
        // Who has been made a member meanwhile stays without, and is told.
        let joined = Identity { groups: BTreeSet::from([61236, 61237]), ..somebody() };
        assert_eq!(joined.assume().unwrap(), Assumed::Already { missing: BTreeSet::from([61237]) });
        assert_all_are(&somebody());
    });
}

#[test]
fn whoever_is_not_root_is_told_what_is_in_the_way() {
    in_a_process_of_its_own("whoever_is_not_root_is_told_what_is_in_the_way", || {
        if !is_root() {
            return;
        }
        let _ = somebody().assume().unwrap();
        let refused = |identity: Identity| {
            let error = identity.assume().unwrap_err();
            assert!(matches!(error, IdentityError::Unprivileged { .. }), "{error}");
            error.to_string()
        };
        let error = refused(Identity { user: User::find("nobody").unwrap(), ..somebody() });
        assert!(error.contains("runs as user 61234 and may not become user nobody"), "{error}");
        assert!(error.contains("start it as root, or as that user"), "{error}");
        let error = refused(Identity { group: Group::find("61239").unwrap(), ..somebody() });
        assert!(error.contains("its group is 61235, not 61239"), "{error}");
        let error = refused(Identity { groups: BTreeSet::new(), ..somebody() });
        assert!(error.contains("it is in groups {61236}, which it should not be in"), "{error}");
        let error = somebody_who_binds().assume().unwrap_err();
        assert!(matches!(error, IdentityError::NotKept { .. }), "{error}");
        assert_all_are(&somebody());
    });
}

/// A network of its own, in which port 80 is free and belongs to root.
fn own_network() {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
}

#[test]
fn a_kept_capability_is_there_in_every_thread_and_nothing_else_is() {
    in_a_process_of_its_own("a_kept_capability_is_there_in_every_thread_and_nothing_else_is", || {
        if !is_root() {
            return;
        }
        own_network();
        let workers: Vec<Worker> = (0..4).map(|_| Worker::new()).collect();
        let identity = somebody_who_binds();
        assert_eq!(identity.assume().unwrap(), Assumed::Now);
        assert_all_are(&identity);
        for (worker, port) in workers.iter().zip(80..) {
            worker.ask(move || drop(TcpListener::bind(("0.0.0.0", port)).unwrap()));
        }
        setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).unwrap_err();
        assert_eq!(identity.assume().unwrap(), Assumed::Already { missing: BTreeSet::new() });
        assert_eq!(somebody().assume().unwrap(), Assumed::Already { missing: BTreeSet::new() });
        workers[0].ask(|| drop(TcpListener::bind(("0.0.0.0", 80)).unwrap_err()));
        assert_all_are(&somebody());
    });
}

fn capabilities_of_a_child() -> String {
    let sets = Command::new("grep").args(["-E", "Cap(Prm|Eff)", "/proc/self/status"]).output().unwrap();
    String::from_utf8(sets.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_child_gets_the_kept_capability_only_once_it_is_passed_on() {
    in_a_process_of_its_own("a_child_gets_the_kept_capability_only_once_it_is_passed_on", || {
        if !is_root() {
            return;
        }
        let worker = Worker::new();
        let identity = somebody_who_binds();
        let _ = identity.assume().unwrap();
        assert_eq!(capabilities_of_a_child(), "CapPrm: 0000000000000000 CapEff: 0000000000000000");
        identity.pass_on().unwrap();
        for sets in [capabilities_of_a_child(), worker.ask(capabilities_of_a_child)] {
            assert_eq!(sets, "CapPrm: 0000000000000400 CapEff: 0000000000000400");
        }
        // What the new image does first.
        let _ = identity.assume().unwrap();
        assert_eq!(worker.ask(capabilities_of_a_child), "CapPrm: 0000000000000000 CapEff: 0000000000000000");
    });
}

#[test]
fn a_thread_that_no_signal_reaches_is_named_before_anything_has_changed() {
    in_a_process_of_its_own("a_thread_that_no_signal_reaches_is_named_before_anything_has_changed", || {
        if !is_root() {
            return;
        }
        let worker = Worker::new();
        worker.ask(|| pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None).unwrap());
        let error = somebody_who_binds().assume().unwrap_err().to_string();
        assert!(error.contains("no real-time signal reaches every thread"), "{error}");
        assert!(geteuid().is_root());
        // Without a capability to keep, the C library has a signal that nobody can block.
        assert_eq!(somebody().assume().unwrap(), Assumed::Now);
        assert_all_are(&somebody());
    });
}

#[test]
fn threads_that_come_and_go_meanwhile_are_all_reached() {
    in_a_process_of_its_own("threads_that_come_and_go_meanwhile_are_all_reached", || {
        if !is_root() {
            return;
        }
        let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let makers: Vec<_> = (0..2)
            .map(|_| {
                let over = std::sync::Arc::clone(&over);
                thread::spawn(move || {
                    while !over.load(std::sync::atomic::Ordering::SeqCst) {
                        thread::spawn(|| ()).join().unwrap();
                    }
                })
            })
            .collect();
        let identity = somebody_who_binds();
        let outcome = identity.assume();
        over.store(true, std::sync::atomic::Ordering::SeqCst);
        makers.into_iter().for_each(|maker| maker.join().unwrap());
        assert_eq!(outcome.unwrap(), Assumed::Now);
        assert_all_are(&identity);
    });
}

#[test]
fn the_umask_is_put_and_the_one_before_comes_back() {
    in_a_process_of_its_own("the_umask_is_put_and_the_one_before_comes_back", || {
        let before = Umask::new(0o027).unwrap().put();
        let mine = before.put();
        assert_eq!((mine, mine.to_string().as_str()), (Umask::new(0o027).unwrap(), "0027"));
        assert_eq!(Umask::new(0o1000), None);
    });
}

//! A site that is started as root, and what becomes of it. Each test has a process of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::{env, fs, thread};

use sitebus_bus::{Bus, LOG, Level, SettingsMap, State, priority};
use sitebus_os::identity::{Standing, Umask};
use sitebus_privileges::{Capability, Groups, Privileges, PrivilegesError, Settings};
use sitebus_testkit::left_out;
use sitebus_testkit::own_process::{Process, in_a_process_of_its_own, is_child, say};

/// Whether this test can do its work; said if not.
fn is_root() -> bool {
    if Standing::own().unwrap().users == [0; 4] {
        return true;
    }
    left_out("only root has privileges to drop");
    false
}

/// A user whom nobody else is.
fn somebody() -> Settings {
    with(user("61234"), |it| it.group = Some("61235".to_owned()))
}

fn with(mut settings: Settings, change: impl FnOnce(&mut Settings)) -> Settings {
    change(&mut settings);
    settings
}

fn user(name: &str) -> Settings {
    with(Settings::default(), |it| it.user = Some(name.to_owned()))
}

fn subscribe(bus: &Bus, settings: Settings) {
    Privileges::new(settings).unwrap().subscribe(bus).unwrap();
}

/// What the plugin has logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn of(bus: &Bus) -> Lines {
        let lines = Lines::default();
        let list = Arc::clone(&lines.0);
        bus.on(LOG).unwrap().subscribe("lines", move |record: &sitebus_bus::Record| {
            if &*record.source == "privileges" {
                let level =
                    if record.level == Level::Info { String::new() } else { format!("{}: ", record.level) };
                list.lock().unwrap().push(format!("{level}{}", record.message));
            }
        });
        lines
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn users_of_all_threads() -> Vec<[u32; 4]> {
    let mut users: Vec<_> = Standing::all().unwrap().iter().map(|thread| thread.users).collect();
    users.dedup();
    users
}

#[test]
fn without_settings_nothing_changes_and_nothing_is_logged() {
    in_a_process_of_its_own("without_settings_nothing_changes_and_nothing_is_logged", || {
        let before = Standing::own().unwrap();
        let bus = Bus::new("site");
        let lines = Lines::of(&bus);
        subscribe(&bus, Settings::default());
        bus.start().unwrap();
        assert_eq!(Standing::own().unwrap(), before);
        assert_eq!(lines.take(), Vec::<String>::new());
    });
}

#[test]
fn names_and_combinations_that_make_no_sense_are_refused_at_once() {
    let refused = |settings: Settings| Privileges::new(settings).unwrap_err().to_string();
    let error = refused(user("nobdy"));
    assert!(error.contains("there is no user 'nobdy' on this system: did you mean 'nobody'?"), "{error}");
    let unknown = || "no-such-group".to_owned();
    for settings in [
        with(user("nobody"), |it| it.group = Some(unknown())),
        with(user("nobody"), |it| it.groups = Groups::Only(vec![unknown()])),
    ] {
        let error = refused(settings);
        assert!(error.contains("there is no group 'no-such-group' on this system"), "{error}");
    }
    let error = refused(user("61234"));
    assert!(
        error.contains("user 61234 has no account, so its group is not known: name a group too"),
        "{error}"
    );
    let error = refused(with(Settings::default(), |it| it.group = Some("0".to_owned())));
    assert!(error.contains("a group was named but no user"), "{error}");
    let error = refused(with(Settings::default(), |it| it.keep = Some(Capability::NET_BIND_SERVICE)));
    assert!(error.contains("a capability to keep was named but no user"), "{error}");
    let error = refused(with(Settings::default(), |it| it.umask = Some(0o7777)));
    assert!(error.contains("0o7777 is no umask"), "{error}");
}

#[test]
fn who_may_not_become_that_user_is_told_before_anything_has_begun() {
    in_a_process_of_its_own("who_may_not_become_that_user_is_told_before_anything_has_begun", || {
        let bus = Bus::new("site");
        let root = user("root");
        let error = Privileges::new(root).unwrap().subscribe(&bus).unwrap_err();
        assert!(matches!(error, PrivilegesError::Identity(_)), "{error}");
        assert!(error.to_string().contains("user root (0) is root, from whom nothing is dropped"), "{error}");
        if !is_root() {
            return;
        }
        subscribe(&bus, somebody());
        bus.start().unwrap();
        let other = user("nobody");
        let error = Privileges::new(other).unwrap().subscribe(&Bus::new("other")).unwrap_err().to_string();
        assert!(error.contains("runs as user 61234 and may not become user nobody"), "{error}");
    });
}

#[test]
fn ports_are_bound_as_root_and_tasks_run_as_the_user() {
    in_a_process_of_its_own("ports_are_bound_as_root_and_tasks_run_as_the_user", || {
        if !is_root() {
            return;
        }
        let (bus, other) = (Bus::new("site"), Bus::new("other"));
        other.start().unwrap(); // more threads
        let lines = Lines::of(&bus);
        let seen: Arc<Mutex<Vec<Vec<[u32; 4]>>>> = Arc::default();
        for at in [priority::SERVER, priority::TASKS] {
            let seen = Arc::clone(&seen);
            bus.plugin("looks").on_start(at, move |_| seen.lock().unwrap().push(users_of_all_threads()));
        }
        subscribe(&bus, with(somebody(), |it| it.umask = Some(0o027)));
        bus.start().unwrap();
        assert_eq!(*seen.lock().unwrap(), [vec![[0; 4]], vec![[61234; 4]]]);
        assert_eq!(
            lines.take(),
            [
                "umask 0022 is now 0027",
                "now running as user 61234, group 61235, no other groups, for good; was user root (0)"
            ]
        );
        assert_eq!(Umask::new(0).unwrap().put(), Umask::new(0o027).unwrap());
        assert_eq!(Standing::own().unwrap().capabilities, [0; 4]);

        bus.stop().unwrap();
        bus.start().unwrap();
        assert_eq!(
            lines.take(),
            ["umask 0000 is now 0027", "already running as user 61234, group 61235, no other groups"]
        );
        assert_eq!(users_of_all_threads(), [[61234; 4]]);
    });
}

#[test]
fn the_groups_are_those_of_the_user_or_those_that_are_listed() {
    fn groups_of(settings: Settings) -> Vec<u32> {
        let bus = Bus::new("site");
        subscribe(&bus, settings);
        bus.start().unwrap();
        Standing::own().unwrap().supplementary.into_iter().collect()
    }
    let nobody = || user("nobody");
    let name = "the_groups_are_those_of_the_user_or_those_that_are_listed";
    if is_child() {
        if !is_root() {
            return;
        }
        if env::var_os("LISTED").is_some() {
            let groups = Groups::Only(vec!["daemon".to_owned(), "61236".to_owned()]);
            assert_eq!(groups_of(with(nobody(), |it| it.groups = groups)), [1, 61236]);
        } else {
            assert_eq!(groups_of(nobody()), [Privileges::new(nobody()).unwrap().owner().unwrap().1]);
        }
        return;
    }
    for script in ["exec \"$@\"", "LISTED=1 exec \"$@\""] {
        let mut child = Process::start_by_shell(name, script);
        let status = child.wait();
        assert!(status.success(), "{}", child.output());
    }
}

#[test]
fn a_reload_takes_up_a_umask_and_refuses_another_user() {
    in_a_process_of_its_own("a_reload_takes_up_a_umask_and_refuses_another_user", || {
        if !is_root() {
            return;
        }
        let bus = Bus::new("site");
        subscribe(&bus, somebody());
        bus.start().unwrap();
        let reload = |settings: Settings| bus.ask_graceful(SettingsMap::new().with(settings)).wait();
        reload(somebody()).unwrap();
        let other = user("nobody");
        let veto = reload(other).unwrap_err().to_string();
        assert!(
            veto.contains("who the process runs as cannot change while it runs: it is user 61234"),
            "{veto}"
        );
        reload(with(somebody(), |it| it.umask = Some(0o077))).unwrap();
        assert_eq!(Umask::new(0o022).unwrap().put(), Umask::new(0o077).unwrap());
        assert_eq!(bus.state(), State::Started);
    });
}

/// A network of its own, in which port 80 is free and belongs to root: unshare(1) is part of util-linux.
const OWN_NETWORK: &str = "exec unshare --net \"$@\"";

#[test]
fn a_restarted_image_goes_on_as_the_user_and_with_the_capability() {
    let name = "a_restarted_image_goes_on_as_the_user_and_with_the_capability";
    if !is_child() {
        if !is_root() {
            return;
        }
        let mut child = Process::start_by_shell(name, OWN_NETWORK);
        child.expect("now running as user 61234, group 61235, no other groups, with CAP_NET_BIND_SERVICE, for good; was user root (0)");
        child
            .expect("already running as user 61234, group 61235, no other groups, with CAP_NET_BIND_SERVICE");
        child.expect("bound");
        let status = child.wait();
        assert!(status.success(), "{}", child.output());
        return;
    }
    let bus = Bus::new("site");
    bus.on(LOG).unwrap().subscribe("say", |record: &sitebus_bus::Record| {
        if &*record.source == "privileges" {
            say(&record.message);
        }
    });
    subscribe(&bus, with(somebody(), |it| it.keep = Some(Capability::NET_BIND_SERVICE)));
    bus.start().unwrap();
    // What is kept is kept from children.
    let sets = Command::new("grep")
        .args(["-c", "Cap[PEA].*0000000000000000", "/proc/self/status"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&sets.stdout), "3\n");
    if env::var_os("RESTARTED").is_some() {
        thread::spawn(|| TcpListener::bind("0.0.0.0:80").unwrap()).join().unwrap();
        return say("bound");
    }
    bus.restart_by(|_, _| {
        let mut next = Command::new(env::current_exe().unwrap());
        next.args(env::args_os().skip(1)).env("RESTARTED", "1").exec().into()
    });
    bus.restart().unwrap();
    panic!("{}", bus.block());
}

#[test]
fn a_restart_that_could_not_go_on_as_that_user_is_objected_to() {
    let name = "a_restart_that_could_not_go_on_as_that_user_is_objected_to";
    if !is_child() {
        if !is_root() {
            return;
        }
        // An account that only this one process sees, so that it can be deleted.
        let copy = tempfile::NamedTempFile::new().unwrap();
        let script = format!(
            "export ACCOUNTS={}; cp /etc/passwd $ACCOUNTS && chmod 666 $ACCOUNTS && \
             echo 'keeper:x:61234:61235::/:/bin/sh' >> $ACCOUNTS && \
             exec unshare --mount sh -c 'mount --bind $ACCOUNTS /etc/passwd && exec \"$@\"' sh \"$@\"",
            copy.path().display()
        );
        let mut child = Process::start_by_shell(name, &script);
        let status = child.wait();
        assert!(status.success(), "{}", child.output());
        return;
    }
    let bus = Bus::new("site");
    bus.restart_by(|_, _| anyhow::anyhow!("not in this test"));
    subscribe(&bus, user("keeper"));
    bus.start().unwrap();
    fs::write("/etc/passwd", "root:x:0:0::/:/bin/sh\n").unwrap();
    let veto = bus.restart().unwrap_err().to_string();
    assert!(veto.contains("there is no user 'keeper' on this system"), "{veto}");
    assert!(veto.contains("stop and start it instead"), "{veto}");
    assert_eq!(bus.state(), State::Started);
}

//! What the service manager hears of the life of a bus.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use sitebus_bus::{Bus, Commit, Error, Exit, LOG, Priority, RESTART, Record, SettingsMap, State};
use sitebus_systemd::{Environment, Settings, Subscribed, Systemd};
use sitebus_testkit::NotifySocket;

const PATIENCE: Duration = Duration::from_secs(60);

struct Site {
    bus: Bus,
    manager: NotifySocket,
    _systemd: Subscribed,
}

/// Only the words, unless the settings say otherwise.
fn quiet() -> Settings {
    let mut settings = Settings::default();
    settings.extend = false;
    settings.status = false;
    settings
}

fn site(settings: Settings) -> Site {
    site_with(NotifySocket::in_abstract().unwrap(), settings, |environment| environment)
}

fn site_with(manager: NotifySocket, settings: Settings, change: impl Fn(Environment) -> Environment) -> Site {
    manager.hear_only(std::process::id());
    let environment = change(Environment::nothing().with_notify_socket(manager.address()));
    let bus = Bus::new("site");
    let systemd = Systemd::new(&environment).settings(settings).subscribe(&bus);
    assert!(systemd.is_heard());
    Site { bus, manager, _systemd: systemd }
}

impl Site {
    /// What was said, once `last` was.
    fn said(&self, last: &str) -> Vec<String> {
        self.manager.said().wait_for(last, PATIENCE).unwrap();
        self.manager.said().take()
    }
}

const RELOADING: &str = "RELOADING=1 MONOTONIC_USEC";

#[test]
fn ready_is_said_when_the_bus_has_started_and_stopping_when_it_exits() {
    let folder = tempfile::tempdir().unwrap();
    for manager in [NotifySocket::in_folder(folder.path()), NotifySocket::in_abstract()] {
        let site = site_with(manager.unwrap(), quiet(), |environment| environment);
        let seen = Arc::new(AtomicUsize::new(usize::MAX));
        let (sees, said) = (Arc::clone(&seen), site.manager.said().clone());
        site.bus.plugin("last").on_start(Priority::new(99), move |_| {
            sees.store(said.lines().len(), Ordering::SeqCst);
        });
        site.bus.start().unwrap();
        assert_eq!(seen.load(Ordering::SeqCst), 0, "nothing is said before the last listener has started");
        assert_eq!(site.said("READY"), ["READY=1"]);
        site.bus.exit().unwrap();
        assert_eq!(site.said("STOPPING"), ["STOPPING=1"]);
    }
}

#[test]
fn a_start_that_fails_was_never_ready() {
    let site = site(quiet());
    site.bus.plugin("db").on_start(Priority::DEFAULT, |_| anyhow::bail!("no disk"));
    site.bus.start().unwrap_err();
    assert_eq!(site.said("STOPPING"), ["STOPPING=1"]);
}

#[test]
fn a_stop_alone_is_nothing_and_the_next_start_is_ready_again() {
    let site = site(quiet());
    site.bus.start().unwrap();
    site.bus.stop().unwrap();
    site.bus.start().unwrap();
    site.bus.stop().unwrap();
    site.bus.exit().unwrap();
    assert_eq!(site.said("STOPPING"), ["READY=1", "READY=1", "STOPPING=1"]);
}

#[test]
fn a_reload_begins_before_anybody_looks_and_ends_after_everybody_has_committed() {
    let site = site(quiet());
    let note = |place| {
        let said = site.manager.said().clone();
        move |what: &str| said.note(format!("{place} {what}"))
    };
    for (name, priority) in [("first", 1), ("last", 99)] {
        let notes = Arc::new(note(name));
        site.bus.plugin(name).on_graceful(Priority::new(priority), move |_| {
            notes("looks");
            let notes = Arc::clone(&notes);
            Ok(Commit::new(move || {
                notes("commits");
                Ok(())
            }))
        });
    }
    site.bus.start().unwrap();
    site.said("READY");
    site.bus.graceful().unwrap();
    site.manager.said().wait_for("READY", PATIENCE).unwrap();
    let said = site.manager.said().take();
    let place = |what: &str| said.iter().position(|line| line == what).unwrap();
    assert_eq!(said.len(), 6, "{said:?}");
    assert!(place(RELOADING) < place("READY=1"));
    assert!(place("last commits") < place("READY=1"), "{said:?}");
    drop(site.bus.exit());
}

#[test]
fn a_reload_that_is_refused_or_in_which_a_commit_fails_ends_ready_too() {
    let mut settings = quiet();
    settings.status = true;
    let site = site(settings);
    let round = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&round);
    site.bus.plugin("site").on_graceful(Priority::DEFAULT, move |_| {
        match counts.fetch_add(1, Ordering::SeqCst) {
            0 => anyhow::bail!("the file is wrong"),
            1 => Ok(Commit::new(|| anyhow::bail!("too late"))),
            _ => Ok(Commit::nothing()),
        }
    });
    site.bus.start().unwrap();
    site.said("READY");
    let reloading = format!("{RELOADING} STATUS=STARTED, reloading");
    assert!(matches!(site.bus.graceful().unwrap_err(), Error::Vetoed { .. }));
    assert_eq!(site.said("READY"), [&*reloading, "READY=1 STATUS=STARTED; the last reload was refused"]);
    site.bus.graceful().unwrap_err();
    assert_eq!(site.said("READY"), [&*reloading, "READY=1 STATUS=STARTED"]);
    site.bus.graceful().unwrap();
    assert_eq!(site.said("READY"), [&*reloading, "READY=1 STATUS=STARTED"]);
}

#[test]
fn a_reload_while_the_site_is_down_makes_nobody_believe_that_it_is_up() {
    let site = site(quiet());
    site.bus.graceful().unwrap();
    site.bus.start().unwrap();
    site.bus.stop().unwrap();
    site.bus.graceful().unwrap();
    site.bus.exit().unwrap();
    assert_eq!(site.said("STOPPING"), ["READY=1", "STOPPING=1"]);
}

#[test]
fn a_restart_is_a_reload_that_the_next_image_ends() {
    let site = site(quiet());
    site.bus.start().unwrap();
    site.bus.restart().unwrap();
    assert!(site.bus.block().is_restart());
    let next = Bus::new("next");
    let environment = Environment::nothing().with_notify_socket(site.manager.address());
    let _systemd = Systemd::new(&environment).settings(quiet()).subscribe(&next);
    next.start().unwrap();
    next.exit().unwrap();
    assert_eq!(site.said("STOPPING"), ["READY=1", RELOADING, "READY=1", "STOPPING=1"]);
}

#[test]
fn a_restart_that_is_refused_is_not_told_and_one_that_is_overruled_is_a_stop() {
    let site = site(quiet());
    let refuses = site.bus.on(RESTART).unwrap().subscribe("build", |_| anyhow::bail!("it does not compile"));
    site.bus.start().unwrap();
    site.bus.restart().unwrap_err();
    refuses.unsubscribe();
    let asks = site.bus.handle();
    site.bus.plugin("visitor").on_stop(Priority::DEFAULT, move |_| {
        drop(asks.ask_exit(Exit::success("a visitor")));
    });
    let _ = site.bus.restart();
    assert!(!site.bus.block().is_restart());
    assert_eq!(site.said("STOPPING"), ["READY=1", RELOADING, "STOPPING=1"]);
}

#[test]
fn the_status_says_the_state_its_cause_and_whom_it_waits_for() {
    let mut settings = quiet();
    settings.status = true;
    let site = site(settings);
    let (open, opened) = mpsc::channel();
    let opened = std::sync::Mutex::new(opened);
    site.bus.plugin("config").on_start(Priority::new(1), |_| ());
    site.bus
        .plugin("db")
        .on_start(Priority::new(2), move |_| opened.lock().unwrap().recv_timeout(PATIENCE).unwrap());
    site.bus.plugin("http").on_start(Priority::new(3), |_| ());
    let starting = site.bus.ask_start();
    let said = site.manager.said().wait_for("waiting", PATIENCE).unwrap();
    assert_eq!(said, "STATUS=STARTING: waiting for 'db'");
    open.send(()).unwrap();
    starting.wait().unwrap();
    site.bus.ask_exit(Exit::signal("TERM", 15)).wait().unwrap();
    let said = site.said("EXITING");
    let cause = "exit with code 0 asked by signal SIGTERM (15)";
    assert_eq!(said[0], "STATUS=STARTING");
    assert_eq!(said[2], "READY=1 STATUS=STARTED");
    assert_eq!(said[3], format!("STOPPING=1 STATUS=STOPPING: {cause}"));
    assert_eq!(said[said.len() - 1], format!("STATUS=EXITING: {cause}"));
}

#[test]
fn more_time_is_asked_for_while_the_bus_grants_it_and_no_longer() {
    let mut settings = quiet();
    settings.extend = true;
    let site = site(settings);
    site.bus.start().unwrap();
    let extension = "EXTEND_TIMEOUT_USEC=30000000";
    assert_eq!(site.said("READY"), [extension, "READY=1"]);
    site.bus.graceful().unwrap();
    assert_eq!(site.said("READY"), [format!("{RELOADING} {extension}"), "READY=1".to_owned()]);
    site.bus.stop().unwrap();
    site.bus.exit().unwrap();
    let said = site.said("STOPPING");
    assert_eq!(said[0], extension, "STOPPING");
    assert_eq!(said[1], format!("STOPPING=1 {extension}"), "EXITING; STOPPED needs no time");
}

#[test]
fn the_watchdog_hears_twice_as_often_as_it_asks() {
    let time = Duration::from_millis(100);
    let site = site_with(NotifySocket::in_abstract().unwrap(), quiet(), |environment| {
        environment.with_watchdog(time)
    });
    let began = Instant::now();
    site.bus.start().unwrap();
    let beats = |wanted: usize| {
        let enough = move |lines: &[String]| {
            (lines.iter().filter(|line| *line == "WATCHDOG=1").count() >= wanted).then_some(())
        };
        site.manager.said().wait_until(PATIENCE, "beats", enough).unwrap();
        site.manager.said().take();
    };
    beats(10);
    assert!(began.elapsed() >= time / 2 * 9, "not oftener than that");
    site.bus.stop().unwrap();
    beats(3);
    let told = Instant::now();
    let mut settings = quiet();
    settings.watchdog = false;
    site.bus.ask_graceful(SettingsMap::new().with(settings)).wait().unwrap();
    site.manager.said().take();
    settings.watchdog = true;
    site.bus.ask_graceful(SettingsMap::new().with(settings)).wait().unwrap();
    beats(2);
    assert!(told.elapsed() >= time / 2);
    site.bus.restart().unwrap();
    assert!(site.bus.block().is_restart());
    site.bus.wait(State::Exiting, Some(PATIENCE)).unwrap();
    let last = |lines: &[String]| lines.last().is_some_and(|line| line == "WATCHDOG=1").then_some(());
    site.manager.said().wait_until(PATIENCE, "the last beat, before the next image", last).unwrap();
}

#[test]
fn without_a_manager_nothing_is_done() {
    let bus = Bus::new("site");
    let systemd = Systemd::new(&Environment::nothing()).subscribe(&bus);
    assert!(!systemd.is_heard());
    assert!(bus.channels().iter().all(|channel| channel.listeners.is_empty()));
    systemd.unsubscribe();
}

fn complaints(bus: &Bus) -> Arc<std::sync::Mutex<Vec<String>>> {
    let log = Arc::new(std::sync::Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    bus.on(LOG).unwrap().subscribe("test", move |record: &Record| {
        if &*record.source == "systemd" {
            lines.lock().unwrap().push(record.message.clone());
        }
    });
    log
}

#[test]
fn a_manager_that_is_gone_is_complained_of_once_and_the_site_goes_on() {
    let bus = Bus::new("site");
    let log = complaints(&bus);
    let environment = Environment::nothing()
        .with_notify_socket("/nonexistent/notify")
        .with_watchdog(Duration::from_millis(2));
    let _systemd = Systemd::new(&environment).subscribe(&bus);
    bus.start().unwrap();
    bus.graceful().unwrap();
    bus.exit().unwrap();
    let _ = bus.block();
    let log = log.lock().unwrap();
    assert!(log.len() == 1 && log[0].contains("cannot be told"), "{log:?}");
}

#[test]
fn an_address_that_is_none_is_complained_of_and_the_site_goes_on() {
    let bus = Bus::new("site");
    let log = complaints(&bus);
    let environment = Environment::nothing().with_notify_socket("vsock:2:1");
    assert!(!Systemd::new(&environment).subscribe(&bus).is_heard());
    bus.start().unwrap();
    assert!(log.lock().unwrap()[0].contains("vsock:2:1"));
}

#[test]
fn a_manager_that_does_not_read_holds_nobody_up_and_hears_it_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let filler = UnixDatagram::unbound().unwrap();
    filler.set_nonblocking(true).unwrap();
    while filler.send_to(b"N=1", &path).is_ok() {}
    let bus = Bus::new("site");
    let environment = Environment::nothing().with_notify_socket(path);
    let _systemd = Systemd::new(&environment).settings(quiet()).subscribe(&bus);
    bus.start().unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = [0; 100];
    let deadline = Instant::now() + PATIENCE;
    loop {
        let length = manager.recv(&mut bytes).unwrap();
        if &bytes[..length] == b"READY=1" {
            break;
        }
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn after_it_is_unsubscribed_nothing_more_is_said() {
    let site = site(quiet());
    site.bus.start().unwrap();
    site.said("READY");
    site._systemd.unsubscribe();
    let began = Instant::now();
    site.bus.exit().unwrap();
    let _ = site.bus.block();
    assert!(began.elapsed() < Duration::from_secs(9), "its thread has ended");
    assert!(site.manager.said().lines().is_empty());
}

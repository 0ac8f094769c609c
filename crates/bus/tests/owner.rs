//! The owner of a bus, the handles that everybody else has, and what is left when the owner is gone.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{Bus, Cause, Done, EXIT, Error, Exit, LOG, START, STOP, State, Topic, WaitError};
use sitebus_testkit::{Gate, Recorder, Transcript};

const SOON: Duration = Duration::from_secs(10);

/// Listens on start, stop and exit.
fn noting(bus: &Bus) -> Transcript {
    let heard = Transcript::new();
    let [on_start, on_stop, on_exit] = [(); 3].map(|()| heard.clone());
    bus.on(START).unwrap().subscribe("starts", move |_| on_start.note("start"));
    bus.on(STOP).unwrap().subscribe("stops", move |_| on_stop.note("stop"));
    bus.on(EXIT).unwrap().subscribe("exits", move |exiting| on_exit.note(exiting.exit().to_string()));
    heard
}

#[test]
fn several_buses_live_in_one_process_and_know_nothing_of_each_other() {
    let (one, two) = (Bus::new("one"), Bus::new("two"));
    let (in_one, in_two) = (noting(&one), noting(&two));
    one.start().unwrap();
    assert_eq!((one.state(), two.state()), (State::Started, State::Stopped));
    two.exit().unwrap();
    assert_eq!((one.state(), two.state()), (State::Started, State::Exiting));
    assert_eq!((in_one.lines().len(), in_two.lines().len()), (1, 2));
}

#[test]
fn a_listener_of_one_bus_may_wait_for_another() {
    let (outer, inner) = (Bus::new("outer"), Arc::new(Bus::new("inner")));
    let (starts, stops) = (Arc::clone(&inner), Arc::clone(&inner));
    outer
        .on(START)
        .unwrap()
        .subscribe("inner", move |_| starts.start().map(|done| assert_eq!(done, Done::Done)).unwrap());
    outer
        .on(STOP)
        .unwrap()
        .subscribe("inner", move |_| stops.exit().map(|done| assert_eq!(done, Done::Done)).unwrap());
    outer.start().unwrap();
    assert_eq!(inner.state(), State::Started);
    outer.exit().unwrap();
    assert_eq!(inner.state(), State::Exiting);
}

#[test]
fn dropping_the_owner_before_the_exit_warns_and_exits() {
    let bus = Bus::new("site");
    let (recorder, heard, handle) = (Recorder::of(&bus), noting(&bus), bus.handle());
    bus.start().unwrap();
    drop(bus);
    assert_eq!(handle.state(), State::Exiting);
    assert!(matches!(handle.exit_asked().unwrap().cause(), Cause::Dropped));
    let exit = "exit with code 1 because the owner of the bus was dropped";
    assert_eq!(heard.lines(), ["start", "stop", exit]);
    let warning = recorder.transcript().wait_for("WARN", SOON).unwrap();
    assert_eq!(
        warning,
        "log WARN site: the bus was dropped in STARTED, before it had exited: it exits now; call block() first"
    );
}

#[test]
fn dropping_the_owner_after_the_exit_says_nothing() {
    let bus = Bus::new("site");
    let recorder = Recorder::of(&bus);
    bus.exit().unwrap();
    drop(bus);
    assert_eq!(recorder.log().lines(), ["Bus STOPPING", "Bus STOPPED", "Bus EXITING", "Bus EXITED"]);
}

#[test]
fn dropping_the_owner_waits_for_an_exit_that_is_on_its_way_and_does_not_hurry_it() {
    let bus = Bus::new("site");
    let (handle, gate, heard) = (bus.handle(), Gate::new(), Transcript::new());
    let (held, noted) = (gate.clone(), heard.clone());
    bus.on(STOP).unwrap().subscribe("drains", move |stop| {
        held.pass();
        let a_moment = std::time::Instant::now() + Duration::from_millis(100);
        noted.note(format!("hurried: {}", stop.hurry().wait_until(a_moment)));
    });
    bus.start().unwrap();
    drop(bus.ask_exit(Exit::with_code(3, "a test")));
    gate.wait_for_arrival(SOON);
    let warned = Transcript::new();
    let warns = warned.clone();
    bus.on(LOG).unwrap().subscribe("warns", move |record| warns.note(record.message.clone()));
    let drops = thread::spawn(move || drop(bus));
    warned.wait_for("dropped in STOPPING", SOON).unwrap();
    gate.open();
    drops.join().unwrap();
    assert_eq!(heard.lines(), ["hurried: false"]);
    assert_eq!(handle.exit_asked().unwrap().code(), 3);
}

/// Somebody may wait for it, and an exit listener may have something to give back.
#[test]
fn dropping_an_owner_that_was_never_asked_for_anything_exits_without_a_warning() {
    let bus = Bus::new("site");
    let (recorder, heard, handle) = (Recorder::of(&bus), noting(&bus), bus.handle());
    let waits = {
        let (handle, when) = (bus.handle(), bus.when(State::Started));
        thread::spawn(move || {
            drop(when);
            handle.wait(State::Started, None)
        })
    };
    drop(bus);
    assert!(matches!(waits.join().unwrap().unwrap_err(), WaitError::Exited { .. }));
    assert_eq!(heard.lines().len(), 2);
    assert!(!recorder.transcript().lines().iter().any(|line| line.contains("WARN")));
    let error = handle.start().unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

#[test]
fn a_handle_that_outlives_the_owner_is_refused_and_never_waits() {
    let bus = Bus::new("site");
    let handle = bus.handle();
    bus.start().unwrap();
    drop(bus);
    for refused in [handle.start(), handle.graceful(), handle.restart()] {
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    }
    assert_eq!(handle.stop().unwrap(), Done::Done);
    assert_eq!(handle.exit().unwrap(), Done::Done);
    assert!(matches!(handle.wait(State::Started, None), Err(WaitError::Exited { .. })));
    let late = Arc::new(());
    let weak = Arc::downgrade(&late);
    handle.on(START).unwrap().subscribe("late", move |_| drop(Arc::clone(&late)));
    assert!(weak.upgrade().is_none(), "a table that was closed takes nobody");
    const NEW: Topic<()> = Topic::new("new");
    let late = Arc::new(());
    let weak = Arc::downgrade(&late);
    handle.on(NEW).unwrap().subscribe("late", move |()| drop(Arc::clone(&late)));
    assert!(weak.upgrade().is_none(), "nor does one that is new");
    let late = Arc::new(());
    let weak = Arc::downgrade(&late);
    handle.restart_by(move |_, _| anyhow!("never called {late:?}"));
    assert!(weak.upgrade().is_none());
}

/// Everything that may hold a handle: listeners of built-in and other topics, a restarter, settings, a thread's result.
#[test]
fn dropping_the_owner_frees_what_holds_a_handle_in_a_circle() {
    const TOPIC: Topic<()> = Topic::new("topic");
    let (bus, token) = (Bus::new("site"), Arc::new(()));
    let weak: Weak<()> = Arc::downgrade(&token);
    let circle = || (bus.handle(), Arc::clone(&token));
    let [on_start, on_stop, on_exit, on_log] = [(); 4].map(|()| circle());
    let ignore = |_: &(sitebus_bus::Handle, Arc<()>)| ();
    bus.on(START).unwrap().subscribe("a", move |_| ignore(&on_start));
    bus.on(STOP).unwrap().subscribe("b", move |_| ignore(&on_stop));
    bus.on(EXIT).unwrap().subscribe("c", move |_| ignore(&on_exit));
    bus.on(LOG).unwrap().subscribe("d", move |_| ignore(&on_log));
    let (on_topic, in_commit) = (circle(), circle());
    bus.on(TOPIC).unwrap().subscribe("e", move |()| ignore(&on_topic));
    bus.plugin("f").at_commit(50, move |_| ignore(&in_commit));
    let restarter = circle();
    bus.restart_by(move |_, _| {
        ignore(&restarter);
        anyhow!("not now")
    });
    let result = circle();
    bus.adopt("g", thread::spawn(move || result));
    bus.start().unwrap();
    let settings = sitebus_bus::SettingsMap::new().with(circle());
    bus.ask_graceful(settings).wait_for(SOON).unwrap();
    drop(token);
    assert!(weak.upgrade().is_some());
    drop(bus);
    wait_until_freed(&weak); // the thread may still be on its way
}

/// The same for a failure that is remembered, which holds whatever the error holds.
#[test]
fn what_a_remembered_failure_holds_is_freed_with_the_last_handle() {
    struct Holds(sitebus_bus::Handle, #[expect(dead_code, reason = "held, to be seen freed")] Arc<()>);
    impl std::fmt::Debug for Holds {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0.name())
        }
    }
    impl std::fmt::Display for Holds {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("no")
        }
    }
    impl std::error::Error for Holds {}

    let (bus, token) = (Bus::new("site"), Arc::new(()));
    let weak = Arc::downgrade(&token);
    let handle = bus.handle();
    bus.plugin("vetoes").on_graceful(50, move |_| Err(Holds(handle.clone(), Arc::clone(&token)).into()));
    bus.graceful().unwrap_err();
    drop(bus);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_bus_may_be_dropped_by_its_own_listener_and_still_stops_and_exits() {
    for in_stop in [false, true] {
        let bus = Bus::new("site");
        let (handle, recorder) = (bus.handle(), Recorder::of(&bus));
        let token = Arc::new(());
        let weak = Arc::downgrade(&token);
        let owner = Arc::new(Mutex::new(None));
        let (own, dropped) = (Arc::clone(&owner), handle.clone());
        let drops = move || {
            let _token = &token;
            drop(own.lock().unwrap().take());
            assert_ne!(dropped.state(), State::Exiting);
        };
        if in_stop {
            handle.on(STOP).unwrap().subscribe_at(1, "drops", move |_| drops());
        } else {
            handle.on(START).unwrap().subscribe_at(1, "drops", move |_| drops());
        }
        let stops = noting(&bus);
        let mut place = owner.lock().unwrap(); // the listener waits for it
        let ticket = if in_stop { handle.ask_stop() } else { handle.ask_start() };
        *place = Some(bus);
        drop(place);
        let _ = ticket.wait_for(SOON);
        recorder.transcript().wait_for("Bus EXITED", SOON).unwrap();
        assert!(matches!(handle.exit_asked().unwrap().cause(), Cause::Dropped));
        let said = stops.lines();
        assert!(
            said.iter().any(|line| line == "stop") && said.last().unwrap().contains("dropped"),
            "{said:?}"
        );
        drop(owner);
        drop(handle);
        wait_until_freed(&weak);
    }
}

/// By the lane, at its very end.
fn wait_until_freed(weak: &Weak<()>) {
    let before = std::time::Instant::now();
    while weak.upgrade().is_some() {
        assert!(before.elapsed() < SOON, "not freed");
        thread::yield_now();
    }
}

#[test]
fn a_bus_makes_no_thread_before_it_is_asked_for_something() {
    let bus = Bus::new("a bus that waits");
    bus.on(START).unwrap().subscribe("starts", |_| ());
    bus.log(sitebus_bus::Level::Info, "a line");
    assert_eq!(bus.wait([State::Stopped], None).unwrap(), State::Stopped);
    assert!(!names_of_threads().iter().any(|name| name.starts_with("a bus that wait")));
    bus.start().unwrap();
    assert!(names_of_threads().iter().any(|name| name.starts_with("a bus that wait")));
}

#[test]
fn a_bus_has_two_threads_whatever_it_does_and_none_after_its_end() {
    let bus = Bus::new("two threads");
    let mine = || names_of_threads().into_iter().filter(|name| name.starts_with("two threads")).count();
    // A thread gives itself its name, and one that was joined is listed for a moment longer.
    let come_to = |count: usize| {
        let before = std::time::Instant::now();
        while mine() != count {
            assert!(before.elapsed() < SOON, "{count} are due: {:?}", names_of_threads());
            thread::yield_now();
        }
    };
    bus.start().unwrap();
    come_to(2);
    bus.graceful().unwrap();
    bus.stop().unwrap();
    bus.start().unwrap();
    assert_eq!(mine(), 2, "one runs listeners, the other watches the time");
    bus.exit().unwrap();
    assert_eq!(bus.block().code(), 0);
    come_to(0);
}

fn names_of_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok()).collect()
}

#[test]
fn a_name_may_hold_what_the_name_of_a_thread_may_not() {
    let bus = Bus::new("nul\0nul");
    bus.start_with_callback(drop).unwrap().join().unwrap();
    assert_eq!(bus.name(), "nul\0nul");
}

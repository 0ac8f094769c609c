//! A restart: an exit with that cause, performed by whoever blocks.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::{Arc, Barrier, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{Bus, Cause, Done, EXIT, Error, Exit, RESTART, STOP, State, Verb};
use sitebus_testkit::{Gate, Recorder, Transcript};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_restart_is_an_exit_with_that_cause_and_its_listeners_know() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let recorder = Recorder::of(&bus);
    let noted = heard.clone();
    bus.on(EXIT).unwrap().subscribe("keeps", move |exiting| {
        noted.note(format!("restart: {}", exiting.exit().is_restart()));
    });
    bus.start().unwrap();
    assert_eq!(bus.ask_restart("autoreload").wait_for(SOON).unwrap(), Done::Done);
    assert_eq!(heard.lines(), ["restart: true"]);
    assert!(recorder.log().lines().contains(&"Bus STOPPED".to_owned()));
    // Nobody said how to restart, so whoever blocks does it.
    let exit = bus.block();
    assert!(exit.is_restart());
    assert_eq!((exit.code(), exit.cause()), (0, &Cause::Restart { by: "autoreload".into() }));
}

#[test]
fn the_restarter_is_called_on_the_thread_that_blocks_after_everything_else() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let (noted, joined) = (heard.clone(), heard.clone());
    let caller = Arc::new(OnceLock::new());
    let called_by = Arc::clone(&caller);
    bus.restart_by(move |exit, _| {
        noted.note(format!("{exit}"));
        called_by.set(thread::current().id()).unwrap();
        anyhow!("no such file").context("exec of the new image")
    });
    let waits = Gate::new();
    let held = waits.clone();
    bus.on(EXIT).unwrap().subscribe("lets go", move |_| waits.open());
    bus.adopt(
        "worker",
        thread::spawn(move || {
            held.pass();
            joined.note("the thread has ended");
        }),
    );
    drop(bus.ask_restart("a test"));
    let exit = bus.block();
    assert_eq!(caller.get(), Some(&thread::current().id()));
    assert_eq!(heard.lines(), ["the thread has ended", "restart asked by a test"]);
    assert_eq!(exit.code(), 1);
    let why = "exec of the new image: no such file";
    assert_eq!(exit.cause(), &Cause::RestartFailed { why: why.into() });
    assert_eq!(exit.to_string(), format!("restart failed, so this is still the old image: {why}"));
    assert!(!exit.is_restart(), "nobody tries again by mistake");
    assert_eq!(bus.block(), exit, "nor when somebody blocks again");
}

#[test]
fn whoever_objects_to_a_restart_keeps_the_old_image_and_nothing_changes() {
    let (bus, asked) = (Bus::new("site"), Transcript::new());
    let noted = asked.clone();
    bus.on(RESTART).unwrap().subscribe("site file", move |restarting| {
        noted.note(restarting.exit().to_string());
        anyhow::ensure!(noted.lines().len() > 1, "line 3 is wrong");
        Ok(())
    });
    bus.on(RESTART).unwrap().subscribe("binary", |_| ());
    bus.start().unwrap();
    let error = bus.ask_restart("autoreload").wait_for(SOON).unwrap_err();
    let said =
        "restart was refused and nothing has changed: 'site file' failed on 'restart': line 3 is wrong";
    assert_eq!(error.to_string(), said);
    assert!(matches!(error, Error::Vetoed { asked: Verb::Restart, failures } if failures.len() == 1));
    assert_eq!((bus.state(), bus.exit_asked()), (State::Started, None));

    assert_eq!(bus.ask_restart("autoreload").wait_for(SOON).unwrap(), Done::Done);
    assert!(bus.block().is_restart());
    assert_eq!(asked.lines(), ["restart asked by autoreload"; 2]);
}

#[test]
fn whoever_panics_in_a_look_objects_and_whoever_returns_an_exit_ends_the_looking() {
    let (bus, looked) = (Bus::new("site"), Transcript::new());
    let panics = bus.on(RESTART).unwrap().subscribe("panics", |_| -> () { panic!("oh") });
    let noted = looked.clone();
    bus.on(RESTART).unwrap().subscribe("next", move |_| noted.note("next"));
    let error = bus.restart().unwrap_err();
    assert!(error.to_string().ends_with("'panics' panicked on 'restart': oh"), "{error}");
    assert!(matches!(error, Error::Vetoed { asked: Verb::Restart, .. }));
    assert_eq!((looked.take(), bus.exit_asked()), (vec!["next".to_owned()], None));

    panics.unsubscribe();
    bus.on(RESTART).unwrap().subscribe_at(1, "leaves", |_| Err(Exit::with_code(9, "the look").into()));
    let error = bus.restart().unwrap_err();
    assert!(matches!(error, Error::Interrupted { asked: Verb::Restart, .. }), "{error}");
    assert_eq!(bus.block(), Exit::with_code(9, "the look"));
    assert!(looked.lines().is_empty());
}

#[test]
fn a_stop_listener_knows_that_what_survives_is_to_be_kept() {
    for restart in [false, true] {
        let (bus, heard) = (Bus::new("site"), Transcript::new());
        let noted = heard.clone();
        bus.on(STOP).unwrap().subscribe("server", move |stop| {
            noted.note(format!("{:?}", stop.exit().map(Exit::is_restart)));
        });
        bus.start().unwrap();
        bus.stop().unwrap();
        bus.start().unwrap();
        if restart {
            bus.restart().unwrap()
        } else {
            bus.exit().unwrap()
        };
        assert_eq!(heard.lines(), ["None".to_owned(), format!("Some({restart})")]);
    }
}

#[test]
fn what_exit_listeners_hand_on_reaches_the_restarter_by_type_and_in_order() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let noted = heard.clone();
    bus.on(EXIT).unwrap().subscribe_at(1, "server", |exiting| exiting.hand_on("port 80"));
    bus.on(EXIT).unwrap().subscribe_at(2, "count", |exiting| exiting.hand_on(7_u8));
    bus.on(EXIT).unwrap().subscribe_at(3, "other", |exiting| exiting.hand_on("port 443"));
    bus.restart_by(move |_, handed_on| {
        noted.note(format!("{handed_on:?}"));
        noted.note(format!("{:?}", handed_on.take::<&str>()));
        noted.note(format!("{:?} {:?}", handed_on.take::<&str>(), handed_on.take::<u8>()));
        anyhow!("not today")
    });
    drop(bus.ask_restart("a test"));
    drop(bus.block());
    assert_eq!(heard.lines(), ["HandedOn(3 values)", r#"["port 80", "port 443"]"#, "[] [7]"]);
}

#[test]
fn what_is_handed_on_is_dropped_where_no_restart_comes_of_it() {
    let dropped = |end: fn(&Bus)| {
        let (bus, value) = (Bus::new("site"), Arc::new(()));
        let held = Arc::clone(&value);
        bus.on(EXIT).unwrap().subscribe("server", move |exiting| exiting.hand_on(Arc::clone(&held)));
        end(&bus);
        drop(bus);
        Arc::strong_count(&value) == 1
    };
    assert!(dropped(|bus| assert_eq!(bus.exit().map(|_| bus.block().code()).unwrap(), 0)));
    assert!(dropped(|bus| assert!(bus.restart().is_ok())), "nobody blocked");
    assert!(dropped(|bus| assert!(bus.restart().is_ok() && bus.block().is_restart())), "nobody said how");
}

#[test]
fn a_restarter_that_panics_is_a_restart_that_failed() {
    let bus = Bus::new("site");
    bus.restart_by(|_, _| panic!("no memory"));
    drop(bus.ask_restart("a test"));
    let exit = bus.block();
    assert_eq!(exit.cause(), &Cause::RestartFailed { why: "the restarter panicked: no memory".into() });
}

#[test]
fn a_plain_exit_calls_no_restarter_and_wins_over_a_restart() {
    for first_restart in [false, true] {
        let (bus, gate) = (Bus::new("site"), Gate::new());
        let held = gate.clone();
        bus.on(STOP).unwrap().subscribe("is held", move |_| held.pass());
        bus.restart_by(|_, _| panic!("must not be called"));
        let restart = first_restart.then(|| bus.ask_restart("autoreload"));
        if first_restart {
            gate.wait_for_arrival(SOON);
        }
        let exit = bus.ask_exit(Exit::signal("TERM", 15));
        gate.open();
        exit.wait_for(SOON).unwrap();
        // Whoever asked for the restart learns that it does not come.
        if let Some(restart) = restart {
            let outcome = restart.wait_for(SOON);
            assert!(matches!(outcome, Err(Error::Interrupted { asked: Verb::Restart, .. })), "{outcome:?}");
        }
        assert_eq!(bus.block(), Exit::signal("TERM", 15));
    }
}

#[test]
fn a_restart_is_refused_once_an_exit_was_asked_and_after_the_end() {
    let (bus, gate) = (Bus::new("site"), Gate::new());
    let held = gate.clone();
    bus.on(STOP).unwrap().subscribe("is held", move |_| held.pass());
    let exit = bus.ask_exit(Exit::success("a test"));
    gate.wait_for_arrival(SOON);
    let refused = |error: Error| matches!(error, Error::Refused { asked: Verb::Restart, .. });
    assert!(refused(bus.restart().unwrap_err()));
    gate.open();
    exit.wait_for(SOON).unwrap();
    assert!(refused(bus.restart().unwrap_err()));
    assert_eq!(bus.block().code(), 0);
}

#[test]
fn a_second_restart_joins_the_first_and_hurries_nobody() {
    let (bus, gate, heard) = (Bus::new("site"), Gate::new(), Transcript::new());
    let (held, noted) = (gate.clone(), heard.clone());
    bus.on(STOP).unwrap().subscribe("drains", move |stop| {
        held.pass();
        noted.note(format!("hurried: {}", stop.hurry().is_set()));
    });
    let first = bus.ask_restart("one");
    gate.wait_for_arrival(SOON);
    let second = bus.ask_restart("two");
    gate.open();
    first.wait_for(SOON).unwrap();
    second.wait_for(SOON).unwrap();
    assert_eq!(heard.lines(), ["hurried: false"]);
    assert_eq!(bus.block().cause(), &Cause::Restart { by: "one".into() });
}

#[test]
fn a_failed_start_is_not_restarted() {
    let bus = Bus::new("site");
    bus.restart_by(|_, _| panic!("must not be called"));
    bus.on(sitebus_bus::START).unwrap().subscribe("fails", |_| Err(anyhow!("no")));
    bus.start().unwrap_err();
    assert_eq!(bus.block().code(), 1);
}

#[test]
fn of_several_that_block_one_restarts_and_all_learn_how_it_went() {
    let bus = Arc::new(Bus::new("site"));
    let (heard, together) = (Transcript::new(), Arc::new(Barrier::new(4)));
    let noted = heard.clone();
    bus.restart_by(move |_, _| {
        noted.note("restarter");
        anyhow!("not today")
    });
    let blocks = (0..4).map(|_| {
        let (bus, together) = (Arc::clone(&bus), Arc::clone(&together));
        thread::spawn(move || {
            together.wait();
            bus.block()
        })
    });
    let blocks = blocks.collect::<Vec<_>>();
    drop(bus.ask_restart("a test"));
    for block in blocks {
        assert_eq!(block.join().unwrap().cause(), &Cause::RestartFailed { why: "not today".into() });
    }
    assert_eq!(heard.lines(), ["restarter"]);
}

#[test]
fn a_new_bus_can_be_made_where_a_restart_failed() {
    let first = Bus::new("site");
    first.restart_by(|_, _| anyhow!("not today"));
    drop(first.ask_restart("a test"));
    assert_eq!(first.block().code(), 1);
    drop(first);
    let second = Bus::new("site");
    second.start().unwrap();
    second.exit().unwrap();
    assert_eq!(second.block().code(), 0);
}

#[test]
fn the_last_restarter_counts_and_may_look_at_the_bus() {
    let bus = Arc::new(Bus::new("site"));
    bus.restart_by(|_, _| panic!("was replaced"));
    let inner = Arc::downgrade(&bus);
    bus.restart_by(move |exit, _| {
        let bus = inner.upgrade().unwrap();
        assert_eq!(bus.state(), sitebus_bus::State::Exiting);
        assert_eq!(&bus.block(), exit, "the thread that restarts does not wait for itself");
        anyhow!("looked")
    });
    drop(bus.ask_restart("a test"));
    assert_eq!(bus.block().cause(), &Cause::RestartFailed { why: "looked".into() });
}

struct Again(sitebus_bus::Handle);

impl Drop for Again {
    fn drop(&mut self) {
        self.0.restart_by(|_, _| anyhow::anyhow!("too late"));
        panic!("a destructor that panics");
    }
}

#[test]
fn a_restarter_that_is_not_needed_may_ask_and_panic_when_it_is_dropped() {
    let bus = Bus::new("site");
    let again = Again(bus.handle());
    bus.restart_by(move |_, _| {
        let _ = &again;
        anyhow::anyhow!("not asked for")
    });
    bus.exit().unwrap();
    assert_eq!(bus.block().code(), 0);
}

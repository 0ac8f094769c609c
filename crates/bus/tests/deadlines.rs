//! Listeners that hang: given up at their deadline, named, and passed by.
//!
//! The clock is moved by hand, so no test waits for a deadline, and none meets one by chance.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{
    Bus, Commit, Done, EXIT, Error, Exit, Failure, GRACEFUL, Limits, Reason, START, STOP, SettingsMap, State,
    Ticket, TimingOutcome,
};
use sitebus_testkit::{FakeClock, Gate, Recorder, Transcript, block_on};

const SOON: Duration = Duration::from_secs(10);
const EACH: Duration = Duration::from_secs(60);
const TOTAL: Duration = Duration::from_secs(600);

/// A bus on a clock by hand, a gate at which its listeners hang, and what the others note.
struct Site {
    bus: Arc<Bus>,
    clock: Arc<FakeClock>,
    gate: Gate,
    heard: Transcript,
}

impl Site {
    fn new() -> Site {
        let clock = FakeClock::new();
        let bus = Bus::builder("site").limits(Limits::all(EACH, TOTAL)).clock(clock.clone()).build();
        Site { bus: Arc::new(bus), clock, gate: Gate::new(), heard: Transcript::new() }
    }

    /// Waits until a listener hangs, and lets its time pass.
    fn overrun(&self) {
        self.gate.wait_for_arrival(SOON);
        self.clock.advance(EACH);
    }

    fn notes(&self, line: &'static str) -> impl Fn() + Send + Sync + 'static {
        let heard = self.heard.clone();
        move || heard.note(line)
    }

    fn hangs(&self) -> impl Fn() + Send + Sync + 'static {
        let gate = self.gate.clone();
        move || gate.pass()
    }
}

/// A test that has failed must not wait in the drop of the bus, whose clock stands still, for a listener that hangs.
impl Drop for Site {
    fn drop(&mut self) {
        self.gate.open();
    }
}

#[track_caller]
fn overran(ticket: &Ticket) -> Vec<Failure> {
    let error = ticket.wait_for(SOON).unwrap_err();
    let failures = error.failures().unwrap_or_else(|| panic!("{error}")).iter().cloned().collect::<Vec<_>>();
    assert_eq!(failures[0].listener(), "hangs");
    assert!(matches!(failures[0].reason(), Reason::Overran(after) if *after == EACH), "{error}");
    failures
}

#[test]
fn one_that_hangs_in_start_is_given_up_named_and_the_start_fails() {
    let site = Site::new();
    let recorder = Recorder::of(&site.bus);
    let (hangs, next, stops) = (site.hangs(), site.notes("next"), site.notes("stop"));
    let plugin = site.bus.plugin("hangs");
    plugin.on_start(10, move |_| hangs());
    plugin.on_stop(10, move |_| stops());
    site.bus.on(START).unwrap().subscribe("next", move |_| next());
    let start = site.bus.ask_start();
    site.overrun();
    assert_eq!(overran(&start).len(), 1);
    assert_eq!(site.heard.lines(), ["next", "stop"], "what began is stopped, even if it never came back");
    let line = "'hangs' was given up on 'start' after 60s: it had not returned";
    assert!(recorder.log().lines().contains(&line.to_owned()));
    assert_eq!(site.bus.block().code(), 1);
    site.gate.open();
}

#[test]
fn one_that_hangs_in_stop_is_given_up_and_the_next_one_runs() {
    let site = Site::new();
    let (hangs, next) = (site.hangs(), site.notes("next"));
    site.bus.on(STOP).unwrap().subscribe_at(10, "hangs", move |_| hangs());
    site.bus.on(STOP).unwrap().subscribe_at(20, "next", move |_| next());
    site.bus.start().unwrap();
    let stop = site.bus.ask_stop();
    site.overrun();
    assert_eq!(overran(&stop).len(), 1);
    assert_eq!((site.bus.state(), site.heard.lines()), (State::Stopped, vec!["next".to_owned()]));
    // The bus is as good as new; only that thread is lost.
    site.gate.open();
    site.bus.start().unwrap();
    site.bus.stop().unwrap();
    site.bus.exit().unwrap();
    assert_eq!(site.bus.block().code(), 0);
}

#[test]
fn one_that_hangs_in_exit_is_given_up_and_the_next_one_runs() {
    let site = Site::new();
    let (hangs, next) = (site.hangs(), site.notes("next"));
    site.bus.on(EXIT).unwrap().subscribe_at(10, "hangs", move |_| hangs());
    site.bus.on(EXIT).unwrap().subscribe_at(20, "next", move |_| next());
    let exit = site.bus.ask_exit(Exit::success("a test"));
    site.overrun();
    assert_eq!(overran(&exit).len(), 1);
    assert_eq!(site.bus.block().code(), 1);
    assert_eq!(site.heard.lines(), ["next"]);
    site.gate.open();
}

#[test]
fn one_that_hangs_while_somebody_blocks_does_not_keep_block_from_returning() {
    for place in ["start", "stop", "exit"] {
        let site = Site::new();
        let hangs = site.hangs();
        match place {
            "start" => site.bus.on(START).unwrap().subscribe("hangs", move |_| hangs()),
            "stop" => site.bus.on(STOP).unwrap().subscribe("hangs", move |_| hangs()),
            _ => site.bus.on(EXIT).unwrap().subscribe("hangs", move |_| hangs()),
        };
        let blocks = {
            let bus = Arc::clone(&site.bus);
            thread::spawn(move || bus.block())
        };
        let start = site.bus.ask_start();
        if place == "start" {
            site.overrun();
            overran(&start);
        } else {
            start.wait_for(SOON).unwrap();
            let exit = site.bus.ask_exit(Exit::success("a test"));
            site.overrun();
            overran(&exit);
        }
        assert_eq!(blocks.join().unwrap().code(), 1, "{place}");
        site.gate.open();
    }
}

#[test]
fn one_that_hangs_while_it_looks_at_new_settings_is_a_veto_and_its_late_commit_is_dropped() {
    let site = Site::new();
    let (hangs, commits, aborts) = (site.hangs(), site.heard.clone(), site.heard.clone());
    struct Aborts(Transcript);
    impl Drop for Aborts {
        fn drop(&mut self) {
            self.0.note("dropped");
        }
    }
    site.bus.on(GRACEFUL).unwrap().subscribe("hangs", move |_| {
        hangs();
        let (commits, aborts) = (commits.clone(), Aborts(aborts.clone()));
        Ok(Commit::new(move || {
            commits.note("committed");
            drop(aborts);
            Ok(())
        }))
    });
    let (others, noted) = (site.notes("other prepared"), site.heard.clone());
    site.bus.on(GRACEFUL).unwrap().subscribe("other", move |_| {
        others();
        let noted = Aborts(noted.clone());
        Ok(Commit::new(move || {
            drop(noted);
            Ok(())
        }))
    });
    let reload = site.bus.ask_graceful(SettingsMap::new());
    site.overrun();
    let error = reload.wait_for(SOON).unwrap_err();
    assert!(
        matches!(&error, Error::Vetoed { failures, .. } if failures.first().listener() == "hangs"),
        "{error}"
    );
    assert_eq!(site.heard.take(), ["other prepared", "dropped"]);
    site.gate.open();
    site.heard.wait_for("dropped", SOON).unwrap();
    assert_eq!(site.heard.lines(), ["dropped"], "it came too late");
    site.bus.graceful().unwrap();
}

#[test]
fn one_that_hangs_in_its_commit_is_given_up_and_the_others_commit() {
    let site = Site::new();
    let gate = site.gate.clone();
    site.bus.on(GRACEFUL).unwrap().subscribe("hangs", move |_| {
        let gate = gate.clone();
        Ok(Commit::new(move || {
            gate.pass();
            Err(anyhow!("late, so nobody hears it"))
        }))
    });
    let commits = site.heard.clone();
    site.bus.plugin("other").at_commit(50, move |_| commits.note("other committed"));
    let reload = site.bus.ask_graceful(SettingsMap::new());
    site.overrun();
    assert_eq!(overran(&reload).len(), 1);
    assert_eq!(site.heard.lines(), ["other committed"]);
    assert!(
        matches!(site.bus.last_graceful(), Some(Err(Error::Failed { failures, .. })) if failures.len() == 1)
    );
    site.gate.open();
}

#[test]
fn one_whose_commit_hangs_when_it_is_dropped_is_given_up_and_the_others_are_dropped() {
    struct Hangs(Gate);
    impl Drop for Hangs {
        fn drop(&mut self) {
            self.0.pass();
        }
    }
    let site = Site::new();
    let dropped = Arc::new(());
    let weak = Arc::downgrade(&dropped);
    site.bus.on(GRACEFUL).unwrap().subscribe("is dropped last", move |_| {
        let dropped = Arc::clone(&dropped);
        Ok(Commit::new(move || {
            drop(dropped);
            Ok(())
        }))
    });
    let gate = site.gate.clone();
    site.bus.on(GRACEFUL).unwrap().subscribe("hangs", move |_| {
        let hangs = Hangs(gate.clone());
        Ok(Commit::new(move || {
            drop(hangs);
            Ok(())
        }))
    });
    site.bus.on(GRACEFUL).unwrap().subscribe("refuses", |_| Err(anyhow!("no")));
    let reload = site.bus.ask_graceful(SettingsMap::new());
    site.overrun();
    assert!(matches!(reload.wait_for(SOON).unwrap_err(), Error::Vetoed { .. }));
    assert_eq!(weak.strong_count(), 1, "only the listener itself has one");
    site.gate.open();
}

#[test]
fn a_late_report_changes_nothing() {
    let site = Site::new();
    let (hangs, slow) = (site.hangs(), Gate::new());
    let held = slow.clone();
    // Late, it would fail the stop, end the bus and count twice.
    site.bus.on(STOP).unwrap().subscribe_at(10, "hangs", move |_| {
        hangs();
        Err(Exit::with_code(99, "too late").into())
    });
    site.bus.on(STOP).unwrap().subscribe_at(20, "is held", move |_| held.pass());
    let recorder = Recorder::of(&site.bus);
    site.bus.start().unwrap();
    let stop = site.bus.ask_stop();
    site.overrun();
    slow.wait_for_arrival(SOON);
    site.gate.open();
    site.gate.wait_until_passed(SOON);
    slow.open();
    assert_eq!(overran(&stop).len(), 1);
    assert_eq!(site.bus.state(), State::Stopped);
    assert_eq!(site.bus.exit_asked(), None);
    site.bus.start().unwrap();
    assert_eq!(recorder.log().lines().iter().filter(|line| line.contains("given up")).count(), 1);
    let overruns =
        site.bus.timings().iter().filter(|timing| timing.outcome == TimingOutcome::Overran).count();
    assert_eq!(overruns, 1);
}

#[test]
fn every_one_of_several_that_hang_is_given_up_in_its_own_time() {
    let site = Site::new();
    for number in 0..5 {
        let hangs = site.hangs();
        site.bus.on(STOP).unwrap().subscribe_at(number, format!("number {number}"), move |_| hangs());
    }
    let exit = site.bus.ask_exit(Exit::success("a test"));
    for number in 1..=5 {
        site.gate.wait_for_arrivals(number, SOON);
        site.clock.advance(EACH);
    }
    let error = exit.wait_for(SOON).unwrap_err();
    let named =
        error.failures().unwrap().iter().map(|failure| failure.listener().to_owned()).collect::<Vec<_>>();
    assert_eq!(named, ["number 0", "number 1", "number 2", "number 3", "number 4"]);
    site.gate.open();
}

#[test]
fn a_deadline_is_not_early() {
    let site = Site::new();
    let hangs = site.hangs();
    site.bus.on(START).unwrap().subscribe("slow", move |_| hangs());
    let start = site.bus.ask_start();
    site.gate.wait_for_arrival(SOON);
    site.clock.advance(EACH - Duration::from_nanos(1));
    site.gate.open();
    assert_eq!(start.wait_for(SOON).unwrap(), Done::Done);
}

#[test]
fn messages_carry_the_deadline_of_their_listener() {
    let site = Site::new();
    let now = {
        use sitebus_bus::Clock;
        site.clock.now()
    };
    let seen = Transcript::new();
    let [on_start, on_stop, on_exit, on_graceful] = [(); 4].map(|()| seen.clone());
    site.bus
        .on(START)
        .unwrap()
        .subscribe("start", move |m| on_start.note(format!("{:?}", m.deadline() - now)));
    site.bus.on(STOP).unwrap().subscribe("stop", move |m| on_stop.note(format!("{:?}", m.deadline() - now)));
    site.bus.on(EXIT).unwrap().subscribe("exit", move |m| on_exit.note(format!("{:?}", m.deadline() - now)));
    site.bus.on(GRACEFUL).unwrap().subscribe("graceful", move |m| {
        on_graceful.note(format!("{:?}", m.deadline() - now));
        Ok(Commit::nothing())
    });
    site.bus.start().unwrap();
    site.bus.graceful().unwrap();
    site.bus.exit().unwrap();
    assert_eq!(seen.lines(), ["60s"; 4]);
}

/// The thread waits for the bus, the listener for the thread, the bus for the listener.
#[test]
fn a_listener_that_joins_a_thread_which_calls_exit_is_given_up_and_the_bus_exits() {
    for place in ["start", "stop", "graceful"] {
        let site = Site::new();
        let (handle, gate) = (site.bus.handle(), site.gate.clone());
        gate.open();
        let joins = move || {
            let handle = handle.clone();
            let exits = thread::spawn(move || handle.exit());
            gate.pass();
            let _ = exits.join().unwrap();
        };
        match place {
            "start" => site.bus.on(START).unwrap().subscribe("hangs", move |_| joins()),
            "stop" => site.bus.on(STOP).unwrap().subscribe("hangs", move |_| joins()),
            _ => site.bus.plugin("hangs").at_commit(50, move |_| joins()),
        };
        let ticket = match place {
            "start" => site.bus.ask_start(),
            "stop" => site.bus.ask_stop(),
            _ => site.bus.ask_graceful(SettingsMap::new()),
        };
        site.overrun();
        overran(&ticket);
        assert_eq!(site.bus.wait(State::Exiting, Some(SOON)).unwrap(), State::Exiting, "{place}");
        assert_ne!(site.bus.block().cause(), &sitebus_bus::Cause::Dropped);
    }
}

/// That `wait` would have refused at once; whoever blocks on a future is beyond the bus's knowledge.
#[test]
fn a_listener_that_blocks_on_a_future_of_the_state_it_is_to_bring_is_given_up() {
    let site = Site::new();
    let (handle, gate) = (site.bus.handle(), site.gate.clone());
    gate.open();
    site.bus.on(START).unwrap().subscribe("hangs", move |_| {
        gate.pass();
        let _ = block_on(handle.when(State::Started), SOON);
    });
    let start = site.bus.ask_start();
    site.overrun();
    overran(&start);
    assert_eq!(site.bus.block().code(), 1);
}

#[test]
fn deadlines_hold_on_the_real_clock_too() {
    let each = Duration::from_millis(20);
    let bus = Bus::builder("site").limits(Limits::all(each, SOON)).build();
    let gate = Gate::new();
    let held = gate.clone();
    bus.on(STOP).unwrap().subscribe("hangs", move |_| held.pass());
    let error = bus.ask_stop().wait_for(SOON).unwrap_err();
    assert!(matches!(error.failures().unwrap().first().reason(), Reason::Overran(after) if *after >= each));
    gate.open();
}

#[test]
fn limits_without_end_are_no_overflow() {
    let mut limits = Limits::all(Duration::MAX, Duration::MAX);
    limits.log = Duration::MAX;
    limits.join = Duration::MAX;
    limits.last_call = Duration::MAX;
    let bus = Bus::builder("site").limits(limits).build();
    let (handle, gate) = (bus.handle(), Gate::new());
    bus.on(STOP).unwrap().subscribe("looks", |stop| assert!(stop.deadline() > std::time::Instant::now()));
    let held = gate.clone();
    bus.adopt("joined", thread::spawn(move || held.pass()));
    bus.start().unwrap();
    bus.graceful().unwrap();
    handle.exit().unwrap();
    gate.open();
    assert_eq!(bus.block().code(), 0);
}

#[test]
fn a_bus_whose_listener_hangs_can_be_dropped() {
    let mut site = Site::new();
    let (hangs, handle) = (site.hangs(), site.bus.handle());
    site.bus.on(EXIT).unwrap().subscribe("hangs", move |_| hangs());
    let (clock, gate) = (site.clock.clone(), site.gate.clone());
    let bus = std::mem::replace(&mut site.bus, Arc::new(Bus::new("another")));
    let drops = thread::spawn(move || drop(bus));
    gate.wait_for_arrival(SOON);
    clock.advance(EACH);
    drops.join().unwrap();
    assert_eq!(handle.state(), State::Exiting);
}

#[test]
fn a_second_exit_gives_a_start_that_hangs_its_last_call() {
    let site = Site::new();
    let hangs = site.hangs();
    site.bus.on(START).unwrap().subscribe("hangs", move |_| hangs());
    let start = site.bus.ask_start();
    site.gate.wait_for_arrival(SOON);

    let exit = site.bus.ask_exit(Exit::success("first"));
    drop(site.bus.ask_exit(Exit::success("second")));
    site.clock.advance(Limits::default().last_call);
    exit.wait_for(SOON).unwrap();
    let failure = start.wait_for(SOON).unwrap_err();
    assert!(failure.to_string().contains("'hangs' was given up on 'start' after 250ms"), "{failure}");
}

//! Foreign code at its worst: it asks the bus from destructors, wakers and log listeners, and hangs where nobody expects it.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{
    Bus, Commit, Done, EXIT, Exit, GRACEFUL, Handle, LOG, Level, Limits, START, STOP, SettingsMap, State,
    Ticket, Topic,
};
use sitebus_testkit::{FakeClock, Gate, Transcript, block_on};

const SOON: Duration = Duration::from_secs(10);

/// Everything that takes a lock of the bus, and everything that waits for it elsewhere.
fn pester(bus: &Handle) {
    const OWN: Topic<str> = Topic::new("pester");
    let _ = (bus.state(), bus.timings(), bus.channels(), bus.last_graceful(), bus.exit_asked());
    bus.log(Level::Debug, format!("{bus:?}"));
    bus.on(OWN).unwrap().subscribe("pest", |_| ()).unsubscribe();
    bus.on(OWN).unwrap().publish("pest").unwrap();
    drop(bus.ask_graceful(SettingsMap::new().with(7_u8)));
    drop(bus.when(State::Exiting));
    let _ = (bus.graceful(), bus.start());
}

/// Asks when it is dropped.
struct Pest(Handle, Transcript);

impl Drop for Pest {
    fn drop(&mut self) {
        pester(&self.0);
        self.1.note("dropped");
    }
}

impl fmt::Debug for Pest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pest")
    }
}

impl fmt::Display for Pest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = (self.0.state(), self.0.timings());
        f.write_str("pest")
    }
}

impl std::error::Error for Pest {}

/// Runs `body` elsewhere and gives it up if it hangs: a lock taken twice is then a failure and not the end of the run.
fn within_patience(body: impl FnOnce() + Send + 'static) {
    let (done, end) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    match end.recv_timeout(SOON * 3) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => thread.join().unwrap(),
    }
}

#[test]
fn an_error_may_ask_the_bus_when_it_is_dropped_or_printed() {
    within_patience(|| {
        let (bus, heard) = (Bus::new("site"), Transcript::new());
        let fails = |bus: &Bus, heard: &Transcript| {
            let (handle, heard) = (bus.handle(), heard.clone());
            move || Err(Pest(handle.clone(), heard.clone()).into())
        };
        let (on_stop, on_exit) = (fails(&bus, &heard), fails(&bus, &heard));
        let on_log = fails(&bus, &heard);
        bus.on(STOP).unwrap().subscribe("fails", move |_| on_stop());
        bus.on(EXIT).unwrap().subscribe("fails", move |_| on_exit());
        let log = bus.on(LOG).unwrap().subscribe("fails", move |_| on_log());
        bus.log(Level::Info, "one");
        log.unsubscribe();
        let prepares = fails(&bus, &heard);
        let vetoes =
            bus.on(GRACEFUL).unwrap().subscribe("fails", move |_| prepares().map(|()| Commit::nothing()));
        // Nobody keeps a ticket: the bus is the last to hold what failed.
        drop(bus.ask_graceful(SettingsMap::new()));
        drop(bus.ask_stop());
        drop(bus.ask_graceful(SettingsMap::new()));
        let _ = bus.graceful();
        vetoes.unsubscribe();
        drop(bus.ask_exit(Exit::success("a test")));
        assert_eq!(bus.block().code(), 1);
        drop(bus);
        assert!(heard.lines().len() >= 5, "{heard:?}");
    });
}

#[test]
fn settings_a_commit_and_a_listener_may_ask_the_bus_when_they_are_dropped() {
    within_patience(|| {
        let (bus, heard) = (Bus::new("site"), Transcript::new());
        let pest = |heard: &Transcript| Pest(bus.handle(), heard.clone());
        let kept = Arc::new(pest(&heard));
        let plugin = bus.plugin("owner");
        let (itself, owned) = (plugin.clone(), pest(&heard));
        plugin.on_start(50, move |_| {
            let _owned = &owned;
            itself.unsubscribe(); // the running phase is the last to know it
        });
        bus.start().unwrap();
        heard.wait_for("dropped", SOON).unwrap();
        let (handle, noted) = (bus.handle(), heard.clone());
        let prepares = bus.on(GRACEFUL).unwrap().subscribe("prepares", move |_| {
            let pest = Pest(handle.clone(), noted.clone());
            Ok(Commit::new(move || {
                drop(pest);
                Ok(())
            }))
        });
        bus.ask_graceful(SettingsMap::new().with(Pest(bus.handle(), heard.clone()))).wait_for(SOON).unwrap();
        let refuses = bus.on(GRACEFUL).unwrap().subscribe("refuses", |_| Err(anyhow!("no")));
        bus.ask_graceful(SettingsMap::new().with(pest(&heard))).wait_for(SOON).unwrap_err();
        prepares.unsubscribe();
        refuses.unsubscribe();
        bus.ask_exit(Exit::success("a test")).wait_for(SOON).unwrap();
        // Refused, so dropped by whoever asks.
        bus.ask_graceful(SettingsMap::new().with(pest(&heard))).wait_for(SOON).unwrap_err();
        drop(kept);
        assert!(heard.lines().len() >= 6, "{heard:?}");
    });
}

/// Does something when it wakes, and when it is dropped.
struct Hooks {
    wakes: Box<dyn Fn() + Send + Sync>,
    drops: Box<dyn Fn() + Send + Sync>,
}

impl Wake for Hooks {
    fn wake(self: Arc<Self>) {
        (self.wakes)();
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        (self.drops)();
    }
}

fn poll_with(waker: Arc<Hooks>, future: &mut (impl Future + Unpin)) {
    let waker = Waker::from(waker);
    assert!(Pin::new(future).poll(&mut Context::from_waker(&waker)).is_pending());
}

/// A bus that is held in its start, and the ticket for it.
fn held(bus: &Bus) -> (Gate, Ticket) {
    let gate = Gate::new();
    let held = gate.clone();
    bus.on(START).unwrap().subscribe("is held", move |_| held.pass());
    let ticket = bus.ask_start();
    gate.wait_for_arrival(SOON);
    (gate, ticket)
}

#[test]
fn a_waker_that_asks_the_bus_and_waits_for_it_does_not_wait_on_the_lane() {
    within_patience(|| {
        let (bus, heard) = (Bus::new("site"), Transcript::new());
        let (gate, mut ticket) = held(&bus);
        let (handle, noted) = (bus.handle(), heard.clone());
        let wakes = Box::new(move || {
            pester(&handle);
            noted.note(format!("{:?}", handle.stop().unwrap()));
        });
        poll_with(Arc::new(Hooks { wakes, drops: Box::new(|| ()) }), &mut ticket);
        gate.open();
        heard.wait_for("Noted", SOON).unwrap();
        bus.wait(State::Stopped, Some(SOON)).unwrap();
    });
}

#[test]
fn a_waker_that_panics_wakes_the_others_and_ends_nothing() {
    within_patience(|| {
        let (bus, heard) = (Bus::new("site"), Transcript::new());
        let (gate, ticket) = held(&bus);
        let mut tickets = [(); 3].map(|()| ticket.clone());
        let (mut when, noted) = (bus.when(State::Started), heard.clone());
        let panics = || Hooks { wakes: Box::new(|| panic!("oh")), drops: Box::new(|| ()) };
        poll_with(Arc::new(panics()), &mut tickets[0]);
        poll_with(Arc::new(panics()), &mut tickets[1]);
        poll_with(Arc::new(panics()), &mut when);
        let notes = Hooks { wakes: Box::new(move || noted.note("woken")), drops: Box::new(|| ()) };
        poll_with(Arc::new(notes), &mut tickets[2]);
        gate.open();
        heard.wait_for("woken", SOON).unwrap();
        assert_eq!(bus.exit().unwrap(), Done::Done);
        assert_eq!(bus.block().code(), 0);
    });
}

/// As with a runtime whose tasks are kept alive by their wakers alone.
#[test]
fn a_waker_that_owns_what_waits_is_dropped_without_a_lock() {
    within_patience(|| {
        let bus = Bus::new("site");
        let (gate, mut ticket) = held(&bus);
        let owning = |ticket: &Ticket| {
            let mut inner = ticket.clone();
            poll_with(Arc::new(Hooks { wakes: Box::new(|| ()), drops: Box::new(|| ()) }), &mut inner);
            let owned = Mutex::new(Some(inner));
            let drops = Box::new(move || drop(owned.lock().unwrap().take()));
            Arc::new(Hooks { wakes: Box::new(|| ()), drops })
        };
        poll_with(owning(&ticket), &mut ticket);
        let again = owning(&ticket);
        poll_with(again, &mut ticket); // drops the first one
        let mut another = ticket.clone();
        poll_with(owning(&ticket), &mut another);
        drop(another);
        gate.open();
        assert_eq!(ticket.wait_for(SOON).unwrap(), Done::Done);
    });
}

#[test]
fn a_waker_or_a_destructor_that_hangs_on_the_lane_is_passed_by() {
    let clock = FakeClock::new();
    let bus = Bus::builder("site").clock(clock.clone()).build();
    let hangs = Gate::new();
    let (gate, mut ticket) = held(&bus);
    let held = hangs.clone();
    poll_with(Arc::new(Hooks { wakes: Box::new(move || held.pass()), drops: Box::new(|| ()) }), &mut ticket);
    let (mut next, threads, heard) = (ticket.clone(), ticket.clone(), Transcript::new());
    let noted = heard.clone();
    let notes = Box::new(move || noted.note("the next one was woken"));
    poll_with(Arc::new(Hooks { wakes: notes, drops: Box::new(|| ()) }), &mut next);
    gate.open();
    hangs.wait_for_arrival(SOON);
    assert_eq!(threads.wait_for(SOON).unwrap(), Done::Done, "threads wait for no waker");
    clock.advance(Limits::default().log);
    heard.wait_for("woken", SOON).unwrap();
    assert_eq!(bus.ask_stop().wait_for(SOON).unwrap(), Done::Done);

    struct Hangs(Gate);
    impl Drop for Hangs {
        fn drop(&mut self) {
            self.0.pass();
        }
    }
    let plugin = bus.plugin("owner");
    let (itself, owned) = (plugin.clone(), Hangs(hangs.clone()));
    plugin.on_start(50, move |_| {
        let _owned = &owned;
        itself.unsubscribe();
    });
    bus.ask_start().wait_for(SOON).unwrap();
    hangs.wait_for_arrivals(2, SOON);
    clock.advance(Limits::default().log);
    assert_eq!(bus.ask_stop().wait_for(SOON).unwrap(), Done::Done);
    bus.ask_exit(Exit::success("a test")).wait_for(SOON).unwrap();
    assert_eq!(bus.block().code(), 0);
    hangs.open();
}

#[test]
fn a_lane_that_comes_back_late_finds_another_in_its_place_and_ends() {
    let clock = FakeClock::new();
    let bus = Bus::builder("late").clock(clock.clone()).build();
    let (hangs, (gate, mut ticket)) = (Gate::new(), held(&bus));
    let in_waker = hangs.clone();
    poll_with(
        Arc::new(Hooks { wakes: Box::new(move || in_waker.pass()), drops: Box::new(|| ()) }),
        &mut ticket,
    );
    let in_listener = hangs.clone();
    bus.on(STOP).unwrap().subscribe("hangs", move |_| in_listener.pass());
    gate.open();
    hangs.wait_for_arrival(SOON);
    clock.advance(Limits::default().log);
    let stop = bus.ask_stop();
    hangs.wait_for_arrivals(2, SOON);
    clock.advance(Limits::default().stop.each);
    stop.wait_for(SOON).unwrap_err();
    assert_eq!(lanes_of("late"), 3);
    hangs.open();
    let deadline = std::time::Instant::now() + SOON;
    while lanes_of("late") > 1 {
        assert!(std::time::Instant::now() < deadline, "{} lanes", lanes_of("late"));
        std::thread::yield_now();
    }
    assert_eq!(bus.start().unwrap(), Done::Done);
}

fn lanes_of(bus: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == format!("{bus} lane")).count()
}

/// Nobody keeps the time any more by then, so `block` itself does.
#[test]
fn a_waker_that_hangs_after_the_exit_keeps_block_no_longer_than_the_limit_for_threads() {
    let mut limits = Limits::default();
    limits.join = Duration::from_millis(20);
    let bus = Bus::builder("site").limits(limits).build();
    let (hangs, heard) = (Gate::new(), Transcript::new());
    let noted = heard.clone();
    bus.on(LOG).unwrap().subscribe("notes", move |record| noted.note(record.message.clone()));
    let (held, mut when) = (hangs.clone(), bus.when(State::Started));
    poll_with(Arc::new(Hooks { wakes: Box::new(move || held.pass()), drops: Box::new(|| ()) }), &mut when);
    drop(bus.ask_exit(Exit::success("a test")));
    assert_eq!(bus.block().code(), 0);
    hangs.wait_for_arrival(SOON);
    heard.wait_for("the lane was left behind", SOON).unwrap();
    hangs.open();
}

#[test]
fn a_log_listener_may_ask_for_everything_on_every_line() {
    within_patience(|| {
        let bus = Bus::new("site");
        let (handle, count) = (bus.handle(), Mutex::new(0));
        bus.on(LOG).unwrap().subscribe("asks", move |_| {
            let mut count = count.lock().unwrap();
            *count += 1;
            if *count < 20 {
                let _ = (handle.state(), handle.timings(), handle.channels());
                drop(handle.ask_graceful(SettingsMap::new()));
                drop(handle.ask_start());
            }
        });
        assert_eq!(bus.start().unwrap(), Done::Done);
        let handle = bus.handle();
        bus.on(LOG).unwrap().subscribe("leaves", move |record| {
            if record.message == "leave" {
                assert!(matches!(handle.exit(), Ok(Done::Noted | Done::Done)));
            }
        });
        bus.log(Level::Info, "leave");
        assert_eq!(bus.block().code(), 0);
    });
}

#[test]
fn a_listener_may_use_the_whole_interface_in_every_phase() {
    within_patience(|| {
        let bus = Bus::new("site");
        let [on_start, on_stop, on_exit, on_prepare, on_commit] = [(); 5].map(|()| bus.handle());
        bus.on(START).unwrap().subscribe("pest", move |_| pester(&on_start));
        bus.on(STOP).unwrap().subscribe("pest", move |_| {
            on_stop.hurry();
            pester(&on_stop);
        });
        bus.on(EXIT).unwrap().subscribe("pest", move |_| pester(&on_exit));
        let once = Mutex::new(Some(()));
        bus.on(GRACEFUL).unwrap().subscribe("pest", move |_| {
            if once.lock().unwrap().take().is_some() {
                pester(&on_prepare);
            }
            let handle = on_commit.clone();
            Ok(Commit::new(move || {
                let _ = (handle.state(), handle.timings(), handle.last_graceful());
                Ok(())
            }))
        });
        bus.start().unwrap();
        bus.graceful().unwrap();
        drop(bus.ask_exit(Exit::success("a test")));
        assert_eq!(bus.block().code(), 0);
    });
}

#[test]
fn a_listener_that_publishes_on_its_own_channel_goes_as_deep_as_it_likes() {
    const DEPTH: Topic<u32> = Topic::new("depth");
    let bus = Bus::new("site");
    let (channel, heard) = (bus.on(DEPTH).unwrap(), Transcript::new());
    let (inner, noted) = (channel.clone(), heard.clone());
    channel.subscribe("recurses", move |depth: &u32| {
        noted.note(depth.to_string());
        if *depth > 0 { Ok(inner.publish(&(depth - 1))?) } else { Ok(()) }
    });
    channel.publish(&100).unwrap();
    assert_eq!(heard.lines().len(), 101);
}

#[test]
fn ten_thousand_requests_at_once_are_all_answered() {
    let bus = Bus::new("site");
    let (gate, first) = held(&bus);
    let tickets = (0..10_000).map(|number| match number % 3 {
        0 => bus.ask_stop(),
        1 => bus.ask_graceful(SettingsMap::new().with(number)),
        _ => bus.ask_start(),
    });
    let tickets = tickets.collect::<Vec<_>>();
    gate.open();
    for ticket in tickets.into_iter().chain([first]) {
        assert_eq!(block_on(ticket, SOON * 6).unwrap().unwrap(), Done::Done);
    }
}

#[test]
fn an_ask_that_comes_from_a_listener_which_was_given_up_is_done_like_any_other() {
    let clock = FakeClock::new();
    let bus = Bus::builder("site").clock(clock.clone()).build();
    let (gate, heard) = (Gate::new(), Transcript::new());
    let (held, handle, noted) = (gate.clone(), bus.handle(), heard.clone());
    bus.on(STOP).unwrap().subscribe("hangs", move |_| {
        held.pass();
        noted.note(format!("{:?}", handle.start()));
    });
    let stop = bus.ask_stop();
    gate.wait_for_arrival(SOON);
    clock.advance(Limits::default().stop.each);
    stop.wait_for(SOON).unwrap_err();
    gate.open();
    bus.wait(State::Started, Some(SOON)).unwrap();
    heard.wait_for("Ok(", SOON).unwrap(); // noted, or done before it looked
}

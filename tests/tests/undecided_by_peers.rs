//! What the peers of this bus do and nobody's suite asserts: for each, the answer of this bus.
//!
//! The observations are about CherryPy 18.10 and, where it is older, the bus that it grew out of. These come with their
//! plugins, and are tested there:
//!
//! * SIGHUP ends a service in the foreground: `signals`, and `program_signals.rs` beside this file.
//! * A second start forks the daemon again: `daemonize`, and `cherrypy_process.rs` beside this file.
//! * A listed file that does not exist never triggers; an older modification time never triggers: autoreload.
//! * The index of a thread is given out again while it is in use: tasks.
//! * The PID file is removed even if it is another process's: pidfile.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{
    Bus, Cause, Done, EXIT, Error, Exit, LOG, Level, START, STOP, State, Topic, Verb, WaitError,
};
use sitebus_testkit::Transcript;
use sitebus_tests::{Folder, Site, program};

const SOON: Duration = Duration::from_secs(10);

#[derive(Debug, PartialEq)]
struct NoDatabase(u16);

impl fmt::Display for NoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no database on port {}", self.0)
    }
}

impl std::error::Error for NoDatabase {}

fn counted() -> (Arc<AtomicUsize>, impl Fn() + Clone) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    (count, move || {
        counter.fetch_add(1, Ordering::Relaxed);
    })
}

/// Theirs ends the process with status 70, and the error is lost.
#[test]
fn a_start_that_fails_returns_the_original_error_and_ends_no_process() {
    let bus = Bus::new("site");
    let (stops, stop) = counted();
    bus.on(STOP).unwrap().subscribe("stops", move |_| stop());
    bus.on(START).unwrap().subscribe("db", |_| Err(NoDatabase(5432).into()));
    let error = bus.start().unwrap_err();
    let original = error.failures().unwrap().first().error().unwrap();
    assert_eq!(original.downcast_ref(), Some(&NoDatabase(5432)));
    assert_eq!((bus.state(), stops.load(Ordering::Relaxed)), (State::Exiting, 1));
    let exit = bus.block();
    assert_eq!(exit.code(), 1);
    assert!(matches!(exit.cause(), Cause::Failed { what } if what.contains("'db'")), "{exit}");
}

/// Theirs runs all stop and exit listeners again.
#[test]
fn a_second_exit_joins_the_first() {
    let bus = Bus::new("site");
    let (calls, call) = counted();
    let again = call.clone();
    bus.on(STOP).unwrap().subscribe("stops", move |_| call());
    bus.on(EXIT).unwrap().subscribe("exits", move |_| again());
    bus.start().unwrap();
    let tickets = [(); 2].map(|()| bus.ask_exit(Exit::success("twice")));
    for ticket in tickets {
        assert_eq!(ticket.wait_for(SOON).unwrap(), Done::Done);
    }
    assert_eq!(bus.exit().unwrap(), Done::Done);
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

/// Theirs starts again.
#[test]
fn a_start_after_the_exit_is_refused_and_says_what_to_do() {
    let bus = Bus::new("site");
    let (starts, start) = counted();
    bus.on(START).unwrap().subscribe("starts", move |_| start());
    bus.exit().unwrap();
    let error = bus.start().unwrap_err();
    assert!(matches!(error, Error::Refused { asked: Verb::Start, .. }));
    assert!(error.to_string().contains("make a new Bus"), "{error}");
    assert_eq!((bus.state(), starts.load(Ordering::Relaxed)), (State::Exiting, 0));
    let waited = bus.wait(State::Started, None).unwrap_err();
    assert!(matches!(waited, WaitError::Exited { .. }));
}

/// Theirs stays STOPPING for ever.
#[test]
fn a_stop_that_fails_reaches_stopped_and_returns_every_failure() {
    let bus = Bus::new("site");
    bus.on(STOP).unwrap().subscribe("one", |_| Err(anyhow!("first")));
    bus.on(STOP).unwrap().subscribe("two", |_| Err(anyhow!("second")));
    bus.start().unwrap();
    let error = bus.stop().unwrap_err();
    let failed = error.failures().unwrap().iter().map(|failure| failure.listener().to_owned());
    assert_eq!(failed.collect::<Vec<_>>(), ["two", "one"]);
    assert_eq!(bus.state(), State::Stopped);
    assert_eq!(bus.start().unwrap(), Done::Done);
}

/// Theirs keeps success for an exit without a code (`SystemExit(None)`), although something had failed before.
#[test]
fn an_exit_with_any_code_of_success_becomes_a_failure_once_something_has_failed() {
    const TOPIC: Topic<()> = Topic::new("topic");
    let bus = Bus::new("site");
    let channel = bus.on(TOPIC).unwrap();
    channel.subscribe("fails", |()| Err(anyhow!("no")));
    channel.subscribe("leaves", |()| Err(Exit::success("done here").into()));
    channel.publish(&()).unwrap_err();
    assert_eq!(bus.block().code(), 1);

    let bus = Bus::new("site");
    let channel = bus.on(TOPIC).unwrap();
    channel.subscribe("fails", |()| Err(anyhow!("no")));
    channel.subscribe("leaves", |()| Err(Exit::with_code(3, "done here").into()));
    channel.publish(&()).unwrap_err();
    assert_eq!(bus.block().code(), 3);
}

/// Theirs lets a log listener that fails abort the publish, and even the start.
#[test]
fn a_log_listener_that_fails_fails_nobody_else() {
    const TOPIC: Topic<()> = Topic::new("topic");
    let bus = Bus::new("site");
    let heard = Transcript::new();
    bus.on(LOG).unwrap().subscribe("broken", |_| Err(anyhow!("disk full")));
    bus.on(LOG).unwrap().subscribe("panics", |_| -> () { panic!("disk on fire") });
    let lines = heard.clone();
    bus.on(LOG).unwrap().subscribe("works", move |record| lines.note(record.message.clone()));
    bus.start().unwrap();
    let channel = bus.on(TOPIC).unwrap();
    let (calls, call) = counted();
    channel.subscribe("fails", |()| Err(anyhow!("no")));
    channel.subscribe("runs", move |()| call());
    assert_eq!(channel.publish(&()).unwrap_err().len(), 1);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    bus.log(Level::Info, "still here");
    bus.exit().unwrap();
    assert_eq!(heard.lines()[2..4], ["'fails' failed on 'topic': no", "still here"]);
}

/// Theirs leaves `block` with the bus still STARTED when a listener on `main` fails. Here nothing is published while `block`
/// waits, so whatever fails meanwhile is its publisher's to know.
#[test]
fn a_failure_while_block_waits_neither_ends_the_wait_nor_the_bus() {
    const TOPIC: Topic<()> = Topic::new("main");
    let bus = Bus::new("site");
    bus.on(TOPIC).unwrap().subscribe("fails", |()| Err(anyhow!("no")));
    bus.start().unwrap();
    let exit = std::thread::scope(|scope| {
        let blocks = scope.spawn(|| bus.block());
        bus.on(TOPIC).unwrap().publish(&()).unwrap_err();
        assert_eq!(bus.state(), State::Started);
        assert!(!blocks.is_finished());
        bus.ask_exit(Exit::with_code(5, "a test")).wait_for(SOON).unwrap();
        blocks.join().unwrap()
    });
    assert_eq!(exit.code(), 5);
}

/// Theirs orders ties arbitrarily.
#[test]
fn listeners_of_one_priority_run_in_the_order_of_their_subscription_and_stop_in_reverse() {
    let bus = Bus::new("site");
    let heard = Transcript::new();
    for number in 0..20 {
        let (on_start, on_stop) = (heard.clone(), heard.clone());
        bus.on(START).unwrap().subscribe("starts", move |_| on_start.note(number.to_string()));
        bus.on(STOP).unwrap().subscribe("stops", move |_| on_stop.note(number.to_string()));
    }
    let upwards = (0..20).map(|number| number.to_string()).collect::<Vec<_>>();
    bus.start().unwrap();
    assert_eq!(heard.take(), upwards);
    bus.stop().unwrap();
    assert!(heard.take().iter().eq(upwards.iter().rev()));
}

/// Theirs never calls a listener on any but one of the names of a signal.
#[test]
fn a_signal_does_what_it_is_mapped_to_by_whichever_of_its_names() {
    let folder = Folder::small();
    folder.site("[http]\nlisten = [\"127.0.0.1:0\"]\n[signals]\nIOT = \"graceful\"\nSIGPOLL = \"exit\"");
    let site = Site::start(program!(), &folder);
    site.signal("ABRT".parse().unwrap());
    site.says("Bus reloaded");
    site.signal("IO".parse().unwrap());
    let ended = site.ends();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("exit with code 0 asked by signal SIGIO (29)"), "{}", ended.stderr);
}

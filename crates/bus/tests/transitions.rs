//! The table of verbs and states, each cell through the public interface.
//!
//! | asked in | start | stop | exit | graceful |
//! |---|---|---|---|---|
//! | STOPPED | run | run once since the last start | stop if not yet run, then exit | prepare, commit |
//! | STARTING | join | queue | skip the rest, stop, exit | queue |
//! | STARTED | done | run | stop, exit | prepare, commit |
//! | STOPPING | queue | join | then exit | queue |
//! | exit asked | refused | refused; done once exited | join, and hurry | refused |

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::time::Duration;

use sitebus_bus::{
    Bus, Commit, Done, EXIT, Error, Exit, GRACEFUL, START, STOP, SettingsMap, State, Ticket, Verb,
};
use sitebus_testkit::{Gate, Recorder, Transcript};

const SOON: Duration = Duration::from_secs(10);

/// A bus whose start, stop and exit can each be held in a listener, and one more listener after that.
struct Site {
    bus: Bus,
    recorder: Recorder,
    start: Gate,
    stop: Gate,
    exit: Gate,
    second: Transcript,
}

impl Site {
    fn new() -> Site {
        let bus = Bus::new("site");
        let recorder = Recorder::of(&bus);
        let gates = [Gate::new(), Gate::new(), Gate::new()];
        gates.iter().for_each(Gate::open);
        let [start, stop, exit] = gates;
        let (held_start, held_stop, held_exit) = (start.clone(), stop.clone(), exit.clone());
        bus.on(START).unwrap().subscribe_at(10, "first", move |_| held_start.pass());
        bus.on(STOP).unwrap().subscribe_at(10, "first", move |_| held_stop.pass());
        bus.on(EXIT).unwrap().subscribe_at(10, "first", move |_| held_exit.pass());
        let second = Transcript::new();
        let [on_start, on_stop, on_exit] = [(); 3].map(|()| second.clone());
        bus.on(START).unwrap().subscribe_at(20, "second", move |_| on_start.note("start"));
        bus.on(STOP).unwrap().subscribe_at(20, "second", move |stop| {
            on_stop.note(format!("stop{}", if stop.hurry().is_set() { " in a hurry" } else { "" }));
        });
        bus.on(EXIT).unwrap().subscribe_at(20, "second", move |exiting| {
            on_exit.note(format!("exit{}", if exiting.hurry().is_set() { " in a hurry" } else { "" }));
        });
        Site { bus, recorder, start, stop, exit, second }
    }

    fn started() -> Site {
        let site = Site::new();
        site.bus.start().unwrap();
        assert_eq!(site.states(), ["STARTING", "STARTED"]);
        site.second.take();
        site
    }

    /// In STARTING, in the first listener.
    fn starting() -> (Site, Ticket) {
        let site = Site::new();
        site.start.close();
        let ticket = site.bus.ask_start();
        site.start.wait_for_arrival(SOON);
        assert_eq!((site.bus.state(), site.states()), (State::Starting, vec!["STARTING".into()]));
        (site, ticket)
    }

    /// In STOPPING, in the first listener.
    fn stopping() -> (Site, Ticket) {
        let site = Site::started();
        site.stop.close();
        let ticket = site.bus.ask_stop();
        site.stop.wait_for_arrival(SOON);
        assert_eq!((site.bus.state(), site.states()), (State::Stopping, vec!["STOPPING".into()]));
        (site, ticket)
    }

    /// Leaving from STARTED, in the first stop listener.
    fn leaving() -> (Site, Ticket) {
        let site = Site::started();
        site.stop.close();
        let ticket = site.ask_exit();
        site.stop.wait_for_arrival(SOON);
        assert_eq!(site.states(), ["STOPPING"]);
        (site, ticket)
    }

    fn ask_exit(&self) -> Ticket {
        self.bus.ask_exit(Exit::success("a test"))
    }

    fn ask_graceful(&self) -> Ticket {
        self.bus.ask_graceful(SettingsMap::new())
    }

    /// The states since this was last asked, and `graceful` for a reload.
    fn states(&self) -> Vec<String> {
        let lines = self.recorder.log().take();
        lines.iter().filter_map(|line| Some(line.strip_prefix("Bus ")?.to_owned())).collect()
    }
}

fn done(ticket: &Ticket) {
    assert_eq!(ticket.wait_for(SOON).unwrap(), Done::Done);
}

#[track_caller]
fn refused(ticket: &Ticket, verb: Verb) {
    let error = ticket.wait_for(SOON).unwrap_err();
    assert!(matches!(error, Error::Refused { asked, .. } if asked == verb), "{error}");
}

#[test]
fn stopped_and_start_runs() {
    let site = Site::new();
    done(&site.bus.ask_start());
    assert_eq!(site.states(), ["STARTING", "STARTED"]);
    assert_eq!(site.second.lines(), ["start"]);
}

#[test]
fn stopped_and_stop_runs_once_since_the_last_start() {
    let site = Site::new();
    done(&site.bus.ask_stop());
    assert_eq!(site.states(), ["STOPPING", "STOPPED"]);
    done(&site.bus.ask_stop());
    assert!(site.states().is_empty());
    site.bus.start().unwrap();
    site.bus.stop().unwrap();
    site.bus.stop().unwrap();
    assert_eq!(site.states(), ["STARTING", "STARTED", "STOPPING", "STOPPED"]);
    assert_eq!(site.second.lines(), ["stop", "start", "stop"]);
}

#[test]
fn stopped_and_exit_stops_if_that_has_not_been_and_exits() {
    let site = Site::new();
    done(&site.ask_exit());
    assert_eq!(site.states(), ["STOPPING", "STOPPED", "EXITING", "EXITED"]);
    assert_eq!(site.second.lines(), ["stop", "exit"]);

    let site = Site::started();
    site.bus.stop().unwrap();
    assert_eq!(site.states(), ["STOPPING", "STOPPED"]);
    done(&site.ask_exit());
    assert_eq!(site.states(), ["EXITING", "EXITED"]);
    assert_eq!(site.second.lines(), ["stop", "exit"]);
}

#[test]
fn stopped_and_graceful_prepares_and_commits() {
    let site = Site::new();
    done(&site.ask_graceful());
    assert_eq!(site.states(), ["graceful", "reloaded"]);
    assert_eq!(
        site.recorder.transcript().lines()[1..],
        ["graceful", "commit", "log INFO site: Bus reloaded"]
    );
    assert_eq!(site.bus.state(), State::Stopped);
}

#[test]
fn starting_and_start_joins() {
    let (site, first) = Site::starting();
    let second = site.bus.ask_start();
    site.start.open();
    done(&first);
    done(&second);
    assert_eq!((site.states(), site.second.lines()), (vec!["STARTED".to_owned()], vec!["start".to_owned()]));
}

#[test]
fn starting_and_stop_is_queued() {
    let (site, start) = Site::starting();
    let stop = site.bus.ask_stop();
    assert!(stop.outcome().is_none());
    site.start.open();
    done(&start);
    done(&stop);
    assert_eq!(site.states(), ["STARTED", "STOPPING", "STOPPED"]);
}

#[test]
fn starting_and_exit_skips_the_rest_and_tells_the_listener_that_runs() {
    let bus = Bus::new("site");
    let heard = Transcript::new();
    let [first, second] = [(); 2].map(|()| heard.clone());
    let (gate, recorder) = (Gate::new(), Recorder::of(&bus));
    let held = gate.clone();
    bus.on(START).unwrap().subscribe("first", move |start| {
        held.pass();
        first.note(format!("cancelled: {}", start.cancelled().wait_until(start.deadline())));
    });
    bus.on(START).unwrap().subscribe("second", move |_| second.note("second"));
    let start = bus.ask_start();
    gate.wait_for_arrival(SOON);
    let exit = bus.ask_exit(Exit::with_code(9, "a test"));
    gate.open();
    let error = start.wait_for(SOON).unwrap_err();
    assert!(matches!(error, Error::Interrupted { asked: Verb::Start, exit } if exit.code() == 9));
    done(&exit);
    assert_eq!(heard.lines(), ["cancelled: true"]);
    let states = ["Bus STARTING", "Bus STOPPING", "Bus STOPPED", "Bus EXITING", "Bus EXITED"];
    assert_eq!(recorder.log().lines(), states);
}

#[test]
fn starting_and_graceful_is_queued() {
    let (site, start) = Site::starting();
    let graceful = site.ask_graceful();
    site.start.open();
    done(&start);
    done(&graceful);
    assert_eq!(site.states(), ["STARTED", "graceful", "reloaded"]);
}

#[test]
fn started_and_start_is_done() {
    let site = Site::started();
    done(&site.bus.ask_start());
    assert!(site.states().is_empty() && site.second.lines().is_empty());
}

#[test]
fn started_and_stop_runs() {
    let site = Site::started();
    done(&site.bus.ask_stop());
    assert_eq!(
        (site.states(), site.bus.state()),
        (vec!["STOPPING".into(), "STOPPED".into()], State::Stopped)
    );
    assert_eq!(site.second.lines(), ["stop"]);
}

#[test]
fn started_and_exit_stops_and_exits() {
    let site = Site::started();
    done(&site.ask_exit());
    assert_eq!(site.states(), ["STOPPING", "STOPPED", "EXITING", "EXITED"]);
    assert_eq!(site.second.lines(), ["stop", "exit"]);
}

#[test]
fn started_again_and_exit_stops_again() {
    let site = Site::started();
    site.bus.stop().unwrap();
    site.bus.start().unwrap();
    done(&site.ask_exit());
    assert_eq!(site.second.lines(), ["stop", "start", "stop", "exit"]);
}

#[test]
fn started_and_graceful_prepares_and_commits() {
    let site = Site::started();
    done(&site.ask_graceful());
    assert_eq!(
        (site.states(), site.bus.state()),
        (vec!["graceful".to_owned(), "reloaded".to_owned()], State::Started)
    );
}

#[test]
fn stopping_and_start_is_queued() {
    let (site, stop) = Site::stopping();
    let start = site.bus.ask_start();
    site.stop.open();
    done(&stop);
    done(&start);
    assert_eq!(site.states(), ["STOPPED", "STARTING", "STARTED"]);
}

#[test]
fn stopping_and_stop_joins() {
    let (site, first) = Site::stopping();
    let second = site.bus.ask_stop();
    site.stop.open();
    done(&first);
    done(&second);
    assert_eq!((site.states(), site.second.lines()), (vec!["STOPPED".to_owned()], vec!["stop".to_owned()]));
}

#[test]
fn stopping_and_stop_joins_in_the_failures_too() {
    let (bus, gate) = (Bus::new("site"), Gate::new());
    let held = gate.clone();
    bus.on(STOP).unwrap().subscribe("fails", move |_| -> anyhow::Result<()> {
        held.pass();
        anyhow::bail!("no")
    });
    bus.start().unwrap();
    let first = bus.ask_stop();
    gate.wait_for_arrival(SOON);
    let second = bus.ask_stop();
    gate.open();
    for ticket in [first, second] {
        let error = ticket.wait_for(SOON).unwrap_err();
        assert_eq!(error.failures().unwrap().first().listener(), "fails");
    }
}

#[test]
fn stopping_and_exit_then_exits() {
    let (site, stop) = Site::stopping();
    let exit = site.ask_exit();
    site.stop.open();
    done(&stop);
    done(&exit);
    assert_eq!(site.states(), ["STOPPED", "EXITING", "EXITED"]);
    assert_eq!(site.second.lines(), ["stop", "exit"]);
}

#[test]
fn stopping_and_graceful_is_queued() {
    let (site, stop) = Site::stopping();
    let graceful = site.ask_graceful();
    site.stop.open();
    done(&stop);
    done(&graceful);
    assert_eq!(site.states(), ["STOPPED", "graceful", "reloaded"]);
}

#[test]
fn once_an_exit_is_asked_start_and_graceful_are_refused_and_stop_is_until_the_end() {
    let (site, exit) = Site::leaving();
    refused(&site.bus.ask_start(), Verb::Start);
    refused(&site.bus.ask_stop(), Verb::Stop);
    refused(&site.ask_graceful(), Verb::Graceful);
    refused(&site.bus.ask_restart("too late"), Verb::Restart);
    site.exit.close();
    site.stop.open();
    site.exit.wait_for_arrival(SOON);
    refused(&site.bus.ask_stop(), Verb::Stop);
    site.exit.open();
    done(&exit);
    done(&site.bus.ask_stop());
    done(&site.ask_exit());
    refused(&site.bus.ask_start(), Verb::Start);
    refused(&site.ask_graceful(), Verb::Graceful);
    refused(&site.bus.ask_restart("too late"), Verb::Restart);
}

#[test]
fn once_an_exit_is_asked_another_joins_and_hurries() {
    let (site, first) = Site::leaving();
    let second = site.ask_exit();
    assert!(first.outcome().is_none() && second.outcome().is_none());
    site.stop.open();
    done(&first);
    done(&second);
    assert_eq!(site.second.lines(), ["stop in a hurry", "exit in a hurry"]);
}

#[test]
fn an_exit_that_is_asked_once_hurries_nobody() {
    let (site, exit) = Site::leaving();
    site.stop.open();
    done(&exit);
    assert_eq!(site.second.lines(), ["stop", "exit"]);
}

#[test]
fn a_second_exit_wakes_a_drain_that_waits_for_the_hurry() {
    let bus = Bus::new("site");
    let (gate, recorder) = (Gate::new(), Recorder::of(&bus));
    gate.open();
    let held = gate.clone();
    bus.on(STOP).unwrap().subscribe("drains", move |stop| {
        held.pass();
        assert!(stop.exit().is_some());
        assert!(stop.hurry().wait_until(stop.deadline()));
    });
    bus.start().unwrap();
    let first = bus.ask_exit(Exit::success("first"));
    gate.wait_for_arrival(SOON);
    done(&bus.ask_exit(Exit::with_code(2, "second")));
    done(&first);
    assert_eq!(bus.block().code(), 0, "the first one counts");
    recorder.log().wait_for("EXITED", SOON).unwrap();
}

#[test]
fn hurry_alone_cuts_a_stop_short_and_does_not_outlast_it() {
    let bus = Bus::new("site");
    let (gate, heard) = (Gate::new(), Transcript::new());
    gate.open();
    let (held, noted) = (gate.clone(), heard.clone());
    bus.on(STOP).unwrap().subscribe("drains", move |stop| {
        noted.note(format!("for an exit: {}, hurried: {}", stop.exit().is_some(), stop.hurry().is_set()));
        held.pass();
        assert!(stop.hurry().wait_until(stop.deadline()));
    });
    bus.hurry(); // nothing runs, so nobody hurries
    for round in 1..3 {
        bus.start().unwrap();
        let stop = bus.ask_stop();
        gate.wait_for_arrivals(round, SOON);
        bus.hurry();
        done(&stop);
    }
    assert_eq!(heard.lines(), ["for an exit: false, hurried: false"; 2]);
}

#[test]
fn one_thread_of_the_bus_runs_every_listener_whoever_asks() {
    let (bus, threads) = (Bus::new("site"), Transcript::new());
    let note = |threads: &Transcript| {
        let threads = threads.clone();
        move || threads.note(format!("{:?}", std::thread::current().id()))
    };
    let [on_start, on_stop, on_exit, on_prepare, on_commit] = [(); 5].map(|()| note(&threads));
    bus.on(GRACEFUL).unwrap().subscribe("prepares", move |_| {
        on_prepare();
        Ok(Commit::nothing())
    });
    bus.on(START).unwrap().subscribe("starts", move |_| on_start());
    bus.on(STOP).unwrap().subscribe("stops", move |_| on_stop());
    bus.on(EXIT).unwrap().subscribe("exits", move |_| on_exit());
    bus.plugin("reloads").at_commit(50, move |_| on_commit());
    std::thread::scope(|scope| {
        scope.spawn(|| bus.start().unwrap());
    });
    bus.graceful().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| bus.stop().unwrap());
    });
    bus.exit().unwrap();
    let lines = threads.lines();
    assert_eq!(lines.len(), 5);
    assert!(lines.iter().all(|line| *line == lines[0]), "{lines:?}");
    assert_ne!(lines[0], format!("{:?}", std::thread::current().id()));
}

#[test]
fn the_last_one_who_asks_gets_what_they_asked_for() {
    let (site, first) = Site::starting();
    let asks = [site.bus.ask_stop(), site.bus.ask_start(), site.bus.ask_stop(), site.bus.ask_start()];
    site.start.open();
    done(&first);
    asks.iter().for_each(done);
    assert_eq!(site.bus.state(), State::Started);
    assert_eq!(
        site.states(),
        [
            "STARTED", "STOPPING", "STOPPED", "STARTING", "STARTED", "STOPPING", "STOPPED", "STARTING",
            "STARTED"
        ]
    );
}

#[test]
fn what_waits_in_the_queue_is_refused_when_an_exit_is_asked() {
    let (site, start) = Site::starting();
    let (stop, graceful) = (site.bus.ask_stop(), site.ask_graceful());
    let again = site.bus.ask_start();
    let exit = site.ask_exit();
    refused(&stop, Verb::Stop);
    refused(&graceful, Verb::Graceful);
    refused(&again, Verb::Start);
    site.start.open();
    assert!(matches!(start.wait_for(SOON).unwrap_err(), Error::Interrupted { .. }));
    done(&exit);
}

#[test]
fn concurrent_asks_from_many_threads_leave_one_consistent_story() {
    let site = Site::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(site.bus.start().unwrap(), Done::Done);
                    assert_eq!(site.bus.stop().unwrap(), Done::Done);
                }
            });
        }
    });
    site.bus.exit().unwrap();
    let states = site.states();
    let mut known = "STOPPED";
    for state in &states {
        let allowed: &[&str] = match known {
            "STOPPED" => &["STARTING", "STOPPING", "EXITING"],
            "STARTING" => &["STARTED"],
            "STARTED" => &["STOPPING"],
            "STOPPING" => &["STOPPED"],
            "EXITING" => &["EXITED"],
            _ => &[],
        };
        assert!(allowed.contains(&state.as_str()), "{state} after {known}");
        known = state;
    }
    assert_eq!(known, "EXITED");
}

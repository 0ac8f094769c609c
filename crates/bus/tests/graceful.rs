//! A reload in two steps: everybody looks, and only if nobody objects does anything change.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{Bus, Commit, Error, Exit, GRACEFUL, Handle, Priority, STOP, SettingsMap, State, Verb};
use sitebus_testkit::{Gate, Transcript, block_on};

const SOON: Duration = Duration::from_secs(10);

/// Says whether it was committed or dropped.
struct Prepared(&'static str, Transcript, bool);

impl Prepared {
    fn commit(mut self, ends: fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.2 = true;
        self.1.note(format!("commit {}", self.0));
        ends()
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.2 {
            self.1.note(format!("abort {}", self.0));
        }
    }
}

fn prepares(bus: &Handle, heard: &Transcript, name: &'static str, ends: fn() -> anyhow::Result<()>) {
    let heard = heard.clone();
    bus.on(GRACEFUL).unwrap().subscribe(name, move |_| {
        heard.note(format!("prepare {name}"));
        let prepared = Prepared(name, heard.clone(), false);
        Ok(Commit::new(move || prepared.commit(ends)))
    });
}

#[test]
fn all_prepare_before_any_commits_in_order() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    ["a", "b", "c"].into_iter().for_each(|name| prepares(&bus, &heard, name, || Ok(())));
    assert!(bus.last_graceful().is_none());
    bus.graceful().unwrap();
    let expected = ["prepare a", "prepare b", "prepare c", "commit a", "commit b", "commit c"];
    assert_eq!(heard.lines(), expected);
    assert!(bus.last_graceful().unwrap().is_ok());
}

#[test]
fn one_veto_aborts_everything_in_reverse_order_and_nothing_changes() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    ["a", "b"].into_iter().for_each(|name| prepares(&bus, &heard, name, || Ok(())));
    bus.on(GRACEFUL).unwrap().subscribe("refuses", |_| Err(anyhow!("line 7: no such port")));
    prepares(&bus, &heard, "c", || Ok(()));
    let error = bus.graceful().unwrap_err();
    let expected = ["prepare a", "prepare b", "prepare c", "abort c", "abort b", "abort a"];
    assert_eq!(heard.lines(), expected);
    assert!(matches!(&error, Error::Vetoed { failures, .. } if failures.first().listener() == "refuses"));
    assert_eq!(
        error.to_string(),
        "graceful was refused and nothing has changed: 'refuses' failed on 'graceful': line 7: no such port"
    );
    assert!(matches!(bus.last_graceful(), Some(Err(Error::Vetoed { .. }))));
    assert_eq!(bus.state(), State::Stopped);
}

#[test]
fn every_veto_is_reported() {
    let bus = Bus::new("site");
    bus.on(GRACEFUL).unwrap().subscribe("one", |_| Err(anyhow!("no")));
    bus.on(GRACEFUL).unwrap().subscribe("two", |_| -> anyhow::Result<Commit> { panic!("never") });
    let error = bus.graceful().unwrap_err();
    assert_eq!(
        error.failures().unwrap().iter().map(|failure| failure.listener()).collect::<Vec<_>>(),
        ["one", "two"]
    );
}

#[test]
fn a_commit_that_fails_is_reported_and_the_rest_commit_all_the_same() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    prepares(&bus, &heard, "a", || Err(anyhow!("too late")));
    prepares(&bus, &heard, "b", || panic!("far too late"));
    prepares(&bus, &heard, "c", || Ok(()));
    let error = bus.graceful().unwrap_err();
    assert!(
        matches!(&error, Error::Failed { asked: Verb::Graceful, failures } if failures.len() == 2),
        "{error}"
    );
    assert_eq!(heard.lines()[3..], ["commit a", "commit b", "commit c"]);
    assert!(matches!(bus.last_graceful(), Some(Err(Error::Failed { .. }))));
    bus.graceful().unwrap_err();
    assert_eq!(heard.lines().len(), 12, "the next reload finds everything as it was");
}

#[test]
fn the_last_result_is_that_of_the_last_reload() {
    let (bus, gate) = (Bus::new("site"), Gate::new());
    gate.open();
    bus.graceful().unwrap();
    let refuses = bus.on(GRACEFUL).unwrap().subscribe("refuses", |_| Err(anyhow!("no")));
    bus.graceful().unwrap_err();
    assert!(bus.last_graceful().unwrap().is_err());
    refuses.unsubscribe();
    bus.graceful().unwrap();
    assert!(bus.last_graceful().unwrap().is_ok());
}

#[derive(Debug, PartialEq)]
struct Port(u16);

#[test]
fn settings_are_carried_by_type_and_later_listeners_get_what_earlier_ones_offer() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let plugin = bus.plugin("file");
    plugin.on_graceful(sitebus_bus::priority::SETTINGS, |graceful| {
        assert_eq!(graceful.get::<Port>().as_deref(), Some(&Port(80)));
        assert_eq!(graceful.get::<u8>(), None);
        graceful.offer(Port(8080)); // a later offer of the same type wins
        graceful.offer("offered".to_owned());
        Ok(Commit::nothing())
    });
    let noted = heard.clone();
    plugin.on_graceful(Priority::DEFAULT, move |graceful| {
        let port = graceful.get::<Port>().unwrap();
        let noted = noted.clone();
        let text = graceful.get::<String>().unwrap();
        Ok(Commit::new(move || {
            noted.note(format!("{port:?} {text}"));
            Ok(())
        }))
    });
    let settings = SettingsMap::new().with(Port(1)).with(Port(80));
    bus.ask_graceful(settings).wait_for(SOON).unwrap();
    assert_eq!(heard.lines(), ["Port(8080) offered"]);
}

#[test]
fn a_reload_without_settings_has_none_left_over_from_the_last_one() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let noted = heard.clone();
    bus.plugin("looks").at_commit(50, move |graceful| noted.note(format!("{:?}", graceful.get::<Port>())));
    bus.ask_graceful(SettingsMap::new().with(Port(80))).wait_for(SOON).unwrap();
    bus.graceful().unwrap();
    assert_eq!(heard.lines(), ["Some(Port(80))", "None"]);
}

#[test]
fn settings_are_freed_when_the_reload_is_over_or_refused() {
    let bus = Bus::new("site");
    let token = Arc::new(());
    let weak = Arc::downgrade(&token);
    bus.ask_graceful(SettingsMap::new().with(token)).wait_for(SOON).unwrap();
    bus.start().unwrap(); // by now the lane has put away what the reload needed
    assert!(weak.upgrade().is_none());
    let token = Arc::new(());
    let weak = Arc::downgrade(&token);
    bus.exit().unwrap();
    bus.ask_graceful(SettingsMap::new().with(token)).wait_for(SOON).unwrap_err();
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_plain_closure_runs_once_and_only_at_the_commit() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let noted = heard.clone();
    bus.plugin("plain").at_commit(Priority::new(1), move |_| noted.note("plain"));
    prepares(&bus, &heard, "last to prepare", || Ok(()));
    bus.graceful().unwrap();
    assert_eq!(heard.take(), ["prepare last to prepare", "plain", "commit last to prepare"]);
    bus.on(GRACEFUL).unwrap().subscribe("refuses", |_| Err(anyhow!("no")));
    bus.graceful().unwrap_err();
    assert!(!heard.lines().contains(&"plain".to_owned()));
}

#[test]
fn an_exit_during_the_looking_aborts_and_one_during_the_commits_lets_them_end() {
    for in_prepare in [true, false] {
        let (bus, heard, gate) = (Bus::new("site"), Transcript::new(), Gate::new());
        prepares(&bus, &heard, "a", || Ok(()));
        let held = gate.clone();
        bus.on(GRACEFUL).unwrap().subscribe("is held", move |graceful| {
            let (held, graceful) = (held.clone(), graceful.clone());
            let pass = move || {
                held.pass();
                assert_eq!(graceful.cancelled().is_set(), in_prepare);
                Ok(())
            };
            if in_prepare { pass().map(|()| Commit::nothing()) } else { Ok(Commit::new(pass)) }
        });
        prepares(&bus, &heard, "b", || Ok(()));
        let reload = bus.ask_graceful(SettingsMap::new());
        gate.wait_for_arrival(SOON);
        let exit = bus.ask_exit(Exit::success("a test"));
        gate.open();
        if in_prepare {
            let error = reload.wait_for(SOON).unwrap_err();
            assert!(matches!(error, Error::Interrupted { asked: Verb::Graceful, .. }), "{error}");
            assert_eq!(heard.lines(), ["prepare a", "abort a"]);
        } else {
            reload.wait_for(SOON).unwrap();
            assert_eq!(heard.lines(), ["prepare a", "prepare b", "commit a", "commit b"]);
        }
        exit.wait_for(SOON).unwrap();
        assert_eq!(bus.block().code(), 0);
    }
}

#[test]
fn a_listener_that_returns_an_exit_ends_the_looking_and_a_commit_that_does_ends_nothing() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    prepares(&bus, &heard, "a", || Ok(()));
    bus.on(GRACEFUL).unwrap().subscribe("leaves", |_| Err(Exit::with_code(8, "reload").into()));
    prepares(&bus, &heard, "b", || Ok(()));
    assert!(matches!(bus.graceful().unwrap_err(), Error::Interrupted { .. }));
    assert_eq!(bus.block().code(), 8);
    assert_eq!(heard.lines(), ["prepare a", "abort a"]);

    let (bus, heard) = (Bus::new("site"), Transcript::new());
    prepares(&bus, &heard, "a", || Err(Exit::with_code(9, "commit").into()));
    prepares(&bus, &heard, "b", || Ok(()));
    bus.graceful().unwrap();
    assert_eq!((bus.block().code(), heard.lines().len()), (9, 4));
    assert_eq!(heard.lines()[2..], ["commit a", "commit b"]);
}

#[test]
fn plain_reloads_that_wait_are_one_and_those_with_settings_are_each_their_own() {
    let (bus, heard, gate) = (Bus::new("site"), Transcript::new(), Gate::new());
    let (held, noted) = (gate.clone(), heard.clone());
    bus.on(GRACEFUL).unwrap().subscribe("notes", move |graceful| {
        noted.note(graceful.get::<Port>().map_or("plain".to_owned(), |port| port.0.to_string()));
        held.pass();
        Ok(Commit::nothing())
    });
    let first = bus.ask_graceful(SettingsMap::new());
    gate.wait_for_arrival(SOON);
    // It may have read the settings before they changed, so the one that runs is not joined.
    let waiting = [
        bus.ask_graceful(SettingsMap::new()),
        bus.ask_graceful(SettingsMap::new()),
        bus.ask_graceful(SettingsMap::new().with(Port(1))),
        bus.ask_graceful(SettingsMap::new().with(Port(2))),
        bus.ask_graceful(SettingsMap::new()),
    ];
    gate.open();
    first.wait_for(SOON).unwrap();
    for ticket in waiting {
        ticket.wait_for(SOON).unwrap();
    }
    assert_eq!(heard.lines(), ["plain", "plain", "1", "2", "plain"]);
}

#[test]
fn a_reload_asked_for_by_a_graceful_listener_comes_after_the_one_that_runs() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let (handle, noted) = (bus.handle(), heard.clone());
    bus.on(GRACEFUL).unwrap().subscribe("asks once", move |_| {
        if noted.lines().is_empty() {
            assert_eq!(handle.graceful().unwrap(), sitebus_bus::Done::Noted);
        }
        noted.note("prepare");
        Ok(Commit::nothing())
    });
    bus.graceful().unwrap();
    assert_eq!(block_on(bus.ask_stop(), SOON).unwrap().unwrap(), sitebus_bus::Done::Done);
    assert_eq!(heard.lines(), ["prepare", "prepare"]);
}

#[test]
fn a_reload_changes_no_state_and_stops_nothing() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let noted = heard.clone();
    bus.on(STOP).unwrap().subscribe("stops", move |_| noted.note("stop"));
    bus.start().unwrap();
    let leaves = bus.when([State::Stopping, State::Stopped, State::Exiting]);
    bus.graceful().unwrap();
    assert_eq!(bus.state(), State::Started);
    block_on(leaves, Duration::from_millis(1)).unwrap_err();
    assert!(heard.lines().is_empty());
}

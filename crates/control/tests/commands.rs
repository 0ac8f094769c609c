//! Every command, against a real bus.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use common::{LONG, MOMENT, Site, ask_aside, soon};
use sitebus_bus::{Cause, Commit, RESTART, STOP, State, priority, topics};
use sitebus_control::{AskError, Command, Event, Request, Settings, Verdict};
use sitebus_testkit::Gate;

#[test]
fn status_says_how_the_site_is() {
    let site = Site::new();
    let status = site.ask(Command::Status).status().unwrap();
    assert_eq!((status.state.as_str(), status.listening.len()), ("STOPPED", 0));

    let listening = site.bus.on(topics::LISTENING).unwrap();
    site.bus.plugin("server").on_start(priority::SERVER, move |_| {
        Ok(["http://127.0.0.1:8080", "unix:/run/shop.sock", "http://127.0.0.1:8080"]
            .iter()
            .try_for_each(|address| listening.publish(address))?)
    });
    site.bus.start().unwrap();
    site.bus.graceful().unwrap();
    let outcome = site.ask(Command::Status);
    let status = outcome.status().unwrap();
    assert_eq!((status.name.as_str(), status.pid), ("shop", std::process::id()));
    assert_eq!((status.state.as_str(), status.version.as_str()), ("STARTED", "1.2.3"));
    assert_eq!(status.listening, ["http://127.0.0.1:8080", "unix:/run/shop.sock"]);
    assert_eq!(status.reloads, 1);
    assert_eq!(status.last_reload.unwrap().result, Verdict::Done);
    assert_eq!((status.exit, status.failed_restart, status.missing), (None, None, None));
    assert!(status.uptime_ms < LONG.as_millis() as u64);
    assert_eq!(outcome.message(), format!("the site 'shop' is STARTED, process {}", std::process::id()));
    assert!(outcome.json().starts_with(r#"{"version":1,"result":"done","#), "{}", outcome.json());
    assert_eq!(site.client().pid(), Some(std::process::id()));
}

#[test]
fn plugins_add_lines_to_the_status() {
    let site = Site::with(|settings| settings.status_time = LONG);
    let channel = site.bus.on(topics::STATUS).unwrap();
    channel.subscribe("workers", |()| Ok(("workers".to_owned(), "4 of 4".to_owned())));
    channel.subscribe("broken", |()| -> anyhow::Result<(String, String)> { bail!("no figures") });
    let status = site.ask(Command::Status).status().unwrap();
    assert_eq!(status.more, [("workers".to_owned(), "4 of 4".to_owned())]);
    assert_eq!(status.missing.unwrap(), "'broken' failed on 'status': no figures");
}

#[test]
fn a_line_that_does_not_come_keeps_the_status_from_nobody() {
    let site = Site::with(|settings| settings.status_time = MOMENT / 10);
    let gate = Gate::new();
    let held = gate.clone();
    site.bus.on(topics::STATUS).unwrap().subscribe("hangs", move |()| {
        held.pass();
        Ok((String::new(), String::new()))
    });
    for _ in 0..100 {
        // Longer than the queue of those who wait for the thread that hangs.
        let status = site.ask(Command::Status).status().unwrap();
        assert!(status.missing.unwrap().contains("has not returned"));
    }
    gate.open();
}

#[test]
fn stop_exits_and_says_which_phases_pass() {
    let site = Site::started();
    let asking = ask_aside(site.client(), Command::Stop);
    let exit = site.bus.block();
    let Cause::Asked { by } = exit.cause() else { panic!("{exit}") };
    assert!(by.starts_with("the command stop (process "), "{by}");
    let events: Vec<_> = asking.events.iter().collect();
    let state = |state: &str| Event::State(state.to_owned());
    let expected =
        [Event::Accepted("STARTED".to_owned()), state("STOPPING"), state("STOPPED"), state("EXITING")];
    assert_eq!(events, expected);
    let outcome = asking.outcome();
    assert_eq!((outcome.verdict(), outcome.message()), (Verdict::Done, "the site has exited"));
    assert!(!site.path().exists());
}

#[test]
fn a_stop_in_which_listeners_fail_names_them() {
    let site = Site::started();
    site.bus.on(STOP).unwrap().subscribe("cellar", |_| -> anyhow::Result<()> { bail!("flooded") });
    let outcome = site.ask(Command::Stop);
    assert_eq!((outcome.verdict(), outcome.exit_status()), (Verdict::Failed, 1));
    let [culprit] = outcome.failures() else { panic!("{outcome:?}") };
    assert_eq!((culprit.listener.as_str(), culprit.channel.as_str()), ("cellar", "stop"));
    assert!(outcome.message().contains("flooded"), "{}", outcome.message());
    let _ = site.bus.block();
}

#[test]
fn a_second_stop_cuts_the_drain_of_the_first_short() {
    let site = Site::started();
    site.bus.plugin("drain").on_stop(priority::STOP_SERVER, |stop| {
        assert!(stop.hurry().wait_until(stop.deadline()), "not hurried");
    });
    let first = ask_aside(site.client(), Command::Stop);
    first.expect(&Event::State("STOPPING".to_owned()));
    let status = site.ask(Command::Status).status().unwrap();
    assert_eq!(status.state, "STOPPING");
    assert!(status.exit.unwrap().contains("the command stop"));
    let second = ask_aside(site.client(), Command::Stop);
    assert_eq!(site.bus.block().code(), 0);
    assert_eq!((first.outcome().verdict(), second.outcome().verdict()), (Verdict::Done, Verdict::Done));
}

#[test]
fn a_start_that_hangs_is_seen_and_stopped() {
    let site = Site::new();
    let gate = Gate::new();
    let held = gate.clone();
    site.bus.plugin("slow").on_start(priority::SITE, move |_| held.pass());
    let start = site.bus.ask_start();
    gate.wait_for_arrival(LONG);
    assert_eq!(site.ask(Command::Status).status().unwrap().state, "STARTING");
    let stop = ask_aside(site.client(), Command::Stop);
    stop.expect(&Event::Accepted("STARTING".to_owned()));
    let refused = site.ask(Command::Reload);
    assert_eq!(refused.verdict(), Verdict::Refused, "{refused:?}");
    gate.open();
    let _ = site.bus.block();
    assert!(start.wait().is_err());
    assert_eq!(stop.outcome().exit_status(), 0);
}

#[test]
fn a_stop_that_nobody_waits_for_is_answered_at_once() {
    let site = Site::started();
    let gate = Gate::new();
    let held = gate.clone();
    site.bus.plugin("slow").on_stop(priority::SITE, move |_| held.pass());
    let request = Request::new(Command::Stop).without_waiting();
    let outcome = site.client().ask(request, soon(), |_| {}).unwrap();
    assert_eq!((outcome.verdict(), outcome.exit_status()), (Verdict::Asked, 0));
    gate.open();
    let _ = site.bus.block();
}

#[test]
fn whoever_has_no_patience_left_is_told_what_still_goes_on() {
    let site = Site::started();
    let gate = Gate::new();
    let held = gate.clone();
    site.bus.plugin("slow").on_stop(priority::SITE, move |_| held.pass());
    let mut client = site.client();
    let error = client.ask(Command::Stop, Instant::now() + MOMENT, |_| {}).unwrap_err();
    assert_eq!(error.exit_status(), 3);
    assert!(matches!(error, AskError::TimedOut { .. }));
    assert!(error.to_string().contains("stop had not been done; it still goes on"), "{error}");
    let error = client.ask(Command::Status, soon(), |_| {}).unwrap_err();
    assert!(matches!(error, AskError::Ended { .. }), "the answer to a stop is none to this: {error}");
    gate.open();
    let _ = site.bus.block();
}

#[test]
fn a_reload_is_done_or_refused_with_who_objects() {
    let site = Site::started();
    let reload = site.ask(Command::Reload);
    assert_eq!((reload.verdict(), reload.message()), (Verdict::Done, "the new settings are taken up"));
    site.bus.plugin("thermostat").on_graceful(priority::SITE, |_| bail!("99 degrees is too hot"));
    let reload = site.ask(Command::Reload);
    assert_eq!((reload.verdict(), reload.exit_status()), (Verdict::Refused, 1));
    assert!(reload.message().contains("99 degrees is too hot"), "{}", reload.message());
    assert_eq!(reload.failures()[0].listener, "thermostat");
    let status = site.ask(Command::Status).status().unwrap();
    assert_eq!((status.reloads, status.last_reload.unwrap().result), (1, Verdict::Refused));
}

#[test]
fn a_reload_whose_commit_fails_has_failed() {
    let site = Site::started();
    site.bus
        .plugin("thermostat")
        .on_graceful(priority::SITE, |_| Ok(Commit::new(|| bail!("the valve is stuck"))));
    let reload = site.ask(Command::Reload);
    assert_eq!((reload.verdict(), reload.failures().len()), (Verdict::Failed, 1));
    assert_eq!(site.ask(Command::Status).status().unwrap().last_reload.unwrap().result, Verdict::Failed);
}

#[test]
fn its_own_settings_are_taken_up_but_the_socket_stays_where_it_is() {
    let site = Site::started();
    let new = |change: fn(&mut Settings)| {
        let mut settings = common::settings(&site.folder);
        change(&mut settings);
        site.bus.ask_graceful(sitebus_bus::SettingsMap::new().with(settings)).wait()
    };
    new(|settings| settings.version = "2".to_owned()).unwrap();
    assert_eq!(site.ask(Command::Status).status().unwrap().version, "2");
    let error = new(|settings| settings.path = "elsewhere.sock".into()).unwrap_err().to_string();
    assert!(error.contains("the control socket stays where it is"), "{error}");
}

#[test]
fn a_restart_that_is_vetoed_is_refused_and_the_site_goes_on() {
    let site = Site::started();
    site.bus
        .on(RESTART)
        .unwrap()
        .subscribe("look", |_| -> anyhow::Result<()> { bail!("the new program does not start") });
    let outcome = site.ask(Command::Restart);
    assert_eq!((outcome.verdict(), outcome.exit_status()), (Verdict::Refused, 1));
    assert_eq!(outcome.failures()[0].listener, "look");
    assert!(outcome.message().contains("the new program does not start"), "{}", outcome.message());
    assert_eq!(site.bus.state(), State::Started);
}

#[test]
fn what_comes_after_a_stop_is_refused_with_the_reason() {
    let site = Site::started();
    let gate = Gate::new();
    let held = gate.clone();
    site.bus.plugin("slow").on_stop(priority::SITE, move |_| held.pass());
    drop(site.bus.ask_exit(sitebus_bus::Exit::success("closing time")));
    gate.wait_for_arrival(LONG);
    for command in [Command::Reload, Command::Restart] {
        for request in [Request::new(command), Request::new(command).without_waiting()] {
            let outcome = site.client().ask(request, soon(), |_| {}).unwrap();
            assert_eq!(outcome.verdict(), Verdict::Refused, "{command}");
            assert!(outcome.message().contains("closing time"), "{}", outcome.message());
        }
    }
    gate.open();
    let _ = site.bus.block();
}

#[test]
fn reopen_publishes_and_names_who_failed() {
    let site = Site::started();
    let opened = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&opened);
    let channel = site.bus.on(topics::REOPEN).unwrap();
    let subscription = channel.subscribe("log", move |()| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    assert_eq!(site.ask(Command::Reopen).verdict(), Verdict::Done);
    assert_eq!(opened.load(Ordering::SeqCst), 1);
    subscription.unsubscribe();

    channel.subscribe("access", |()| -> anyhow::Result<()> { bail!("disk full") });
    let outcome = site.ask(Command::Reopen);
    assert_eq!((outcome.verdict(), outcome.failures()[0].listener.as_str()), (Verdict::Failed, "access"));
}

#[test]
fn a_reopen_that_hangs_is_given_up_and_says_so() {
    let site = Site::with(|settings| settings.reopen_time = MOMENT);
    let gate = Gate::new();
    let held = gate.clone();
    site.bus.on(topics::REOPEN).unwrap().subscribe("hangs", move |()| held.pass());
    let outcome = site.ask(Command::Reopen);
    assert_eq!(outcome.verdict(), Verdict::Failed);
    assert!(outcome.message().contains("was not done within 50ms"), "{}", outcome.message());
    gate.open();
}

#[test]
fn tools_get_timings_slowest_first_and_all_channels() {
    let site = Site::new();
    site.bus.plugin("quick").on_start(priority::SITE, |_| {});
    site.bus.plugin("slow").on_start(priority::SITE, |start| {
        let _ = start.cancelled().wait_until(Instant::now() + Duration::from_millis(5));
    });
    site.bus.start().unwrap();
    let timings = site.ask(Command::Timings).timings().unwrap();
    assert!(timings.windows(2).all(|pair| pair[0].took_us >= pair[1].took_us));
    let slow = &timings[0];
    assert_eq!(
        (slow.listener.as_str(), slow.step.as_str(), slow.outcome.as_str()),
        ("slow", "start", "done")
    );
    let channels = site.ask(Command::Channels).channels().unwrap();
    let start = channels.iter().find(|channel| channel.name == "start").unwrap();
    assert_eq!(start.listeners, [(50, "quick".to_owned()), (50, "slow".to_owned())]);
}

#[test]
fn one_connection_may_ask_several_times_and_a_ping_is_cheap() {
    let site = Site::started();
    let mut client = site.client();
    assert_eq!(client.state(), "STARTED");
    for _ in 0..1000 {
        assert_eq!(client.ask(Command::Ping, soon(), |_| {}).unwrap().verdict(), Verdict::Done);
    }
    assert_eq!(client.ask(Command::Reload, soon(), |_| {}).unwrap().verdict(), Verdict::Done);
    assert_eq!(client.ask(Command::Stop, soon(), |_| {}).unwrap().verdict(), Verdict::Done);
}

//! The plugin in the life of a bus: what a change leads to, starts and stops, reloads, and other people's listeners.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod site;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use site::{LONG, Site, folder, publishing};
use sitebus_autoreload::{Action, Autoreload, AutoreloadError, Brake, Settings};
use sitebus_bus::{Bus, LOG, Priority, RESTART, Record, SettingsMap, State, topics};
use sitebus_testkit::Gate;

#[test]
fn a_change_becomes_a_restart_that_names_the_file() {
    let folder = folder();
    let settings = Settings { action: Action::Restart, ..publishing(&folder, ["pages"]) };
    let site = Site::with(settings, folder);
    fs::create_dir(site.path("pages")).unwrap();
    site.write("pages/a.html", "1");
    let exit = site.bus.block();
    assert!(exit.is_restart());
    assert_eq!(exit.to_string(), "restart asked by autoreload: pages/a.html was created");
    let lines = site.heard.lines();
    assert!(lines.contains(&"INFO pages/a.html was created: restarting".to_owned()), "{lines:?}");
    assert!(lines.contains(&"changed: pages/a.html".to_owned()), "{lines:?}");
}

#[test]
fn a_change_becomes_a_reload_if_that_is_wanted() {
    let folder = folder();
    let settings = Settings { action: Action::Graceful, ..publishing(&folder, ["a"]) };
    let site = Site::with(settings, folder);
    let note = site.heard.clone();
    site.bus.plugin("test").at_commit(Priority::DEFAULT, move |_| note.note("reloaded"));
    site.write("a", "1");
    site.heard.wait_for("reloaded", LONG).unwrap();
    assert_eq!(site.bus.state(), State::Started);
    assert!(site.heard.lines().contains(&"INFO a was created: reloading".to_owned()));
}

#[test]
fn a_restart_that_somebody_objects_to_is_asked_for_again_with_the_next_change() {
    let folder = folder();
    let settings = Settings { action: Action::Restart, ..publishing(&folder, ["a"]) };
    let site = Site::stopped(settings, folder);
    let path = site.path("a");
    site.bus.on(RESTART).unwrap().subscribe("looks", move |_| {
        anyhow::ensure!(fs::read_to_string(&path)? == "good", "it is not good");
        Ok(())
    });
    let (note, log) = (site.heard.clone(), site.bus.on(LOG).unwrap());
    log.subscribe("all", move |record: &Record| note.note(format!("{}: {}", record.source, record.message)));
    site.bus.start().unwrap();
    site.write("a", "bad");
    site.heard.wait_for("it is not good", LONG).unwrap();
    assert_eq!(site.bus.state(), State::Started);
    site.write("a", "good");
    assert!(site.bus.block().is_restart());
}

#[test]
fn nothing_is_watched_before_a_start_or_after_a_stop() {
    let folder = folder();
    let site = Site::stopped(publishing(&folder, ["a"]), folder);
    site.write("a", "before the start");
    site.bus.start().unwrap();
    site.expect_nothing_but("a");
    site.bus.stop().unwrap();
    site.write("a", "while nobody looks");
    site.bus.start().unwrap();
    site.expect_nothing_but("a");
}

#[test]
fn what_a_site_writes_while_it_starts_is_no_change() {
    let folder = folder();
    let path = folder.path().join("made");
    let site = Site::stopped(publishing(&folder, ["."]), folder);
    site.bus
        .plugin("assets")
        .on_start(Priority::DEFAULT, move |_| fs::write(&path, "made").map_err(Into::into));
    site.bus.start().unwrap();
    site.expect_nothing_but("a");
}

#[test]
fn frameworks_add_files_and_take_them_back() {
    let site = Site::watching([]);
    let (watch, unwatch) = (site.bus.on(topics::WATCH).unwrap(), site.bus.on(topics::UNWATCH).unwrap());
    site.write("a", "1");
    fs::create_dir_all(site.path("pages/deep")).unwrap();
    site.write("pages/deep/c", "1");
    watch.publish(&[PathBuf::from("a"), site.path("b"), "pages".into()]).unwrap();
    site.write("a", "22");
    site.expect("a");
    site.write("b", "1");
    site.expect("b");
    site.write("pages/deep/c", "22");
    site.expect("pages/deep/c");
    unwatch.publish(&[site.path("a"), "pages".into(), "never".into()]).unwrap();
    site.write("a", "333");
    site.write("pages/deep/c", "333");
    site.expect_nothing_but("b");
}

#[test]
fn a_file_counts_from_the_moment_at_which_it_was_named() {
    let folder = folder();
    fs::write(folder.path().join("a"), "1").unwrap();
    let site = Site::stopped(publishing(&folder, []), folder);
    let (watch, path) = (site.bus.on(topics::WATCH).unwrap(), site.path("a"));
    // A framework names and reads its template while it starts; somebody saves it before the start is over.
    site.bus.plugin("framework").on_start(Priority::DEFAULT, move |_| {
        watch.publish(&["a".into()])?;
        fs::write(&path, "22")?;
        Ok(())
    });
    site.bus.start().unwrap();
    site.expect("a");
}

#[test]
fn named_files_are_watched_again_after_a_stop() {
    let site = Site::watching([]);
    site.bus.on(topics::WATCH).unwrap().publish(&["a".into()]).unwrap();
    site.bus.stop().unwrap();
    site.write("a", "while nobody looks");
    site.bus.start().unwrap();
    site.expect_nothing_but("a");
}

#[test]
fn listeners_of_a_change_may_stop_the_bus_and_wait_for_it() {
    let folder = folder();
    let settings = Settings { action: Action::Restart, ..publishing(&folder, ["a"]) };
    let site = Site::stopped(settings, folder);
    let (bus, note) = (site.bus.handle(), site.heard.clone());
    site.bus.on(topics::CHANGED).unwrap().subscribe("stops", move |_: &[PathBuf]| {
        let begun = Instant::now();
        note.note(format!("stopped: {:?} {}", bus.stop(), begun.elapsed() < Duration::from_secs(10)));
    });
    site.bus.start().unwrap();
    site.write("a", "1");
    site.heard.wait_for("stopped: Ok(Done) true", LONG).unwrap();
    site.bus.exit().unwrap();
    assert!(
        !site.bus.block().is_restart(),
        "a stop that a listener asked for is not overruled by the change"
    );
}

#[test]
fn a_restart_by_a_listener_of_a_change_is_done() {
    let folder = folder();
    let site = Site::stopped(publishing(&folder, ["a"]), folder);
    let bus = site.bus.handle();
    site.bus.on(topics::CHANGED).unwrap().subscribe("restarts", move |_: &[PathBuf]| {
        let _ = bus.restart();
    });
    site.bus.start().unwrap();
    site.write("a", "1");
    assert!(site.bus.block().is_restart());
}

#[test]
fn a_listener_that_hangs_does_not_hold_up_the_stop() {
    let gate = Gate::new();
    let folder = folder();
    let site = Site::stopped(publishing(&folder, ["a"]), folder);
    let passed = gate.clone();
    site.bus.on(topics::CHANGED).unwrap().subscribe("hangs", move |_: &[PathBuf]| passed.pass());
    site.bus.start().unwrap();
    site.write("a", "1");
    gate.wait_for_arrival(LONG);
    site.bus.stop().unwrap();
    gate.open();
    site.bus.exit().unwrap();
}

#[test]
fn a_reload_brings_new_settings_or_a_veto() {
    let folder = folder();
    let settings = publishing(&folder, ["a"]);
    let site = Site::with(settings.clone(), folder);
    let reload =
        |settings: &Settings| site.bus.ask_graceful(SettingsMap::new().with(settings.clone())).wait();

    reload(&settings).unwrap();
    site.expect_nothing_but("a");
    let other = Settings { paths: vec!["b".into()], folder: None, ..settings.clone() };
    reload(&other).unwrap();
    site.write("a", "nobody watches it any more");
    site.expect_nothing_but("b");

    let bad = Settings { ignore: vec!["[".into()], ..other.clone() };
    let veto = reload(&bad).unwrap_err().to_string();
    assert!(veto.contains("'[' in ignore is no glob"), "{veto}");
    let moved = Settings { folder: Some("/elsewhere".into()), ..other };
    let veto = reload(&moved).unwrap_err().to_string();
    assert!(veto.contains("for as long as the process lives"), "{veto}");
    site.write("b", "still watched");
    site.expect("b");
}

#[test]
fn the_brake_holds_the_third_restart_and_lets_it_through_when_there_is_room() {
    let folder = folder();
    let brake = Brake { times: 2, within: Duration::from_secs(2), file: Some("brake".into()) };
    // The brake's own file lies in the watched folder, and is no change.
    let settings = Settings { action: Action::Restart, brake, ..publishing(&folder, ["."]) };
    let root = folder.path().to_owned();
    let mut folder = Some(folder);
    let begun = Instant::now();
    let mut held = Vec::new();
    for image in 0..3 {
        // Each image of the program is another bus, which knows of the others by the file alone.
        let folder = folder.take().unwrap_or_else(site::folder);
        let site = Site::with(settings.clone(), folder);
        fs::write(root.join("written-at-start"), "x".repeat(image + 1)).unwrap();
        assert!(site.bus.block().is_restart());
        held.extend(site.heard.lines().into_iter().filter(|line| line.starts_with("WARN")));
        if image == 0 {
            let kept = site.folder.keep();
            assert_eq!(kept, root);
        }
    }
    assert!(begun.elapsed() >= Duration::from_secs(2), "the third was let through at once");
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(
        held[0].starts_with("WARN written-at-start changed, but that is one change too many: 2 within 2s"),
        "{held:?}"
    );
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_stop_ends_the_wait_of_the_brake() {
    let folder = folder();
    let brake = Brake { times: 1, within: Duration::from_secs(600), file: None };
    let settings = Settings { action: Action::Graceful, brake, ..publishing(&folder, ["a"]) };
    let site = Site::with(settings, folder);
    site.write("a", "1");
    site.heard.wait_for("reloading", LONG).unwrap();
    site.write("a", "22");
    site.heard.wait_for("one change too many", LONG).unwrap();
    site.bus.exit().unwrap();
}

#[test]
fn polling_sees_what_events_would() {
    let folder = folder();
    let settings = Settings { poll: Some(Duration::from_millis(10)), ..publishing(&folder, ["pages"]) };
    let site = Site::with(settings, folder);
    fs::create_dir(site.path("pages")).unwrap();
    site.write("pages/a", "1");
    site.expect("pages/a");
    fs::remove_file(site.path("pages/a")).unwrap();
    site.expect("pages/a");
}

#[test]
fn whoever_unsubscribes_is_told_nothing_more() {
    let site = Site::watching(["a"]);
    let Site { bus, heard, subscribed, folder } = site;
    subscribed.unsubscribe();
    fs::write(folder.path().join("a"), "1").unwrap();
    bus.stop().unwrap();
    bus.start().unwrap();
    bus.exit().unwrap();
    assert!(heard.lines().iter().all(|line| !line.starts_with("changed")), "{:?}", heard.lines());
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let bus = Bus::new("site");
    let refused = |settings| Autoreload::new(settings).subscribe(&bus).unwrap_err();
    let poll = Some(Duration::ZERO);
    assert!(matches!(refused(Settings { poll, ..Settings::default() }), AutoreloadError::NoInterval));
    let before = Some(sitebus_autoreload::Before::new([""]));
    assert!(matches!(refused(Settings { before, ..Settings::default() }), AutoreloadError::NoCommand));
}

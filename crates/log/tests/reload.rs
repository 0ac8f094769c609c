//! What a reload changes, and what it refuses.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use sitebus_bus::{Bus, Commit, GRACEFUL, Level, SettingsMap, priority};
use sitebus_log::{Filter, Format, Log, Settings, Target};
use support::{json_to_file, read, to, to_file, wait_for};

#[test]
fn the_level_of_each_source_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.log");
    let bus = Bus::new("site");
    let http = bus.plugin("http");
    let subscribed = Log::new(to_file(&path)).unwrap().subscribe(&bus).unwrap();
    let speak = |round: &str| {
        http.log(Level::Debug, format!("{round} debug"));
        bus.log(Level::Info, format!("{round} info"));
        bus.log(Level::Warn, format!("{round} warn"));
    };
    speak("first");
    let mut settings = to_file(&path);
    settings.filter = "warn,http=debug".parse().unwrap();
    bus.ask_graceful(SettingsMap::new().with(settings)).wait().unwrap();
    speak("second");
    subscribed.unsubscribe();
    let text = read(&path);
    let said: Vec<&str> = ["first debug", "first info", "second debug", "second info", "second warn"]
        .into_iter()
        .filter(|line| text.contains(line))
        .collect();
    assert_eq!(said, ["first info", "second debug", "second warn"], "{text}");
}

/// As the program does it: whoever reads the settings is asked first, and refuses what it cannot understand.
#[test]
fn a_filter_that_is_not_understood_vetoes_with_its_place_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.log");
    let bus = Bus::new("site");
    let log = Log::new(to_file(&path)).unwrap();
    log.subscribe(&bus).unwrap();
    let (written, base) = (Arc::new(Mutex::new("info,http=inof".to_owned())), to_file(&path));
    let read_from = Arc::clone(&written);
    bus.on(GRACEFUL).unwrap().subscribe_at(priority::SETTINGS, "settings", move |reload| {
        let mut settings: Settings = base.clone();
        settings.filter = read_from.lock().parse::<Filter>()?;
        reload.offer(settings);
        anyhow::Ok(Commit::nothing())
    });
    let veto = bus.graceful().unwrap_err().to_string();
    assert!(veto.contains("\"inof\" is not a level, at column 11: did you mean \"info\"?"), "{veto}");
    assert_eq!(log.settings().filter, Filter::default());
    *written.lock() = "off".to_owned();
    bus.graceful().unwrap();
    assert_eq!(log.settings().filter.to_string(), "off");
}

#[test]
fn targets_come_and_go_and_those_that_stay_are_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two, moved] = ["one.log", "two.log", "one.log.1"].map(|name| folder.path().join(name));
    let bus = Bus::new("site");
    let log = Log::new(to_file(&one)).unwrap();
    let subscribed = log.subscribe(&bus).unwrap();
    bus.log(Level::Info, "first");
    wait_for(&one, "first");
    fs::rename(&one, &moved).unwrap();
    let both = to(vec![Target::file(&one), Target::File(two.clone(), Format::Json)]);
    bus.ask_graceful(SettingsMap::new().with(both)).wait().unwrap();
    bus.log(Level::Info, "second");
    bus.ask_graceful(SettingsMap::new().with(json_to_file(&two))).wait().unwrap();
    bus.log(Level::Info, "third");
    subscribed.unsubscribe();
    assert!(read(&moved).contains("first") && !read(&moved).contains("second"));
    assert!(read(&one).contains(" site: second\n") && !read(&one).contains("third"), "{}", read(&one));
    for line in read(&two).lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert!(read(&two).contains("\"second\"") && read(&two).contains("\"third\""));
}

#[test]
fn a_file_that_cannot_be_opened_vetoes_and_nothing_changes_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.log");
    let bus = Bus::new("site");
    let log = Log::new(to_file(&path)).unwrap();
    let subscribed = log.subscribe(&bus).unwrap();
    let committed = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&committed);
    bus.plugin("other").at_commit(priority::SITE, move |_| noted.store(true, Ordering::Relaxed));
    let mut new = to_file(&folder.path().join("nowhere/site.log"));
    new.filter = "off".parse().unwrap();
    let veto = bus.ask_graceful(SettingsMap::new().with(new)).wait().unwrap_err().to_string();
    assert!(
        veto.contains("the log stays as it is: the log file") && veto.contains("make its folder"),
        "{veto}"
    );
    assert!(!committed.load(Ordering::Relaxed));
    bus.log(Level::Info, "as before");
    subscribed.unsubscribe();
    assert_eq!(log.settings(), to_file(&path));
    assert!(read(&path).contains("as before"));
}

#[test]
fn a_hundred_reloads_leave_neither_threads_nor_files_behind() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a", "b"].map(|name| folder.path().join(name));
    let bus = Bus::new("site");
    Log::new(to_file(&paths[0])).unwrap().subscribe(&bus).unwrap();
    bus.start().unwrap();
    bus.graceful().unwrap();
    let open = || {
        let files = fs::read_dir("/proc/self/fd").unwrap().map(Result::unwrap);
        files
            .filter(|file| fs::read_link(file.path()).is_ok_and(|path| path.starts_with(folder.path())))
            .count()
    };
    for round in 0..100 {
        let settings = to_file(&paths[round % 2]);
        bus.ask_graceful(SettingsMap::new().with(settings)).wait().unwrap();
        bus.log(Level::Info, "hello");
    }
    assert_eq!(open(), 1);
    bus.exit().unwrap();
    assert_eq!(bus.block().code(), 0);
    let text = paths.map(|path| read(&path)).concat();
    assert_eq!(text.matches("site: hello").count(), 100);
}

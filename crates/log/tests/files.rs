//! Log files: opened again, removed, replaced, flooded.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sitebus_bus::{Bus, Level};
use sitebus_log::{Log, LogError, Target};
use support::{in_time, read, reopen, to, to_file, wait_for, wait_until};

/// The numbers of each thread's lines, in the order of the file.
fn heard(texts: &[String]) -> BTreeMap<String, Vec<u32>> {
    let mut heard: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for line in texts.iter().flat_map(|text| text.lines()) {
        let Some((thread, number)) =
            line.split_once(" site: thread ").and_then(|(_, rest)| rest.split_once(' '))
        else {
            assert!(!line.contains("missing"), "{line}");
            continue;
        };
        heard.entry(thread.to_owned()).or_default().push(number.parse().unwrap());
    }
    heard
}

#[test]
fn a_file_has_every_line_of_eight_threads_whole_and_in_the_order_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.log");
    let bus = Bus::new("site");
    let mut settings = to_file(&path);
    settings.buffer = 64 * 1024 * 1024;
    Log::new(settings).unwrap().subscribe(&bus).unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let bus = &bus;
            scope.spawn(move || {
                (0..5000).for_each(|number| bus.log(Level::Info, format!("thread {thread} {number}")));
            });
        }
    });
    bus.exit().unwrap();
    assert_eq!(bus.block().code(), 0);
    let heard = heard(&[read(&path)]);
    assert_eq!(heard.len(), 8);
    assert!(heard.values().all(|numbers| numbers.iter().copied().eq(0..5000)));
}

#[test]
fn what_comes_faster_than_it_is_written_is_counted_and_the_sum_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.log");
    let bus = Bus::new("site");
    let mut settings = to_file(&path);
    settings.buffer = 1000;
    let log = Log::new(settings).unwrap();
    let subscribed = log.subscribe(&bus).unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let bus = &bus;
            scope.spawn(move || {
                (0..2000).for_each(|number| bus.log(Level::Info, format!("thread {thread} {number}")));
            });
        }
    });
    subscribed.unsubscribe();
    // What was still missing at the end is said before whatever is said next.
    let subscribed = log.subscribe(&bus).unwrap();
    bus.log(Level::Info, "over");
    subscribed.unsubscribe();
    let text = read(&path);
    let missing = text.lines().filter_map(|line| line.split_once(" lines are missing here"));
    let missing: usize = missing.map(|(count, _)| count.parse::<usize>().unwrap()).sum();
    let written = text.matches(" site: thread ").count();
    assert!(written > 0 && missing > 0, "{written} and {missing}");
    assert_eq!(written + missing, 16_000);
}

#[test]
fn a_file_that_is_moved_away_and_opened_again_under_eight_writers_loses_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.log");
    let bus = Bus::new("site");
    let mut settings = to_file(&path);
    settings.buffer = 64 * 1024 * 1024;
    Log::new(settings).unwrap().subscribe(&bus).unwrap();
    let moved = |number: u32| folder.path().join(format!("site.log.{number}"));
    let over = AtomicBool::new(false);
    let said: Vec<u32> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|thread| {
                let (bus, over) = (&bus, &over);
                scope.spawn(move || {
                    let mut number = 0;
                    while !over.load(Ordering::Relaxed) && number < 50_000 {
                        bus.log(Level::Info, format!("thread {thread} {number}"));
                        number += 1;
                    }
                    number
                })
            })
            .collect();
        for number in 0..20 {
            fs::rename(&path, moved(number)).unwrap();
            reopen(&bus).unwrap();
            assert!(path.exists(), "it is there once the order has been heard");
        }
        over.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    bus.exit().unwrap();
    assert_eq!(bus.block().code(), 0);
    let texts: Vec<String> = (0..20).map(moved).chain([path.clone()]).map(|path| read(&path)).collect();
    let heard = heard(&texts);
    for (thread, said) in said.into_iter().enumerate() {
        assert!(heard[&thread.to_string()].iter().copied().eq(0..said), "thread {thread} of {said}");
    }
}

#[test]
fn everything_up_to_the_last_word_is_written_and_the_thread_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.log");
    let bus = Bus::new("site");
    Log::new(to_file(&path)).unwrap().subscribe(&bus).unwrap();
    bus.start().unwrap();
    bus.exit().unwrap();
    assert_eq!(bus.block().code(), 0);
    let text = read(&path);
    assert!(text.trim_end().ends_with("INFO site: Bus EXITED"), "{text}");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o137, 0, "no more than 0640");
}

#[test]
fn before_a_bus_and_after_it_lines_are_written_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.log");
    let log = Log::new(to_file(&path)).unwrap();
    for round in ["first", "second"] {
        let bus = Bus::new(round);
        let subscribed = log.subscribe(&bus).unwrap();
        bus.log(Level::Info, "hello");
        subscribed.unsubscribe();
        assert!(read(&path).ends_with(&format!(" {round}: hello\n")));
    }
}

#[test]
fn a_file_that_was_removed_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.log");
    let bus = Bus::new("site");
    let log = Log::new(to_file(&path)).unwrap();
    let subscribed = log.subscribe(&bus).unwrap();
    bus.log(Level::Info, "one");
    wait_for(&path, "one");
    fs::remove_file(&path).unwrap();
    bus.log(Level::Info, "two");
    subscribed.unsubscribe();
    assert!(read(&path).ends_with("site: two\n"));
}

#[test]
fn lines_wait_for_a_folder_that_was_removed_and_for_a_file_that_is_a_folder_now() {
    let folder = tempfile::tempdir().unwrap();
    let (logs, path) = (folder.path().join("logs"), folder.path().join("logs/site.log"));
    fs::create_dir(&logs).unwrap();
    let bus = Bus::new("site");
    let log = Log::new(to_file(&path)).unwrap();
    let subscribed = log.subscribe(&bus).unwrap();
    bus.log(Level::Info, "one");
    wait_for(&path, "one");

    fs::remove_dir_all(&logs).unwrap();
    bus.log(Level::Info, "two");
    let refused = reopen(&bus).unwrap_err();
    assert!(refused.contains("cannot be opened again") && refused.contains("make its folder"), "{refused}");
    fs::create_dir(&logs).unwrap();
    wait_for(&path, "two");

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    bus.log(Level::Info, "three");
    let refused = reopen(&bus).unwrap_err();
    assert!(refused.contains("that is a folder"), "{refused}");
    fs::remove_dir(&path).unwrap();
    reopen(&bus).unwrap();
    let text = wait_for(&path, "three");
    subscribed.unsubscribe();
    assert!(!text.contains("missing"), "{text}");
}

#[test]
fn a_file_that_cannot_be_opened_again_goes_on_as_it_was_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("site.log"), folder.path().join("site.log.1"));
    let bus = Bus::new("site");
    let subscribed = Log::new(to_file(&path)).unwrap().subscribe(&bus).unwrap();
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    reopen(&bus).unwrap_err();
    bus.log(Level::Info, "after");
    bus.graceful().unwrap();
    subscribed.unsubscribe();
    let text = read(&moved);
    assert!(
        text.contains("'log' failed on 'reopen': ") && text.contains("Lines go on to the old file"),
        "{text}"
    );
    assert!(text.contains(" site: after\n"), "{text}");
    assert!(
        text.contains("ERROR log: ") && text.contains("cannot be opened again: Is a directory"),
        "{text}"
    );
}

#[test]
fn a_pipe_whose_reader_stops_costs_lines_and_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let refused = Log::new(to_file(&path)).unwrap_err();
    assert!(matches!(refused, LogError::Open { .. }), "nobody reads it: {refused}");
    let reader = fs::File::options().read(true).write(true).open(&path).unwrap();
    let mut settings = to_file(&path);
    (settings.buffer, settings.filter) = (10_000, "info,site=off".parse().unwrap());
    let log = Log::new(settings).unwrap();
    let flooded = log.clone();
    in_time("a flood", move || {
        let bus = Bus::new("site");
        let speaker = bus.plugin("speaker");
        flooded.subscribe(&bus).unwrap();
        bus.start().unwrap();
        (0..20_000).for_each(|number| speaker.log(Level::Info, format!("line {number:05}")));
        bus.exit().unwrap();
        assert_eq!(bus.block().code(), 0);
    });
    let reads = thread::spawn(move || {
        let lines = BufReader::new(reader).lines().map(Result::unwrap);
        lines.take_while(|line| !line.ends_with("over")).collect::<Vec<_>>()
    });
    // The first line that finds room comes after the count.
    let (bus, mut overs) = (Bus::new("site"), 0);
    while !reads.is_finished() {
        overs += 1;
        let subscribed = log.subscribe(&bus).unwrap();
        bus.plugin("last").log(Level::Info, "over");
        subscribed.unsubscribe();
    }
    let lines = reads.join().unwrap();
    let whole = lines.iter().filter(|line| line.contains(" speaker: line ") && line.len() == 53).count();
    let missing = lines.iter().filter_map(|line| line.split_once(" lines are missing here"));
    let missing: usize = missing.map(|(count, _)| count.parse::<usize>().unwrap()).sum();
    assert!(missing > 10_000, "{missing}");
    assert!((20_000..20_000 + overs).contains(&(whole + missing)), "{whole} and {missing}");
}

#[test]
fn what_cannot_be_had_is_refused_with_its_cure() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |targets| Log::new(to(targets)).unwrap_err().to_string();
    let nowhere = folder.path().join("nowhere/site.log");
    let error = refused(vec![Target::file(&nowhere)]);
    assert_eq!(
        error,
        format!(
            "the log file {} cannot be opened: No such file or directory (os error 2); make its folder",
            nowhere.display()
        )
    );
    assert!(refused(vec![Target::file(folder.path())]).ends_with("that is a folder: name a file in it"));
    assert!(refused(vec![Target::file("")]).starts_with("the log file  cannot be opened"));
    let path = folder.path().join("site.log");
    let error = refused(vec![Target::file(&path), Target::file(&path)]);
    assert!(error.ends_with("twice; name it once"), "{error}");
    assert!(wait_until("the folder", || fs::read_dir(folder.path()).ok()).count() <= 1);
}

#[test]
fn two_buses_share_a_log_and_the_last_one_closes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.log");
    let log = Log::new(to_file(&path)).unwrap();
    let (one, two) = (Bus::new("one"), Arc::new(Bus::new("two")));
    log.subscribe(&one).unwrap();
    let subscribed = log.subscribe(&two).unwrap();
    drop(one);
    two.log(Level::Info, "still here");
    subscribed.unsubscribe();
    assert!(read(&path).ends_with("two: still here\n"), "{}", read(&path));
}

#[test]
fn a_restart_is_refused_while_a_file_could_not_be_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs/site.log");
    fs::create_dir(folder.path().join("logs")).unwrap();
    let bus = Bus::new("site");
    Log::new(to_file(&path)).unwrap().subscribe(&bus).unwrap();
    bus.start().unwrap();
    fs::rename(folder.path().join("logs"), folder.path().join("away")).unwrap();
    let refused = bus.restart().unwrap_err().to_string();
    assert!(
        refused.contains("site.log cannot be opened") && refused.contains("make its folder"),
        "{refused}"
    );
    bus.log(Level::Info, "goes on");
    fs::rename(folder.path().join("away"), folder.path().join("logs")).unwrap();
    bus.exit().unwrap();
    assert!(read(&path).contains("site: goes on\n"));
}

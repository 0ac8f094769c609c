//! Standard error: pipes that nobody reads, the journal, files, formats.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::thread;

use sitebus_bus::{Bus, Level};
use sitebus_log::{Format, Log, Target};
use sitebus_testkit::Transcript;
use sitebus_testkit::own_process::{Process, hear, is_child, say};
use support::{read, threads_named, to, wait_until};

/// Runs this test in a child whose standard error goes to this file.
fn into_file(test: &str, folder: &std::path::Path, before: &str) -> String {
    let path = folder.join("stderr");
    let script = format!("exec 2>>'{}'; {before} exec \"$@\"", path.display());
    let mut child = Process::start_by_shell(test, &script);
    assert!(child.wait().success(), "{}\n{}", child.output(), read(&path));
    read(&path)
}

#[test]
fn a_stream_that_nobody_reads_holds_up_eight_threads_for_a_moment_and_then_counts() {
    const TEST: &str = "a_stream_that_nobody_reads_holds_up_eight_threads_for_a_moment_and_then_counts";
    if is_child() {
        let bus = Bus::new("site");
        Log::default().subscribe(&bus).unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                let bus = &bus;
                scope.spawn(move || {
                    (0..2000).for_each(|number| bus.log(Level::Info, format!("line {number}")));
                });
            }
        });
        say("said");
        while hear() == "again" {
            bus.log(Level::Info, "line again");
            say("done");
        }
        return;
    }
    // Not by the harness of the tests: it reads all the time.
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([TEST, "--exact", "--nocapture"]).env("SITEBUS_TEST_CHILD", "1").env_remove("RUST_LOG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.any(|line| line.ends_with("said")), "it was held up for ever");
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut input = child.stdin.take().unwrap();
    let lines = Transcript::new();
    let noted = lines.clone();
    let reads = thread::spawn(move || stderr.lines().for_each(|line| noted.note(line.unwrap())));
    let is_note = |line: &String| line.contains("lines are missing here: nobody read them in time");
    let mut again = 0;
    // The first line that finds room comes after the count.
    while !lines.lines().iter().any(is_note) {
        writeln!(input, "again").unwrap();
        assert!(said.any(|line| line.ends_with("done")));
        again += 1;
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    reads.join().unwrap();
    let lines = lines.lines();
    let missing = lines.iter().filter(|line| is_note(line)).map(|line| line.split(' ').next().unwrap());
    let missing: usize = missing.map(|count| count.parse::<usize>().unwrap()).sum();
    let heard = lines.iter().filter(|line| line.contains("site: line ")).count();
    assert_eq!(heard + missing, 16_000 + again);
}

#[test]
fn the_journal_gets_priorities_and_no_time_of_day() {
    const TEST: &str = "the_journal_gets_priorities_and_no_time_of_day";
    if is_child() {
        let bus = Bus::new("site");
        let mut settings = to(vec![Target::StandardError(Format::Human)]);
        settings.filter = "debug".parse().unwrap();
        let log = Log::new(settings.clone()).unwrap();
        let subscribed = log.subscribe(&bus).unwrap();
        for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
            bus.log(level, format!("{level}\nand more"));
        }
        settings.to = vec![Target::StandardError(Format::Json)];
        log.change(settings).unwrap();
        bus.log(Level::Warn, "as JSON");
        subscribed.unsubscribe();
        return sitebus_log::report(&"it is\nover");
    }
    let folder = tempfile::tempdir().unwrap();
    let stream = "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); export JOURNAL_STREAM;";
    let text = into_file(TEST, folder.path(), stream);
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('<')).collect();
    assert_eq!(
        lines[..8],
        [
            "<7>site: DEBUG",
            "<7>    and more",
            "<6>site: INFO",
            "<6>    and more",
            "<4>site: WARN",
            "<4>    and more",
            "<3>site: ERROR",
            "<3>    and more",
        ]
    );
    assert!(
        lines[8].starts_with("<4>{\"ts\":\"") && lines[8].ends_with("\"message\":\"as JSON\"}"),
        "{}",
        lines[8]
    );
    assert_eq!(lines[9..], ["<3>error: it is", "<3>    over"]);
}

#[test]
fn a_journal_stream_that_standard_error_no_longer_is_means_nothing() {
    const TEST: &str = "a_journal_stream_that_standard_error_no_longer_is_means_nothing";
    if is_child() {
        let bus = Bus::new("site");
        let _subscribed = Log::default().subscribe(&bus).unwrap();
        return bus.log(Level::Info, "hello");
    }
    let folder = tempfile::tempdir().unwrap();
    for stream in ["1:2", "", ":", "x:y", "18446744073709551616:1"] {
        let text =
            into_file(TEST, folder.path(), &format!("JOURNAL_STREAM={stream}; export JOURNAL_STREAM;"));
        assert!(text.contains("Z  INFO site: hello\n"), "{text}");
    }
}

#[test]
fn standard_error_that_is_a_file_is_written_by_a_thread_and_to_the_end() {
    const TEST: &str = "standard_error_that_is_a_file_is_written_by_a_thread_and_to_the_end";
    if is_child() {
        let bus = Bus::new("site");
        Log::default().subscribe(&bus).unwrap();
        wait_until("a thread", || (threads_named("log") == 1).then_some(()));
        (0..1000).for_each(|number| bus.log(Level::Info, format!("line {number}")));
        bus.exit().unwrap();
        assert_eq!(bus.block().code(), 0);
        assert_eq!(threads_named("log"), 0);
        return sitebus_log::report(&"over");
    }
    let folder = tempfile::tempdir().unwrap();
    let text = into_file(TEST, folder.path(), "");
    assert_eq!(text.matches(" site: line ").count(), 1000);
    assert!(text.ends_with(" site: Bus EXITED\nerror: over\n"), "{text}");
}

#[test]
fn colours_are_for_those_who_want_them() {
    const TEST: &str = "colours_are_for_those_who_want_them";
    if is_child() {
        let bus = Bus::new("site");
        let _subscribed = Log::default().subscribe(&bus).unwrap();
        return bus.log(Level::Info, "hello");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(!into_file(TEST, folder.path(), "").contains('\u{1b}'));
    let text = into_file(TEST, folder.path(), "CLICOLOR_FORCE=1; export CLICOLOR_FORCE;");
    assert!(text.contains("\u{1b}[32m INFO\u{1b}[0m site: hello"), "{text:?}");
}

//! The events of `tracing`, of which a process has one taker: each test in a process of its own.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde_json::{Value, json};
use sitebus_bus::{Bus, Level};
use sitebus_log::{Filter, Log, LogError};
use sitebus_testkit::own_process::{Process, in_a_process_of_its_own, is_child};
use support::{json_to_file, read, to_file};

fn objects(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}")))
        .collect()
}

#[test]
fn whatever_is_said_is_one_valid_object_a_line() {
    in_a_process_of_its_own("whatever_is_said_is_one_valid_object_a_line", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.log");
        let log = Log::new(json_to_file(&path)).unwrap();
        log.install().unwrap();
        let bus = Bus::new("site");
        let subscribed = log.subscribe(&bus).unwrap();
        let odd = Path::new(std::ffi::OsStr::from_bytes(b"/a\xff\n\x1b[2J"));
        let evil = [
            "\n{\"level\":\"error\"}\n",
            "\u{1b}[31m\r\0\u{7f}\u{9b}",
            "\"},{\"",
            "\\",
            "\u{2028}\u{2029}\u{85}",
            "é\u{10ffff}",
        ];
        for text in evil {
            bus.log(Level::Info, text);
            bus.plugin(text).log(Level::Info, "as a source");
            tracing::info!(text, odd = %odd.display(), shown = ?odd, "{text}");
            tracing::info_span!("request", text)
                .in_scope(|| tracing::info!(message = text, "type" = f64::NAN));
        }
        subscribed.unsubscribe();
        let read = read(&path);
        let objects = objects(&read);
        assert_eq!(objects.len(), 4 * evil.len());
        assert!(
            !read.chars().any(|c| c != '\n' && (c.is_control() || "\u{2028}\u{2029}".contains(c))),
            "{read:?}"
        );
        for (text, lines) in evil.iter().zip(objects.chunks(4)) {
            assert_eq!(
                (&lines[0]["message"], &lines[0]["level"], &lines[0]["source"]),
                (&json!(text), &json!("info"), &json!("site"))
            );
            assert_eq!(lines[1]["source"], json!(text));
            assert_eq!(
                lines[2]["fields"],
                json!({"text": text, "odd": "/a\u{fffd}\n\u{1b}[2J", "shown": "\"/a\\xFF\\n\\u{1b}[2J\""})
            );
            assert_eq!(lines[3]["spans"], json!([{"name": "request", "text": text}]));
            assert_eq!((&lines[3]["message"], &lines[3]["fields"]), (&json!(text), &json!({"type": "NaN"})));
        }
    });
}

#[test]
fn a_line_of_the_bus_is_written_once_and_counts_under_its_source_with_and_without_a_listener() {
    const TEST: &str =
        "a_line_of_the_bus_is_written_once_and_counts_under_its_source_with_and_without_a_listener";
    in_a_process_of_its_own(TEST, || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.log");
        let mut settings = to_file(&path);
        settings.filter = "warn,http=debug,events=trace,sitebus_bus=off".parse().unwrap();
        let log = Log::new(settings.clone()).unwrap();
        log.install().unwrap();
        let bus = Bus::new("site");
        let http = bus.plugin("http");
        let speak = |round: &str| {
            http.log(Level::Debug, format!("{round} http"));
            bus.log(Level::Info, format!("{round} site"));
            bus.log(Level::Warn, format!("{round} warning"));
            tracing::trace!("{round} event");
            tracing::trace!(target: "elsewhere", "{round} other event");
            tracing::info!(source = "http", "{round} event with a field");
        };
        speak("without");
        let subscribed = log.subscribe(&bus).unwrap();
        speak("with");
        settings.filter = "off,elsewhere=trace".parse().unwrap();
        log.change(settings).unwrap();
        speak("changed");
        subscribed.unsubscribe();
        let text = read(&path);
        let said: Vec<&str> = text.lines().map(|line| &line[28..]).collect();
        assert_eq!(
            said,
            [
                "DEBUG http: without http",
                " WARN site: without warning",
                "TRACE events: without event",
                " INFO http: without event with a field",
                "DEBUG http: with http",
                " WARN site: with warning",
                "TRACE events: with event",
                " INFO http: with event with a field",
                "TRACE elsewhere: changed other event",
            ]
        );
    });
}

#[test]
fn spans_choose_and_are_shown_with_what_was_recorded_last() {
    in_a_process_of_its_own("spans_choose_and_are_shown_with_what_was_recorded_last", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.log");
        let mut settings = to_file(&path);
        settings.filter = "warn,[request{path=/login}]=debug".parse().unwrap();
        Log::new(settings).unwrap().install().unwrap();
        for login in ["/login", "/other"] {
            let span = tracing::warn_span!("request", path = login, status = tracing::field::Empty);
            let _inside = span.enter();
            tracing::debug!(user = 7, "looked up");
            span.record("status", 200);
            span.record("status", 404);
            tracing::warn!("refused");
        }
        let text = read(&path);
        let said: Vec<&str> = text.lines().map(|line| &line[28..]).collect();
        assert_eq!(
            said,
            [
                "DEBUG events: looked up user=7 (request{path=/login})",
                " WARN events: refused (request{path=/login status=404})",
                " WARN events: refused (request{path=/other status=404})",
            ]
        );
    });
}

#[test]
fn a_process_has_one_taker_and_a_bus_never_takes_it() {
    in_a_process_of_its_own("a_process_has_one_taker_and_a_bus_never_takes_it", || {
        let bus = Bus::new("site");
        let subscribed = Log::default().subscribe(&bus).unwrap();
        assert!(!tracing::dispatcher::has_been_set());
        subscribed.unsubscribe();
        Log::default().install().unwrap();
        assert!(matches!(Log::default().install(), Err(LogError::Installed)));
    });
}

#[test]
fn the_environment_may_choose() {
    if is_child() {
        let asked = Filter::from_env();
        return sitebus_testkit::own_process::say(format!("{asked:?}").chars().take(60).collect::<String>());
    }
    for (value, wanted) in
        [("", "Ok(None)"), (" ", "Ok(None)"), ("warn,http=info", "Ok(Some(Filter(\"warn,http=info\")))")]
    {
        let mut child =
            Process::start_by_shell("the_environment_may_choose", &format!("RUST_LOG='{value}' exec \"$@\""));
        child.expect(wanted);
    }
    let mut child =
        Process::start_by_shell("the_environment_may_choose", "RUST_LOG=$(printf 'a\\377=x') exec \"$@\"");
    assert!(child.wait().success());
    assert!(child.output().contains("Err(FilterError { text: \"a\u{fffd}=x\""), "{}", child.output());
}

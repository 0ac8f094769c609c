//! What the documents promise, as far as a machine can see that it is there. Each failure says how to mend it.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn table(path: &str) -> toml::Table {
    toml::from_str(&read(path)).unwrap()
}

/// Names in a folder, sorted.
fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every Rust file below a folder, as (path from the root, text).
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in names(folder) {
        let path = format!("{folder}/{name}");
        if root().join(&path).is_dir() {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") {
            found.push((path.clone(), read(&path)));
        }
    }
    found
}

#[test]
fn the_two_commands_of_the_readme_work_in_this_workspace() {
    let readme = read("README.md");
    for command in ["cargo run --release -- run examples/hello/site.toml", "cargo test --workspace"] {
        assert!(
            readme.lines().any(|line| line == command),
            "README.md does not have the command `{command}`"
        );
    }
    let members = table("Cargo.toml")["workspace"]["default-members"].clone();
    assert_eq!(
        members.as_array().unwrap(),
        &["crates/sitebus".into()],
        "`cargo run` without `-p` runs the program only while that alone is in default-members"
    );
    let manifest = table("crates/sitebus/Cargo.toml");
    assert_eq!(
        manifest["bin"].as_array().unwrap().len(),
        1,
        "`cargo run` needs a default-run beside two programs"
    );
    assert_eq!(manifest["features"]["default"].as_array().unwrap(), &["program".into()]);
    assert!(root().join("examples/hello/site.toml").exists());
}

#[test]
fn the_readme_says_what_is_in_the_crate() {
    let (facade, readme) = (table("crates/sitebus/Cargo.toml"), read("README.md"));
    let features = facade["features"].as_table().unwrap().keys().filter(|name| *name != "default");
    for feature in features {
        let is_there = match feature.as_str() {
            "program" => readme.contains("the feature `program`"),
            module => readme.contains(&format!("\n| `{module}` | ")),
        };
        assert!(is_there, "README.md does not say what the feature `{feature}` is");
    }
}

#[test]
fn what_runs_before_a_change_lands_is_what_the_readme_says_and_more() {
    let script = read(".ci/run");
    for (command, what) in [
        ("cargo test --workspace", "the tests, by the command of the README"),
        ("cargo fmt --all --check", "the formatting"),
        ("cargo clippy --workspace --all-targets --quiet -- -D warnings", "the lints"),
        ("RUSTDOCFLAGS=\"-D warnings\" cargo doc --workspace --no-deps --quiet", "the documentation"),
        ("cargo deny --offline --log-level error check bans licenses sources", "licences and bans"),
        (".ci/models", "the models"),
        ("cargo bench --quiet -p sitebus-benches --bench instructions", "the counts of instructions"),
    ] {
        assert!(
            script.lines().any(|line| line.trim() == command),
            ".ci/run does not check {what}: `{command}`"
        );
    }
    assert!(script.contains("set -euo pipefail"), "a step of .ci/run that fails must end the run");
}

#[test]
fn the_documents_are_there() {
    for path in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "docs/plugins.md",
        "docs/site-file.md",
        "docs/performance.md",
    ] {
        assert!(read(path).trim().lines().count() > 3, "{path} says nothing");
    }
}

#[test]
fn the_bus_knows_no_operating_system_and_no_runtime() {
    let manifest = table("crates/bus/Cargo.toml");
    let known: Vec<&str> = manifest["dependencies"].as_table().unwrap().keys().map(String::as_str).collect();
    let expected = ["anyhow", "arc-swap", "crossbeam-channel", "parking_lot", "tracing"];
    assert_eq!(known, expected, "whatever the bus imports, it makes everybody import");
    let banned = [
        "std::os::",
        "std::fs",
        "std::net",
        "std::env",
        "process::Command",
        "cfg(unix)",
        "cfg(windows)",
        "target_os",
        "extern \"C\"",
        "libc::",
        "tokio::",
    ];
    for (path, text) in sources("crates/bus/src") {
        for (number, line) in
            text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            let found = banned.into_iter().find(|name| line.contains(name));
            assert_eq!(found, None, "{path}:{}: the bus runs wherever Rust does: ask a plugin", number + 1);
        }
    }
}

#[test]
fn every_place_in_the_order_has_a_name() {
    let calls = ["on_start(", "on_stop(", "on_exit(", "on_graceful(", "at_commit(", "subscribe_at("];
    for folder in names("crates").into_iter().filter(|name| !["bus", "testkit"].contains(&name.as_str())) {
        for (path, text) in sources(&format!("crates/{folder}/src")) {
            // What stands behind each of them, with or without a new line between.
            let first = |call: &str| {
                let places = text.split(call).skip(1).filter_map(|rest| rest.trim_start().chars().next());
                places.filter(|first| first.is_ascii_digit() || *first == '-').count()
            };
            let numbers: usize = calls.into_iter().map(first).sum();
            assert_eq!(
                numbers, 0,
                "{path} says a priority as a number: name it in crates/bus/src/priority.rs"
            );
        }
    }
}

#[test]
fn every_program_of_the_course_is_run_and_read_in_a_minute() {
    let (tests, manifest) = (read("examples/course.rs"), read("examples/Cargo.toml"));
    let numbered = |name: &String| name.starts_with(|c: char| c.is_ascii_digit());
    let course: Vec<String> = names("examples").into_iter().filter(numbered).collect();
    assert!(course.len() >= 10, "{course:?}");
    for name in course {
        let (program, path) = match name.strip_suffix(".rs") {
            Some(program) => (program.to_owned(), format!("examples/{name}")),
            None => (name.clone(), format!("examples/{name}/main.rs")),
        };
        let run = tests.contains(&format!("CARGO_BIN_EXE_{program}\""));
        let is_test = manifest.contains(&format!("[[test]]\nname = \"{program}\"\n"));
        assert!(run || is_test, "{path}: no test runs it: add one to examples/course.rs");
        let lines = read(&path).lines().count();
        assert!(lines <= 70, "{path} has {lines} lines: nobody reads that in a minute");
    }
}

/// The words with which a report judges a promise, at the beginning of a line.
#[test]
fn every_promise_about_speed_has_its_figure_and_none_is_published_as_missed() {
    let page = read("docs/performance.md");
    let verdicts: Vec<&str> =
        page.lines().filter(|line| line.starts_with("* kept") || line.starts_with("* missed")).collect();
    assert!(!verdicts.iter().any(|line| line.starts_with("* missed")), "{verdicts:#?}");
    for (promise, count) in [
        ("sitebus / snapshot loop, 1 listeners", 2),
        ("sitebus / snapshot loop, 10 listeners", 2),
        ("sitebus / snapshot loop, 100 listeners", 2),
        ("p50 of sitebus / Condvar", 2),
        ("requests/s of sitebus-http / bare hyper", 3),
    ] {
        let found = verdicts.iter().filter(|line| line.contains(promise)).count();
        assert_eq!(found, count, "docs/performance.md: {promise}: run the command again with --markdown");
    }
    for bench in ["publish", "wakeup", "cycle", "http"] {
        let results = page.split(&format!("### `{bench}`")).nth(1).unwrap_or_default();
        let head = results.split("\n### ").next().unwrap_or_default();
        for part in ["* processor: ", "* kernel: ", "* compiler: ", "* versions: ", "* others: "] {
            assert!(head.contains(part), "docs/performance.md: the results of {bench} do not say {part:?}");
        }
    }
    for peer in ["MagicBus", "CherryPy"] {
        assert!(page.contains(peer), "docs/performance.md does not compare with {peer}");
    }
}

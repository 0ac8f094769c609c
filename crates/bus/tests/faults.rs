//! Faults that are seeded into a copy of this crate, each of which the models must find.
//!
//! A model that finds nothing proves nothing unless it would find something. So each fault here is one change of the text,
//! which must fit exactly one place of the source, and the exhaustive model of the machine (`src/machine/model.rs`) and the
//! model of the threads (`tests/shuttle`) must each fail on it with the promise that it breaks, and hold without it. A
//! wake-up of the shell itself is beyond the machine: only the model of the threads can miss it.
//!
//! A plain `cargo test` skips this file, since it builds the crate once for each fault. `.ci/models` runs it:
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p sitebus-bus --test faults --target-dir target/shuttle
//! ```
//!
//! It takes about a minute on two processors. The copy lives in the temporary folder of that target; the source itself is never touched.

#![cfg(shuttle)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![allow(clippy::print_stdout, reason = "what was found is the result")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// One change of the text, and who must find it.
struct Fault {
    what: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// The promise that the exhaustive model finds broken.
    machine: Option<&'static str>,
    /// The scenario of the model of the threads that finds a broken promise, and which.
    threads: (&'static str, &'static str),
}

const FAULTS: &[Fault] = &[
    Fault {
        what: "a lost wake-up: a state is entered, and who waits for it is not told",
        file: "src/machine.rs",
        from: "self.effects.push(Effect::Entered(state));",
        to: "",
        machine: Some("whoever waits for a state is told of it: no state is entered in silence"),
        threads: (
            "waiting::a_state_that_comes_and_goes_at_once_is_not_missed",
            "whoever waits for a state is told of it: no state is entered in silence",
        ),
    },
    Fault {
        what: "a lost wake-up: of those who joined a request only the first is answered",
        file: "src/machine.rs",
        from: "tickets.into_iter().map(",
        to: "tickets.into_iter().take(1).map(",
        machine: Some("every ticket is answered exactly once"),
        threads: (
            "asking::two_starts_and_two_stops_from_four_threads",
            "every ticket is answered exactly once, also those that join",
        ),
    },
    Fault {
        what: "a lost wake-up: who asks does not wake the lane",
        file: "src/core.rs",
        from: "self.lane_wakes.notify_one();",
        to: "",
        machine: None,
        threads: (
            "asking::two_starts_and_two_stops_from_four_threads",
            "every ticket is answered exactly once, also those that join",
        ),
    },
    Fault {
        what: "a lost exit: one that is asked for while STARTING is forgotten",
        file: "src/machine/request.rs",
        from: "self.exit = Some(asked);",
        to: "if self.state != State::Starting { self.exit = Some(asked); }",
        machine: Some("no exit is lost: the machine knows of it from the moment it was asked"),
        threads: (
            "asking::an_exit_during_a_start_that_waits_to_be_cancelled",
            "no exit is lost: asked while STARTING, it cancels the start and is done",
        ),
    },
    Fault {
        what: "a double stop: it is not noted that the stop listeners have run",
        file: "src/machine/job.rs",
        from: "self.stopped = true;",
        to: "",
        machine: Some("stop listeners run at most once per start"),
        threads: (
            "asking::start_stop_and_exit_from_three_threads",
            "stop listeners run at most once per start",
        ),
    },
];

#[test]
fn every_seeded_fault_is_found_and_nothing_else() {
    let copy = Copy::new();
    copy.build();
    copy.machine_model().expect_kept("without a fault");
    copy.threads_model(&FAULTS.iter().map(|fault| fault.threads.0).collect::<Vec<_>>())
        .expect_kept("without a fault");
    for fault in FAULTS {
        println!("seeded: {}", fault.what);
        copy.seed(fault);
        copy.build();
        if let Some(promise) = fault.machine {
            copy.machine_model().expect_broken(promise);
        }
        let (scenario, promise) = fault.threads;
        copy.threads_model(&[scenario]).expect_broken(promise);
        copy.restore(fault);
    }
}

/// A copy of this crate in a workspace of its own, which shares its target among all faults.
struct Copy {
    workspace: PathBuf,
    krate: PathBuf,
}

impl Copy {
    fn new() -> Copy {
        let workspace = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
        let krate = workspace.join("crates/bus");
        let copy = Copy { workspace, krate };
        if copy.krate.exists() {
            fs::remove_dir_all(&copy.krate).unwrap();
        }
        copy_folder(&original().join("src"), &copy.krate.join("src"));
        copy_folder(&original().join("tests/shuttle"), &copy.krate.join("tests/shuttle"));
        fs::copy(original().join("README.md"), copy.krate.join("README.md")).unwrap();
        copy.write_manifests();
        copy
    }

    /// The workspace's manifest with this crate as its only member, and the crate's without its `[dev-dependencies]`, which
    /// are other members, and without its `[[test]]`, which is not copied.
    fn write_manifests(&self) {
        let root = original().join("../..");
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let (_, shared) = manifest.split_once("[workspace.package]").unwrap();
        let manifest = format!(
            "[workspace]\nresolver = \"3\"\nmembers = [\"crates/bus\"]\n\n[workspace.package]{shared}"
        );
        fs::write(self.workspace.join("Cargo.toml"), manifest).unwrap();
        fs::copy(root.join("Cargo.lock"), self.workspace.join("Cargo.lock")).unwrap();
        let own = fs::read_to_string(original().join("Cargo.toml")).unwrap();
        let left_out =
            |table: &str| ["dev-dependencies]", "[test]]"].iter().any(|name| table.starts_with(name));
        let tables = own.split("\n[").filter(|table| !left_out(table));
        fs::write(self.krate.join("Cargo.toml"), tables.collect::<Vec<_>>().join("\n[")).unwrap();
    }

    fn seed(&self, fault: &Fault) {
        let source = fs::read_to_string(original().join(fault.file)).unwrap();
        let places = source.matches(fault.from).count();
        assert_eq!(
            places, 1,
            "'{}' must fit exactly one place in {}: mend the fault",
            fault.from, fault.file
        );
        fs::write(self.krate.join(fault.file), source.replace(fault.from, fault.to)).unwrap();
    }

    fn restore(&self, fault: &Fault) {
        let source = fs::read_to_string(original().join(fault.file)).unwrap();
        fs::write(self.krate.join(fault.file), source).unwrap();
    }

    fn build(&self) {
        let built = self.cargo(&["--lib", "--test", "shuttle", "--no-run"]);
        assert!(built.succeeded, "the copy does not build:\n{}", built.output);
    }

    fn machine_model(&self) -> Verdict {
        self.cargo(&["--lib", "--", "every_small_world_keeps_every_promise"])
    }

    fn threads_model(&self, scenarios: &[&str]) -> Verdict {
        self.cargo(&[&["--test", "shuttle", "--"], scenarios].concat())
    }

    fn cargo(&self, arguments: &[&str]) -> Verdict {
        let began = Instant::now();
        let output = Command::new(env!("CARGO"))
            .args(["test", "--offline", "--quiet", "--target-dir"])
            .arg(self.workspace.join("target"))
            .args(arguments)
            .current_dir(&self.krate)
            .env("RUSTFLAGS", "--cfg shuttle")
            .env("RUST_BACKTRACE", "0")
            // Rebuilt for every fault, and never debugged.
            .envs([
                ("CARGO_INCREMENTAL", "1"),
                ("CARGO_PROFILE_DEV_DEBUG", "0"),
                ("CARGO_PROFILE_TEST_DEBUG", "0"),
            ])
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        println!("  cargo test {}: {:.1?}", arguments.join(" "), began.elapsed());
        Verdict { succeeded: output.status.success(), output: text.concat() }
    }
}

/// What a model said.
struct Verdict {
    succeeded: bool,
    output: String,
}

impl Verdict {
    #[track_caller]
    fn expect_kept(&self, when: &str) {
        assert!(self.succeeded, "{when} every promise must be kept:\n{}", self.output);
    }

    #[track_caller]
    fn expect_broken(&self, promise: &str) {
        let found = self.output.contains(&format!("BROKEN PROMISE: {promise}"));
        assert!(!self.succeeded && found, "not found: \"{promise}\" should be broken\n{}", self.output);
        println!("  found: {promise}");
    }
}

fn original() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

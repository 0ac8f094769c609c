//! A bus with watched files, and what it does when they change.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sitebus_autoreload::{Action, Autoreload, Program, Settings, Subscribed};
use sitebus_bus::{Bus, LOG, Record, topics};
use sitebus_testkit::Transcript;
use tempfile::TempDir;

/// No event of a test takes longer; and it is less than the minute after which all is looked at without an event.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) struct Site {
    pub(crate) bus: Bus,
    /// Each change as the names of its files, and each log line of the plugin.
    pub(crate) heard: Transcript,
    pub(crate) subscribed: Subscribed,
    pub(crate) folder: TempDir,
}

impl Site {
    /// A site in a new folder, started, that tells of changes and does nothing about them. `paths` are below the folder.
    pub(crate) fn watching<const N: usize>(paths: [&str; N]) -> Site {
        let folder = folder();
        Site::with(publishing(&folder, paths), folder)
    }

    /// The same, for tests that make one change by many calls.
    pub(crate) fn watching_calmly<const N: usize>(paths: [&str; N]) -> Site {
        let folder = folder();
        Site::with(calm(publishing(&folder, paths)), folder)
    }

    pub(crate) fn with(settings: Settings, folder: TempDir) -> Site {
        let site = Site::stopped(settings, folder);
        site.bus.start().unwrap();
        site
    }

    pub(crate) fn stopped(settings: Settings, folder: TempDir) -> Site {
        let bus = Bus::new("site");
        let heard = Transcript::new();
        let (note, root) = (heard.clone(), folder.path().to_owned());
        bus.on(topics::CHANGED).unwrap().subscribe("test", move |paths: &[PathBuf]| {
            let names =
                paths.iter().map(|path| path.strip_prefix(&root).unwrap_or(path).display().to_string());
            note.note(format!("changed: {}", names.collect::<Vec<_>>().join(" ")));
        });
        let note = heard.clone();
        bus.on(LOG).unwrap().subscribe("test", move |record: &Record| {
            if &*record.source == "autoreload" {
                note.note(format!("{} {}", record.level, record.message));
            }
        });
        let subscribed = Autoreload::new(settings).subscribe(&bus).unwrap();
        Site { bus, heard, subscribed, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Waits for a change of just these files, and forgets what was heard before.
    pub(crate) fn expect(&self, names: &str) {
        let wanted = format!("changed: {names}");
        self.heard.wait_for(&wanted, LONG).unwrap();
        let changes = self.changes();
        assert_eq!(changes, [wanted], "{:?}", self.heard.lines());
        self.heard.take();
    }

    pub(crate) fn changes(&self) -> Vec<String> {
        self.heard.lines().into_iter().filter(|line| line.starts_with("changed: ")).collect()
    }

    /// Changes a file that is watched, and expects that nothing else has changed before it: so nothing did.
    pub(crate) fn expect_nothing_but(&self, name: &str) {
        self.write(name, "something that has not been in it before");
        self.expect(name);
    }
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn publishing<const N: usize>(folder: &TempDir, paths: [&str; N]) -> Settings {
    Settings {
        folder: Some(folder.path().to_owned()),
        program: Program::Unwatched,
        action: Action::Publish,
        // Between two calls of a test a busy machine may do something else for a while.
        settle: Duration::from_millis(60),
        ..Settings::of(paths)
    }
}

pub(crate) fn calm(settings: Settings) -> Settings {
    Settings { settle: Duration::from_millis(500), ..settings }
}

/// As editors do it: into another file, which is then renamed.
pub(crate) fn save_atomically(path: &Path, text: &str) {
    let other = path.with_extension("tmp~");
    fs::write(&other, text).unwrap();
    fs::rename(other, path).unwrap();
}

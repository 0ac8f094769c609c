//! A site with a PID file, in this process or in a child.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sitebus_bus::{Bus, Exit};
use sitebus_pidfile::{PidFile, Settings};
use sitebus_testkit::own_process::{LONG, hear, say};
use sitebus_testkit::{Recorder, Transcript, left_out};

/// A folder of its own, and a path in it.
pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.pid");
    (folder, path)
}

/// What the file of this process says.
pub(crate) fn own_number() -> String {
    format!("{}\n", std::process::id())
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// A site with this PID file, and its log.
pub(crate) fn site(path: &Path) -> (Bus, Transcript) {
    site_with(PidFile::new(Settings::at(path)).unwrap())
}

pub(crate) fn site_with(file: PidFile) -> (Bus, Transcript) {
    let bus = Bus::new("site");
    let log = Recorder::of(&bus).log().clone();
    file.subscribe(&bus);
    (bus, log)
}

pub(crate) fn end(bus: Bus) {
    drop(bus.ask_exit(Exit::success("a test")));
    let _ = bus.block();
}

/// Why the start of a site with this PID file fails.
pub(crate) fn refusal(path: &Path) -> String {
    let (bus, _) = site(path);
    let error = bus.start().unwrap_err().to_string();
    let _ = bus.block();
    error
}

/// No event of a test comes later.
pub(crate) fn soon() -> Instant {
    Instant::now() + LONG
}

pub(crate) fn in_a_moment() -> Instant {
    Instant::now() + Duration::from_millis(1)
}

/// In a child: a site whose path the parent tells, which says how its start went and exits when told to.
pub(crate) fn be_a_site() {
    let (bus, _) = site(Path::new(&hear()));
    let started = bus.start();
    match &started {
        Ok(_) => say("started"),
        Err(error) => say(error),
    }
    say("tried");
    if started.is_ok() {
        hear();
    }
    end(bus);
    say("exited");
}

/// Whether this process may become others; said if not.
pub(crate) fn is_root() -> bool {
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    left_out("only root can become another user, and mount");
    false
}

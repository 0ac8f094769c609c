//! What tests of the log share.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sitebus_bus::{Bus, topics};
use sitebus_log::{Format, Settings, Target};
use sitebus_testkit::left_out;

pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Lines for people into this file, and nowhere else.
pub(crate) fn to_file(path: &Path) -> Settings {
    to(vec![Target::file(path)])
}

pub(crate) fn json_to_file(path: &Path) -> Settings {
    to(vec![Target::file(path).in_format(Format::Json)])
}

pub(crate) fn to(targets: Vec<Target>) -> Settings {
    let mut settings = Settings::default();
    settings.to = targets;
    settings
}

pub(crate) fn reopen(bus: &Bus) -> Result<(), String> {
    bus.on(topics::REOPEN).unwrap().publish(&()).map_err(|failures| failures.to_string())
}

pub(crate) fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Waits for something that other threads or processes do, and of which no event tells.
pub(crate) fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// Waits until the file has this in it, and returns all of it.
pub(crate) fn wait_for(path: &Path, part: &str) -> String {
    wait_until(part, || Some(read(path)).filter(|text| text.contains(part)))
}

/// Fails if the work is not done in time, instead of hanging.
pub(crate) fn in_time<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(LONG).unwrap_or_else(|_| panic!("{what} was not done in time"))
}

/// How many threads of this process have this name.
pub(crate) fn threads_named(name: &str) -> usize {
    let threads = fs::read_dir("/proc/self/task").unwrap().map(Result::unwrap);
    threads
        .filter(|thread| {
            fs::read_to_string(thread.path().join("comm")).is_ok_and(|known| known.trim() == name)
        })
        .count()
}

/// Whether this is root; without it the test is left out, except where all of them are to run.
pub(crate) fn is_root(why: &str) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        left_out(format_args!("needs root, {why}"));
    }
    root
}

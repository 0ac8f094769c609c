//! A site in the background, and what is there of it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

use crate::folder::Folder;
use crate::process::{Ended, Outsider, run, wait_until};

/// A site that was started in the background. It is killed in the end, if it is still there.
#[derive(Debug)]
pub struct Daemon {
    process: Outsider,
    address: SocketAddr,
}

impl Daemon {
    /// Starts the site of the folder, with the command `start`.
    ///
    /// # Panics
    /// It does not come up.
    pub fn start(program: &Path, folder: &Folder) -> Daemon {
        let started = run(program, folder.path(), &["start", "--json"]);
        assert_eq!((started.code, started.stderr.as_str()), (Some(0), ""), "{started:?}");
        Daemon::of(&json(&started)["data"])
    }

    /// The one of which `start` or `status` told this.
    ///
    /// # Panics
    /// It listens nowhere.
    #[expect(clippy::unwrap_used, reason = "a test without its site has failed")]
    pub fn of(status: &Value) -> Daemon {
        let pid = u32::try_from(status["pid"].as_u64().unwrap()).unwrap();
        let address = status["listening"][0].as_str().unwrap().strip_prefix("http://").unwrap().parse();
        Daemon { process: Outsider::of(pid), address: address.unwrap() }
    }

    /// Its process.
    pub fn process(&self) -> &Outsider {
        &self.process
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// What a command printed with `--json`.
///
/// # Panics
/// It is something else.
pub fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

/// The processes whose current folder this is.
pub fn processes_in(folder: &Path) -> Vec<u32> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_there = |pid: &u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_there).collect()
}

/// Waits until no process has this as its current folder: a child that somebody else has waited for is gone a moment later.
///
/// # Panics
/// One stays.
pub fn nobody_is_left_in(folder: &Path) {
    wait_until("the end of all processes", || processes_in(folder).is_empty().then_some(()));
}

/// Waits for a line in a file.
///
/// # Panics
/// None comes.
pub fn logs(log: &Path, part: &str) -> String {
    wait_until(part, || {
        let text = fs::read_to_string(log).ok()?;
        text.lines().find(|line| line.contains(part)).map(str::to_owned)
    })
}

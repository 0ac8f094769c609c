//! A site that runs.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sitebus_os::signal::Signal;
use sitebus_testkit::{Child, Transcript};

use crate::client::{Answer, Connection, get};
use crate::folder::Folder;
use crate::process::{Ended, SOON};

/// A running `sitebus run`.
#[derive(Debug)]
pub struct Site {
    child: Child,
}

/// How a reload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The new settings hold.
    Reloaded,
    /// The old ones still hold.
    Refused,
}

impl Site {
    /// Starts the site of the folder and waits until it is up.
    ///
    /// # Panics
    /// It does not come up.
    pub fn start(program: &Path, folder: &Folder) -> Site {
        Site::start_with(program, folder, &["run"])
    }

    /// The same with other arguments.
    ///
    /// # Panics
    /// It does not come up.
    pub fn start_with(program: &Path, folder: &Folder, arguments: &[&str]) -> Site {
        let mut command = Command::new(program);
        command.args(arguments);
        Site::spawn(command, folder).is_up()
    }

    /// The same with words before it that end in executing the rest, as `env` and `prlimit` do.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn behind(words: &[&str], program: &Path, folder: &Folder) -> Site {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(program).arg("run");
        Site::spawn(command, folder)
    }

    /// Starts any command in the folder, and does not wait.
    ///
    /// # Panics
    /// It cannot be started.
    #[expect(clippy::unwrap_used, reason = "a test without its program has failed")]
    pub fn spawn(mut command: Command, folder: &Folder) -> Site {
        command.current_dir(folder.path()).env_remove("RUST_LOG").env_remove("NO_COLOR");
        Site { child: Child::spawn(command).unwrap() }
    }

    /// Waits until it is up.
    ///
    /// # Panics
    /// It does not come up.
    #[must_use]
    pub fn is_up(self) -> Site {
        self.says("Bus STARTED");
        self
    }

    /// The process.
    pub fn child(&self) -> &Child {
        &self.child
    }

    /// Its log.
    pub fn log(&self) -> &Transcript {
        self.child.stderr()
    }

    /// Waits for a line of its log.
    ///
    /// # Panics
    /// None comes.
    #[expect(clippy::unwrap_used, reason = "a test whose event does not come has failed")]
    pub fn says(&self, part: &str) -> String {
        self.log().wait_for(part, SOON).unwrap()
    }

    /// Waits until that many lines with this part have come, and returns them.
    ///
    /// # Panics
    /// Fewer come.
    #[expect(clippy::unwrap_used, reason = "a test whose event does not come has failed")]
    pub fn says_times(&self, count: usize, part: &str) -> Vec<String> {
        let what = format!("{count} lines with {part:?}");
        let lines = |lines: &[String]| {
            let found: Vec<String> = lines.iter().filter(|line| line.contains(part)).cloned().collect();
            (found.len() >= count).then_some(found)
        };
        self.log().wait_until(SOON, &what, lines).unwrap()
    }

    /// The addresses of which its log says that it listens there, oldest first.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let urls = self.log().lines();
        let addresses =
            urls.iter().filter_map(|line| line.split("listening on http://").nth(1)?.parse().ok());
        addresses.collect()
    }

    /// The latest of them.
    ///
    /// # Panics
    /// There is none.
    #[expect(clippy::unwrap_used, reason = "a test of a site that listens nowhere has failed")]
    pub fn address(&self) -> SocketAddr {
        *self.addresses().last().unwrap()
    }

    /// A connection to it.
    ///
    /// # Panics
    /// Nobody listens.
    #[expect(clippy::unwrap_used, reason = "a test whose site cannot be reached has failed")]
    pub fn connect(&self) -> Connection {
        Connection::tcp(self.address()).unwrap()
    }

    /// Asks it for a path.
    ///
    /// # Panics
    /// No answer comes.
    #[expect(clippy::unwrap_used, reason = "a test whose site cannot be reached has failed")]
    pub fn get(&self, path: &str) -> Answer {
        get(self.address(), path).unwrap()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// That is refused.
    #[expect(clippy::unwrap_used, reason = "a test that cannot send signals has failed")]
    pub fn signal(&self, signal: Signal) {
        self.child.signal(signal).unwrap();
    }

    /// Asks for a reload and waits until it is known how it ended.
    ///
    /// # Panics
    /// It does not end.
    #[expect(clippy::unwrap_used, reason = "a test whose event does not come has failed")]
    pub fn reload(&self) -> Verdict {
        let before = self.verdicts();
        self.signal(Signal::HUP);
        let next = |lines: &[String]| verdicts(lines).get(before).cloned();
        self.log().wait_until(SOON, "the end of the reload", next).unwrap()
    }

    /// How many reloads have ended.
    pub fn verdicts(&self) -> usize {
        verdicts(&self.log().lines()).len()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It goes on.
    pub fn ends(self) -> Ended {
        Ended::of(self.child)
    }

    /// Ends it in the usual way, and checks that it was one.
    ///
    /// # Panics
    /// It does not end, or not with 0.
    pub fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        let ended = self.ends();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended
    }

    /// How many threads and open descriptors it has (proc(5)).
    pub fn holds(&self) -> (usize, usize) {
        let count = |what: &str| {
            let entries = std::fs::read_dir(format!("/proc/{}/{what}", self.child.id()));
            entries.map_or(0, Iterator::count)
        };
        (count("task"), count("fd"))
    }

    /// Whether it is still there after `patience`, in which it should not end.
    pub fn goes_on_for(&self, patience: Duration) -> bool {
        self.child.wait(patience).is_err()
    }
}

fn verdicts(lines: &[String]) -> Vec<Verdict> {
    let verdict = |line: &String| match line {
        _ if line.ends_with("Bus reloaded") => Some(Verdict::Reloaded),
        _ if line.contains("not reloaded: everything goes on as it was") => Some(Verdict::Refused),
        _ => None,
    };
    lines.iter().filter_map(verdict).collect()
}

//! One site in two forms: by the program with a site file, and by a program that puts the library's plugins together by
//! hand. In the foreground, on a terminal, and as a daemon; always with a PID file.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use sitebus::pidfile::PidFile;

use crate::client::get;
use crate::daemon::{json, nobody_is_left_in, processes_in};
use crate::folder::Folder;
use crate::process::{Ended, Outsider, SOON, run, wait_until};
use crate::site::Site;
use crate::terminal::TerminalSession;

/// Who runs the site.
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// The program at this path, with a site file.
    Program(&'static Path),
    /// The program at this path, which uses the library.
    ByHand(&'static Path),
}

/// A site in a folder of its own. Whatever still runs there when this is dropped is killed, also what has left its terminal.
#[derive(Debug)]
pub struct Stand {
    subject: Subject,
    folder: Folder,
    listen: String,
    watched: Option<&'static str>,
    /// For the one that is made by hand.
    words: Vec<&'static str>,
}

/// Makes of each case two tests, one for each [`Subject`].
#[macro_export]
macro_rules! against_both {
    ($($case:ident,)*) => {
        mod the_program {
            $(#[test]
            fn $case() {
                super::$case($crate::Stand::of($crate::Subject::Program($crate::program!())));
            })*
        }

        mod by_hand {
            $(#[test]
            fn $case() {
                super::$case($crate::Stand::of($crate::Subject::ByHand($crate::by_hand!())));
            })*
        }
    };
}

impl Stand {
    /// With one page, on any free port.
    pub fn of(subject: Subject) -> Stand {
        let folder = Folder::empty();
        folder.write("public/index.html", "<h1>index</h1>");
        Stand { subject, folder, listen: "127.0.0.1:0".to_owned(), watched: None, words: Vec::new() }
    }

    /// At this address.
    #[must_use]
    pub fn listening_at(mut self, address: impl Into<String>) -> Stand {
        self.listen = address.into();
        self
    }

    /// Restarts when this file of its folder changes.
    #[must_use]
    pub fn watching(mut self, path: &'static str) -> Stand {
        self.watched = Some(path);
        self
    }

    /// With more words for the program that is made by hand.
    #[must_use]
    pub fn with(mut self, word: &'static str) -> Stand {
        self.words.push(word);
        self
    }

    /// Its folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The PID file.
    pub fn pid_file(&self) -> PathBuf {
        self.folder.at("site.pid")
    }

    /// The number in the PID file, once a process holds it.
    ///
    /// # Panics
    /// None does.
    #[expect(clippy::unwrap_used, reason = "a test whose site does not come up has failed")]
    pub fn pid(&self) -> u32 {
        PidFile::wait(self.pid_file(), Instant::now() + SOON).unwrap()
    }

    /// Whether it has the parts that the program has no way to ask for: a dependency that counts, and pages with code.
    pub fn is_made_by_hand(&self) -> bool {
        matches!(self.subject, Subject::ByHand(_))
    }

    fn program(&self) -> &'static Path {
        match self.subject {
            Subject::Program(path) | Subject::ByHand(path) => path,
        }
    }

    fn arguments(&self, verb: &str) -> Vec<String> {
        match self.subject {
            Subject::Program(_) => {
                self.write_site_file();
                vec![verb.to_owned()]
            }
            Subject::ByHand(_) => {
                let watched = self.watched.map(|path| format!("watch={path}"));
                let words = [verb.to_owned(), format!("listen={}", self.listen)].into_iter().chain(watched);
                words.chain(self.words.iter().map(|&word| word.to_owned())).collect()
            }
        }
    }

    fn write_site_file(&self) {
        let watched = self.watched.map_or_else(String::new, |path| {
            format!("[autoreload]\nenabled = true\nprogram = false\npaths = [\"{path}\"]\n")
        });
        self.folder.site(&format!(
            "[http]\nlisten = [\"{}\"]\n[pidfile]\npath = \"site.pid\"\n[daemon]\noutput = \"daemon.log\"\n{watched}",
            self.listen
        ));
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(self.program());
        command.args(self.arguments(verb));
        command
    }

    /// In the foreground; not waited for.
    pub fn spawn(&self) -> Site {
        Site::spawn(self.command("run"), &self.folder)
    }

    /// In the foreground, up.
    pub fn run(&self) -> Site {
        self.spawn().is_up()
    }

    /// On a terminal, up; what it says goes to a file, so that it can be read after the terminal is gone.
    pub fn on_a_terminal(&self) -> TerminalSession {
        let _ = fs::remove_file(self.folder.at("daemon.log")); // of one that came before
        let words = self.arguments("run").join(" ");
        let defaults = "exec env --default-signal=INT,QUIT,HUP";
        let command = format!("{defaults} {} {words} 2>daemon.log", self.program().display());
        let session = TerminalSession::start(self.folder.path(), &command, &[]);
        self.says("Bus STARTED");
        session
    }

    /// What became of a start in the background.
    pub fn launch(&self) -> Ended {
        let arguments = self.arguments("start");
        run(self.program(), self.folder.path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The same from a terminal, which goes away when the launcher returns. The launcher's status.
    pub fn launch_from_a_terminal(&self) -> Option<i32> {
        let words = self.arguments("start").join(" ");
        let command = format!("exec {} {words}", self.program().display());
        TerminalSession::start(self.folder.path(), &command, &[]).ends()
    }

    /// In the background, up: the process that the PID file names.
    ///
    /// # Panics
    /// Its launcher says that it failed.
    pub fn daemon(&self) -> Outsider {
        let launched = self.launch();
        assert_eq!((launched.code, launched.stderr.as_str()), (Some(0), ""), "{launched:?}");
        Outsider::of(self.pid())
    }

    /// What it has said so far, on a terminal or in the background.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.at("daemon.log")).unwrap_or_default()
    }

    /// Waits for a line there.
    ///
    /// # Panics
    /// None comes.
    pub fn says(&self, part: &str) -> String {
        self.says_times(1, part).remove(0)
    }

    /// Waits for that many lines there.
    ///
    /// # Panics
    /// Fewer come.
    pub fn says_times(&self, count: usize, part: &str) -> Vec<String> {
        wait_until(part, || {
            let log = self.log();
            let lines: Vec<_> = log.lines().filter(|line| line.contains(part)).map(str::to_owned).collect();
            (lines.len() >= count).then_some(lines)
        })
    }

    /// Where it listens, on a terminal or in the background.
    ///
    /// # Panics
    /// It does not say so.
    #[expect(clippy::unwrap_used, reason = "a test whose site cannot be reached has failed")]
    pub fn address(&self) -> SocketAddr {
        let lines = self.says_times(1, "listening on http://");
        lines.last().and_then(|line| line.split("http://").nth(1)?.parse().ok()).unwrap()
    }

    /// What it says of itself: `pid`, `state`, `uptime_ms`, `reloads`; by hand also `starts`, `stops`, and `threads`.
    ///
    /// # Panics
    /// It does not answer.
    #[expect(clippy::unwrap_used, reason = "a test whose site does not answer has failed")]
    pub fn facts(&self, address: SocketAddr) -> Value {
        match self.subject {
            Subject::Program(path) => {
                let status = run(path, self.folder.path(), &["status", "--json"]);
                json(&status)["data"].clone()
            }
            Subject::ByHand(_) => serde_json::from_str(&get(address, "/facts").unwrap().text()).unwrap(),
        }
    }

    /// Asks it for an exit in its own way: the command `stop`, or a page.
    ///
    /// # Panics
    /// That fails.
    #[expect(clippy::unwrap_used, reason = "a test whose site does not answer has failed")]
    pub fn ask_for_an_exit(&self, address: SocketAddr) {
        match self.subject {
            Subject::Program(path) => {
                let stopped = run(path, self.folder.path(), &["stop"]);
                assert_eq!(stopped.code, Some(0), "{stopped:?}");
            }
            Subject::ByHand(_) => assert_eq!(get(address, "/exit").unwrap().text(), "exiting"),
        }
    }

    /// Waits until nothing is left of it: no PID file, and no process in its folder.
    ///
    /// # Panics
    /// Something is.
    #[expect(clippy::unwrap_used, reason = "a test whose site does not end has failed")]
    pub fn is_gone(&self) {
        PidFile::join(self.pid_file(), Instant::now() + SOON).unwrap();
        nobody_is_left_in(self.folder.path());
        assert!(!self.pid_file().exists(), "the PID file is left");
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        // Of a test that has failed.
        processes_in(self.folder.path()).into_iter().for_each(|pid| drop(Outsider::of(pid)));
    }
}

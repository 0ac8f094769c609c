//! The phases that a site goes through while somebody waits: one line that changes on a terminal, otherwise a line for each.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Instant;

use serde::Serialize;

use super::answer::tame;
use crate::control::Event;

/// A phase, for the answer in JSON.
#[derive(Debug, Serialize)]
pub(super) struct Phase {
    phase: String,
    /// How long after the question.
    after_ms: u64,
}

pub(super) struct Progress {
    command: &'static str,
    begin: Instant,
    manner: Manner,
    phases: Vec<Phase>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// In the answer alone.
    Silent,
    Lines,
    /// One line that is written over.
    OneLine,
}

/// To the first column, and what is there is wiped.
const WIPE: &str = "\r\u{1b}[K";

impl Progress {
    pub(super) fn new(command: &'static str, json: bool) -> Progress {
        let dumb = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        let manner = match () {
            () if json => Manner::Silent,
            () if io::stderr().is_terminal() && !dumb => Manner::OneLine,
            () => Manner::Lines,
        };
        Progress { command, begin: Instant::now(), manner, phases: Vec::new() }
    }

    pub(super) fn show(&mut self, event: &Event) {
        let after_ms = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let line = format!("{}: {event}", self.command);
        self.phases.push(Phase { phase: tame(&event.to_string()), after_ms });
        let mut stderr = io::stderr().lock();
        // Whoever does not look misses nothing that counts.
        let _ = match self.manner {
            Manner::Silent => Ok(()),
            Manner::Lines => writeln!(stderr, "{}", tame(&line)),
            Manner::OneLine => write!(stderr, "{WIPE}{}", tame(&line)).and_then(|()| stderr.flush()),
        };
    }

    /// Leaves the line to what comes next.
    pub(super) fn end(self) -> Vec<Phase> {
        if self.manner == Manner::OneLine && !self.phases.is_empty() {
            let _ = write!(io::stderr(), "{WIPE}");
        }
        if self.manner == Manner::Silent { self.phases } else { Vec::new() }
    }
}

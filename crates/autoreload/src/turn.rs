//! From the first sign of a change to the moment at which it is complete.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sitebus_bus::Level;

use crate::mailbox::Mailbox;
use crate::scan::{Change, How, Snapshot, differences};
use crate::settle::Settle;
use crate::tell::Tell;
use crate::watch::Watch;

/// A program that is not complete is looked at in this interval, events or not.
const INCOMPLETE: Duration = Duration::from_millis(100);

/// How a change settled.
pub(crate) enum Settled {
    /// These are complete.
    Changes(Vec<Change>),
    /// All is as it was again.
    Nothing,
    /// The thread is to end.
    Stopped,
}

/// Waits until what has changed is complete. `since`: the event that told of it.
pub(crate) fn settle(
    watch: &mut Watch,
    mailbox: &Mailbox,
    tell: &Tell,
    quiet: (Duration, Duration),
    since: Instant,
) -> Settled {
    let mut settle = Settle::begin(quiet.0, quiet.1, since);
    let mut said = false;
    loop {
        let changes = watch.changes();
        if changes.is_empty() {
            return Settled::Nothing;
        }
        let mut until = settle.until(takes_longer(&changes, watch));
        if program_is_incomplete(&changes, watch) {
            until = Instant::now() + INCOMPLETE;
            if settle.is_over(Instant::now()) && !std::mem::replace(&mut said, true) {
                tell.log(Level::Info, "the program is being replaced; it is waited for until it is complete");
            }
        }
        // Events alone disturb nothing: they may be of files that do not count.
        if !mailbox.rest(until) {
            return Settled::Stopped;
        }
        let last_event = mailbox.take_event();
        let before = watch.seen();
        let changes = watch.look();
        if watch.seen() != before && !settle.is_over(Instant::now()) {
            settle.disturb(last_event.unwrap_or_else(Instant::now));
        } else if !changes.is_empty() && !program_is_incomplete(&changes, watch) {
            return Settled::Changes(changes);
        }
    }
}

/// A deletion is mostly the first half of a save, and a compiler writes with pauses.
fn takes_longer(changes: &[Change], watch: &Watch) -> bool {
    changes.iter().all(|change| change.how == How::Deleted) || changed_program(changes, watch).is_some()
}

fn program_is_incomplete(changes: &[Change], watch: &Watch) -> bool {
    changed_program(changes, watch).is_some()
        && watch.program.as_ref().is_some_and(|program| !program.is_complete())
}

fn changed_program<'a>(changes: &'a [Change], watch: &Watch) -> Option<&'a Change> {
    let program = watch.program.as_ref()?;
    changes.iter().find(|change| change.path == program.path)
}

/// Tells what somebody has changed while a command ran from what the command has: that changes again when it runs again.
#[derive(Default)]
pub(crate) struct Outputs {
    known: HashSet<PathBuf>,
    last: HashSet<PathBuf>,
    again: usize,
}

/// A command that makes files with ever new names is not run any more often than this for one change.
const AGAIN: usize = 3;

impl Outputs {
    /// Before the first run for a change.
    pub(crate) fn begin(&mut self) {
        self.last.clear();
        self.again = 0;
    }

    /// After a run: whether something was changed meanwhile that the command has to see.
    pub(crate) fn must_run_again(&mut self, before: &Snapshot, watch: &Watch) -> bool {
        let program = watch.program.as_ref().map(|program| &program.path);
        let changes = differences(before, &watch.seen()).into_iter().map(|change| change.path);
        let fresh = changes
            .filter(|path| Some(path) != program && !self.known.contains(path))
            .collect::<HashSet<_>>();
        self.known.extend(fresh.intersection(&self.last).cloned());
        let again = fresh.iter().any(|path| !self.known.contains(path)) && self.again < AGAIN;
        self.again += 1;
        self.last = fresh;
        again
    }
}

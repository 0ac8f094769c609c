//! The thread that watches.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use sitebus_bus::{Level, SettingsMap, topics};

use crate::before::{self, Outcome};
use crate::brake::Brake;
use crate::mailbox::{Mailbox, Woken};
use crate::scan::{Change, Snapshot};
use crate::settings::{Action, Before, Settings};
use crate::tell::Tell;
use crate::turn::{Outputs, Settled, settle};
use crate::watch::Watch;

pub(crate) struct Worker {
    pub(crate) settings: Arc<Settings>,
    pub(crate) folder: PathBuf,
    pub(crate) watch: Watch,
    pub(crate) brake: Brake,
    pub(crate) outputs: Outputs,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) tell: Tell,
}

/// The thread is to end.
struct Stopped;

impl Worker {
    /// The body of the thread.
    pub(crate) fn run(mut self) {
        self.greet();
        // The program may have been replaced while it started.
        let mut since = Instant::now();
        loop {
            if self.round(since).is_err() {
                return;
            }
            match self.mailbox.wait(Some(self.watch.next_look())) {
                Woken::Stop => return,
                Woken::Event(at) => since = at,
                Woken::Done | Woken::Time => since = Instant::now(),
            }
        }
    }

    fn greet(&mut self) {
        self.say_trouble();
        let how = if self.watch.has_events() { "by events" } else { "by looking at them again and again" };
        let files = self.watch.files();
        self.tell.log(Level::Debug, format!("{files} files are watched {how}"));
    }

    fn say_trouble(&mut self) {
        if let Some(trouble) = self.watch.take_trouble() {
            self.tell.log(Level::Warn, trouble);
        }
    }

    /// Looks, and acts on what has changed.
    fn round(&mut self, mut since: Instant) -> Result<(), Stopped> {
        loop {
            let changes = self.watch.look();
            self.say_trouble();
            if changes.is_empty() {
                return if self.mailbox.rest(self.watch.rest()) { Ok(()) } else { Err(Stopped) };
            }
            let Some(changes) = self.settle(since)? else { return Ok(()) };
            if !self.hold(&changes)? {
                return self.act(changes);
            }
            since = Instant::now();
        }
    }

    fn settle(&mut self, since: Instant) -> Result<Option<Vec<Change>>, Stopped> {
        let quiet = (self.settings.settle, self.settings.settle_limit);
        match settle(&mut self.watch, &self.mailbox, &self.tell, quiet, since) {
            Settled::Changes(changes) => Ok(Some(changes)),
            Settled::Nothing => Ok(None),
            Settled::Stopped => Err(Stopped),
        }
    }

    /// Waits while the brake holds. True if it did: what happened meanwhile belongs to the change.
    fn hold(&mut self, changes: &[Change]) -> Result<bool, Stopped> {
        if self.settings.action == Action::Publish {
            return Ok(false);
        }
        let Some(held) = self.brake.hold(SystemTime::now()) else { return Ok(false) };
        let (times, within, what) =
            (self.brake.times(), self.brake.within(), describe(changes, &self.folder));
        let message = format!(
            "{what}, but that is one change too many: {times} within {within:?} have been acted on. The next one is held for \
             {held:.0?}. If nobody has changed files as often as that, the site does so itself when it starts: have those ignored"
        );
        self.tell.log(Level::Warn, message);
        if self.mailbox.rest(Instant::now() + held) { Ok(true) } else { Err(Stopped) }
    }

    fn act(&mut self, mut changes: Vec<Change>) -> Result<(), Stopped> {
        if let Some(before) = self.settings.before.clone() {
            let outcome = self.prepare(&before)?;
            changes = self.watch.changes();
            if let Some(why) = outcome {
                let seen = self.watch.seen();
                self.watch.accept(&seen);
                let what = describe(&changes, &self.folder);
                let message = format!("{what}, but {why}: the running version stays until the next change");
                self.tell.log(Level::Error, message);
                return Ok(());
            }
            // A program that the command has replaced has to be complete too.
            let Some(settled) = self.settle(Instant::now())? else { return Ok(()) };
            changes = settled;
        }
        let seen = self.watch.seen();
        self.carry_out(&changes, &seen);
        Ok(())
    }

    /// Runs the command until nothing was changed meanwhile. Returns why it failed, if it did.
    fn prepare(&mut self, before: &Before) -> Result<Option<String>, Stopped> {
        self.outputs.begin();
        loop {
            let seen = self.watch.seen();
            self.tell.log(
                Level::Info,
                format!(
                    "{}: running '{}'",
                    describe(&self.watch.changes(), &self.folder),
                    before.command.join(" ")
                ),
            );
            let outcome = before::run(before, &self.folder, &self.mailbox, &self.tell);
            if let Outcome::Stopped = outcome {
                return Err(Stopped);
            }
            self.watch.look();
            if self.outputs.must_run_again(&seen, &self.watch) {
                self.settle(Instant::now())?;
                continue;
            }
            return Ok(if let Outcome::Failed(why) = outcome { Some(why) } else { None });
        }
    }

    fn carry_out(&mut self, changes: &[Change], seen: &Snapshot) {
        self.watch.accept(seen);
        let what = describe(changes, &self.folder);
        let doing = match self.settings.action {
            Action::Restart => "restarting",
            Action::Graceful => "reloading",
            Action::Publish => "telling whoever listens",
        };
        self.tell.log(Level::Info, format!("{what}: {doing}"));
        self.note_for_the_brake();
        let paths = changes.iter().map(|change| change.path.clone()).collect::<Vec<_>>();
        if !self.tell.publish(topics::CHANGED, &paths) {
            return;
        }
        self.tell.ask(|bus| match self.settings.action {
            Action::Restart => drop(bus.ask_restart(format!("autoreload: {what}"))),
            Action::Graceful => drop(bus.ask_graceful(SettingsMap::new())),
            Action::Publish => {}
        });
    }

    fn note_for_the_brake(&mut self) {
        if self.settings.action == Action::Publish {
            return;
        }
        if let Err(error) = self.brake.note(SystemTime::now()) {
            let file = self.brake.file().unwrap_or(Path::new("")).display();
            let message =
                format!("a loop of restarts could not be held up: writing to {file} failed: {error}");
            self.tell.log(Level::Warn, message);
        }
    }
}

/// The program itself is named like any other file.
fn describe(changes: &[Change], folder: &Path) -> String {
    let Some(first) = changes.first() else { return "what had changed is as it was".to_owned() };
    let path = first.path.strip_prefix(folder).unwrap_or(&first.path).display();
    match changes.len() - 1 {
        0 => format!("{path} {}", first.how),
        1 => format!("{path} {} (and another)", first.how),
        more => format!("{path} {} (and {more} others)", first.how),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::How;

    #[test]
    fn a_change_is_named_and_the_others_counted() {
        let change = |path: &str, how| Change { path: path.into(), how };
        let changes = [
            change("/site/a.html", How::Created),
            change("/etc/b", How::Deleted),
            change("/c", How::Changed),
        ];
        let folder = Path::new("/site");
        assert_eq!(describe(&changes[..1], folder), "a.html was created");
        assert_eq!(describe(&changes[1..], folder), "/etc/b is gone (and another)");
        assert_eq!(describe(&changes, folder), "a.html was created (and 2 others)");
    }
}

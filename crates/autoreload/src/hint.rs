//! The kernel's events, by which the truth is looked for sooner. They are a hint and no more.
//!
//! Folders are watched, never files: a watch on a file stays with the old one when a new one is renamed over it. Each folder is
//! watched by itself, and read after that, so that nothing that is written into a new one falls in between.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::Event;
use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use parking_lot::Mutex;

use crate::interest::Interest;
use crate::mailbox::{Mailbox, News};
use crate::scan::Snapshot;
use crate::select::Selection;

pub(crate) struct Hint {
    /// None if there are no events: then the time is what wakes.
    watcher: Option<RecommendedWatcher>,
    /// The kernel has no room for more watches, so some folders are not watched.
    exhausted: bool,
    /// Some folder may not be watched, but files in it may be looked at.
    blind: bool,
    watched: HashSet<PathBuf>,
    known: Arc<Mutex<Known>>,
    /// What is to be said about it.
    trouble: Option<String>,
}

/// By which events are judged.
#[derive(Default)]
struct Known {
    interest: Interest,
    files: Arc<Snapshot>,
}

impl Hint {
    /// Without any events.
    pub(crate) fn none() -> Hint {
        Hint {
            watcher: None,
            exhausted: false,
            blind: false,
            watched: HashSet::new(),
            known: Arc::default(),
            trouble: None,
        }
    }

    pub(crate) fn new(mailbox: &Arc<Mailbox>, selection: &Arc<Selection>) -> Hint {
        let mut hint = Hint::none();
        let (mailbox, selection, known) =
            (Arc::clone(mailbox), Arc::clone(selection), Arc::clone(&hint.known));
        let handler = move |event| hear(event, &mailbox, &known, &selection);
        match guarded(|| notify::recommended_watcher(handler)) {
            Ok(watcher) => hint.watcher = Some(watcher),
            Err(error) => hint.trouble = Some(no_events(&error)),
        }
        hint
    }

    /// Whether all that matters is watched.
    pub(crate) fn is_complete(&self) -> bool {
        self.watcher.is_some() && !self.exhausted && !self.blind
    }

    pub(crate) fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Forgets what may have become another folder, to watch it anew. True if there was any news.
    pub(crate) fn forget(&mut self, news: &News) -> bool {
        if news.all_moved {
            self.watched.clear();
        }
        for moved in &news.moved {
            self.watched.retain(|folder| !folder.starts_with(moved));
        }
        news.all_moved || !news.moved.is_empty()
    }

    /// Watches these folders, and no others any more. True if there were new ones: whatever was read of them before has to be
    /// read again.
    pub(crate) fn follow(&mut self, interest: Interest, files: Arc<Snapshot>) -> bool {
        if self.watcher.is_none() {
            return false;
        }
        let new =
            interest.folders().filter(|folder| !self.watched.contains(*folder)).cloned().collect::<Vec<_>>();
        let old =
            self.watched.iter().filter(|folder| !interest.contains(folder)).cloned().collect::<Vec<_>>();
        // Before the watch, or its first events would not matter to anybody.
        *self.known.lock() = Known { interest, files };
        for folder in old {
            self.watched.remove(&folder);
            if let Some(watcher) = &mut self.watcher {
                let _ = guarded(|| watcher.unwatch(&folder)); // it may be gone
            }
        }
        let (mut fresh, was_blind) = (false, self.blind);
        self.blind = false;
        for folder in new {
            fresh |= self.watch(folder, was_blind);
        }
        fresh
    }

    /// As a queue that ran over does.
    #[cfg(test)]
    pub(crate) fn lose_all(&mut self) {
        for folder in &self.watched {
            if let Some(watcher) = &mut self.watcher {
                watcher.unwatch(folder).ok();
            }
        }
    }

    fn watch(&mut self, folder: PathBuf, was_blind: bool) -> bool {
        if self.exhausted {
            return false;
        }
        let Some(watcher) = &mut self.watcher else { return false };
        match guarded(|| watcher.watch(&folder, RecursiveMode::NonRecursive)) {
            Ok(()) => self.watched.insert(folder),
            Err(error) => {
                if is_forbidden(&error) {
                    // In a folder that cannot be read, only files that are known by name can be seen.
                    let named = !self.known.lock().interest.is_whole(&folder);
                    self.blind |= named;
                    if named && !was_blind {
                        self.trouble = Some(no_watch(&folder, &error));
                    }
                } else if !is_gone(&error) {
                    self.exhausted = true;
                    self.trouble = Some(no_watch(&folder, &error));
                }
                false
            }
        }
    }
}

/// Runs on the thread of notify.
fn hear(event: notify::Result<Event>, mailbox: &Mailbox, known: &Mutex<Known>, selection: &Selection) {
    match event {
        Ok(event) if event.need_rescan() => mailbox.overflow(),
        Ok(Event { kind, paths, .. }) => {
            let known = known.lock();
            let heard = known.interest.hear(kind, &paths, selection, &known.files);
            drop(known);
            if heard.matters {
                mailbox.event(heard.moved);
            }
        }
        Err(_) => mailbox.overflow(),
    }
}

/// notify panics where its own thread could not be made, or has ended.
fn guarded<T>(call: impl FnOnce() -> notify::Result<T>) -> notify::Result<T> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(notify::Error::generic("the thread that reads events is not there")))
}

/// It can go at any time, and its going is an event of the folder above.
fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(cause) => {
            matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        }
        _ => false,
    }
}

fn is_forbidden(error: &notify::Error) -> bool {
    matches!(&error.kind, ErrorKind::Io(cause) if cause.kind() == io::ErrorKind::PermissionDenied)
}

fn no_events(error: &notify::Error) -> String {
    let mut text = format!("the system gives no events of changed files ({error})");
    if let ErrorKind::Io(cause) = &error.kind
        && cause.raw_os_error().is_some_and(|code| code == EMFILE)
    {
        let limit = limit("max_user_instances");
        let _ = write!(
            text,
            "; if it is not for `ulimit -n`, allow more users of them: sysctl fs.inotify.max_user_instances=1024 ({limit} now)"
        );
    }
    text
}

fn no_watch(folder: &Path, error: &notify::Error) -> String {
    let folder = folder.display();
    if let ErrorKind::MaxFilesWatch = error.kind {
        let limit = limit("max_user_watches");
        return format!(
            "the kernel watches no more folders, {folder} among them: allow more by sysctl fs.inotify.max_user_watches=524288 \
             ({limit} now), or watch less"
        );
    }
    format!("{folder} gives no events of changed files ({error})")
}

/// Linux and all other systems that have the name agree.
const EMFILE: i32 = 24;

fn limit(name: &str) -> String {
    let limit = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}"));
    limit.map_or_else(|_| "unknown".to_owned(), |limit| limit.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use notify::event::{EventKind, Flag};

    use super::*;
    use crate::settings::Settings;

    #[test]
    fn an_overflow_without_a_path_is_news_about_everything() {
        let (mailbox, known) = (Mailbox::default(), Mutex::default());
        let selection = Selection::new(&Settings::default()).unwrap();
        let overflow = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        hear(Ok(overflow), &mailbox, &known, &selection);
        assert_eq!(mailbox.take_news(), News { moved: Vec::new(), all_moved: true });
        hear(Err(notify::Error::generic("read failed")), &mailbox, &known, &selection);
        assert_eq!(mailbox.take_news(), News { moved: Vec::new(), all_moved: true });
    }
}

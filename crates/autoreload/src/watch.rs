//! What is watched, what it looked like, and what it looks like now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::hint::Hint;
use crate::interest::Interest;
use crate::list::{List, absolute};
use crate::mailbox::Mailbox;
use crate::program::Executable;
use crate::scan::{Change, Scan, Snapshot, differences};
use crate::select::Selection;
use crate::settings::Settings;
use crate::stamp::Stamp;
use crate::stations::{Station, stations};

/// Without events, and not said otherwise.
const POLL: Duration = Duration::from_secs(1);
/// With events, all is looked at as often as this nevertheless: a folder can be moved far above, and a network knows of none.
const SAFETY: Duration = Duration::from_secs(60);
/// And then it may take this part of a core, at most.
const SAFETY_SHARE: u32 = 1000;
/// A look for nothing is followed by a rest of this many times as long, so that a folder full of what does not count
/// cannot keep a core busy.
const REST: u32 = 4;
/// Folders that come and go while they are looked at are left to the next event.
const PASSES: usize = 8;
/// What happens far above a watched path raises no event.
const STATIONS_LAST: Duration = Duration::from_secs(30);

pub(crate) struct Watch {
    selection: Arc<Selection>,
    /// The paths of the settings, and the program.
    fixed: BTreeSet<PathBuf>,
    list: Arc<List>,
    /// Of the list, what the baseline knows of.
    adopted: BTreeSet<PathBuf>,
    pub(crate) program: Option<Executable>,
    /// Never watched: our own.
    except: Option<PathBuf>,
    poll: Option<Duration>,
    hint: Hint,
    mailbox: Arc<Mailbox>,
    baseline: Snapshot,
    now: Arc<Snapshot>,
    /// Where the watched paths can change on their way.
    stations: Vec<Station>,
    stations_found: Option<Instant>,
    looked: Instant,
    cost: Duration,
}

impl Watch {
    /// Whatever is there now has not changed.
    pub(crate) fn begin(
        settings: &Settings,
        folder: &Path,
        selection: Arc<Selection>,
        list: Arc<List>,
        mailbox: Arc<Mailbox>,
    ) -> Watch {
        let program = Executable::find(&settings.program, folder);
        let mut fixed = settings.paths.iter().map(|path| absolute(folder, path)).collect::<BTreeSet<_>>();
        fixed.extend(program.as_ref().map(|program| program.path.clone()));
        let hint = if settings.poll.is_some() { Hint::none() } else { Hint::new(&mailbox, &selection) };
        let mut watch = Watch {
            selection,
            fixed,
            list,
            adopted: BTreeSet::new(),
            program,
            except: settings.brake.file.as_ref().map(|file| absolute(folder, file)),
            poll: settings.poll,
            hint,
            mailbox,
            baseline: Snapshot::new(),
            now: Arc::default(),
            stations: Vec::new(),
            stations_found: None,
            looked: Instant::now(),
            cost: Duration::ZERO,
        };
        watch.begin_with_what_is_there();
        watch
    }

    fn begin_with_what_is_there(&mut self) {
        let named = self.list.named();
        self.adopted = named.keys().cloned().collect();
        self.look_at_all();
        self.baseline = (*self.now).clone();
        for (path, stamp) in named {
            self.begin_with(path, stamp);
        }
        if let Some(program) = &self.program
            && let Some(found) = self.baseline.get_mut(&program.path)
        {
            *found = program.baseline(*found);
        }
    }

    /// Looks, and says how what there is differs from what was accepted last.
    pub(crate) fn look(&mut self) -> Vec<Change> {
        self.take_over_the_list();
        self.look_at_all();
        self.changes()
    }

    /// The same as of the last look.
    pub(crate) fn changes(&self) -> Vec<Change> {
        differences(&self.baseline, &self.now)
    }

    /// What the last look has found.
    pub(crate) fn seen(&self) -> Arc<Snapshot> {
        Arc::clone(&self.now)
    }

    /// What was seen then has been acted on.
    pub(crate) fn accept(&mut self, seen: &Snapshot) {
        self.baseline = seen.clone();
    }

    /// When to look without an event.
    pub(crate) fn next_look(&self) -> Instant {
        let pause = match (self.poll, self.hint.is_complete()) {
            (Some(interval), _) => interval.max(self.cost * REST),
            (None, false) => POLL.max(self.cost * REST),
            (None, true) => SAFETY.max(self.cost * SAFETY_SHARE),
        };
        self.looked + pause
    }

    /// Until when not to look again after a look for nothing.
    pub(crate) fn rest(&self) -> Instant {
        self.looked + self.cost * REST
    }

    /// What there is to say about events.
    pub(crate) fn take_trouble(&mut self) -> Option<String> {
        self.hint
            .take_trouble()
            .map(|trouble| format!("{trouble}; meanwhile all files are looked at every {POLL:?}"))
    }

    pub(crate) fn has_events(&self) -> bool {
        self.poll.is_none() && self.hint.is_complete()
    }

    pub(crate) fn files(&self) -> usize {
        self.now.len()
    }

    fn take_over_the_list(&mut self) {
        let named = self.list.named();
        let gone = self.adopted.iter().filter(|path| !named.contains_key(*path)).cloned().collect::<Vec<_>>();
        if !gone.is_empty() {
            for path in &gone {
                self.adopted.remove(path);
            }
            let Watch { fixed, adopted, baseline, .. } = self;
            baseline.retain(|path, _| fixed.iter().chain(adopted.iter()).any(|root| path.starts_with(root)));
            self.stations_found = None;
        }
        let new =
            named.into_iter().filter(|(path, _)| !self.adopted.contains(path)).collect::<BTreeMap<_, _>>();
        for (path, stamp) in new {
            self.begin_with(path.clone(), stamp);
            self.adopted.insert(path);
            self.stations_found = None;
        }
    }

    /// From now on it counts; whatever happened before it was named does not.
    fn begin_with(&mut self, path: PathBuf, stamp: Option<Stamp>) {
        match stamp {
            Some(Stamp::Folder { .. }) => {
                let mut scan = Scan::default();
                scan.add(&path, &self.selection);
                for (file, stamp) in scan.files {
                    self.baseline.entry(file).or_insert(stamp);
                }
            }
            Some(stamp) => {
                self.baseline.insert(path, stamp);
            }
            None => {}
        }
    }

    /// A folder that is watched from now on has to be read once more: what came into it before the watch raised no event.
    fn look_at_all(&mut self) {
        let begun = Instant::now();
        let moved = self.hint.forget(&self.mailbox.take_news());
        if moved || self.stations_found.is_none_or(|found| found.elapsed() > STATIONS_LAST) {
            self.find_stations();
        }
        for _ in 0..PASSES {
            let mut scan = Scan::default();
            for root in self.fixed.iter().chain(&self.adopted) {
                scan.add(root, &self.selection);
            }
            if let Some(except) = &self.except {
                scan.files.remove(except);
            }
            self.now = Arc::new(scan.files);
            if !self.follow(scan.folders) {
                break;
            }
            self.find_stations();
        }
        self.looked = Instant::now();
        self.cost = self.looked - begun;
    }

    fn find_stations(&mut self) {
        if self.poll.is_none() {
            self.stations = self.fixed.iter().chain(&self.adopted).flat_map(|root| stations(root)).collect();
            self.stations_found = Some(Instant::now());
        }
    }

    fn follow(&mut self, folders: Vec<(PathBuf, PathBuf)>) -> bool {
        let mut interest = Interest::default();
        for station in &self.stations {
            interest.in_name(station.clone());
        }
        for (real, found) in folders {
            interest.in_whole(real, found);
        }
        self.hint.follow(interest, Arc::clone(&self.now))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use std::fs;

    use super::*;
    use crate::mailbox::Woken;

    #[test]
    fn after_an_overflow_all_is_looked_at_and_watched_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("pages")).unwrap();
        let settings = Settings { program: crate::Program::Unwatched, ..Settings::of([folder.path()]) };
        let (mailbox, selection) =
            (Arc::new(Mailbox::default()), Arc::new(Selection::new(&settings).unwrap()));
        let list = Arc::new(List::new("/".into()));
        let mut watch = Watch::begin(&settings, Path::new("/"), selection, list, Arc::clone(&mailbox));
        let look = |watch: &mut Watch| {
            let changes = watch.look();
            let seen = watch.seen();
            watch.accept(&seen);
            changes.len()
        };
        assert_eq!(look(&mut watch), 0);

        watch.hint.lose_all();
        fs::write(folder.path().join("pages/a"), "1").unwrap();
        mailbox.overflow();
        assert_eq!(look(&mut watch), 1, "what the lost events would have told");
        while mailbox.wait(Some(Instant::now())) != Woken::Time {}
        fs::write(folder.path().join("pages/a"), "22").unwrap();
        let woken = mailbox.wait(Some(Instant::now() + SAFETY / 2));
        assert!(matches!(woken, Woken::Event(_)), "{woken:?}");
        assert_eq!(look(&mut watch), 1);
    }
}

//! What in which folder matters, so that a busy folder does not have everything looked at for nothing.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use notify::EventKind;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};

use crate::scan::Snapshot;
use crate::select::Selection;

/// All watched folders, as they are without symbolic links.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest(HashMap<PathBuf, Room>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Room {
    /// All that is in it matters; this is the path by which the settings know it.
    whole: Option<PathBuf>,
    /// Only these matter.
    names: HashSet<OsString>,
}

/// What has happened to a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Written,
    Created,
    Moved,
}

/// What an event says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Something that matters may have changed.
    pub(crate) matters: bool,
    /// These may be other folders now than the ones that were watched, and so may what is below them.
    pub(crate) moved: Vec<PathBuf>,
}

impl Interest {
    pub(crate) fn in_name(&mut self, (folder, name): (PathBuf, OsString)) {
        self.0.entry(folder).or_default().names.insert(name);
    }

    pub(crate) fn in_whole(&mut self, folder: PathBuf, spelled: PathBuf) {
        self.0.entry(folder).or_default().whole = Some(spelled);
    }

    pub(crate) fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.keys()
    }

    pub(crate) fn contains(&self, folder: &Path) -> bool {
        self.0.contains_key(folder)
    }

    pub(crate) fn is_whole(&self, folder: &Path) -> bool {
        self.0.get(folder).is_some_and(|room| room.whole.is_some())
    }

    /// Reads change nothing, and there is one whenever a file is served: if they counted, a site would reload itself for ever.
    /// `known` is what the last look has found. It knows what ignore files say, so a log file that is ignored can be written as
    /// often as it likes; and a file that has just come has told so before.
    pub(crate) fn hear(
        &self,
        kind: EventKind,
        paths: &[PathBuf],
        selection: &Selection,
        known: &Snapshot,
    ) -> Heard {
        let what = match kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => What::Written,
            EventKind::Access(_) => return Heard::default(),
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => What::Written,
            EventKind::Create(CreateKind::File) => What::Created,
            _ => What::Moved,
        };
        let counts = |path: &Path| match what {
            What::Written => known.contains_key(path),
            What::Created => !selection.rejects(path),
            What::Moved => true, // it may be a folder, which the globs for files say nothing about
        };
        let matters = paths.iter().any(|path| self.matters(path, counts));
        let moved = if what == What::Moved { paths.to_vec() } else { Vec::new() };
        Heard { matters, moved }
    }

    fn matters(&self, path: &Path, counts: impl Fn(&Path) -> bool) -> bool {
        if self.contains(path) {
            return true;
        }
        let Some((room, name)) = path.parent().and_then(|folder| self.0.get(folder)).zip(path.file_name())
        else {
            return false;
        };
        let counts = |spelled: &PathBuf| counts(&spelled.join(name));
        room.names.contains(name) || room.whole.as_ref().is_some_and(counts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use notify::event::{DataChange, RemoveKind, RenameMode};

    use super::*;
    use crate::settings::Settings;
    use crate::stamp::Stamp;

    fn interest() -> Interest {
        let mut interest = Interest::default();
        interest.in_whole("/srv/site".into(), "/current".into());
        interest.in_name(("/etc".into(), "shop.conf".into()));
        interest
    }

    fn hears(kind: EventKind, path: &str) -> Heard {
        let settings = Settings {
            folder: Some("/current".into()),
            include: vec!["/*.html".to_owned()],
            ..Settings::default()
        };
        let known = Snapshot::from([("/current/a.html".into(), Stamp::Missing)]);
        interest().hear(kind, &[path.into()], &Selection::new(&settings).unwrap(), &known)
    }

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const RENAMED: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::To));

    #[test]
    fn reads_are_not_heard() {
        for access in
            [AccessKind::Open(AccessMode::Any), AccessKind::Close(AccessMode::Read), AccessKind::Read]
        {
            assert_eq!(hears(EventKind::Access(access), "/srv/site/a.html"), Heard::default());
        }
        assert!(hears(EventKind::Access(AccessKind::Close(AccessMode::Write)), "/srv/site/a.html").matters);
    }

    #[test]
    fn in_a_whole_folder_what_is_known_and_what_the_globs_take_matters() {
        let created = EventKind::Create(CreateKind::File);
        assert!(hears(WRITTEN, "/srv/site/a.html").matters);
        assert!(!hears(WRITTEN, "/srv/site/ignored.html").matters);
        assert!(hears(created, "/srv/site/b.html").matters);
        assert!(!hears(created, "/srv/site/b.log").matters);
        assert!(!hears(created, "/srv/site/.b.html.swp").matters);
        assert!(!hears(created, "/srv/other/b.html").matters);
    }

    #[test]
    fn beside_a_single_file_nothing_matters() {
        assert!(hears(WRITTEN, "/etc/shop.conf").matters);
        assert!(!hears(WRITTEN, "/etc/passwd").matters);
        assert!(hears(RENAMED, "/etc/shop.conf").matters);
        assert!(!hears(RENAMED, "/etc/passwd").matters);
    }

    #[test]
    fn what_may_be_a_folder_matters_whatever_its_name_and_is_watched_anew() {
        for kind in [RENAMED, EventKind::Create(CreateKind::Folder), EventKind::Remove(RemoveKind::Other)] {
            let heard = hears(kind, "/srv/site/pages");
            assert_eq!(heard, Heard { matters: true, moved: vec!["/srv/site/pages".into()] });
        }
        assert!(hears(EventKind::Remove(RemoveKind::Folder), "/srv/site").matters);
    }
}

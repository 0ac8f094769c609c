//! The truth: what all watched files look like now, and how that differs from before.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::select::Selection;
use crate::stamp::Stamp;

/// All watched files.
pub(crate) type Snapshot = BTreeMap<PathBuf, Stamp>;

/// What one look has found.
#[derive(Default)]
pub(crate) struct Scan {
    pub(crate) files: Snapshot,
    /// All that lies in these counts: each as it is without symbolic links, and as it was found.
    pub(crate) folders: Vec<(PathBuf, PathBuf)>,
}

impl Scan {
    /// Looks at a file, or at all that is in a folder.
    pub(crate) fn add(&mut self, root: &Path, selection: &Selection) {
        let stamp = Stamp::of(root);
        if !stamp.is_folder() {
            self.files.insert(root.to_owned(), stamp);
            return;
        }
        let real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        for entry in selection.walk(root).flatten() {
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            if entry.depth() == 0 {
                self.folders.push((real.clone(), entry.into_path()));
            } else if is_folder {
                let below = entry.path().strip_prefix(root).unwrap_or(Path::new(""));
                self.folders.push((real.join(below), entry.into_path()));
            } else if selection.includes(entry.path()) {
                let stamp = Stamp::of(entry.path());
                self.files.insert(entry.into_path(), stamp);
            }
        }
    }
}

/// One file that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: PathBuf,
    pub(crate) how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Changed,
    Created,
    Deleted,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            How::Changed => "changed",
            How::Created => "was created",
            How::Deleted => "is gone",
        })
    }
}

/// In the order of their paths. A file that was not known and is not there has not changed.
pub(crate) fn differences(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let now = new.iter().filter_map(|(path, &stamp)| Some((path, how(old.get(path).copied(), stamp)?)));
    let gone = old.iter().filter(|(path, stamp)| !new.contains_key(*path) && !stamp.is_gone());
    let mut changes = now
        .chain(gone.map(|(path, _)| (path, How::Deleted)))
        .map(|(path, how)| Change { path: path.clone(), how })
        .collect::<Vec<_>>();
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}

fn how(old: Option<Stamp>, new: Stamp) -> Option<How> {
    match old.unwrap_or(Stamp::Missing) {
        old if old == new => None,
        Stamp::Missing => Some(How::Created),
        _ if new == Stamp::Missing => Some(How::Deleted),
        _ => Some(How::Changed),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use std::fs::{self, File};
    use std::io::ErrorKind;
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::settings::Settings;

    fn scan(root: &Path, settings: &Settings) -> Scan {
        let mut scan = Scan::default();
        scan.add(root, &Selection::new(settings).unwrap());
        scan
    }

    fn names(root: &Path, settings: &Settings) -> Vec<String> {
        let files = scan(root, settings).files.into_keys();
        files.map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect()
    }

    #[test]
    fn an_older_time_the_same_size_and_another_file_are_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let look = || scan(&path, &Settings::default()).files;
        let changes = |old: &Snapshot| {
            differences(old, &look()).into_iter().map(|change| change.how).collect::<Vec<_>>()
        };

        let missing = look();
        assert_eq!(changes(&missing), []);
        fs::write(&path, "1").unwrap();
        assert_eq!(changes(&missing), [How::Created]);
        let first = look();
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        File::options().write(true).open(&path).unwrap().set_modified(hour_ago).unwrap();
        assert_eq!(changes(&first), [How::Changed]);
        let second = look();
        fs::write(folder.path().join("b"), "2").unwrap();
        File::options().write(true).open(folder.path().join("b")).unwrap().set_modified(hour_ago).unwrap();
        fs::rename(folder.path().join("b"), &path).unwrap();
        assert_eq!(changes(&second), [How::Changed], "same time, same size, another inode");
        let third = look();
        fs::remove_file(&path).unwrap();
        assert_eq!(changes(&third), [How::Deleted]);
    }

    #[test]
    fn a_file_that_cannot_be_looked_at_changes_once() {
        let seen = |stamp| Snapshot::from([(PathBuf::from("/a"), stamp)]);
        let hidden = seen(Stamp::Hidden(ErrorKind::PermissionDenied));
        assert_eq!(differences(&hidden, &hidden.clone()), []);
        assert_eq!(differences(&hidden, &seen(Stamp::Missing)).len(), 1);
    }

    #[test]
    fn ignore_files_hidden_files_and_globs_are_respected() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("target/debug")).unwrap();
        fs::create_dir_all(root.join("pages")).unwrap();
        fs::write(root.join(".gitignore"), "/target/\n*.log\n").unwrap();
        for name in [
            "target/debug/x.html",
            "pages/a.html",
            "pages/a.css",
            "pages/a.log",
            "pages/.env",
            "b.html",
            "b.html~",
        ] {
            fs::write(root.join(name), "").unwrap();
        }
        let settings = Settings { folder: Some(root.to_owned()), ..Settings::default() };
        assert_eq!(names(root, &settings), ["b.html", "pages/a.css", "pages/a.html"]);
        let folders = scan(root, &settings).folders.into_iter().map(|(_, found)| found).collect::<Vec<_>>();
        assert_eq!(folders, [root.to_owned(), root.join("pages")]);
        let only = Settings { include: vec!["*.html".into()], ..settings.clone() };
        assert_eq!(names(root, &only), ["b.html", "pages/a.html"]);
        let less = Settings { ignore: vec!["/pages".into()], ..settings.clone() };
        assert_eq!(names(root, &less), ["b.html"]);
        let all = Settings { ignore_files: false, ..settings };
        assert_eq!(
            names(root, &all),
            ["b.html", "pages/a.css", "pages/a.html", "pages/a.log", "target/debug/x.html"]
        );
    }

    #[test]
    fn a_link_to_a_folder_is_not_followed_but_changes_with_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let (root, other) = (folder.path().join("root"), folder.path().join("other"));
        for name in [&root, &other] {
            fs::create_dir(name).unwrap();
        }
        fs::write(other.join("x"), "").unwrap();
        symlink(&other, root.join("link")).unwrap();
        let old = scan(&root, &Settings::default()).files;
        assert_eq!(old.keys().collect::<Vec<_>>(), [&root.join("link")]);
        fs::remove_file(root.join("link")).unwrap();
        symlink(&root, root.join("link")).unwrap();
        assert_eq!(differences(&old, &scan(&root, &Settings::default()).files).len(), 1);
    }
}

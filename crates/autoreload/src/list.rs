//! The files that frameworks have named while the site runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::stamp::Stamp;

/// What came on the topics. It lasts longer than the watching thread.
pub(crate) struct List {
    folder: PathBuf,
    /// With what they looked like when they were named; none if that was before the site was stopped.
    named: Mutex<BTreeMap<PathBuf, Option<Stamp>>>,
}

impl List {
    pub(crate) fn new(folder: PathBuf) -> List {
        List { folder, named: Mutex::default() }
    }

    pub(crate) fn add(&self, paths: &[PathBuf]) {
        for path in paths {
            let path = absolute(&self.folder, path);
            self.named.lock().entry(path).or_insert_with_key(|path| Some(Stamp::of(path)));
        }
    }

    pub(crate) fn remove(&self, paths: &[PathBuf]) {
        for path in paths {
            self.named.lock().remove(&absolute(&self.folder, path));
        }
    }

    pub(crate) fn named(&self) -> BTreeMap<PathBuf, Option<Stamp>> {
        self.named.lock().clone()
    }

    /// Whatever has changed by the next start is what that start finds.
    pub(crate) fn forget_stamps(&self) {
        for stamp in self.named.lock().values_mut() {
            *stamp = None;
        }
    }
}

/// Without `.` and doubled slashes, so that one file has one name; `..` stays, since the folder before it may be a link.
pub(crate) fn absolute(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path).components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_name() {
        let list = List::new("/site".into());
        list.add(&["./a//b".into(), "/site/a/b".into(), "a/./b".into()]);
        assert_eq!(list.named().into_keys().collect::<Vec<_>>(), [PathBuf::from("/site/a/b")]);
        list.remove(&["a/b".into(), "never/named".into()]);
        assert!(list.named().is_empty());
    }
}

//! What a file looked like: enough to tell that it has changed, without reading it.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::SystemTime;

/// Two stamps of one path are equal if nothing has happened to it in between. An older time is a change as well as a newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    Missing,
    /// It cannot be looked at. As long as that is for the same reason, nothing has changed.
    Hidden(ErrorKind),
    File {
        modified: Option<SystemTime>,
        size: u64,
        inode: u64,
    },
    /// What is in a folder has stamps of its own; its time changes with every file in it.
    Folder {
        inode: u64,
    },
}

impl Stamp {
    /// Follows symbolic links: what counts is what would be read.
    pub(crate) fn of(path: &Path) -> Stamp {
        Stamp::from(fs::metadata(path))
    }

    pub(crate) fn is_folder(self) -> bool {
        matches!(self, Stamp::Folder { .. })
    }

    /// Whether there is nothing where something was.
    pub(crate) fn is_gone(self) -> bool {
        matches!(self, Stamp::Missing | Stamp::Hidden(_))
    }
}

impl From<io::Result<Metadata>> for Stamp {
    fn from(result: io::Result<Metadata>) -> Stamp {
        match result {
            Ok(metadata) if metadata.is_dir() => Stamp::Folder { inode: inode(&metadata) },
            Ok(metadata) => Stamp::File {
                modified: metadata.modified().ok(),
                size: metadata.len(),
                inode: inode(&metadata),
            },
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Stamp::Missing
            }
            Err(error) => Stamp::Hidden(error.kind()),
        }
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

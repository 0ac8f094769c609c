//! A file with one owner at a time, whose lock ends with the owner, however it died.
//!
//! The lock is flock(2) on an open file. The kernel drops it with the last descriptor of that file, so a killed process
//! leaves a file behind but no lock, and **what a left file says never stops the next start**. The number inside is only
//! there to name the holder to somebody who was refused. Whoever removes the file removes the lock: where that must not be,
//! hold a [`Claim`](crate::claim::Claim) too.
//!
//! Forked children share the lock, since they share the open file. It is close-on-exec.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// How often another file may have appeared under the path while we locked, before we give up.
const TRIES: usize = 16;

/// A held lock. Dropping it lets the next one in; the file stays, see [`remove`](Lock::remove).
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process has it, or this one has it already.
    #[error("{} is held by {}: stop that one first, or use another file", path.display(), Holder(*by))]
    Held {
        /// The process that says so in the file, if it is readable.
        by: Option<u32>,
        /// The file.
        path: PathBuf,
    },
    /// The path is a symbolic link, a folder, a device.
    #[error("{} cannot be a lock: it is {what}; remove it or name another path", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Somebody removes and makes the file all the time.
    #[error("{} is replaced again and again while it is being locked: find out by whom", path.display())]
    Unstable {
        /// The path.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("{doing} the lock file {} failed: {cause}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl Lock {
    /// Takes the lock, or says who has it; never waits. A new file is readable by everyone (mode 0644, less the umask).
    ///
    /// # Errors
    /// [`LockError::Held`] if another has it; the rest says what is wrong with the path.
    pub fn take(path: impl Into<PathBuf>) -> Result<Lock, LockError> {
        Lock::take_with_mode(path, 0o644)
    }

    /// Takes the lock on a file that, if it is new, gets this mode, less the umask: 0600 hides who holds it.
    ///
    /// # Errors
    /// As [`take`](Lock::take).
    pub fn take_with_mode(path: impl Into<PathBuf>, mode: u32) -> Result<Lock, LockError> {
        let path = path.into();
        for _ in 0..TRIES {
            let file = open(&path, mode)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(LockError::Held { by: written_by(&file), path }),
                Err(TryLockError::Error(cause)) => return Err(failed("locking", &path, cause)),
            }
            // Between open and lock the last owner may have removed the file: then ours is a lock that nobody else sees.
            if is_still(&file, &path)? {
                let mut lock = Lock { file, path };
                lock.sign()?;
                return Ok(lock);
            }
        }
        Err(LockError::Unstable { path })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is still under its path. If it is not, the next one makes a new file, and takes the lock on that.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        is_still(&self.file, &self.path).unwrap_or(false)
    }

    /// Writes the number of this process into the file, as [`take`](Lock::take) does: for a child that was forked since.
    ///
    /// # Errors
    /// [`LockError::Io`] if the file cannot be written.
    pub fn sign(&mut self) -> Result<(), LockError> {
        let pid = format!("{}\n", std::process::id());
        let written = self.file.rewind().and_then(|()| self.file.write_all(pid.as_bytes()));
        // Cut after writing, so that a reader never finds an empty file.
        let written = written.and_then(|()| self.file.set_len(pid.len() as u64));
        written.map_err(|cause| failed("writing", &self.path, cause))
    }

    /// Removes the file, if it is still the locked one, and lets the next one in.
    ///
    /// # Errors
    /// [`LockError::Io`] if it cannot be removed; the lock has ended all the same.
    pub fn remove(self) -> Result<(), LockError> {
        if is_still(&self.file, &self.path)? {
            std::fs::remove_file(&self.path).map_err(|cause| failed("removing", &self.path, cause))?;
        }
        Ok(())
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open(path: &Path, mode: u32) -> Result<File, LockError> {
    let not_a_file = |what| LockError::NotAFile { path: path.to_owned(), what };
    // O_NONBLOCK: opening a fifo must not wait for its other end.
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(cause) if cause.raw_os_error() == Some(libc::ELOOP) => return Err(not_a_file("a symbolic link")),
        Err(cause) if cause.kind() == io::ErrorKind::IsADirectory => return Err(not_a_file("a folder")),
        Err(cause) => return Err(failed("opening", path, cause)),
    };
    let metadata = file.metadata().map_err(|cause| failed("examining", path, cause))?;
    if metadata.is_file() { Ok(file) } else { Err(not_a_file("no regular file")) }
}

fn is_still(file: &File, path: &Path) -> Result<bool, LockError> {
    let ours = file.metadata().map_err(|cause| failed("examining", path, cause))?;
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok(identity(&ours) == identity(&there)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(failed("examining", path, cause)),
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn written_by(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.lines().next()?.trim().parse().ok()
}

fn failed(doing: &'static str, path: &Path, cause: io::Error) -> LockError {
    LockError::Io { doing, path: path.to_owned(), cause }
}

struct Holder(Option<u32>);

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(pid) if pid == std::process::id() => write!(f, "this very process ({pid})"),
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

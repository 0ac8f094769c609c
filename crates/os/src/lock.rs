//! A file with one owner at a time, whose lock ends with the owner, however it died.
//!
//! The lock is flock(2) on an open file. The kernel drops it with the last descriptor of that file, so a killed process
//! leaves a file behind but no lock, and **what a left file says never stops the next start**. The number inside is only
//! there to name the holder to somebody who was refused. Whoever removes the file removes the lock: where that must not be,
//! hold a [`Claim`](crate::claim::Claim) too.
//!
//! Forked children share the lock, since they share the open file. It is close-on-exec.
//!
//! Trying a lock takes it for a moment, which may be the moment in which somebody starts. So the holder also *marks* the
//! file, once its number is in it, and whoever only wants to know [looks](Lock::holder) at the mark.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::unistd::geteuid;

use crate::Unsupported;

/// How often another file may have appeared under the path while we locked, or a holder not have signed, before we give up.
const TRIES: usize = 16;
/// What a holder is given each time to sign.
const SIGNING: Duration = Duration::from_millis(2);

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
    /// In a folder where others make files too, somebody else has put something there.
    #[error(
        "{} cannot be a lock: others may make files in that folder, and this one {what}; remove it, or name a path in a \
         folder of your own",
        path.display()
    )]
    Planted {
        /// The file.
        path: PathBuf,
        /// What gives it away.
        what: String,
    },
    /// Not on this platform.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// What was handed on is not the file that is there, if one is.
    #[error("the lock that was handed on is not the one of {}: that is another file by now, or gone", path.display())]
    Replaced {
        /// The path.
        path: PathBuf,
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
    /// Takes the lock, or says who has it; waits for nobody but a holder who has not signed yet (32 ms). A new file is readable by everyone (mode 0644, less the umask).
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
        let mut refused = LockError::Unstable { path: path.clone() };
        for _ in 0..TRIES {
            let Some(file) = open(&path, mode)? else { continue };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let by = signed_by(&file);
                    refused = LockError::Held { by, path: path.clone() };
                    if by.is_some() {
                        break;
                    }
                    thread::sleep(SIGNING); // sleep-is-meant: it is about to sign, or it is no lock of ours
                    continue;
                }
                Err(TryLockError::Error(cause)) => return Err(failed("locking", &path, cause)),
            }
            // Between open and lock the last owner may have removed the file: then ours is a lock that nobody else sees.
            if is_still(&file, &path)? {
                let mut lock = Lock { file, path };
                // A file without a number would be left on a full disk.
                return lock.sign().inspect_err(|_| drop(lock.remove())).map(|()| lock);
            }
        }
        Err(refused)
    }

    /// The lock that another image of this program has handed on, by its descriptor.
    ///
    /// # Errors
    /// [`LockError::Replaced`] if there is another file under the path by now, or none; [`LockError::Held`] if it is not
    /// locked by this descriptor. The descriptor is closed then.
    pub fn inherited(descriptor: OwnedFd, path: impl Into<PathBuf>) -> Result<Lock, LockError> {
        let (file, path) = (File::from(descriptor), path.into());
        match file.try_lock() {
            Ok(()) => {} // a file that is locked through this descriptor stays so
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { by: signed_by(&file), path }),
            Err(TryLockError::Error(cause)) => return Err(failed("locking", &path, cause)),
        }
        if !is_still(&file, &path)? {
            return Err(LockError::Replaced { path });
        }
        let mut lock = Lock { file, path };
        lock.sign()?;
        Ok(lock)
    }

    /// The process that holds the lock on a file, if any does; the lock is not touched. Linux only.
    ///
    /// A process that was killed holds nothing, whatever its file says; one that has only just locked holds nothing until it
    /// has signed. No file is no holder.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn holder(path: &Path) -> Result<Option<u32>, LockError> {
        Unsupported::unless_linux("asking who holds a lock file")?;
        let mut options = OpenOptions::new();
        match options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) {
            Ok(file) => Ok(signed_by(&file)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cannot_open(path, cause)),
        }
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
        written.map_err(|cause| failed("writing", &self.path, cause))?;
        mark::put(&self.file).map_err(|cause| failed("marking", &self.path, cause))
    }

    /// Removes the file, if it is still the locked one, and says whether it was. The next one makes a new file.
    ///
    /// # Errors
    /// [`LockError::Io`] if it cannot be removed.
    pub fn remove(&self) -> Result<bool, LockError> {
        let ours = is_still(&self.file, &self.path)?;
        if ours {
            std::fs::remove_file(&self.path).map_err(|cause| failed("removing", &self.path, cause))?;
        }
        Ok(ours)
    }

    /// Removes the number from the file, which also a process can that may not remove the file any more.
    ///
    /// # Errors
    /// [`LockError::Io`] if it cannot be written.
    pub fn empty(&self) -> Result<(), LockError> {
        self.file.set_len(0).map_err(|cause| failed("emptying", &self.path, cause))
    }
}

impl From<Lock> for OwnedFd {
    /// The lock as a descriptor, to be handed on: it is held for as long as a copy of that is open.
    fn from(lock: Lock) -> OwnedFd {
        lock.file.into()
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Opens the file or makes it; nothing if it came or went meanwhile.
fn open(path: &Path, mode: u32) -> Result<Option<File>, LockError> {
    let mut options = OpenOptions::new();
    // O_NONBLOCK: opening a fifo must not wait for its other end.
    options.read(true).write(true).mode(mode).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    match options.open(path) {
        Ok(file) => return examine(&file, path).map(|()| Some(file)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
        Err(cause) => return Err(cannot_open(path, cause)),
    }
    // Made in a second step: one that may do both is refused, even to root, files of others in folders such as /tmp.
    match options.create_new(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(cause) => Err(failed("making", path, cause)),
    }
}

fn cannot_open(path: &Path, cause: io::Error) -> LockError {
    let what = match cause.raw_os_error() {
        Some(libc::ELOOP) => "a symbolic link",
        Some(libc::EISDIR) => "a folder",
        Some(libc::ENXIO) => "no regular file", // a socket
        _ => return failed("opening", path, cause),
    };
    LockError::NotAFile { path: path.to_owned(), what }
}

/// What is there already must be a file, and in a folder that others write to it must not be theirs: its owner could change
/// the number in it, and by a second name of it our number would be written over something else.
fn examine(file: &File, path: &Path) -> Result<(), LockError> {
    let cannot = |cause| failed("examining", path, cause);
    let is = file.metadata().map_err(cannot)?;
    if !is.is_file() {
        return Err(LockError::NotAFile { path: path.to_owned(), what: "no regular file" });
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::metadata(folder).map_err(cannot)?;
    let trusted = [geteuid().as_raw(), 0];
    if folder.mode() & 0o022 == 0 && trusted.contains(&folder.uid()) {
        return Ok(());
    }
    let planted = |what| Err(LockError::Planted { path: path.to_owned(), what });
    if is.nlink() > 1 {
        return planted("has other names too".to_owned());
    }
    // Who owns the folder could put any file there, so nothing is won by refusing theirs.
    if trusted.contains(&is.uid()) || is.uid() == folder.uid() {
        return Ok(());
    }
    planted(format!("belongs to user {}", is.uid()))
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

/// The number in the file, if whoever holds the lock has written it.
fn signed_by(file: &File) -> Option<u32> {
    if !mark::is_on(file) {
        return None;
    }
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

/// A lock of the open file beside the lock: one that can be looked at without being taken (fcntl(2), `F_OFD_SETLK`).
#[cfg(target_os = "linux")]
mod mark {
    use nix::fcntl::{FcntlArg, fcntl};
    use std::fs::File;
    use std::io;

    const WHOLE: libc::flock =
        libc::flock { l_type: 0, l_whence: libc::SEEK_SET as i16, l_start: 0, l_len: 0, l_pid: 0 };

    pub(super) fn put(file: &File) -> io::Result<()> {
        let mark = libc::flock { l_type: libc::F_WRLCK as i16, ..WHOLE };
        fcntl(file, FcntlArg::F_OFD_SETLK(&mark))?;
        Ok(())
    }

    pub(super) fn is_on(file: &File) -> bool {
        let mut found = libc::flock { l_type: libc::F_RDLCK as i16, ..WHOLE };
        let looked = fcntl(file, FcntlArg::F_OFD_GETLK(&mut found));
        looked.is_ok() && found.l_type == libc::F_WRLCK as i16
    }
}

/// Elsewhere a number is believed for as long as the file is locked.
#[cfg(not(target_os = "linux"))]
mod mark {
    use std::fs::File;
    use std::io;

    pub(super) fn put(_: &File) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn is_on(_: &File) -> bool {
        true
    }
}

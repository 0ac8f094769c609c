//! The listening socket and its file.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use sitebus_os::local::{self, Found};
use sitebus_os::parcel::Item;

use crate::error::ControlError;
use crate::inheritance::{self, FoundSocket};

/// How often somebody else may get ahead of us.
const TRIES: usize = 8;
/// Its owner, and nobody else.
const MODE: u32 = 0o600;

pub(crate) struct Door {
    pub(crate) listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file. The number is not used anew as long as the socket is open.
    identity: (u64, u64),
    /// The file is somebody else's to remove.
    stays: bool,
}

impl Door {
    /// Makes the socket. What a killed process has left there is replaced; whatever else is there stays.
    pub(crate) fn open(path: &Path) -> Result<Door, ControlError> {
        let path = path.to_owned();
        for _ in 0..TRIES {
            match make_way(&path).and_then(|()| local::listen_at(&path, MODE).map_err(|e| failed(&path, e))) {
                Err(ControlError::Io { cause, .. }) if cause.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
                Ok(listener) => {
                    let identity = identity(&path).map_err(|cause| failed(&path, cause))?;
                    return Ok(Door { listener, path, identity, stays: false });
                }
            }
        }
        Err(failed(&path, io::ErrorKind::AddrInUse.into()))
    }

    /// The socket that the image before had, if it is still at this path; otherwise a new one.
    pub(crate) fn take_over(path: &Path, found: FoundSocket) -> Result<Door, ControlError> {
        let FoundSocket { listener, path: before, identity: known } = found;
        let same = before == path
            && match identity(path) {
                Ok(now) => now == known,
                // Privileges were dropped since: the folder cannot be looked into, and no other socket made there.
                Err(cause) => cause.kind() == io::ErrorKind::PermissionDenied,
            };
        if !same {
            // First, so that the old file is gone and does not look alive.
            drop(Door { listener, path: before, identity: known, stays: false });
            return Door::open(path);
        }
        let prepared = local::listen_again(&listener).and_then(|()| listener.set_nonblocking(true));
        prepared.map_err(|cause| failed(path, cause))?;
        Ok(Door { listener, path: before, identity: known, stays: false })
    }

    pub(crate) fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    pub(crate) fn hand_on(&self) -> Option<Item> {
        let descriptor = self.listener.try_clone().ok()?.into();
        inheritance::socket(descriptor, &self.path, self.identity)
    }

    /// Closes the door and removes its file, if that is still ours.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.remove()
    }

    /// Closes the door and leaves the file to whoever has the socket now.
    pub(crate) fn leave_open(mut self) {
        self.stays = true;
    }

    fn remove(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.stays, true)
            || !identity(&self.path).is_ok_and(|now| now == self.identity)
        {
            return Ok(()); // gone, or somebody else's
        }
        fs::remove_file(&self.path)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = self.remove(); // whoever wants to know calls `close`
    }
}

fn make_way(path: &Path) -> Result<(), ControlError> {
    let there = identity(path).ok();
    match local::look(path).map_err(|cause| failed(path, cause))? {
        Found::Nothing => Ok(()),
        Found::Alive { peer } => {
            let by = peer.and_then(|peer| peer.process);
            Err(ControlError::InUse { path: path.to_owned(), by })
        }
        Found::NoSocket => Err(ControlError::NotASocket { path: path.to_owned() }),
        // Between the question and the answer somebody may have put another one there.
        _ if identity(path).ok() == there => match fs::remove_file(path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(failed(path, cause)),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

fn failed(path: &Path, cause: io::Error) -> ControlError {
    ControlError::Io { path: path.to_owned(), cause }
}

//! The file of a Unix socket: replaced when it is dead, refused when it is not, removed only if it is ours.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::listener::unix;

/// The file that was made for a listener. Dropping it removes the file, if it is still that one.
pub(crate) struct UnixFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// A forked child holds a copy of this value, but the file is not the child's to remove.
    owner: u32,
}

impl UnixFile {
    pub(crate) fn bind(path: &Path) -> io::Result<(UnixFile, UnixListener)> {
        make_way(path)?;
        let socket = unix(&SockAddr::unix(path)?)?;
        let (device, inode) = identity(path)?;
        Ok((UnixFile { path: path.to_owned(), device, inode, owner: std::process::id() }, socket))
    }

    /// Leaves the file to whoever gets the listener: which file it is, for [`UnixFile::found`].
    pub(crate) fn leave(mut self) -> (u64, u64) {
        self.owner = 0; // nobody, so that dropping it removes nothing
        (self.device, self.inode)
    }

    /// The file that an earlier owner has left, if it is still that one.
    pub(crate) fn found(path: &Path, (device, inode): (u64, u64)) -> Option<UnixFile> {
        let is = identity(path).is_ok_and(|now| now == (device, inode));
        is.then(|| UnixFile { path: path.to_owned(), device, inode, owner: std::process::id() })
    }
}

impl Drop for UnixFile {
    fn drop(&mut self) {
        let unchanged = identity(&self.path).is_ok_and(|now| now == (self.device, self.inode));
        if unchanged && self.owner == std::process::id() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

fn make_way(path: &Path) -> io::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !there.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of another kind"));
    }
    if answers(path)? {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    // Between the question and the answer another process may have put its own socket there.
    if identity(path).is_ok_and(|now| now == (there.dev(), there.ino())) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Whether somebody listens there. Never waits: a full backlog is an answer too.
fn answers(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        Ok(()) | Err(_) => Ok(true),
    }
}

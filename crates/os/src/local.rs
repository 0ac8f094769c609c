//! A Unix socket that has a file, whatever the length of its path, and with the right mode from the first moment.
//!
//! The address of a Unix socket has room for 107 bytes (unix(7)), and a folder deep below a home directory is soon longer.
//! Then the folder is opened, and the socket is named through its descriptor: `/proc/self/fd/7/control.sock`. Only the file's own name must be short: 80 bytes
//! always fit. Linux only.

use crate::Unsupported;
use crate::peer::Peer;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};
use nix::sys::stat::{Mode, fchmod};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Instant;

/// What is found under the path of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A socket that nobody listens on any more: whoever made it was killed.
    Dead,
    /// A socket that somebody listens on.
    Alive {
        /// Who, if that could be told.
        peer: Option<Peer>,
    },
    /// Something that is no socket, a symbolic link among others.
    NoSocket,
}

/// Looks what is there. Somebody who listens sees a connection that ends at once.
///
/// # Errors
/// The path cannot be examined, or the socket may not be connected to.
pub fn look(path: &Path) -> io::Result<Found> {
    Unsupported::unless_linux(WHAT).map_err(io::Error::other)?;
    match std::fs::symlink_metadata(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(cause) => return Err(cause),
        Ok(there) if !there.file_type().is_socket() => return Ok(Found::NoSocket),
        Ok(_) => {}
    }
    let stream = UnixStream::from(new_socket()?);
    stream.set_nonblocking(true)?; // a full backlog must not be waited for: it is an answer too
    match attach(&stream, path) {
        Ok(()) => Ok(Found::Alive { peer: Peer::of(&stream).ok() }),
        Err(cause) => match cause.kind() {
            io::ErrorKind::ConnectionRefused => Ok(Found::Dead),
            io::ErrorKind::NotFound => Ok(Found::Nothing),
            io::ErrorKind::PermissionDenied => Err(cause),
            _ => Ok(Found::Alive { peer: None }),
        },
    }
}

/// Makes the socket and its file, and listens. The file has exactly this mode, less the umask, before anybody can connect.
/// It does not block.
///
/// # Errors
/// `AddrInUse` if there is a file of that name; otherwise what the system says.
pub fn listen_at(path: &Path, mode: u32) -> io::Result<UnixListener> {
    Unsupported::unless_linux(WHAT).map_err(io::Error::other)?;
    let socket = new_socket()?;
    // Linux makes the file with the mode that the socket has (`unix_bind`): there is no moment with another one.
    fchmod(&socket, Mode::from_bits_truncate(mode))?;
    let (address, _folder) = address(path)?;
    bind(socket.as_raw_fd(), &address)?;
    let listener = UnixListener::from(socket);
    listen_again(&listener).inspect_err(|_| drop(std::fs::remove_file(path)))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Listens once more on a socket that was inherited, so that peers see this process at its end ([`Peer`]).
///
/// # Errors
/// It is no listening socket.
pub fn listen_again(listener: &UnixListener) -> io::Result<()> {
    Ok(listen(&listener.as_fd(), Backlog::new(BACKLOG)?)?)
}

/// Connects, and waits for a full backlog until `deadline`.
///
/// # Errors
/// `NotFound`: there is nothing; `ConnectionRefused`: nobody listens, or it is no socket; `TimedOut`: somebody listens but
/// does not accept; otherwise what the system says.
pub fn connect_to(path: &Path, deadline: Instant) -> io::Result<UnixStream> {
    Unsupported::unless_linux(WHAT).map_err(io::Error::other)?;
    let stream = UnixStream::from(new_socket()?);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?; // a connect waits as long as a write
        match attach(&stream, path) {
            Ok(()) => break,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {}
            Err(cause) => return Err(cause),
        }
    }
    stream.set_write_timeout(None)?;
    Ok(stream)
}

const WHAT: &str = "a Unix socket by a path of any length";
/// How many may wait to be accepted.
const BACKLOG: i32 = 64;

#[cfg(target_vendor = "apple")]
const FLAGS: SockFlag = SockFlag::empty(); // never used: every entrance has refused before
#[cfg(not(target_vendor = "apple"))]
const FLAGS: SockFlag = SockFlag::SOCK_CLOEXEC;

fn new_socket() -> io::Result<OwnedFd> {
    Ok(socket(AddressFamily::Unix, SockType::Stream, FLAGS, None)?)
}

fn attach(stream: &UnixStream, path: &Path) -> io::Result<()> {
    let (address, _folder) = address(path)?;
    Ok(connect(stream.as_raw_fd(), &address)?)
}

/// The address, and the folder that must stay open while it is used.
fn address(path: &Path) -> io::Result<(UnixAddr, Option<File>)> {
    match UnixAddr::new(path) {
        Ok(address) => return Ok((address, None)),
        Err(nix::Error::ENAMETOOLONG) => {}
        Err(cause) => return Err(cause.into()),
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = libc::O_DIRECTORY | path_only();
    let folder = OpenOptions::new().read(true).custom_flags(flags).open(folder)?;
    let near = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok((UnixAddr::new(&near)?, Some(folder)))
}

/// A folder may be gone through without being readable.
#[cfg(target_os = "linux")]
fn path_only() -> i32 {
    libc::O_PATH
}

#[cfg(not(target_os = "linux"))]
fn path_only() -> i32 {
    0
}

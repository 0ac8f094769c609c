//! Who sits at the other end of a Unix socket.
//!
//! The kernel notes process, user and group of either side at the moment of connect(2) or listen(2), and no peer can
//! pretend (`SO_PEERCRED`, unix(7)). The user is the effective one. What happens later is not seen: a peer may drop its
//! privileges, or hand its end to somebody else. Linux only.

use crate::Unsupported;
use std::fmt;
use std::io;
use std::os::fd::AsFd;

/// The other end of a Unix socket, as it was when it connected or began to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its process, unless that cannot be named here: it lives in another PID namespace.
    pub process: Option<u32>,
    /// Its effective user.
    pub user: u32,
    /// Its effective group.
    pub group: u32,
}

/// Why the peer is unknown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// Not on this platform.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// It is no Unix socket, or not connected.
    #[error("who sits at the other end of a socket cannot be told: {0}; it must be a connected Unix socket")]
    Unreadable(io::Error),
}

impl Peer {
    /// Asks the kernel.
    ///
    /// # Errors
    /// [`PeerError`] says why there is no answer; then nobody should be trusted.
    pub fn of(socket: impl AsFd) -> Result<Peer, PeerError> {
        Unsupported::unless_linux("telling who sits at the other end of a socket")?;
        credentials(socket)
    }

    /// Whether it is root, or the user that this process acts as now.
    #[must_use]
    pub fn is_root_or_us(&self) -> bool {
        self.user == 0 || self.user == our_user()
    }
}

/// The user that this process acts as: the effective one.
#[must_use]
pub fn our_user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn credentials(socket: impl AsFd) -> Result<Peer, PeerError> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

    let known = getsockopt(&socket.as_fd(), PeerCredentials)
        .map_err(|cause| PeerError::Unreadable(io::Error::from(cause)))?;
    let user = known.uid();
    if user == u32::MAX {
        // The kernel's word for "nobody is there": a socket without a peer.
        return Err(PeerError::Unreadable(io::ErrorKind::NotConnected.into()));
    }
    let process = u32::try_from(known.pid()).ok().filter(|pid| *pid != 0);
    Ok(Peer { process, user, group: known.gid() })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn credentials(_: impl AsFd) -> Result<Peer, PeerError> {
    Err(PeerError::Unreadable(io::ErrorKind::Unsupported.into()))
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process {
            Some(process) => write!(f, "process {process} of user {}", self.user),
            None => write!(f, "a process of user {}", self.user),
        }
    }
}

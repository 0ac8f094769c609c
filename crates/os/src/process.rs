//! Waiting for the end of any process, not only of a child.
//!
//! A number says little: once its process is gone, another one may get it. A pidfd (pidfd_open(2), Linux 5.3) names one
//! process for as long as it is open, and becomes readable when that has ended with all its threads. Between learning the
//! number and opening, the number may already have passed on, so **open first, and only then have the process itself prove
//! that it is there**, by an answer for example.

#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "pidfd_open(2) has no wrapper in nix"))]

use crate::Unsupported;
use crate::ready::{self, Interest};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Instant;

/// One process, whatever becomes of its number.
#[derive(Debug)]
pub struct Process {
    id: u32,
    descriptor: OwnedFd,
}

/// Why a process cannot be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// There is none of that number.
    #[error("there is no process {id}")]
    Gone {
        /// The number.
        id: u32,
    },
    /// Not on this platform.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The system refuses: an old kernel, a sandbox, too many open files.
    #[error("process {id} cannot be watched: pidfd_open: {cause}")]
    Refused {
        /// The number.
        id: u32,
        /// What the system says.
        cause: io::Error,
    },
}

impl Process {
    /// The process that has this number now. The descriptor is close-on-exec.
    ///
    /// # Errors
    /// [`ProcessError::Gone`] if there is none; the rest says why it cannot be watched.
    pub fn open(id: u32) -> Result<Process, ProcessError> {
        Unsupported::unless_linux("watching a process that is no child")?;
        match open(id) {
            Ok(descriptor) => Ok(Process { id, descriptor }),
            Err(cause) if cause.raw_os_error() == Some(libc::ESRCH) => Err(ProcessError::Gone { id }),
            Err(cause) => Err(ProcessError::Refused { id, cause }),
        }
    }

    /// Its number, which may be another process's once this one has ended.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether it has ended. A zombie has.
    ///
    /// # Errors
    /// poll(2) failed.
    pub fn has_ended(&self) -> io::Result<bool> {
        self.wait(Some(Instant::now()))
    }

    /// Waits for its end, no longer than until `deadline`; says whether it has ended.
    ///
    /// # Errors
    /// poll(2) failed.
    pub fn wait(&self, deadline: Option<Instant>) -> io::Result<bool> {
        ready::wait_one(self.descriptor.as_fd(), Interest::Read, deadline)
    }
}

#[cfg(target_os = "linux")]
fn open(id: u32) -> io::Result<OwnedFd> {
    let number = libc::pid_t::try_from(id).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    if number == 0 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: the call takes two integers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, number, 0) };
    let Ok(descriptor) = i32::try_from(result) else { return Err(io::ErrorKind::InvalidData.into()) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, so nobody else owns it.
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(descriptor) })
}

#[cfg(not(target_os = "linux"))]
fn open(_: u32) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into()) // never called: `Process::open` has refused before
}

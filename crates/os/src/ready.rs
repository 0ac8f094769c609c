//! Waiting until one of several descriptors is ready (poll(2)), and a bell that ends such a wait from another thread.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Wake;
use std::time::Instant;

/// What a descriptor is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something can be read, accepted, or the end has come.
    Read,
    /// Something can be written.
    Write,
    /// Only that the other end is gone, which is always told.
    End,
}

/// What a descriptor is ready for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ready {
    /// Reading will not wait.
    pub read: bool,
    /// Writing will not wait.
    pub write: bool,
    /// The other end is gone altogether, or the descriptor is broken.
    pub end: bool,
}

impl Ready {
    /// Whether it is ready for anything.
    #[must_use]
    pub fn any(self) -> bool {
        self.read || self.write || self.end
    }
}

/// Waits until one of them is ready, or until `deadline`; no longer than a signal handler takes. The answers stand in the
/// order of the questions, and none is ready at the deadline.
///
/// # Errors
/// poll(2) failed: there are more descriptors than the process may open.
pub fn wait(asked: &[(BorrowedFd<'_>, Interest)], deadline: Option<Instant>) -> io::Result<Vec<Ready>> {
    let mut polled: Vec<PollFd<'_>> =
        asked.iter().map(|(descriptor, interest)| PollFd::new(*descriptor, flags(*interest))).collect();
    match poll(&mut polled, timeout(deadline)) {
        Ok(_) => Ok(polled.iter().map(ready).collect()),
        Err(nix::Error::EINTR) => Ok(vec![Ready::default(); asked.len()]),
        Err(cause) => Err(cause.into()),
    }
}

/// Waits for one, whatever signals come; says whether it is ready.
///
/// # Errors
/// poll(2) failed.
pub fn wait_one(
    descriptor: BorrowedFd<'_>,
    interest: Interest,
    deadline: Option<Instant>,
) -> io::Result<bool> {
    loop {
        if wait(&[(descriptor, interest)], deadline)?.iter().any(|ready| ready.any()) {
            return Ok(true);
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(false);
        }
    }
}

fn flags(interest: Interest) -> PollFlags {
    match interest {
        Interest::Read => PollFlags::POLLIN,
        Interest::Write => PollFlags::POLLOUT,
        Interest::End => PollFlags::empty(),
    }
}

fn ready(polled: &PollFd<'_>) -> Ready {
    let came = polled.revents().unwrap_or(PollFlags::empty());
    let end = came.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL);
    Ready { read: came.contains(PollFlags::POLLIN), write: came.contains(PollFlags::POLLOUT), end }
}

/// Up to the next millisecond, so that the last wait is not a busy one.
fn timeout(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else { return PollTimeout::NONE };
    match deadline.checked_duration_since(Instant::now()) {
        None => PollTimeout::ZERO,
        Some(left) if left.is_zero() => PollTimeout::ZERO,
        Some(left) => PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX),
    }
}

/// A bell that another thread rings, also as the waker of a future. It never waits, and rings that nobody has heard yet
/// are one.
#[derive(Debug)]
pub struct Bell {
    ring: UnixStream,
    hear: UnixStream,
}

impl Bell {
    /// Two descriptors, close-on-exec.
    ///
    /// # Errors
    /// The process has too many open files.
    pub fn new() -> io::Result<Arc<Bell>> {
        let (ring, hear) = UnixStream::pair()?;
        ring.set_nonblocking(true)?;
        hear.set_nonblocking(true)?;
        Ok(Arc::new(Bell { ring, hear }))
    }

    /// Rings.
    pub fn ring(&self) {
        // A full socket has been rung often enough.
        let _ = (&self.ring).write(&[0]);
    }

    /// Forgets the rings so far. The caller looks for what they were about *after* this.
    pub fn hush(&self) {
        let mut rings = [0; 64];
        while (&self.hear).read(&mut rings).is_ok_and(|read| read == rings.len()) {}
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.hear.as_fd()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Bell>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Bell>) {
        self.ring();
    }
}

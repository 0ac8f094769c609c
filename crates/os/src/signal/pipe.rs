//! The pipe between a signal handler and the thread that reads: one byte per signal, its number.

use super::Signal;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// No signal has this number: the byte only wakes the reader.
const WAKE: u8 = 0;

/// Both ends are held together, so that writing can never meet a pipe without a reader (`SIGPIPE`).
#[derive(Debug)]
pub(super) struct Pipe {
    reader: PipeReader,
    writer: PipeWriter,
    closed: AtomicBool,
}

impl Pipe {
    /// Close-on-exec from the start; never blocking at either end.
    pub(super) fn new() -> io::Result<Pipe> {
        let (reader, writer) = io::pipe()?;
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Pipe { reader, writer, closed: AtomicBool::new(false) })
    }

    /// What the handler writes to.
    pub(super) fn writer(&self) -> RawFd {
        self.writer.as_raw_fd()
    }

    pub(super) fn post(&self, signal: Signal) {
        // Every number fits (the last one is 64); a full pipe has a reader who has enough to do.
        let byte = u8::try_from(signal.number()).unwrap_or(WAKE);
        let _ = (&self.writer).write(&[byte]);
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = (&self.writer).write(&[WAKE]);
    }

    /// The next number; none once the pipe is closed and empty, or at the deadline.
    pub(super) fn next(&self, deadline: Option<Instant>) -> io::Result<Option<u8>> {
        loop {
            let closed = self.is_closed();
            let mut byte = [WAKE];
            match (&self.reader).read(&mut byte) {
                Ok(_) if byte[0] != WAKE => return Ok(Some(byte[0])),
                Ok(_) => continue,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {}
                Err(cause) => return Err(cause),
            }
            if closed || !self.wait(deadline)? {
                return Ok(None);
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Whether there may be something to read; not at the deadline.
    fn wait(&self, deadline: Option<Instant>) -> io::Result<bool> {
        let timeout = match deadline {
            None => PollTimeout::NONE,
            Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                None => return Ok(false),
                // Up to the next millisecond, so that the last wait is not a busy one.
                Some(left) => PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX),
            },
        };
        match poll(&mut [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(true),
            Err(cause) => Err(cause.into()),
        }
    }
}

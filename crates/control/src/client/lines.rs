//! Lines over a socket, with a deadline.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// No site says more in one line; what does is no site.
const LONGEST: usize = 64 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Lines {
    stream: UnixStream,
    read: Vec<u8>,
    /// Up to where there is no newline in what was read.
    looked: usize,
}

impl Lines {
    pub(super) fn of(stream: UnixStream) -> Lines {
        Lines { stream, read: Vec::new(), looked: 0 }
    }

    /// What is still under way belongs to a question that nobody asks any more.
    pub(super) fn close(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both); // an error says that it was closed already
        self.read.clear();
        self.looked = 0;
    }

    pub(super) fn write(&mut self, line: &str, deadline: Instant) -> io::Result<()> {
        self.stream.set_write_timeout(Some(left(deadline)?))?;
        self.stream.write_all(line.as_bytes()).map_err(in_words)
    }

    /// The next line; nothing at the end.
    pub(super) fn next(&mut self, deadline: Instant) -> io::Result<Option<String>> {
        let mut piece = vec![0; 16 * 1024];
        loop {
            if let Some(end) = self.read[self.looked..].iter().position(|byte| *byte == b'\n') {
                let rest = self.read.split_off(self.looked + end + 1);
                let line = std::mem::replace(&mut self.read, rest);
                self.looked = 0;
                return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            self.looked = self.read.len();
            if self.looked > LONGEST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not stop talking"));
            }
            self.stream.set_read_timeout(Some(left(deadline)?))?;
            match self.stream.read(&mut piece) {
                Ok(0) => return Ok(None),
                Ok(read) => self.read.extend_from_slice(&piece[..read]),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) if is_end(&cause) => return Ok(None),
                Err(cause) => return Err(in_words(cause)),
            }
        }
    }
}

/// Whether this is how the system says that the other end is gone.
pub(super) fn is_end(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// The system says "try again" when a time is over.
fn in_words(cause: io::Error) -> io::Error {
    if cause.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { cause }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.max(Duration::from_millis(1))) }
}

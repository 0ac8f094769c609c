//! A stream that may be full: a pipe whose reader has stopped, a terminal that was halted with Ctrl-S.
//!
//! write(2) waits there for as long as that lasts, and whoever logs to such a stream waits with it. The stream cannot be
//! made non-blocking instead: that would be so for everybody who shares it, such as the shell (`O_NONBLOCK` belongs to the
//! open file description, fcntl(2)).

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How many bytes a writable pipe takes without waiting, if nobody else writes to it meanwhile: `PIPE_BUF` (pipe(7)).
pub const AT_ONCE: usize = libc::PIPE_BUF;

/// Waits up to `patience` until the stream takes [`AT_ONCE`] bytes, and says whether it does. One that fails at once (its
/// reader is gone) counts as taking them, and so does a file.
///
/// A terminal may take fewer: keep lines to it short.
///
/// # Errors
/// What poll(2) says.
pub fn wait_writable(stream: impl AsFd, patience: Duration) -> io::Result<bool> {
    let deadline = Instant::now().checked_add(patience);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::MAX)
        });
        let mut question = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut question, timeout) {
            Ok(answers) => return Ok(answers > 0),
            Err(Errno::EINTR) => {}
            Err(cause) => return Err(cause.into()),
        }
    }
}

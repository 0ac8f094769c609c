//! A stream that may be full: a pipe whose reader has stopped, a terminal that was halted with Ctrl-S.
//!
//! write(2) waits there for as long as that lasts, and whoever logs to such a stream waits with it. The stream cannot be
//! made non-blocking instead: that would be so for everybody who shares it, such as the shell (`O_NONBLOCK` belongs to the
//! open file description, fcntl(2)).

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::Path;
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

/// Opens a file to be written at its end, and makes it if there is none, with `mode` less what the umask takes, and for this
/// user and group, if they are given and this process may give files away. What is there already stays whose it is.
///
/// Neither this nor a write waits for anybody where the path turns out to be a pipe or a terminal: a pipe that nobody reads is
/// an error (`ENXIO`), and one that is full is [`WouldBlock`](io::ErrorKind::WouldBlock). A terminal does not become the
/// process's own. A file on a disk may take its time all the same: `O_NONBLOCK` means nothing there (open(2)).
///
/// # Errors
/// What open(2) and fchown(2) say.
pub fn append_without_waiting(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).mode(mode).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    if let Some((user, group)) = owner {
        // A file that was made here and nowhere else: no link was followed to it.
        match options.create_new(true).open(path) {
            Ok(file) => {
                let is = file.metadata()?;
                if (is.uid(), is.gid()) == (user, group) {
                    return Ok(file);
                }
                // Who may give nothing away does not become another user either, and will write it itself.
                return match fchown(&file, Some(user), Some(group)) {
                    Err(cause) if cause.kind() != io::ErrorKind::PermissionDenied => Err(cause),
                    _ => Ok(file),
                };
            }
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(cause),
        }
    }
    options.create_new(false).create(true).open(path)
}

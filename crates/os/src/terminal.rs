//! The terminal that this process belongs to, and whether it is still there.
//!
//! `SIGHUP` has two meanings: an operator asks a server to reload, or the terminal that the program was started from is
//! gone. The signal does not tell them apart (credentials(7), tty(4)); the terminal does.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{File, OpenOptions};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;

/// The controlling terminal, held open so that it can be asked later.
#[derive(Debug)]
pub struct Terminal {
    device: File,
}

impl Terminal {
    /// The controlling terminal; none for a service, a daemon or a container without one, and none if it is gone already.
    #[must_use]
    pub fn controlling() -> Option<Terminal> {
        let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
        let device = OpenOptions::new().read(true).custom_flags(flags).open("/dev/tty").ok()?;
        Some(Terminal { device })
    }

    /// Whether the other side of the terminal is gone: its window closed, its connection lost. Never waits.
    #[must_use]
    pub fn hung_up(&self) -> bool {
        let mut question = [PollFd::new(self.device.as_fd(), PollFlags::empty())];
        // POLLHUP and POLLERR are answered without being asked for.
        match poll(&mut question, PollTimeout::ZERO) {
            Ok(_) => {
                let answer = question[0].revents().unwrap_or(PollFlags::empty());
                answer.intersects(PollFlags::POLLHUP | PollFlags::POLLERR)
            }
            Err(_) => false,
        }
    }
}

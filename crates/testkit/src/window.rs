//! Terminals, for tests of processes that have one.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs::{File, OpenOptions};

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::unistd::setsid;

/// A terminal, seen from the side of its window.
#[derive(Debug)]
pub struct Window {
    master: PtyMaster,
    /// The path of its device.
    pub name: String,
}

impl Window {
    /// Opens one.
    #[must_use]
    pub fn open() -> Window {
        // Close-on-exec from the start: a window that another test's child held too could not be closed.
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname_r(&master).unwrap();
        Window { master, name }
    }

    /// Hangs the terminal up.
    pub fn close(self) {
        drop(self.master);
    }
}

/// In a child: leaves its session and makes this terminal the one of the new session.
pub fn move_into(terminal: &str) -> File {
    setsid().unwrap();
    // Without O_NOCTTY: opening a terminal is how the leader of a session without one gets it.
    OpenOptions::new().read(true).write(true).open(terminal).unwrap()
}

//! Who expects this process to stay in the foreground.

use std::{env, fmt, process};

/// A sign that this process was started by a service manager, or a container, that watches it.
///
/// Its variables may have been taken out of the environment before the process leaves the foreground. Then look for it
/// before that, and pass it on: see [`Daemonize::under`](crate::Daemonize::under).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Supervisor {
    /// `NOTIFY_SOCKET` is set: this very process is to say when it is ready (sd_notify(3)).
    NotifySocket,
    /// `SYSTEMD_EXEC_PID` is this process (systemd.exec(5)).
    Systemd,
    /// This is process 1 of a container, which ends with it.
    FirstProcess,
}

impl Supervisor {
    /// Looks at the environment.
    #[must_use]
    pub fn detect() -> Option<Supervisor> {
        let own = process::id();
        let by_systemd = || env::var("SYSTEMD_EXEC_PID").is_ok_and(|pid| pid == own.to_string());
        if env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty()) {
            Some(Supervisor::NotifySocket)
        } else if by_systemd() {
            Some(Supervisor::Systemd)
        } else {
            (own == 1).then_some(Supervisor::FirstProcess)
        }
    }

    /// Whether there are such that expect a process that forks.
    pub(crate) fn may_expect_a_fork(self) -> bool {
        self != Supervisor::FirstProcess
    }
}

impl fmt::Display for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Supervisor::NotifySocket => {
                "a service manager waits to hear from this very process (NOTIFY_SOCKET is set in its environment)"
            }
            Supervisor::Systemd => {
                "systemd started it and watches this very process (SYSTEMD_EXEC_PID in its environment is its own)"
            }
            Supervisor::FirstProcess => "it is process 1 of a container, which would end with it",
        })
    }
}

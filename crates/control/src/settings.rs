//! Where the socket is, and what a peer may take up.

use std::path::PathBuf;
use std::time::Duration;

/// Where the socket is, and what a peer may take up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The socket: `control.sock` in the current folder, until it is set. Its folder should be the site's alone.
    pub path: PathBuf,
    /// What `status` calls the version of the program; empty until it is set.
    pub version: String,
    /// Whether the process ends once the bus has exited: `stop` then waits for that too. True; a program that embeds a bus
    /// and goes on without it sets it to false.
    pub process_ends: bool,
    /// How many peers may be connected: 32. One more is told that the site is busy.
    pub connections: usize,
    /// How long a request may be: 16 KiB.
    pub request_bytes: usize,
    /// How long a peer may take for a request, from its connect or from the last answer: 10 s.
    pub request_time: Duration,
    /// How long a peer may take to read an answer: 10 s.
    pub answer_time: Duration,
    /// How long `status` waits for what plugins have to say: 1 s.
    pub status_time: Duration,
    /// How long `reopen` waits for those who open their files again: 10 s.
    pub reopen_time: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            path: PathBuf::from("control.sock"),
            version: String::new(),
            process_ends: true,
            connections: 32,
            request_bytes: 16 * 1024,
            request_time: Duration::from_secs(10),
            answer_time: Duration::from_secs(10),
            status_time: Duration::from_secs(1),
            reopen_time: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// The defaults, with the socket at this path.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Settings {
        Settings { path: path.into(), ..Settings::default() }
    }
}

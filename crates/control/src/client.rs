//! The operator's side: connects to a running site, asks, and learns the truth.

mod ask;
mod connect;
mod error;
mod lines;
mod outcome;

use std::path::PathBuf;

use sitebus_os::process::Process;

use self::lines::Lines;
use crate::protocol::Hello;

pub use self::error::{AskError, ConnectError};
pub use self::outcome::{Event, Outcome};

/// A connection to a running site. It can be asked several times, one after the other.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    lines: Lines,
    hello: Hello,
    pid: Option<u32>,
    /// Opened before the site said who it is, so that it is the site and not a later process with its number.
    process: Option<Process>,
}

impl Client {
    /// The site's process as it is numbered here; nothing if it lives in a PID namespace that cannot be seen from here.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// The state of its bus when this connected.
    #[must_use]
    pub fn state(&self) -> &str {
        &self.hello.state
    }
}

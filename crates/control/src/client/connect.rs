//! Finding out whether a site runs, and who it is.

use std::io;
use std::path::Path;
use std::time::Instant;

use sitebus_os::local::{self, Found};
use sitebus_os::peer::Peer;
use sitebus_os::process::Process;

use super::Client;
use super::error::ConnectError;
use super::lines::{Lines, is_end};
use crate::command::{Command, Request};
use crate::protocol::{Answer, Hello, Verdict, write_request};

impl Client {
    /// Connects to the site whose control socket this is, and has it say who it is.
    ///
    /// # Errors
    /// [`ConnectError`] tells a site that does not run from one that may not be asked, that is busy, or that hangs.
    pub fn connect(path: &Path, deadline: Instant) -> Result<Client, ConnectError> {
        let stream = local::connect_to(path, deadline).map_err(|cause| no_connection(path, cause))?;
        let peer = Peer::of(&stream).ok();
        // Before the site answers: its answer proves that it was still there when this was opened.
        let process = peer.and_then(|peer| peer.process).and_then(|id| Process::open(id).ok());
        let mut lines = Lines::of(stream);
        let hello = greet(&mut lines, path, deadline)?;
        let pid = peer.and_then(|peer| peer.process);
        Ok(Client { path: path.to_owned(), lines, hello, pid, process })
    }
}

fn greet(lines: &mut Lines, path: &Path, deadline: Instant) -> Result<Hello, ConnectError> {
    let foreign = |why: String| ConnectError::Foreign { path: path.to_owned(), why };
    let failed = |cause: io::Error| match cause.kind() {
        io::ErrorKind::TimedOut => ConnectError::TimedOut { path: path.to_owned() },
        _ => ConnectError::Io { path: path.to_owned(), cause },
    };
    match lines.write(&write_request(Request::new(Command::Ping)), deadline) {
        Err(cause) if !is_end(&cause) => return Err(failed(cause)),
        _ => {} // one that turns us away says why
    }
    let line = lines.next(deadline).map_err(failed)?;
    let Some(line) = line else {
        return Err(ConnectError::NotRunning { path: path.to_owned(), why: "it is just ending" });
    };
    let answer: Answer = serde_json::from_str(&line).map_err(|cause| foreign(cause.to_string()))?;
    match answer.result {
        Verdict::Done => {}
        Verdict::Busy => return Err(ConnectError::Busy { why: answer.message }),
        Verdict::Denied => {
            return Err(ConnectError::NotPermitted { path: path.to_owned(), why: answer.message });
        }
        _ => return Err(foreign(answer.message)),
    }
    let hello = answer.data.and_then(|data| serde_json::from_value(data).ok());
    hello.ok_or_else(|| foreign("it does not say who it is".to_owned()))
}

fn no_connection(path: &Path, cause: io::Error) -> ConnectError {
    let path = path.to_owned();
    let not_running = |path, why| ConnectError::NotRunning { path, why };
    match cause.kind() {
        io::ErrorKind::NotFound => not_running(path, "there is no control socket"),
        io::ErrorKind::ConnectionRefused => match local::look(&path) {
            Ok(Found::NoSocket) => ConnectError::NotASocket { path },
            _ => not_running(path, "nobody listens on the control socket"),
        },
        io::ErrorKind::PermissionDenied => ConnectError::NotPermitted { path, why: cause.to_string() },
        io::ErrorKind::TimedOut => ConnectError::TimedOut { path },
        _ => ConnectError::Io { path, cause },
    }
}

//! The notify socket: messages go in order, and nobody waits for the manager.
//!
//! The protocol is a datagram of assignments (sd_notify(3)). It is spoken here and not by a crate, since those read the
//! variable when they send, which is gone by then, and send on a socket that blocks: a manager that does not read would hold
//! up the bus.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Messages that wait for a manager that does not read. When there are more, the oldest go.
const WAITING: usize = 64;
/// A manager takes a page for a message; a status is a line for people.
const LONGEST_STATUS: usize = 400;

/// Says things to the manager.
#[derive(Debug)]
pub(crate) struct Voice {
    socket: UnixDatagram,
    to: SocketAddr,
    waiting: VecDeque<String>,
    complained: bool,
}

impl Voice {
    pub(crate) fn open(address: &OsStr) -> io::Result<Voice> {
        let to = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            _ => {
                let what = "neither a path nor a name in the abstract name space";
                return Err(io::Error::new(io::ErrorKind::Unsupported, what));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Voice { socket, to, waiting: VecDeque::new(), complained: false })
    }

    /// Sends it, or has it wait for [`Voice::retry`] behind those that wait already. Returns the first failure ever.
    pub(crate) fn say(&mut self, message: String) -> Option<io::Error> {
        if self.waiting.len() >= WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(message);
        self.retry()
    }

    /// Sends what waits, as far as the manager takes it. What cannot be delivered at all is dropped.
    pub(crate) fn retry(&mut self) -> Option<io::Error> {
        let mut failure = None;
        while let Some(message) = self.waiting.front() {
            match self.socket.send_to_addr(message.as_bytes(), &self.to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => failure = failure.or(Some(error)),
                Ok(_) => {}
            }
            self.waiting.pop_front();
        }
        failure.filter(|_| !std::mem::replace(&mut self.complained, true))
    }

    /// Whether something waits.
    pub(crate) fn has_more(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// The assignment of a status: one line, and not too long a one.
pub(crate) fn status(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_STATUS).collect();
    format!("STATUS={line}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    fn read(manager: &UnixDatagram) -> String {
        let mut bytes = [0; 1000];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_manager_that_does_not_read_holds_nobody_up_and_misses_only_the_oldest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let mut voice = Voice::open(path.as_os_str()).unwrap();
        let mut taken = 0;
        while !voice.has_more() {
            assert!(voice.say(format!("N={taken}")).is_none());
            taken += 1;
        }
        taken -= 1; // the last one waits
        for number in 0..WAITING + 5 {
            voice.say(format!("LATER={number}"));
        }
        for number in 0..taken {
            assert_eq!(read(&manager), format!("N={number}"));
        }
        for number in 5..WAITING + 5 {
            assert!(voice.retry().is_none());
            assert_eq!(read(&manager), format!("LATER={number}"));
        }
        assert!(!voice.has_more());
    }

    #[test]
    fn a_manager_that_is_gone_is_complained_of_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let mut voice = Voice::open(path.as_os_str()).unwrap();
        assert_eq!(voice.say("READY=1".to_owned()).unwrap().kind(), io::ErrorKind::NotFound);
        assert!(voice.say("READY=1".to_owned()).is_none() && !voice.has_more());
        let manager = UnixDatagram::bind(&path).unwrap();
        voice.say("STOPPING=1".to_owned());
        assert_eq!(read(&manager), "STOPPING=1", "it is told when it is back");
        drop(manager);
        assert!(voice.say("STOPPING=1".to_owned()).is_none());
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for address in ["vsock:2:1234", "notify", "\0"] {
            assert!(Voice::open(OsStr::new(address)).is_err(), "{address}");
        }
        assert!(Voice::open(OsStr::new(&format!("/{}", "x".repeat(200)))).is_err());
    }

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(status("STARTED\nMAINPID=1\0"), "STATUS=STARTED MAINPID=1 ");
        assert_eq!(status(&"ä".repeat(1000)).chars().count(), "STATUS=".len() + LONGEST_STATUS);
    }
}

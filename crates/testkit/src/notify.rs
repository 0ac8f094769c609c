//! A service manager's notify socket that is as strict as the real one.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use sitebus_os::clock::monotonic;

use crate::transcript::Transcript;

/// What a program is told by `NOTIFY_SOCKET`, with the rules by which systemd reads it (sd_notify(3)):
///
/// * With `NotifyAccess=main` only the main process is heard; what another one says is noted with `refused` before it. The
///   kernel says who it is.
/// * `RELOADING=1` comes with a `MONOTONIC_USEC` of the right clock, neither of the future nor from before the socket was made;
///   it is noted without its number. Otherwise `broken` stands before it.
/// * Lines are assignments; others are noted as `broken`.
///
/// Each message is one line of the transcript, with blanks between its assignments.
#[derive(Debug)]
pub struct NotifySocket {
    socket: Arc<UnixDatagram>,
    address: OsString,
    said: Transcript,
    main: Arc<AtomicI32>,
    ends: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl NotifySocket {
    /// A socket with a file in this folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn in_folder(folder: &Path) -> io::Result<NotifySocket> {
        let path = folder.join("notify");
        NotifySocket::read(UnixDatagram::bind(&path)?, path.into_os_string())
    }

    /// A socket in the abstract name space, as user managers have had them.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn in_abstract() -> io::Result<NotifySocket> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("sitebus-notify-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        NotifySocket::read(socket, format!("@{name}").into())
    }

    fn read(socket: UnixDatagram, address: OsString) -> io::Result<NotifySocket> {
        setsockopt(&socket, sockopt::PassCred, &true)?;
        let (socket, said) = (Arc::new(socket), Transcript::new());
        let (main, ends) = (Arc::new(AtomicI32::new(0)), Arc::new(AtomicBool::new(false)));
        let reader = {
            let (socket, ends) = (Arc::clone(&socket), Arc::clone(&ends));
            let judge = Judge { said: said.clone(), main: Arc::clone(&main), began: monotonic()? };
            thread::spawn(move || {
                while !ends.load(Ordering::SeqCst) {
                    if let Ok((sender, message)) = receive(&socket) {
                        judge.hear(sender, &message);
                    }
                }
            })
        };
        Ok(NotifySocket { socket, address, said, main, ends, reader: Some(reader) })
    }

    /// The value of `NOTIFY_SOCKET`.
    #[must_use]
    pub fn address(&self) -> &OsStr {
        &self.address
    }

    /// Only this process is heard from now on. Until then everybody is.
    pub fn hear_only(&self, main: u32) {
        self.main.store(main.try_into().unwrap_or(-1), Ordering::SeqCst);
    }

    /// What was said, message by message.
    #[must_use]
    pub fn said(&self) -> &Transcript {
        &self.said
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = self.socket.shutdown(std::net::Shutdown::Both); // wakes the reader
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if !self.address.as_bytes().starts_with(b"@") {
            let _ = std::fs::remove_file(&self.address);
        }
    }
}

/// A message and the number of the process that sent it.
fn receive(socket: &UnixDatagram) -> io::Result<(i32, String)> {
    let mut bytes = vec![0; 64 * 1024];
    let mut control = nix::cmsg_space!(nix::sys::socket::UnixCredentials);
    let (sender, length) = {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        let sender = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmCredentials(sender) => Some(sender.pid()),
            _ => None,
        });
        (sender.unwrap_or(0), message.bytes)
    };
    bytes.truncate(length);
    Ok((sender, String::from_utf8_lossy(&bytes).into_owned()))
}

struct Judge {
    said: Transcript,
    main: Arc<AtomicI32>,
    began: Duration,
}

impl Judge {
    fn hear(&self, sender: i32, message: &str) {
        if message.is_empty() {
            return;
        }
        let now = monotonic().unwrap_or(self.began);
        let main = self.main.load(Ordering::SeqCst);
        let mut line = String::new();
        if main != 0 && sender != main {
            line.push_str("refused ");
        }
        if !self.is_whole(message, now) {
            line.push_str("broken ");
        }
        let told = message.lines().map(|part| match part.split_once('=') {
            Some((name @ "MONOTONIC_USEC", _)) => name,
            _ => part,
        });
        line.push_str(&told.collect::<Vec<_>>().join(" "));
        self.said.note(line);
    }

    fn is_whole(&self, message: &str, now: Duration) -> bool {
        let value = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let stamped =
            value("MONOTONIC_USEC").and_then(|micros| micros.parse().ok()).map(Duration::from_micros);
        let timely = stamped.is_some_and(|stamped| stamped <= now && stamped >= self.began);
        message.lines().all(|line| line.contains('=')) && (value("RELOADING").is_none() || timely)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn what_is_against_the_rules_is_marked() {
        let socket = NotifySocket::in_abstract().unwrap();
        let name = socket.address().to_str().unwrap().strip_prefix('@').unwrap().to_owned();
        let to = SocketAddr::from_abstract_name(name).unwrap();
        let says = UnixDatagram::unbound().unwrap();
        let now = monotonic().unwrap();
        for message in [
            "READY=1\nSTATUS=all is well".to_owned(),
            "nonsense".to_owned(),
            "RELOADING=1".to_owned(),
            format!("RELOADING=1\nMONOTONIC_USEC={}", (now + PATIENCE).as_micros()),
            "RELOADING=1\nMONOTONIC_USEC=1".to_owned(),
            format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic().unwrap().as_micros()),
        ] {
            let seen = socket.said().lines().len();
            says.send_to_addr(message.as_bytes(), &to).unwrap();
            let came = |lines: &[String]| (lines.len() > seen).then_some(());
            socket.said().wait_until(PATIENCE, "the message", came).unwrap();
            if seen == 4 {
                socket.hear_only(1);
            }
        }
        let said = socket.said().lines();
        assert_eq!(said[..3], ["READY=1 STATUS=all is well", "broken nonsense", "broken RELOADING=1"]);
        assert_eq!(said[3], "broken RELOADING=1 MONOTONIC_USEC");
        assert_eq!(said[4], said[3]);
        assert_eq!(said[5], "refused RELOADING=1 MONOTONIC_USEC");
    }
}

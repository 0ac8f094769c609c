//! One peer: what it has sent, what it has not read yet, and how long it may take. Nothing here ever waits.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use sitebus_bus::Ticket;
use sitebus_os::peer::Peer;
use sitebus_os::ready::Interest;

use crate::command::Command;
use crate::settings::Settings;

pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) peer: Peer,
    stream: UnixStream,
    input: Vec<u8>,
    /// The peer has sent its last byte.
    no_more: bool,
    output: Vec<u8>,
    /// When the peer must have read what waits for it.
    read_by: Option<Instant>,
    pub(crate) stage: Stage,
}

/// What happens next with a peer.
pub(crate) enum Stage {
    /// It should send a request, by then.
    Asking(Instant),
    /// It waits for an answer.
    Waiting(Pending),
    /// It has not asked, and the next image listens to it.
    HandedOn,
    /// It is let go as soon as it has read what waits for it.
    Leaving,
    /// It is gone.
    Gone,
}

/// What an answer depends on.
pub(crate) enum Pending {
    /// The bus.
    Ticket(Command, Ticket),
    /// Listeners that run on the errands' thread, no longer than until then.
    Errand(Command, Instant),
    /// The next image: this one has done its part of a restart.
    NextImage,
    /// This image: it is the new one of a restart that was asked of one before.
    NewImage,
}

/// What a peer has sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Line(Vec<u8>),
    Nothing,
    TooLong,
}

/// Of one peer that reads slower than the site talks, no more waits than this.
const OUTPUT: usize = 1024 * 1024;

impl Connection {
    pub(crate) fn new(id: u64, stream: UnixStream, peer: Peer, stage: Stage) -> Connection {
        let (input, output) = (Vec::new(), Vec::new());
        Connection { id, peer, stream, input, no_more: false, output, read_by: None, stage }
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// Who does not read what it has got is not listened to.
    pub(crate) fn interest(&self) -> Interest {
        match self.stage {
            _ if !self.output.is_empty() => Interest::Write,
            Stage::Asking(_) => Interest::Read,
            _ => Interest::End,
        }
    }

    /// When the server must look again, whatever happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let own = match self.stage {
            Stage::Asking(until) | Stage::Waiting(Pending::Errand(_, until)) => Some(until),
            _ => None,
        };
        own.into_iter().chain(self.read_by).min()
    }

    pub(crate) fn has_unread(&self) -> bool {
        !self.output.is_empty()
    }

    /// Reads what is there, up to one request.
    pub(crate) fn hear(&mut self, settings: &Settings) -> Heard {
        if let Some(line) = self.take_line() {
            return Heard::Line(line);
        }
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(0) => self.no_more = true,
            Ok(read) => self.input.extend_from_slice(&piece[..read]),
            Err(cause) if is_for_later(&cause) => return Heard::Nothing,
            Err(_) => {
                self.stage = Stage::Gone;
                return Heard::Nothing;
            }
        }
        if let Some(line) = self.take_line() {
            return if line.len() > settings.request_bytes { Heard::TooLong } else { Heard::Line(line) };
        }
        if self.input.len() > settings.request_bytes {
            return Heard::TooLong;
        }
        if self.no_more {
            self.leave();
        }
        Heard::Nothing
    }

    /// A last line needs no newline.
    fn take_line(&mut self) -> Option<Vec<u8>> {
        if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let rest = self.input.split_off(end + 1);
            let mut line = std::mem::replace(&mut self.input, rest);
            line.truncate(end);
            return Some(line);
        }
        (self.no_more && !self.input.is_empty()).then(|| std::mem::take(&mut self.input))
    }

    /// Whether there is something to hear that no readiness will tell of: it came together with the request before.
    pub(crate) fn has_more(&self) -> bool {
        let whole = self.no_more || self.input.contains(&b'\n');
        matches!(self.stage, Stage::Asking(_)) && self.output.is_empty() && whole
    }

    /// Sends a line, or keeps it until the peer reads.
    pub(crate) fn say(&mut self, line: &str, settings: &Settings) {
        if self.is_gone() {
            return;
        }
        if self.output.len().saturating_add(line.len()) > OUTPUT && self.has_unread() {
            self.stage = Stage::Gone; // it reads nothing, and the site goes on talking
            return;
        }
        self.output.extend_from_slice(line.as_bytes());
        if self.read_by.is_none() {
            self.read_by = Instant::now().checked_add(settings.answer_time);
        }
        self.flush();
    }

    /// Sends what the peer takes.
    pub(crate) fn flush(&mut self) {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => break,
                Ok(written) => drop(self.output.drain(..written)),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) if is_for_later(&cause) => return,
                Err(_) => {
                    self.stage = Stage::Gone;
                    return;
                }
            }
        }
        self.output.shrink_to(4096);
        self.read_by = None;
        if let Stage::Leaving = self.stage {
            self.stage = Stage::Gone;
        }
    }

    /// Lets the peer go, once it has read what waits for it.
    pub(crate) fn leave(&mut self) {
        if !self.is_gone() {
            self.stage = Stage::Leaving;
            self.flush();
        }
    }

    /// Sees to its deadlines. True: it has not sent a request in time.
    pub(crate) fn look_at_the_clock(&mut self, now: Instant) -> bool {
        if self.read_by.is_some_and(|until| until <= now) {
            self.stage = Stage::Gone;
        }
        matches!(self.stage, Stage::Asking(until) if until <= now) && self.output.is_empty()
    }

    /// With what was sent to another image of this program.
    pub(crate) fn resumed(mut self, sent: Vec<u8>) -> Connection {
        self.input = sent;
        self
    }

    /// For the next image, with what the peer has sent of a request that it has not finished.
    pub(crate) fn hand_on(&self) -> Option<(OwnedFd, &[u8])> {
        self.stream.try_clone().ok().map(|stream| (OwnedFd::from(stream), self.input.as_slice()))
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn is_for_later(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

//! What the launcher learns of the daemon.

use crate::ready::{self, Interest};
use crate::signal::{Disposition, Signal};
use nix::sys::signal::{self, SigSet, SigmaskHow, kill, pthread_sigmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fmt;
use std::io::{self, PipeReader, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Instant;

/// The launcher's view of the daemon.
#[derive(Debug)]
pub struct Watch {
    daemon: Pid,
    reports: Option<PipeReader>,
    held: Held,
    ended: Option<ExitStatus>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The daemon, or a child that it forked, has written this.
    Report(Vec<u8>),
    /// Nobody can write any more.
    Closed,
    /// The daemon has ended, and all that it wrote has been read.
    Ended(ExitStatus),
    /// The launcher was sent `INT`, `TERM`, `QUIT` or `HUP`.
    Signal(Signal),
    /// It is as late as that.
    Deadline,
}

impl Watch {
    pub(super) fn of(daemon: Pid, reports: PipeReader, held: Held) -> Watch {
        Watch { daemon, reports: Some(reports), held, ended: None }
    }

    /// The daemon's process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.daemon.as_raw().cast_unsigned()
    }

    /// Waits for the next event.
    ///
    /// # Errors
    /// What poll(2), read(2) or waitpid(2) say.
    pub fn next(&mut self, deadline: Option<Instant>) -> io::Result<Event> {
        loop {
            // Looked at first: what was written before the end is then there to be read.
            self.look_for_end()?;
            let (reported, signalled) = self.wait(deadline)?;
            if reported {
                if let Some(event) = self.read()? {
                    return Ok(event);
                }
            } else if let Some(status) = self.ended {
                return Ok(Event::Ended(status));
            } else if signalled {
                if let Some(signal) = self.held.signal()? {
                    return Ok(Event::Signal(signal));
                }
            } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(Event::Deadline);
            }
        }
    }

    /// Sends the daemon a signal. One that has ended gets none, and nobody else does: its number is its own until then.
    ///
    /// # Errors
    /// What kill(2) says.
    pub fn send(&self, signal: Signal) -> io::Result<()> {
        if self.ended.is_some() {
            return Ok(());
        }
        Ok(kill(self.daemon, signal::Signal::try_from(signal.number())?)?)
    }

    /// Ends the watch, but still holds signals back: for a launcher that knows what to return, and ends now. A signal that
    /// comes so late would make another story of it.
    pub fn conclude(self) {
        let _ = Box::leak(Box::new(self.held));
    }

    fn look_for_end(&mut self) -> io::Result<()> {
        if self.ended.is_some() {
            return Ok(());
        }
        self.ended = match waitpid(self.daemon, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => Some(ExitStatus::from_raw(code << 8)),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(ExitStatus::from_raw(signal as i32)),
            Ok(_) | Err(nix::Error::EINTR) => None,
            Err(cause) => return Err(cause.into()),
        };
        Ok(())
    }

    /// Whether there is something to read, and whether a signal has come.
    fn wait(&self, deadline: Option<Instant>) -> io::Result<(bool, bool)> {
        let deadline = if self.ended.is_some() { Some(Instant::now()) } else { deadline };
        let mut asked = vec![(self.held.incoming.as_fd(), Interest::Read)];
        asked.extend(self.reports.iter().map(|reports| (reports.as_fd(), Interest::Read)));
        let ready = ready::wait(&asked, deadline)?;
        Ok((ready.get(1).is_some_and(|reports| reports.any()), ready[0].any()))
    }

    fn read(&mut self) -> io::Result<Option<Event>> {
        let Some(reports) = &mut self.reports else { return Ok(None) };
        let mut bytes = vec![0; libc::PIPE_BUF];
        match reports.read(&mut bytes) {
            Ok(0) => {
                self.reports = None;
                Ok(Some(Event::Closed))
            }
            Ok(read) => {
                bytes.truncate(read);
                Ok(Some(Event::Report(bytes)))
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(cause) => Err(cause),
        }
    }
}

/// Signals held back, so that none is lost between the fork and the wait. Dropping it lets them through again.
pub(super) struct Held {
    incoming: SignalFd,
    before: Box<(SigSet, Disposition)>,
}

impl Held {
    pub(super) fn take() -> io::Result<Held> {
        let mut watched = SigSet::empty();
        watched.add(signal::Signal::SIGCHLD);
        for (ours, theirs) in [
            (Signal::INT, signal::Signal::SIGINT),
            (Signal::TERM, signal::Signal::SIGTERM),
            (Signal::QUIT, signal::Signal::SIGQUIT),
            (Signal::HUP, signal::Signal::SIGHUP),
        ] {
            // nohup(1), or a background job of a script, has asked for that.
            if !Disposition::of(ours)?.is_ignored() {
                watched.add(theirs);
            }
        }
        // Where it is ignored, which exec(2) passes on, the kernel keeps no status of a child.
        let child = Disposition::default_action().put(Signal::CHLD)?;
        let mut mask = SigSet::empty();
        let taken = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&watched), Some(&mut mask))
            .and_then(|()| SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK));
        match taken {
            Ok(incoming) => Ok(Held { incoming, before: Box::new((mask, child)) }),
            Err(cause) => {
                let _ = child.put(Signal::CHLD);
                Err(cause.into())
            }
        }
    }

    /// None for a child's end, which only wakes.
    fn signal(&self) -> io::Result<Option<Signal>> {
        let came = self.incoming.read_signal()?;
        let number = came.and_then(|came| i32::try_from(came.ssi_signo).ok());
        Ok(number.and_then(|number| Signal::try_from(number).ok()).filter(|signal| *signal != Signal::CHLD))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (mask, child) = &*self.before;
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(mask), None);
        let _ = child.put(Signal::CHLD);
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

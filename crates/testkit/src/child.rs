//! A program that a test starts.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use parking_lot::{Condvar, Mutex};
use sitebus_os::signal::{self, Signal};

use crate::transcript::{Missing, Transcript, after};

/// A running program. It leads a process group of its own, reads from `/dev/null`, and what it writes is read by threads,
/// so it never waits for the test.
///
/// It is reaped only when this is dropped, and killed before that with its whole group: so its number cannot have become
/// another process's while it is in use here. A descendant that left the group (setsid(2)) is not killed.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    stdout: Transcript,
    stderr: Transcript,
    output: Transcript,
    end: Arc<End>,
    waiter: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct End {
    status: Mutex<Option<ExitStatus>>,
    came: Condvar,
}

impl Child {
    /// Starts the program. Its standard streams and its process group are set here; arguments and environment are the
    /// caller's. It ignores no signal that a person would send, however the tests were started (`nohup`, `&`).
    ///
    /// # Errors
    /// It could not be started.
    pub fn spawn(mut command: Command) -> io::Result<Child> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        signal::stop_ignoring([Signal::HUP, Signal::INT, Signal::QUIT])?;
        let mut process = command.spawn()?;
        let (stdout, stderr, output) = (Transcript::new(), Transcript::new(), Transcript::new());
        let last = Arc::new(CloseLast(output.clone()));
        if let Some(pipe) = process.stdout.take() {
            read_lines(pipe, stdout.clone(), Arc::clone(&last));
        }
        if let Some(pipe) = process.stderr.take() {
            read_lines(pipe, stderr.clone(), last);
        }
        let end = Arc::<End>::default();
        let (pid, known) = (pid_of(&process), Arc::clone(&end));
        let waiter = Some(thread::spawn(move || known.wait_for(pid)));
        Ok(Child { process, stdout, stderr, output, end, waiter })
    }

    /// Its process number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it wrote to standard output.
    #[must_use]
    pub fn stdout(&self) -> &Transcript {
        &self.stdout
    }

    /// What it wrote to standard error.
    #[must_use]
    pub fn stderr(&self) -> &Transcript {
        &self.stderr
    }

    /// Both, as they came. Closed once it has closed both.
    #[must_use]
    pub fn output(&self) -> &Transcript {
        &self.output
    }

    /// Waits for a line that contains `part`, on either stream.
    ///
    /// # Errors
    /// None came within `patience`, or none can come any more.
    pub fn wait_for_line(&self, part: &str, patience: Duration) -> Result<String, Missing> {
        self.output.wait_for(part, patience)
    }

    /// Sends a signal to the program itself, not to its group. One that has ended gets none.
    ///
    /// # Errors
    /// kill(2) failed.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let number = nix::sys::signal::Signal::try_from(signal.number())?;
        Ok(kill(pid_of(&self.process), number)?)
    }

    /// Waits for its end, and then until all that it wrote has been read: its transcripts are complete. Only a descendant
    /// that keeps a stream open can make them less than that, once `patience` is over.
    ///
    /// # Errors
    /// It still ran when `patience` was over.
    pub fn wait(&self, patience: Duration) -> Result<ExitStatus, StillRunning> {
        let deadline = after(patience);
        let mut status = self.end.status.lock();
        self.end.came.wait_while_until(&mut status, |status| status.is_none(), deadline);
        let Some(status) = *status else {
            let output = self.output.lines();
            return Err(StillRunning { id: self.id(), patience, output });
        };
        self.output.wait_closed(deadline.saturating_duration_since(Instant::now()));
        Ok(status)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Nobody has reaped it, so its number is still its own. It may have left its group, and the group may be gone.
        let pid = pid_of(&self.process);
        let _ = kill(pid, nix::sys::signal::Signal::SIGKILL);
        let _ = killpg(pid, nix::sys::signal::Signal::SIGKILL);
        if let Some(waiter) = self.waiter.take() {
            let _ = waiter.join();
        }
        let _ = self.process.wait();
    }
}

impl End {
    fn wait_for(&self, pid: Pid) {
        let status = loop {
            match waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
                Ok(WaitStatus::Exited(_, code)) => break ExitStatus::from_raw(code << 8),
                Ok(WaitStatus::Signaled(_, signal, _)) => break ExitStatus::from_raw(signal as i32),
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(_) => return, // somebody else has reaped it
            }
        };
        *self.status.lock() = Some(status);
        self.came.notify_all();
    }
}

fn pid_of(process: &std::process::Child) -> Pid {
    Pid::from_raw(process.id().cast_signed())
}

/// Closes the common transcript when the last stream is through.
struct CloseLast(Transcript);

impl Drop for CloseLast {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn read_lines(pipe: impl Read + Send + 'static, own: Transcript, both: Arc<CloseLast>) {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\n', '\r']);
            own.note(text);
            both.0.note(text);
            line.clear();
        }
        own.close();
    });
}

/// A program had not ended in time.
#[derive(Clone)]
pub struct StillRunning {
    id: u32,
    patience: Duration,
    output: Vec<String>,
}

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} still runs after {:?}; it wrote:", self.id, self.patience)?;
        self.output.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl fmt::Debug for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for StillRunning {}

//! Leaving the terminal: fork(2), setsid(2), fork(2), as in daemon(7), with a launcher that stays to see what comes of it.
//!
//! | file | what is in it |
//! |---|---|
//! | `detach.rs` | [`detach`]: the two forks |
//! | `detach/watch.rs` | [`Watch`]: what the launcher learns of the daemon, and what it can do to it |
//! | `detach/output.rs` | the log file of a process without a terminal |
//!
//! The launcher is the daemon's parent until it ends (`PR_SET_CHILD_SUBREAPER`, prctl(2)), although another process was
//! between them: so it learns how the daemon ended, and a signal that it sends can reach no other process. Linux only.

#![expect(unsafe_code, reason = "fork(2), and _exit(2) in the processes that it made")]

mod output;
mod watch;

pub use output::{open_log, redirect_output};
pub use watch::{Event, Watch};

use crate::alone::{Alone, AloneError};
use crate::identity::Umask;
use nix::sys::prctl::{get_child_subreaper, set_child_subreaper};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, dup2_stdin, fchdir, fork, getpid, setsid};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use watch::Held;

/// What the daemon has around it that the launcher has not. All of it is opened before, while errors can still be told.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// Standard input.
    pub input: Option<File>,
    /// Standard output and standard error.
    pub output: Option<File>,
    /// The umask.
    pub umask: Option<Umask>,
    /// The working directory.
    pub directory: Option<File>,
}

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Side {
    /// The one that was started. It sees what comes of the other.
    Launcher(Watch),
    /// The one that goes on, in a session without a terminal. What it writes here the launcher reads; close-on-exec.
    Daemon(PipeWriter),
}

/// Why there is no daemon. The process is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetachError {
    /// There are other threads.
    #[error(transparent)]
    Alone(#[from] AloneError),
    /// The limit on processes is reached.
    #[error(
        "no process could be made: {0}; a limit on processes is reached: the user's (`ulimit -u`), or the service's or \
         container's (`TasksMax=`, pids.max)"
    )]
    Limit(io::Error),
    /// Something was refused.
    #[error("{doing} failed: {cause}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// The process between the two was killed.
    #[error("the process that was to make the daemon was killed before it had done so; start it again")]
    Killed,
}

/// What the new processes tell until the daemon stands: what was being done, and a number.
#[derive(Clone, Copy)]
enum Told {
    Made,
    Session,
    Fork,
    Input,
    Output,
    Directory,
}

impl Told {
    const ALL: [Told; 6] =
        [Told::Made, Told::Session, Told::Fork, Told::Input, Told::Output, Told::Directory];

    fn doing(self) -> &'static str {
        match self {
            Told::Made | Told::Fork => "making the daemon's process (fork(2))",
            Told::Session => "leaving the session (setsid(2))",
            Told::Input => "replacing standard input (dup2(2))",
            Told::Output => "replacing standard output and error (dup2(2))",
            Told::Directory => "changing the directory (fchdir(2))",
        }
    }
}

/// Makes a daemon of this program: returns in both processes.
///
/// The daemon is neither a leader of its session nor in the foreground of any terminal, so it can never get one by opening
/// it. It has all descriptors that the launcher had. The launcher has `INT`, `TERM`, `QUIT` and `HUP` blocked until its
/// [`Watch`] is dropped, since that reads them; those that were ignored stay so.
///
/// # Errors
/// [`DetachError`], in the launcher only; there is no daemon then.
pub fn detach(alone: &Alone, surroundings: Surroundings) -> Result<Side, DetachError> {
    let was_reaper = get_child_subreaper().unwrap_or(false);
    let side = fork_twice(alone, surroundings);
    if side.is_err() {
        let _ = set_child_subreaper(was_reaper);
    }
    side
}

fn fork_twice(alone: &Alone, surroundings: Surroundings) -> Result<Side, DetachError> {
    let refused = |doing| move |cause| DetachError::Refused { doing, cause };
    let (steps, telling) = io::pipe().map_err(refused("making a pipe"))?;
    let (reports, reporting) = io::pipe().map_err(refused("making a pipe"))?;
    let held = Held::take().map_err(refused("holding signals back"))?;
    set_child_subreaper(true).map_err(|cause| {
        refused("becoming the parent of what the children leave (prctl(2))")(cause.into())
    })?;
    alone.check()?;
    // SAFETY: the process has one thread, as was just seen, so the child has everything whole and no lock is held for ever.
    match unsafe { fork() }.map_err(fork_failed)? {
        ForkResult::Parent { child } => {
            drop((telling, reporting));
            let daemon = await_daemon(child, steps)?;
            Ok(Side::Launcher(Watch::of(daemon, reports, held)))
        }
        ForkResult::Child => {
            drop((steps, reports, held));
            go_on(&telling, surroundings);
            Ok(Side::Daemon(reporting))
        }
    }
}

fn fork_failed(cause: nix::Error) -> DetachError {
    match cause {
        nix::Error::EAGAIN => DetachError::Limit(cause.into()),
        cause => DetachError::Refused { doing: Told::Fork.doing(), cause: cause.into() },
    }
}

/// In the first child. Returns in the second only; nothing else of the program runs in a child that fails.
fn go_on(telling: &PipeWriter, surroundings: Surroundings) {
    if let Err(cause) = setsid() {
        end(telling, Told::Session, cause as i32);
    }
    // SAFETY: as above; the child of one thread has one thread.
    match unsafe { fork() } {
        Err(cause) => end(telling, Told::Fork, cause as i32),
        Ok(ForkResult::Parent { .. }) => exit_at_once(),
        Ok(ForkResult::Child) => {
            // Said by the daemon itself: its parent may be killed in this very moment.
            tell(telling, Told::Made, getpid().as_raw());
            if let Err((told, cause)) = settle(surroundings) {
                end(telling, told, cause.raw_os_error().unwrap_or(libc::EIO));
            }
        }
    }
}

impl Surroundings {
    /// Puts them around this process: for one that is a daemon already.
    ///
    /// # Errors
    /// [`DetachError::Refused`] says at what it failed; what came before that is done.
    pub fn settle(self) -> Result<(), DetachError> {
        settle(self).map_err(|(told, cause)| DetachError::Refused { doing: told.doing(), cause })
    }
}

fn settle(surroundings: Surroundings) -> Result<(), (Told, io::Error)> {
    let Surroundings { input, output, umask, directory } = surroundings;
    if let Some(umask) = umask {
        umask.put();
    }
    if let Some(directory) = directory {
        fchdir(&directory).map_err(|cause| (Told::Directory, cause.into()))?;
    }
    if let Some(output) = output {
        redirect_output(&output).map_err(|cause| (Told::Output, cause))?;
    }
    if let Some(input) = input {
        dup2_stdin(&input).map_err(|cause| (Told::Input, cause.into()))?;
    }
    Ok(())
}

/// Tells the launcher, and ends this process, which was made here.
fn end(telling: &PipeWriter, told: Told, number: i32) -> ! {
    tell(telling, told, number);
    exit_at_once()
}

fn tell(mut telling: &PipeWriter, told: Told, number: i32) {
    let mut line = [told as u8; 5];
    line[1..].copy_from_slice(&number.to_ne_bytes());
    let _ = telling.write_all(&line); // without a launcher there is nobody to tell
}

fn exit_at_once() -> ! {
    // SAFETY: ends the process at once: handlers of atexit(3) and buffers belong to the process that it is a copy of.
    unsafe { libc::_exit(0) }
}

/// In the launcher: until the daemon stands, or has ended, which closes the pipe.
fn await_daemon(between: Pid, mut steps: PipeReader) -> Result<Pid, DetachError> {
    let mut lines = Vec::new();
    let read = steps.read_to_end(&mut lines);
    let _ = until_not_interrupted(|| waitpid(between, None));
    read.map_err(|cause| DetachError::Refused { doing: "reading what the children tell", cause })?;
    let mut daemon = None;
    let mut failed = None;
    for line in lines.chunks_exact(5) {
        let number = i32::from_ne_bytes([line[1], line[2], line[3], line[4]]);
        match Told::ALL.get(usize::from(line[0])) {
            Some(Told::Made) => daemon = Some(Pid::from_raw(number)),
            Some(Told::Fork) => failed = Some(fork_failed(nix::Error::from_raw(number))),
            Some(told) => {
                let cause = io::Error::from_raw_os_error(number);
                failed = Some(DetachError::Refused { doing: told.doing(), cause });
            }
            None => {}
        }
    }
    if let (Some(daemon), Some(_)) = (daemon, &failed) {
        let _ = until_not_interrupted(|| waitpid(daemon, None)); // it has ended by itself
    }
    match failed {
        Some(failed) => Err(failed),
        None => daemon.ok_or(DetachError::Killed),
    }
}

fn until_not_interrupted<T>(call: impl Fn() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(nix::Error::EINTR) => {}
            outcome => return outcome,
        }
    }
}

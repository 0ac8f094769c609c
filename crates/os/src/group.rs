//! A command in a process group of its own, which is ended with all that it has started.
//!
//! A build tool starts compilers, a shell starts pipelines: whoever kills the one process that it knows leaves the others
//! behind. A signal to the group reaches them all (kill(2) with a negative number), except those that have left it. The
//! leader is only *looked at* until the end (`WNOWAIT`, waitid(2)): as long as it is not waited for, its number, which is the
//! group's, can be nobody else's.

#![expect(
    unsafe_code,
    reason = "only a hook between fork and exec can ask for the signal at the parent's death"
)]

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};

/// A command and its process group. Dropping it kills the group.
#[derive(Debug)]
pub struct Group {
    child: Child,
    ended: bool,
}

impl Group {
    /// Runs the command in a group of its own. On Linux its first process is killed when the calling *thread* ends, however
    /// that comes about (`PR_SET_PDEATHSIG`, prctl(2)).
    ///
    /// # Errors
    /// What fork and exec say: there is no such program, or no room for another process.
    pub fn spawn(command: &mut Command) -> io::Result<Group> {
        command.process_group(0);
        #[cfg(target_os = "linux")]
        {
            let parent = nix::unistd::getpid();
            // SAFETY: the hook makes two system calls and allocates nothing, so it is safe after a fork of a process with
            // threads (signal-safety(7)).
            unsafe { command.pre_exec(move || die_with(parent)) };
        }
        Ok(Group { child: command.spawn()?, ended: false })
    }

    /// The number of the group, and of its first process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The end of its standard output that can be read, if it was piped: once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The same for its standard error.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits until the first process has ended. The others may live on.
    ///
    /// # Errors
    /// What waitid(2) says.
    pub fn wait(&self) -> io::Result<()> {
        loop {
            match waitid(Id::Pid(self.pid()), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
    }

    /// Asks all processes of the group to end (`SIGTERM`).
    pub fn ask(&self) {
        self.send(Signal::SIGTERM);
    }

    /// Kills all processes of the group.
    pub fn kill(&self) {
        self.send(Signal::SIGKILL);
    }

    /// Kills what is left of the group, and says how its first process has ended.
    ///
    /// # Errors
    /// What wait(2) says.
    pub fn end(mut self) -> io::Result<ExitStatus> {
        self.kill();
        self.ended = true;
        self.child.wait()
    }

    fn send(&self, signal: Signal) {
        let _ = killpg(self.pid(), signal); // nobody may be left
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(target_os = "linux")]
fn die_with(parent: Pid) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    // The parent may be gone already, and then the signal will not come any more.
    if nix::unistd::getppid() == parent { Ok(()) } else { Err(Errno::ESRCH.into()) }
}

//! Tests that change a process run in one of their own: this test binary again, told to run that one test.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

pub(crate) mod site;

use std::env;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Set in the child.
const ROLE: &str = "SITEBUS_TEST_CHILD";
/// Before each line that the child says, among the lines of the test harness.
const MARK: &str = "child says: ";
/// No event of a test takes longer, not even on a machine with much else to do.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Runs the body in a process of its own, and fails with its output if it does not succeed.
pub(crate) fn in_a_process_of_its_own(test: &str, body: impl FnOnce()) {
    if is_child() {
        return body();
    }
    let mut child = Process::start(test);
    let status = child.wait();
    assert!(status.success(), "{test} ended with {status}:\n{}", child.output());
}

/// Whether this is the child.
pub(crate) fn is_child() -> bool {
    env::var_os(ROLE).is_some()
}

/// Tells the parent something: one line.
pub(crate) fn say(line: impl std::fmt::Display) {
    let mut out = io::stdout().lock();
    writeln!(out, "\n{MARK}{line}").unwrap();
    out.flush().unwrap();
}

/// What the parent tells; empty when it is gone.
pub(crate) fn hear() -> String {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// A child, which is killed if the test is over before it.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Process {
    /// Runs this test in a child.
    pub(crate) fn start(test: &str) -> Process {
        Process::spawn(Command::new(env::current_exe().unwrap()), test)
    }

    /// The same by way of a shell line, in which `exec "$@"` becomes the child.
    pub(crate) fn start_by_shell(test: &str, script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(env::current_exe().unwrap());
        Process::spawn(command, test)
    }

    fn spawn(mut command: Command, test: &str) -> Process {
        command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let (out, err): (OwnedFd, OwnedFd) =
            (child.stdout.take().unwrap().into(), child.stderr.take().unwrap().into());
        for stream in [out, err] {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(std::fs::File::from(stream)).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        let stdin = child.stdin.take();
        Process { child, stdin, lines, heard: Vec::new() }
    }

    pub(crate) fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits until the child says this, and returns all that it said since the last time, this included.
    pub(crate) fn expect(&mut self, wanted: &str) -> Vec<String> {
        let deadline = Instant::now() + LONG;
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.heard.push(line.clone());
                    let Some(line) = line.strip_prefix(MARK) else { continue };
                    said.push(line.to_owned());
                    if line == wanted {
                        return said;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("{wanted:?} was not said:\n{}", self.output()),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().unwrap();
                    panic!(
                        "{wanted:?} was not said before the child ended with {status}:\n{}",
                        self.output()
                    );
                }
            }
        }
    }

    /// Waits until the child has ended. Its input stays open.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + LONG;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.heard.push(line),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
                Err(RecvTimeoutError::Timeout) => panic!("the child did not end:\n{}", self.output()),
            }
        }
    }

    pub(crate) fn output(&mut self) -> String {
        self.heard.extend(self.lines.try_iter());
        self.heard.join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The signal that a process was ended by, if it was.
pub(crate) fn ended_by(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// A field of `/proc/thread-self/status`, such as `SigCgt` or `Threads`.
pub(crate) fn status(field: &str) -> String {
    let text = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap().trim().to_owned()
}

/// A terminal, seen from the side of its window.
pub(crate) struct Window {
    master: nix::pty::PtyMaster,
    pub(crate) name: String,
}

impl Window {
    pub(crate) fn open() -> Window {
        use nix::fcntl::OFlag;
        // Close-on-exec from the start: a window that another test's child held too could not be closed.
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = nix::pty::posix_openpt(flags).unwrap();
        nix::pty::grantpt(&master).unwrap();
        nix::pty::unlockpt(&master).unwrap();
        let name = nix::pty::ptsname_r(&master).unwrap();
        Window { master, name }
    }

    /// Hangs the terminal up.
    pub(crate) fn close(self) {
        drop(self.master);
    }
}

/// In a child: leaves its session and makes this terminal the one of the new session.
pub(crate) fn move_into(terminal: &str) -> std::fs::File {
    nix::unistd::setsid().unwrap();
    // Without O_NOCTTY: opening a terminal is how the leader of a session without one gets it.
    std::fs::OpenOptions::new().read(true).write(true).open(terminal).unwrap()
}

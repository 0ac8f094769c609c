//! Tests that change a process run in one of their own: the test binary again, told to run that one test.
//!
//! ```no_run
//! use sitebus_testkit::own_process::{Process, is_child, say};
//!
//! #[test]
//! fn it_says_that_it_is_ready() {
//!     if is_child() {
//!         return say("ready");
//!     }
//!     let mut child = Process::start("it_says_that_it_is_ready");
//!     child.expect("ready");
//!     assert!(child.wait().success());
//! }
//! ```
//!
//! What goes wrong here is a panic with the child's output: that is how a test fails.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::env;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use sitebus_os::signal::{self, Signal};

/// Set in the child.
const ROLE: &str = "SITEBUS_TEST_CHILD";
/// Before each line that the child says, among the lines of the test harness.
const MARK: &str = "child says: ";
/// No event of a test takes longer, not even on a machine with much else to do.
pub const LONG: Duration = Duration::from_secs(60);

/// Runs the body in a process of its own, and fails with its output if it does not succeed.
pub fn in_a_process_of_its_own(test: &str, body: impl FnOnce()) {
    if is_child() {
        return body();
    }
    let mut child = Process::start(test);
    let status = child.wait();
    assert!(status.success(), "{test} ended with {status}:\n{}", child.output());
}

/// Whether this is the child.
#[must_use]
pub fn is_child() -> bool {
    env::var_os(ROLE).is_some()
}

/// Tells the parent something: one line.
pub fn say(line: impl std::fmt::Display) {
    let mut out = io::stdout().lock();
    writeln!(out, "\n{MARK}{line}").unwrap();
    out.flush().unwrap();
}

/// What the parent tells; empty when it is gone.
pub fn hear() -> String {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// A child, which is killed if the test is over before it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Process {
    /// Runs this test in a child.
    #[must_use]
    pub fn start(test: &str) -> Process {
        Process::spawn(Command::new(env::current_exe().unwrap()), test)
    }

    /// The same by way of a shell line, in which `exec "$@"` becomes the child.
    #[must_use]
    pub fn start_by_shell(test: &str, script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(env::current_exe().unwrap());
        Process::spawn(command, test)
    }

    fn spawn(mut command: Command, test: &str) -> Process {
        command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // However the tests were started (`nohup`, `&`), the child is to hear what a person would send.
        signal::stop_ignoring([Signal::HUP, Signal::INT, Signal::QUIT]).unwrap();
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

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal. Not after [`wait`](Process::wait): its number may be another process's by then.
    pub fn send(&self, signal: Signal) {
        let number = nix::sys::signal::Signal::try_from(signal.number()).unwrap();
        nix::sys::signal::kill(Pid::from_raw(i32::try_from(self.pid()).unwrap()), number).unwrap();
    }

    /// Tells the child something: one line, which it [hears](hear).
    pub fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits until the child says this, and returns all that it said since the last time, this included.
    pub fn expect(&mut self, wanted: &str) -> Vec<String> {
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
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + LONG;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.heard.push(line),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
                Err(RecvTimeoutError::Timeout) => panic!("the child did not end:\n{}", self.output()),
            }
        }
    }

    /// All that it wrote so far, to either stream.
    pub fn output(&mut self) -> String {
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

/// A field of `/proc/thread-self/status`, such as `SigCgt` or `Threads`.
#[must_use]
pub fn status(field: &str) -> String {
    let text = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap().trim().to_owned()
}

/// The number of the signal that a process was ended by, if it was.
#[must_use]
pub fn ended_by(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

//! A launched site, seen from outside. Whatever a test leaves running ends with it.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};
use std::{env, thread};

use nix::sys::signal::{self, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid};
use sitebus_os::signal::Signal;
use sitebus_testkit::own_process::LONG;
use sitebus_testkit::{Child, left_out};
use tempfile::TempDir;

use crate::site::{FOLDER, PLAN};

pub(crate) fn plan(plan: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(PLAN, plan).env_remove("NOTIFY_SOCKET").env_remove("SYSTEMD_EXEC_PID");
    command
}

/// By way of a shell line, in which `exec "$@"` becomes the program.
pub(crate) fn by_shell(name: &str, script: &str) -> Command {
    let program = plan(name);
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(program.get_program()).env(PLAN, name);
    command.env_remove("NOTIFY_SOCKET").env_remove("SYSTEMD_EXEC_PID");
    command
}

/// Whether this test can do its work; said if not.
pub(crate) fn is_root() -> bool {
    if geteuid().is_root() {
        return true;
    }
    left_out("only root can become a user without other processes");
    false
}

pub(crate) struct Launched {
    folder: TempDir,
    launcher: Option<Child>,
    daemon: Option<Pid>,
}

impl Launched {
    /// A folder for a site.
    pub(crate) fn prepare() -> Launched {
        Launched { folder: tempfile::tempdir().unwrap(), launcher: None, daemon: None }
    }

    pub(crate) fn start(command: Command) -> Launched {
        let mut site = Launched::prepare();
        site.launch(command);
        site
    }

    pub(crate) fn launch(&mut self, mut command: Command) {
        command.env(FOLDER, self.folder.path());
        self.launcher = Some(Child::spawn(command).unwrap());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.folder.path().to_owned() } else { self.folder.path().join(name) }
    }

    fn launcher(&self) -> &Child {
        self.launcher.as_ref().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.launcher().signal(signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let status = self.launcher().wait(LONG).unwrap();
        self.note_daemon();
        status
    }

    pub(crate) fn wait_briefly(&mut self) -> Option<ExitStatus> {
        let status = self.launcher().wait(Duration::from_millis(100)).ok()?;
        self.note_daemon();
        Some(status)
    }

    pub(crate) fn errors(&self) -> String {
        self.launcher().stderr().lines().join("\n")
    }

    /// The launcher's status and what it wrote to standard error.
    pub(crate) fn end(&mut self) -> (Option<i32>, String) {
        (self.wait().code(), self.errors())
    }

    /// For a daemon that keeps the streams open, so that they do not end with the launcher.
    pub(crate) fn wait_for_launcher_alone(&mut self) -> Option<i32> {
        self.launcher().wait_for_line("daemon ", LONG).unwrap();
        self.note_daemon();
        let deadline = Instant::now() + LONG;
        while Instant::now() < deadline {
            if let Ok(status) = self.launcher().wait(Duration::from_millis(10)) {
                return status.code();
            }
        }
        None
    }

    fn note_daemon(&mut self) {
        let lines = self.launcher().stdout().lines();
        let pid = lines.iter().find_map(|line| line.strip_prefix("daemon ")?.parse().ok());
        self.daemon = pid.map(Pid::from_raw);
    }

    pub(crate) fn daemon(&self) -> Pid {
        self.daemon.unwrap()
    }

    pub(crate) fn signal_daemon(&self, signal: Signal) {
        kill(self.daemon(), signal::Signal::try_from(signal.number()).unwrap()).unwrap();
    }

    /// Once the launcher has ended, the daemon is a child of this process.
    pub(crate) fn daemons_end(&mut self) -> ExitStatus {
        let status = loop {
            match waitpid(self.daemon(), None) {
                Ok(WaitStatus::Exited(_, code)) => break ExitStatus::from_raw(code << 8),
                Ok(WaitStatus::Signaled(_, signal, _)) => break ExitStatus::from_raw(signal as i32),
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(cause) => panic!("{cause}"),
            }
        };
        self.daemon = None;
        status
    }

    /// Neither running nor waiting to be reaped.
    pub(crate) fn has_no_daemon(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            assert_eq!(kill(daemon, None), Err(nix::Error::ESRCH), "a daemon was left behind");
        }
    }

    /// Waits until the site has made this file, and the launcher has said who makes it.
    pub(crate) fn await_file(&self, name: &str) {
        self.launcher().wait_for_line("daemon ", LONG).unwrap();
        let (path, deadline) = (self.path(name), Instant::now() + LONG);
        while !path.exists() {
            assert!(Instant::now() < deadline, "{name} does not appear: {}", self.errors());
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    pub(crate) fn ask(&self, question: &str) -> String {
        self.try_ask(question).unwrap()
    }

    fn try_ask(&self, question: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.path("socket")).ok()?;
        stream.set_read_timeout(Some(LONG)).unwrap();
        writeln!(stream, "{question}").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    pub(crate) fn fact(&self, name: &str) -> String {
        fact(&self.ask("facts"), name).unwrap()
    }

    /// Waits until the site says so; meanwhile it may be between two images.
    pub(crate) fn await_fact(&self, name: &str, value: &str) {
        let deadline = Instant::now() + LONG;
        while self.try_ask("facts").is_none_or(|facts| fact(&facts, name).as_deref() != Some(value)) {
            assert!(Instant::now() < deadline, "{name} does not become {value}");
            thread::park_timeout(Duration::from_millis(2));
        }
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if let Some(launcher) = self.launcher.take() {
            self.daemon = self.daemon.or_else(|| {
                let lines = launcher.stdout().lines();
                lines.iter().find_map(|line| line.strip_prefix("daemon ")?.parse().ok()).map(Pid::from_raw)
            });
            drop(launcher);
        }
        // It is a child of this process, so its number is still its own.
        if let Some(daemon) = self.daemon.filter(|daemon| is_ours(*daemon)) {
            let _ = kill(daemon, signal::Signal::SIGKILL);
            let _ = waitpid(daemon, None);
        }
    }
}

fn fact(facts: &str, name: &str) -> Option<String> {
    facts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned)
}

fn is_ours(pid: Pid) -> bool {
    waitpid(pid, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive)
}

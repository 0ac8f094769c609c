//! A real systemd, booted beside the machine's own processes.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::kill;
use nix::unistd::{Pid, Uid};
use sitebus_os::process::Process;
use sitebus_os::signal::Signal;

use crate::child::Child;
use crate::notify::NotifySocket;

/// systemd as process 1 of namespaces of its own (processes, mounts, host name, IPC, cgroups), with no unit but those that a
/// test writes, a journal, and empty targets of the usual names. Root is needed, and the right to mount, which root has not in
/// every container.
///
/// What its services see is the machine, but for `/run`, which is empty, and `/etc`, of which they have a copy. The network is
/// the machine's: an abstract socket reaches in.
///
/// Dropping it kills all of it, and so does the end of the thread that booted it. A test that fails prints the journal.
#[derive(Debug)]
pub struct Systemd {
    child: Child,
    /// Process 1, by its number out here.
    first: u32,
    cgroup: String,
}

/// Why there is no systemd.
#[derive(Debug)]
#[non_exhaustive]
pub enum NotBooted {
    /// The test does not run as root.
    NoRoot,
    /// It is not installed: `apt-get install systemd` on Debian, and `unshare` and `nsenter` of util-linux.
    NotInstalled(String),
    /// It did not come up; this is what was written meanwhile.
    Failed(String),
}

impl fmt::Display for NotBooted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotBooted::NoRoot => f.write_str("systemd can be booted by root only"),
            NotBooted::NotInstalled(what) => {
                write!(f, "{what} is not installed (Debian: systemd, util-linux)")
            }
            NotBooted::Failed(said) => write!(f, "systemd does not boot in namespaces here: {said}"),
        }
    }
}

impl std::error::Error for NotBooted {}

const OUTSIDE: &str = include_str!("systemd/outside.sh");
const INSIDE: &str = include_str!("systemd/inside.sh");

const PATIENCE: Duration = Duration::from_secs(60);

impl Systemd {
    /// Boots it, and waits until it says that it is up.
    ///
    /// # Errors
    /// [`NotBooted`] says why that cannot be here.
    pub fn boot() -> Result<Systemd, NotBooted> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !Uid::effective().is_root() {
            return Err(NotBooted::NoRoot);
        }
        let places = ["/lib/systemd/systemd", "/usr/lib/systemd/systemd"];
        let Some(systemd) = places.iter().find(|place| Path::new(place).exists()) else {
            return Err(NotBooted::NotInstalled(places[0].to_owned()));
        };
        let failed = |error: io::Error| NotBooted::Failed(error.to_string());
        let manager = NotifySocket::in_abstract().map_err(failed)?;
        let cgroup = format!("sitebus-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut command = in_own_mounts(&["setpriv", "--pdeathsig", "KILL"]);
        command.args(["sh", "-c", OUTSIDE]);
        command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
        command.env("NOTIFY_SOCKET", manager.address()).env("container", "test");
        command.env("GROUP", &cgroup).env("SYSTEMD", systemd).env("INSIDE", INSIDE);
        let child = Child::spawn(command).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => NotBooted::NotInstalled("setpriv".to_owned()),
            _ => failed(error),
        })?;
        let mut booted = Systemd { child, first: 0, cgroup };
        let up = booted.wait_until_up(&manager);
        up.map_err(|why| NotBooted::Failed(format!("{why}; {}", booted.child.output().lines().join("; "))))?;
        Ok(booted)
    }

    #[expect(clippy::print_stderr, reason = "for whoever reads why a test failed")]
    fn print_journal(&self) {
        match self.journal() {
            Ok(journal) => eprintln!("the journal of that systemd:\n{journal}"),
            Err(error) => eprintln!("the journal of that systemd cannot be read: {error}"),
        }
    }

    fn wait_until_up(&mut self, manager: &NotifySocket) -> Result<(), String> {
        // Whoever ends before it is ready never will be.
        let (output, said) = (self.child.output().clone(), manager.said().clone());
        thread::spawn(move || {
            output.wait_closed(PATIENCE);
            said.close();
        });
        manager.said().wait_for("READY=1", PATIENCE).map_err(|missing| missing.to_string())?;
        self.first = child_of(self.child.id()).ok_or("its process is not found")?;
        Ok(())
    }

    /// Writes a unit, and has systemd read all of them again.
    ///
    /// # Errors
    /// It cannot be written, or `systemctl daemon-reload` fails.
    pub fn write_unit(&self, name: &str, text: &str) -> io::Result<()> {
        fs::write(self.path("/run/systemd/system").join(name), text)?;
        let output = self.systemctl(["daemon-reload"])?;
        if output.status.success() { Ok(()) } else { Err(io::Error::other(text_of(&output))) }
    }

    /// `systemctl` with these arguments, to its end.
    ///
    /// # Errors
    /// It could not be run, or has not ended within a minute.
    pub fn systemctl<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> io::Result<Output> {
        let mut command = self.command("systemctl");
        command.args(arguments);
        output(command)
    }

    /// What the journal holds: what systemd says, and what its services write.
    ///
    /// # Errors
    /// `journalctl` could not be run.
    pub fn journal(&self) -> io::Result<String> {
        let mut command = self.command("journalctl");
        command.args(["--no-pager", "--quiet", "--output=short-monotonic"]);
        Ok(String::from_utf8_lossy(&output(command)?.stdout).into_owned())
    }

    /// A property of a unit, as `systemctl show` tells it.
    ///
    /// # Errors
    /// `systemctl` could not be run, or failed.
    pub fn property(&self, unit: &str, name: &str) -> io::Result<String> {
        let output = self.systemctl(["show", "--value", "-p", name, unit])?;
        if !output.status.success() {
            return Err(io::Error::other(text_of(&output)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// A program beside its services.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--pid", "--mount", "--uts", "--ipc", "--cgroup"]);
        command.arg("--").arg(program);
        command
    }

    /// Where a path of its services is out here.
    #[must_use]
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        let inside = inside.as_ref();
        Path::new("/proc")
            .join(self.first.to_string())
            .join("root")
            .join(inside.strip_prefix("/").unwrap_or(inside))
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        if thread::panicking() && self.first != 0 {
            self.print_journal();
        }
        // The end of process 1 is the end of all others in there. Its parent has not reaped it, so it has its number for itself.
        let first = child_of(self.child.id()).and_then(|first| Process::open(first).ok());
        if let Some(number) = first.as_ref().and_then(|first| first.id().try_into().ok()) {
            let _ = kill(Pid::from_raw(number), nix::sys::signal::SIGKILL);
        }
        let _ = self.child.signal(Signal::KILL);
        if let Some(first) = first {
            let _ = first.wait(Some(Instant::now() + PATIENCE));
        }
        let removes = "umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit
            find /sys/fs/cgroup/$0 -depth -type d -exec rmdir {} +";
        let mut command = in_own_mounts(&[]);
        command.args(["sh", "-c", removes, &self.cgroup]);
        let _ = output(command);
    }
}

/// `unshare` with mounts that nobody else sees.
fn in_own_mounts(before: &[&str]) -> Command {
    let words = [before, &["unshare", "--mount", "--propagation", "private"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// Like [`Command::output`], but not for ever.
fn output(command: Command) -> io::Result<Output> {
    let child = Child::spawn(command)?;
    let status = child.wait(PATIENCE).map_err(|late| io::Error::other(late.to_string()))?;
    let text = |lines: Vec<String>| {
        lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>().into_bytes()
    };
    Ok(Output { status, stdout: text(child.stdout().lines()), stderr: text(child.stderr().lines()) })
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim_end().to_owned()
}

fn child_of(parent: u32) -> Option<u32> {
    let is_child = |pid: &u32| {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
        // The name before it may hold anything, but ends with the last parenthesis.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        fields.split_ascii_whitespace().nth(1) == Some(parent.to_string().as_str())
    };
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.find(is_child)
}

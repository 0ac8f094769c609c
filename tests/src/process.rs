//! Programs that run to their end, and processes that are not children of the test.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use sitebus_testkit::Child;

use crate::folder::Folder;

/// How long anything may take that takes milliseconds on a machine that is not busy.
pub const SOON: Duration = Duration::from_secs(30);

/// What a program left behind.
#[derive(Debug)]
pub struct Ended {
    /// Its status; none if a signal killed it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Runs the program in this folder to its end.
///
/// # Panics
/// It cannot be started, or does not end soon.
#[expect(clippy::unwrap_used, reason = "a test whose program does not end has failed")]
pub fn run(program: &Path, folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_remove("RUST_LOG").env_remove("NO_COLOR");
    Ended::of(Child::spawn(command).unwrap())
}

impl Ended {
    /// Waits for a child's end.
    ///
    /// # Panics
    /// It does not end soon.
    #[expect(clippy::unwrap_used, reason = "a test whose program does not end has failed")]
    pub fn of(child: Child) -> Ended {
        let code = child.wait(SOON).unwrap().code();
        // The streams are read by threads, which are through when the last holder of the pipe is gone.
        let closed = child.output().wait_until(SOON, "the end of the output", |_| None::<()>).unwrap_err();
        assert!(closed.to_string().contains("no line comes any more"), "{closed}");
        let text = |lines: Vec<String>| lines.iter().map(|line| format!("{line}\n")).collect();
        Ended { code, stdout: text(child.stdout().lines()), stderr: text(child.stderr().lines()) }
    }
}

/// Waits until `come` gives something, for what sends no event: an entry of `/proc`, a file that goes away.
///
/// # Panics
/// It has not come soon.
pub fn wait_until<T>(what: &str, mut come: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = come() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come within {SOON:?}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// A process that is nobody's child here. It is killed when this is dropped, if it is still the same one.
#[derive(Debug)]
pub struct Outsider {
    pid: u32,
    /// None if it was over before we looked.
    started: Option<String>,
}

impl Outsider {
    /// The process of this number.
    pub fn of(pid: u32) -> Outsider {
        Outsider { pid, started: start_time(pid) }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// Whether it has ended; one that nobody has waited for counts as ended.
    pub fn has_ended(&self) -> bool {
        let now = start_time(self.pid);
        now.is_none() || now != self.started
    }

    /// Sends it a signal by name.
    ///
    /// # Panics
    /// kill(1) is missing, or refuses.
    #[expect(clippy::unwrap_used, reason = "a test that cannot send signals has failed")]
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid.to_string()).status().unwrap();
        assert!(status.success(), "kill -{name} {}", self.pid);
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ = Command::new("kill").arg("-KILL").arg(self.pid.to_string()).status();
        }
    }
}

/// Field 22 of `/proc/PID/stat` (proc(5)), which tells a process from a later one of the same number. None for a zombie.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18).map(str::to_owned))?
}

/// Words that run the program as somebody who may not do everything: nobody, if the test is root. None if that cannot be
/// arranged. The folder is opened to all.
pub fn as_an_ordinary_user(program: &Path, folder: &Folder) -> Option<Vec<String>> {
    folder.open_to_all();
    if !is_root() {
        return Some(vec!["env".to_owned(), program.display().to_string()]);
    }
    as_somebody(65534, program, folder)
}

/// Words that run the program as the user and the group of this number, without other groups. None if the test is not root.
/// The folder is opened to all.
pub fn as_somebody(number: u32, program: &Path, folder: &Folder) -> Option<Vec<String>> {
    folder.open_to_all();
    // The build folder may be closed to others.
    let copy = folder.at("program-for-others");
    fs::hard_link(program, &copy).or_else(|_| fs::copy(program, &copy).map(drop)).ok()?;
    let (user, group) = (format!("--reuid={number}"), format!("--regid={number}"));
    let words = ["setpriv", &user, &group, "--clear-groups"];
    let works = Command::new(words[0]).args(&words[1..]).arg(&copy).arg("--version").output();
    let works = works.is_ok_and(|output| output.status.success());
    works.then(|| words.into_iter().map(str::to_owned).chain([copy.display().to_string()]).collect())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0)
}

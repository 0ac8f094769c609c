//! Which site is meant. Only its name and its state folder matter, so a file that is wrong elsewhere finds it too.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::answer::{Answer, note};
use super::args::TargetArgs;
use crate::control::{Client, ConnectError};
use crate::os::lock::Lock;
use crate::program::assembly::{name_of, state_of};
use crate::program::door::SOCKET;
use crate::program::statuses::{FAILED, NOT_RUNNING};
use crate::site::{Report, WhichSite};

/// A site that has its state folder but nobody at the door is just starting or ending: for no longer than this.
const BETWEEN: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);

/// A site that is to be asked.
pub(super) struct Target {
    name: String,
    state: PathBuf,
}

impl Target {
    /// The site of these arguments. What makes that doubtful is said on standard error.
    pub(super) fn find(args: &TargetArgs, command: &'static str) -> Result<Target, Box<Answer>> {
        if let Some(state) = &args.state {
            let state = std::path::absolute(state).unwrap_or_else(|_| state.clone());
            let name = state.file_name().unwrap_or(state.as_os_str()).to_string_lossy().into_owned();
            return Ok(Target { name, state });
        }
        let found = WhichSite::read(&args.file, &args.set);
        let name = found.name.unwrap_or_else(|| name_of(&args.file));
        let target = Target { state: state_of(&found.folder, found.state.as_deref(), &name), name };
        match found.doubt {
            None => Ok(target),
            Some(report) if found.is_text || target.state.join("lock").exists() => {
                target.warn(&report);
                Ok(target)
            }
            Some(report) => Err(Answer::bad_file(
                command,
                report,
                "to find a running site without its file, name its state folder with --state",
            )
            .into()),
        }
    }

    pub(super) fn of(name: &str, state: &Path) -> Target {
        Target { name: name.to_owned(), state: state.to_owned() }
    }

    fn warn(&self, report: &Report) {
        let _ = report.print(); // there is nowhere left to say so
        let (name, state) = (&self.name, self.state.display());
        note(&format!(
            "so the site is taken for '{name}' with its state in {state}; if that is not the one, name its folder with \
             --state"
        ));
    }

    /// Connects, or says why there is nobody to ask.
    pub(super) fn connect(&self, command: &'static str, deadline: Instant) -> Result<Client, Box<Answer>> {
        let socket = self.state.join(SOCKET);
        let between = deadline.min(Instant::now() + BETWEEN);
        let mut holder = None;
        loop {
            let error = match Client::connect(&socket, deadline) {
                Ok(client) => return Ok(client),
                Err(error) => error,
            };
            match (&error, holder) {
                (ConnectError::NotRunning { why, .. }, _) => {
                    holder = Lock::holder(&self.state.join("lock")).ok().flatten();
                    match holder {
                        Some(_) if Instant::now() < between => thread::park_timeout(LOOK),
                        Some(pid) => return Err(self.nobody_at_the_door(command, pid).into()),
                        None => return Err(self.not_running(command, why).into()),
                    }
                }
                // The time was over while nobody was at the door.
                (ConnectError::TimedOut { .. }, Some(pid)) => {
                    return Err(self.nobody_at_the_door(command, pid).into());
                }
                _ => {
                    let answer = Answer::new(command, word(&error), error.exit_status(), error.to_string());
                    return Err(answer.into());
                }
            }
        }
    }

    fn not_running(&self, command: &'static str, why: &str) -> Answer {
        let socket = self.state.join(SOCKET);
        let message = format!("the site '{}' is not running: {why} at {}", self.name, socket.display());
        Answer::new(command, "not-running", NOT_RUNNING, message)
    }

    fn nobody_at_the_door(&self, command: &'static str, pid: u32) -> Answer {
        let message = format!(
            "the site '{}' is process {pid}, but nobody listens at {}: it is just starting or ending, or the socket was \
             removed; ask again, or send that process SIGTERM",
            self.name,
            self.state.join(SOCKET).display()
        );
        Answer::new(command, "failed", FAILED, message)
    }
}

fn word(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::NotPermitted { .. } => "denied",
        ConnectError::Busy { .. } => "busy",
        ConnectError::TimedOut { .. } => "timed-out",
        _ => "failed",
    }
}

//! What is watched, and what is done about a change.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::AutoreloadError;
use crate::select::Selection;

/// What is watched, how, and what a change leads to. The default watches the program alone; paths and
/// [`topics::WATCH`](sitebus_bus::topics::WATCH) add to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Files, and folders with all that is in them. They need not exist yet.
    pub paths: Vec<PathBuf>,
    /// What relative paths are relative to; if not said, the current folder at the time of the subscription.
    pub folder: Option<PathBuf>,
    /// Of the files in folders only those that match one of these globs; if there is none, all. The syntax is that of a
    /// line in a `.gitignore`.
    pub include: Vec<String>,
    /// Of the files in folders none that matches one of these globs.
    pub ignore: Vec<String>,
    /// Whether `.gitignore` and `.ignore` files are respected: yes, if not said.
    pub ignore_files: bool,
    /// Whether the program itself is watched.
    pub program: Program,
    /// How long nothing may happen before a change counts as complete: 25 ms. A deletion, which is mostly the first half of a
    /// save, and a new program get four times as long.
    pub settle: Duration,
    /// Files that never come to rest are not waited for any longer than this: 2 s.
    pub settle_limit: Duration,
    /// Looks at all files in this interval instead of asking the kernel for events: for network file systems and for folders
    /// shared with a virtual machine, where no events come.
    pub poll: Option<Duration>,
    /// What must succeed before a change is acted on, such as a build.
    pub before: Option<Before>,
    /// What is done about a change.
    pub action: Action,
    /// What holds up a loop of restarts.
    pub brake: Brake,
}

/// What is done about a change. [`topics::CHANGED`](sitebus_bus::topics::CHANGED) is published before, in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The bus is asked for a restart.
    #[default]
    Restart,
    /// The bus is asked for a reload.
    Graceful,
    /// Nothing more: listeners do the rest.
    Publish,
}

/// The executable file of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// It is watched, where the system says that it is. If it was replaced since the process began, that counts as a change.
    #[default]
    Own,
    /// It is watched at this path: for programs that are started by way of a symbolic link, or by another program.
    At(PathBuf),
    /// It is not watched.
    Unwatched,
}

/// A command that must succeed before a change is acted on. If it fails, or takes too long, the running version stays; what
/// it says goes to the log.
///
/// It runs in a process group of its own, with nothing to read, and the whole group is ended at a stop. What it changes
/// itself, a new program for example, is no new change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// The program and its arguments; no shell reads them.
    pub command: Vec<String>,
    /// Where it runs: [`Settings::folder`] if not said.
    pub folder: Option<PathBuf>,
    /// How long it may take: 10 minutes.
    pub patience: Duration,
}

/// What holds up a site that changes a watched file whenever it starts, and so would restart for ever. Reloads are held up
/// too; what is only published is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brake {
    /// This many within the time are let through; the next one is held until there is room again. 10; 0 counts as 1.
    pub times: usize,
    /// The time: 30 s.
    pub within: Duration,
    /// Where they are written down, so that the next image of the program knows of them. Without it the brake holds only
    /// what one image does, so it does not hold restarts: give it a file in the site's state folder.
    pub file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            paths: Vec::new(),
            folder: None,
            include: Vec::new(),
            ignore: Vec::new(),
            ignore_files: true,
            program: Program::default(),
            settle: Duration::from_millis(25),
            settle_limit: Duration::from_secs(2),
            poll: None,
            before: None,
            action: Action::default(),
            brake: Brake::default(),
        }
    }
}

impl Default for Brake {
    fn default() -> Brake {
        Brake { times: 10, within: Duration::from_secs(30), file: None }
    }
}

impl Settings {
    /// The default, and these files and folders.
    pub fn of<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Settings {
        Settings { paths: paths.into_iter().map(Into::into).collect(), ..Settings::default() }
    }

    /// Whether they make sense, without anything being done.
    ///
    /// # Errors
    /// [`AutoreloadError`] names what does not.
    pub fn check(&self) -> Result<(), AutoreloadError> {
        if self.before.as_ref().is_some_and(|before| before.command.first().is_none_or(String::is_empty)) {
            return Err(AutoreloadError::NoCommand);
        }
        if self.poll.is_some_and(|interval| interval.is_zero()) {
            return Err(AutoreloadError::NoInterval);
        }
        Selection::new(self).map(drop)
    }
}

impl Before {
    /// This command, without a shell.
    pub fn new<A: Into<String>>(command: impl IntoIterator<Item = A>) -> Before {
        let command = command.into_iter().map(Into::into).collect();
        Before { command, folder: None, patience: Duration::from_secs(600) }
    }
}

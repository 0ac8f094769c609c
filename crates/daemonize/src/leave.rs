//! Leaving the terminal.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use sitebus_os::alone::Alone;
use sitebus_os::detach::{self, Surroundings, detach};
use sitebus_os::identity::Umask;
use sitebus_os::parcel::Inherited;

use crate::daemon::Daemon;
use crate::error::DaemonizeError;
use crate::launcher::Launcher;
use crate::line::Line;
use crate::settings::{Output, Settings};
use crate::supervisor::Supervisor;

/// A process leaves its terminal once in its life.
static LEFT: AtomicBool = AtomicBool::new(false);

/// What a daemon hands on to its next image.
pub(crate) const KIND: &str = "daemonize";
pub(crate) const NAME: &str = "daemon";

/// The way out of the foreground, for the prelude of a program.
#[derive(Clone, Debug, Default)]
pub struct Daemonize {
    settings: Settings,
    supervisor: Option<Option<Supervisor>>,
    again: bool,
}

/// Which of the two processes this is, from here on.
#[derive(Debug)]
#[must_use = "each process has its own way from here on"]
pub enum Side {
    /// The one that was started: `main` returns what [`Launcher::wait`] returns.
    Launcher(Launcher),
    /// The one that goes on: it makes its bus, and has the daemon [`subscribe`](Daemon::subscribe).
    Daemon(Daemon),
}

impl Daemonize {
    /// With these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Daemonize {
        Daemonize { settings, ..Daemonize::default() }
    }

    /// Says which service manager watches this process, if one does, in place of a look at the environment: for a program
    /// that has taken the variables out of it before.
    #[must_use]
    pub fn under(self, supervisor: Option<Supervisor>) -> Daemonize {
        Daemonize { supervisor: Some(supervisor), ..self }
    }

    /// Takes from what the image before this one handed on that it was a daemon: then [`leave`](Daemonize::leave) forks no
    /// more.
    #[must_use]
    pub fn inherit(self, inherited: &Inherited) -> Daemonize {
        let was_daemon = inherited.take(KIND, NAME).is_some();
        Daemonize { again: self.again || was_daemon, ..self }
    }

    /// Makes a daemon, and returns in both processes; or only in this one, if it was a daemon before a restart.
    ///
    /// Everything that can be opened is opened before, and buffered output is written, so that nothing is said twice. The
    /// daemon has all descriptors that the process had.
    ///
    /// # Errors
    /// [`DaemonizeError`], in the calling process, which is as it was: there is no daemon.
    pub fn leave(self, alone: &Alone) -> Result<Side, DaemonizeError> {
        if self.again {
            return Ok(Side::Daemon(self.again()?));
        }
        if LEFT.load(Ordering::SeqCst) {
            return Err(DaemonizeError::Twice);
        }
        let forking = self.settings.forking_service;
        match self.supervisor.unwrap_or_else(Supervisor::detect) {
            Some(supervisor) if !(forking && supervisor.may_expect_a_fork()) => {
                return Err(DaemonizeError::Supervised(supervisor));
            }
            _ => {}
        }
        let base = base()?;
        let settings = self.settings.resolved(&base);
        let (surroundings, written) = surroundings(&settings)?;
        // What is in the buffer would be written by both. If it cannot be written now, it could not be later either.
        let _ = io::stdout().flush();
        let _ = io::stderr().flush();
        let side = detach(alone, surroundings)?;
        LEFT.store(true, Ordering::SeqCst);
        Ok(match side {
            detach::Side::Launcher(watch) => Side::Launcher(Launcher::new(watch, settings.output, written)),
            detach::Side::Daemon(pipe) => {
                Side::Daemon(Daemon::new(settings, base, Line::new(Some(pipe)), None))
            }
        })
    }

    /// For a new image in the place of a daemon, after a restart, if that is known otherwise than by
    /// [`inherit`](Daemonize::inherit): it is a daemon already, and nobody waits for it. Umask, directory and log file become
    /// what the settings say now. A log file that cannot be opened any more, for lack of privileges say, is no error: the one
    /// that is open stays, and the daemon logs that.
    ///
    /// # Errors
    /// [`DaemonizeError`], if it is the directory or the umask that is wrong.
    pub fn again(self) -> Result<Daemon, DaemonizeError> {
        let base = base()?;
        let settings = self.settings.resolved(&base);
        let only_around = Settings { output: Output::Keep, ..settings.clone() };
        let (mut around, _) = surroundings(&only_around)?;
        let reopened = match &settings.output {
            Output::Keep => Ok(None),
            output => open_output(output, settings.owner).map(Some),
        };
        let (output, note) = match reopened {
            Ok(output) => (output, None),
            Err(error) => {
                (None, Some(format!("{error}; the output goes on to where it went before the restart")))
            }
        };
        around.output = output;
        around.settle()?;
        LEFT.store(true, Ordering::SeqCst);
        Ok(Daemon::new(settings, base, Line::new(None), note))
    }
}

/// What relative paths count from.
fn base() -> Result<PathBuf, DaemonizeError> {
    env::current_dir().map_err(failed("directory", Path::new(".")))
}

/// Opens all there is to open. Also returns how long the log file was before.
fn surroundings(settings: &Settings) -> Result<(Surroundings, u64), DaemonizeError> {
    let umask =
        settings.umask.map(|given| Umask::new(given).ok_or(DaemonizeError::Umask { given })).transpose()?;
    let directory =
        settings.directory.as_deref().map(|path| open_directory(path).map_err(failed("directory", path)));
    let output = match &settings.output {
        Output::Keep => None,
        output => Some(open_output(output, settings.owner)?),
    };
    let null = Path::new("/dev/null");
    let input = File::open(null).map_err(failed("standard input", null))?;
    let written = output.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |file| file.len());
    Ok((Surroundings { input: Some(input), output, umask, directory: directory.transpose()? }, written))
}

/// Opens what the daemon prints to; none can be opened for [`Output::Keep`].
pub(crate) fn open_output(output: &Output, owner: Option<(u32, u32)>) -> Result<File, DaemonizeError> {
    match output {
        Output::File(path) => detach::open_log(path, owner).map_err(failed("log file", path)),
        Output::Null | Output::Keep => {
            let null = Path::new("/dev/null");
            OpenOptions::new().write(true).open(null).map_err(failed("output", null))
        }
    }
}

fn open_directory(path: &Path) -> io::Result<File> {
    let directory = File::open(path)?;
    if directory.metadata()?.is_dir() { Ok(directory) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

fn failed(what: &'static str, path: &Path) -> impl Fn(io::Error) -> DaemonizeError {
    move |cause| DaemonizeError::Open { what, path: path.to_owned(), cause }
}

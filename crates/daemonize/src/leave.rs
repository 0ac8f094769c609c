//! Leaving the terminal.

use crate::daemon::Daemon;
use crate::error::DaemonizeError;
use crate::launcher::Launcher;
use crate::line::Line;
use crate::settings::{Output, Settings};
use crate::supervisor::Supervisor;
use sitebus_os::alone::Alone;
use sitebus_os::detach::{self, Surroundings, detach};
use sitebus_os::identity::Umask;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// A process leaves its terminal once in its life.
static LEFT: AtomicBool = AtomicBool::new(false);

/// The way out of the foreground, for the prelude of a program.
#[derive(Clone, Debug, Default)]
pub struct Daemonize {
    settings: Settings,
    supervisor: Option<Option<Supervisor>>,
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
        Daemonize { settings, supervisor: None }
    }

    /// Says which service manager watches this process, if one does, in place of a look at the environment: for a program
    /// that has taken the variables out of it before.
    #[must_use]
    pub fn under(self, supervisor: Option<Supervisor>) -> Daemonize {
        Daemonize { supervisor: Some(supervisor), ..self }
    }

    /// Makes a daemon, and returns in both processes.
    ///
    /// Everything that can be opened is opened before, and buffered output is written, so that nothing is said twice. The
    /// daemon has all descriptors that the process had.
    ///
    /// # Errors
    /// [`DaemonizeError`], in the calling process, which is as it was: there is no daemon.
    pub fn leave(self, alone: &Alone) -> Result<Side, DaemonizeError> {
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
        let (surroundings, written) = surroundings(&self.settings)?;
        // What is in the buffer would be written by both. If it cannot be written now, it could not be later either.
        let _ = io::stdout().flush();
        let _ = io::stderr().flush();
        let side = detach(alone, surroundings)?;
        LEFT.store(true, Ordering::SeqCst);
        Ok(match side {
            detach::Side::Launcher(watch) => {
                Side::Launcher(Launcher::new(watch, self.settings.output, written))
            }
            detach::Side::Daemon(pipe) => Side::Daemon(Daemon::new(self.settings, Line::new(Some(pipe)))),
        })
    }

    /// For a new image in the place of a daemon, after a restart: it is one already, and nobody waits for it.
    #[must_use]
    pub fn again(self) -> Daemon {
        LEFT.store(true, Ordering::SeqCst);
        Daemon::new(self.settings, Line::new(None))
    }
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

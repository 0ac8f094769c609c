//! The same program again, in the same process; but not where that could only fail.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::{anyhow, ensure};

use super::assembly::Source;
use crate::signals::{Action, Settings};
use crate::{Handle, Level, Plugin, priority, topics};

/// What a new image is started with. Taken at the very start, before anything can have changed it.
#[derive(Clone)]
pub(crate) struct Image {
    program: Result<PathBuf, String>,
    arguments: Vec<OsString>,
    folder: Result<PathBuf, String>,
}

/// Looks before the site leaps: a restart ends the site that runs, so the one that is to follow must be right.
struct Guard {
    image: Image,
    source: Arc<Source>,
    signals: BTreeMap<i32, String>,
    log: Plugin,
}

/// Has the bus replace the process when a restart is asked for. The signals that ask for one are taken over, and settings
/// without them returned: they are refused while the site file is wrong or the program is gone.
pub(crate) fn subscribe(
    bus: &Handle,
    image: Image,
    source: Arc<Source>,
    mut settings: Settings,
) -> anyhow::Result<Settings> {
    let restarts = settings.actions().filter(|(_, action)| *action == Action::Restart);
    let restarts: Vec<_> = restarts.map(|(signal, _)| signal).collect();
    for signal in &restarts {
        settings = settings.on(*signal, Action::Publish)?;
    }
    let signals = restarts.iter().map(|signal| (signal.number(), signal.to_string())).collect();
    let log = bus.plugin("restart");
    let guard = Guard { image: image.clone(), source, signals, log: log.clone() };
    log.subscribe(topics::SIGNAL, priority::SITE, move |number: &i32| guard.hear(*number))?;
    bus.restart_by(move |_, _| image.execute());
    Ok(settings)
}

impl Guard {
    fn hear(&self, number: i32) {
        let Some(signal) = self.signals.get(&number) else { return };
        let bus = self.log.handle();
        if let Some(exit) = bus.exit_asked() {
            return self.log.log(Level::Warn, format!("{signal}: the bus is exiting already: {exit}"));
        }
        match self.look() {
            Ok(()) => {
                self.log.log(Level::Info, format!("{signal}: restarting"));
                drop(bus.ask_restart(signal.as_str()));
            }
            Err(error) => {
                let message = format!("{signal}: not restarting, the site goes on as it was: {error:#}");
                self.log.log(Level::Error, message);
            }
        }
    }

    fn look(&self) -> anyhow::Result<()> {
        self.image.look()?;
        self.source.read().map_err(|report| anyhow!("\n{report}"))?;
        Ok(())
    }
}

impl Image {
    pub(crate) fn capture() -> Image {
        let text = |error: std::io::Error| error.to_string();
        Image {
            program: std::env::current_exe().map_err(text),
            arguments: std::env::args_os().skip(1).collect(),
            folder: std::env::current_dir().map_err(text),
        }
    }

    /// Whether what is to be executed is there.
    fn look(&self) -> anyhow::Result<()> {
        let (program, folder) = self.places()?;
        ensure!(program.is_file(), "the program {} is gone; put it back", program.display());
        ensure!(folder.is_dir(), "the folder {} is gone; make it again", folder.display());
        Ok(())
    }

    fn places(&self) -> anyhow::Result<(&PathBuf, &PathBuf)> {
        let known = |place: &'static str| move |error: &String| anyhow!("{error}").context(place);
        Ok((
            self.program.as_ref().map_err(known("the program's own path is not known"))?,
            self.folder.as_ref().map_err(known("the folder that it was started in is not known"))?,
        ))
    }

    /// Returns only if it failed.
    fn execute(&self) -> anyhow::Error {
        match self.places() {
            Err(error) => error,
            Ok((program, folder)) => {
                let error = Command::new(program).args(&self.arguments).current_dir(folder).exec();
                anyhow!(error).context(format!("executing {} failed", program.display()))
            }
        }
    }
}

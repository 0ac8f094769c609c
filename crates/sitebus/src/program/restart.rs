//! The same program again, in the same process.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, anyhow};

use crate::Handle;

/// What a new image is started with. Taken at the very start, before anything can have changed it.
pub(crate) struct Image {
    program: std::io::Result<PathBuf>,
    arguments: Vec<OsString>,
    folder: std::io::Result<PathBuf>,
}

impl Image {
    pub(crate) fn capture() -> Image {
        Image {
            program: std::env::current_exe(),
            arguments: std::env::args_os().skip(1).collect(),
            folder: std::env::current_dir(),
        }
    }

    /// Has the bus replace the process by this image when a restart is asked for.
    pub(crate) fn restarts(self, bus: &Handle) {
        bus.restart_by(move |_| self.execute());
    }

    /// Returns only if it failed.
    fn execute(self) -> anyhow::Error {
        let Image { program, arguments, folder } = self;
        let started = || -> anyhow::Result<(PathBuf, PathBuf)> {
            Ok((
                program.context("the program's own path is not known")?,
                folder.context("its folder is not known")?,
            ))
        };
        match started() {
            Err(error) => error,
            Ok((program, folder)) => {
                let error = Command::new(&program).args(arguments).current_dir(folder).exec();
                anyhow!(error).context(format!("executing {} failed", program.display()))
            }
        }
    }
}

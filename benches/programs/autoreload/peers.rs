//! The other reloaders, where they are installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use sitebus_benches::{Machine, target_folder};

/// A Python in the target folder that has some of them.
pub(crate) struct Python {
    program: PathBuf,
    /// Name and version of each.
    packages: Vec<(String, String)>,
}

impl Python {
    pub(crate) fn install() -> Result<()> {
        let folder = target_folder()?.join("peers");
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status()?;
        ensure!(made.success(), "python3 could not make a virtual environment: {made}");
        let list = script("autoreload.txt");
        let installed =
            Command::new(folder.join("bin/pip")).args(["install", "--quiet", "-r"]).arg(list).status()?;
        ensure!(installed.success(), "pip could not install the peers: {installed}");
        Ok(())
    }

    pub(crate) fn find() -> Result<Option<Python>> {
        let program = target_folder()?.join("peers/bin/python");
        let code = "import importlib.metadata as m\nfor d in m.distributions(): print(d.name, d.version)";
        let Ok(output) = Command::new(&program).args(["-c", code]).output() else { return Ok(None) };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let pairs = said.lines().filter_map(|line| line.split_once(' '));
        let packages = pairs.map(|(name, version)| (name.to_lowercase(), version.to_owned())).collect();
        Ok(Some(Python { program, packages }))
    }

    pub(crate) fn has(&self, package: &str) -> bool {
        self.packages.iter().any(|(name, _)| name == package)
    }

    /// Python without its files of compiled modules: those are told apart by whole seconds only.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

pub(crate) fn has_entr() -> bool {
    Command::new("entr").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// With the versions of those that are there.
pub(crate) fn versions(machine: Machine, python: &Option<Python>) -> Machine {
    let names = ["cherrypy", "gunicorn", "uvicorn", "watchfiles"];
    let packages =
        python.iter().flat_map(|python| &python.packages).filter(|(name, _)| names.contains(&name.as_str()));
    packages.fold(machine, |machine, (name, version)| machine.with(name, version))
}

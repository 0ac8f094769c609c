//! The Python buses, which a Python process measures on request.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::options::target_folder;

/// A Python process with MagicBus, CherryPy or both in it.
pub struct Peers {
    talk: RefCell<Talk>,
    versions: Versions,
}

struct Talk {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Versions {
    python: String,
    magicbus: Option<String>,
    cherrypy: Option<String>,
}

/// What is said in the report if there are none.
const LEFT_OUT: &str =
    "MagicBus and CherryPy: no python3 that has them; --install-peers puts them into the target folder";

impl Peers {
    /// Makes a virtual environment in the target folder and installs the peers there with pip, at their fixed versions.
    ///
    /// # Errors
    /// Python, its venv module or pip failed.
    pub fn install() -> Result<()> {
        let folder = environment()?;
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let requirements = script("requirements.txt");
        run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", "-r"]).arg(requirements))
    }

    /// The peers of the target folder, or else those of the `python3` on the path; or why there are none.
    ///
    /// # Errors
    /// A Python that has them failed to answer.
    pub fn find() -> Result<Result<Peers, String>> {
        let own = environment().map(|folder| folder.join("bin/python")).ok().filter(|own| own.exists());
        let python = own.unwrap_or_else(|| PathBuf::from("python3"));
        let Ok(talk) = Talk::with(&python) else { return Ok(Err(LEFT_OUT.to_owned())) };
        let talk = RefCell::new(talk);
        let answer = talk.borrow_mut().ask("versions");
        let versions = answer.with_context(|| format!("asking {} for versions", python.display()))?;
        let versions = serde_json::from_str::<Versions>(&versions)?;
        let nobody = versions.magicbus.is_none() && versions.cherrypy.is_none();
        Ok(if nobody { Err(LEFT_OUT.to_owned()) } else { Ok(Peers { talk, versions }) })
    }

    /// Which of them are there, as the script names them, with their names for the reader.
    #[must_use]
    pub fn present(&self) -> Vec<(&'static str, String)> {
        let Versions { magicbus, cherrypy, .. } = &self.versions;
        let magicbus = magicbus.as_ref().map(|version| ("magicbus", format!("MagicBus {version}")));
        let cherrypy = cherrypy.as_ref().map(|version| ("cherrypy", format!("CherryPy {version}")));
        magicbus.into_iter().chain(cherrypy).collect()
    }

    /// The version of Python.
    #[must_use]
    pub fn python(&self) -> &str {
        &self.versions.python
    }

    /// One measurement, in nanoseconds; see `peers/buses.py` for the requests.
    ///
    /// # Errors
    /// The script failed; its own report is on stderr.
    pub fn nanoseconds(&self, request: &str) -> Result<f64> {
        let answer = self.talk.borrow_mut().ask(request)?;
        answer.trim().parse().with_context(|| format!("the answer to '{request}' was '{answer}'"))
    }
}

impl Talk {
    fn with(python: &Path) -> Result<Talk> {
        let mut child = Command::new(python)
            .arg(script("buses.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = child.stdin.take();
        let answers = child.stdout.take().context("the child has no stdout")?;
        Ok(Talk { child, requests, answers: BufReader::new(answers) })
    }

    fn ask(&mut self, request: &str) -> Result<String> {
        let requests = self.requests.as_mut().context("the child has no stdin")?;
        writeln!(requests, "{request}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(!answer.is_empty(), "python gave no answer to '{request}'");
        Ok(answer)
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.requests = None; // the end of its input is its end
        let _ = self.child.wait();
    }
}

fn environment() -> Result<PathBuf> {
    Ok(target_folder()?.join("peers"))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("running {program}"))?;
    if !status.success() {
        bail!("{program} failed ({status}) to install the peers; see its report above");
    }
    Ok(())
}

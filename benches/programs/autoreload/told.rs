//! From a file saved to the change told: how fast a watcher is, whatever is done about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sitebus_autoreload::{Action, Autoreload, Program, Settings};
use sitebus_benches::Contestant;
use sitebus_bus::{Bus, topics};
use tempfile::TempDir;

use crate::FILES;
use crate::peers::{Python, has_entr};
use crate::process::Tree;

pub(crate) const IN_PLACE: &str = "sitebus, written in place";
pub(crate) const AGAIN: &str = "sitebus, written in place, again";

/// Between two turns, so that everybody is at rest.
const PAUSE: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn contestants(
    python: &Option<Python>,
    left_out: &mut Vec<String>,
) -> Result<Vec<(String, Contestant<'static, 1>)>> {
    let mut all = vec![
        (IN_PLACE.to_owned(), sitebus(IN_PLACE, write)?),
        ("sitebus, renamed into place".to_owned(), sitebus("sitebus, renamed into place", rename)?),
        (AGAIN.to_owned(), sitebus(AGAIN, write)?),
    ];
    if has_entr() {
        let name = "entr, until its command runs";
        all.push((
            name.to_owned(),
            other(name, |folder| {
                let mut command = Command::new("sh");
                command.args(["-c", "find \"$0\" -type f | entr -n -p echo told"]).arg(folder);
                command
            })?,
        ));
    } else {
        left_out.push("entr: it is not installed".to_owned());
    }
    if let Some(python) = python.as_ref().filter(|python| python.has("watchfiles")) {
        let name = "watchfiles, as uvicorn uses it";
        all.push((name.to_owned(), other(name, |folder| {
            let mut command = python.command();
            command.args(["-c", "import sys, watchfiles\nfor _ in watchfiles.watch(sys.argv[1]): print('told', flush=True)"]);
            command.arg(folder);
            command
        })?));
    }
    Ok(all)
}

/// A folder with so many files, and the one of them that is saved.
pub(crate) fn folder() -> Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    for number in 0..FILES {
        let below = folder.path().join(format!("pages{}", number % 10));
        fs::create_dir_all(&below)?;
        fs::write(below.join(format!("{number}.html")), "<p>")?;
    }
    let file = folder.path().join("pages7/7.html");
    Ok((folder, file))
}

fn write(file: &Path, text: &str) -> Result<()> {
    Ok(fs::write(file, text)?)
}

fn rename(file: &Path, text: &str) -> Result<()> {
    let new = file.with_extension("html~");
    fs::write(&new, text)?;
    Ok(fs::rename(new, file)?)
}

fn sitebus(name: &str, save: fn(&Path, &str) -> Result<()>) -> Result<Contestant<'static, 1>> {
    let (folder, file) = folder()?;
    let bus = Bus::new("bench");
    let settings =
        Settings { program: Program::Unwatched, action: Action::Publish, ..Settings::of([folder.path()]) };
    Autoreload::new(settings).subscribe(&bus)?;
    let (sender, told) = mpsc::channel();
    bus.on(topics::CHANGED)?.subscribe("bench", move |_: &[PathBuf]| {
        let _ = sender.send(Instant::now());
    });
    bus.start()?;
    let mut turn = 0;
    Ok(Contestant::new(name, move || {
        let (_folder, _bus) = (&folder, &bus);
        thread::sleep(PAUSE); // sleep-is-meant: at rest
        turn += 1;
        save(&file, &"x".repeat(turn))?;
        let saved = Instant::now();
        let told = told.recv_timeout(PATIENCE).context("no change was told")?;
        Ok([milliseconds(saved, told)])
    }))
}

fn other(name: &str, command: impl FnOnce(&Path) -> Command) -> Result<Contestant<'static, 1>> {
    let (folder, file) = folder()?;
    let mut command = command(folder.path());
    command.stdin(Stdio::null());
    let tree = Tree::start(command)?;
    thread::sleep(Duration::from_secs(1)); // sleep-is-meant: it does not say when it is ready
    let mut turn = 0;
    Ok(Contestant::new(name, move || {
        let _folder = &folder;
        thread::sleep(PAUSE); // sleep-is-meant: at rest
        tree.forget();
        turn += 1;
        write(&file, &"x".repeat(turn))?;
        let saved = Instant::now();
        Ok([milliseconds(saved, tree.line(PATIENCE)?)])
    }))
}

pub(crate) fn milliseconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e3
}

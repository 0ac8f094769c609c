//! A reloader in processes of its own, with all that it starts.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sitebus_os::group::Group;

/// Ended with the value.
pub(crate) struct Tree {
    group: Group,
    /// When each line of its standard output came.
    lines: Receiver<Instant>,
}

impl Tree {
    pub(crate) fn start(mut command: Command) -> Result<Tree> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut group = Group::spawn(&mut command).with_context(|| format!("starting {program}"))?;
        let output = BufReader::new(group.stdout().context("no standard output")?);
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for _line in output.lines().map_while(Result::ok) {
                let _ = sender.send(Instant::now());
            }
        });
        Ok(Tree { group, lines })
    }

    /// When the next line came.
    pub(crate) fn line(&self, patience: Duration) -> Result<Instant> {
        self.lines.recv_timeout(patience).context("nothing was said in time")
    }

    /// Forgets the lines that came.
    pub(crate) fn forget(&self) {
        while self.lines.try_recv().is_ok() {}
    }

    /// What all threads of all its processes have had of the processors (proc(5), `schedstat`).
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for process in fs::read_dir("/proc")? {
            let path = process?.path();
            if group_of(&path) != Some(self.group.id()) {
                continue;
            }
            for thread in fs::read_dir(path.join("task")).into_iter().flatten().flatten() {
                let schedstat = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
                nanoseconds +=
                    schedstat.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or(0);
            }
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

/// The fifth field of its `stat`; the name before may contain anything.
fn group_of(process: &std::path::Path) -> Option<u32> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

//! A server in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;
use std::{env, process};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::server::Program;

pub(crate) struct Child {
    process: process::Child,
    /// It serves until this is closed.
    lifeline: Option<ChildStdin>,
    address: String,
}

impl Child {
    pub(crate) fn start(program: Program) -> Result<Child> {
        let name = program.to_possible_value().context("a program has a name")?;
        let mut process = Command::new(env::current_exe()?)
            .args(["--serve", name.get_name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting the server '{}'", name.get_name()))?;
        let lifeline = process.stdin.take();
        let mut address = String::new();
        BufReader::new(process.stdout.take().context("the server has no stdout")?).read_line(&mut address)?;
        ensure!(!address.is_empty(), "the server '{}' ended before it served; see above", name.get_name());
        Ok(Child { process, lifeline, address: address.trim().to_owned() })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What all its threads have had of the processors, in the kernel's nanoseconds (proc(5), `schedstat`).
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let folder = format!("/proc/{}/task", self.process.id());
        let threads = fs::read_dir(&folder).with_context(|| format!("reading {folder}"))?;
        let mut spent = Duration::ZERO;
        for thread in threads {
            let schedstat = fs::read_to_string(thread?.path().join("schedstat"))?;
            let nanoseconds = schedstat.split_whitespace().next().context("an empty schedstat")?;
            spent += Duration::from_nanos(nanoseconds.parse()?);
        }
        Ok(spent)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.lifeline = None;
        let _ = self.process.wait();
    }
}

//! Running the new image once, before it is trusted with the site.

use std::io::{self, PipeReader, Read as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use sitebus_os::group::Group;
use sitebus_os::process::{Process, ProcessError};

/// Whoever writes more than this has said enough.
const ENOUGH: u64 = 16 * 1024;
/// How long what was written may take to be read when nobody is left who writes.
const A_MOMENT: Duration = Duration::from_secs(1);

/// Runs the command to its end.
///
/// # Errors
/// It could not be run, did not end before the deadline (then it is killed, with all that it started), or failed; what it
/// wrote is part of the error.
pub(crate) fn run(mut command: Command, deadline: Instant) -> anyhow::Result<()> {
    let line = line_of(&command);
    let (reader, writer) = io::pipe().context("no pipe for a trial run")?;
    let both = writer.try_clone().context("no pipe for a trial run")?;
    command.stdin(Stdio::null()).stdout(writer).stderr(both);
    let group =
        Group::spawn(&mut command).with_context(|| format!("a trial run of {line} could not be started"))?;
    drop(command); // and with it our ends of the pipe
    let (tell, told) = mpsc::channel();
    let reading = thread::Builder::new().name("trial".to_owned()).spawn(move || tell.send(all_of(reader)));
    reading.context("no thread for a trial run")?;

    let in_time = wait(&group, deadline);
    let status = group.end()?;
    // The whole group is dead, so the pipe has ended. Whoever has left the group with it is not waited for.
    let said = told.recv_timeout(A_MOMENT).unwrap_or_default();
    let said =
        if said.trim().is_empty() { String::new() } else { format!("; it wrote:\n{}", said.trim_end()) };
    if !in_time? {
        bail!("a trial run of {line} had not ended in time and was killed{said}");
    }
    if !status.success() {
        bail!("a trial run of {line} failed with {status}{said}");
    }
    Ok(())
}

/// Program and arguments. The environment may hold secrets, and this goes to the log.
fn line_of(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn wait(group: &Group, deadline: Instant) -> anyhow::Result<bool> {
    match Process::open(group.id()) {
        Ok(process) => Ok(process.wait(Some(deadline))?),
        Err(ProcessError::Gone { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn all_of(mut reader: PipeReader) -> String {
    let mut said = Vec::new();
    let _ = (&mut reader).take(ENOUGH).read_to_end(&mut said); // what has come is what there is to say
    let _ = io::copy(&mut reader, &mut io::sink());
    String::from_utf8_lossy(&said).into_owned()
}

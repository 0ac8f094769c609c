//! The command that runs before a change is acted on.

use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use sitebus_bus::{Level, Plugin};
use sitebus_os::group::Group;

use crate::mailbox::{Mailbox, Woken};
use crate::settings::Before;
use crate::tell::Tell;

/// Between being asked to end and being killed.
const GRACE: Duration = Duration::from_millis(500);
/// For the last lines, after the end: somebody who has left the group may hold the pipe for ever.
const LAST_LINES: Duration = Duration::from_secs(1);
/// A longer line is cut into several.
const LINE: u64 = 4096;

/// How it went.
#[derive(Debug)]
pub(crate) enum Outcome {
    Succeeded,
    Failed(String),
    /// The thread is to end; the command was ended.
    Stopped,
}

/// Runs it, with its output in the log, until it ends, its time is over, or the thread is to end.
pub(crate) fn run(before: &Before, folder: &Path, mailbox: &Mailbox, tell: &Tell) -> Outcome {
    let name = before.command.join(" ");
    let mut group = match spawn(before, folder) {
        Ok(group) => group,
        Err(error) => return Outcome::Failed(format!("'{name}' could not be run: {error}")),
    };
    let (sender, through) = mpsc::channel();
    let plugin = tell.unguarded();
    let short = Path::new(&before.command[0]).file_name().unwrap_or_default().to_string_lossy();
    for read in [
        group.stdout().map(|stream| read(stream, &short, &plugin, &sender)),
        group.stderr().map(|stream| read(stream, &short, &plugin, &sender)),
    ] {
        if let Some(Err(error)) = read {
            tell.log(Level::Warn, format!("the output of '{name}' is lost: no thread to read it: {error}"));
        }
    }
    drop(sender);
    let awaited = await_end(&group, before.patience, mailbox);
    let ended = group.end();
    let _ = through.recv_timeout(LAST_LINES); // both are gone then
    match (awaited, ended) {
        (Woken::Stop, _) => Outcome::Stopped,
        (Woken::Time, _) => {
            Outcome::Failed(format!("'{name}' was ended, for it took longer than {:?}", before.patience))
        }
        (_, Ok(status)) if status.success() => Outcome::Succeeded,
        (_, Ok(status)) => Outcome::Failed(format!("'{name}' failed ({status})")),
        (_, Err(error)) => Outcome::Failed(format!("'{name}' was lost: {error}")),
    }
}

fn spawn(before: &Before, folder: &Path) -> io::Result<Group> {
    let (program, arguments) = before.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = before.folder.as_ref().map_or_else(|| folder.to_owned(), |below| folder.join(below));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Group::spawn(&mut command)
}

/// If it has to be ended, it is asked first.
fn await_end(group: &Group, patience: Duration, mailbox: &Mailbox) -> Woken {
    mailbox.begin();
    thread::scope(|scope| {
        let watched =
            thread::Builder::new().name("autoreload command".to_owned()).spawn_scoped(scope, || {
                let _ = group.wait();
                mailbox.done();
            });
        if watched.is_err() {
            let _ = group.wait(); // without a thread it has all the time that it takes
            return Woken::Done;
        }
        let woken = mailbox.wait_done(Instant::now().checked_add(patience));
        if woken != Woken::Done {
            group.ask();
            mailbox.wait_done_anyhow(Instant::now() + GRACE);
            group.kill();
        }
        woken
    })
}

fn read(
    stream: impl Read + Send + 'static,
    name: &str,
    plugin: &Plugin,
    through: &Sender<()>,
) -> io::Result<()> {
    let (name, plugin, through) = (name.to_owned(), plugin.clone(), through.clone());
    let thread = thread::Builder::new().name("autoreload output".to_owned());
    thread.spawn(move || {
        copy(stream, &name, &plugin);
        drop(through);
    })?;
    Ok(())
}

fn copy(stream: impl Read, name: &str, plugin: &Plugin) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while matches!(stream.by_ref().take(LINE).read_until(b'\n', &mut line), Ok(length) if length > 0) {
        let text = String::from_utf8_lossy(&line);
        plugin.log(Level::Info, format!("{name}: {}", text.trim_end()));
        line.clear();
    }
}

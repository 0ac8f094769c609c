//! The process that was started, and stays until it knows what came of the daemon.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use sitebus_os::detach::{Event, Watch};
use sitebus_os::signal::Signal;

use crate::line::Word;
use crate::outcome::{Ending, LaunchOutcome};
use crate::settings::Output;

/// What a launcher should wait at most, where nobody says otherwise: what a bus allows a start and its undoing by default,
/// and a little more. So the bus is the first to notice, and says who overran.
pub const PATIENCE: Duration = Duration::from_secs(210);

/// How long a daemon that fails, or was told to end, has for that before it is killed: what a bus allows its exit and its
/// threads by default, and a little more.
const TO_END: Duration = Duration::from_secs(35);
/// How long the kernel has to kill it.
const TO_DIE: Duration = Duration::from_secs(5);
/// How much of what the daemon wrote is shown.
const TAIL: u64 = 4096;
const LINES: usize = 20;

/// The launcher of a daemon. It waits, and returns from `main` what came of it.
#[derive(Debug)]
#[must_use = "without wait() nobody learns what came of the daemon"]
pub struct Launcher {
    watch: Watch,
    output: Output,
    written_before: u64,
}

/// Why the launcher waits.
#[derive(Debug)]
enum Phase {
    /// For STARTED, or for why not.
    Starting,
    /// For the end of a daemon that says that it fails; whether that is its last word.
    Failing { status: u8, message: String, last: bool },
    /// For the end of a daemon that was told to end, because it took too long.
    Overran,
    /// For the same, because of this signal.
    Interrupted(Signal),
}

/// What the launcher waits for, and for how long.
struct Wait {
    phase: Phase,
    deadline: Option<Instant>,
    killed: bool,
}

#[derive(PartialEq, Eq)]
enum Heard {
    Started,
    Something,
}

impl Wait {
    fn hear(&mut self, word: Word) -> Heard {
        match (word, &self.phase) {
            (Word::Started, Phase::Starting) => return Heard::Started,
            (Word::Failing { status, message }, Phase::Starting) => {
                self.phase = Phase::Failing { status, message, last: false };
                self.deadline = after(TO_END);
            }
            (Word::Failed { status, message }, Phase::Starting | Phase::Failing { .. }) => {
                self.phase = Phase::Failing { status, message, last: true };
                self.deadline = after(TO_END);
            }
            _ => {} // too late: it is being ended
        }
        Heard::Something
    }

    /// A daemon that has not said what came of it will not any more, so all that is left for it is to end.
    fn hear_nothing_more(&mut self) {
        if matches!(self.phase, Phase::Starting) {
            self.deadline = self.deadline.into_iter().chain(after(TO_END)).min();
        }
    }

    /// What to send to the daemon because the launcher was sent this.
    fn interrupt(&mut self, signal: Signal) -> Signal {
        if self.killed || matches!(self.phase, Phase::Interrupted(_)) {
            return self.kill();
        }
        self.phase = Phase::Interrupted(signal);
        self.deadline = after(TO_END);
        Signal::TERM
    }

    /// What to send to the daemon because its time is over.
    fn give_up(&mut self) -> Signal {
        if !matches!(self.phase, Phase::Starting) {
            return self.kill();
        }
        self.phase = Phase::Overran;
        self.deadline = after(TO_END);
        Signal::TERM
    }

    fn kill(&mut self) -> Signal {
        self.killed = true;
        self.deadline = after(TO_DIE);
        Signal::KILL
    }
}

/// A patience beyond what the clock can count is endless.
fn after(patience: Duration) -> Option<Instant> {
    Instant::now().checked_add(patience)
}

impl Launcher {
    pub(crate) fn new(watch: Watch, output: Output, written_before: u64) -> Launcher {
        Launcher { watch, output, written_before }
    }

    /// The daemon's process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.watch.pid()
    }

    /// Waits until the daemon is STARTED, or has ended.
    ///
    /// One that is neither within `patience` is ended: told to by `TERM`, and after 35 s killed. One that says that it fails is
    /// given the same 35 s to end by itself. Without a patience it is waited for as long as it takes. `INT`, `TERM`, `QUIT` and `HUP`,
    /// sent to the launcher, end the daemon too, and a second one kills it. From the return on they are held back, so that none
    /// makes another status of the outcome: the launcher has nothing left to do but end.
    pub fn wait(mut self, patience: Option<Duration>) -> LaunchOutcome {
        let outcome = self.watch_until(patience);
        self.watch.conclude();
        outcome
    }

    fn watch_until(&mut self, patience: Option<Duration>) -> LaunchOutcome {
        let mut wait = Wait { phase: Phase::Starting, deadline: patience.and_then(after), killed: false };
        let mut read = Vec::new();
        loop {
            match self.watch.next(wait.deadline) {
                Ok(Event::Report(bytes)) => {
                    read.extend(bytes);
                    while let Some(word) = Word::take(&mut read) {
                        if wait.hear(word) == Heard::Started {
                            return self.started();
                        }
                    }
                }
                Ok(Event::Closed) => wait.hear_nothing_more(),
                Ok(Event::Ended(status)) => return self.ended(wait.phase, status, patience),
                Ok(Event::Signal(signal)) => self.end(wait.interrupt(signal)),
                Ok(Event::Deadline) if wait.killed => {
                    return self.lost("it does not end, not even when killed");
                }
                Ok(Event::Deadline) => self.end(wait.give_up()),
                Err(cause) => return self.lost(&cause.to_string()),
            }
        }
    }

    /// What cannot be sent is noticed by the daemon not ending.
    fn end(&self, signal: Signal) {
        let _ = self.watch.send(signal);
    }

    fn started(&self) -> LaunchOutcome {
        self.outcome(Ending::Started, 0, format!("the daemon is STARTED as process {}", self.pid()))
    }

    fn ended(&self, phase: Phase, ended: ExitStatus, patience: Option<Duration>) -> LaunchOutcome {
        let pid = self.pid();
        let own = ended.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
        match phase {
            Phase::Failing { status, message, last } => {
                let tail = if last { String::new() } else { self.tail() };
                self.outcome(Ending::Failed, own.unwrap_or(status.max(1)), message + &tail)
            }
            Phase::Starting => {
                let how = match ended.signal() {
                    Some(number) => format!("was ended by {}", spell(number)),
                    None => format!("ended with status {}", ended.code().unwrap_or_default()),
                };
                let signal = ended.signal().map(by_signal);
                let message =
                    format!("the daemon (process {pid}) {how} before it was STARTED{}", self.tail());
                self.outcome(Ending::Died, signal.or(own).unwrap_or(1), message)
            }
            Phase::Overran => {
                let waited = patience.map_or_else(|| "time".to_owned(), |patience| format!("{patience:?}"));
                let message = format!(
                    "the daemon (process {pid}) was not STARTED within {waited}, and was ended; allow it more time, or find \
                     out what it waits for{}",
                    self.tail()
                );
                self.outcome(Ending::Overran, 3, message)
            }
            Phase::Interrupted(signal) => {
                let message = format!(
                    "the daemon (process {pid}) was ended before it was STARTED, because of {signal}"
                );
                self.outcome(Ending::Interrupted(signal), by_signal(signal.number()), message)
            }
        }
    }

    fn lost(&self, why: &str) -> LaunchOutcome {
        let pid = self.pid();
        self.outcome(
            Ending::Lost,
            1,
            format!("what became of the daemon (process {pid}) is not known: {why}; look for it"),
        )
    }

    fn outcome(&self, ending: Ending, status: u8, message: String) -> LaunchOutcome {
        LaunchOutcome { pid: self.pid(), ending, status, message }
    }

    /// The last lines that the daemon wrote, as an appendix to a message.
    fn tail(&self) -> String {
        let Output::File(path) = &self.output else { return String::new() };
        let lines = written_since(path, self.written_before).unwrap_or_default();
        if lines.is_empty() {
            return format!("; it wrote nothing to {}", path.display());
        }
        let mut tail = format!("; the last that it wrote to {}:", path.display());
        for line in lines {
            let _ = write!(tail, "\n    {line}");
        }
        tail
    }
}

fn spell(number: i32) -> String {
    Signal::try_from(number)
        .map_or_else(|_| format!("signal {number}"), |signal| format!("{signal} ({number})"))
}

/// As a shell reports it.
fn by_signal(number: i32) -> u8 {
    u8::try_from(128 + number).unwrap_or(u8::MAX)
}

/// Lines, without anything that a terminal would take for a command.
fn written_since(path: &Path, before: u64) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = before.max(length.saturating_sub(TAIL)).min(length);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes)
        .replace(|character: char| character.is_control() && character != '\n', " ");
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    Ok(lines[lines.len().saturating_sub(LINES)..].to_vec())
}

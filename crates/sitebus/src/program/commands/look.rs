//! `status` and `timings`: how a running site is, for people and as JSON.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::act::deadline;
use super::answer::{Answer, Many, tame};
use super::args::LookArgs;
use super::target::Target;
use crate::control::{Command, Outcome, Status, TimingReport, Verdict};

pub(super) fn status(args: &LookArgs) -> ExitCode {
    let outcome = match ask(Command::Status, args) {
        Ok(outcome) => outcome,
        Err(answer) => return answer.print(args.json),
    };
    match outcome.status() {
        Some(status) if outcome.verdict() == Verdict::Done => {
            let answer = Answer::of("status", &Ok(outcome)).with_data(&status);
            answer.print_as(args.json, |out| describe(out, &status))
        }
        _ => Answer::of("status", &Ok(outcome)).print(args.json),
    }
}

pub(super) fn timings(args: &LookArgs) -> ExitCode {
    let outcome = match ask(Command::Timings, args) {
        Ok(outcome) => outcome,
        Err(answer) => return answer.print(args.json),
    };
    match outcome.timings() {
        Some(timings) if outcome.verdict() == Verdict::Done => {
            let answer = Answer::of("timings", &Ok(outcome)).with_data(&timings);
            answer.print_as(args.json, |out| timings.iter().try_for_each(|timing| line(out, timing)))
        }
        _ => Answer::of("timings", &Ok(outcome)).print(args.json),
    }
}

fn ask(command: Command, args: &LookArgs) -> Result<Outcome, Box<Answer>> {
    let deadline = deadline(args.timeout);
    let target = Target::find(&args.target, command.name())?;
    ask_until(&target, command, deadline)
}

/// One question to a site.
pub(super) fn ask_until(
    target: &Target,
    command: Command,
    deadline: Instant,
) -> Result<Outcome, Box<Answer>> {
    let mut client = target.connect(command.name(), deadline)?;
    client.ask(command, deadline, |_| {}).map_err(|error| Answer::of(command.name(), &Err(error)).into())
}

/// A name and a value in each line, and nothing of what there is not.
fn describe(out: &mut dyn Write, status: &Status) -> io::Result<()> {
    let mut line = |name: &str, value: &str| {
        let value = value.lines().map(tame).collect::<Vec<_>>(); // what plugins say may have several lines
        writeln!(out, "  {:<12}{}", tame(name), value.join(&format!("\n{:14}", "")))
    };
    if !status.version.is_empty() {
        line("version", &status.version)?;
    }
    line("up for", &span(Duration::from_millis(status.uptime_ms)))?;
    for (number, address) in status.listening.iter().enumerate() {
        line(if number == 0 { "listens on" } else { "" }, address)?;
    }
    if status.reloads > 0 {
        line("reloaded", &Many(status.reloads, "time").to_string())?;
    }
    if let Some(reload) = status.last_reload.as_ref().filter(|reload| reload.result != Verdict::Done) {
        line("last reload", reload.message.trim())?;
    }
    if let Some(exit) = &status.exit {
        line("exit", exit)?;
    }
    if let Some(why) = &status.failed_restart {
        line("last restart", why)?;
    }
    for (name, value) in &status.more {
        line(name, value)?;
    }
    status.missing.as_ref().map_or(Ok(()), |missing| line("missing", missing))
}

/// The two largest units, such as `3 days 4 h`.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {minutes} min"),
        _ => format!("{} {hours} h", Many(days, "day")),
    }
}

fn line(out: &mut dyn Write, timing: &TimingReport) -> io::Result<()> {
    let TimingReport { step, listener, took_us, outcome, .. } = timing;
    let outcome = if outcome == "done" { String::new() } else { format!("  {outcome}") };
    let listener = tame(listener);
    let (whole, part) = (took_us / 1000, took_us % 1000);
    writeln!(out, "{whole:>8}.{part:03} ms  {step:<8}{listener}{outcome}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_two_largest_units() {
        for (seconds, told) in [
            (0, "0 s"),
            (61, "1 min 1 s"),
            (3600, "1 h 0 min"),
            (90_000, "1 day 1 h"),
            (864_000, "10 days 0 h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), told);
        }
    }
}

//! `stop`, `reload`, `restart` and `reopen`: asks, shows the phases, and ends with the outcome.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::args::ActArgs;
use super::progress::Progress;
use super::target::Target;
use crate::control::{Command, Request};

pub(super) fn act(command: Command, args: &ActArgs) -> ExitCode {
    ask(command, args).unwrap_or_else(|answer| *answer).print(args.json)
}

fn ask(command: Command, args: &ActArgs) -> Result<Answer, Box<Answer>> {
    let deadline = deadline(args.timeout);
    let mut client = Target::find(&args.target, command.name())?.connect(command.name(), deadline)?;
    let request = Request::new(command);
    let request = if args.no_wait { request.without_waiting() } else { request };
    let mut progress = Progress::new(command.name(), args.json);
    let outcome = client.ask(request, deadline, |event| progress.show(event));
    Ok(Answer::of(command.name(), &outcome).with_phases(progress.end()))
}

/// A patience beyond what the clock can count is a year.
pub(super) fn deadline(patience: Duration) -> Instant {
    const ENDLESS: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Instant::now() + patience.min(ENDLESS)
}

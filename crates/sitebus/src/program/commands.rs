//! The commands of an operator: what they ask a running site for, and what they print. None of this runs in the site, but
//! for `start`, which becomes one.

mod act;
mod answer;
pub(crate) mod args;
mod look;
mod print;
mod progress;
mod start;
mod systemd;
mod target;

use std::process::ExitCode;

pub(crate) use self::answer::Answer;

use self::args::{Generate, OperatorCommand};
use super::Program;
use super::prelude::Prelude;
use crate::control::Command;
use crate::log::Log;

/// Does what the operator wants. `name` is what the program is called.
pub(crate) fn obey(
    command: OperatorCommand,
    name: &str,
    program: Program,
    prelude: Prelude,
    log: Option<&Log>,
) -> ExitCode {
    match command {
        OperatorCommand::Start(args) => start::start(program, args, prelude, log),
        OperatorCommand::Status(args) => look::status(&args),
        OperatorCommand::Stop(args) => act::act(Command::Stop, &args),
        OperatorCommand::Reload(args) => act::act(Command::Reload, &args),
        OperatorCommand::Restart(args) => act::act(Command::Restart, &args),
        OperatorCommand::Reopen(args) => act::act(Command::Reopen, &args),
        OperatorCommand::Timings(args) => look::timings(&args),
        OperatorCommand::Schema => print::schema(&program.known, name),
        OperatorCommand::Completions { shell } => print::completions(shell, name, program.version_line()),
        OperatorCommand::Generate { what: Generate::Systemd(args) } => {
            systemd::generate(program, name, args, &prelude.image)
        }
    }
}

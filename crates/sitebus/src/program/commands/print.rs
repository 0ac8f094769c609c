//! `schema` and `completions`: what others need to complete a site file or a command line.

use std::io::Write as _;
use std::process::ExitCode;

use clap_complete::{Shell, generate};

use crate::program::args::Args;
use crate::site::Known;

pub(super) fn schema(known: &Known, name: &str) -> ExitCode {
    let schema = serde_json::to_string_pretty(&known.schema(name)).unwrap_or_default();
    // Printing can fail only where nobody reads.
    let _ = writeln!(anstream::stdout(), "{schema}");
    ExitCode::SUCCESS
}

pub(super) fn completions(shell: Shell, name: &str, version: String) -> ExitCode {
    let mut script = Vec::new();
    generate(shell, &mut Args::command_of(name, version), name, &mut script);
    let _ = anstream::stdout().write_all(&script);
    ExitCode::SUCCESS
}

//! What every command understands.

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

/// The options of every command.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Print one JSON object in place of the tables
    #[arg(long)]
    pub json: bool,
    /// Print Markdown in place of the tables
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Few and short rounds, to see whether the command works: its figures mean nothing
    #[arg(long)]
    pub quick: bool,
    /// How many rounds
    #[arg(long, value_name = "COUNT")]
    pub rounds: Option<usize>,
    /// Cargo passes this
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// The rounds that were asked for, or else this many; 2 if it is to be quick.
    #[must_use]
    pub fn rounds(&self, usual: usize) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { usual }).max(1)
    }
}

/// True, and says so on stderr, if this is a debug build, as cargo makes one when all targets are tested: its figures would
/// mislead.
#[must_use]
pub fn is_misleading_build(options: &Options) -> bool {
    let misleading = cfg!(debug_assertions) && !options.quick;
    if misleading {
        let note =
            "this is a debug build, whose figures mean nothing: run it by `cargo bench`, or with --quick";
        let _ = writeln!(io::stderr(), "{note}");
    }
    misleading
}

/// The target folder of the build that this program is from.
///
/// # Errors
/// The program is not where cargo puts it.
pub fn target_folder() -> Result<PathBuf> {
    let program = env::current_exe()?;
    // target/release/deps/program
    match program.ancestors().nth(3) {
        Some(folder) if folder.join("CACHEDIR.TAG").exists() => Ok(folder.to_owned()),
        _ => bail!("{} is not in a target folder of cargo; run it by `cargo bench`", program.display()),
    }
}

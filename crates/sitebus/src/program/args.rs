//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::commands::args::OperatorCommand;
use super::statuses::MEANING;

/// Runs a web site from one file.
#[derive(Debug, Parser)]
#[command(about, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// What the command line asks of the program of this name.
    ///
    /// # Errors
    /// It is not understood, or asks for the help or the version.
    pub(crate) fn read(name: &str, version: String) -> clap::error::Result<Args> {
        Args::from_arg_matches(&Args::command_of(name, version).try_get_matches()?)
    }

    /// The whole command line, as the program of this name has it.
    pub(crate) fn command_of(name: &str, version: String) -> clap::Command {
        let command = Args::command().name(name.to_owned()).bin_name(name).version(version);
        command.after_help(MEANING).mut_subcommands(|command| command.after_help(MEANING))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a site until it is asked to end
    ///
    /// Ends on Ctrl-C and on SIGTERM, and reads the file again on SIGHUP. A second signal cuts short what is still
    /// running, a third one ends the process at once.
    Run(RunArgs),
    /// Say whether a site file is right, without starting anything
    Check {
        #[command(flatten)]
        site: SiteArgs,
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
    },
    #[command(flatten)]
    Operator(OperatorCommand),
    /// Write a first site, with comments
    Init {
        /// The folder to write it to; made if it is missing
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Print the outcome as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) site: SiteArgs,
    /// Restart the site when its files change: those that [autoreload] names, the site file, and the program itself
    #[arg(long)]
    pub(crate) autoreload: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SiteArgs {
    /// The site file
    #[arg(default_value = "site.toml")]
    pub(crate) file: PathBuf,
    /// Put a value over the file's, such as --set http.listen='["127.0.0.1:9000"]'; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

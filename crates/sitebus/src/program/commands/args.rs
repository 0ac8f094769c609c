//! The command line of the commands that an operator gives.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::Shell;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error, StrDeserializer};

use crate::program::args::{RunArgs, SiteArgs};
use crate::site::Period;

/// What an operator may want of a site, beside running it.
#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// Start a site in the background; returns once it is STARTED, or has failed
    ///
    /// The output of the site goes to the file `log` in its state folder, unless [daemon] says otherwise. Under a service
    /// manager use `run`, which stays in the foreground.
    Start(StartArgs),
    /// Say how a running site is
    Status(LookArgs),
    /// Stop a running site; done when its process is gone
    ///
    /// Requests that have begun get the time that the site file gives them. A second `stop` cuts them short.
    Stop(ActArgs),
    /// Have a running site read its file again, without losing a request
    ///
    /// If anything is wrong with the new settings, they are refused, and the site goes on as it was.
    Reload(ActArgs),
    /// Replace a running site by a new image of its program, in the same process
    ///
    /// Done when the new image is STARTED. A program or a site file that is wrong is refused, and the site goes on as it was.
    Restart(ActArgs),
    /// Have a running site open its log files again, after they were moved away
    Reopen(ActArgs),
    /// Say how long each part of a running site took to start and to stop, slowest first
    Timings(LookArgs),
    /// Print the JSON Schema of the site file, with which editors complete it
    ///
    /// Write it to a file, and that file's name into the first line of the site file: #:schema ./site.schema.json
    Schema,
    /// Print what completes the commands of this program in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write files by which others run the site
    Generate {
        #[command(subcommand)]
        what: Generate,
    },
}

/// What can be written.
#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// A unit for systemd, on standard output
    Systemd(SystemdArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// How long the start may take; it is undone then [default: what the site's own limits allow]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) timeout: Option<Duration>,
    /// Print the outcome as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SystemdArgs {
    #[command(flatten)]
    pub(crate) site: SiteArgs,
    /// The user that the site runs as [default: you, unless you are root]
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which site is meant.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The site's file, of which [site] alone is looked at
    #[arg(default_value = "site.toml")]
    pub(crate) file: PathBuf,
    /// The site's state folder, if the file cannot say it
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
    /// What was put over the file's values when the site was started
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// For commands that only look.
#[derive(Debug, Args)]
pub(crate) struct LookArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How long to wait for the answer: seconds, or such as 500ms or 1m
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    pub(crate) timeout: Duration,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// For commands that change something.
#[derive(Debug, Args)]
pub(crate) struct ActArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How long to wait for the outcome: seconds, or such as 500ms or 1m
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5m")]
    pub(crate) timeout: Duration,
    /// Only ask, and do not wait for the outcome
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Seconds, or a duration as it stands in a site file.
fn time(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let read: StrDeserializer<'_, Error> = text.into_deserializer();
    Period::deserialize(read)
        .map(Period::get)
        .map_err(|_| "write a number of seconds, or a duration such as 500ms, 10s or 1m30s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_seconds_or_a_duration_with_its_unit() {
        for (text, milliseconds) in [
            ("0", Some(0)),
            ("90", Some(90_000)),
            ("500ms", Some(500)),
            ("1m", Some(60_000)),
            ("1m30s", Some(90_000)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(time(text).ok(), milliseconds.map(Duration::from_millis), "{text:?}");
        }
    }
}

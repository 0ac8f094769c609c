//! What a command has to say in the end: in words, or as one JSON object.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;

use super::progress::Phase;
use crate::control::{AskError, Culprit, Outcome};
use crate::log;
use crate::program::statuses::{BAD_USAGE, DONE, TIMED_OUT};
use crate::site::Report;

/// What came of a command. As JSON it is one object in one line.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    command: &'static str,
    /// `done`, `asked`, `refused`, `failed`, `invalid`, `busy`, `denied`, `timed-out`, `not-running` or `bad-file`.
    result: String,
    status: u8,
    message: String,
    /// Who failed or objected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Culprit>,
    /// What the site went through meanwhile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    phases: Vec<Phase>,
    /// What was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    /// What is wrong with the site file, as it is drawn for people, and what else they should know.
    #[serde(skip)]
    report: Option<(Report, String)>,
}

impl Answer {
    pub(crate) fn new(
        command: &'static str,
        result: impl Into<String>,
        status: u8,
        message: impl Into<String>,
    ) -> Answer {
        Answer {
            command,
            result: result.into(),
            status,
            message: message.into(),
            failures: Vec::new(),
            phases: Vec::new(),
            data: None,
            report: None,
        }
    }

    /// The site file is wrong, and this helps.
    pub(super) fn bad_file(command: &'static str, report: Report, help: impl Into<String>) -> Answer {
        let help = help.into();
        let message = format!("{report}\n{help}").trim_end().to_owned();
        Answer { report: Some((report, help)), ..Answer::new(command, "bad-file", BAD_USAGE, message) }
    }

    /// What the site answered, or why it did not.
    pub(super) fn of(command: &'static str, outcome: &Result<Outcome, AskError>) -> Answer {
        match outcome {
            Ok(outcome) => {
                let result = serde_json::to_value(outcome.verdict()).ok();
                let result = result.as_ref().and_then(Value::as_str).unwrap_or("failed").to_owned();
                let mut answer = Answer::new(command, result, outcome.exit_status(), outcome.message());
                answer.failures = outcome.failures().to_vec();
                answer
            }
            Err(error) => {
                let result = if error.exit_status() == TIMED_OUT { "timed-out" } else { "failed" };
                Answer::new(command, result, error.exit_status(), error.to_string())
            }
        }
    }

    pub(crate) fn with_data(mut self, data: &impl Serialize) -> Answer {
        self.data = serde_json::to_value(data).ok();
        self
    }

    pub(super) fn with_phases(mut self, phases: Vec<Phase>) -> Answer {
        self.phases = phases;
        self
    }

    /// Prints it: the message of what is done to standard output, of what is not to standard error.
    pub(crate) fn print(self, json: bool) -> ExitCode {
        if self.status == DONE || json {
            return self.print_as(json, |_| Ok(()));
        }
        match &self.report {
            Some((report, help)) => {
                let _ = report.print(); // there is nowhere left to say so
                note(help);
            }
            None => log::report(&self.message),
        }
        ExitCode::from(self.status)
    }

    /// The same, with more to say below the message of what is done.
    pub(super) fn print_as(
        self,
        json: bool,
        rest: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> ExitCode {
        let mut out = anstream::stdout();
        // Printing can fail only where nobody reads.
        let _ = if json {
            writeln!(out, "{}", serde_json::to_string(&self).unwrap_or_default())
        } else {
            writeln!(out, "{}", self.message).and_then(|()| rest(&mut out))
        };
        ExitCode::from(self.status)
    }
}

/// Says something beside the outcome, on standard error.
pub(super) fn note(said: &str) {
    if !said.is_empty() {
        let _ = writeln!(anstream::stderr(), "{said}"); // there is nowhere left to say so
    }
}

/// What a site says is not for the terminal to obey.
pub(super) fn tame(said: &str) -> String {
    said.replace(char::is_control, " ")
}

/// A count with its noun.
pub(super) struct Many(pub(super) u64, pub(super) &'static str);

impl fmt::Display for Many {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Many(count, noun) = self;
        write!(f, "{count} {noun}{}", if *count == 1 { "" } else { "s" })
    }
}

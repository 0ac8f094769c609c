//! The lines that travel, in both directions. The README says what they mean.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sitebus_bus::{ChannelInfo, Failures, State, Timing, TimingOutcome};

use crate::command::{Command, Request};

/// The version of the protocol.
pub const VERSION: u64 = 1;

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// It is done.
    Done,
    /// It was asked for, and nobody waits for the outcome.
    Asked,
    /// It was not done, and nothing has changed.
    Refused,
    /// It was tried, and something failed.
    Failed,
    /// The request was not understood.
    Invalid,
    /// Too many others are connected.
    Busy,
    /// This user may not ask.
    Denied,
    /// A verdict that this version does not know.
    #[serde(other)]
    Unknown,
}

/// A listener that failed or objected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Culprit {
    /// Its name.
    pub listener: String,
    /// The channel that it was called on.
    pub channel: String,
    /// What it said, in a whole sentence.
    pub message: String,
}

/// How a site is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Its process, as that one sees itself.
    pub pid: u32,
    /// What the program calls its version.
    pub version: String,
    /// The state of the bus, such as `STARTED`.
    pub state: String,
    /// How long ago it began, in milliseconds. A restart begins anew.
    pub uptime_ms: u64,
    /// Where it accepts connections.
    pub listening: Vec<String>,
    /// How many reloads have been taken up.
    pub reloads: u64,
    /// How the last reload went, if there was one.
    pub last_reload: Option<Ended>,
    /// The exit that was asked for, and by whom, if one was.
    pub exit: Option<String>,
    /// Why the last restart did not replace the process, if it did not.
    pub failed_restart: Option<String>,
    /// What plugins have to say: names and values.
    pub more: Vec<(String, String)>,
    /// Why `more` is not all of it, if so.
    pub missing: Option<String>,
}

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ended {
    /// How.
    pub result: Verdict,
    /// In a sentence.
    pub message: String,
}

/// How long one listener took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TimingReport {
    /// What it did: `start`, `stop`, `exit`, or `prepare`, `commit`, `abort` in a reload.
    pub step: String,
    /// Its name.
    pub listener: String,
    /// How long, in microseconds.
    pub took_us: u64,
    /// `done`, `failed` or `overran`.
    pub outcome: String,
}

/// One channel with its listeners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChannelReport {
    /// Its name.
    pub name: String,
    /// The type of its messages.
    pub message: String,
    /// The type of its listeners' outputs.
    pub output: String,
    /// Priorities and names, in the order in which they run.
    pub listeners: Vec<(i32, String)>,
}

/// What a ping brings back: who is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) pid: u32,
    /// Another one after a restart, even if the process is the same.
    pub(crate) instance: String,
    pub(crate) state: String,
    /// Whether the process ends when the bus has exited.
    pub(crate) process_ends: bool,
    #[serde(default)]
    pub(crate) failed_restart: Option<String>,
}

/// A request as it comes: everything may be missing.
#[derive(Serialize, Deserialize)]
struct RequestLine {
    version: Option<u64>,
    command: Option<String>,
    wait: Option<bool>,
}

/// The last line of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) version: u64,
    pub(crate) result: Verdict,
    pub(crate) message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) failures: Vec<Culprit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Value>,
}

/// A line before the last one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EventLine {
    pub(crate) event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<String>,
}

pub(crate) const ACCEPTED: &str = "accepted";
pub(crate) const STATE_CHANGED: &str = "state";
pub(crate) const REPLACING: &str = "replacing";

impl Answer {
    pub(crate) fn new(result: Verdict, message: impl Into<String>) -> Answer {
        Answer { version: VERSION, result, message: message.into(), failures: Vec::new(), data: None }
    }

    pub(crate) fn with_data(mut self, data: impl Serialize) -> Answer {
        self.data = serde_json::to_value(data).ok();
        self
    }

    pub(crate) fn with_failures(mut self, failures: Option<&Failures>) -> Answer {
        let told = failures.into_iter().flat_map(Failures::iter);
        self.failures = told
            .map(|failure| Culprit {
                listener: failure.listener().to_owned(),
                channel: failure.channel().to_owned(),
                message: failure.to_string(),
            })
            .collect();
        self
    }

    pub(crate) fn line(&self) -> String {
        line(self)
    }
}

impl EventLine {
    pub(crate) fn new(event: &str, state: Option<State>) -> EventLine {
        EventLine { event: event.to_owned(), state: state.map(|state| state.to_string()) }
    }

    pub(crate) fn line(&self) -> String {
        line(self)
    }
}

/// One line with its newline. JSON has none inside.
fn line(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    text
}

pub(crate) fn write_request(request: Request) -> String {
    line(&RequestLine {
        version: Some(VERSION),
        command: Some(request.command.name().to_owned()),
        wait: Some(request.wait),
    })
}

/// What a line asks for, or the answer that says why it asks for nothing. `true`: the peer speaks something else, and is
/// not listened to any longer.
pub(crate) fn read_request(line: &[u8]) -> Result<Request, (Answer, bool)> {
    let invalid = |message: String| Answer::new(Verdict::Invalid, message);
    let foreign = |why: String| {
        let example = r#"{"version":1,"command":"status"}"#;
        (invalid(format!("not understood: {why}; a request is one line such as {example}")), true)
    };
    let text = std::str::from_utf8(line).map_err(|_| foreign("this is no UTF-8".to_owned()))?;
    let asked: RequestLine = serde_json::from_str(text.trim()).map_err(|cause| foreign(cause.to_string()))?;
    match asked.version {
        Some(VERSION) => {}
        Some(other) => {
            let message = format!("this site speaks version {VERSION} of the protocol, and not {other}");
            return Err((invalid(message), true));
        }
        None => return Err(foreign("there is no \"version\"".to_owned())),
    }
    let Some(name) = asked.command else { return Err(foreign("there is no \"command\"".to_owned())) };
    match name.parse::<Command>() {
        Ok(command) => Ok(Request { command, wait: asked.wait.unwrap_or(true) }),
        Err(unknown) => Err((Answer::new(Verdict::Refused, unknown.to_string()), false)),
    }
}

pub(crate) fn timing(timing: &Timing) -> TimingReport {
    let outcome = match timing.outcome {
        TimingOutcome::Done => "done",
        TimingOutcome::Overran => "overran",
        _ => "failed",
    };
    TimingReport {
        step: timing.step.to_owned(),
        listener: timing.listener.to_string(),
        took_us: u64::try_from(timing.took.as_micros()).unwrap_or(u64::MAX),
        outcome: outcome.to_owned(),
    }
}

pub(crate) fn channel(info: &ChannelInfo) -> ChannelReport {
    let listeners = info.listeners.iter();
    ChannelReport {
        name: info.name.to_owned(),
        message: info.message.to_owned(),
        output: info.output.to_owned(),
        listeners: listeners.map(|listener| (listener.priority.value(), listener.name.to_string())).collect(),
    }
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    fn refusal(line: &[u8]) -> (Verdict, String, bool) {
        let (answer, over) = read_request(line).unwrap_err();
        assert!(!answer.line().trim_end().contains('\n'));
        (answer.result, answer.message, over)
    }

    #[test]
    fn what_is_written_is_read() {
        for command in Command::ALL {
            for request in [Request::new(command), Request::new(command).without_waiting()] {
                assert_eq!(read_request(write_request(request).as_bytes()).unwrap(), request);
            }
        }
        let short = br#" {"command":"stop", "version":1, "colour":"red"} "#;
        assert_eq!(read_request(short).unwrap(), Request::new(Command::Stop), "wait is the default");
    }

    #[test]
    fn whatever_else_comes_gets_a_sentence() {
        let deep = "[".repeat(10_000);
        for line in [&b""[..], b"GET / HTTP/1.1", b"\xff\xfe", b"{", b"[]", b"null", b"{}\0", deep.as_bytes()]
        {
            let (verdict, message, over) = refusal(line);
            assert_eq!((verdict, over), (Verdict::Invalid, true), "{message}");
            assert!(message.starts_with("not understood: "), "{message}");
        }
        assert!(refusal(br#"{"command":"stop"}"#).1.contains("no \"version\""));
        assert!(refusal(br#"{"version":1}"#).1.contains("no \"command\""));
        assert!(refusal(br#"{"version":1,"command":"stop","wait":"yes"}"#).1.contains("boolean"));
        let (verdict, message, over) = refusal(br#"{"version":7,"command":"stop"}"#);
        assert_eq!((verdict, over), (Verdict::Invalid, true));
        assert_eq!(message, "this site speaks version 1 of the protocol, and not 7");
        let (verdict, message, over) = refusal(br#"{"version":1,"command":"staus"}"#);
        assert_eq!((verdict, over), (Verdict::Refused, false));
        assert!(message.contains("did you mean \"status\"?"), "{message}");
    }

    #[test]
    fn a_verdict_of_a_later_version_is_unknown_and_no_error() {
        let answer: Answer =
            serde_json::from_str(r#"{"version":2,"result":"postponed","message":""}"#).unwrap();
        assert_eq!(answer.result, Verdict::Unknown);
    }
}

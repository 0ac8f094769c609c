//! What came of a request.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::protocol::{
    ACCEPTED, Answer, ChannelReport, Culprit, EventLine, REPLACING, STATE_CHANGED, Status,
};
use crate::protocol::{TimingReport, Verdict};

/// What a site tells while it is at a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It has begun, in this state.
    Accepted(String),
    /// The bus has entered this state.
    State(String),
    /// The old image is through, and a new one takes its place.
    Replacing,
    /// Something that this version does not know.
    Other(String),
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Outcome {
    answer: Answer,
}

impl Outcome {
    pub(super) fn of(answer: Answer) -> Outcome {
        Outcome { answer }
    }

    pub(super) fn new(verdict: Verdict, message: impl Into<String>) -> Outcome {
        Outcome { answer: Answer::new(verdict, message) }
    }

    /// How it went.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.answer.result
    }

    /// The status for a command: 0 done, 1 refused or failed, 2 not understood.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        self.answer.result.exit_status()
    }

    /// How it went, in a sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.answer.message
    }

    /// Who failed or objected.
    #[must_use]
    pub fn failures(&self) -> &[Culprit] {
        &self.answer.failures
    }

    /// What `status` brought.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.data()
    }

    /// What `timings` brought, slowest first.
    #[must_use]
    pub fn timings(&self) -> Option<Vec<TimingReport>> {
        self.data()
    }

    /// What `channels` brought.
    #[must_use]
    pub fn channels(&self) -> Option<Vec<ChannelReport>> {
        self.data()
    }

    /// The answer as one line of JSON, with whatever a later version put into it.
    #[must_use]
    pub fn json(&self) -> String {
        self.answer.line().trim_end().to_owned()
    }

    pub(super) fn data<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.answer.data.clone()?).ok()
    }
}

impl Event {
    /// The event as one line of JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let line = |event: &str, state: Option<&String>| {
            EventLine { event: event.to_owned(), state: state.cloned() }.line().trim_end().to_owned()
        };
        match self {
            Event::Accepted(state) => line(ACCEPTED, Some(state)),
            Event::State(state) => line(STATE_CHANGED, Some(state)),
            Event::Replacing => line(REPLACING, None),
            Event::Other(event) => line(event, None),
        }
    }

    pub(super) fn of(line: EventLine) -> Event {
        match (line.event.as_str(), line.state) {
            (ACCEPTED, Some(state)) => Event::Accepted(state),
            (STATE_CHANGED, Some(state)) => Event::State(state),
            (REPLACING, _) => Event::Replacing,
            _ => Event::Other(line.event),
        }
    }
}

/// For the operator's eyes, who sees the phases as they pass.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Accepted(state) => write!(f, "asked, while the site is {state}"),
            Event::State(state) => f.write_str(state),
            Event::Replacing => f.write_str("a new image takes the place of the old one"),
            Event::Other(event) => f.write_str(event),
        }
    }
}

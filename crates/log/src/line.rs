//! One line of the log, before it is given a form.

use std::fmt::{self, Write as _};

use serde_json::Number;
use tracing::Level;
use tracing::field::{Field, Visit};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

/// What is written, to every target the same.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// RFC 3339, in UTC, to the microsecond.
    pub(crate) stamp: String,
    pub(crate) level: Level,
    pub(crate) source: &'a str,
    pub(crate) message: &'a str,
    pub(crate) fields: &'a [(&'static str, Value)],
    /// Outermost first.
    pub(crate) spans: &'a [(&'static str, Fields)],
}

impl<'a> Line<'a> {
    /// A line without anything but words, of now.
    pub(crate) fn new(level: Level, source: &'a str, message: &'a str) -> Line<'a> {
        Line { stamp: now(), level, source, message, fields: &[], spans: &[] }
    }
}

fn now() -> String {
    let mut stamp = String::with_capacity(27);
    let _ = SystemTime.format_time(&mut Writer::new(&mut stamp)); // writing to a String cannot fail
    stamp
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Number(Number),
    /// Words, as they are.
    Text(String),
    /// Something in the form that its author has given it.
    Form(String),
}

impl fmt::Display for Value {
    /// Words are quoted if they could be taken for more than one value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => value.fmt(f),
            Value::Number(value) => value.fmt(f),
            Value::Form(text) => f.write_str(text),
            Value::Text(text) if text.is_empty() || text.contains([' ', '=', '"', '\n']) => {
                write!(f, "{text:?}")
            }
            Value::Text(text) => f.write_str(text),
        }
    }
}

/// The fields of an event or a span, in the order in which they were recorded.
pub(crate) type Fields = Vec<(&'static str, Value)>;

/// Gathers the fields of one event, and who says what among them.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) source: Option<String>,
    pub(crate) message: String,
    pub(crate) fields: Fields,
}

/// Gathers the fields of a span. One that is recorded again replaces what was there.
pub(crate) struct Gather<'a>(pub(crate) &'a mut Fields);

impl Gather<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        match self.0.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, old)) => *old = value,
            None => self.0.push((field.name(), value)),
        }
    }
}

impl Visit for Gather<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Number(value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::Number(value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let number = Number::from_f64(value);
        self.put(field, number.map_or_else(|| Value::Form(value.to_string()), Value::Number));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::Text(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // A value that fails at this has said what it could.
        let _ = write!(text, "{value:?}");
        self.put(field, Value::Form(text));
    }
}

impl Said {
    fn take(&mut self, name: &str) -> Option<String> {
        let place = self.fields.iter().position(|(known, _)| *known == name)?;
        match self.fields.remove(place).1 {
            Value::Text(text) | Value::Form(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    pub(crate) fn by(record: impl FnOnce(&mut dyn Visit)) -> Said {
        let mut said = Said::default();
        record(&mut Gather(&mut said.fields));
        said.message = said.take("message").unwrap_or_default();
        said.source = said.take("source");
        said
    }
}

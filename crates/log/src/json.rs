//! Lines for programs: one JSON object each (RFC 8259).

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::line::{Line, Value};

pub(crate) fn write(line: &Line<'_>) -> String {
    let level = line.level.as_str().to_ascii_lowercase();
    let mut text = String::with_capacity(128 + line.message.len());
    text.push('{');
    member(&mut text, "ts", &line.stamp.as_str().into());
    member(&mut text, "level", &level.into());
    member(&mut text, "source", &line.source.into());
    member(&mut text, "message", &line.message.into());
    if !line.fields.is_empty() {
        member(&mut text, "fields", &object(line.fields));
    }
    if !line.spans.is_empty() {
        let spans = line.spans.iter().map(|(name, fields)| {
            let mut span = object(fields);
            // A field of that name gives way, for who it is matters more.
            span["name"] = (*name).into();
            span
        });
        member(&mut text, "spans", &spans.collect());
    }
    text.push_str("}\n");
    text
}

fn member(text: &mut String, name: &str, value: &Json) {
    if text.len() > 1 {
        text.push(',');
    }
    let _ = write!(text, "\"{name}\":"); // writing to a String cannot fail
    for c in value.to_string().chars() {
        // All of these stand in strings. They are allowed there, but a terminal obeys the first kind, and some readers take
        // the others for the end of a line.
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
}

fn object(fields: &[(&'static str, Value)]) -> Json {
    fields.iter().map(|(name, value)| ((*name).to_owned(), json(value))).collect()
}

fn json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Number(value) => value.clone().into(),
        Value::Text(text) | Value::Form(text) => text.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use serde_json::json;
    use tracing::Level;

    use super::*;

    #[test]
    fn a_line_is_one_object_whatever_is_in_it() {
        let evil = "a\nb\r\u{1b}[2J\u{9b}\u{7f}\u{85}\u{2028}\0\"\\}é\u{fffd}";
        let fields = [("path", Value::Text(evil.into())), ("size", Value::Number(5.into()))];
        let spans = [("request", vec![("name", Value::Bool(true)), ("id", Value::Number(7.into()))])];
        let mut line = Line::new(Level::ERROR, evil, evil);
        (line.fields, line.spans) = (&fields, &spans);
        let text = write(&line);
        assert!(text.ends_with("}\n"));
        assert!(!text.trim_end().chars().any(|c| c.is_control() || c == '\u{2028}'), "{text:?}");
        let read: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read,
            json!({
                "ts": line.stamp, "level": "error", "source": evil, "message": evil,
                "fields": {"path": evil, "size": 5}, "spans": [{"name": "request", "id": 7}],
            })
        );
        assert!(text.starts_with("{\"ts\":\"20"), "when comes first: {text}");
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let line = Line::new(Level::INFO, "http", "hello");
        assert_eq!(
            write(&line),
            format!(
                "{{\"ts\":\"{}\",\"level\":\"info\",\"source\":\"http\",\"message\":\"hello\"}}\n",
                line.stamp
            )
        );
    }
}

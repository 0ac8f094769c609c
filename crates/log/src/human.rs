//! Lines for people: one an event, who says it first.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use tracing::Level;

use crate::line::{Line, Value};
use crate::page::Dress;

/// `2026-11-21T08:15:30.123456Z  INFO http: serving on http://127.0.0.1:8080 port=8080 (request{id=7})`
pub(crate) fn write(line: &Line<'_>, dress: Dress) -> String {
    let mut text = String::with_capacity(64 + line.message.len());
    let _ = Human { line, dress }.write(&mut text); // writing to a String cannot fail
    text
}

struct Human<'a> {
    line: &'a Line<'a>,
    dress: Dress,
}

impl Human<'_> {
    fn write(&self, text: &mut String) -> fmt::Result {
        let Human { line, dress } = self;
        match dress {
            Dress::Plain => write!(text, "{} {:>5} ", line.stamp, line.level)?,
            Dress::Colours => {
                let style = style(line.level);
                write!(text, "{} {style}{:>5}{style:#} ", line.stamp, line.level)?;
            }
            // When and how grave is the journal's to say.
            Dress::Journal => write!(text, "<{}>", priority(line.level))?,
        }
        self.tame(text, line.source)?;
        text.write_str(": ")?;
        self.tame(text, line.message)?;
        self.fields(text, " ", line.fields)?;
        for (index, (name, fields)) in line.spans.iter().enumerate() {
            text.write_str(if index == 0 { " (" } else { ":" })?;
            self.tame(text, name)?;
            if !fields.is_empty() {
                text.write_char('{')?;
                self.fields(text, "", fields)?;
                text.write_char('}')?;
            }
        }
        text.write_str(if line.spans.is_empty() { "\n" } else { ")\n" })
    }

    fn fields(&self, text: &mut String, first: &str, fields: &[(&'static str, Value)]) -> fmt::Result {
        for (index, (name, value)) in fields.iter().enumerate() {
            text.write_str(if index == 0 { first } else { " " })?;
            self.tame(text, name)?;
            text.write_char('=')?;
            self.tame(text, &value.to_string())?;
        }
        Ok(())
    }

    /// The journal takes each line by itself, and so each says how grave it is.
    fn tame(&self, text: &mut String, said: &str) -> fmt::Result {
        let level = matches!(self.dress, Dress::Journal).then_some(self.line.level);
        write!(text, "{}", Tame { said, level })
    }
}

/// Text from anywhere, such that nothing in it passes for a line of its own or talks to the terminal.
pub(crate) struct Tame<'a> {
    pub(crate) said: &'a str,
    /// For the journal: what its prefix is made of.
    pub(crate) level: Option<Level>,
}

impl fmt::Display for Tame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.said.chars().try_for_each(|c| match (c, self.level) {
            ('\n', None) => f.write_str("\n    "),
            ('\n', Some(level)) => write!(f, "\n<{}>    ", priority(level)),
            ('\t', _) => f.write_char(c),
            _ if c.is_control() => write!(f, "{}", c.escape_default()),
            _ => f.write_char(c),
        })
    }
}

pub(crate) fn style(level: Level) -> Style {
    let colour = match level {
        Level::ERROR => AnsiColor::Red,
        Level::WARN => AnsiColor::Yellow,
        Level::INFO => AnsiColor::Green,
        Level::DEBUG | Level::TRACE => AnsiColor::Blue,
    };
    colour.on_default().bold()
}

/// As syslog(3) counts it, and sd-daemon(3) after it.
pub(crate) fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> Line<'_> {
        let mut line = Line::new(Level::WARN, "http", message);
        line.stamp = "2026-11-21T08:15:30.123456Z".to_owned();
        line
    }

    #[test]
    fn what_is_said_cannot_pass_for_a_line_of_its_own_or_talk_to_the_terminal() {
        let evil = "gone\n2026-11-21 INFO all: is well\r\u{1b}[2J\u{9b}1mé\t.";
        let mut told = line(evil);
        assert_eq!(
            write(&told, Dress::Plain),
            "2026-11-21T08:15:30.123456Z  WARN http: gone\n    2026-11-21 INFO all: is well\\r\\u{1b}[2J\\u{9b}1mé\t.\n"
        );
        told.source = "a\nb";
        told.message = "c";
        assert_eq!(write(&told, Dress::Plain), "2026-11-21T08:15:30.123456Z  WARN a\n    b: c\n");
    }

    #[test]
    fn the_journal_is_told_how_grave_each_line_is_and_nothing_that_it_knows_itself() {
        assert_eq!(write(&line("one\n<0>two"), Dress::Journal), "<4>http: one\n<4>    <0>two\n");
    }

    #[test]
    fn fields_and_spans_come_last_and_words_are_quoted_where_they_must_be() {
        let text = |text: &str| Value::Text(text.to_owned());
        let fields = [("path", text("/a b")), ("peer", text("me")), ("ok", Value::Bool(true))];
        let spans = [("request", vec![("id", Value::Number(7.into()))]), ("inner", Vec::new())];
        let mut told = line("served");
        (told.fields, told.spans) = (&fields, &spans);
        assert!(
            write(&told, Dress::Plain)
                .ends_with("http: served path=\"/a b\" peer=me ok=true (request{id=7}:inner)\n")
        );
        let coloured = write(&told, Dress::Colours);
        assert!(coloured.contains("\u{1b}[1m\u{1b}[33m WARN\u{1b}[0m http: served"), "{coloured:?}");
    }
}

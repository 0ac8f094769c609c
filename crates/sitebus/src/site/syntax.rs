//! Text that is not TOML.

use toml::de::{DeTable, DeValue, Error};

use super::problem::Problem;
use super::span::Span;
use super::tree::Node;

/// More are the consequence of the first ones.
const MOST: usize = 20;

/// The tree, as far as there is one, and everything that is wrong with the text.
pub(super) fn parse(text: &str) -> (DeTable<'_>, Vec<Problem>) {
    let (root, errors) = DeTable::parse_recoverable(text);
    let root = toml::Spanned::new(root.span(), DeValue::Table(root.into_inner()));
    let problems = explain_all(text, &root, &errors);
    match root.into_inner() {
        DeValue::Table(table) => (table, problems),
        _ => (DeTable::new(), problems),
    }
}

/// The same for one value.
pub(super) fn parse_value(text: &str) -> (Node<'_>, Vec<Problem>) {
    let (value, errors) = DeValue::parse_recoverable(text);
    let problems = explain_all(text, &value, &errors);
    (value, problems)
}

fn explain_all(text: &str, root: &Node<'_>, errors: &[Error]) -> Vec<Problem> {
    let open = unclosed(text, root, errors);
    let mut found: Vec<(Span, &str)> =
        errors.iter().map(|error| (error.span().unwrap_or(0..0).into(), error.message())).collect();
    found.sort_by_key(|(span, _)| (span.start, span.end));
    // After a bracket that is not closed everything is taken for its content.
    found.retain(|(span, _)| open.is_none_or(|open| span.start < open.start));
    // What follows the first mistake of a line is mostly its echo.
    found.dedup_by(|next, first| !text.get(first.0.start..next.0.start).unwrap_or_default().contains('\n'));
    found.truncate(MOST);
    let explained = found.into_iter().map(|(span, message)| explain(text, root, message, span));
    explained.chain(open.map(|open| not_closed(text, open))).collect()
}

/// The first bracket or brace that is never closed.
fn unclosed(text: &str, root: &Node<'_>, errors: &[Error]) -> Option<Span> {
    let is_unclosed = |error: &&Error| {
        ["unclosed array, ", "unclosed inline"].iter().any(|m| error.message().starts_with(m))
    };
    let at = errors.iter().find(is_unclosed)?.span()?.start;
    let mut first: Option<usize> = None;
    each_value(root, &mut |value| {
        let span = value.span();
        let closing = match (value.get_ref(), text.as_bytes().get(span.start)) {
            (DeValue::Array(_), Some(b'[')) => ']',
            (DeValue::Table(_), Some(b'{')) => '}',
            _ => return,
        };
        let written = text.get(span.clone()).unwrap_or_default();
        let open = span.end >= at || !written.ends_with(closing);
        if open && span.start < at && first.is_none_or(|first| span.start < first) {
            first = Some(span.start);
        }
    });
    first.map(|start| Span { start, end: start + 1 })
}

fn not_closed(text: &str, open: Span) -> Problem {
    let (opened, closing) =
        if text[open.start..].starts_with('[') { ("bracket", ']') } else { ("brace", '}') };
    let mut problem = Problem::new(open, format!("this {opened} is not closed"));
    problem.help(format!("write `{closing}` where it ends"));
    problem
}

fn explain(text: &str, root: &Node<'_>, message: &str, span: Span) -> Problem {
    if message == "duplicate key" {
        return duplicate(text, root, span);
    }
    if message.starts_with("invalid ") && message.contains("string, expected") {
        return string_not_closed(text, root, span);
    }
    if let Some(problem) = bare_value(text, message, span) {
        return problem;
    }
    let (said, help) = match message {
        "key with no value, expected `=`" => ("this key has no value", "write `key = value`"),
        "unclosed table, expected `]`" => ("this header is not closed", "write `]` at its end"),
        "unclosed array table, expected `]`" => ("this header is not closed", "write `]]` at its end"),
        "unexpected key or value, expected newline, `#`" => {
            ("the line has ended before this", "remove it, or begin a new line")
        }
        _ if text.get(span.start..span.end) == Some(":") => {
            ("a key is followed by `=`, not by `:`", "write `key = value`")
        }
        _ if message.starts_with("invalid unquoted key") => {
            (message, "a key is letters, digits, `-` and `_`, or stands in quotes")
        }
        _ if message.contains("escape") => (message, "in single quotes a backslash is just a backslash"),
        _ => (message, ""),
    };
    let mut problem = Problem::new(span, said);
    if !help.is_empty() {
        problem.help(help);
    }
    problem
}

/// Text that was written without quotes where a value should be.
fn bare_value(text: &str, message: &str, span: Span) -> Option<Problem> {
    let unquoted = message.starts_with("string values must be quoted");
    let odd = ["integer", "float", "number", "date", "time", "boolean"]
        .iter()
        .any(|kind| message.strip_prefix("invalid ").is_some_and(|rest| rest.starts_with(kind)));
    if !unquoted && !odd {
        return None;
    }
    let token = token_at(text, span);
    let written = &text[token.start..token.end];
    if written.is_empty() {
        let mut problem = Problem::new(span, "a value is missing");
        problem.help("write one after the `=`");
        return Some(problem);
    }
    let mut problem = Problem::new(token, format!("`{written}` is no value"));
    problem.help(match written.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" => "write `true`".to_owned(),
        "no" | "off" | "false" => "write `false`".to_owned(),
        "null" | "none" | "nil" => "leave the key out".to_owned(),
        _ => format!("put text in quotes: `\"{written}\"`"),
    });
    Some(problem)
}

/// The whole word that a span is in, or the span if it is several words.
fn token_at(text: &str, span: Span) -> Span {
    let border = |c: char| c.is_whitespace() || "=,[]{}#\"'`".contains(c);
    let (from, to) = (text.floor_char_boundary(span.start), text.ceil_char_boundary(span.end));
    if text[from..to].contains(char::is_whitespace) {
        return Span { start: from, end: to };
    }
    let before = |(at, c): (usize, char)| border(c).then_some(at + c.len_utf8());
    let start = text[..from].char_indices().rev().find_map(before).unwrap_or(0);
    let end = text[from..].find(border).map_or(text.len(), |length| from + length);
    Span { start, end }
}

/// Points to where the string begins: where it should have ended, nobody knows.
fn string_not_closed(text: &str, root: &Node<'_>, span: Span) -> Problem {
    let mut opening = None;
    each_value(root, &mut |value| {
        if value.get_ref().is_str() && value.span().end == span.start {
            opening = Some(value.span().start);
        }
    });
    let Some(start) = opening else { return Problem::new(span, "a string is not closed") };
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| text[start..].starts_with(quotes));
    let quotes = quotes.unwrap_or("\"");
    let mut problem = Problem::new(start..start + quotes.len(), "this string is not closed");
    problem.help(format!("write `{quotes}` where it ends"));
    problem
}

fn duplicate(text: &str, root: &Node<'_>, span: Span) -> Problem {
    let name = text.get(span.start..span.end).unwrap_or_default();
    let mut problem = Problem::new(span, format!("`{name}` stands here twice"));
    problem.help("remove one of the two, or join them");
    let mut earlier = Vec::new();
    each_key(root, &mut |key, at| {
        if key == name && at.end <= span.start {
            earlier.push(at);
        }
    });
    // Where there are several of the name, nothing tells which one it was.
    let first = earlier_header(text, span).or(if let [one] = earlier[..] { Some(one) } else { None });
    if let Some(first) = first {
        problem.note(first, "first here");
    }
    problem
}

/// The same header on an earlier line, if the span is in a header.
fn earlier_header(text: &str, span: Span) -> Option<Span> {
    let line_start = text.get(..span.start)?.rfind('\n')? + 1;
    let header = text[line_start..].lines().next()?.trim();
    let header = &header[..header.rfind(']')? + 1];
    let mut at = 0;
    for line in text[..line_start].split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        if header.starts_with('[') && line.trim_start().starts_with(header) {
            return Some(Span { start: at + indent, end: at + indent + header.len() });
        }
        at += line.len();
    }
    None
}

/// The parser bounds the depth of values.
fn each_value(value: &Node<'_>, visit: &mut impl FnMut(&Node<'_>)) {
    visit(value);
    match value.get_ref() {
        DeValue::Table(table) => table.iter().for_each(|(_, value)| each_value(value, visit)),
        DeValue::Array(array) => array.iter().for_each(|value| each_value(value, visit)),
        _ => {}
    }
}

fn each_key(root: &Node<'_>, visit: &mut impl FnMut(&str, Span)) {
    each_value(root, &mut |value| {
        if let DeValue::Table(table) = value.get_ref() {
            table.iter().for_each(|(key, _)| visit(key.get_ref(), key.span().into()));
        }
    });
}

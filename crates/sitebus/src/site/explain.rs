//! What serde says about a value, in the words of the file.

use toml::de::DeValue;

use super::known::Known;
use super::names::{list, nearest};
use super::problem::Problem;
use super::source::Sources;
use super::span::Span;
use super::tree::{self, Node, Step, describe};

/// What an explanation may look at.
pub(super) struct Context<'a> {
    pub(super) name: &'a str,
    pub(super) repeated: bool,
    pub(super) node: &'a Node<'a>,
    pub(super) known: Option<&'a Known>,
    pub(super) sources: &'a Sources,
}

/// A section as it stands in the file.
pub(super) fn header(name: &str, repeated: bool) -> String {
    if repeated { format!("[[{name}]]") } else { format!("[{name}]") }
}

/// A section that is one table has to be one, and one that is repeated has to be an array.
pub(super) fn wrong_brackets(name: &str, node: &Node<'_>, repeated: bool) -> Option<Problem> {
    let right = header(name, repeated);
    let wrong = |help: String| {
        let mut problem = Problem::new(node.span(), format!("`{name}` must be written `{right}`"));
        problem.help(help);
        Some(problem)
    };
    match (node.get_ref(), repeated) {
        (DeValue::Table(_), false) | (DeValue::Array(_), true) => None,
        (DeValue::Table(_), true) => wrong(format!("double brackets begin one {name} of several")),
        (DeValue::Array(array), false) if array.iter().any(|entry| entry.get_ref().is_table()) => {
            wrong(format!("there is one `{right}`; it is not repeated"))
        }
        _ => wrong(format!("write `{right}` on a line of its own and the keys below it")),
    }
}

pub(super) fn explain(context: &Context<'_>, message: &str, span: Span) -> Problem {
    let steps = tree::locate(context.node, span).unwrap_or_default();
    let explained = if message.starts_with("unknown field") {
        Some(unknown_key(context, message, span, &steps))
    } else if message.starts_with("unknown variant") {
        Some(unknown_choice(context, message, span, &steps))
    } else if let Some(field) = message.strip_prefix("missing field ") {
        Some(missing_key(context, field.trim_matches('`'), span, &steps))
    } else {
        expected(message).map(|wanted| wrong_value(context, message, &wanted, span, &steps))
    };
    explained.unwrap_or_else(|| {
        let what = value_name(context, &steps);
        Problem::new(span, format!("{what}: {message}"))
    })
}

fn unknown_key(context: &Context<'_>, message: &str, span: Span, steps: &[Step]) -> Problem {
    let container = steps.split_last().map_or(&[][..], |(_, container)| container);
    let name = match steps.last() {
        Some(Step::Key(key)) => key.clone(),
        _ => quoted(message).next().unwrap_or_default().to_owned(),
    };
    let mut problem = Problem::new(span, format!("`{name}` is no key of {}", table_name(context, container)));
    let keys: Vec<&str> = alternatives(message);
    let elsewhere = context.known.and_then(|known| known.other_section_with(&name, context.name));
    if let Some(meant) = nearest(&name, keys.iter().copied()) {
        problem.help(format!("did you mean `{meant}`?"));
    } else if let Some(section) = elsewhere {
        problem.help(format!("`{name}` is a key of `{section}`"));
    } else if !keys.is_empty() {
        problem.help(format!("its keys are {}", list(keys)));
    }
    problem
}

fn unknown_choice(context: &Context<'_>, message: &str, span: Span, steps: &[Step]) -> Problem {
    let choices: Vec<&str> = alternatives(message);
    let written = context.sources.text(span).trim_matches(['"', '\'']);
    let what = value_name(context, steps);
    let mut problem = Problem::new(span, format!("{what} cannot be `{written}`"));
    match nearest(written, choices.iter().copied()) {
        Some(meant) => problem.help(format!("did you mean \"{meant}\"?")),
        None => problem.help(format!("it can be {}", list(choices))),
    };
    problem
}

fn missing_key(context: &Context<'_>, field: &str, span: Span, steps: &[Step]) -> Problem {
    let table = table_name(context, steps);
    let mut problem = Problem::new(span, format!("{table} has no `{field}`"));
    problem.help(format!("add `{field} = …` to it"));
    problem
}

fn wrong_value(context: &Context<'_>, message: &str, wanted: &str, span: Span, steps: &[Step]) -> Problem {
    let what = value_name(context, steps);
    if message.ends_with(DURATION) {
        let mut problem =
            Problem::new(span, format!("{what} cannot be read: its type in the program is `Duration`"));
        problem.help("make it a `sitebus::site::Period` there, which reads \"5s\" and \"1m30s\"");
        return problem;
    }
    let mut problem = Problem::new(span, format!("{what} must be {wanted}"));
    let Some(value) = tree::at(context.node, steps) else { return problem };
    if !message.starts_with("invalid value") {
        problem.label(format!("this is {}", describe(value.get_ref())));
    }
    if let Some(help) = wrong_quotes(context, value.get_ref(), wanted, span) {
        problem.help(help);
    }
    problem
}

/// The cure of a value whose quotes or brackets are missing or too many.
fn wrong_quotes(context: &Context<'_>, value: &DeValue<'_>, wanted: &str, span: Span) -> Option<String> {
    let written = context.sources.text(span);
    let is_override = context.sources.find(span).is_some_and(|(source, _)| source.is_override());
    match value {
        DeValue::String(text) if wanted == "an array" => {
            // A --set may have been given without any quotes.
            let inside =
                if written.starts_with(['"', '\'']) { written.to_owned() } else { format!("\"{text}\"") };
            Some(format!("put it in brackets: `[{inside}]`"))
        }
        DeValue::String(text) if wanted.starts_with("a whole number") && text.parse::<i64>().is_ok() => {
            Some(format!("leave out the quotes: `{text}`"))
        }
        DeValue::String(text) if wanted == "true or false" && matches!(&**text, "true" | "false") => {
            Some(format!("leave out the quotes: `{text}`"))
        }
        DeValue::String(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        _ if wanted == "a string" && is_override => {
            Some(format!("quote it for the shell and for TOML: `'\"{written}\"'`"))
        }
        _ if wanted == "a string" => Some(format!("put it in quotes: `\"{written}\"`")),
        _ => None,
    }
}

/// How serde asks for a [`std::time::Duration`], which it wants as a table of seconds and nanoseconds.
const DURATION: &str = ", expected struct Duration";

/// What was wanted, in words for people who do not know Rust.
fn expected(message: &str) -> Option<String> {
    if message == "wanted string or table" {
        return Some("a string".to_owned());
    }
    let wanted =
        message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (_, wanted) = wanted.rsplit_once(", expected ")?;
    Some(match wanted {
        "a sequence" => "an array".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a map" => "a table".to_owned(),
        "path string" | "string" => "a string".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "i64" | "i128" | "isize" => "a whole number".to_owned(),
        "u64" | "u128" | "usize" => "a whole number, 0 or more".to_owned(),
        "u8" => range(0, u8::MAX.into()),
        "u16" => range(0, u16::MAX.into()),
        "u32" => range(0, u32::MAX.into()),
        "i8" => range(i8::MIN.into(), i8::MAX.into()),
        "i16" => range(i16::MIN.into(), i16::MAX.into()),
        "i32" => range(i32::MIN.into(), i32::MAX.into()),
        wanted if wanted.starts_with("struct ") => "a table".to_owned(),
        wanted => wanted.to_owned(),
    })
}

fn range(from: i64, to: i64) -> String {
    format!("a whole number from {from} to {to}")
}

/// "`http.listen`", and "each value of `http.listen`" inside of it.
fn value_name(context: &Context<'_>, steps: &[Step]) -> String {
    let keys = steps.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    });
    let name: Vec<&str> = std::iter::once(context.name).chain(keys).collect();
    let name = name.join(".");
    let in_array = matches!(steps.last(), Some(Step::Index(_)));
    if in_array { format!("each value of `{name}`") } else { format!("`{name}`") }
}

/// "`[http]`", "`[[route]]`", "`route.respond`".
fn table_name(context: &Context<'_>, steps: &[Step]) -> String {
    if steps.iter().all(|step| matches!(step, Step::Index(_))) {
        return format!("`{}`", header(context.name, context.repeated));
    }
    value_name(context, steps)
}

/// The names that serde would have taken.
fn alternatives(message: &str) -> Vec<&str> {
    message.rsplit_once(", expected ").map(|(_, names)| quoted(names).collect()).unwrap_or_default()
}

/// The parts of a text between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

//! Values that the command line puts over the file.

use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use super::source::Source;
use super::span::{Span, Spanned};
use super::syntax::parse_value;
use super::tree::{Node, describe, moved};

/// The tree with these values put over it, and what is wrong with them.
pub(super) fn apply<'i>(mut root: DeTable<'i>, overrides: &'i [Source]) -> (DeTable<'i>, Vec<Problem>) {
    let mut problems = Vec::new();
    for source in overrides {
        let put = assignment(source).and_then(|(path, value)| put_in_table(&mut root, &path, 0, value));
        problems.extend(put.err());
    }
    (root, problems)
}

/// `http.listen=["127.0.0.1:0"]` as path and value.
fn assignment(source: &Source) -> Result<(Vec<Spanned<String>>, Node<'_>), Problem> {
    let text = &*source.text;
    let Some(equals) = bare_equals(text) else {
        let mut problem = Problem::new(Span::from(0..text.len()).moved(source.base), "this has no `=`");
        problem.help("write it as `--set key=value`");
        return Err(problem);
    };
    let path = key_path(&text[..equals], source.base)?;
    let written = text[equals + 1..].trim();
    let start = text.len() - text[equals + 1..].trim_start().len();
    let value = value(written).map_err(|mut problem| {
        problem.at = problem.at.map(|span| span.moved(source.base + start));
        problem
    })?;
    Ok((path, moved(value, source.base + start)))
}

/// The first `=` outside of quotes.
fn bare_equals(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '=') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

fn key_path(text: &str, base: usize) -> Result<Vec<Spanned<String>>, Problem> {
    let wrong = || {
        let mut problem = Problem::new(Span::from(0..text.len()).moved(base), "this is no key");
        problem
            .help("a key is names with dots between, such as `http.listen`, or `route.0.path` in an array");
        problem
    };
    if text.contains(['\n', '[', '#']) {
        return Err(wrong());
    }
    let line = format!("{text}=0");
    let mut table = DeTable::parse(&line).map_err(|_| wrong())?.into_inner();
    let mut path = Vec::new();
    loop {
        let mut keys = table.into_iter();
        let Some((key, value)) = keys.next() else { return Err(wrong()) };
        path.push(Spanned::new(Span::from(key.span()).moved(base), key.get_ref().to_string()));
        match value.into_inner() {
            DeValue::Table(inner) => table = inner,
            _ => return Ok(path),
        }
    }
}

/// TOML, or else a plain string; but what begins like a string, an array or a table was meant to be one.
fn value(written: &str) -> Result<Node<'_>, Problem> {
    let (value, problems) = parse_value(written);
    match problems.into_iter().next() {
        None => Ok(value),
        Some(problem) if written.starts_with(['"', '\'', '[', '{']) => Err(problem),
        Some(_) => Ok(toml::Spanned::new(0..written.len(), DeValue::String(written.into()))),
    }
}

fn put_in_table<'i>(
    table: &mut DeTable<'i>,
    path: &[Spanned<String>],
    done: usize,
    value: Node<'i>,
) -> Result<(), Problem> {
    let key = &path[done];
    if done + 1 == path.len() {
        insert(table, key, value);
        return Ok(());
    }
    if !table.contains_key(key.as_str()) {
        insert(table, key, toml::Spanned::new(key.span().into(), DeValue::Table(DeTable::new())));
    }
    match table.get_mut(key.as_str()) {
        Some(inner) => put(inner, path, done + 1, value),
        None => Ok(()),
    }
}

/// The key of an entry that is replaced goes with it, so that a complaint about it points to the command line.
fn insert<'i>(table: &mut DeTable<'i>, key: &Spanned<String>, value: Node<'i>) {
    table.remove(key.as_str());
    table.insert(toml::Spanned::new(key.span().into(), key.to_string().into()), value);
}

fn put<'i>(
    node: &mut Node<'i>,
    path: &[Spanned<String>],
    done: usize,
    value: Node<'i>,
) -> Result<(), Problem> {
    let key = &path[done];
    match node.get_mut() {
        DeValue::Table(table) => put_in_table(table, path, done, value),
        DeValue::Array(array) => {
            let length = array.len();
            match key.parse::<usize>().ok().and_then(|index| array.get_mut(index)) {
                Some(entry) if done + 1 == path.len() => *entry = value,
                Some(entry) => return put(entry, path, done + 1, value),
                None => return Err(no_such_entry(key, length)),
            }
            Ok(())
        }
        other => {
            let mut problem = Problem::new(key, format!("there is no `{}` to set", **key));
            problem.note(node_span(path, done), format!("this is {}", describe(other)));
            Err(problem)
        }
    }
}

fn node_span(path: &[Spanned<String>], done: usize) -> Span {
    path[done.saturating_sub(1)].span()
}

fn no_such_entry(key: &Spanned<String>, length: usize) -> Problem {
    let mut problem = Problem::new(key, format!("the array has no entry `{}`", **key));
    problem.help(match length {
        0 => "it is empty; set the whole array".to_owned(),
        1 => "its one entry is `0`; to have more, set the whole array".to_owned(),
        _ => format!("its entries are `0` to `{}`; to have more, set the whole array", length - 1),
    });
    problem
}

//! From a part of the tree to the type of a section, with everything that is wrong on the way.

use toml::de::ValueDeserializer;

use super::check::Check;
use super::explain::{Context, explain, wrong_brackets};
use super::file::SiteFile;
use super::known::Known;
use super::problem::Problem;
use super::section::Section;
use super::span::{Span, Spanned};
use super::tree::{self, Hole, Node};

/// More than these in one section are not looked for.
const MOST: usize = 20;

pub(super) fn read_section<T: Section>(
    file: &SiteFile,
    name: &str,
    node: &Node<'_>,
    known: Option<&Known>,
) -> Result<Spanned<T>, Vec<Problem>> {
    let section = Span::from(node.span());
    if let Some(problem) = wrong_brackets(name, node, T::REPEATED) {
        return Err(vec![problem]);
    }
    let context = Context { name, repeated: T::REPEATED, node, known, sources: &file.sources };
    let (value, holes, mut problems) = patch_until_read::<T>(&context);
    let Some(value) = value else { return Err(problems) };
    let mut check = Check::new(file, known, section);
    value.check(&mut check);
    // A complaint about a table as a whole, of which a bad value was cut out, may only be the echo of that.
    let echo = |problem: &Problem| holes.iter().any(|hole| Some(hole.container) == problem.at);
    problems.extend(check.into_problems().into_iter().filter(|problem| !echo(problem)));
    if problems.is_empty() { Ok(Spanned::new(section, value)) } else { Err(problems) }
}

/// Reading ends at the first thing that is wrong. So that is written down and cut out, and the rest read again.
fn patch_until_read<T: Section>(context: &Context<'_>) -> (Option<T>, Vec<Hole>, Vec<Problem>) {
    let mut rest = context.node.clone();
    let mut holes: Vec<Hole> = Vec::new();
    let mut problems: Vec<Problem> = Vec::new();
    while problems.len() < MOST {
        let error = match T::deserialize(ValueDeserializer::from(rest.clone())) {
            Ok(value) => return (Some(value), holes, problems),
            Err(error) => error,
        };
        let span = error.span().map_or(Span::from(rest.span()), Span::from);
        if !misses_what_was_cut(error.message(), span, &holes) {
            problems.push(explain(context, error.message(), span));
        }
        let place = tree::locate(&rest, span);
        match place.and_then(|steps| tree::cut(&mut rest, &steps)) {
            Some(hole) => holes.push(hole),
            None => break,
        }
    }
    (None, holes, problems)
}

fn misses_what_was_cut(message: &str, span: Span, holes: &[Hole]) -> bool {
    let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) else {
        return false;
    };
    holes.iter().any(|hole| hole.container == span && hole.key.as_deref() == Some(field))
}

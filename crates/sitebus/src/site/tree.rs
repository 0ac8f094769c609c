//! The parsed file as a tree, and how to find and cut out a place in it.

use toml::de::{DeArray, DeTable, DeValue};

use super::span::Span;

pub(super) type Node<'i> = toml::Spanned<DeValue<'i>>;

/// One step from a value to a value in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// The steps to the deepest place whose key or value was written exactly there. The header of a table is where its
/// value was written, and the first header also where its array was.
pub(super) fn locate(node: &Node<'_>, span: Span) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    descend(node, span, &mut steps).then(|| {
        steps.reverse();
        steps
    })
}

/// Collects the steps from the last to the first. The parser bounds the depth of values.
fn descend(node: &Node<'_>, span: Span, steps: &mut Vec<Step>) -> bool {
    match node.get_ref() {
        DeValue::Table(table) => {
            for (key, value) in table.iter() {
                if descend(value, span, steps) || Span::from(key.span()) == span {
                    steps.push(Step::Key(key.get_ref().to_string()));
                    return true;
                }
            }
        }
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                if descend(value, span, steps) {
                    steps.push(Step::Index(index));
                    return true;
                }
            }
        }
        _ => {}
    }
    Span::from(node.span()) == span
}

/// The value at the end of these steps.
pub(super) fn at<'n, 'i>(node: &'n Node<'i>, steps: &[Step]) -> Option<&'n Node<'i>> {
    steps.iter().try_fold(node, |node, step| match step {
        Step::Key(key) => node.get_ref().get(key.as_str()),
        Step::Index(index) => node.get_ref().get(*index),
    })
}

/// What was cut out of a tree.
#[derive(Clone, Debug)]
pub(super) struct Hole {
    /// Where the table or array was written that it is missing from.
    pub(super) container: Span,
    /// Its key, if that is a table.
    pub(super) key: Option<String>,
}

/// Cuts out the value at the end of these steps, unless it is the whole tree.
pub(super) fn cut(node: &mut Node<'_>, steps: &[Step]) -> Option<Hole> {
    let container = Span::from(node.span());
    match (node.get_mut(), steps) {
        (DeValue::Table(table), [Step::Key(key)]) => {
            table.remove(key.as_str())?;
            Some(Hole { container, key: Some(key.clone()) })
        }
        (DeValue::Array(array), [Step::Index(index)]) => {
            let mut position = 0..;
            let kept = std::mem::replace(array, DeArray::new()).into_iter();
            *array = kept.filter(|_| position.next() != Some(*index)).collect();
            Some(Hole { container, key: None })
        }
        (DeValue::Table(table), [Step::Key(key), rest @ ..]) => cut(table.get_mut(key.as_str())?, rest),
        (DeValue::Array(array), [Step::Index(index), rest @ ..]) => cut(array.get_mut(*index)?, rest),
        _ => None,
    }
}

/// The same value, as if it had been written `by` bytes later.
pub(super) fn moved<'i>(node: Node<'i>, by: usize) -> Node<'i> {
    let span = node.span().start + by..node.span().end + by;
    let value = match node.into_inner() {
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(key, value)| {
                    let span = key.span().start + by..key.span().end + by;
                    (toml::Spanned::new(span, key.into_inner()), moved(value, by))
                })
                .collect::<DeTable<'i>>(),
        ),
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|value| moved(value, by)).collect::<DeArray<'i>>())
        }
        value => value,
    };
    toml::Spanned::new(span, value)
}

/// What a value is, for "this is …".
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.is_empty() => "an empty string".to_owned(),
        DeValue::String(_) => "a string".to_owned(),
        DeValue::Integer(_) => "a whole number".to_owned(),
        DeValue::Float(_) => "a number with a fraction".to_owned(),
        DeValue::Boolean(value) => format!("`{value}`"),
        DeValue::Datetime(_) => "a date or time".to_owned(),
        DeValue::Array(array) if array.is_empty() => "an empty array".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

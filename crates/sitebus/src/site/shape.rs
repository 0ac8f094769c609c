//! What the type of a section takes, found out by asking it: its own `Deserialize` is called with nothing but questions, so
//! what is found can never differ from what is read.

use std::cell::RefCell;

mod probe;
mod shown;

use self::probe::{Kind, Probe, Seen, Step};
use super::section::Section;

/// What a value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Whatever TOML has.
    Anything,
    /// `true` or `false`.
    Flag,
    /// A whole number between two, both included.
    Whole(i64, i64),
    /// A number.
    Number,
    /// A text, and what the type says of it.
    Text(String),
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// An array.
    List(Box<Shape>),
    /// A table with any keys.
    Map(Box<Shape>),
    /// A table with these keys, and whether another one is a mistake.
    Table(Vec<Field>, Strict),
    /// One of several, and what the type says of it.
    OneOf(Vec<Shape>, String),
}

/// Whether a key that is not known is a mistake.
pub(super) type Strict = bool;

/// A key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// Whether the table is wrong without it. Of several such keys only the first is known.
    pub(super) is_required: bool,
}

/// A type that contains itself has no end.
const DEEPEST: usize = 16;

/// The shape of a section.
pub(super) fn shape_of<T: Section>() -> Shape {
    explore(&ask::<T>, &mut Vec::new())
}

/// The names of the fields of `T`, if it is a plain struct; otherwise none.
pub(super) fn fields_of<T: Section>() -> &'static [&'static str] {
    match ask::<T>(&[]) {
        Some(Seen::Table(names)) => names,
        _ => &[],
    }
}

fn ask<T: Section>(path: &[Step]) -> Option<Seen> {
    let seen = RefCell::new(None);
    // Always fails: there is no value, only somebody who listens to what is asked for.
    let _ = T::deserialize(Probe::new(path, &seen));
    seen.into_inner()
}

fn explore(ask: &dyn Fn(&[Step]) -> Option<Seen>, path: &mut Vec<Step>) -> Shape {
    if path.len() > DEEPEST {
        return Shape::Anything;
    }
    match ask(path) {
        None | Some(Seen::Missing(_) | Seen::Strict) => Shape::Anything,
        Some(Seen::Value(shape)) => shape,
        Some(Seen::List) => Shape::List(Box::new(below(ask, path, Step::Entry))),
        Some(Seen::Map) => Shape::Map(Box::new(below(ask, path, Step::Entry))),
        Some(Seen::Table(names)) => table(ask, path, names),
        Some(Seen::Any(says)) => several(ask, path, says),
    }
}

fn below(ask: &dyn Fn(&[Step]) -> Option<Seen>, path: &mut Vec<Step>, step: Step) -> Shape {
    path.push(step);
    let shape = explore(ask, path);
    path.pop();
    shape
}

fn table(
    ask: &dyn Fn(&[Step]) -> Option<Seen>,
    path: &mut Vec<Step>,
    names: &'static [&'static str],
) -> Shape {
    let mut show = |step| {
        path.push(step);
        let seen = ask(path);
        path.pop();
        seen
    };
    let missing = match show(Step::Empty) {
        Some(Seen::Missing(missing)) => Some(missing),
        _ => None,
    };
    let is_strict = matches!(show(Step::Strange), Some(Seen::Strict));
    let field = |name: &&'static str| Field {
        name,
        shape: below(ask, path, Step::Field(name)),
        is_required: missing == Some(*name),
    };
    Shape::Table(names.iter().map(field).collect(), is_strict)
}

/// The type looks at what comes. So it is given one of each kind.
fn several(ask: &dyn Fn(&[Step]) -> Option<Seen>, path: &mut Vec<Step>, says: String) -> Shape {
    let mut taken = Vec::new();
    for kind in Kind::ALL {
        path.push(Step::As(kind));
        if ask(path).is_some() {
            taken.push(explore(ask, path));
        }
        path.pop();
    }
    match taken.len() {
        0 => Shape::Anything,
        1 => taken.remove(0),
        many if many == Kind::ALL.len() => Shape::Anything,
        _ => Shape::OneOf(taken, says),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use serde::Deserialize;

    use super::*;
    use crate::site::sections::route::RouteSections;
    use crate::site::{Period, Size, Spanned};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape is asked for")]
    struct Everything {
        flag: bool,
        small: Option<Spanned<u8>>,
        large: i64,
        part: f32,
        path: Spanned<PathBuf>,
        time: Period,
        size: Option<Spanned<Size>>,
        choice: Choice,
        list: Vec<Spanned<String>>,
        map: BTreeMap<Spanned<String>, Option<bool>>,
        inner: Option<Box<Everything>>,
        #[serde(rename = "type", default)]
        kind: String,
        any: toml::Value,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Choice {
        One,
        Two,
    }

    impl Section for Everything {}

    #[test]
    fn every_sort_of_type_is_recognised() {
        let _ = [Choice::One, Choice::Two];
        let Shape::Table(fields, true) = shape_of::<Everything>() else { unreachable!() };
        let of = |name: &str| fields.iter().find(|field| field.name == name).map(|field| &field.shape);
        let text = |says: &str| Shape::Text(says.to_owned());
        assert_eq!(of("flag"), Some(&Shape::Flag));
        assert_eq!(of("small"), Some(&Shape::Whole(0, 255)));
        assert_eq!(of("large"), Some(&Shape::Whole(i64::MIN, i64::MAX)));
        assert_eq!(of("part"), Some(&Shape::Number));
        assert_eq!(of("path"), Some(&text("path string")));
        assert_eq!(of("time"), Some(&text("a duration such as \"10s\", \"500ms\" or \"1m30s\"")));
        assert_eq!(of("choice"), Some(&Shape::Choice(&["one", "two"])));
        assert_eq!(of("list"), Some(&Shape::List(Box::new(text("a string")))));
        assert_eq!(of("map"), Some(&Shape::Map(Box::new(Shape::Flag))));
        assert_eq!(of("type"), Some(&text("a string")));
        assert_eq!(of("any"), Some(&Shape::Anything));
        let whole = Shape::Whole(i64::MIN, i64::MAX);
        let says = "a size such as 65536, \"64 KiB\" or \"1M\"".to_owned();
        assert_eq!(of("size"), Some(&Shape::OneOf(vec![whole, text(&says)], says)));
        assert!(matches!(of("inner"), Some(Shape::Table(inner, true)) if inner.len() == fields.len()));
        let required: Vec<&str> = fields.iter().filter(|f| f.is_required).map(|f| f.name).collect();
        assert_eq!(required, ["flag"]);
    }

    #[test]
    fn a_type_that_looks_at_what_comes_is_asked_with_each_kind() {
        let Shape::List(route) = shape_of::<RouteSections>() else { unreachable!() };
        let Shape::Table(fields, true) = *route else { unreachable!() };
        let redirect = fields.iter().find(|field| field.name == "redirect");
        let Some(Shape::OneOf(kinds, _)) = redirect.map(|field| &field.shape) else { unreachable!() };
        assert!(matches!(&kinds[..], [Shape::Text(_), Shape::Table(keys, true)]
            if keys.iter().map(|key| key.name).eq(["to", "status"]) && keys[0].is_required));
    }
}

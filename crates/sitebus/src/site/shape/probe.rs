//! A deserializer without a value: it goes one way into a type, writes down what the type asks for there, and fails.

use std::cell::RefCell;

use serde::de::{Deserializer, Expected, Visitor};

use super::Shape;
use super::shown::{OneEntry, OneKey, Place, Refusal, SPANNED};

/// One step into a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To the value of this key of a table.
    Field(&'static str),
    /// To a value of an array, or of a table with any keys.
    Entry,
    /// Into a type that takes several kinds: as it takes this one.
    As(Kind),
    /// Not further, but a table without any key is shown.
    Empty,
    /// Not further, but a table with a key that nobody knows is shown.
    Strange,
}

/// The kinds of values that a type may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    Whole,
    Text,
    List,
    Table,
}

impl Kind {
    pub(super) const ALL: [Kind; 5] = [Kind::Flag, Kind::Whole, Kind::Text, Kind::List, Kind::Table];
}

/// What a type asked for.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    Value(Shape),
    List,
    Map,
    /// A table with these keys.
    Table(&'static [&'static str]),
    /// A table that would not do without this key.
    Missing(&'static str),
    /// A table that takes no other keys than its own.
    Strict,
    /// Whatever comes, and what it says of that.
    Any(String),
}

/// A key, or a text, that no type can know.
const STRANGE: &str = "?";

/// The way that is left, and the note that is taken at its end.
#[derive(Clone, Copy)]
pub(super) struct Probe<'a> {
    path: &'a [Step],
    seen: &'a RefCell<Option<Seen>>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(path: &'a [Step], seen: &'a RefCell<Option<Seen>>) -> Probe<'a> {
        Probe { path, seen }
    }

    fn further(self) -> Probe<'a> {
        Probe { path: self.path.get(1..).unwrap_or_default(), ..self }
    }

    fn note<T>(self, seen: Seen) -> Result<T, Refusal> {
        if self.path.is_empty() {
            self.seen.replace(Some(seen));
        }
        Err(Refusal::Other)
    }

    fn value<T>(self, shape: Shape) -> Result<T, Refusal> {
        self.note(Seen::Value(shape))
    }

    fn whole<T>(self, least: i64, most: i64) -> Result<T, Refusal> {
        self.value(Shape::Whole(least, most))
    }

    fn table<'de, V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.path.first() {
            Some(Step::Field(name)) => visitor.visit_map(OneKey { key: Some(name), probe: self.further() }),
            Some(Step::Empty) => {
                let shown = visitor.visit_map(OneKey { key: None, probe: self.further() });
                self.note_missing(shown)
            }
            Some(Step::Strange) => {
                let shown = visitor.visit_map(OneKey { key: Some(STRANGE), probe: self.further() });
                self.note_strict(shown)
            }
            _ => self.note(Seen::Table(names)),
        }
    }

    /// A type that looks at what comes is shown this.
    fn shown_as<'de, V: Visitor<'de>>(self, kind: Kind, visitor: V) -> Result<V::Value, Refusal> {
        let (says, next) = (said(&visitor), self.further());
        let (shape, shown) = match kind {
            Kind::Flag => (Shape::Flag, visitor.visit_bool(true)),
            Kind::Whole => (Shape::Whole(i64::MIN, i64::MAX), visitor.visit_i64(1)),
            Kind::Text => (Shape::Text(says), visitor.visit_str(STRANGE)),
            Kind::List if next.path.is_empty() => {
                let shown = visitor.visit_seq(OneEntry(None));
                return self.unless_wrong(shown, Seen::List);
            }
            Kind::List => return visitor.visit_seq(OneEntry(Some(next.further()))),
            Kind::Table => return self.shown_a_table(visitor),
        };
        self.unless_wrong(shown, Seen::Value(shape))
    }

    /// A strict table tells its keys when it sees one that it does not know.
    fn shown_a_table<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let next = self.further();
        match next.path.first() {
            Some(Step::Field(name)) => visitor.visit_map(OneKey { key: Some(name), probe: next.further() }),
            Some(Step::Entry) => visitor.visit_map(OneKey { key: Some(STRANGE), probe: next.further() }),
            Some(Step::Empty) => {
                let shown = visitor.visit_map(OneKey { key: None, probe: next });
                self.note_missing(shown)
            }
            Some(Step::Strange) => {
                let shown = visitor.visit_map(OneKey { key: Some(STRANGE), probe: next });
                self.note_strict(shown)
            }
            _ => match visitor.visit_map(OneKey { key: Some(STRANGE), probe: next }) {
                Err(Refusal::UnknownField(names)) => next.note(Seen::Table(names)),
                shown => self.unless_wrong(shown, Seen::Map),
            },
        }
    }

    fn note_missing<T>(self, shown: Result<T, Refusal>) -> Result<T, Refusal> {
        if let Err(Refusal::MissingField(missing)) = shown {
            self.seen.replace(Some(Seen::Missing(missing)));
        }
        Err(Refusal::Other)
    }

    fn note_strict<T>(self, shown: Result<T, Refusal>) -> Result<T, Refusal> {
        if let Err(Refusal::UnknownField(_)) = shown {
            self.seen.replace(Some(Seen::Strict));
        }
        Err(Refusal::Other)
    }

    fn unless_wrong<T>(self, shown: Result<T, Refusal>, seen: Seen) -> Result<T, Refusal> {
        if !matches!(shown, Err(Refusal::WrongType)) {
            self.seen.replace(Some(seen));
        }
        Err(Refusal::Other)
    }
}

fn said(visitor: &dyn Expected) -> String {
    visitor.to_string()
}

macro_rules! whole {
    ($($method:ident $least:expr, $most:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
            self.whole($least, $most)
        }
    )*};
}

macro_rules! text {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            self.value(Shape::Text(said(&visitor)))
        }
    )*};
}

macro_rules! anything {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
            self.value(Shape::Anything)
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Refusal;

    whole! {
        deserialize_i8 i8::MIN.into(), i8::MAX.into();
        deserialize_i16 i16::MIN.into(), i16::MAX.into();
        deserialize_i32 i32::MIN.into(), i32::MAX.into();
        deserialize_i64 i64::MIN, i64::MAX;
        deserialize_i128 i64::MIN, i64::MAX;
        deserialize_u8 0, u8::MAX.into();
        deserialize_u16 0, u16::MAX.into();
        deserialize_u32 0, u32::MAX.into();
        deserialize_u64 0, i64::MAX;
        deserialize_u128 0, i64::MAX;
    }
    text! { deserialize_char deserialize_str deserialize_string }
    anything! {
        deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.path.first() {
            Some(Step::As(kind)) => self.shown_as(*kind, visitor),
            _ => self.note(Seen::Any(said(&visitor))),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
        self.value(Shape::Flag)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
        self.value(Shape::Number)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
        self.value(Shape::Number)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Result<V::Value, Refusal> {
        self.value(Shape::Anything)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.path.first() {
            Some(Step::Entry) => visitor.visit_seq(OneEntry(Some(self.further()))),
            _ => self.note(Seen::List),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.path.first() {
            Some(Step::Entry) => visitor.visit_map(OneKey { key: Some(STRANGE), probe: self.further() }),
            _ => self.note(Seen::Map),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match fields {
            [start, end, value] if name == SPANNED => {
                visitor.visit_map(Place { names: vec![*value, *end, *start], value: self })
            }
            fields => self.table(fields, visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Refusal> {
        self.value(Shape::Choice(variants))
    }
}

//! What a type is shown by a probe, and how it refuses that.

use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IntoDeserializer as _, MapAccess, SeqAccess, Visitor,
};

use super::probe::Probe;

/// How a type asks for its value together with the place of that.
pub(super) const SPANNED: &str = "$__serde_spanned_private_Spanned";

/// How a type refuses what it is shown.
#[derive(Debug)]
pub(super) enum Refusal {
    WrongType,
    UnknownField(&'static [&'static str]),
    MissingField(&'static str),
    Other,
}

/// An array of one value, or of none.
pub(super) struct OneEntry<'a>(pub(super) Option<Probe<'a>>);

impl<'de> SeqAccess<'de> for OneEntry<'_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refusal> {
        self.0.take().map(|probe| seed.deserialize(probe)).transpose()
    }
}

/// A table of one key, or of none.
pub(super) struct OneKey<'a> {
    pub(super) key: Option<&'static str>,
    pub(super) probe: Probe<'a>,
}

impl<'de> MapAccess<'de> for OneKey<'_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        self.key.take().map(|key| seed.deserialize(Key(key))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        seed.deserialize(self.probe)
    }
}

/// A value with its place, as the reader of TOML tells it: where it begins, where it ends, and itself.
pub(super) struct Place<D> {
    /// What is still to come, last first.
    pub(super) names: Vec<&'static str>,
    pub(super) value: D,
}

impl<'de, D: Deserializer<'de, Error = Refusal> + Copy> MapAccess<'de> for Place<D> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        self.names.pop().map(|name| seed.deserialize(Key(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        if self.names.is_empty() {
            seed.deserialize(self.value)
        } else {
            seed.deserialize(0_u64.into_deserializer())
        }
    }
}

/// The name of a key, with a place if that is asked for.
#[derive(Clone, Copy)]
struct Key(&'static str);

impl<'de> Deserializer<'de> for Key {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_borrowed_str(self.0)
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
            _ => Err(Refusal::WrongType),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no value")
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(_: T) -> Refusal {
        Refusal::Other
    }

    fn invalid_type(_: de::Unexpected<'_>, _: &dyn Expected) -> Refusal {
        Refusal::WrongType
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Refusal {
        Refusal::UnknownField(expected)
    }

    fn missing_field(field: &'static str) -> Refusal {
        Refusal::MissingField(field)
    }
}

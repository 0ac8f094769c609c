//! The JSON Schema of the site file (draft 7, which editors know best), so that they complete it and underline mistakes.

use serde_json::{Map, Value, json};

use super::known::Known;
use super::shape::{Field, Shape, Strict};
use super::words::word_for;

const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

impl Known {
    /// The JSON Schema of the files that this program reads, with the sections and applications that it knows.
    pub(crate) fn schema(&self, program: &str) -> Value {
        let mut sections = Map::new();
        for (name, shape) in self.shapes() {
            sections.insert(name.to_owned(), self.value(name, &shape));
        }
        let required: &[&str] = if self.routes_are_needed() { &["route"] } else { &[] };
        json!({
            "$schema": DRAFT,
            "title": format!("the site file of {program}"),
            "type": "object",
            "properties": sections,
            "required": required,
            "additionalProperties": false,
        })
    }

    fn value(&self, key: &str, shape: &Shape) -> Value {
        let mut value = match shape {
            Shape::Anything => json!({}),
            Shape::Flag => json!({ "type": "boolean" }),
            Shape::Whole(least, most) => whole(*least, *most),
            Shape::Number => json!({ "type": "number" }),
            Shape::Text(_) => self.text(key),
            Shape::Choice(choices) => json!({ "type": "string", "enum": choices }),
            Shape::List(entry) => json!({ "type": "array", "items": self.value_inside(key, entry) }),
            Shape::Map(entry) => {
                json!({ "type": "object", "additionalProperties": self.value_inside(key, entry) })
            }
            Shape::Table(fields, strict) => self.table(key, fields, *strict),
            Shape::OneOf(shapes, _) => {
                let shapes: Vec<Value> = shapes.iter().map(|shape| self.value_inside(key, shape)).collect();
                json!({ "anyOf": shapes })
            }
        };
        if let (Some(text), Some(object)) = (description(key, shape), value.as_object_mut()) {
            object.insert("description".to_owned(), text.into());
        }
        value
    }

    /// What is said of a key is said once, and not again of what is in it.
    fn value_inside(&self, key: &str, shape: &Shape) -> Value {
        let mut value = self.value(key, shape);
        if let Some(object) = value.as_object_mut() {
            object.remove("description");
        }
        value
    }

    fn text(&self, key: &str) -> Value {
        if key == "route.app" && !self.apps().is_empty() {
            return json!({ "type": "string", "enum": self.apps() });
        }
        match word_for(key) {
            Some(word) if !word.choices.is_empty() => json!({ "type": "string", "enum": word.choices }),
            _ => json!({ "type": "string" }),
        }
    }

    fn table(&self, key: &str, fields: &[Field], strict: Strict) -> Value {
        let mut keys = Map::new();
        for Field { name, shape, .. } in fields {
            keys.insert((*name).to_owned(), self.value(&format!("{key}.{name}"), shape));
        }
        let required: Vec<&str> =
            fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
        json!({ "type": "object", "properties": keys, "required": required, "additionalProperties": !strict })
    }
}

/// The ends that every number of TOML has go without saying.
fn whole(least: i64, most: i64) -> Value {
    let mut value = json!({ "type": "integer" });
    if least > i64::MIN {
        value["minimum"] = least.into();
    }
    if most < i64::MAX {
        value["maximum"] = most.into();
    }
    value
}

/// What the key means, and what its type says of its values.
fn description(key: &str, shape: &Shape) -> Option<String> {
    const SAY_NOTHING: [&str; 2] = ["a string", "path string"];
    let meaning = word_for(key).map(|word| word.meaning.to_owned());
    let says = match shape {
        Shape::Text(says) | Shape::OneOf(_, says) => {
            Some(says).filter(|says| !SAY_NOTHING.contains(&says.as_str()))
        }
        _ => None,
    };
    match (meaning, says) {
        (Some(meaning), Some(says)) => Some(format!("{meaning}\n\nIt is {says}.")),
        (meaning, says) => meaning.or_else(|| says.map(|says| format!("It is {says}."))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use std::collections::BTreeSet;

    use super::*;
    use crate::site::shape::fields_of;
    use crate::site::words::WORDS;
    use crate::site::{HttpSection, Section, SiteFile};

    /// All keys of a schema, with dots: `http.listen`.
    fn keys(schema: &Value, above: &str, found: &mut BTreeSet<String>) {
        let inside = ["items", "additionalProperties"].into_iter().filter_map(|word| schema.get(word));
        let one_of = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        inside.chain(one_of).for_each(|schema| keys(schema, above, found));
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            keys(schema, &key, found);
            found.insert(key);
        }
    }

    #[test]
    fn every_key_that_the_parser_knows_is_in_the_schema_and_is_explained() {
        let known = Known::new();
        let mut found = BTreeSet::new();
        keys(&known.schema("sitebus"), "", &mut found);
        for (section, fields) in known.fields() {
            assert!(found.contains(section), "[{section}] is not in the schema");
            for field in fields {
                let key = format!("{section}.{field}");
                assert!(found.contains(&key), "`{key}` is not in the schema");
            }
        }
        assert!(fields_of::<HttpSection>().contains(&"listen"));
        let explained: BTreeSet<String> = WORDS.iter().map(|word| word.key.to_owned()).collect();
        assert_eq!(explained, found, "write into words.rs what each key means, and nothing of others");
        assert_eq!(explained.len(), WORDS.len(), "write it once");
    }

    #[test]
    fn a_choice_that_the_schema_offers_is_taken_and_another_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let accepts = |key: &str, value: &str| {
            let (section, key) = key.split_once('.').unwrap();
            let text = format!("[{section}]\n{key} = \"{value}\"\n[[route]]\npath = '/'\nrespond = {{}}\n");
            let file = SiteFile::from_text(folder.path().join("site.toml"), &text, &[]).unwrap();
            Known::new().check(&file)
        };
        for word in WORDS.iter().filter(|word| !word.choices.is_empty()) {
            for choice in word.choices {
                assert!(accepts(word.key, choice).is_ok(), "{} = {choice}", word.key);
            }
            assert!(accepts(word.key, "something else").is_err(), "{}", word.key);
        }
    }

    #[test]
    fn the_schema_says_what_the_parser_says() {
        let mut known = Known::new();
        known.section::<Mail>("mail").unwrap();
        known.app("shop");
        let schema = known.schema("shop");
        let at = |pointer: &str| schema.pointer(pointer).unwrap_or(&Value::Null).clone();
        assert_eq!(at("/$schema"), DRAFT);
        assert_eq!(at("/required"), json!(["route"]));
        assert_eq!(at("/additionalProperties"), json!(false));
        assert_eq!(at("/properties/http/properties/threads/maximum"), json!(65535));
        assert_eq!(at("/properties/http/properties/listen/items/type"), json!("string"));
        assert_eq!(at("/properties/http/additionalProperties"), json!(false));
        assert_eq!(at("/properties/route/type"), json!("array"));
        assert_eq!(at("/properties/route/items/required"), json!(["path"]));
        assert_eq!(at("/properties/route/items/properties/app/enum"), json!(["shop"]));
        let redirect = at("/properties/route/items/properties/redirect/anyOf");
        assert_eq!(redirect[0], json!({ "type": "string" }));
        assert_eq!(redirect[1]["required"], json!(["to"]));
        assert_eq!(at("/properties/signals/additionalProperties/type"), json!("string"));
        assert_eq!(at("/properties/log/properties/format/enum"), json!(["human", "json"]));
        let idle = at("/properties/http/properties/idle_timeout/description");
        assert!(
            idle.as_str().unwrap().ends_with("It is a duration such as \"10s\", \"500ms\" or \"1m30s\".")
        );
        assert_eq!(at("/properties/mail/properties/via/enum"), json!(["smtp", "pipe"]));
        assert_eq!(at("/properties/mail/required"), json!(["from"]));
        assert_eq!(at("/properties/mail/additionalProperties"), json!(true));
        known.needs_routes(false);
        assert_eq!(known.schema("shop")["required"], json!([]));
    }

    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "only its shape is asked for")]
    struct Mail {
        from: String,
        via: Option<Via>,
    }

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Via {
        Smtp,
        Pipe,
    }

    impl Section for Mail {}
}

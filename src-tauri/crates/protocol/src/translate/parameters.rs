//! The schemas of tools, made acceptable for the backend, and otherwise left alone byte for byte.
//!
//! Not here: schemas of an answer (`schema`), which strict mode wants in another form.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::notes::{Notes, What};
use crate::failure::Failure;
use crate::openai::request::Schema;

/// What the backend takes inside a schema, but not at its top.
const NOT_AT_THE_TOP: [&str; 5] = ["oneOf", "anyOf", "allOf", "enum", "not"];

/// A schema the backend takes: an object schema, without `$schema` and `format: "uri"` (R28, R29). What may not stand at its top comes back
/// in words, for the description. Everything else stays as it is.
pub(super) fn parameters<'a>(
    schema: Option<&'a RawValue>,
    t: usize,
    notes: &mut Notes,
) -> Result<(Schema<'a>, Option<String>), Failure> {
    let members = match schema {
        None => Vec::new(),
        Some(raw) if raw.get() == "null" => Vec::new(),
        Some(raw) => {
            serde_json::from_str::<Members<'a>>(raw.get())
                .map_err(|error| {
                    let message = crate::json::without_position(&error);
                    Failure::invalid(format!("tools.{t}.input_schema"), message)
                })?
                .0
        }
    };
    let is = |wanted: &str, accepted: fn(&str) -> bool| {
        members.iter().any(|(key, value)| key == wanted && accepted(value.get()))
    };
    let is_object = is("type", |value| value == "\"object\"");
    let properties = is("properties", |value| value.starts_with('{'));
    let unwelcome = |key: &str| {
        key == "$schema"
            || (key == "type" && !is_object)
            || (key == "properties" && !properties)
            || NOT_AT_THE_TOP.contains(&key)
    };
    if let Some(raw) = schema
        && is_object
        && properties
        && !members.iter().any(|(key, _)| unwelcome(key))
    {
        return Ok((as_it_is(raw, format_args!("tools.{t}.input_schema"), notes), None));
    }
    for (key, value) in &members {
        let replaced = match key.as_ref() {
            "type" => !is_object && value.get() != "null",
            "properties" => !properties && value.get() != "null",
            _ => false,
        };
        if replaced {
            let detail = "the input of a tool is an object with described members upstream";
            notes.add(What::Adjusted, format!("tools.{t}.input_schema.{key}"), detail);
        }
    }
    let mut without_uri = false;
    let mut in_words: Vec<String> = Vec::new();
    let mut rewritten: Vec<(Cow<'a, str>, Cow<'a, RawValue>)> = Vec::with_capacity(members.len() + 2);
    if !is_object {
        rewritten.push((Cow::Borrowed("type"), raw("\"object\"")));
    }
    for (key, value) in members {
        if NOT_AT_THE_TOP.contains(&key.as_ref()) {
            in_words.push(format!("\"{key}\":{}", value.get()));
        } else if !unwelcome(&key) {
            let value = match member_without_uri(&key, value) {
                Some(value) => {
                    without_uri = true;
                    raw(&value)
                }
                None => Cow::Borrowed(value),
            };
            rewritten.push((key, value));
        }
    }
    if without_uri {
        notes.add(What::Dropped, format!("tools.{t}.input_schema"), NO_URI);
    }
    if !properties {
        rewritten.push((Cow::Borrowed("properties"), raw("{}")));
    }
    let rule = (!in_words.is_empty())
        .then(|| format!("The input must also satisfy this JSON Schema: {{{}}}", in_words.join(",")));
    Ok((Schema::Members(rewritten), rule))
}

/// Why a `format` is gone.
const NO_URI: &str = "format \"uri\": the backend refuses a schema with it";

/// A schema without `format: "uri"` (R29), which the backend refuses the whole request for; all other bytes are kept.
pub(super) fn as_it_is<'a>(schema: &'a RawValue, place: impl fmt::Display, notes: &mut Notes) -> Schema<'a> {
    let rewritten = without_uri(schema.get()).and_then(|json| RawValue::from_string(json).ok());
    match rewritten {
        Some(rewritten) => {
            notes.add(What::Dropped, place.to_string(), NO_URI);
            Schema::Rewritten(rewritten)
        }
        None => Schema::Raw(schema),
    }
}

/// `None`: there is nothing to leave out.
fn without_uri(schema: &str) -> Option<String> {
    if !schema.contains("\"uri\"") {
        return None;
    }
    if schema.starts_with('[') {
        let schemas: Vec<&RawValue> = serde_json::from_str(schema).ok()?;
        let rewritten: Vec<_> = schemas.iter().map(|schema| without_uri(schema.get())).collect();
        let all = schemas.iter().zip(&rewritten).map(|(schema, new)| new.as_deref().unwrap_or(schema.get()));
        return rewritten
            .iter()
            .any(Option::is_some)
            .then(|| format!("[{}]", all.collect::<Vec<_>>().join(",")));
    }
    members_without_uri(schema, |key, value| match (key, value.get()) {
        ("format", "\"uri\"") => Kept::No,
        _ => member_without_uri(key, value).map_or(Kept::AsItIs, Kept::Rewritten),
    })
}

/// The same for what a member of a schema holds: schemas by name, a schema or several, or data, which is left alone.
fn member_without_uri(key: &str, value: &RawValue) -> Option<String> {
    match key {
        "default" | "enum" | "const" | "examples" => None,
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => {
            members_without_uri(value.get(), |_, schema| {
                without_uri(schema.get()).map_or(Kept::AsItIs, Kept::Rewritten)
            })
        }
        _ => without_uri(value.get()),
    }
}

/// What becomes of a member.
enum Kept {
    AsItIs,
    Rewritten(String),
    No,
}

/// `None`: all members stay as they are, or it is no object.
fn members_without_uri(object: &str, decide: impl Fn(&str, &RawValue) -> Kept) -> Option<String> {
    if !object.starts_with('{') || !object.contains("\"uri\"") {
        return None;
    }
    let Members(members) = serde_json::from_str(object).ok()?;
    let mut changed = false;
    let mut kept: Vec<String> = Vec::with_capacity(members.len());
    for (key, value) in members {
        let value = match decide(&key, value) {
            Kept::AsItIs => value.get().to_owned(),
            Kept::Rewritten(value) => {
                changed = true;
                value
            }
            Kept::No => {
                changed = true;
                continue;
            }
        };
        kept.push(format!("{}:{value}", serde_json::to_string(&key).ok()?));
    }
    changed.then(|| format!("{{{}}}", kept.join(",")))
}

fn raw<'a>(json: &str) -> Cow<'a, RawValue> {
    match RawValue::from_string(json.to_owned()) {
        Ok(raw) => Cow::Owned(raw),
        Err(_) => Cow::Borrowed(RawValue::NULL),
    }
}

/// The members of an object in their order, values untouched.
pub(super) struct Members<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON Schema object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(json: &str) -> String {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        serde_json::to_string(&parameters(Some(raw), 0, &mut Notes::default()).unwrap().0).unwrap()
    }

    #[test]
    fn schemas_are_made_acceptable_and_otherwise_left_alone() {
        for (before, after) in [
            (r#"{}"#, r#"{"type":"object","properties":{}}"#),
            (r#"null"#, r#"{"type":"object","properties":{}}"#),
            (r#"{"type":"object"}"#, r#"{"type":"object","properties":{}}"#),
            (
                r#"{"$schema":"x","type":"object","properties":{"b":{},"a":{"pattern":"^\\d"}},"required":["a"]}"#,
                r#"{"type":"object","properties":{"b":{},"a":{"pattern":"^\\d"}},"required":["a"]}"#,
            ),
            (
                r#"{"type":"object", "properties":{}, "$defs":{"x":1}}"#,
                r#"{"type":"object", "properties":{}, "$defs":{"x":1}}"#,
            ),
            (r#"{"type":"object","properties":null}"#, r#"{"type":"object","properties":{}}"#),
            (
                r#"{"type":"object","properties":{"a":{}},"anyOf":[{"required":["a"]}],"title":"t"}"#,
                r#"{"type":"object","properties":{"a":{}},"title":"t"}"#,
            ),
        ] {
            assert_eq!(schema(before), after, "{before}");
        }
    }

    #[test]
    fn the_format_uri_is_left_out_wherever_it_restricts_and_nowhere_else() {
        for (before, after) in [
            (
                r#"{"type":"object","properties":{"url":{"type":"string","format":"uri" , "minLength": 1.50},"n":{}}}"#,
                r#"{"type":"object","properties":{"url":{"type":"string","minLength":1.50},"n":{}}}"#,
            ),
            // A member called format, and data that looks like a schema.
            (
                r#"{"type":"object","properties":{"format":{"enum":["uri"],"default":{"format":"uri"}}}}"#,
                r#"{"type":"object","properties":{"format":{"enum":["uri"],"default":{"format":"uri"}}}}"#,
            ),
            (
                r#"{"$schema":"x","type":"object","properties":{},"$defs":{"u":{"anyOf":[{"format":"uri"},{"format":"uuid"}]}}}"#,
                r#"{"type":"object","properties":{},"$defs":{"u":{"anyOf":[{},{"format":"uuid"}]}}}"#,
            ),
            (
                r#"{"type":"object","properties":{"l":{"items":{"\u0061":1,"format":"uri"}}},"additionalProperties":{"format":"uri"}}"#,
                r#"{"type":"object","properties":{"l":{"items":{"a":1}}},"additionalProperties":{}}"#,
            ),
        ] {
            assert_eq!(schema(before), after, "{before}");
            let raw: &RawValue = serde_json::from_str(before).unwrap();
            let mut notes = Notes::default();
            let _unused = parameters(Some(raw), 3, &mut notes).unwrap();
            let told: Vec<&str> = notes.0.iter().map(|note| note.place.as_str()).collect();
            let expected: &[&str] = if before == after { &[] } else { &["tools.3.input_schema"] };
            assert_eq!(told, expected, "{before}");
        }
    }

    #[test]
    fn what_may_not_stand_at_the_top_of_a_schema_is_said_in_words() {
        let raw: &RawValue =
            serde_json::from_str(r#"{"anyOf":[{"required":["a"]}],"type":"object","not":{}}"#).unwrap();
        let (_, rule) = parameters(Some(raw), 0, &mut Notes::default()).unwrap();
        assert_eq!(
            rule.as_deref(),
            Some(r#"The input must also satisfy this JSON Schema: {"anyOf":[{"required":["a"]}],"not":{}}"#)
        );
    }
}

//! A smallest value that satisfies a JSON schema, for the arguments of tools and for structured answers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize, Default)]
struct Schema<'a> {
    #[serde(rename = "type", default)]
    kind: Option<Kinds>,
    #[serde(borrow, default)]
    properties: BTreeMap<String, &'a RawValue>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
    #[serde(rename = "minItems", default)]
    min_items: Option<f64>,
    #[serde(borrow, rename = "enum", default)]
    words: Vec<&'a RawValue>,
    #[serde(borrow, rename = "const", default)]
    constant: Option<&'a RawValue>,
    #[serde(borrow, rename = "anyOf", alias = "oneOf", default)]
    any_of: Vec<&'a RawValue>,
    #[serde(default)]
    minimum: Option<f64>,
    #[serde(default)]
    format: Option<String>,
}

struct Kinds(String);

impl<'de> Deserialize<'de> for Kinds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // `"type": ["string", "null"]`: the first is as good as any.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let first =
            serde_json::from_str::<Vec<String>>(raw.get()).ok().and_then(|kinds| kinds.into_iter().next());
        Ok(Self(first.or_else(|| serde_json::from_str(raw.get()).ok()).unwrap_or_default()))
    }
}

/// The value as JSON; strings that may be anything are this text.
pub(super) fn example(schema: &RawValue, text: &str) -> String {
    value(schema, text, 0)
}

fn value(raw: &RawValue, text: &str, depth: usize) -> String {
    // References into the schema itself may go round in circles.
    if depth > 16 {
        return "null".to_owned();
    }
    let schema: Schema<'_> = serde_json::from_str(raw.get()).unwrap_or_default();
    if let Some(given) = schema.constant.or(schema.words.first().copied()) {
        return given.get().to_owned();
    }
    if let Some(first) = schema.any_of.first() {
        return value(first, text, depth + 1);
    }
    let kind = schema.kind.as_ref().map(|kind| kind.0.as_str());
    match kind {
        Some("object") => object(&schema, text, depth),
        None if !schema.properties.is_empty() => object(&schema, text, depth),
        Some("array") => {
            let count = schema.min_items.unwrap_or(0.0).clamp(0.0, 8.0) as usize;
            let item = schema.items.map_or_else(|| quoted(text), |items| value(items, text, depth + 1));
            format!("[{}]", vec![item; count].join(","))
        }
        Some("integer" | "number") => format!("{}", schema.minimum.unwrap_or(1.0).ceil() as i64),
        Some("boolean") => "false".to_owned(),
        Some("null") => "null".to_owned(),
        _ => match schema.format.as_deref() {
            Some("uri" | "url") => quoted("https://example.com/"),
            _ => quoted(text),
        },
    }
}

fn object(schema: &Schema<'_>, text: &str, depth: usize) -> String {
    let members: Vec<String> = schema
        .required
        .iter()
        .map(|name| {
            let member =
                schema.properties.get(name).map_or_else(|| quoted(text), |raw| value(raw, text, depth + 1));
            format!("{}:{member}", quoted(name))
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

/// The text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_required_members_are_there_and_nothing_else() {
        for (schema, expected) in [
            (r#"{}"#, r#""demo""#),
            (r#"{"type":"object"}"#, "{}"),
            (
                r#"{"type":"object","properties":{"path":{"type":"string"},"n":{"type":"integer","minimum":3},"o":{}},
                    "required":["path","n"]}"#,
                r#"{"path":"demo","n":3}"#,
            ),
            (r#"{"properties":{"k":{"enum":["a","b"]}},"required":["k"]}"#, r#"{"k":"a"}"#),
            (
                r#"{"type":"object","properties":{"l":{"type":"array","minItems":2,"items":{"type":"boolean"}},
                    "u":{"type":["string","null"],"format":"uri"},"x":{"anyOf":[{"type":"null"}]},"c":{"const":7}},
                    "required":["l","u","x","c"]}"#,
                r#"{"l":[false,false],"u":"https://example.com/","x":null,"c":7}"#,
            ),
        ] {
            let schema: Box<RawValue> = serde_json::from_str(schema).unwrap();
            assert_eq!(example(&schema, "demo"), expected);
        }
    }
}

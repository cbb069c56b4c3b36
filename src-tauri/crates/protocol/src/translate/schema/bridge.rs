//! A client's schema → one that strict mode takes, if that loses nothing.
//!
//! Strict mode wants every member required and no others, and takes a subset of JSON Schema only. An optional member
//! becomes required and nullable; the null that the model then writes for "not there" is taken out again by
//! [`super::check`]. What has no such form (maps, `oneOf`, `not`, lengths, free objects …) makes the whole schema go
//! out as it is, without strict mode.

use super::check::{Checker, is_required, resolve};
use super::tree::Json;

/// OpenAI's limits of strict mode.
const MAX_NESTING: usize = 10;
const MAX_PROPERTIES: usize = 5_000;

/// Constraints that strict mode takes as they are.
const KEPT: [&str; 14] = [
    "type",
    "description",
    "title",
    "enum",
    "const",
    "pattern",
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "format",
];
/// `format`s that strict mode knows.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];
/// Remarks that restrict nothing: strict mode refuses them, and the answer is the same without.
const REMARKS: [&str; 8] =
    ["default", "examples", "$schema", "$id", "$comment", "deprecated", "readOnly", "writeOnly"];

/// A schema for strict mode.
#[derive(Debug)]
pub(super) struct Bridged {
    pub(super) schema: Json,
    /// Remarks that were left out.
    pub(super) left_out: Vec<&'static str>,
}

/// The schema for strict mode, or why there is none.
pub(super) fn bridge(root: &Json) -> Result<Bridged, String> {
    if root.get("type").and_then(Json::as_str) != Some("object") {
        return Err("strict mode wants an object".to_owned());
    }
    let mut work = Work { root, properties: 0, left_out: Vec::new() };
    let schema = work.schema(root, 0)?;
    Ok(Bridged { schema, left_out: work.left_out })
}

struct Work<'s> {
    root: &'s Json,
    properties: usize,
    left_out: Vec<&'static str>,
}

impl Work<'_> {
    fn schema(&mut self, schema: &Json, depth: usize) -> Result<Json, String> {
        let Json::Object(members) = schema else { return Err("it allows anything in one place".to_owned()) };
        if depth > MAX_NESTING {
            return Err(format!("it is nested deeper than {MAX_NESTING} levels"));
        }
        if let Some(reference) = schema.get("$ref") {
            return self.reference(members, reference, depth);
        }
        let mut bridged = Vec::with_capacity(members.len() + 2);
        for (key, value) in members {
            let value = match key.as_str() {
                "properties" => self.properties(schema, value, depth)?,
                "items" => self.schema(value, depth + 1)?,
                "anyOf" => self.list(value, depth)?,
                // One part of allOf is that part (older schema makers wrap references so).
                "allOf"
                    if value.as_array().is_some_and(|parts| parts.len() == 1)
                        && schema.get("anyOf").is_none() =>
                {
                    bridged.push(("anyOf".to_owned(), self.list(value, depth)?));
                    continue;
                }
                "$defs" | "definitions" if depth == 0 => self.definitions(value)?,
                "required" | "additionalProperties" => continue,
                "format" if !value.as_str().is_some_and(|format| FORMATS.contains(&format)) => {
                    return Err(format!("strict mode has no format {}", value.to_text()));
                }
                key if KEPT.contains(&key) => value.clone(),
                key => match REMARKS.iter().find(|remark| **remark == key) {
                    Some(remark) => {
                        if !self.left_out.contains(remark) {
                            self.left_out.push(remark);
                        }
                        continue;
                    }
                    None => return Err(format!("strict mode has no {key}")),
                },
            };
            bridged.push((key.clone(), value));
        }
        self.close(schema, &mut bridged)?;
        Ok(Json::Object(bridged))
    }

    /// Objects list all their members; whatever has no type gets the one that its values have.
    fn close(&mut self, schema: &Json, bridged: &mut Vec<(String, Json)>) -> Result<(), String> {
        let names = |kind: &str| match schema.get("type") {
            Some(Json::String(word)) => word == kind,
            Some(Json::Array(words)) => words.iter().any(|word| word.as_str() == Some(kind)),
            _ => false,
        };
        let properties = schema.get("properties").and_then(Json::as_object).unwrap_or_default();
        if names("object") {
            match schema.get("additionalProperties") {
                None if !properties.is_empty() => {}
                Some(Json::Bool(false)) => {}
                _ => return Err("it has an object with members of any name".to_owned()),
            }
            let required = schema.get("required").and_then(Json::as_array).unwrap_or_default();
            let unknown =
                |name: &Json| name.as_str().is_none_or(|name| !properties.iter().any(|(key, _)| key == name));
            if required.iter().any(unknown) {
                return Err("it requires a member that it does not describe".to_owned());
            }
            if properties.is_empty() {
                bridged.push(("properties".to_owned(), Json::Object(Vec::new())));
            }
            let all = properties.iter().map(|(key, _)| Json::String(key.clone())).collect();
            bridged.push(("required".to_owned(), Json::Array(all)));
            bridged.push(("additionalProperties".to_owned(), Json::Bool(false)));
        } else if !properties.is_empty() {
            return Err("it describes members of something that is no object".to_owned());
        }
        if names("array") && schema.get("items").is_none() {
            return Err("it has a list of anything".to_owned());
        }
        if schema.get("type").is_none() && schema.get("anyOf").is_none() && schema.get("allOf").is_none() {
            let values = match (schema.get("const"), schema.get("enum").and_then(Json::as_array)) {
                (Some(value), _) => std::slice::from_ref(value),
                (None, values) => values.unwrap_or_default(),
            };
            let kind = values.first().map(Json::kind).ok_or("it allows anything in one place")?;
            if values.iter().any(|value| value.kind() != kind) || matches!(kind, "array" | "object") {
                return Err("it lists values of several types".to_owned());
            }
            bridged.insert(0, ("type".to_owned(), Json::String(kind.to_owned())));
        }
        Ok(())
    }

    fn properties(&mut self, schema: &Json, properties: &Json, depth: usize) -> Result<Json, String> {
        let Json::Object(members) = properties else { return Err("its properties are no object".to_owned()) };
        self.properties += members.len();
        if self.properties > MAX_PROPERTIES {
            return Err(format!("it has more than {MAX_PROPERTIES} members"));
        }
        let bridged = members.iter().map(|(key, property)| {
            let strict = self.schema(property, depth + 1)?;
            // Where the client's own schema takes a null, a null is an answer and not a stand-in.
            let nullable = is_required(schema, key) || Checker::new(self.root, false).takes_null(property);
            Ok((key.clone(), if nullable { strict } else { or_null(strict) }))
        });
        bridged.collect::<Result<_, String>>().map(Json::Object)
    }

    fn list(&mut self, branches: &Json, depth: usize) -> Result<Json, String> {
        let branches = branches.as_array().ok_or("its alternatives are no list")?;
        let bridged = branches.iter().map(|branch| self.schema(branch, depth + 1));
        bridged.collect::<Result<_, _>>().map(Json::Array)
    }

    fn definitions(&mut self, definitions: &Json) -> Result<Json, String> {
        let definitions = definitions.as_object().ok_or("its definitions are no object")?;
        let bridged = definitions.iter().map(|(name, schema)| Ok((name.clone(), self.schema(schema, 1)?)));
        bridged.collect::<Result<_, String>>().map(Json::Object)
    }

    /// A reference may have nothing beside it: what describes it moves around it.
    fn reference(
        &mut self,
        members: &[(String, Json)],
        reference: &Json,
        depth: usize,
    ) -> Result<Json, String> {
        let target = reference.as_str().and_then(|at| resolve(self.root, at));
        if target.is_none() {
            return Err(format!("the reference {} leads out of it", reference.to_text()));
        }
        let alone = Json::Object(vec![("$ref".to_owned(), reference.clone())]);
        let mut around = Vec::new();
        for (key, value) in members {
            match key.as_str() {
                "$ref" => {}
                "description" | "title" => around.push((key.clone(), value.clone())),
                "$defs" | "definitions" if depth == 0 => around.push((key.clone(), self.definitions(value)?)),
                other if REMARKS.contains(&other) => {
                    self.left_out.extend(REMARKS.iter().filter(|remark| **remark == other));
                }
                other => return Err(format!("it has {other} beside a reference")),
            }
        }
        if around.is_empty() {
            return Ok(alone);
        }
        around.push(("anyOf".to_owned(), Json::Array(vec![alone])));
        Ok(Json::Object(around))
    }
}

fn or_null(schema: Json) -> Json {
    let null = Json::Object(vec![("type".to_owned(), Json::String("null".to_owned()))]);
    Json::Object(vec![("anyOf".to_owned(), Json::Array(vec![schema, null]))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(schema: &str) -> Result<String, String> {
        bridge(&serde_json::from_str(schema).unwrap()).map(|bridged| bridged.schema.to_text())
    }

    #[test]
    fn schemas_become_strict_where_nothing_is_lost() {
        for (before, after) in [
            (
                r#"{"type":"object","properties":{"t":{"type":"string"}},"required":["t"],"additionalProperties":false}"#,
                r#"{"type":"object","properties":{"t":{"type":"string"}},"required":["t"],"additionalProperties":false}"#,
            ),
            // Optional: nullable and required. Nullable already: required only. Order as it was.
            (
                r#"{"type":"object","properties":{"z":{"type":"integer","minimum":1},"a":{"anyOf":[{"type":"string"},{"type":"null"}],"default":null}}}"#,
                r#"{"type":"object","properties":{"z":{"anyOf":[{"type":"integer","minimum":1},{"type":"null"}]},"a":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["z","a"],"additionalProperties":false}"#,
            ),
            // Nested objects and lists.
            (
                r#"{"type":"object","properties":{"l":{"type":"array","items":{"type":"object","properties":{"x":{"type":"boolean"}}}}},"required":["l"]}"#,
                r#"{"type":"object","properties":{"l":{"type":"array","items":{"type":"object","properties":{"x":{"anyOf":[{"type":"boolean"},{"type":"null"}]}},"required":["x"],"additionalProperties":false}}},"required":["l"],"additionalProperties":false}"#,
            ),
            // References, with a description beside one, and to the whole.
            (
                r##"{"type":"object","properties":{"n":{"$ref":"#/$defs/N","description":"d"},"me":{"$ref":"#"}},"required":["n"],"$defs":{"N":{"type":"object","properties":{"v":{"enum":["a","b"]}},"required":["v"]}}}"##,
                r##"{"type":"object","properties":{"n":{"description":"d","anyOf":[{"$ref":"#/$defs/N"}]},"me":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"$defs":{"N":{"type":"object","properties":{"v":{"type":"string","enum":["a","b"]}},"required":["v"],"additionalProperties":false}},"required":["n","me"],"additionalProperties":false}"##,
            ),
            (
                r##"{"type":"object","properties":{"n":{"allOf":[{"$ref":"#/definitions/N"}]}},"required":["n"],"definitions":{"N":{"type":"null"}}}"##,
                r##"{"type":"object","properties":{"n":{"anyOf":[{"$ref":"#/definitions/N"}]}},"definitions":{"N":{"type":"null"}},"required":["n"],"additionalProperties":false}"##,
            ),
            (
                r#"{"type":"object","additionalProperties":false}"#,
                r#"{"type":"object","properties":{},"required":[],"additionalProperties":false}"#,
            ),
        ] {
            assert_eq!(strict(before).as_deref(), Ok(after), "{before}");
        }
    }

    #[test]
    fn what_strict_mode_would_lose_is_not_bridged() {
        let with = |property: &str| format!(r#"{{"type":"object","properties":{{"p":{property}}}}}"#);
        for schema in [
            r#"{"type":"array","items":{"type":"string"}}"#.to_owned(),
            r#"{"anyOf":[{"type":"object","properties":{"a":{"type":"null"}}}]}"#.to_owned(),
            r#"{"type":"object"}"#.to_owned(),
            r#"{"type":"object","properties":{"a":{"type":"null"}},"additionalProperties":true}"#.to_owned(),
            r#"{"type":"object","properties":{"a":{"type":"null"}},"required":["b"]}"#.to_owned(),
            with(r#"{"type":"object","additionalProperties":{"type":"string"}}"#),
            with("{}"),
            with("true"),
            with(r#"{"type":"string","minLength":1}"#),
            with(r#"{"type":"string","format":"uri"}"#),
            with(r#"{"oneOf":[{"type":"string"}]}"#),
            with(r#"{"not":{"type":"string"}}"#),
            with(r#"{"allOf":[{"type":"string"},{"minLength":1}]}"#),
            with(r#"{"type":"array"}"#),
            with(r#"{"type":"array","items":{"type":"string"},"uniqueItems":true}"#),
            with(r#"{"enum":["a",1]}"#),
            with(r#"{"$ref":"other.json"}"#),
            with(r##"{"$ref":"#/$defs/gone"}"##),
        ] {
            assert!(strict(&schema).is_err(), "{schema}");
        }
    }
}

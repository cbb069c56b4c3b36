//! Structured output: the client's schema on its way upstream, and the answer on its way back (M22, R61, DECISIONS 16).
//!
//! Upstream the schema is bridged for strict mode, or goes as it is without strict mode. The answer is bridged back
//! and then checked against the *client's* schema: what breaks it is an error, never garbage for the client's parser.

mod bridge;
mod check;
mod tree;

use std::borrow::Cow;

use serde_json::value::RawValue;

use self::check::{Checker, Violation};
use self::tree::Json;
use super::notes::{Notes, What};
use super::parameters;
use crate::failure::Failure;
use crate::openai::request::{JsonSchemaFormat, Schema};

/// What the answer's text must be.
#[derive(Debug, Clone)]
pub struct Format {
    schema: Json,
    /// It went upstream with every member required.
    bridged: bool,
}

impl Format {
    /// Reads the client's schema: what goes upstream, and what the answer is measured by.
    ///
    /// # Errors
    /// [`Failure::Invalid`] for a schema that is no object.
    pub(super) fn of<'a>(
        raw: &'a RawValue,
        place: &str,
        notes: &mut Notes,
    ) -> Result<(Self, JsonSchemaFormat<'a>), Failure> {
        let schema = match serde_json::from_str::<Json>(raw.get()) {
            Ok(schema @ Json::Object(_)) => schema,
            Ok(other) => {
                let message = format_args!("a JSON Schema object is wanted, {} came", other.kind());
                return Err(Failure::invalid(place, message));
            }
            Err(error) => return Err(Failure::invalid(place, crate::json::without_position(&error))),
        };
        let (bridged, sent) = match bridge::bridge(&schema) {
            Ok(bridged) => {
                for remark in bridged.left_out {
                    notes.add(What::Dropped, place, format!("{remark}: strict mode takes no such remark"));
                }
                match RawValue::from_string(bridged.schema.to_text()) {
                    Ok(text) => (true, Schema::Rewritten(text)),
                    Err(_) => (false, parameters::as_it_is(raw, place, notes)),
                }
            }
            Err(why) => {
                let detail = format!("sent without strict mode and checked here: {why}");
                notes.add(What::Adjusted, place, detail);
                (false, parameters::as_it_is(raw, place, notes))
            }
        };
        let upstream =
            JsonSchemaFormat { kind: "json_schema", name: "answer", strict: bridged, schema: sent };
        Ok((Self { schema, bridged }, upstream))
    }

    /// The answer as the client's schema knows it: byte for byte, but for nulls that stand for nothing.
    ///
    /// # Errors
    /// [`Failure::BrokenFormat`] for an answer that is no JSON or breaks the schema.
    pub(super) fn fit<'t>(&self, answer: &'t str) -> Result<Cow<'t, str>, Failure> {
        self.fitted(answer).map_err(|violation| Failure::BrokenFormat { why: violation.to_string() })
    }

    fn fitted<'t>(&self, answer: &'t str) -> Result<Cow<'t, str>, Violation> {
        let value: Json = serde_json::from_str(answer).map_err(|error| {
            Violation::new("", format!("it is no JSON ({})", crate::json::without_position(&error)))
        })?;
        let fitted = Checker::new(&self.schema, self.bridged).fit(value.clone())?;
        Ok(if fitted == value { Cow::Borrowed(answer) } else { Cow::Owned(fitted.to_text()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(schema: &str) -> (Format, bool) {
        let raw: &RawValue = serde_json::from_str(schema).unwrap();
        let (format, upstream) =
            Format::of(raw, "output_config.format.schema", &mut Notes::default()).unwrap();
        (format, upstream.strict)
    }

    #[test]
    fn nulls_that_stand_for_nothing_are_taken_out_and_no_others() {
        let (format, strict) = format(
            r#"{"type":"object","required":["kept"],"properties":{
                "kept":{"type":["string","null"]},
                "gone":{"type":"string"},
                "nullable":{"anyOf":[{"type":"integer"},{"type":"null"}]},
                "list":{"type":"array","items":{"type":"object","properties":{"inner":{"type":"integer"}}}},
                "either":{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false},
                                   {"type":"object","properties":{"b":{"type":"string"}},"additionalProperties":false}]}
            }}"#,
        );
        assert!(strict);
        assert_eq!(
            format.fit(r#"{"kept":null,"gone":null,"nullable":null,"list":[{"inner":null},{"inner":1}],"either":{"b":null}}"#).unwrap(),
            r#"{"kept":null,"nullable":null,"list":[{},{"inner":1}],"either":{}}"#
        );
        let untouched = "{ \"kept\" : \"x\", \"gone\":\"1.50\" }";
        assert_eq!(format.fit(untouched).unwrap(), untouched);
    }

    #[test]
    fn without_strict_mode_a_null_is_the_models_own() {
        let (format, strict) =
            format(r#"{"type":"object","properties":{"s":{"type":"string","minLength":2}}}"#);
        assert!(!strict);
        assert!(format.fit(r#"{"s":"ab"}"#).is_ok());
        for broken in [r#"{"s":null}"#, r#"{"s":"a"}"#, "[]", "no JSON", "```json\n{}\n```", ""] {
            assert!(matches!(format.fit(broken), Err(Failure::BrokenFormat { .. })), "{broken}");
        }
    }
}

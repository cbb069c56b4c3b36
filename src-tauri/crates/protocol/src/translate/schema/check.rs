//! Does an answer satisfy the client's schema? A small checker of what schemas for answers are made of.
//!
//! Checked: `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`, `prefixItems`, the
//! limits of length, size and value, `multipleOf`, `uniqueItems`, `anyOf`, `oneOf`, `allOf`, `not`, local `$ref`.
//! Knowingly not checked, because they say nothing about the shape that a client's parser needs, or need an engine of
//! their own: `pattern`, `format`, `patternProperties`, `propertyNames`, `contains`, `dependent…`, `if`/`then`/`else`,
//! `unevaluated…`, references to other documents.

use std::cell::Cell;

use super::tree::Json;

/// A reference that leads to a reference, so often in a row, leads nowhere.
const MAX_DEPTH: usize = 256;

/// Where an answer leaves its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// A path like `/items/0/name`; empty for the whole answer.
    path: String,
    /// What is wrong there. No content: it goes into errors and logs.
    what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.what),
            path => write!(f, "{path}: {}", self.what),
        }
    }
}

impl Violation {
    pub(super) fn new(path: &str, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), what: what.into() }
    }
}

/// Alternatives of alternatives multiply: after so many steps an answer counts as too intricate to check.
const MAX_STEPS: u32 = 200_000;

/// A schema and the document that its references point into.
#[derive(Debug)]
pub(super) struct Checker<'s> {
    root: &'s Json,
    /// Take out the nulls that stand for members the model left out: the schema went upstream with every member
    /// required.
    bridged: bool,
    steps: Cell<u32>,
}

impl<'s> Checker<'s> {
    pub(super) fn new(root: &'s Json, bridged: bool) -> Self {
        Self { root, bridged, steps: Cell::new(0) }
    }

    /// The answer as the client's schema knows it.
    pub(super) fn fit(&self, value: Json) -> Result<Json, Violation> {
        self.at(self.root, value, "", 0)
    }

    fn at(&self, schema: &Json, value: Json, path: &str, depth: usize) -> Result<Json, Violation> {
        if depth > MAX_DEPTH {
            return Err(Violation::new(path, "the schema's references lead in a circle"));
        }
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MAX_STEPS {
            return Err(Violation::new(path, "the schema is too intricate to be checked"));
        }
        let Some(members) = schema.as_object() else {
            return match schema {
                Json::Bool(false) => Err(Violation::new(path, "nothing is allowed here")),
                _ => Ok(value),
            };
        };
        let mut value = value;
        if let Some(target) = schema.get("$ref").and_then(Json::as_str).and_then(|at| resolve(self.root, at))
        {
            value = self.at(target, value, path, depth + 1)?;
        }
        if let Some(branches) = schema.get("anyOf").and_then(Json::as_array) {
            value = self.any(branches, value, path, depth)?;
        }
        value = self.object(schema, value, path, depth)?;
        value = self.array(schema, value, path, depth)?;
        for (key, wanted) in members {
            if !self.holds(key, wanted, &value, depth) {
                return Err(Violation::new(path, broken(key, wanted, &value)));
            }
        }
        Ok(value)
    }

    /// Would this part of the schema take a null?
    pub(super) fn takes_null(&self, schema: &Json) -> bool {
        self.accepts(schema, &Json::Null, 0)
    }

    fn accepts(&self, schema: &Json, value: &Json, depth: usize) -> bool {
        self.at(schema, value.clone(), "", depth + 1).is_ok()
    }

    /// The first branch that takes it; the violation of the branch that came furthest is not known, so the sentence
    /// names the number of branches only.
    fn any(&self, branches: &[Json], value: Json, path: &str, depth: usize) -> Result<Json, Violation> {
        let taken = branches.iter().find_map(|branch| self.at(branch, value.clone(), path, depth + 1).ok());
        taken.ok_or_else(|| Violation::new(path, format!("none of {} alternatives fits", branches.len())))
    }

    fn object(&self, schema: &Json, value: Json, path: &str, depth: usize) -> Result<Json, Violation> {
        let Json::Object(members) = value else { return Ok(value) };
        let properties = schema.get("properties");
        let others = schema.get("additionalProperties");
        let mut fitting = Vec::with_capacity(members.len());
        for (key, member) in members {
            let here = format!("{path}/{key}");
            let member = match (properties.and_then(|properties| properties.get(&key)), others) {
                (Some(property), _) => {
                    let stands_for_nothing = self.bridged
                        && member == Json::Null
                        && !is_required(schema, &key)
                        && !self.accepts(property, &Json::Null, depth);
                    if stands_for_nothing {
                        continue;
                    }
                    self.at(property, member, &here, depth + 1)?
                }
                (None, Some(Json::Bool(false))) => {
                    return Err(Violation::new(&here, "the schema has no such member"));
                }
                (None, Some(other)) => self.at(other, member, &here, depth + 1)?,
                (None, None) => member,
            };
            fitting.push((key, member));
        }
        Ok(Json::Object(fitting))
    }

    fn array(&self, schema: &Json, value: Json, path: &str, depth: usize) -> Result<Json, Violation> {
        let Json::Array(items) = value else { return Ok(value) };
        let first = schema.get("prefixItems").and_then(Json::as_array).unwrap_or_default();
        let rest = schema.get("items");
        let fitting = items.into_iter().enumerate().map(|(n, item)| {
            let here = format!("{path}/{n}");
            match first.get(n).or(rest) {
                Some(schema) => self.at(schema, item, &here, depth + 1),
                None => Ok(item),
            }
        });
        fitting.collect::<Result<_, _>>().map(Json::Array)
    }

    /// The keywords that ask yes or no.
    fn holds(&self, key: &str, wanted: &Json, value: &Json, depth: usize) -> bool {
        let size = |measure: Option<usize>, fits: fn(f64, f64) -> bool| match (measure, wanted.as_number()) {
            (Some(measure), Some(limit)) => fits(measure as f64, limit),
            _ => true,
        };
        let number = |fits: fn(f64, f64) -> bool| match (value.as_number(), wanted.as_number()) {
            (Some(value), Some(limit)) => fits(value, limit),
            _ => true,
        };
        let characters = || value.as_str().map(|text| text.chars().count());
        let items = || value.as_array().map(<[Json]>::len);
        let members = || value.as_object().map(<[(String, Json)]>::len);
        let at_least = |a: f64, b: f64| a >= b;
        let at_most = |a: f64, b: f64| a <= b;
        match key {
            "type" => match wanted {
                Json::String(word) => is_a(value, word),
                Json::Array(words) => words.iter().filter_map(Json::as_str).any(|word| is_a(value, word)),
                _ => true,
            },
            "enum" => wanted.as_array().is_none_or(|values| values.iter().any(|one| one.equals(value))),
            "const" => wanted.equals(value),
            "required" => match value {
                Json::Object(_) => {
                    let names = wanted.as_array().unwrap_or_default();
                    names.iter().filter_map(Json::as_str).all(|name| value.get(name).is_some())
                }
                _ => true,
            },
            "minLength" => size(characters(), at_least),
            "maxLength" => size(characters(), at_most),
            "minItems" => size(items(), at_least),
            "maxItems" => size(items(), at_most),
            "minProperties" => size(members(), at_least),
            "maxProperties" => size(members(), at_most),
            "minimum" => number(at_least),
            "maximum" => number(at_most),
            "exclusiveMinimum" => number(|a, b| a > b),
            "exclusiveMaximum" => number(|a, b| a < b),
            "multipleOf" => number(|a, b| b <= 0.0 || ((a / b) - (a / b).round()).abs() < 1e-9),
            "uniqueItems" => match (wanted, value.as_array()) {
                (Json::Bool(true), Some(items)) => items
                    .iter()
                    .enumerate()
                    .all(|(n, item)| !items[..n].iter().any(|other| other.equals(item))),
                _ => true,
            },
            "oneOf" => wanted.as_array().is_none_or(|branches| {
                branches.iter().filter(|branch| self.accepts(branch, value, depth)).count() == 1
            }),
            "allOf" => wanted
                .as_array()
                .is_none_or(|branches| branches.iter().all(|branch| self.accepts(branch, value, depth))),
            "not" => !self.accepts(wanted, value, depth),
            _ => true,
        }
    }
}

fn is_a(value: &Json, word: &str) -> bool {
    value.kind() == word || word == "number" && value.kind() == "integer"
}

pub(super) fn is_required(schema: &Json, key: &str) -> bool {
    let names = schema.get("required").and_then(Json::as_array).unwrap_or_default();
    names.iter().any(|name| name.as_str() == Some(key))
}

/// What a broken keyword means. Names and limits of the schema, nothing of the answer.
fn broken(key: &str, wanted: &Json, value: &Json) -> String {
    match key {
        "type" => format!("{} is wanted, {} came", wanted.to_text(), value.kind()),
        "required" => {
            let names = wanted.as_array().unwrap_or_default().iter().filter_map(Json::as_str);
            let missing: Vec<&str> = names.filter(|name| value.get(name).is_none()).collect();
            format!("missing: {}", missing.join(", "))
        }
        "enum" | "const" => "not one of the values that the schema lists".to_owned(),
        "oneOf" => "not exactly one of the alternatives fits".to_owned(),
        "allOf" => "not all of the parts of allOf fit".to_owned(),
        "not" => "what the schema rules out".to_owned(),
        "uniqueItems" => "an element comes twice".to_owned(),
        _ => format!("{key} is {}", wanted.to_text()),
    }
}

/// What a local reference points to.
pub(super) fn resolve<'s>(root: &'s Json, reference: &str) -> Option<&'s Json> {
    let pointer = reference.strip_prefix('#')?;
    let steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    steps.into_iter().try_fold(root, |at, step| match at {
        Json::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => at.get(&step),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(schema: &str, value: &str) -> Result<String, String> {
        let schema: Json = serde_json::from_str(schema).unwrap();
        let value = serde_json::from_str(value).unwrap();
        Checker::new(&schema, false)
            .fit(value)
            .map(|json| json.to_text())
            .map_err(|violation| violation.to_string())
    }

    #[test]
    fn each_keyword_takes_what_it_should_and_nothing_else() {
        for (schema, good, bad) in [
            (r#"{"type":"integer"}"#, "1.0", "1.5"),
            (r#"{"type":"number"}"#, "1", "\"1\""),
            (r#"{"type":["string","null"]}"#, "null", "true"),
            (r#"{"enum":["a",1,{"x":1,"y":2}]}"#, r#"{"y":2,"x":1}"#, "\"b\""),
            (r#"{"const":1}"#, "1.0", "2"),
            (r#"{"required":["a"]}"#, r#"{"a":null}"#, "{}"),
            (r#"{"properties":{"a":{"type":"string"}}}"#, r#"{"a":"","b":1}"#, r#"{"a":1}"#),
            (r#"{"properties":{"a":{}},"additionalProperties":false}"#, r#"{"a":1}"#, r#"{"b":1}"#),
            (r#"{"additionalProperties":{"type":"integer"}}"#, r#"{"x":1}"#, r#"{"x":""}"#),
            (r#"{"items":{"type":"string"}}"#, r#"["a"]"#, "[1]"),
            (r#"{"prefixItems":[{"type":"string"}],"items":false}"#, r#"["a"]"#, r#"["a",1]"#),
            (r#"{"minLength":2,"maxLength":2}"#, "\"äö\"", "\"abc\""),
            (r#"{"minItems":1,"maxItems":2}"#, "[1]", "[]"),
            (r#"{"minProperties":1,"maxProperties":1}"#, r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
            (r#"{"minimum":1,"maximum":3}"#, "3", "4"),
            (r#"{"exclusiveMinimum":1}"#, "2", "1"),
            (r#"{"exclusiveMaximum":1}"#, "0", "1"),
            (r#"{"multipleOf":0.1}"#, "0.3", "0.35"),
            (r#"{"uniqueItems":true}"#, "[1,2]", "[1,1.0]"),
            (r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#, "null", "1"),
            (r#"{"oneOf":[{"type":"integer"},{"type":"number"}]}"#, "1.5", "1"),
            (r#"{"allOf":[{"minimum":1},{"maximum":2}]}"#, "1", "3"),
            (r#"{"not":{"type":"null"}}"#, "1", "null"),
            (r##"{"$ref":"#/$defs/a~1b","$defs":{"a/b":{"type":"null"}}}"##, "null", "1"),
            (
                r##"{"properties":{"next":{"$ref":"#"}},"additionalProperties":false}"##,
                r#"{"next":{"next":{}}}"#,
                r#"{"next":{"nix":{}}}"#,
            ),
        ] {
            assert!(fit(schema, good).is_ok(), "{schema} {good}: {:?}", fit(schema, good));
            assert!(fit(schema, bad).is_err(), "{schema} {bad}");
        }
    }

    #[test]
    fn a_violation_says_where_and_quotes_nothing() {
        let schema = r#"{"properties":{"list":{"items":{"required":["name"],"properties":{"name":{"type":"string"}}}}}}"#;
        assert_eq!(fit(schema, r#"{"list":[{"name":"x"},{}]}"#).unwrap_err(), "/list/1: missing: name");
        assert_eq!(
            fit(schema, r#"{"list":[{"name":7}]}"#).unwrap_err(),
            "/list/0/name: \"string\" is wanted, integer came"
        );
    }

    #[test]
    fn references_in_a_circle_are_a_violation_and_no_crash() {
        assert!(fit(r##"{"$ref":"#"}"##, "1").unwrap_err().contains("circle"));
        assert!(fit(r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}"##, "1").is_err());
        assert!(fit(r##"{"oneOf":[{"$ref":"#"},{"$ref":"#"}]}"##, "1").is_err());
    }
}

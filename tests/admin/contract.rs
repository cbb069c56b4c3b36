//! What the description promises is what comes: answers, events and errors are held against their schemas, member by
//! member, and nothing comes that is not described.

use serde_json::{Value, json};
use support::fake::{FakeChatGpt, Rule};
use support::{Dragoman, message};

use crate::{SOON, good, start};

/// What does not fit.
type Problems = Vec<String>;

/// The description.
struct Contract(Value);

impl Contract {
    async fn of(dragoman: &Dragoman) -> Self {
        Self(good(&dragoman.admin("GET", "/admin/openapi.json").send().await))
    }

    /// Every method and path, with its operation.
    fn operations(&self) -> impl Iterator<Item = (String, &str, &Value)> {
        self.0["paths"].as_object().unwrap().iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
        })
    }

    /// The schema of an operation's answer, and whether it comes as a stream.
    fn answer<'c>(&'c self, operation: &'c Value, status: &str) -> Option<(&'c Value, bool)> {
        let (kind, content) = operation["responses"][status]["content"].as_object()?.iter().next()?;
        Some((&content["schema"], kind == "text/event-stream"))
    }

    /// Holds a value against a schema.
    fn check(&self, schema: &Value, value: &Value, place: &str, closed: bool) -> Problems {
        if let Some(name) = schema["$ref"].as_str() {
            let target = self.0.pointer(name.trim_start_matches('#'));
            let target = target.unwrap_or_else(|| panic!("{name} is not described"));
            return self.check(target, value, place, closed);
        }
        let mut problems = Problems::new();
        for word in ["oneOf", "anyOf"] {
            if let Some(choices) = schema[word].as_array() {
                let tried: Vec<Problems> =
                    choices.iter().map(|choice| self.check(choice, value, place, closed)).collect();
                if !tried.iter().any(Vec::is_empty) {
                    problems.push(format!("{place} fits no choice: {value}: {tried:?}"));
                }
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            // Its other parts may describe what this one does not.
            problems.extend(self.check(part, value, place, false));
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !types.is_empty() && !types.iter().any(|kind| is_a(kind, value)) {
            problems.push(format!("{place} is no {types:?}: {value}"));
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            problems.push(format!("{place} is none of {words:?}: {value}"));
        }
        if let Value::Array(items) = value {
            let items = items.iter().enumerate();
            problems.extend(items.flat_map(|(at, item)| {
                let described = schema.get("items");
                described
                    .map_or_else(Vec::new, |items| self.check(items, item, &format!("{place}[{at}]"), true))
            }));
        }
        if let Value::Object(members) = value {
            problems.extend(self.members(schema, members, place, closed));
        }
        problems
    }

    fn members(
        &self,
        schema: &Value,
        members: &serde_json::Map<String, Value>,
        place: &str,
        closed: bool,
    ) -> Problems {
        let mut problems = Problems::new();
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        problems.extend(
            required
                .filter(|name| !members.contains_key(*name))
                .map(|name| format!("{place}.{name} is missing")),
        );
        let Some(properties) = schema["properties"].as_object() else { return problems };
        for (name, value) in members {
            match properties.get(name) {
                Some(schema) => {
                    problems.extend(self.check(schema, value, &format!("{place}.{name}"), true));
                }
                None if closed => problems.push(format!("{place}.{name} is not described")),
                None => {}
            }
        }
        problems
    }
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[tokio::test]
async fn what_comes_is_what_is_described() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let contract = Contract::of(&dragoman).await;
    // Something to show in every list.
    fake.script([Rule::any("a").always().text("fine")]);
    good(&dragoman.admin("PUT", "/admin/recording").json(&json!({ "on": true })).send().await);
    let rule = json!({ "target": "gpt-5.5-high" });
    good(&dragoman.admin("PUT", "/admin/models/rules/claude-*-4-1").json(&rule).send().await);
    let mut body = message("hi");
    body["model"] = json!("claude-opus-4-1");
    let id = dragoman.messages(&body).send().await.headers.value("request-id").unwrap().to_owned();

    let mut problems = Problems::new();
    let mut held = 0;
    for (method, path, operation) in contract.operations().filter(|(method, ..)| method == "GET") {
        let Some((schema, streams)) = contract.answer(operation, "200") else { continue };
        let query = match path {
            "/admin/models/resolve" => "?name=claude-opus-4-1",
            "/admin/logs/stream" => "?history=true",
            "/admin/usage" => "?days=1&by=model&every=hour",
            _ => "",
        };
        if path.contains("/logins/{id}") || path == "/admin/openapi.json" {
            continue; // There is no login, and the description does not describe itself.
        }
        let call = dragoman.admin(&method, &format!("{}{query}", path.replace("{id}", &id)));
        let value = if streams {
            let mut stream = call.open().await;
            tokio::time::timeout(SOON, stream.event()).await.unwrap().unwrap().data
        } else {
            good(&call.send().await)
        };
        problems.extend(contract.check(schema, &value, path, true));
        held += 1;
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(held > 15, "{held}");
}

#[tokio::test]
async fn every_refusal_has_the_shape_of_an_error() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let contract = Contract::of(&dragoman).await;
    let shape = json!({ "$ref": "#/components/schemas/ErrorAnswer" });
    let mut refused = 0;
    for (method, path, _) in contract.operations() {
        let path = path.replace("{account}", "nobody").replace("{id}", "x").replace("{key}", "no.such");
        let path = path.replace("{asks}", "a b=c");
        for body in ["{\"no\":\"such\"}", "[]", "\"\\ud800\"", "{", ""] {
            let call = dragoman.admin(&method, &path.replace(' ', "%20")).bytes(body);
            let answer = call.header("content-type", "application/json").open().await;
            if answer.status < 400 {
                continue; // It wants no body. Streams are left at once.
            }
            let answer = answer.whole().await;
            assert!(answer.status < 500 || answer.status == 503, "{method} {path} {body}: {}", answer.text());
            let problems = contract.check(&shape, &answer.json(), &format!("{method} {path}"), true);
            assert!(problems.is_empty(), "{problems:?}");
            refused += 1;
        }
    }
    assert!(refused > 60, "{refused}");
}

#[test]
fn a_member_that_is_missing_wrong_or_not_described_is_found() {
    let contract = Contract(json!({ "components": { "schemas": { "A": {
        "type": "object", "required": ["a"],
        "properties": { "a": { "type": "string" }, "b": { "type": ["integer", "null"] }, "c": { "enum": ["x"] } },
    }}}}));
    let list = json!({ "type": "array", "items": { "$ref": "#/components/schemas/A" } });
    let found = |value: Value| contract.check(&list, &value, "list", true).len();
    assert_eq!(found(json!([{ "a": "x", "b": null, "c": "x" }])), 0);
    for wrong in [
        json!([{}]),
        json!([{ "a": 1 }]),
        json!([{ "a": "", "b": "1" }]),
        json!([{ "a": "", "d": 1 }]),
        json!({}),
    ] {
        assert_eq!(found(wrong.clone()), 1, "{wrong}");
    }
    assert_eq!(found(json!([{ "a": "", "c": "y" }])), 1);
}

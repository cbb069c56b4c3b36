//! Nothing is dropped silently: every string of a request is found upstream, or a note names its place.

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};

use super::{Context, Originals, StaleReasoning, ToolOrder, messages_to_responses};
use crate::anthropic::request::MessagesRequest;
use crate::route::{Dialect, Effort, Route};

/// Words of the protocol itself, which are understood and said in the other protocol's way. All other strings of a
/// generated request are unlike any other string.
const WORDS: [&str; 36] = [
    "user",
    "assistant",
    "system",
    "text",
    "image",
    "document",
    "tool_use",
    "tool_result",
    "thinking",
    "redacted_thinking",
    "tool_reference",
    "server_tool_use",
    "web_search_tool_result",
    "web_search_result",
    "search_result",
    "base64",
    "url",
    "content",
    "file",
    "ephemeral",
    "auto",
    "any",
    "none",
    "tool",
    "adaptive",
    "summarized",
    "high",
    "json_schema",
    "object",
    "string",
    "image/png",
    "application/pdf",
    "text/plain",
    "web_search",
    "custom",
    "type",
];

/// Fills `~` with a string that stands nowhere else.
fn unique(value: &mut Value, counter: &mut usize) {
    match value {
        Value::String(text) if text.contains('~') => {
            *counter += 1;
            *text = text.replace('~', &format!("q{counter}z"));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| unique(item, counter)),
        Value::Object(members) => members.values_mut().for_each(|member| unique(member, counter)),
        _ => {}
    }
}

/// Members that nobody knows, or that the backend has no place for.
fn extras() -> impl Strategy<Value = Value> {
    proptest::sample::subsequence(
        vec![
            ("cache_control", json!({ "type": "ephemeral" })),
            ("cache_control", json!({ "type": "ephemeral", "ttl": "~" })),
            ("citations", json!([{ "cited_text": "~" }])),
            ("new", json!("~")),
            ("nested", json!({ "a": ["~", { "b": "~" }], "c": null })),
            ("nothing", json!(null)),
        ],
        0..3,
    )
    .prop_map(|chosen| chosen.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn with(base: Value) -> impl Strategy<Value = Value> + Clone {
    let base = std::sync::Arc::new(base);
    extras().prop_map(move |extra| merged(&base, extra)).boxed()
}

fn merged(base: &Value, extra: Value) -> Value {
    let mut base = base.clone();
    if let (Value::Object(base), Value::Object(extra)) = (&mut base, extra) {
        for (key, value) in extra {
            base.entry(key).or_insert(value);
        }
    }
    base
}

fn leaf() -> BoxedStrategy<Value> {
    let sources = prop_oneof![
        with(json!({ "type": "base64", "media_type": "application/pdf", "data": "~" })),
        with(json!({ "type": "url", "url": "https://~" })),
        with(json!({ "type": "text", "media_type": "text/plain", "data": "~" })),
        with(json!({ "type": "content", "content": [{ "type": "text", "text": "~", "new": "~" }] })),
        with(json!({ "type": "file", "file_id": "~" })),
        with(json!({ "type": "other~", "key": "~" })),
    ];
    prop_oneof![
        with(json!({ "type": "text", "text": "~" })),
        with(json!({ "type": "text", "text": "\n\"é~\"\t" })),
        with(json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "~", "new": "~" } })),
        with(json!({ "type": "image", "source": { "type": "base64", "media_type": "image/~", "data": "~" } })),
        with(json!({ "type": "image", "source": { "type": "url", "url": "http://~" } })),
        with(json!({ "type": "image", "source": { "type": "file", "file_id": "~" } })),
        with(json!({ "type": "image", "data": "~", "mimeType": "image/png" })),
        (sources, extras(), any::<[bool; 3]>()).prop_map(|(source, extra, [title, context, cited])| {
            let mut document = json!({ "type": "document", "source": source });
            if title {
                document["title"] = json!("~");
            }
            if context {
                document["context"] = json!("~");
            }
            document["citations"] = json!({ "enabled": cited });
            merged(&document, extra)
        }),
        with(json!({ "type": "search_result", "source": "~", "title": "~", "content": [{ "type": "text", "text": "~" }], "citations": { "enabled": true } })),
        with(json!({ "type": "server_tool_use", "name": "web_search", "input": { "query": "~" } })),
        with(json!({ "type": "web_search_tool_result", "content": [{ "type": "web_search_result", "title": "~", "url": "~", "encrypted_content": "~", "page_age": "~" }] })),
        with(json!({ "type": "web_search_tool_result", "content": { "type": "web_search_tool_result_error", "error_code": "~" } })),
        with(json!({ "type": "code_execution_tool_result", "tool_use_id": "~", "content": { "stdout": "~" } })),
        with(json!({ "type": "tool_reference", "tool_name": "~" })),
        with(json!({ "type": "thinking", "thinking": "~", "signature": "~" })),
        with(json!({ "type": "redacted_thinking", "data": "~" })),
        with(json!({ "type": "brand_new_~", "deep": { "list": ["~"] } })),
    ]
    .boxed()
}

fn block() -> BoxedStrategy<Value> {
    let result = (prop_oneof![Just(json!("~")), Just(json!(null)), prop::collection::vec(leaf(), 0..3).prop_map(Value::Array)], extras(), 0..4, any::<bool>())
        .prop_map(|(content, extra, id, error)| {
            let result = json!({ "type": "tool_result", "tool_use_id": format!("call_{id}"), "content": content, "is_error": error });
            merged(&result, extra)
        });
    let call = (extras(), 0..4).prop_map(|(extra, id)| {
        let call = json!({ "type": "tool_use", "id": format!("call_{id}"), "name": "~", "input": { "~": 1, "b": ["~"] } });
        merged(&call, extra)
    });
    prop_oneof![4 => leaf(), 1 => result, 1 => call].boxed()
}

fn content() -> BoxedStrategy<Value> {
    prop_oneof![Just(json!("~")), prop::collection::vec(block(), 0..4).prop_map(Value::Array)].boxed()
}

fn request() -> impl Strategy<Value = Value> {
    let role = prop_oneof![Just("user"), Just("assistant"), Just("system")];
    let message = (role, content(), extras())
        .prop_map(|(role, content, extra)| merged(&json!({ "role": role, "content": content }), extra));
    let tool = (extras(), any::<bool>()).prop_map(|(extra, examples)| {
        let mut tool = json!({
            "name": "tool_~", "description": "~",
            "input_schema": { "type": "object", "properties": { "p": { "type": "string", "description": "~" } }, "note": "~" },
        });
        if examples {
            tool["input_examples"] = json!([{ "p": "~" }]);
        }
        merged(&tool, extra)
    });
    let members = proptest::sample::subsequence(
        vec![
            ("metadata", json!({ "user_id": "~", "more": "~" })),
            ("service_tier", json!("~")),
            ("speed", json!("~")),
            ("container", json!("~")),
            ("mcp_servers", json!([{ "type": "url", "url": "~" }])),
            ("thinking", json!({ "type": "adaptive", "display": "summarized", "new": "~" })),
            ("output_config", json!({ "effort": "high", "task_budget": { "kind": "~" } })),
            ("output_config", json!({ "effort": "~" })),
            (
                "output_config",
                json!({ "format": { "type": "json_schema", "schema": { "type": "object", "description": "~", "properties": { "a": { "type": "string", "default": "~" } } } } }),
            ),
            ("output_format", json!({ "type": "~", "schema": { "x": "~" } })),
            ("tool_choice", json!({ "type": "auto", "why": "~" })),
            ("context_management", json!({ "edits": [{ "type": "~", "a": "~" }], "b": "~" })),
            ("inference_geo", json!("~")),
        ],
        0..6,
    );
    (
        prop::collection::vec(message, 1..5),
        prop_oneof![Just(json!("~")), prop::collection::vec(leaf(), 0..3).prop_map(Value::Array)],
        prop::collection::vec(tool, 0..3),
        members,
    )
        .prop_map(|(messages, system, tools, members)| {
            let mut request =
                json!({ "model": "type", "messages": messages, "system": system, "tools": tools });
            for (key, value) in members {
                request[key] = value;
            }
            let mut counter = 0;
            unique(&mut request, &mut counter);
            request
        })
}

/// Every string with its path.
fn strings(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    let within =
        |key: &dyn std::fmt::Display| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
    match value {
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| strings(item, &within(&n), found))
        }
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            found.push((within(key), key.clone()));
            strings(member, &within(key), found);
        }),
        _ => {}
    }
}

/// What must be found again of a string: all of it that is unlike any other.
fn core(text: &str) -> Option<&str> {
    let start = text.find('q').filter(|_| !WORDS.contains(&text))?;
    let end = start + text[start..].find('z')? + 1;
    text[start + 1..end - 1].bytes().all(|byte| byte.is_ascii_digit()).then(|| &text[start..end])
}

proptest! {
    #![proptest_config(Config { cases: 2_000, ..Config::default() })]

    #[test]
    fn every_string_of_a_request_is_found_upstream_or_named_in_a_note(request in request(), lite in any::<bool>()) {
        let dialect = if lite { Dialect::Lite } else { Dialect::Classic };
        let route = Route::to("m", dialect, &[Effort::Low, Effort::High]);
        let body = request.to_string();
        let parsed = MessagesRequest::parse(&body).unwrap();
        let (originals, stale) = (Originals::new(), StaleReasoning::new());
        let tools = ToolOrder::default();
        let context = Context::new(&route, &tools, &originals, &stale);
        let translated = messages_to_responses(&parsed, context).unwrap();
        let sent = String::from_utf8(translated.request.to_body(0).unwrap()).unwrap();
        let places: HashSet<&str> = translated.notes.0.iter().map(|note| note.place.as_str()).filter(|place| *place != "messages").collect();
        let mut all = Vec::new();
        strings(&request, "", &mut all);
        for (path, text) in all {
            let Some(core) = core(&text) else { continue };
            let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
            let named = ends.into_iter().any(|end| places.contains(&path[..end]));
            prop_assert!(named || sent.contains(core), "{path} = {text:?}\nis neither in\n{sent}\nnor in\n{places:?}");
        }
    }
}

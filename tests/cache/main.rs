//! The prompt cache holds: each request of a session begins with all of the one before it, byte for byte (M24).
//!
//! `session-37` is one recorded session of Claude Code, body by body: three turns of the user, 34 tool rounds, with the
//! marks and block shapes that move between two requests.
#![cfg(test)]

use std::path::Path;

use dragoman_protocol::anthropic::request::MessagesRequest;
use dragoman_protocol::route::{Dialect, Effort, Route};
use dragoman_protocol::translate::{Context, Originals, ToolOrder, messages_to_responses};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What the cache looks at, as bytes.
#[derive(Deserialize)]
struct Prefix {
    input: Vec<Box<RawValue>>,
    tools: Option<Box<RawValue>>,
}

fn session() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cache/session-37");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

fn prefixes(dialect: Dialect) -> Vec<Prefix> {
    let route = Route::to("gpt-x", dialect, &[Effort::Low, Effort::Medium, Effort::High]);
    let mut tools = ToolOrder::default();
    let bodies = session();
    let translated = bodies.iter().map(|body| {
        let request = MessagesRequest::parse(body).unwrap();
        tools.observe(&request);
        let context = Context {
            route: &route,
            dialect,
            account: "0011aabb",
            reasoning: true,
            instructions: false,
            thread: "thread",
            tools: &tools,
            originals: &Originals::new(),
            searched: None,
        };
        let translated = messages_to_responses(&request, context).unwrap();
        serde_json::from_slice(&translated.request.to_body(body.len()).unwrap()).unwrap()
    });
    translated.collect()
}

fn assert_extensions(dialect: Dialect) {
    let prefixes = prefixes(dialect);
    assert_eq!(prefixes.len(), 37);
    for (i, pair) in prefixes.windows(2).enumerate() {
        let [before, after] = pair else { unreachable!() };
        assert!(after.input.len() > before.input.len(), "request {}", i + 2);
        for (n, (old, new)) in before.input.iter().zip(&after.input).enumerate() {
            assert_eq!(old.get(), new.get(), "request {}, item {n}", i + 2);
        }
        assert_eq!(before.tools.as_ref().map(|raw| raw.get()), after.tools.as_ref().map(|raw| raw.get()));
    }
}

#[test]
fn classic_requests_extend_each_other() {
    assert_extensions(Dialect::Classic);
}

#[test]
fn lite_requests_extend_each_other() {
    assert_extensions(Dialect::Lite);
}

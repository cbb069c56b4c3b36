//! The prompt cache holds: each request of a session begins with all of the one before it, byte for byte (M24).
//!
//! `session-37` is one recorded session of Claude Code, body by body: three turns of the user, 34 tool rounds, with the
//! marks and block shapes that move between two requests. `loaded-tool` is one request before and one after Claude Code
//! has loaded two tools and put them into the middle of its list (captures 01 and 07, the user's word made the same).
#![cfg(test)]

use std::path::Path;

use dragoman_protocol::anthropic::request::MessagesRequest;
use dragoman_protocol::route::{Dialect, Effort, Route};
use dragoman_protocol::translate::{Context, Originals, StaleReasoning, ToolOrder, messages_to_responses};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What the cache looks at, as bytes.
#[derive(Deserialize)]
struct Prefix {
    input: Vec<Box<RawValue>>,
    tools: Option<Box<RawValue>>,
}

fn session(name: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cache").join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

fn prefixes(name: &str, dialect: Dialect, late_tools: bool) -> Vec<Prefix> {
    let route = Route::to("gpt-x", dialect, &[Effort::Low, Effort::Medium, Effort::High]);
    let mut tools = ToolOrder::default();
    let bodies = session(name);
    let translated = bodies.iter().map(|body| {
        let request = MessagesRequest::parse(body).unwrap();
        tools.observe(&request);
        let (originals, stale) = (Originals::new(), StaleReasoning::new());
        let context = Context {
            account: "0011aabb",
            late_tools,
            thread: "thread",
            ..Context::new(&route, &tools, &originals, &stale)
        };
        let translated = messages_to_responses(&request, context).unwrap();
        serde_json::from_slice(&translated.request.to_body(body.len()).unwrap()).unwrap()
    });
    translated.collect()
}

fn assert_extensions(dialect: Dialect) {
    let prefixes = prefixes("session-37", dialect, true);
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

fn items(prefix: &Prefix) -> Vec<&str> {
    prefix.input.iter().map(|item| item.get()).collect()
}

#[test]
fn loading_a_tool_extends_a_lite_request() {
    let [before, after] = &prefixes("loaded-tool", Dialect::Lite, true)[..] else { panic!() };
    let (before, after) = (items(before), items(after));
    assert!(after.starts_with(&before), "the cached prefix is gone");
    let loaded = after.iter().rposition(|item| item.contains("additional_tools")).unwrap();
    assert!(loaded > before.len(), "the tools stand where they were loaded");
    assert!(after[loaded].contains("\"WebFetch\"") && after[loaded].contains("\"WebSearch\""));
    assert!(after[loaded - 1].contains("function_call_output") && after[loaded + 1].contains("Tool loaded."));
}

#[test]
fn loading_a_tool_extends_a_classic_request() {
    let [before, after] = &prefixes("loaded-tool", Dialect::Classic, true)[..] else { panic!() };
    assert!(items(after).starts_with(&items(before)));
    let tools = |prefix: &Prefix| {
        let tools = prefix.tools.as_ref().unwrap().get();
        serde_json::from_str::<Vec<Box<RawValue>>>(tools)
            .unwrap()
            .iter()
            .map(|raw| raw.get().to_owned())
            .collect()
    };
    let (before, after): (Vec<String>, Vec<String>) = (tools(before), tools(after));
    assert!(after.starts_with(&before));
    assert_eq!(after.len(), before.len() + 2);
}

#[test]
fn a_backend_that_wants_tools_first_gets_them_first() {
    for prefix in prefixes("loaded-tool", Dialect::Lite, false) {
        let at: Vec<usize> = items(&prefix)
            .iter()
            .enumerate()
            .filter(|(_, item)| item.contains("\"additional_tools\""))
            .map(|(at, _)| at)
            .collect();
        assert_eq!(at, [0]);
    }
}

//! The real `dragoman` binary between a raw HTTP client and the fake backend: bytes, time and connections. What a
//! translation should say is the conformance suite's business; here it is whether, when and how often.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod accounts;
mod bad_input;
mod identity;
mod life;
mod models;
mod openai;
mod refusals;
mod relay;
mod secrets;
mod surface;
mod usage;

use std::time::Duration;

use serde_json::{Value, json};
use support::http::Whole;

/// Longer than anything here takes on a slow machine, shorter than a person waits.
const SOON: Duration = Duration::from_secs(20);

/// A request that is answered as a stream.
fn streaming(text: &str) -> Value {
    let mut body = support::message(text);
    body["stream"] = json!(true);
    body
}

/// Panics unless this is an Anthropic error of this status and type with a request id; answers its message.
#[track_caller]
fn error(answer: &Whole, status: u16, kind: &str) -> String {
    let text = answer.text();
    assert_eq!(answer.status, status, "{text}");
    let body = answer.json();
    assert_eq!(body["type"], "error", "{text}");
    assert_eq!(body["error"]["type"], kind, "{text}");
    let id = answer.headers.value("request-id").unwrap_or_else(|| panic!("no request-id header: {text}"));
    assert_eq!(body["request_id"], id, "{text}");
    assert!(answer.headers.value("content-type").unwrap().starts_with("application/json"), "{text}");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(!message.trim().is_empty() && !message.contains('\n'), "not a sentence: {message:?}");
    message.to_owned()
}

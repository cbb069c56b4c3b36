//! Answers, whole and streamed; what is in them, and how they end.

use std::time::Duration;

use serde_json::{Value, json};
use support::fake::{Gate, Rule, Usage};

use crate::client::{Desk, Sdk, in_both_languages};

in_both_languages! {
    create stream events thinking parse media count_tokens models cancel stop_sequence effort
}

const USED: Usage = Usage { input: Some(1_200), cached: 1_000, output: Some(57), reasoning: 20 };

async fn create(desk: Desk) {
    desk.script([Rule::any("a").text("Hello from the model.").usage(USED)]);
    let expected = json!({
        "text": "Hello from the model.", "stop_reason": "end_turn", "model": "claude-opus-5-5",
        "usage": [200, 1_000, 57], "request_id": true,
    });
    assert_eq!(desk.run("create").await, expected);
    assert!(desk.fake.only("a").view().system.contains("Be brief."));
    desk.fake.assert_content();
}

async fn stream(desk: Desk) {
    desk.script([Rule::any("a").text("Grüße, 世界 🎉").usage(USED).pieces(3)]);
    let expected = json!({ "text": "Grüße, 世界 🎉", "same": true, "stop_reason": "end_turn", "usage": [200, 1_000, 57] });
    assert_eq!(desk.run("stream").await, expected);
    desk.fake.assert_content();
}

async fn events(desk: Desk) {
    desk.script([Rule::any("a").text("Looking.").tool("get_weather", json!({ "city": "Oslo" }))]);
    let block = ["content_block_start", "content_block_delta", "content_block_stop"];
    let mut expected = vec!["message_start"];
    expected.extend(block.iter().chain(&block));
    expected.extend(["message_delta", "message_stop"]);
    assert_eq!(desk.run("events").await, json!({ "events": expected }));
    desk.fake.assert_content();
}

/// The fake refuses ciphertexts that it did not issue, so an SDK that lost a signature would fail here.
async fn thinking(desk: Desk) {
    desk.script([
        Rule::any("a").think("I should greet.").text("Hello."),
        Rule::any("b").when_text("go on").text("And so on."),
    ]);
    let expected = json!({ "thinking": "I should greet.", "text": "Hello.", "again": "And so on." });
    assert_eq!(desk.run("thinking").await, expected);
    let second = desk.fake.only("b");
    let replayed = second.body["input"].as_array().unwrap().iter().filter(|item| item["type"] == "reasoning");
    assert_eq!(replayed.count(), 1, "the reasoning comes back");
    desk.fake.assert_content();
}

async fn parse(desk: Desk) {
    let answer = json!({ "name": "Ann", "age": 36, "nicknames": ["A", "Annie"], "email": null });
    desk.script([Rule::any("a").when_format().text(&answer.to_string())]);
    assert_eq!(desk.run("parse").await, answer);
    desk.fake.assert_content();
}

/// The schema makes `note` optional, and the answer leaves it out.
#[tokio::test]
async fn a_json_schema_as_it_is() {
    let desk = Desk::open(Sdk::JavaScript).await;
    desk.script([Rule::any("a").when_format().text(r#"{"colour":"red"}"#)]);
    assert_eq!(desk.run("parse_schema").await, json!({ "colour": "red" }));
    desk.fake.assert_content();
}

async fn media(desk: Desk) {
    desk.script([Rule::any("a").when_image().when_document().text("A cat and a plan.")]);
    assert_eq!(desk.run("media").await, json!({ "text": "A cat and a plan." }));
    let request = desk.fake.only("a");
    assert_eq!((request.view().images(), request.view().documents()), (2, 2));
    let sent = request.body.to_string();
    for piece in ["https://example.com/cat.png", "plan.pdf", "https://example.com/a.pdf", "plain words"] {
        assert!(sent.contains(piece), "{piece} did not arrive");
    }
    desk.fake.assert_content();
}

async fn count_tokens(desk: Desk) {
    assert_eq!(desk.run("count_tokens").await, json!({ "counted": true }));
    assert!(desk.fake.turns().is_empty(), "counting asks nobody");
}

async fn models(desk: Desk) {
    desk.script([Rule::any("a").text("ok")]);
    let listed = desk.run("models").await;
    assert_eq!(listed["usable"], true);
    let ids: Vec<&str> = listed["ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(ids.contains(&"claude-gpt-6-1-sol"), "{ids:?}");
    assert!(!ids.iter().any(|id| id.contains("daybreak")), "hidden models are not offered: {ids:?}");
    desk.fake.assert_content();
}

async fn cancel(desk: Desk) {
    desk.script([Rule::any("a").text("first").hold(&Gate::shut()).text("never")]);
    let first = desk.run("cancel").await;
    assert!("first".starts_with(first["first"].as_str().unwrap()), "{first}");
    desk.fake.until_gone("a", Duration::from_secs(5)).await;
}

async fn stop_sequence(desk: Desk) {
    desk.script([Rule::any("a").text("<block>no</block> trailing").pieces(5)]);
    let expected = json!({ "text": "<block>no", "stop_reason": "stop_sequence", "stopped_at": "</block>" });
    assert_eq!(desk.run("stop_sequence").await, expected);
}

async fn effort(desk: Desk) {
    desk.script([Rule::any("a").text("ok")]);
    assert_eq!(desk.run("effort").await, json!({ "text": "ok" }));
    assert_eq!(desk.fake.only("a").view().effort.as_deref(), Some("high"));
    desk.fake.assert_content();
}

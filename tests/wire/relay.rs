//! A stream on its way: order, time, breaks, and a client that leaves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::fake::{Fail, FakeChatGpt, Gate, Rule, Usage};
use support::{Dragoman, message, sse};

use crate::{SOON, error, streaming};

#[tokio::test]
async fn a_stream_has_the_events_of_the_messages_api() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let usage = Usage { input: Some(1000), cached: 800, output: Some(57), reasoning: 20 };
    fake.script([Rule::any("a").text("grüße an die 🌍, so wie sie ist").usage(usage).pieces(1)]);
    let answer = dragoman.messages(&streaming("hi")).send().await;
    assert_eq!(answer.status, 200);
    assert!(answer.headers.value("content-type").unwrap().starts_with("text/event-stream"));
    assert!(answer.headers.value("request-id").is_some());
    let events = answer.events();
    let mut names = sse::names(&events);
    names.retain(|name| *name != "ping");
    names.dedup();
    let expected = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names, expected);
    assert!(events.iter().all(|event| event.data["type"] == event.name.as_str()));
    assert_eq!(sse::text(&events), "grüße an die 🌍, so wie sie ist");
    let start = &events[0].data["message"];
    assert_eq!((&start["role"], &start["model"]), (&json!("assistant"), &json!("claude-sonnet-5-5")));
    let end = &events[events.len() - 2].data;
    assert_eq!(end["delta"]["stop_reason"], "end_turn");
    assert_eq!(end["usage"]["input_tokens"], 200);
    assert_eq!(end["usage"]["cache_read_input_tokens"], 800);
    assert_eq!(end["usage"]["output_tokens"], 57);
    fake.assert_content();
}

/// A request that gets thinking, text and two calls; `thinking` must be asked for to be shown.
fn with_tools(stream: bool) -> Value {
    let tool = |name: &str| json!({ "name": name, "input_schema": { "type": "object", "properties": {} } });
    let mut body = message("hi");
    body["stream"] = stream.into();
    body["thinking"] = json!({ "type": "adaptive" });
    body["tools"] = json!([tool("Bash"), tool("Read")]);
    body
}

#[tokio::test]
async fn the_answer_without_stream_is_the_stream_folded() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let usage = Usage { input: Some(1000), cached: 800, output: Some(57), reasoning: 20 };
    fake.script([Rule::any("a")
        .always()
        .think("first this")
        .text("then that")
        .call("call_1", "Bash", json!({ "command": "ls -l \"a b\"" }))
        .call("call_2", "Read", json!({ "file_path": "/x" }))
        .usage(usage)]);
    let whole = dragoman.messages(&with_tools(false)).send().await;
    assert!(whole.headers.value("content-type").unwrap().starts_with("application/json"));
    let whole = whole.json();
    assert_eq!(whole["stop_reason"], "tool_use");
    assert_eq!(whole["type"], "message");
    let folded = fold(&dragoman.messages(&with_tools(true)).send().await.events());
    let mut blocks = whole["content"].clone();
    // Every answer has ciphertexts and ids of its own.
    for block in blocks.as_array_mut().unwrap() {
        block.as_object_mut().unwrap().remove("signature");
    }
    assert_eq!(blocks, folded);
    let kinds: Vec<&Value> =
        whole["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use", "tool_use"]);
    assert_eq!(whole["content"][2]["input"], json!({ "command": "ls -l \"a b\"" }));
    assert_eq!(whole["usage"]["input_tokens"], 200);
    fake.assert_content();
}

/// The content blocks of a stream, signatures left out.
fn fold(events: &[sse::Event]) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    let mut arguments = String::new();
    for event in events {
        let data = &event.data;
        match event.name.as_str() {
            "content_block_start" => {
                assert_eq!(data["index"], blocks.len(), "indices are dense");
                let mut block = data["content_block"].clone();
                block.as_object_mut().unwrap().remove("signature");
                blocks.push(block);
                arguments.clear();
            }
            "content_block_delta" => {
                let block = blocks.last_mut().unwrap();
                for field in ["text", "thinking"] {
                    if let Some(more) = data["delta"][field].as_str() {
                        block[field] = format!("{}{more}", block[field].as_str().unwrap()).into();
                    }
                }
                arguments.push_str(data["delta"]["partial_json"].as_str().unwrap_or_default());
            }
            "content_block_stop" if !arguments.is_empty() => {
                blocks.last_mut().unwrap()["input"] = serde_json::from_str(&arguments).unwrap();
                arguments.clear();
            }
            _ => {}
        }
    }
    blocks.into()
}

#[tokio::test]
async fn the_first_word_arrives_before_the_last_is_said() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let gate = Gate::shut();
    fake.script([Rule::any("a").text("early").hold(&gate).text("late")]);
    let mut answer = dragoman.messages(&streaming("hi")).open().await;
    let delta = answer.until("content_block_delta", SOON).await;
    assert!("early".starts_with(delta.data["delta"]["text"].as_str().unwrap()));
    gate.open();
    answer.until("message_stop", SOON).await;
    assert_eq!(answer.event().await, None, "nothing follows message_stop");
}

/// DECISIONS 1: 12 s without output commit the status line, then a ping every 10 s.
#[tokio::test]
async fn a_silent_backend_is_bridged_with_message_start_and_pings() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let gate = Gate::shut();
    fake.script([Rule::any("a").hold(&gate).text("at last")]);
    let begun = Instant::now();
    let mut answer = dragoman.messages(&streaming("hi")).open().await;
    answer.until("message_start", SOON).await;
    let committed = begun.elapsed().as_secs_f64();
    assert!((11.5..14.0).contains(&committed), "committed after {committed} s");
    answer.until("ping", Duration::from_secs(15)).await;
    let pinged = begun.elapsed().as_secs_f64() - committed;
    assert!(pinged < 11.5, "the first ping came {pinged} s after message_start");
    gate.open();
    let mut rest = vec![answer.until("content_block_start", SOON).await];
    rest.extend(answer.events().await);
    assert_eq!(sse::text(&rest), "at last");
    assert!(!sse::names(&rest).contains(&"message_start"), "there is only one message_start");
    fake.assert_content();
}

#[tokio::test]
async fn a_broken_stream_ends_in_an_error_event() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    // The last bytes are the first half of a character.
    let torn =
        b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"\xc3";
    for (name, rule) in [
        ("cut", Rule::any("a").text("partial").fail(Fail::Cut)),
        ("cut in a character", Rule::any("a").text("partial").bytes(torn.to_vec()).fail(Fail::Cut)),
        ("no terminal event", Rule::any("a").text("partial").fail(Fail::EndEarly)),
        (
            "failure",
            Rule::any("a").text("partial").fail(Fail::Event { code: "server_error", message: "Broken." }),
        ),
    ] {
        fake.script([rule]);
        let events = dragoman.messages(&streaming("hi")).send().await.events();
        let names = sse::names(&events);
        assert_eq!(names.last(), Some(&"error"), "{name}: {names:?}");
        assert!(!names.contains(&"message_stop") && !names.contains(&"message_delta"), "{name}: {names:?}");
        let last = events.last().unwrap();
        assert_eq!(last.data["type"], "error", "{name}");
        assert!(
            last.data["error"]["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{name}: {last:?}"
        );
        assert_eq!(fake.answered_by("a").len(), 1, "{name}: output went out, so it is never sent again");
        fake.forget();
    }
}

#[tokio::test]
async fn a_broken_stream_is_an_http_error_for_a_client_that_does_not_stream() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").always().text("partial").fail(Fail::Cut)]);
    let answer = dragoman.messages(&message("hi")).send().await;
    assert!(answer.status >= 500, "{}", answer.text());
    error(&answer, answer.status, "api_error");
}

#[tokio::test]
async fn a_client_that_leaves_is_felt_upstream_within_a_second() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    for (name, stream, rule) in [
        ("mid-stream", true, Rule::any("a").text("word").hold(&Gate::shut())),
        ("before the first word", true, Rule::any("a").hold(&Gate::shut()).text("word")),
        ("without stream", false, Rule::any("a").text("word").hold(&Gate::shut())),
    ] {
        fake.script([rule]);
        let mut body = message("hi");
        body["stream"] = stream.into();
        let call = tokio::spawn(dragoman.messages(&body).try_open());
        fake.until_answered("a", SOON).await;
        if name == "mid-stream" {
            let mut answer = call.await.unwrap().unwrap();
            answer.until("content_block_delta", SOON).await;
            drop(answer);
        } else {
            call.abort();
        }
        let left = Instant::now();
        fake.until_gone("a", SOON).await;
        assert!(left.elapsed() < Duration::from_secs(1), "{name}: {:?}", left.elapsed());
        fake.forget();
    }
}

//! OpenAI's two APIs on the real path: time, connections, accounts, settings. What is said is the conformance suite's
//! business, and the real SDKs' (`tests/sdk`).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::fake::{FakeChatGpt, Gate, Rule};
use support::http::{Call, Whole};
use support::{Dragoman, Launch};

use crate::SOON;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";

fn call(dragoman: &Dragoman, path: &str, body: &Value) -> Call {
    dragoman.call("POST", path).without("anthropic-version").json(body)
}

fn asked(path: &str, model: &str, stream: bool) -> Value {
    let mut body = json!({ "model": model, "stream": stream });
    if path == CHAT {
        body["messages"] = json!([{ "role": "user", "content": "hi" }]);
    } else {
        body["input"] = "hi".into();
    }
    body
}

/// Panics unless this is an error in OpenAI's shape; answers its message.
#[track_caller]
fn error(answer: &Whole, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    let body = answer.json();
    assert!(body.get("type").is_none() && body["error"]["type"].is_string(), "{body}");
    assert!(answer.headers.value("x-request-id").is_some_and(|id| id.starts_with("req_")));
    body["error"]["message"].as_str().unwrap().to_owned()
}

/// The status line goes out after 12 s; until the model speaks a comment keeps the connection alive.
#[tokio::test]
async fn a_slow_model_is_waited_for_with_comments() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let slow = Duration::from_secs(14);
    fake.script([Rule::any("a").times(2).before(slow).text("at last")]);
    let begun = Instant::now();
    let slowly = async |path: &'static str| {
        let answer = call(&dragoman, path, &asked(path, "gpt-6.1-sol", true)).open().await;
        let opened = begun.elapsed();
        (opened, answer.whole().await.text())
    };
    let (chat, responses) = tokio::join!(slowly(CHAT), slowly(RESPONSES));
    for (opened, text) in [&chat, &responses] {
        assert!((Duration::from_secs(11)..Duration::from_secs(14)).contains(opened), "{opened:?}");
        assert!(text.contains("at last"), "{text}");
    }
    assert!(chat.1.starts_with("data: {"), "a chat begins with its role: {}", chat.1);
    assert!(responses.1.starts_with(": "), "a comment: {}", responses.1);
}

#[tokio::test]
async fn a_client_that_leaves_is_felt_upstream_within_a_second() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    for (path, event) in [(CHAT, ""), (RESPONSES, "response.output_text.delta")] {
        fake.script([Rule::any("a").text("word").hold(&Gate::shut())]);
        let mut answer = call(&dragoman, path, &asked(path, "gpt-6.1-sol", true)).open().await;
        if event.is_empty() {
            while !String::from_utf8_lossy(&answer.piece().await.unwrap().unwrap()).contains("word") {}
        } else {
            answer.until(event, SOON).await;
        }
        drop(answer);
        let left = Instant::now();
        fake.until_gone("a", SOON).await;
        assert!(left.elapsed() < Duration::from_secs(1), "{path}: {:?}", left.elapsed());
        fake.forget();
    }
}

#[tokio::test]
async fn what_is_wrong_before_a_model_is_asked_is_told_in_openais_shape() {
    let fake = FakeChatGpt::start();
    let dragoman = Launch::beside(&fake).config("[server]\nbody_limit_mb = 1\n").start().await;
    for path in [CHAT, RESPONSES] {
        let large = json!({ "model": "m", "input": "x".repeat(2 << 20) });
        let message = error(&call(&dragoman, path, &large).send().await, 413);
        assert!(message.contains("1 MB"), "{message}");
        let broken = call(&dragoman, path, &json!({})).bytes(b"{\"model\":\"\xff\"}".as_slice());
        assert!(error(&broken.send().await, 400).contains("not valid UTF-8"));
        let foreign = call(&dragoman, path, &asked(path, "m", false)).header("host", "evil.example");
        assert!(error(&foreign.send().await, 403).contains("evil.example"));
        let stranger = call(&dragoman, path, &asked(path, "m", false)).header("authorization", "Bearer no");
        assert!(error(&stranger.send().await, 401).contains("token"));
        let keyed = call(&dragoman, path, &asked(path, "no-such", false))
            .without("authorization")
            .header("x-api-key", support::TOKEN);
        assert!(
            error(&keyed.send().await, 404).contains("no-such"),
            "the other header carries the token too"
        );
    }
    assert!(fake.turns().is_empty());
}

#[tokio::test]
async fn the_users_own_map_and_effort_count_for_openais_clients() {
    let fake = FakeChatGpt::start();
    let config = "[models]\neffort = \"low\"\n[models.names]\n\"gpt-4o\" = \"gpt-5.5\"\n";
    let dragoman = Launch::beside(&fake).config(config).start().await;
    fake.script([Rule::any("a").always().text("fine")]);
    for path in [CHAT, RESPONSES] {
        let mut body = asked(path, "gpt-4o", false);
        match path {
            CHAT => body["reasoning_effort"] = "high".into(),
            _ => body["reasoning"] = json!({ "effort": "high" }),
        }
        let answer = call(&dragoman, path, &body).send().await;
        assert_eq!(answer.json()["model"], "gpt-4o", "{}", answer.text());
        let sent = fake.turns().pop().unwrap().body;
        assert_eq!((&sent["model"], &sent["reasoning"]["effort"]), (&json!("gpt-5.5"), &json!("low")));
    }
    fake.assert_content();
}

/// The backend's search, by either API: a model of the Lite dialect has none, so another one answers.
#[tokio::test]
async fn hosted_tools_are_given_to_a_model_that_has_them() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").always().when_hosted_tool("web_search").text("found")]);
    let mut chat = asked(CHAT, "gpt-6.1-sol", false);
    chat["web_search_options"] = json!({});
    let mut responses = asked(RESPONSES, "gpt-6.1-sol", false);
    responses["tools"] = json!([{ "type": "web_search" }]);
    for (path, body) in [(CHAT, chat), (RESPONSES, responses)] {
        let answer = call(&dragoman, path, &body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["model"], "gpt-6.1-sol", "the name that was asked for");
        assert_eq!(fake.turns().pop().unwrap().body["model"], "gpt-5.5");
    }
}

#[tokio::test]
async fn limits_are_told_in_the_headers_that_the_codex_cli_reads() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a")
        .text("fine")
        .header("x-codex-primary-used-percent", "13")
        .header("x-codex-primary-window-minutes", "300")]);
    let answer = call(&dragoman, RESPONSES, &asked(RESPONSES, "gpt-6.1-sol", false)).send().await;
    assert_eq!(answer.headers.value("x-codex-primary-used-percent"), Some("13"));
    assert_eq!(answer.headers.value("x-codex-primary-window-minutes"), Some("300"));
    assert_eq!(answer.headers.value("anthropic-ratelimit-unified-status"), None);
}

/// Reasoning that the backend can't read any more: once more without it, as for Claude Code.
#[tokio::test]
async fn a_responses_request_goes_again_without_reasoning_that_nobody_can_read() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").always().text("fine")]);
    let stale = json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAold" });
    let said = json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "x" }] });
    let user =
        json!({ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "hi" }] });
    let body = json!({ "model": "gpt-5.5", "input": [user, stale, said, user] });
    let answer = call(&dragoman, RESPONSES, &body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let turns = fake.turns();
    assert_eq!(turns.len(), 2);
    assert_eq!(turns[0].body["input"].as_array().unwrap().len(), 4);
    assert_eq!(turns[1].body["input"].as_array().unwrap().len(), 3);
}

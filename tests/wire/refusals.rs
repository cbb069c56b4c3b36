//! Failures before the first output: the client sees their true status, and the backend is asked so often and no
//! oftener.

use std::time::Duration;

use serde_json::json;
use support::fake::{Fail, FakeChatGpt, Reply, Rule};
use support::{Dragoman, Launch, message, now};

use crate::{error, streaming};

const RESPONSES: &str = "/backend-api/codex/responses";

#[tokio::test]
async fn an_overload_hidden_in_a_stream_is_a_529() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("busy").always().fail(Fail::Overloaded)]);
    let answer = dragoman.messages(&streaming("hi")).send().await;
    error(&answer, 529, "overloaded_error");
    assert_eq!(fake.answered_by("busy").len(), 3, "one attempt and two retries");
}

#[tokio::test]
async fn a_short_overload_is_not_noticed() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("busy").fail(Fail::Overloaded), Rule::any("ok").text("fine")]);
    let answer = dragoman.messages(&message("hi")).send().await;
    assert_eq!(answer.json()["content"][0]["text"], "fine");
}

#[tokio::test]
async fn a_used_up_limit_says_when_it_resets() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("limit").always().fail(Fail::UsageLimit { resets_in: 3600 })]);
    for body in [streaming("hi"), message("ho")] {
        let answer = dragoman.messages(&body).send().await;
        let words = error(&answer, 429, "rate_limit_error");
        assert!(words.contains("limit"), "{words}");
        assert_eq!(answer.headers.value("x-should-retry"), Some("false"));
        let after: i64 = answer.headers.value("retry-after").unwrap().parse().unwrap();
        assert!((3500..=3600).contains(&after), "{after}");
    }
    assert!(fake.answered_by("limit").len() <= 2, "a limit is never retried: {}", fake.story());
}

#[tokio::test]
async fn an_overflow_is_told_in_the_words_that_make_the_client_compact() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let body = r#"{"error":{"message":"Your input exceeds the context window of this model.","type":"invalid_request_error","param":"input","code":"context_length_exceeded"}}"#;
    let plain = Fail::Http { status: 400, kind: "application/json", body: body.to_owned() };
    for (index, fail) in [Fail::ContextOverflow, plain].into_iter().enumerate() {
        fake.script([Rule::any("full").always().fail(fail)]);
        let answer = dragoman.messages(&streaming(&format!("hi {index}"))).send().await;
        let words = error(&answer, 400, "invalid_request_error");
        let numbers: Vec<u64> =
            words.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        assert!(words.starts_with("prompt is too long: ") && words.ends_with(" maximum"), "{words}");
        assert!(numbers.len() == 2 && numbers[0] > numbers[1] && numbers[1] > 100_000, "{words}");
    }
}

#[tokio::test]
async fn a_final_400_that_is_sent_six_times_reaches_the_backend_once() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let body = json!({ "error": { "message": "Invalid prompt: no.", "type": "invalid_request_error", "code": "invalid_prompt" } });
    let refusal = Fail::Http { status: 400, kind: "application/json", body: body.to_string() };
    fake.script([Rule::any("no").always().fail(refusal)]);
    // With everything said that a catalog could otherwise decide, and change when it is fetched.
    let body = |text: &str| {
        let mut body = streaming(text);
        body["output_config"] = json!({ "effort": "high" });
        body
    };
    for _ in 0..6 {
        let words = error(&dragoman.messages(&body("hi")).send().await, 400, "invalid_request_error");
        assert!(words.contains("Invalid prompt: no."), "{words}");
    }
    assert_eq!(fake.answered_by("no").len(), 1);
    // Another request is another matter.
    dragoman.messages(&body("ho")).send().await;
    assert_eq!(fake.answered_by("no").len(), 2);
}

#[tokio::test]
async fn an_html_answer_is_explained_and_not_quoted() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    for (status, kind) in [(403, "a challenge"), (200, "a captive portal")] {
        let page = "<html><head><title>Just a moment...</title></head><body>cf-mitigated</body></html>";
        fake.reply(RESPONSES, [Reply::html(status, page)]);
        let answer = dragoman.messages(&streaming(kind)).send().await;
        let words = error(&answer, 503, "api_error");
        assert!(!words.contains('<'), "{kind}: {words}");
        assert_eq!(answer.headers.value("retry-after"), Some("10"), "{kind}");
    }
}

#[tokio::test]
async fn a_backend_that_cannot_be_reached_is_one_sentence() {
    // A port on which nobody listens: bound once, to be sure that it was free, and given back.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fake = FakeChatGpt::start();
    let unencrypted = fake.address();
    for (name, url) in [
        ("refused", format!("http://{nobody}/backend-api")),
        ("no TLS there", format!("https://{unencrypted}/backend-api")),
    ] {
        let dragoman = Launch::beside(&fake).env("DRAGOMAN_CHATGPT_URL", &url).start().await;
        let answer = dragoman.messages(&streaming("hi")).send().await;
        assert!(answer.status >= 500, "{name}: {}", answer.text());
        let words = error(&answer, answer.status, "api_error");
        assert!(words.len() > 20 && words.len() < 300, "{name}: {words}");
        assert!(!words.contains("error sending request"), "{name}: the library's words: {words}");
        assert!(fake.turns().is_empty());
    }
}

#[tokio::test]
async fn a_short_rate_limit_is_waited_for() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let fail =
        Fail::Event { code: "rate_limit_exceeded", message: "Rate limit reached. Please try again in 1s." };
    fake.script([Rule::any("wait").fail(fail), Rule::any("ok").text("fine")]);
    let answer = dragoman.messages(&streaming("hi")).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let apart = fake.only("ok").at - fake.only("wait").at;
    assert!(apart >= Duration::from_millis(900), "it did not wait: {apart:?}");
}

#[tokio::test]
async fn json_refusals_keep_their_kind() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let json = |status, body: serde_json::Value| Fail::Http {
        status,
        kind: "application/json",
        body: body.to_string(),
    };
    let error_of =
        |kind: &str| json!({ "error": { "type": kind, "message": "No.", "resets_at": now() + 60 } });
    for (fail, status, kind) in [
        (json(403, json!({ "detail": "Forbidden" })), 403, "permission_error"),
        (json(429, error_of("usage_not_included")), 429, "billing_error"),
        (
            json(429, json!({ "error": { "code": "insufficient_quota", "message": "No." } })),
            429,
            "billing_error",
        ),
    ] {
        fake.script([Rule::any("no").always().fail(fail)]);
        let answer = dragoman.messages(&streaming(kind)).send().await;
        error(&answer, status, kind);
        assert_eq!(answer.headers.value("x-should-retry"), Some("false"), "{kind}");
    }
}

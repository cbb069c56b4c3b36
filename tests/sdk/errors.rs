//! What goes wrong comes as the exception that the SDK has for it.

use serde_json::{Value, json};
use support::fake::{Fail, Rule};

use crate::client::{Desk, in_both_languages};

in_both_languages! {
    no_messages policy wrong_token forbidden unknown_model too_large usage_limit server_error overloaded
    context_overflow mid_stream broken_stream retries
}

/// Class, status, type, whether it may be tried again, and words of the message.
async fn raises(desk: &Desk, error: &str, expected: (&str, u16, &str, Option<&str>), words: &str) {
    let raised = desk.run_with("error", &[("ERROR", error)]).await;
    let seen = (
        raised["class"].as_str().unwrap_or_default(),
        raised["status"].as_u64().unwrap_or_default(),
        raised["type"].as_str().unwrap_or_default(),
        raised["retry"].as_str(),
    );
    let (class, status, kind, retry) = expected;
    assert_eq!(seen, (class, u64::from(status), kind, retry), "{raised}");
    assert_eq!(raised["request_id"], true, "{raised}");
    assert!(raised["message"].as_str().unwrap().contains(words), "{raised}");
}

fn http(status: u16, body: Value) -> Fail {
    Fail::Http { status, kind: "application/json", body: body.to_string() }
}

async fn no_messages(desk: Desk) {
    let expected = ("BadRequestError", 400, "invalid_request_error", Some("false"));
    raises(&desk, "no_messages", expected, "messages: at least one message is required").await;
    assert!(desk.fake.turns().is_empty());
}

async fn policy(desk: Desk) {
    let refusal =
        http(400, json!({ "error": { "code": "cyber_policy", "message": "This is not allowed." } }));
    desk.script([Rule::any("a").always().fail(refusal)]);
    let expected = ("BadRequestError", 400, "invalid_request_error", Some("false"));
    raises(&desk, "policy", expected, "This is not allowed.").await;
}

async fn wrong_token(desk: Desk) {
    let expected = ("AuthenticationError", 401, "authentication_error", Some("false"));
    raises(&desk, "wrong_token", expected, "token").await;
    assert!(desk.fake.turns().is_empty());
}

async fn forbidden(desk: Desk) {
    let refusal = http(403, json!({ "detail": "This workspace is closed." }));
    desk.script([Rule::any("a").always().fail(refusal)]);
    let expected = ("PermissionDeniedError", 403, "permission_error", Some("false"));
    raises(&desk, "forbidden", expected, "This workspace is closed.").await;
}

async fn unknown_model(desk: Desk) {
    let expected = ("NotFoundError", 404, "not_found_error", None);
    raises(&desk, "unknown_model", expected, "gpt-of-yesterday").await;
}

async fn too_large(desk: Desk) {
    let expected = ("ContentTooLargeError", 413, "request_too_large", Some("false"));
    raises(&desk, "too_large", expected, "larger than 8 MB").await;
    assert!(desk.fake.turns().is_empty());
}

async fn usage_limit(desk: Desk) {
    desk.script([Rule::any("a").always().fail(Fail::UsageLimit { resets_in: 3_600 })]);
    raises(&desk, "usage_limit", ("RateLimitError", 429, "rate_limit_error", Some("false")), "limit").await;
}

async fn server_error(desk: Desk) {
    desk.script([Rule::any("a").always().fail(Fail::ServerError)]);
    raises(&desk, "server_error", ("InternalServerError", 500, "api_error", None), "").await;
    assert_eq!(desk.fake.turns().len(), 3, "two more tries");
}

async fn overloaded(desk: Desk) {
    desk.script([Rule::any("a").always().fail(Fail::Overloaded)]);
    raises(&desk, "overloaded", ("OverloadedError", 529, "overloaded_error", None), "").await;
}

async fn context_overflow(desk: Desk) {
    desk.script([Rule::any("a").always().fail(Fail::ContextOverflow)]);
    let expected = ("BadRequestError", 400, "invalid_request_error", None);
    raises(&desk, "context_overflow", expected, "prompt is too long").await;
}

async fn mid_stream(desk: Desk) {
    let failure = Fail::Event { code: "server_error", message: "It broke." };
    desk.script([Rule::any("a").always().text("half an answer").fail(failure)]);
    let raised = desk.run_with("error", &[("ERROR", "mid_stream")]).await;
    assert_eq!(raised, json!({ "class": "APIError", "type": "api_error", "after": "half an answer" }));
    assert_eq!(desk.fake.turns().len(), 1, "nothing is asked again once something was said");
}

/// A connection that breaks is told as an error too: the SDKs would take a mere end for the end of the answer.
async fn broken_stream(desk: Desk) {
    desk.script([Rule::any("a").always().text("half an answer").fail(Fail::Cut)]);
    let raised = desk.run_with("error", &[("ERROR", "mid_stream")]).await;
    assert_eq!(raised, json!({ "class": "APIError", "type": "api_error", "after": "half an answer" }));
}

async fn retries(desk: Desk) {
    desk.script([Rule::any("a").times(3).fail(Fail::ServerError), Rule::any("b").text("at last")]);
    assert_eq!(desk.run("retries").await, json!({ "text": "at last" }));
    assert_eq!(desk.fake.answered_by("a").len(), 3);
}

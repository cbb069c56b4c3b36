//! What the user reads when the backend refuses, and how often it is asked.

use std::time::Duration;

use support::fake::{Fail, Rule};

use crate::client::Desk;

#[tokio::test]
async fn a_used_up_limit_is_told_at_once() {
    let desk = Desk::open().await;
    desk.script([Rule::any("limit").always().fail(Fail::UsageLimit { resets_in: 3600 })]);
    let outcome = desk.claude("hi").outcome().await;
    outcome.assert_fails_with("limit");
    assert_eq!(outcome.result()["api_error_status"], 429);
    assert!(outcome.took < Duration::from_secs(20), "{:?}", outcome.took);
    assert!(desk.fake.answered_by("limit").len() <= 2, "{}", desk.fake.story());
}

/// Claude Code sends a request six times before it believes a 400 (DECISIONS 3). Measured with 2.1.329: on the way it
/// gives up deferred tools, so its six requests are two different ones; each may reach the backend once.
#[tokio::test]
async fn a_final_400_costs_one_request_upstream() {
    let desk = Desk::open().await;
    let body = r#"{"error":{"message":"Invalid prompt: words","type":"invalid_request_error","code":"invalid_prompt"}}"#;
    let refusal = Fail::Http { status: 400, kind: "application/json", body: body.to_owned() };
    desk.script([Rule::any("no").always().fail(refusal)]);
    desk.claude("hi").outcome().await.assert_fails_with("400");
    let sent = desk.fake.answered_by("no");
    assert!(sent.len() <= 2, "{}", desk.fake.story());
    assert!(
        sent.len() == 1 || sent[0].view().tools != sent[1].view().tools,
        "the same request was sent twice"
    );
}

#[tokio::test]
async fn an_overload_before_the_first_word_passes_unnoticed() {
    let desk = Desk::open().await;
    desk.script([
        Rule::any("busy").fail(Fail::Overloaded),
        Rule::any("500").fail(Fail::ServerError),
        Rule::any("ok").always().text("RECOVERED"),
    ]);
    desk.claude("hi").outcome().await.assert_says("RECOVERED");
    desk.fake.only("busy");
    desk.fake.only("500");
}

#[tokio::test]
async fn a_lost_login_says_how_to_sign_in() {
    let desk = Desk::open().await;
    desk.fake.withdraw_access_tokens();
    desk.fake.fail_refresh(400, "invalid_grant");
    desk.script([Rule::any("ok").always().text("never")]);
    let outcome = desk.claude("hi").env("CLAUDE_CODE_MAX_RETRIES", "1").outcome().await;
    outcome.assert_fails_with("sign in");
    assert!(outcome.took < Duration::from_secs(20), "{:?}", outcome.took);
}

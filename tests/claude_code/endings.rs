//! Answers that end in another way than well: what Claude Code makes of them, and that it goes on.

use serde_json::json;
use support::fake::{Fail, Rule, Stop};

use crate::client::Desk;

/// After output, a failure is an error event; Claude Code then asks again without streaming, and drops the half.
#[tokio::test]
async fn an_error_in_mid_stream_is_followed_by_a_request_without_streaming() {
    let desk = Desk::open().await;
    let failure = Fail::Event { code: "server_error", message: "It broke." };
    desk.script([
        Rule::main("half").text("HALF AN ANSWER").fail(failure),
        Rule::main("whole").text("WHOLE ANSWER"),
    ]);
    let outcome = desk.claude("go").outcome().await;
    outcome.assert_says("WHOLE ANSWER");
    assert!(!outcome.text().contains("HALF"), "{}", outcome.text());
    desk.fake.only("half");
    desk.fake.only("whole");
    desk.fake.assert_content();
}

/// A tool whose call had arrived whole has run; its result is kept, and the turn goes on.
#[tokio::test]
async fn a_call_before_a_cut_runs_once() {
    let desk = Desk::open().await;
    let count = json!({ "command": "echo ran >> count.txt", "description": "d" });
    desk.script([
        Rule::main("call").tool("Bash", count).text("and then").fail(Fail::Cut),
        Rule::any("on").always().text("WENT ON"),
    ]);
    desk.claude("go").outcome().await.assert_says("WENT ON");
    assert_eq!(desk.read("count.txt"), "ran\n");
}

#[tokio::test]
async fn an_answer_without_words_is_asked_for_again() {
    let desk = Desk::open().await;
    desk.script([
        Rule::main("nothing"),
        Rule::main("again").when_user("no visible output").text("SOMETHING"),
    ]);
    desk.claude("go").outcome().await.assert_says("SOMETHING");
    desk.fake.only("again");
    desk.fake.assert_content();
}

#[tokio::test]
async fn an_answer_cut_by_the_output_limit_is_continued() {
    let desk = Desk::open().await;
    desk.script([
        Rule::main("first").text("FIRST HALF").stop(Stop::MaxTokens),
        Rule::main("second").when_user("Output token limit hit").text("SECOND HALF"),
    ]);
    desk.claude("go").outcome().await.assert_says("SECOND HALF");
    assert!(desk.fake.only("second").view().text().contains("FIRST HALF"));
    desk.fake.assert_content();
}

/// Three overloads that Claude Code sees (each of them three upstream), then the other model.
#[tokio::test]
async fn the_fallback_model_takes_over_when_the_first_stays_overloaded() {
    let desk = Desk::open().await;
    desk.script([
        Rule::main("busy").when_model("gpt-6.1-sol").always().fail(Fail::Overloaded),
        Rule::main("other").when_model("terra").text("FROM THE OTHER"),
    ]);
    let outcome = desk.claude("go").arguments(&["--fallback-model", "sonnet"]).outcome().await;
    outcome.assert_says("FROM THE OTHER");
    desk.fake.only("other");
}

#[tokio::test]
async fn a_model_that_is_not_there_fails_soon() {
    let desk = Desk::for_model("gpt-of-yesterday").await;
    desk.script([Rule::any("never").always().text("never")]);
    let outcome = desk.claude("go").env("CLAUDE_CODE_MAX_RETRIES", "1").outcome().await;
    outcome.assert_fails_with("gpt-of-yesterday");
    assert!(desk.fake.turns().is_empty(), "{}", desk.fake.story());
}

/// A refusal is shown as one, not as a normal end.
#[tokio::test]
async fn a_refusal_is_told() {
    let desk = Desk::open().await;
    desk.script([Rule::any("no").always().text("I can't help with that.").stop(Stop::ContentFilter)]);
    let outcome = desk.claude("go").outcome().await;
    let told = outcome.events.iter().any(|event| {
        event["message"]["stop_reason"] == "refusal" || event.to_string().contains("safeguards")
    });
    assert!(told, "{:?}", outcome.events);
}

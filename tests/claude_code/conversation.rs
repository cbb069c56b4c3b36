//! Text, thinking, effort, usage, pace and cancelling.

use std::time::Duration;

use serde_json::json;
use support::fake::{Fail, Rule, Usage};

use crate::client::Desk;

async fn text_goes_both_ways(desk: Desk) {
    desk.script([Rule::main("a").text("Hello from the scripted model.")]);
    desk.claude("say hello").outcome().await.assert_says("Hello from the scripted model.");
    let request = desk.fake.only("a");
    assert!(request.view().text().contains("say hello"));
    let place = format!("Primary working directory: {}", desk.work().display());
    assert!(request.view().everything().contains(&place), "the environment text is lost");
    desk.fake.assert_content();
}

#[tokio::test]
async fn text() {
    text_goes_both_ways(Desk::open().await).await;
}

#[tokio::test]
async fn text_with_a_classic_model() {
    let desk = Desk::for_model("gpt-5.5").await;
    text_goes_both_ways(desk).await;
}

#[tokio::test]
async fn text_with_a_classic_model_chosen_in_the_settings() {
    let all = "[models]\nopus = 'gpt-5.5'\nsonnet = 'gpt-5.5'\nhaiku = 'gpt-5.5'\nfable = 'gpt-5.5'\n";
    let desk = Desk::with(None, |launch| launch.config(all)).await;
    desk.script([Rule::main("a").when_model("gpt-5.5").text("from the classic one")]);
    desk.claude("go").outcome().await.assert_says("from the classic one");
    let request = desk.fake.only("a");
    assert_eq!(request.headers.value("x-openai-internal-codex-responses-lite"), None);
    assert!(request.body["tools"].is_array());
    desk.fake.assert_content();
}

/// The fake refuses ciphertexts that it did not issue, reasoning without its item and calls without output: that the
/// second request is accepted is half of this test.
async fn thinking_is_shown_and_replayed(desk: Desk) {
    desk.script([
        Rule::main("a")
            .think("I should look around.")
            .text("Looking.")
            .tool("Bash", json!({ "command": "echo marker-1", "description": "d" })),
        Rule::main("b").when_output("marker-1").think("Now finish.").text("All done: {{last_output}}"),
    ]);
    let outcome = desk.claude("go").outcome().await;
    outcome.assert_says("All done: marker-1");
    assert!(outcome.thinking().contains("I should look around."), "{:?}", outcome.thinking());
    let request = desk.fake.only("b");
    let thought = request.body["input"].as_array().unwrap().iter().find(|item| item["type"] == "reasoning");
    let thought = thought.expect("the reasoning comes back in the next request");
    assert!(thought["encrypted_content"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(thought["summary"][0]["text"], "I should look around.");
    desk.fake.assert_content();
}

#[tokio::test]
async fn thinking_replay() {
    thinking_is_shown_and_replayed(Desk::open().await).await;
}

#[tokio::test]
async fn thinking_replay_with_a_classic_model() {
    thinking_is_shown_and_replayed(Desk::for_model("gpt-5.5").await).await;
}

#[tokio::test]
async fn a_second_user_turn_extends_the_first() {
    let desk = Desk::open().await;
    desk.script([
        Rule::main("a").think("One.").text("first answer"),
        Rule::main("b").when_user("second question").text("second answer"),
    ]);
    desk.begin("first question").outcome().await.assert_says("first answer");
    desk.resume("second question").outcome().await.assert_says("second answer");
    let (first, second) = (desk.fake.only("a"), desk.fake.only("b"));
    for name in ["session-id", "thread-id"] {
        assert_eq!(first.header(name), second.header(name), "{name} changed within a session");
    }
    assert_eq!(first.body["prompt_cache_key"], second.body["prompt_cache_key"]);
    assert!(second.view().text().contains("first answer"));
    desk.fake.assert_content();
}

#[tokio::test]
async fn usage() {
    let desk = Desk::open().await;
    let usage = Usage { input: Some(12_000), cached: 9_000, output: Some(321), reasoning: 100 };
    desk.script([Rule::main("a").text("counted").usage(usage)]);
    let outcome = desk.claude("go").outcome().await;
    outcome.assert_says("counted");
    let usage = &outcome.result()["usage"];
    assert_eq!(usage["input_tokens"], 3_000);
    assert_eq!(usage["cache_read_input_tokens"], 9_000);
    assert_eq!(usage["output_tokens"], 321);
    desk.fake.assert_content();
}

#[tokio::test]
async fn effort_low() {
    let desk = Desk::open().await;
    desk.script([Rule::main("a").always().text("ok")]);
    for effort in ["low", "xhigh"] {
        desk.claude("go").arguments(&["--effort", effort]).outcome().await.assert_says("ok");
        let request = desk.fake.answered_by("a").pop().unwrap();
        assert_eq!(request.view().effort.as_deref(), Some(effort));
    }
    desk.fake.assert_content();
}

#[tokio::test]
async fn slow_start() {
    let desk = Desk::open().await;
    let (wait, comment) = (Duration::from_secs(16), Duration::from_secs(1));
    desk.script([Rule::main("a")
        .before(Duration::from_secs(2))
        .pause(wait)
        .keep_alive(comment)
        .text("finally")]);
    desk.claude("go").outcome().await.assert_says("finally");
    assert_eq!(desk.fake.turns().len(), 1, "the client did not have to ask again");
    desk.fake.assert_content();
}

#[tokio::test]
async fn cut_mid_stream() {
    let desk = Desk::open().await;
    desk.script([
        Rule::main("cut").text("partial ").fail(Fail::Cut),
        Rule::main("ok").always().text("RECOVERED"),
    ]);
    desk.claude("hi").outcome().await.assert_says("RECOVERED");
    desk.fake.assert_content();
}

#[tokio::test]
async fn cancel_sigint() {
    let desk = Desk::open().await;
    desk.script([Rule::main("a").text(&"word ".repeat(400)).between(Duration::from_millis(50))]);
    let running = desk.claude("go").argument("--include-partial-messages").start();
    running.until_it_says("text_delta").await;
    running.signal("INT");
    desk.fake.until_gone("a", Duration::from_secs(5)).await;
    let outcome = running.outcome().await;
    assert!(outcome.took < Duration::from_secs(20), "{:?}", outcome.took);
    desk.fake.assert_content();
}

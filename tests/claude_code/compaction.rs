//! The three ways in which a conversation is compacted: by hand, by the usage that is reported, by an overflow.

use support::fake::{Fail, Rule, Usage};

use crate::client::{Desk, Run};

/// Where Claude Code says that it wants the summary.
const ASKED: &str = "Respond with TEXT ONLY";

fn summary(word: &str) -> Rule {
    Rule::any("summary").when_user(ASKED).text(&format!("<analysis>a</analysis><summary>{word}</summary>"))
}

fn used(input: u64, cached: u64, output: u64) -> Usage {
    Usage { input: Some(input), cached, output: Some(output), reasoning: 0 }
}

#[tokio::test]
async fn compact_manual() {
    let desk = Desk::open().await;
    desk.script([
        Rule::main("a").when_user("remember").text("The word is zebra."),
        summary("ZEBRA-SUMMARY"),
        Rule::main("c").when_text("ZEBRA-SUMMARY").text("continued"),
    ]);
    desk.begin("remember the word zebra").outcome().await.assert_says("zebra");
    let outcome = desk.resume("/compact").outcome().await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.has("system", "compact_boundary"));
    desk.resume("and now?").outcome().await.assert_says("continued");
    desk.fake.only("summary");
    let after = desk.fake.only("c");
    assert!(!after.view().text().contains("The word is zebra."), "the old history is still there");
    // The window is part of the identity of a thread: it moves on with each compaction.
    let before = desk.fake.only("a");
    assert_eq!(before.header("thread-id"), after.header("thread-id"));
    assert_ne!(before.header("x-codex-window-id"), after.header("x-codex-window-id"));
    desk.fake.assert_content();
}

#[tokio::test]
async fn compact_auto() {
    let desk = Desk::open().await;
    let bash = serde_json::json!({ "command": "echo one", "description": "d" });
    desk.script([
        summary("AUTO-SUMMARY"),
        Rule::main("a").when_user("turn one").text("noted one").usage(used(60_000, 0, 100)),
        Rule::main("b").when_user("turn two").text("noted two").usage(used(120_000, 0, 100)),
        Rule::main("t").when_user("turn three").tool("Bash", bash).usage(used(190_000, 150_000, 100)),
        Rule::main("end").when_text("AUTO-SUMMARY").text("finished").usage(used(5_000, 0, 5)),
    ]);
    let capped = |run: Run<'_>| run.env("CLAUDE_CODE_AUTO_COMPACT_WINDOW", "200000").start();
    let padding = "pad ".repeat(300);
    capped(desk.begin(&format!("turn one {padding}"))).outcome().await.assert_says("noted one");
    capped(desk.resume(&format!("turn two {padding}"))).outcome().await.assert_says("noted two");
    let outcome = capped(desk.resume("turn three")).outcome().await;
    outcome.assert_says("finished");
    assert!(outcome.has("system", "compact_boundary"));
    desk.fake.only("summary");
    desk.fake.only("end");
    desk.fake.assert_content();
}

#[tokio::test]
async fn compact_on_overflow_error() {
    let desk = Desk::open().await;
    desk.script([
        summary("OVERFLOW-SUMMARY"),
        Rule::main("a").when_user("turn one").text("noted one"),
        Rule::main("b").when_user("turn two").text("noted two"),
        Rule::main("full").when_user("turn three").fail(Fail::ContextOverflow),
        Rule::main("end").when_text("OVERFLOW-SUMMARY").text("finished"),
    ]);
    desk.begin("turn one").outcome().await.assert_says("noted one");
    desk.resume("turn two").outcome().await.assert_says("noted two");
    let outcome = desk.resume("turn three").outcome().await;
    outcome.assert_says("finished");
    assert!(outcome.has("system", "compact_boundary"));
    desk.fake.only("full");
    desk.fake.only("summary");
    assert!(desk.fake.only("end").view().text().contains("turn three"));
    desk.fake.assert_content();
}

#[tokio::test]
async fn an_overflow_in_the_first_exchange_is_told_to_the_user() {
    let desk = Desk::open().await;
    desk.script([Rule::any("full").always().fail(Fail::ContextOverflow)]);
    let outcome = desk.claude("hi").outcome().await;
    outcome.assert_fails_with("Prompt is too long");
    assert_eq!(outcome.result()["terminal_reason"], "prompt_too_long");
}

//! The model map under the real Claude Code: its own words about effort, situations and windows against the rules.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::fake::{Rule, catalog};

use crate::client::{Desk, Run};

/// What went upstream for the last prompt.
fn sent(desk: &Desk) -> (String, String) {
    let turn = desk.fake.turns().pop().unwrap();
    (turn.view().model.clone(), turn.view().effort.clone().unwrap_or_default())
}

async fn says_ok(run: Run<'_>) {
    run.outcome().await.assert_says("ok");
}

fn dragoman(desk: &Desk, arguments: &[&str]) {
    let mut command = desk.dragoman.launch().command();
    command.args(arguments).env("CLAUDE_CONFIG_DIR", desk.home().join(".claude"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Claude Code sends an effort each time: only an override makes a switch real (DECISIONS 5).
#[tokio::test]
async fn an_override_is_stronger_than_the_effort_that_claude_code_sends() {
    let desk = Desk::with(None, |launch| launch.argument("-v")).await;
    desk.script([Rule::any("a").always().text("ok")]);
    let medium = || desk.claude("go").arguments(&["--effort", "medium"]);
    says_ok(medium()).await;
    assert_eq!(sent(&desk).1, "medium", "without a wish of the user's");
    let changes = |count: usize| move |said: &str| said.matches("settings file changed").count() == count;
    dragoman(&desk, &["models", "set", "opus", "gpt-6.1-sol effort=high"]);
    desk.dragoman.said_when(changes(1)).await;
    says_ok(medium()).await;
    assert_eq!(sent(&desk).1, "high", "a rule's effort");
    // The switch for everything, as the tray sets it.
    let file = desk.dragoman.path().join("dragoman/config/config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("[models]", "[models]\neffort = \"low\"")).unwrap();
    desk.dragoman.said_when(changes(2)).await;
    says_ok(medium()).await;
    assert_eq!(sent(&desk), ("gpt-6.1-sol".to_owned(), "low".to_owned()));
    desk.fake.assert_content();
}

/// Plan mode, a subagent and a compaction of the real client are known for what they are.
#[tokio::test]
async fn what_claude_code_does_is_known_from_its_requests() {
    const MAP: &str =
        "[models]\nthink = \"gpt-6-sol\"\nsubagent = \"gpt-6-luna\"\ncompact = \"gpt-5.6-luna\"\n";
    let desk = Desk::with(None, |launch| launch.config(MAP)).await;
    let agent = json!({
        "description": "d", "prompt": "the errand", "subagent_type": "general-purpose", "run_in_background": false,
    });
    desk.script([
        Rule::any("errand").when_user("the errand").text("done"),
        Rule::any("summary").when_user("Respond with TEXT ONLY").text("<summary>s</summary>"),
        Rule::main("agent").when_user("send somebody").tool("Agent", agent),
        Rule::main("after").when_output("done").text("ok"),
        Rule::any("rest").always().text("ok"),
    ]);
    let model = |rule: &str| desk.fake.only(rule).view().model.clone();
    says_ok(desk.begin("send somebody")).await;
    assert_eq!(model("agent"), "gpt-6.1-sol");
    assert_eq!(model("errand"), "gpt-6-luna");
    let compacted = desk.resume("/compact").outcome().await;
    assert_eq!(compacted.code, Some(0), "{compacted:?}");
    assert_eq!(model("summary"), "gpt-5.6-luna");
    let planning = desk.without_bypass("make a plan").arguments(&["--permission-mode", "plan"]);
    says_ok(planning).await;
    assert_eq!(sent(&desk).0, "gpt-6-sol");
    desk.fake.assert_content();
}

/// The backend gives the mapped model another window: the next answer names another version of its list, and the file
/// that Claude Code reads follows by itself.
#[tokio::test]
async fn a_changed_window_of_the_catalog_reaches_claude_codes_settings() {
    let desk = Desk::open().await;
    dragoman(&desk, &["connect"]);
    let told = || {
        let text = std::fs::read_to_string(desk.home().join(".claude/settings.json")).unwrap();
        let settings: Value = serde_json::from_str(&text).unwrap();
        let variable = |name: &str| settings["env"][name].as_str().unwrap_or_default().to_owned();
        (variable("CLAUDE_CODE_MAX_CONTEXT_TOKENS"), variable("CLAUDE_CODE_AUTO_COMPACT_WINDOW"))
    };
    assert_eq!(told(), ("258400".to_owned(), "258400".to_owned()));
    desk.script([Rule::any("a").always().text("ok")]);
    let mut changed = catalog();
    for model in changed["models"].as_array_mut().unwrap() {
        model["context_window"] = json!(180_000);
    }
    desk.fake.serve_catalog(changed);
    let bare =
        |prompt: &str| desk.claude(prompt).without("ANTHROPIC_BASE_URL").without("ANTHROPIC_AUTH_TOKEN");
    says_ok(bare("one")).await;
    says_ok(bare("two")).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while told() != ("171000".to_owned(), "171000".to_owned()) {
        assert!(Instant::now() < deadline, "{:?}: {}", told(), desk.dragoman.said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    desk.fake.assert_content();
}

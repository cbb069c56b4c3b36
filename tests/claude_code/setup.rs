//! The ways in which Claude Code learns where Dragoman is, and what it learns there.

use serde_json::json;
use support::TOKEN;
use support::fake::Rule;

use crate::client::Desk;

#[tokio::test]
async fn settings_env() {
    let desk = Desk::open().await;
    let environment = json!({ "ANTHROPIC_BASE_URL": desk.dragoman.url(), "ANTHROPIC_AUTH_TOKEN": TOKEN });
    desk.settings(json!({ "env": environment }));
    desk.script([Rule::main("a").text("via settings")]);
    let run = desk.claude("go").without("ANTHROPIC_BASE_URL").without("ANTHROPIC_AUTH_TOKEN");
    run.outcome().await.assert_says("via settings");
    desk.fake.only("a");
    desk.fake.assert_content();
}

#[tokio::test]
async fn model_discovery() {
    let desk = Desk::open().await;
    desk.script([Rule::any("a").always().text("ok")]);
    let run = desk.claude("go").env("CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY", "1");
    run.outcome().await.assert_says("ok");
    let cache = desk.home().join(".claude/cache/gateway-models.json");
    let cache =
        std::fs::read_to_string(&cache).unwrap_or_else(|error| panic!("{}: {error}", cache.display()));
    let cache: serde_json::Value = serde_json::from_str(&cache).unwrap();
    let models = cache["models"].as_array().unwrap();
    assert!(models.iter().any(|model| model["id"].as_str().unwrap().contains("gpt-6-1-sol")), "{cache}");
    assert!(models.iter().all(|model| model["id"].as_str().unwrap().contains("claude")), "{cache}");
    // A discovered id is accepted as a model name and means the model that it names.
    let id = models.iter().find_map(|model| model["id"].as_str().filter(|id| id.contains("gpt-5-5")));
    let id = id.unwrap_or_else(|| panic!("gpt-5.5 is not offered: {cache}"));
    desk.claude("go").arguments(&["--model", id]).outcome().await.assert_says("ok");
    assert_eq!(desk.fake.turns().pop().unwrap().view().model, "gpt-5.5");
    desk.fake.assert_content();
}

#[tokio::test]
async fn the_printed_environment_is_all_that_claude_code_needs() {
    let desk = Desk::open().await;
    let output = desk.dragoman.launch().command().args(["env", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    desk.script([Rule::main("a").text("as printed")]);
    let mut run = desk.claude("go").without("ANTHROPIC_BASE_URL").without("ANTHROPIC_AUTH_TOKEN");
    for (name, value) in printed.as_object().unwrap() {
        run = run.env(name, value.as_str().unwrap());
    }
    run.outcome().await.assert_says("as printed");
    desk.fake.assert_content();
}

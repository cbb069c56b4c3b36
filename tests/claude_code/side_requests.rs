//! What Claude Code asks beside the conversation: searches, pages, titles, structured results, its local classifier.

use std::process::Stdio;

use serde_json::{Value, json};
use support::fake::{FakeChatGpt, Reply, Rule, lite_catalog};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::client::Desk;
use support::node;

/// The backend's own search, as the model makes it.
fn search(rule: Rule, query: &str, url: &str, text: &str) -> Rule {
    let call = |status: &str| json!({ "id": "ws_1", "type": "web_search_call", "status": status });
    let mut done = call("completed");
    done["action"] = json!({ "type": "search", "query": query, "sources": [{ "type": "url", "url": url }] });
    let cited = json!({ "type": "url_citation", "start_index": 0, "end_index": text.chars().count(), "url": url,
        "title": "Tauri" });
    let part = json!({ "type": "output_text", "text": text, "annotations": [cited] });
    let message = json!({ "id": "msg_ws", "type": "message", "role": "assistant", "status": "completed",
        "content": [part] });
    let item =
        |kind: &str, index: u64, item: Value| json!({ "type": kind, "output_index": index, "item": item });
    rule.event(item("response.output_item.added", 0, call("in_progress")))
        .event(item("response.output_item.done", 0, done))
        .event(item("response.output_item.done", 1, message))
}

async fn web_search_finds(desk: Desk) {
    let text = "Tauri is a framework.";
    desk.script([
        search(Rule::any("search").when_hosted_tool("web_search"), "rust tauri", "https://tauri.app/", text),
        Rule::main("call").tool("WebSearch", json!({ "query": "rust tauri" })),
        Rule::main("end").text("Found: {{last_output}}"),
    ]);
    let outcome = desk.claude("search").outcome().await;
    outcome.assert_says("https://tauri.app/");
    assert!(outcome.text().contains(text), "{}", outcome.text());
    let request = desk.fake.only("search");
    assert_eq!(request.view().model, "gpt-5.5", "only the classic model searches");
    assert!(request.view().text().contains("Perform a web search for the query: rust tauri"));
    desk.fake.assert_content();
}

#[tokio::test]
async fn web_search() {
    web_search_finds(Desk::open().await).await;
}

#[tokio::test]
async fn web_search_with_a_classic_model() {
    web_search_finds(Desk::for_model("gpt-5.5").await).await;
}

/// No model of the account has a search of its own: the backend's search endpoint is asked.
#[tokio::test]
async fn web_search_by_the_search_endpoint() {
    let fake = FakeChatGpt::start();
    fake.serve_catalog(lite_catalog());
    let page = json!({ "output": "1. [Tauri 2.0](https://tauri.app/)\nA framework." });
    fake.reply("/backend-api/codex/alpha/search", [Reply::json(200, &page)]);
    let desk = Desk::before(fake, None, |launch| launch).await;
    desk.script([
        Rule::main("call").tool("WebSearch", json!({ "query": "rust tauri" })),
        Rule::any("ask").when_tool("web_search").tool("web_search", json!({ "query": "tauri framework" })),
        Rule::any("answer")
            .when_output("https://tauri.app/")
            .when_tool("web_search")
            .text("Tauri is a framework."),
        Rule::main("end").text("Found: {{last_output}}"),
    ]);
    let outcome = desk.claude("search").outcome().await;
    outcome.assert_says("https://tauri.app/");
    assert!(outcome.text().contains("Tauri is a framework."), "{}", outcome.text());
    desk.fake.only("answer");
    desk.fake.assert_content();
}

#[tokio::test]
async fn json_schema() {
    let desk = Desk::open().await;
    let schema = json!({
        "type": "object", "properties": { "name": { "type": "string" }, "age": { "type": "integer" } },
        "required": ["name", "age"],
    });
    desk.script([
        Rule::any("a")
            .when_tool("StructuredOutput")
            .tool("StructuredOutput", json!({ "name": "Bob", "age": 7 })),
        Rule::any("rest").always().text("done"),
    ]);
    let outcome = desk.claude("give json").arguments(&["--json-schema", &schema.to_string()]).outcome().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.result()["structured_output"], json!({ "name": "Bob", "age": 7 }));
    desk.fake.assert_content();
}

/// Each effort word arrives as it is where the model lists it; `max` becomes `xhigh` where the model ends there.
#[tokio::test]
async fn effort_max() {
    for (model, sent) in [("claude-opus-5-5", "max"), ("gpt-5.5", "xhigh")] {
        let desk = Desk::for_model(model).await;
        desk.script([Rule::main("a").text("ok")]);
        desk.claude("go").arguments(&["--effort", "max"]).outcome().await.assert_says("ok");
        assert_eq!(desk.fake.only("a").view().effort.as_deref(), Some(sent), "{model}");
        desk.fake.assert_content();
    }
}

/// A page is fetched by Claude Code itself; its summary is a request without tools and without thinking.
#[tokio::test]
async fn web_fetch() {
    let desk = Desk::open().await;
    desk.settings(json!({ "skipWebFetchPreflight": true }));
    let here = support::workspace().join("tests/claude_code");
    let mut server = tokio::process::Command::new(node())
        .arg(here.join("page_server.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let port = BufReader::new(server.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    let input = json!({ "url": format!("https://127.0.0.1:{port}/"), "prompt": "What is it about?" });
    desk.script([
        Rule::any("summary").when_no_tools().when_user("Web page content").text("It is about zebras."),
        Rule::main("call").tool("WebFetch", input),
        Rule::main("end").text("Fetched: {{last_output}}"),
    ]);
    let trusted = here.join("page.pem").display().to_string();
    let outcome = desk.claude("fetch").env("NODE_EXTRA_CA_CERTS", &trusted).outcome().await;
    outcome.assert_says("It is about zebras.");
    let summary = desk.fake.only("summary");
    assert!(summary.view().text().contains("Body text about zebras."));
    assert!(summary.body["reasoning"]["summary"].is_null(), "nobody would see the thinking");
    desk.fake.assert_content();
}

//! Tool rounds: one, several at once, images and files in and out, tools that load later, agents.

use std::time::Duration;

use serde_json::{Value, json};
use support::fake::Rule;
use support::{Launch, files, node};

use crate::client::Desk;

const RED: [u8; 3] = [255, 0, 0];

fn bash(command: &str) -> Value {
    json!({ "command": command, "description": "d" })
}

#[tokio::test]
async fn bash_error() {
    let desk = Desk::open().await;
    desk.script([
        Rule::main("a").tool("Bash", bash("echo out; echo err >&2; exit 3")),
        Rule::main("b").text("saw it"),
    ]);
    desk.claude("go").outcome().await.assert_says("saw it");
    let output = desk.fake.only("b").view().last_output();
    assert!(["Exit code 3", "out", "err"].iter().all(|words| output.contains(words)), "{output}");
    desk.fake.assert_content();
}

#[tokio::test]
async fn edit_file() {
    let desk = Desk::open().await;
    desk.file("a.txt", "alpha\nbeta\ngamma\n");
    let path = desk.path("a.txt");
    desk.script([
        Rule::main("read").tool("Read", json!({ "file_path": path })),
        Rule::main("edit")
            .tool("Edit", json!({ "file_path": path, "old_string": "beta", "new_string": "BETA!" })),
        Rule::main("end").text("edited"),
    ]);
    desk.claude("change beta").outcome().await.assert_says("edited");
    assert_eq!(desk.read("a.txt"), "alpha\nBETA!\ngamma\n");
    assert!(desk.fake.only("edit").view().last_output().contains("beta"));
    let output = desk.fake.only("end").view().last_output();
    assert!(output.contains("updated successfully"), "{output}");
    desk.fake.assert_content();
}

#[tokio::test]
async fn write_file_with_awkward_text() {
    let awkward = "He said \"hi\\there\"\n\ttab é中😀 </script> \u{2028} {\"a\":[1,2]} $HOME `x` end\n";
    let desk = Desk::open().await;
    let input = json!({ "file_path": desk.path("new.txt"), "content": awkward });
    // Two bytes at a time: every character of several bytes is cut somewhere.
    desk.script([Rule::main("a").tool("Write", input).pieces(2), Rule::main("b").text(awkward).pieces(2)]);
    desk.claude("write").outcome().await.assert_says(awkward.trim_end());
    assert_eq!(desk.read("new.txt"), awkward);
    desk.fake.assert_content();
}

async fn three_calls_get_their_own_results(desk: Desk) {
    desk.file("a.txt", "AAA\n");
    desk.file("b.txt", "BBB\n");
    desk.script([
        Rule::main("a")
            .text("Three at once.")
            .call("call_par_1", "Read", json!({ "file_path": desk.path("a.txt") }))
            .call("call_par_2", "Read", json!({ "file_path": desk.path("b.txt") }))
            .call("call_par_3", "Bash", bash("echo CCC")),
        Rule::main("b").text("got all"),
    ]);
    desk.claude("go").outcome().await.assert_says("got all");
    let request = desk.fake.only("b");
    let view = request.view();
    assert_eq!(view.calls(), ["call_par_1", "call_par_2", "call_par_3"]);
    for (call, words) in [("call_par_1", "AAA"), ("call_par_2", "BBB"), ("call_par_3", "CCC")] {
        let output = view.output(call).unwrap_or_else(|| panic!("{call} has no output"));
        assert!(output.contains(words), "{call}: {output}");
    }
    desk.fake.assert_content();
}

#[tokio::test]
async fn parallel_tools() {
    three_calls_get_their_own_results(Desk::open().await).await;
}

#[tokio::test]
async fn parallel_tools_with_a_classic_model() {
    three_calls_get_their_own_results(Desk::for_model("gpt-5.5").await).await;
}

async fn an_image_in_a_tool_result_is_seen(desk: Desk) {
    desk.file("red.png", files::png(32, 32, RED));
    desk.script([
        Rule::main("a").tool("Read", json!({ "file_path": desk.path("red.png") })),
        Rule::main("b").when_image().text("it is red"),
    ]);
    desk.claude("what colour?").outcome().await.assert_says("it is red");
    let request = desk.fake.only("b");
    assert_eq!(request.view().images(), 1);
    let body = String::from_utf8_lossy(&request.plain);
    assert!(body.contains("data:image/png;base64,"), "the image is not a data URL");
    desk.fake.assert_content();
}

#[tokio::test]
async fn read_image() {
    an_image_in_a_tool_result_is_seen(Desk::open().await).await;
}

#[tokio::test]
async fn read_image_with_a_classic_model() {
    an_image_in_a_tool_result_is_seen(Desk::for_model("gpt-5.5").await).await;
}

#[tokio::test]
async fn image_and_pdf_input() {
    let desk = Desk::open().await;
    desk.script([Rule::main("a").when_image().when_document().text("seen both")]);
    let source = |kind: &str, file: &[u8]| json!({ "type": "base64", "media_type": kind, "data": files::base64(file) });
    let content = json!([
        { "type": "text", "text": "look" },
        { "type": "image", "source": source("image/png", &files::png(32, 32, RED)) },
        { "type": "document", "source": source("application/pdf", &files::pdf("Hello PDF")) },
    ]);
    desk.run().stdin(content).outcome().await.assert_says("seen both");
    let request = desk.fake.only("a");
    assert_eq!((request.view().images(), request.view().documents()), (1, 1));
    desk.fake.assert_content();
}

#[tokio::test]
async fn tool_search() {
    let desk = Desk::open().await;
    desk.script([
        Rule::main("a").tool("ToolSearch", json!({ "query": "select:CronList", "max_results": 5 })),
        Rule::main("b").when_tool("CronList").tool("CronList", json!({})),
        Rule::main("c").text("cron listed"),
    ]);
    desk.claude("go").outcome().await.assert_says("cron listed");
    let before = desk.fake.only("a");
    for hidden in ["CronList", "DeferredToolPlaceholder"] {
        assert!(!before.view().tools.iter().any(|tool| tool == hidden), "{hidden} is offered");
    }
    let loaded = desk.fake.only("b");
    assert!(!loaded.view().last_output().trim().is_empty(), "the output of ToolSearch is empty");
    desk.fake.only("c");
    desk.fake.assert_content();
}

#[tokio::test]
async fn mcp() {
    let desk = Desk::open().await;
    desk.script([
        Rule::main("a").tool(
            "ToolSearch",
            json!({ "query": "select:mcp__demo__add_numbers,mcp__demo__get_image", "max_results": 5 }),
        ),
        Rule::main("b")
            .when_tool("mcp__demo__add_numbers")
            .when_tool("mcp__demo__get_image")
            .call("call_m1", "mcp__demo__add_numbers", json!({ "a": 2, "b": 3.5 }))
            .call("call_m2", "mcp__demo__get_image", json!({})),
        Rule::main("c").text("mcp done"),
    ]);
    let server = support::workspace().join("tests/claude_code/mcp_server.mjs");
    let image = files::base64(&files::png(8, 8, [0, 0, 255]));
    let config = json!({ "mcpServers": { "demo": { "command": node(), "args": [server, image] } } });
    let arguments = ["--mcp-config", &config.to_string(), "--strict-mcp-config"];
    desk.claude("use mcp").arguments(&arguments).outcome().await.assert_says("mcp done");
    let request = desk.fake.only("c");
    assert!(request.view().output("call_m1").unwrap().contains("sum=5.5"));
    assert!(request.view().output("call_m2").unwrap().contains("here"));
    assert_eq!(request.view().images(), 1);
    desk.fake.assert_content();
}

/// Claude Code and Dragoman read the same file. What Claude Code defers is not offered twice; what it does not know at all
/// is offered, and the model hears from Claude Code that it can't be called.
#[tokio::test]
async fn mcp_tools_that_dragoman_adds() {
    let offer = |launch: Launch| launch.admin("127.0.0.1:0").config("[mcp]\noffer = \"all\"\n");
    let desk = Desk::with(None, offer).await;
    let server = support::workspace().join("tests/claude_code/mcp_server.mjs");
    let demo = json!({ "command": node(), "args": [server, ""] });
    // Dragoman has a home of its own in these tests.
    for home in [desk.home(), desk.dragoman.path().join("user")] {
        let file = home.join(".claude.json");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|_| "{}".to_owned());
        let mut state: Value = serde_json::from_str(&text).unwrap();
        state["mcpServers"] = json!({ "demo": demo });
        std::fs::write(file, state.to_string()).unwrap();
    }
    let ready = async {
        loop {
            let snapshot = desk.dragoman.admin("GET", "/admin/snapshot").send().await.json();
            if snapshot["mcp"][0]["state"] == "ready" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ready).await.unwrap();

    desk.script([
        Rule::main("deferred")
            .times(1)
            .tool("ToolSearch", json!({ "query": "select:mcp__demo__add_numbers" })),
        Rule::main("loaded").call("call_d1", "mcp__demo__add_numbers", json!({ "a": 2, "b": 3.5 })),
        Rule::main("summed").text("mcp done"),
    ]);
    desk.claude("use mcp").outcome().await.assert_says("mcp done");
    let count = |rule: &str| {
        let request = desk.fake.only(rule);
        request.view().tools.iter().filter(|tool| tool.starts_with("mcp__demo__add_numbers")).count()
    };
    assert_eq!(count("deferred"), 0, "Claude Code defers it");
    assert_eq!(count("loaded"), 1);
    assert!(desk.fake.only("summed").view().output("call_d1").unwrap().contains("sum=5.5"));

    // Without the server in Claude Code.
    desk.script([
        Rule::main("added").when_tool("mcp__demo__add_numbers").call(
            "call_d2",
            "mcp__demo__add_numbers",
            json!({}),
        ),
        Rule::main("told").text("it is not there"),
    ]);
    let without = ["--mcp-config", r#"{"mcpServers":{}}"#, "--strict-mcp-config"];
    desk.claude("use mcp").arguments(&without).outcome().await.assert_says("it is not there");
    let told = desk.fake.only("told");
    let output = told.view().output("call_d2").unwrap();
    assert!(output.contains("No such tool"), "{output}");
    desk.fake.assert_content();
}

#[tokio::test]
async fn subagent_foreground() {
    let desk = Desk::open().await;
    let agent = json!({
        "description": "sub", "prompt": "SUBTASK-42 please", "subagent_type": "general-purpose",
        "run_in_background": false,
    });
    desk.script([
        Rule::any("sub1")
            .when_first_user("SUBTASK-42")
            .when_user_speaks()
            .tool("Bash", bash("echo from-sub")),
        Rule::any("sub2").when_first_user("SUBTASK-42").when_output("from-sub").text("sub result 99"),
        Rule::any("main1")
            .when_tool("Agent")
            .when_first_user("delegate")
            .when_user_speaks()
            .tool("Agent", agent),
        Rule::any("main2")
            .when_first_user("delegate")
            .when_output("sub result 99")
            .text("main: {{last_output}}"),
    ]);
    desk.claude("delegate it").outcome().await.assert_says("sub result 99");
    let of = |rule: &str, name: &str| desk.fake.only(rule).header(name).to_owned();
    // One session; one thread for the main loop, another one for the agent.
    assert_eq!(of("main1", "session-id"), of("sub1", "session-id"));
    assert_eq!(of("main1", "thread-id"), of("main2", "thread-id"));
    assert_eq!(of("sub1", "thread-id"), of("sub2", "thread-id"));
    assert_ne!(of("main1", "thread-id"), of("sub1", "thread-id"));
    desk.fake.assert_content();
}

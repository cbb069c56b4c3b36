//! The real Claude Code after one `dragoman connect`: its settings file, written by us, is all it has.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::Launch;
use support::fake::{Fail, FakeChatGpt, Rule, Usage};

use crate::client::{Desk, Run, claude};
use crate::terminal::Terminal;
use support::node;

/// What the file holds besides ours; keys in an order that no writer of ours would choose.
const OWN: &str = "{\n    \"skipDangerousModePermissionPrompt\": true,\n    \"permissions\": { \"defaultMode\": \"default\" }\n}\n";

fn settings(desk: &Desk) -> PathBuf {
    desk.home().join(".claude/settings.json")
}

fn text(desk: &Desk) -> String {
    std::fs::read_to_string(settings(desk)).unwrap()
}

/// A desk whose Claude Code knows nothing, and a `dragoman` that writes to its settings.
async fn desk() -> Desk {
    let desk = Desk::open().await;
    std::fs::write(settings(&desk), OWN).unwrap();
    desk
}

#[track_caller]
fn dragoman(desk: &Desk, arguments: &[&str]) -> Value {
    let mut command = desk.dragoman.launch().command();
    command.args(arguments).arg("--json").env("CLAUDE_CONFIG_DIR", desk.home().join(".claude"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Nothing of ours in the environment.
fn bare(run: Run<'_>) -> Run<'_> {
    run.without("ANTHROPIC_BASE_URL").without("ANTHROPIC_AUTH_TOKEN")
}

fn terminal(desk: &Desk) -> Terminal {
    let environment = desk.environment();
    let environment = environment.into_iter().filter(|(name, _)| !name.starts_with("ANTHROPIC_"));
    Terminal::start_in(desk, &environment.collect::<Vec<_>>(), &["--permission-mode", "bypassPermissions"])
}

#[tokio::test]
async fn one_connect_is_all_that_a_tool_round_needs_and_undoing_gives_the_old_bytes() {
    let desk = desk().await;
    dragoman(&desk, &["connect"]);
    let bash = json!({ "command": "echo marker", "description": "d" });
    desk.script([
        Rule::main("call").tool("Bash", bash),
        Rule::main("end").when_output("marker").text("Seen: {{last_output}}"),
    ]);
    bare(desk.claude("go")).outcome().await.assert_says("Seen: marker");
    // Without the line that changes with every request.
    assert!(!String::from_utf8_lossy(&desk.fake.only("call").plain).contains("x-anthropic-billing-header"));
    dragoman(&desk, &["disconnect"]);
    assert_eq!(text(&desk), OWN);
    let outcome = bare(desk.claude("go")).outcome().await;
    assert_eq!(outcome.code, Some(1), "it goes its own way again: {outcome:?}");
    desk.fake.assert_content();
}

#[tokio::test]
async fn slash_model_lists_the_models_of_the_catalog_by_name_and_takes_one() {
    let desk = desk().await;
    dragoman(&desk, &["connect", "--disable-auto-mode"]);
    desk.script([Rule::any("any").always().text("PICKED")]);
    let terminal = terminal(&desk);
    terminal.until("❯").await;
    terminal.enter("/model").await;
    terminal.until("Select model").await;
    let screen = terminal.screen();
    for name in ["GPT-6.1-Sol", "GPT-6.1 Terra", "GPT-6-Luna", "GPT-6-Sol", "GPT-5.6-Luna", "GPT-5.5"] {
        assert!(screen.contains(name), "{name} is not listed:\n{screen}");
    }
    // The row of that name: its number takes it.
    let row = screen.lines().find(|line| line.contains("GPT-5.5")).unwrap();
    let number = row.trim_start_matches([' ', '❯']).split('.').next().unwrap();
    terminal.press(number);
    terminal.until("GPT-5.5").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    if terminal.screen().contains("Select model") {
        terminal.press("Enter");
    }
    terminal.enter("hello there").await;
    terminal.until("PICKED").await;
    let turn = desk.fake.turns().into_iter().rfind(|turn| turn.view().last_user().contains("hello there"));
    assert_eq!(turn.unwrap().view().model, "gpt-5.5");
}

#[tokio::test]
async fn auto_compaction_fires_at_the_window_of_the_mapped_model() {
    let desk = desk().await;
    dragoman(&desk, &["connect"]);
    let used = |input| Usage { input: Some(input), cached: 0, output: Some(100), reasoning: 0 };
    let bash = json!({ "command": "echo one", "description": "d" });
    desk.script([
        Rule::any("summary")
            .when_user("Respond with TEXT ONLY")
            .text("<analysis>a</analysis><summary>AUTO-SUMMARY</summary>"),
        Rule::main("a").when_user("turn one").text("noted one").usage(used(120_000)),
        // 258,400 less the room that Claude Code keeps: it compacts at 225,400, which is not reached yet.
        Rule::main("b").when_user("turn two").text("noted two").usage(used(215_000)),
        Rule::main("t").when_user("turn three").tool("Bash", bash).usage(used(230_000)),
        Rule::main("end").when_text("AUTO-SUMMARY").text("finished").usage(used(5_000)),
    ]);
    let padding = "pad ".repeat(300);
    bare(desk.begin(&format!("turn one {padding}"))).outcome().await.assert_says("noted one");
    bare(desk.resume(&format!("turn two {padding}"))).outcome().await.assert_says("noted two");
    assert!(desk.fake.answered_by("summary").is_empty(), "too early");
    let outcome = bare(desk.resume("turn three")).outcome().await;
    outcome.assert_says("finished");
    assert!(outcome.has("system", "compact_boundary"));
    desk.fake.only("summary");
    desk.fake.assert_content();
}

/// A second `dragoman serve` of the same home.
struct Again(Child);

impl Again {
    fn serve(launch: &Launch, claude: &std::path::Path) -> (Self, String) {
        let mut command = launch.command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "off"]);
        let mut child = command.env("CLAUDE_CONFIG_DIR", claude).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().rsplit(' ').next().unwrap().to_owned();
        (Self(child), url)
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Dragoman dies, is started again on another port, and the session that is open goes on.
#[tokio::test]
async fn an_open_session_follows_to_another_port() {
    let mut desk = desk().await;
    dragoman(&desk, &["connect", "--disable-auto-mode"]);
    desk.script([
        Rule::main("first").when_user("first thing").text("ANSWER-ONE"),
        Rule::main("second").when_user("second thing").text("ANSWER-TWO"),
        Rule::any("rest").always().text("ok"),
    ]);
    let terminal = terminal(&desk);
    terminal.until("❯").await;
    terminal.enter("first thing").await;
    terminal.until("ANSWER-ONE").await;
    let old = desk.dragoman.url();
    // As if it had crashed: nobody tidies up.
    desk.dragoman.interrupt("KILL");
    desk.dragoman.ended(Duration::from_secs(5)).await;
    let (again, url) = Again::serve(desk.dragoman.launch(), &desk.home().join(".claude"));
    assert_ne!(url, old);
    assert!(text(&desk).contains(&url) && !text(&desk).contains(&old), "{}", text(&desk));
    // Claude Code looks at its settings a moment later.
    tokio::time::sleep(Duration::from_secs(2)).await;
    terminal.enter("second thing").await;
    terminal.until("ANSWER-TWO").await;
    desk.fake.only("second");
    drop(again);
    dragoman(&desk, &["disconnect"]);
    // Claude Code may have noted something of its own meanwhile; ours is gone.
    assert!(!text(&desk).contains("ANTHROPIC_"), "{}", text(&desk));
}

/// With `claude_code.when_off = always` Claude Code is on its own while Dragoman is off, also after a crash.
#[tokio::test]
async fn while_dragoman_is_off_claude_code_goes_back_if_that_is_wished() {
    let mut desk = Desk::with(None, |launch| launch.env("DRAGOMAN_CLAUDE_CODE_WHEN_OFF", "always")).await;
    std::fs::write(settings(&desk), OWN).unwrap();
    dragoman(&desk, &["connect"]);
    assert_ne!(text(&desk), OWN);
    desk.dragoman.interrupt("TERM");
    desk.dragoman.ended(Duration::from_secs(5)).await;
    assert_eq!(text(&desk), OWN, "restored at the end");
    let (again, url) = Again::serve(desk.dragoman.launch(), &desk.home().join(".claude"));
    assert!(text(&desk).contains(&url), "taken up again: {}", text(&desk));
    drop(again); // killed: nobody tidies up
    assert!(text(&desk).contains(&url));
    let (again, newer) = Again::serve(desk.dragoman.launch(), &desk.home().join(".claude"));
    assert!(text(&desk).contains(&newer) && !text(&desk).contains(&url), "repaired: {}", text(&desk));
    drop(again);
    dragoman(&desk, &["disconnect"]);
    assert_eq!(text(&desk), OWN);
}

/// A stream that breaks seconds behind a finished tool call. Claude Code has not run the tool by then, asks again without
/// streaming and runs it once: so the fallback stays on. Switched off, the turn would end with an error instead.
#[tokio::test]
async fn a_broken_stream_is_mended_and_its_tool_runs_once() {
    let runs = async |tool: &str, fallback: bool| {
        let desk = desk().await;
        dragoman(&desk, &["connect"]);
        let input = match tool {
            "Bash" => json!({ "command": "echo ran >> log.txt", "description": "d" }),
            _ => json!({}),
        };
        let broken = Fail::Event { code: "server_error", message: "it broke" };
        let call = || Rule::main("call").when_user("go").when_user_speaks().tool(tool, input.clone());
        let server = support::workspace().join("tests/claude_code/mcp_server.mjs");
        let arguments = [server.to_str().unwrap(), "", &desk.path("log.txt")];
        let server =
            json!({ "mcpServers": { "demo": { "command": node(), "args": arguments } } }).to_string();
        desk.script([
            call().pause(Duration::from_secs(4)).fail(broken),
            call(),
            Rule::main("end").always().text("done"),
        ]);
        let arguments = ["--mcp-config", &server, "--strict-mcp-config"];
        // Its tools are offered at once, not searched for first.
        let run = bare(desk.claude("go")).arguments(&arguments).env("ENABLE_TOOL_SEARCH", "false");
        let run = if fallback { run } else { run.env("CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK", "1") };
        let outcome = run.outcome().await;
        let log = std::fs::read_to_string(desk.work().join("log.txt")).unwrap_or_default();
        (log.lines().count(), outcome.text().to_owned())
    };
    // A command, a tool of an MCP server, and one that says that it changes nothing and could be run early.
    for tool in ["Bash", "mcp__demo__note", "mcp__demo__look"] {
        assert_eq!(runs(tool, true).await, (1, "done".to_owned()), "{tool}");
    }
    assert_eq!(runs("Bash", false).await, (0, "API Error: it broke".to_owned()));
}

#[tokio::test]
async fn the_doctor_runs_claude_code_for_a_prompt_a_tool_a_picture_and_a_search() {
    let fake = FakeChatGpt::start();
    let dragoman = Launch::beside(&fake).start().await;
    let read = json!({ "file_path": "colour.png" });
    let bash = json!({ "command": "cat word.txt", "description": "d" });
    let found = json!({ "query": "Debian stable release" });
    fake.script([
        Rule::main("prompt").when_user("exactly this word").text("{{last_user}}"),
        Rule::main("bash").when_user("cat word.txt").when_user_speaks().tool("Bash", bash),
        Rule::main("said").when_output("heron-").text("It printed {{last_output}}"),
        Rule::main("read").when_user("colour.png").when_user_speaks().tool("Read", read),
        Rule::main("look").when_image().text("Red."),
        Rule::any("hosted").when_hosted_tool("web_search").text("Debian: https://www.debian.org/releases/"),
        Rule::main("search").when_user("WebSearch").when_user_speaks().tool("WebSearch", found),
        Rule::any("rest").always().text("https://www.debian.org/"),
    ]);
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", claude().parent().unwrap().display());
    let mut command = dragoman.launch().command();
    let output = command.args(["doctor", "--json"]).env("PATH", path).output().unwrap();
    let checks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let outcome = |name: &str| {
        let check = checks.iter().find(|check| check["name"] == name);
        check.map(|check| check["outcome"].as_str().unwrap().to_owned())
    };
    for name in ["Claude Code", "A prompt", "A tool", "A picture", "A web search"] {
        assert_eq!(outcome(name).as_deref(), Some("good"), "{name}: {checks:#?} {}", fake.story());
    }
    // Nothing of it came to lie in the user's home.
    assert!(!dragoman.path().join("user/.claude").exists());
}

//! Tools of MCP servers: real servers on stdio and HTTP (the MCP project's own, from npm), servers on bad days
//! (`moody.mjs`), and what of that reaches the model through the real `dragoman serve`. With the real Claude Code:
//! `tests/claude_code/tools.rs`.
#![cfg(test)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::fake::{FakeChatGpt, Rule};
use support::{Dragoman, Launch, node};

const SESSION: &str = "1fb6b981-be92-43db-a237-cf09d4886ef0";
/// Node has to start, several at once on a busy machine.
const SLOWLY: Duration = Duration::from_secs(25);

/// The MCP project's own server.
fn everything() -> PathBuf {
    let path = support::workspace().join("target/tools/clients/node_modules/.bin/mcp-server-everything");
    assert!(path.exists(), "{} is missing; `make setup-tests` installs it", path.display());
    path
}

fn moody(mood: &str, directory: &Path) -> Value {
    let script = support::workspace().join("tests/mcp/moody.mjs");
    let place = |end: &str| directory.join(format!("{mood}.{end}")).display().to_string();
    json!({ "command": node(), "args": [script, mood, place("pid"), place("json")] })
}

/// The process that a moody server told of.
fn id_of(mood: &str, directory: &Path) -> Option<u32> {
    std::fs::read_to_string(directory.join(format!("{mood}.pid"))).ok()?.parse().ok()
}

fn lives(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

/// What Claude Code would keep in `~/.claude.json`.
fn name_servers(launch: &Launch, servers: &Value) {
    let file = launch.path().join("user/.claude.json");
    std::fs::write(file, json!({ "numStartups": 3, "mcpServers": servers }).to_string()).unwrap();
}

struct House {
    fake: FakeChatGpt,
    dragoman: Dragoman,
}

impl House {
    async fn with(servers: impl FnOnce(&Path) -> Value, settings: &str) -> Self {
        let fake = FakeChatGpt::start();
        let launch = Launch::beside(&fake).admin("127.0.0.1:0").config(settings).argument("-v");
        name_servers(&launch, &servers(launch.path()));
        fake.script([Rule::any("any").always().text("fine")]);
        Self { dragoman: launch.start().await, fake }
    }

    fn path(&self) -> &Path {
        self.dragoman.path()
    }

    /// The servers as the window sees them, once that holds.
    async fn servers(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + SLOWLY;
        loop {
            let snapshot = self.dragoman.admin("GET", "/admin/snapshot").send().await.json();
            let servers: Value = snapshot["mcp"]
                .as_array()
                .unwrap()
                .iter()
                .map(|server| (server["name"].as_str().unwrap().to_owned(), server.clone()))
                .collect::<serde_json::Map<_, _>>()
                .into();
            if holds(&servers) {
                return servers;
            }
            assert!(Instant::now() < deadline, "{what}: {servers:#}\n{}", self.dragoman.said());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// The tools that go upstream with a request of Claude Code's main loop.
    async fn tools(&self, headers: &[(&str, &str)]) -> Vec<String> {
        let body = json!({
            "model": "claude-opus-5-5", "max_tokens": 512,
            "tools": [{ "name": "Bash", "description": "d", "input_schema": { "type": "object" } }],
            "messages": [{ "role": "user", "content": "hi" }],
        });
        let mut call = self.dragoman.messages(&body);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        let answer = call.send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.fake.turns().pop().unwrap().view().tools.iter().map(ToString::to_string).collect()
    }

    async fn main_tools(&self) -> Vec<String> {
        self.tools(&[("x-claude-code-session-id", SESSION)]).await
    }
}

fn is(server: &Value, state: &str) -> bool {
    server["state"] == state
}

/// A child that is ended with the test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The real server on HTTP, and its port.
fn serve_http() -> (Served, u16) {
    let mut server = Command::new(node())
        .arg("--require")
        .arg(support::workspace().join("tests/mcp/loopback.cjs"))
        .args([&everything(), Path::new("streamableHttp")])
        .env("PORT", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.find_map(|line| line.strip_prefix("port ")?.parse().ok());
    // Whatever else it says is read, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    (Served(server), port.expect("it listens"))
}

#[tokio::test]
async fn real_servers_on_stdio_and_http_offer_their_tools_while_a_hanging_one_costs_nobody_anything() {
    let (_http, port) = serve_http();
    let servers = |home: &Path| {
        json!({
            "std": { "command": node(), "args": [everything(), "stdio"] },
            "web": { "type": "http", "url": format!("http://127.0.0.1:{port}/mcp") },
            "hanging": moody("hanging", home),
            "missing": { "command": "/nowhere/server" },
            "old": { "type": "sse", "url": "http://127.0.0.1:1/sse" },
        })
    };
    let house = House::with(servers, "[mcp]\noffer = \"all\"\n").await;
    // Nobody waits for them.
    let begun = Instant::now();
    assert_eq!(house.main_tools().await[0], "Bash");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let servers = house
        .servers("both real ones are ready", |servers| {
            is(&servers["std"], "ready") && is(&servers["web"], "ready")
        })
        .await;
    assert!(is(&servers["hanging"], "starting"), "{servers:#}");
    assert!(servers["missing"]["error"].as_str().unwrap().starts_with("it can't be started"), "{servers:#}");
    assert!(servers["old"]["error"].as_str().unwrap().contains("use stdio or http"), "{servers:#}");
    let (std, web) = (servers["std"]["tools"].as_u64().unwrap(), servers["web"]["tools"].as_u64().unwrap());
    assert!(std > 5 && web > 5, "{servers:#}");
    let tools = house.main_tools().await;
    for tool in ["Bash", "mcp__std__echo", "mcp__web__echo", "mcp__web__get-sum"] {
        assert!(tools.iter().any(|name| name == tool), "{tool}: {tools:?}");
    }
    assert_eq!(tools.len() as u64, 1 + std + web, "{tools:?}");
    // The same again: the prefix stays.
    let turns = |house: &House| house.fake.turns().pop().unwrap().body["tools"].to_string();
    let before = turns(&house);
    assert_eq!(house.main_tools().await, tools);
    assert_eq!(turns(&house), before);
    // Only the main loop of Claude Code gets them: nobody else could call them.
    assert_eq!(house.tools(&[]).await, ["Bash"]);
    let agent = [("x-claude-code-session-id", SESSION), ("x-claude-code-agent-id", "a1")];
    assert_eq!(house.tools(&agent).await, ["Bash"]);
    let said = house.dragoman.said();
    assert!(said.contains("tools of MCP servers were added"), "{said}");
    house.fake.assert_content();
}

#[tokio::test]
async fn changes_of_tools_files_and_settings_count_at_once_and_nothing_is_left_running() {
    let servers = |home: &Path| {
        std::fs::write(home.join("changing.json"), r#"["one"]"#).unwrap();
        json!({ "changing": moody("changing", home), "hanging": moody("hanging", home) })
    };
    let mut house =
        House::with(servers, "[mcp]\noffer = \"named\"\nservers = [\"changing\", \"nobody\"]\n").await;
    let one = |servers: &Value| is(&servers["changing"], "ready") && servers["changing"]["tools"] == 1;
    let servers = house.servers("it has one tool", one).await;
    assert_eq!(servers.as_object().unwrap().len(), 1, "the other was not named: {servers:#}");
    assert_eq!(house.main_tools().await, ["Bash", "mcp__changing__one"]);
    let snapshot = house.dragoman.admin("GET", "/admin/snapshot").send().await.json();
    let hints = snapshot["hints"].to_string();
    assert!(hints.contains("mcp.servers names \\\"nobody\\\""), "{hints}");

    // It tells of a change.
    std::fs::write(house.path().join("changing.json"), r#"["one","two"]"#).unwrap();
    house.servers("it has two tools", |servers| servers["changing"]["tools"] == 2).await;
    assert_eq!(house.main_tools().await, ["Bash", "mcp__changing__one", "mcp__changing__two"]);

    // The settings change: the other one is started too, and can be hanging as it likes.
    let set = |key: &str, value: &str| {
        house.dragoman.admin("PUT", &format!("/admin/settings/{key}")).json(&json!({ "value": value })).send()
    };
    assert_eq!(set("mcp.offer", "all").await.status, 200);
    house.servers("both", |servers| is(&servers["hanging"], "starting")).await;
    let changing = id_of("changing", house.path()).unwrap();
    assert!(lives(changing), "it goes on");

    // The file changes: what is named no more ends.
    let file = json!({ "lying": moody("lying", house.path()) });
    name_servers(house.dragoman.launch(), &file);
    let servers = house.servers("another one", |servers| is(&servers["lying"], "ready")).await;
    assert_eq!(servers.as_object().unwrap().len(), 1, "{servers:#}");
    assert_eq!(house.main_tools().await, ["Bash", "mcp__lying__good"]);
    let error = servers["lying"]["error"].as_str().unwrap();
    for words in ["\"good\" is listed twice", "empty", "\"text\" is not an object's"] {
        assert!(error.contains(words), "{error}");
    }
    until("the first ones have ended", || !lives(changing)).await;

    // A file that can't be read is told, once, whichever projects count too; those from before are gone with it.
    let project = house.path().display().to_string();
    assert_eq!(set("mcp.projects", &project).await.status, 200);
    std::fs::write(house.path().join("user/.claude.json"), "{").unwrap();
    let told = || async {
        let snapshot = house.dragoman.admin("GET", "/admin/snapshot").send().await.json();
        let hints = snapshot["hints"].as_array().unwrap().iter().filter_map(Value::as_str).map(str::to_owned);
        hints.filter(|hint| hint.contains("is not as Claude Code writes it")).collect::<Vec<_>>()
    };
    let deadline = Instant::now() + SLOWLY;
    while told().await.is_empty() {
        assert!(Instant::now() < deadline, "it is not told");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let told = told().await;
    assert!(told.len() == 1 && told[0].contains(".claude.json"), "{told:?}");

    // The end of the program is the end of its servers.
    name_servers(house.dragoman.launch(), &json!({ "hanging": moody("hanging", house.path()) }));
    let _ = std::fs::remove_file(house.path().join("hanging.pid"));
    until("it is started again", || id_of("hanging", house.path()).is_some()).await;
    let hanging = id_of("hanging", house.path()).unwrap();
    house.dragoman.interrupt("TERM");
    house.dragoman.ended(SLOWLY).await;
    until("the last one has ended", || !lives(hanging)).await;
}

/// Claude Code writes its file often. Half of it is no reason to end servers.
#[tokio::test]
async fn a_file_that_is_being_written_ends_no_server() {
    let servers = |home: &Path| {
        std::fs::write(home.join("changing.json"), r#"["one"]"#).unwrap();
        json!({ "changing": moody("changing", home) })
    };
    let house = House::with(servers, "[mcp]\noffer = \"all\"\n").await;
    house.servers("it is ready", |servers| is(&servers["changing"], "ready")).await;
    let before = id_of("changing", house.path()).unwrap();
    let file = house.path().join("user/.claude.json");
    let whole = std::fs::read(&file).unwrap();
    // It is looked at every half second, so an empty one would be met several times.
    for _ in 0..100 {
        std::fs::write(&file, "").unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        std::fs::write(&file, &whole).unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(lives(before), "{}", house.dragoman.said());
    assert_eq!(id_of("changing", house.path()), Some(before));
}

#[tokio::test]
async fn servers_that_die_or_lie_are_shown_with_the_reason() {
    let servers = |home: &Path| json!({ "dying": moody("dying", home), "endless": moody("endless", home), "mad": moody("mad", home) });
    let house = House::with(servers, "[mcp]\noffer = \"all\"\n").await;
    let failed =
        |servers: &Value| ["dying", "endless", "mad"].iter().all(|name| is(&servers[name], "failed"));
    let servers = house.servers("all have failed", failed).await;
    for (name, words) in
        [("dying", "it ended"), ("endless", "does not end"), ("mad", "it could not list its tools")]
    {
        let error = servers[name]["error"].as_str().unwrap();
        assert!(error.contains(words), "{name}: {error}");
    }
    assert_eq!(house.main_tools().await, ["Bash"]);
    // What died is tried again.
    let first = id_of("dying", house.path()).unwrap();
    until("it is started again", || id_of("dying", house.path()).is_some_and(|id| id != first)).await;
}

#[tokio::test]
async fn nothing_is_started_unless_the_user_says_so() {
    let house = House::with(|home| json!({ "hanging": moody("hanging", home) }), "").await;
    assert_eq!(house.main_tools().await, ["Bash"]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(id_of("hanging", house.path()), None);
    let done = house.dragoman.launch().command().arg("mcp").output().unwrap();
    let words = String::from_utf8(done.stdout).unwrap();
    assert!(words.contains("name hanging") && words.contains("mcp.offer"), "{words}");
    assert_eq!(done.status.code(), Some(0));
}

#[tokio::test]
async fn the_command_asks_them_itself() {
    let fake = FakeChatGpt::start();
    let launch = Launch::beside(&fake).config("[mcp]\noffer = \"all\"\n");
    std::fs::write(launch.path().join("changing.json"), r#"["one"]"#).unwrap();
    // A project's own servers go before the user's of the same name.
    let project = launch.path().join("project");
    std::fs::create_dir(&project).unwrap();
    let shared = json!({ "mcpServers": { "changing": moody("changing", launch.path()) } });
    std::fs::write(project.join(".mcp.json"), shared.to_string()).unwrap();
    name_servers(&launch, &json!({ "changing": { "command": "/nowhere/server" } }));
    let launch = launch.env("DRAGOMAN_MCP_PROJECTS", project.to_str().unwrap());
    let done = launch.command().args(["mcp", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["servers"][0]["state"], "ready", "{report:#}");
    assert_eq!(report["tools"], json!(["mcp__changing__one"]));
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let ended = id_of("changing", launch.path()).unwrap();
    until("it has ended", || !lives(ended)).await;
    // Without the project the user's own is what is left.
    let done = launch.env("DRAGOMAN_MCP_PROJECTS", "").command().arg("mcp").output().unwrap();
    let words = String::from_utf8(done.stdout).unwrap();
    assert!(words.contains("failed") && words.contains("it can't be started"), "{words}");
    assert_eq!(done.status.code(), Some(1));
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + SLOWLY;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

//! Tools of MCP servers that a case carries (`mcp.json`): servers that offer exactly these are named to the program, as
//! Claude Code's file would. Not here: what becomes of the tools (proxy).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Dragoman, Launch, node, workspace};

/// Node has to start, several at once on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// The program, beside servers that offer these tools; `text` is a list of them as the Messages API writes tools.
pub(crate) fn beside(launch: Launch, text: &str) -> Result<Launch, String> {
    let tools: Vec<Value> = serde_json::from_str(text).map_err(|error| format!("mcp.json: {error}"))?;
    let mut lists: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for tool in tools {
        let name = tool["name"].as_str().unwrap_or_default();
        let parts = name.strip_prefix("mcp__").and_then(|rest| rest.split_once("__"));
        let (server, bare) = parts.ok_or_else(|| format!("mcp.json: {name:?} is no tool of a server"))?;
        let listed =
            json!({ "name": bare, "description": tool["description"], "inputSchema": tool["input_schema"] });
        lists.entry(server.to_owned()).or_default().push(listed);
    }
    let mut servers = serde_json::Map::new();
    for (server, list) in lists {
        let place = |end: &str| launch.path().join(format!("{server}.{end}"));
        write(&place("json"), &Value::from(list))?;
        let script = workspace().join("tests/mcp/moody.mjs");
        let arguments = json!([script, "telling", place("pid"), place("json")]);
        servers.insert(server, json!({ "command": node(), "args": arguments }));
    }
    write(&launch.path().join("user/.claude.json"), &json!({ "mcpServers": servers }))?;
    Ok(launch.env("DRAGOMAN_MCP_OFFER", "all").admin("127.0.0.1:0"))
}

/// All of them have told their tools.
pub(crate) async fn ready(dragoman: &Dragoman) -> Result<(), String> {
    let end = Instant::now() + LIMIT;
    loop {
        let snapshot = dragoman.admin("GET", "/admin/snapshot").send().await.json();
        let servers = snapshot["mcp"].as_array().cloned().unwrap_or_default();
        if !servers.is_empty() && servers.iter().all(|server| server["state"] == "ready") {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("the MCP servers are not ready: {servers:?}"));
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

fn write(path: &std::path::Path, value: &Value) -> Result<(), String> {
    std::fs::write(path, value.to_string()).map_err(|error| format!("{}: {error}", path.display()))
}

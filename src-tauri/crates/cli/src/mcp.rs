//! `mcp`: the MCP servers whose tools are offered to the model, asked now.

use std::time::Duration;

use dragoman::settings::McpOffer;
use dragoman::{App, McpReport, McpServer, McpState, STREAMS};

use crate::args::{Common, Format};
use crate::words::{note, say, say_json, table};
use crate::{Exit, Trouble};

/// `npx` may have to fetch a server first.
const LIMIT: Duration = Duration::from_secs(35);

/// `dragoman mcp`
pub(crate) async fn mcp(common: &Common, format: Format) -> Result<Exit, Trouble> {
    let app = App::start(common.options()).await?;
    let report = app.mcp(LIMIT).await;
    app.shutdown(STREAMS).await;
    if format.json {
        say_json(&report)?;
    } else {
        for problem in &report.problems {
            note(problem);
        }
        say(words(&report))?;
    }
    let all_ready = report.servers.iter().all(|server| server.state == McpState::Ready);
    Ok(if all_ready && report.problems.is_empty() { Exit::Success } else { Exit::Failure })
}

fn words(McpReport { offer, servers, tools, named, .. }: &McpReport) -> String {
    if *offer == McpOffer::Off {
        let there = match named.is_empty() {
            true => "Claude Code's files name no server.".to_owned(),
            false => format!("Claude Code's files name {}.", named.join(", ")),
        };
        return format!(
            "No tools of MCP servers are offered to the model beside those that Claude Code offers itself.\n{there}\n\
             To offer them, set mcp.offer = \"all\" in the settings."
        );
    }
    if servers.is_empty() {
        return "There is no such server in Claude Code's files.".to_owned();
    }
    let state = |server: &McpServer| match server.state {
        McpState::Starting => "no answer yet",
        McpState::Ready => "ready",
        McpState::Failed => "failed",
    };
    let row = |server: &McpServer| {
        let error = server.error.clone().unwrap_or_default();
        [server.name.clone(), state(server).to_owned(), server.tools.to_string(), error]
    };
    let head = ["SERVER", "STATE", "TOOLS", ""].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(servers.iter().map(row)).collect();
    let mut text = table(&rows);
    for tool in tools {
        text.push_str("\n  ");
        text.push_str(tool);
    }
    text
}

//! What the program records and exports is a case that this runner takes and passes: a conversation of two requests, with
//! reasoning that comes back, is recorded, exported through the admin API, read and run.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::fake::{FakeChatGpt, Rule};
use support::{Dragoman, Launch};

use crate::case::Case;
use crate::{offered, run};

/// A conversation is recorded and exported, and the case passes.
pub(crate) fn a_recorded_conversation_passes_as_a_case() -> Result<(), String> {
    let (_dragoman, directory) = exported(None)?;
    let case = Case::read(&directory)?;
    holds(case.steps.len() == 2, "both requests are in it")?;
    let text = |name: &str| case.file(name).unwrap_or_default();
    holds(text("2.request.json").contains("{{signature1}}"), "reasoning comes back by its name")?;
    holds(text("config.toml").contains("gpt-5.5"), "the rule that decided is in it")?;
    run::run(&case, false)
}

/// A request to which tools of MCP servers were added carries them along.
pub(crate) fn a_recorded_request_with_tools_of_mcp_servers_passes_as_a_case() -> Result<(), String> {
    let (_dragoman, directory) = exported(Some(TOOLS))?;
    let case = Case::read(&directory)?;
    let text = |name: &str| case.file(name).unwrap_or_default();
    holds(text("2.upstream.json").contains("mcp__files__read_all"), "the tools went upstream")?;
    run::run(&case, false)?;
    // Without them it must fail.
    std::fs::write(directory.join("mcp.json"), TOOLS.replace("read_all", "read_some"))
        .map_err(|error| error.to_string())?;
    let failed = run::run(&Case::read(&directory)?, false);
    holds(failed.is_err_and(|why| why.contains("read_some")), "it passed with other tools")
}

/// Of two servers.
const TOOLS: &str = r#"[
    {"name": "mcp__files__read", "description": "Reads.", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}},
    {"name": "mcp__files__read_all", "description": "Reads all.", "input_schema": {"type": "object"}},
    {"name": "mcp__web-1__get", "description": "Gets.", "input_schema": {"type": "object"}}
]"#;

/// The same with another answer of the backend's must fail: the run above is no formality.
pub(crate) fn a_case_that_was_changed_fails() -> Result<(), String> {
    let (_dragoman, directory) = exported(None)?;
    let path = directory.join("2.events.sse");
    let events = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
    std::fs::write(&path, events.replace("Done.", "Gone.")).map_err(|error| error.to_string())?;
    let failed = run::run(&Case::read(&directory)?, false);
    holds(failed.is_err_and(|why| why.contains("- ") && why.contains("Done.")), "it passed all the same")
}

/// Chats and Responses are cases too, with what Dragoman remembers for them between two requests.
pub(crate) fn recorded_requests_of_openais_clients_pass_as_cases() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let (_dragoman, [chat, responses]) = runtime.block_on(record_openai())?;
    for (directory, path) in [(chat, "/v1/chat/completions"), (responses, "/v1/responses")] {
        let case = Case::read(&directory)?;
        let paths: Vec<&str> = case.steps.iter().map(|step| step.path.as_str()).collect();
        holds(paths == [path; 2], &format!("not two steps for {path}: {paths:?}"))?;
        run::run(&case, false)?;
    }
    Ok(())
}

async fn record_openai() -> Result<(Dragoman, [PathBuf; 2]), String> {
    let fake = FakeChatGpt::start();
    fake.script([
        Rule::any("call").times(2).when_user_speaks().think("Look.").tool("look", json!({ "at": "wörld" })),
        Rule::any("end").times(2).when_output("seen").text("Done."),
    ]);
    let dragoman = Launch::beside(&fake).admin("127.0.0.1:0").start().await;
    let put = dragoman.admin("PUT", "/admin/recording").json(&json!({ "on": true })).send().await;
    holds(put.status == 200, "recording could not be switched on")?;
    catalog(&dragoman).await?;

    let ask = async |path: &str, body: &Value| {
        let call = dragoman.call("POST", path).without("anthropic-version").json(body);
        let answer = call.header("user-agent", "OpenAI/Python 3.57.0").send().await;
        holds(answer.status == 200, &answer.text())?;
        Ok::<_, String>(answer)
    };
    let export = async |answer: support::http::Whole| {
        let id = answer.headers.value("request-id").unwrap_or_default().to_owned();
        let exported = dragoman.admin("POST", &format!("/admin/activity/{id}/case")).send().await;
        holds(exported.status == 200, &exported.text())?;
        Ok::<_, String>(PathBuf::from(exported.json()["directory"].as_str().unwrap_or_default()))
    };

    let function = json!({ "name": "look", "parameters": { "type": "object", "properties": {} } });
    let mut chat = json!({
        "model": "gpt-6.1-sol", "stream": true, "messages": [{ "role": "user", "content": "look" }],
        "tools": [{ "type": "function", "function": function }],
    });
    let answer = ask("/v1/chat/completions", &chat).await?.text();
    let call_id =
        answer.split_once(r#""tool_calls":[{"index":0,"id":""#).and_then(|(_, rest)| rest.split('"').next());
    let call_id = call_id.ok_or("the chat was answered without a call")?;
    let called = json!({ "id": call_id, "type": "function",
        "function": { "name": "look", "arguments": "{\"at\":\"wörld\"}" } });
    if let Some(messages) = chat["messages"].as_array_mut() {
        messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [called] }));
        messages.push(json!({ "role": "tool", "tool_call_id": call_id, "content": "seen" }));
    }
    chat["stream"] = false.into();
    let chat = export(ask("/v1/chat/completions", &chat).await?).await?;

    let mut function = function;
    function["type"] = "function".into();
    let first =
        ask("/v1/responses", &json!({ "model": "gpt-6.1-sol", "input": "look there", "tools": [function] }))
            .await?;
    let first = first.json();
    let output = first["output"].as_array().cloned().unwrap_or_default();
    let call = output.iter().find(|item| item["type"] == "function_call").cloned().unwrap_or_default();
    let second = json!({
        "model": "gpt-6.1-sol", "tools": [function], "previous_response_id": first["id"], "stream": true,
        "input": [{ "type": "function_call_output", "call_id": call["call_id"], "output": "seen" }],
    });
    let responses = export(ask("/v1/responses", &second).await?).await?;
    Ok((dragoman, [chat, responses]))
}

/// The directory of an exported conversation, and the program whose home it is in; `tools`: beside servers that offer
/// these.
fn exported(tools: Option<&str>) -> Result<(Dragoman, PathBuf), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(record(tools))
}

async fn record(tools: Option<&str>) -> Result<(Dragoman, PathBuf), String> {
    let fake = FakeChatGpt::start();
    fake.script([Rule::any("look").think("Look first.").text("I look."), Rule::any("more").text("Done.")]);
    let launch = Launch::beside(&fake).admin("127.0.0.1:0").config("[models]\nopus = \"gpt-5.5-high\"\n");
    let launch = match tools {
        Some(tools) => offered::beside(launch, tools)?,
        None => launch,
    };
    let dragoman = launch.start().await;
    if tools.is_some() {
        offered::ready(&dragoman).await?;
    }
    let put = dragoman.admin("PUT", "/admin/recording").json(&json!({ "on": true })).send().await;
    holds(put.status == 200, "recording could not be switched on")?;
    catalog(&dragoman).await?;

    let mut body = json!({
        "model": "claude-opus-5-5", "max_tokens": 1_000, "stream": true,
        "thinking": { "type": "adaptive" },
        "tools": [{ "name": "Bash", "description": "Runs.", "input_schema": { "type": "object" } }],
        "messages": [{ "role": "user", "content": "look at wörld" }],
    });
    let answer = ask(&dragoman, &body).await?;
    let (thinking, signature) = (said(&answer, "thinking"), said(&answer, "signature"));
    holds(!signature.is_empty(), "the reasoning came without a signature")?;
    let turns = [
        json!({ "role": "assistant", "content": [
            { "type": "thinking", "thinking": thinking, "signature": signature },
            { "type": "text", "text": said(&answer, "text") },
        ]}),
        json!({ "role": "user", "content": "more" }),
    ];
    if let Some(messages) = body["messages"].as_array_mut() {
        messages.extend(turns);
    }
    let id = ask(&dragoman, &body).await?.headers.value("request-id").unwrap_or_default().to_owned();
    let exported = dragoman.admin("POST", &format!("/admin/activity/{id}/case")).send().await;
    holds(exported.status == 200, &exported.text())?;
    holds(exported.json()["whole"] == true, "the whole conversation was recorded")?;
    let directory = exported.json()["directory"].as_str().unwrap_or_default().to_owned();
    Ok((dragoman, Path::new(&directory).to_owned()))
}

/// The backend's catalog is there: an export holds the one that decided.
async fn catalog(dragoman: &Dragoman) -> Result<(), String> {
    let end = Instant::now() + Duration::from_secs(10);
    while !dragoman.call("GET", "/v1/models?limit=1000").send().await.text().contains("(scripted)") {
        holds(Instant::now() < end, "the backend's catalog was not taken over")?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn ask(dragoman: &Dragoman, body: &Value) -> Result<support::http::Whole, String> {
    let session = "0c0ffee0-c0de-4aaa-8bbb-0123456789ab";
    let call = dragoman.messages(body).header("x-claude-code-session-id", session);
    let answer = call.header("user-agent", "claude-cli/2.1.329 (external, cli)").send().await;
    holds(answer.status == 200, &answer.text())?;
    Ok(answer)
}

/// All deltas of this kind, as one text.
fn said(answer: &support::http::Whole, member: &str) -> String {
    let text = answer.text();
    let events =
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    events.filter_map(|event| event["delta"][member].as_str().map(str::to_owned)).collect()
}

fn holds(condition: bool, otherwise: &str) -> Result<(), String> {
    if condition { Ok(()) } else { Err(otherwise.to_owned()) }
}

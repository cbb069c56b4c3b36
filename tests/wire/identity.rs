//! Who the backend thinks we are, how bodies travel, and that nobody else hears of it (DECISIONS 6, 7, 13, 14).

use serde_json::{Value, json};
use support::fake::{FakeChatGpt, Reply, Request, Rule};
use support::{ACCOUNT, Dragoman, Launch, message, uuid};

use crate::{SOON, streaming};

async fn ask(dragoman: &Dragoman, session: &str, agent: Option<&str>, body: &Value) {
    let mut call = dragoman.messages(body).header("x-claude-code-session-id", session);
    if let Some(agent) = agent {
        call = call.header("x-claude-code-agent-id", agent);
    }
    let answer = call.send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn ids(request: &Request) -> [String; 4] {
    let key = request.body["prompt_cache_key"].as_str().unwrap().to_owned();
    let header = |name| request.header(name).to_owned();
    [header("session-id"), header("thread-id"), header("x-client-request-id"), key]
}

#[tokio::test]
async fn ids_are_stable_within_a_session_and_differ_for_its_agents() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").always().text("fine")]);
    let (session, other) = (uuid(), uuid());
    let mut first = message("hi");
    first["tools"] = json!([{ "name": "Bash", "input_schema": { "type": "object" } }]);
    let mut second = first.clone();
    second["messages"].as_array_mut().unwrap().extend([
        json!({ "role": "assistant", "content": "fine" }),
        json!({ "role": "user", "content": "and?" }),
    ]);
    ask(&dragoman, &session, None, &first).await;
    ask(&dragoman, &session, None, &second).await;
    ask(&dragoman, &session, Some("a40152c82520f566a"), &first).await;
    ask(&dragoman, &session, Some("a40152c82520f566a"), &second).await;
    ask(&dragoman, &session, Some("b00000000000000bb"), &first).await;
    ask(&dragoman, &other, None, &first).await;
    // A title or a page summary: it has the session's id, but neither its tools nor its history.
    ask(&dragoman, &session, None, &message("a title")).await;
    let turns = fake.turns();
    let of: Vec<[String; 4]> = turns.iter().map(ids).collect();
    assert_eq!(of[0], [&session; 4].map(String::clone), "the main loop's ids are the session's");
    assert_eq!(of[1], of[0]);
    assert_eq!(of[2], of[3]);
    assert_eq!(of[2][0], session, "an agent keeps its parent's session-id");
    assert_ne!(of[2][1], of[0][1]);
    assert_ne!(of[2][1], of[4][1]);
    assert_eq!([&of[2][1], &of[2][1]], [&of[2][2], &of[2][3]], "thread id, request id and cache key agree");
    assert_ne!(of[5][0], of[0][0]);
    assert_eq!(of[6][0], session);
    assert_ne!(of[6][1], of[0][1], "a side request would take the main loop's cache");
    let windows: Vec<&str> = turns.iter().map(|turn| turn.header("x-codex-window-id")).collect();
    assert_eq!(windows[0], format!("{session}:0"));
    assert_eq!(windows[1], windows[0]);
    assert_eq!(windows[2], format!("{}:0", of[2][1]));
    fake.assert_content();
}

#[tokio::test]
async fn a_request_looks_as_codex_would_send_it() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").always().text("fine")]);
    ask(&dragoman, &uuid(), None, &streaming("hi")).await;
    let mut classic = streaming("hi");
    classic["model"] = json!("gpt-5.5");
    ask(&dragoman, &uuid(), None, &classic).await;
    let [lite, classic] = &fake.turns()[..] else { panic!("{}", fake.story()) };
    for request in [lite, classic] {
        assert_eq!(request.header("originator"), "codex_exec");
        assert_eq!(request.header("version"), "0.169.0");
        let agent = request.header("user-agent");
        assert!(agent.starts_with("codex_exec/0.169.0 ("), "{agent}");
        assert!(agent.ends_with(" dragoman (codex_exec; 0.169.0)"), "{agent}");
        assert_eq!(request.header("chatgpt-account-id"), ACCOUNT);
        assert_eq!(request.header("accept"), "text/event-stream");
        assert_eq!(request.header("content-type"), "application/json");
        let model = request.view().model.clone();
        assert_eq!(request.header("x-codex-routing-hint"), format!("model={model}"));
        for absent in ["x-codex-turn-metadata", "openai-beta", "cookie", "x-api-key", "anthropic-version"] {
            assert_eq!(request.headers.value(absent), None, "{absent} is sent");
        }
        assert!(request.body.get("client_metadata").is_none());
        assert!(request.body.get("instructions").is_none());
        assert!(!String::from_utf8_lossy(&request.plain).contains("passthrough"));
    }
    assert_eq!(lite.headers.value("x-openai-internal-codex-responses-lite"), Some("true"));
    assert_eq!(classic.headers.value("x-openai-internal-codex-responses-lite"), None);
    fake.assert_content();
}

/// `x-codex-turn-state` goes back within one user turn and not beyond.
#[tokio::test]
async fn the_turn_state_is_echoed_within_a_user_turn() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([
        Rule::any("a").call("call_1", "Bash", json!({})).header("x-codex-turn-state", "sticky-1"),
        Rule::any("b").text("done").header("x-codex-turn-state", "sticky-2"),
        Rule::any("c").text("fine"),
    ]);
    let session = uuid();
    let tools = json!([{ "name": "Bash", "input_schema": { "type": "object" } }]);
    let mut body = message("hi");
    body["tools"] = tools;
    ask(&dragoman, &session, None, &body).await;
    let history = body["messages"].as_array_mut().unwrap();
    history.extend([
        json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": "call_1", "name": "Bash", "input": {} }] }),
        json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "call_1", "content": "x" }] }),
    ]);
    ask(&dragoman, &session, None, &body).await;
    let history = body["messages"].as_array_mut().unwrap();
    history.extend([
        json!({ "role": "assistant", "content": "done" }),
        json!({ "role": "user", "content": "more" }),
    ]);
    ask(&dragoman, &session, None, &body).await;
    let state = |rule: &str| fake.only(rule).headers.value("x-codex-turn-state").map(str::to_owned);
    assert_eq!(state("a"), None);
    assert_eq!(state("b").as_deref(), Some("sticky-1"));
    assert_eq!(state("c"), None);
    fake.assert_content();
}

#[tokio::test]
async fn bodies_are_compressed_for_other_hosts_or_when_told_to() {
    let long = message(&"a long prompt ".repeat(2000));
    for (setting, large, small) in [("auto", false, false), ("on", true, false), ("off", false, false)] {
        let fake = FakeChatGpt::start();
        let dragoman = Launch::beside(&fake).env("DRAGOMAN_UPSTREAM_COMPRESSION", setting).start().await;
        fake.script([Rule::any("a").always().text("fine")]);
        for body in [&long, &message("short")] {
            assert_eq!(dragoman.messages(body).send().await.status, 200, "{setting}");
        }
        let compressed: Vec<bool> = fake.turns().iter().map(|turn| turn.compressed).collect();
        assert_eq!(compressed, [large, small], "{setting}");
        fake.assert_content();
    }
}

#[tokio::test]
async fn no_other_host_is_contacted() {
    let fake = FakeChatGpt::start();
    let account = json!({
        "id": ACCOUNT, "name": null, "structure": "workspace", "plan_type": "business", "is_deactivated": false,
        "is_fedramp_compliant_workspace": false, "can_access_with_session": true,
        "workspace_backend_origin": "https://eu.chatgpt.com", "account_routing_override": "NO_CONSTRAINT",
    });
    let check =
        json!({ "accounts": [account], "account_ordering": [ACCOUNT], "default_account_id": ACCOUNT });
    fake.reply("/backend-api/wham/accounts/check", [Reply::json(200, &check)]);
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").always().text("fine")]);
    for text in ["hi", "again"] {
        assert_eq!(dragoman.messages(&message(text)).send().await.status, 200);
    }
    assert_eq!(fake.answered_by("a").len(), 2);
    fake.assert_content();
}

/// The test above can fail: what is meant for another host does arrive at the fake, as a proxy request.
#[tokio::test]
async fn a_request_to_another_host_would_be_seen() {
    let fake = FakeChatGpt::start();
    let url = "https://chatgpt.example/backend-api";
    let dragoman = Launch::beside(&fake).env("DRAGOMAN_CHATGPT_URL", url).start().await;
    let call = tokio::spawn(dragoman.messages(&message("hi")).send());
    let seen = |log: &[Request]| log.iter().find(|request| request.path == "chatgpt.example:443").cloned();
    fake.until("a CONNECT", SOON, seen).await;
    assert!(call.await.unwrap().status >= 500);
}

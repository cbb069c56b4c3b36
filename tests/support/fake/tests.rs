//! The fake on its own wire: that it can pause, cut, see a client leave and count what it is asked.

use serde_json::json;

use super::*;
use crate::http::Call;
use crate::sse;

const SOON: Duration = Duration::from_secs(20);

fn body() -> Value {
    json!({
        "model": "gpt-5.5", "stream": true, "store": false, "include": ["reasoning.encrypted_content"],
        "input": [{ "role": "user", "content": [{ "type": "input_text", "text": "hi" }] }],
    })
}

fn call(fake: &FakeChatGpt, login: &Credentials) -> Call {
    Call::new(fake.address(), "POST", RESPONSES)
        .header("authorization", &format!("Bearer {}", login.access_token))
        .header("chatgpt-account-id", &login.account)
        .header("originator", "codex_exec")
        .header("user-agent", "codex_exec/0.169.0")
        .header("version", "0.169.0")
        .header("session-id", "s")
        .header("thread-id", "t")
        .json(&body())
}

#[tokio::test]
async fn a_rule_is_told_as_responses_events() {
    let fake = FakeChatGpt::start();
    fake.script([Rule::any("a")
        .think("hm")
        .text("grüße 🎉")
        .tool("Bash", json!({ "command": "ls" }))
        .pieces(3)]);
    let answer = call(&fake, &fake.sign_in()).send().await;
    assert_eq!(answer.status, 200);
    let events = answer.events();
    assert_eq!(events[0].name, "response.created");
    assert_eq!(events.last().unwrap().name, "response.completed");
    let numbers: Vec<_> =
        events.iter().map(|event| event.data["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    let output = &events.last().unwrap().data["response"]["output"];
    assert_eq!(output[1]["content"][0]["text"], "grüße 🎉");
    assert_eq!(output[2]["arguments"], r#"{"command":"ls"}"#);
    assert!(fake.state().issued.contains(output[0]["encrypted_content"].as_str().unwrap()));
    let index = |name: &str| sse::names(&events).iter().position(|other| *other == name).unwrap();
    assert!(index("response.reasoning_summary_text.delta") < index("response.output_text.delta"));
    fake.assert_content();
}

#[tokio::test]
async fn a_cut_breaks_the_connection_in_mid_stream() {
    let fake = FakeChatGpt::start();
    fake.script([Rule::any("a").text("partial").fail(Fail::Cut)]);
    let mut answer = call(&fake, &fake.sign_in()).open().await;
    let broken = loop {
        match answer.piece().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert_eq!(broken.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_at_once() {
    let fake = FakeChatGpt::start();
    fake.script([Rule::any("a").text("one").hold(&Gate::shut())]);
    let mut answer = call(&fake, &fake.sign_in()).open().await;
    answer.until("response.output_text.delta", SOON).await;
    drop(answer);
    assert!(fake.until_gone("a", SOON).await.client_gone);
}

#[tokio::test]
async fn a_gate_holds_the_stream_until_it_is_opened() {
    let fake = FakeChatGpt::start();
    let gate = Gate::shut();
    fake.script([Rule::any("a").text("one").hold(&gate).text("two")]);
    let mut answer = call(&fake, &fake.sign_in()).open().await;
    answer.until("response.output_item.done", SOON).await;
    let early = tokio::time::timeout(Duration::from_millis(50), answer.event()).await;
    assert!(early.is_err(), "{early:?}");
    gate.open();
    answer.until("response.completed", SOON).await;
    assert!(!fake.only("a").client_gone);
}

#[tokio::test]
async fn compressed_bodies_are_read_and_marked() {
    let fake = FakeChatGpt::start();
    fake.script([Rule::any("a").always().text("one")]);
    let packed = zstd::encode_all(body().to_string().as_bytes(), 1).unwrap();
    let login = fake.sign_in();
    call(&fake, &login).send().await;
    assert_eq!(call(&fake, &login).header("content-encoding", "zstd").bytes(packed).send().await.status, 200);
    assert_eq!(fake.turns().iter().map(|turn| turn.compressed).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn a_withdrawn_access_token_is_refused_and_a_refresh_token_works_once() {
    let fake = FakeChatGpt::start();
    let login = fake.sign_in();
    fake.withdraw_access_tokens();
    assert_eq!(call(&fake, &login).send().await.status, 401);
    let refresh = || {
        let form = json!({ "grant_type": "refresh_token", "refresh_token": login.refresh_token });
        Call::new(fake.address(), "POST", "/oauth/token").json(&form).send()
    };
    let first = refresh().await;
    assert_eq!(first.status, 200);
    let second = refresh().await;
    assert_eq!((second.status, second.json()["error"]["code"].clone()), (401, json!("refresh_token_reused")));
    let fresh =
        Credentials { access_token: first.json()["access_token"].as_str().unwrap().into(), ..login.clone() };
    assert_eq!(call(&fake, &fresh).send().await.status, 200);
    assert_eq!(fake.refreshes().len(), 2);
}

#[tokio::test]
async fn a_way_to_another_host_is_refused_and_recorded() {
    let fake = FakeChatGpt::start();
    let answer = Call::new(fake.address(), "CONNECT", "chatgpt.com:443").send().await;
    assert_eq!(answer.status, 502);
    let complaint = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fake.assert_content()));
    assert!(complaint.is_err());
}

#[tokio::test]
async fn websockets_and_unknown_paths_get_their_status() {
    let fake = FakeChatGpt::start();
    let upgrade = Call::new(fake.address(), "GET", RESPONSES).header("upgrade", "websocket");
    assert_eq!(upgrade.send().await.status, 426);
    assert_eq!(Call::new(fake.address(), "GET", "/elsewhere").send().await.status, 404);
}

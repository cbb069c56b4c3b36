//! Recording: off until it is switched on, both sides while it is, without secrets, and forgotten with the switch.

use serde_json::{Value, json};
use support::fake::{Fail, FakeChatGpt, Rule};
use support::{Dragoman, TOKEN, message};

use crate::{good, refused, start};

async fn switch(dragoman: &Dragoman, on: bool) -> Value {
    good(&dragoman.admin("PUT", "/admin/recording").json(&json!({ "on": on })).send().await)
}

/// Asks, and answers the request's id.
async fn ask(dragoman: &Dragoman, body: &Value) -> String {
    let answer = dragoman.messages(body).send().await;
    answer.headers.value("request-id").unwrap().to_owned()
}

#[tokio::test]
async fn contents_are_kept_while_it_is_on_and_nowhere_else() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    fake.script([Rule::any("a").always().text("the answer-canary")]);
    let recording =
        async |id: &str| dragoman.admin("GET", &format!("/admin/activity/{id}/recording")).send().await;
    let state = good(&dragoman.admin("GET", "/admin/recording").send().await);
    assert_eq!((&state["on"], &state["exchanges"]), (&json!(false), &json!(0)));
    let before = ask(&dragoman, &message("the first-canary")).await;
    assert!(refused(&recording(&before).await, 404, "recording").contains("recording was off"));

    assert_eq!(switch(&dragoman, true).await["on"], true);
    let mut body = message("the prompt-canary");
    body["stream"] = json!(true);
    let id = ask(&dragoman, &body).await;
    let said = good(&recording(&id).await);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert!(text(&said["request"]).contains("the prompt-canary"), "{said}");
    assert_eq!(said["upstream"].as_array().unwrap().len(), 1, "{said}");
    let upstream = &said["upstream"][0];
    let sent: Value = serde_json::from_str(&text(&upstream["request"])).unwrap();
    assert_eq!(sent, fake.turns().last().unwrap().body, "it is what the backend got");
    assert!(text(&upstream["events"]).contains("response.completed"), "{said}");
    assert!(text(&said["answer"]).starts_with("event: message_start"), "{said}");
    assert_eq!(said["obstacle"], Value::Null);

    // Nothing of it is on the disk, in the log or in the list.
    let list = dragoman.admin("GET", "/admin/activity").send().await.text();
    let files = dragoman.files().into_iter().filter_map(|path| std::fs::read(path).ok());
    let all: Vec<Vec<u8>> = files.chain([list.into_bytes(), dragoman.said().into_bytes()]).collect();
    let holds =
        |canary: &[u8]| all.iter().any(|bytes| bytes.windows(canary.len()).any(|part| part == canary));
    assert!(holds(b"req_"), "the search finds what is there");
    assert!(!holds(b"prompt-canary") && !holds(b"answer-canary"));

    assert_eq!(switch(&dragoman, false).await["bytes"], 0);
    refused(&recording(&id).await, 404, "recording");
    switch(&dragoman, true).await;
    refused(&recording(&id).await, 404, "recording");
}

#[tokio::test]
async fn no_secret_is_in_a_recording_nor_in_a_case_of_it() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    switch(&dragoman, true).await;
    fake.script([Rule::any("a").text("fine").header("x-codex-turn-state", "turn-canary-0123456789")]);
    let body = message(&format!("ANTHROPIC_AUTH_TOKEN={TOKEN} and sk-proj-abcdefghij0123456789"));
    let id = ask(&dragoman, &body).await;
    let said = dragoman.admin("GET", &format!("/admin/activity/{id}/recording")).send().await;
    good(&said);
    let exported = good(&dragoman.admin("POST", &format!("/admin/activity/{id}/case")).send().await);
    let mut all = said.text();
    for file in exported["files"].as_array().unwrap() {
        let path = std::path::Path::new(exported["directory"].as_str().unwrap()).join(file.as_str().unwrap());
        all.push_str(&std::fs::read_to_string(path).unwrap());
    }
    assert!(all.contains("ANTHROPIC_AUTH_TOKEN=[redacted] and [redacted]"), "{all}");
    assert!(all.to_ascii_lowercase().matches("authorization").count() == 0, "{all}");
    for secret in [TOKEN, "sk-proj-", "turn-canary", &dragoman.admin_token()] {
        assert!(!all.contains(secret), "{secret} is in it: {all}");
    }
    for (_, value) in &fake.turns().last().unwrap().headers.0 {
        assert!(value.len() < 40 || !all.contains(value.as_str()), "a header's value is in it: {value}");
    }
}

#[tokio::test]
async fn what_can_t_be_a_case_says_why() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    switch(&dragoman, true).await;
    fake.script([Rule::any("a").always().fail(Fail::ModelNotSupported)]);
    let id = ask(&dragoman, &message("refused")).await;
    let path = format!("/admin/activity/{id}");
    let said = good(&dragoman.admin("GET", &format!("{path}/recording")).send().await);
    assert!(said["obstacle"].as_str().is_some_and(|why| why.contains("no whole answer")), "{said}");
    let words = refused(&dragoman.admin("POST", &format!("{path}/case")).send().await, 409, "recording");
    assert!(words.contains("no whole answer"), "{words}");
    refused(&dragoman.admin("POST", "/admin/activity/req_none/case").send().await, 404, "recording");
}

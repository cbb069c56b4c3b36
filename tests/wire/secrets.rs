//! No secret leaves: tokens and prompts are looked for in everything that Dragoman writes or says.

use serde_json::json;
use support::fake::{Fail, FakeChatGpt, Rule};
use support::{Launch, message};

use crate::streaming;

const PROMPT: &str = "PROMPT-CANARY-7c1f";
const ANSWER: &str = "ANSWER-CANARY-93ab";

#[tokio::test]
async fn no_secret_is_written_or_said() {
    let fake = FakeChatGpt::start();
    let login = fake.sign_in();
    let launch =
        Launch::signed_out(&fake).signed_in_with(&login).env("DRAGOMAN_LOG", "trace").argument("-vv");
    let mut dragoman = launch.start().await;
    // An ordinary turn, a refresh, failures of several kinds, refused requests.
    fake.script([
        Rule::any("a").think(ANSWER).text(ANSWER).call("call_1", "Bash", json!({ "command": ANSWER })),
        Rule::any("b").text(ANSWER),
        Rule::any("cut").text(ANSWER).fail(Fail::Cut),
        Rule::any("400").fail(Fail::ModelNotSupported),
        Rule::any("rest").always().text(ANSWER),
    ]);
    let mut tools = streaming(PROMPT);
    tools["tools"] = json!([{ "name": "Bash", "description": PROMPT, "input_schema": { "type": "object" } }]);
    tools["system"] = json!(PROMPT);
    dragoman.messages(&tools).send().await;
    fake.withdraw_access_tokens();
    dragoman.messages(&message(PROMPT)).send().await;
    assert_eq!(fake.refreshes().len(), 1);
    dragoman.messages(&streaming(PROMPT)).send().await;
    dragoman.messages(&message(PROMPT)).send().await;
    dragoman.call("POST", "/v1/messages").bytes(format!("{{\"{PROMPT}\"")).send().await;
    dragoman.messages(&json!({ "model": PROMPT, "messages": PROMPT })).send().await;
    dragoman.messages(&message(PROMPT)).header("authorization", "Bearer wrong-canary-5d").send().await;
    dragoman.call("GET", "/health").send().await;
    for arguments in [
        &["status", "--json"][..],
        &["models", "--json"],
        &["accounts", "list", "--json"],
        &["usage", "--json"],
        &["usage", "--json", "--by", "account"],
        &["usage", "--csv", "--by", "session"],
    ] {
        let output = dragoman.launch().command().args(arguments).output().unwrap();
        assert!(output.stdout.len() > 20, "{arguments:?} says nothing");
        assert_clean(&format!("dragoman {arguments:?}"), &[output.stdout, output.stderr].concat(), &login);
    }
    dragoman.interrupt("TERM");
    dragoman.ended(crate::SOON).await;
    assert_clean("stdout and stderr", dragoman.said().as_bytes(), &login);
    let mut logged = String::new();
    for path in dragoman.files() {
        if path.extension().is_some_and(|extension| extension == "log") {
            logged.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
        // The login of the Codex CLI is where it was; nothing else may hold it.
        if !path.ends_with("codex/auth.json") {
            assert_clean(&path.display().to_string(), &std::fs::read(&path).unwrap(), &login);
        }
    }
    assert!(
        dragoman.files().iter().any(|path| path.ends_with("state/history.db")),
        "no history was searched"
    );
    // What was searched is the log of these requests, not an empty file.
    assert!(logged.contains("gpt-6.1-terra"), "the log tells nothing: {:?} {logged}", dragoman.files());
}

#[track_caller]
fn assert_clean(what: &str, bytes: &[u8], login: &support::Credentials) {
    let text = String::from_utf8_lossy(bytes);
    let signature = login.access_token.rsplit('.').next().unwrap();
    let secrets =
        [&login.access_token, &login.refresh_token, &login.id_token, signature, "rt_canary_", "Bearer ey"];
    for secret in secrets.into_iter().chain([support::TOKEN, "wrong-canary-5d", PROMPT, ANSWER]) {
        let near = text.find(secret).map(|at| text[..at].lines().last().unwrap_or_default().to_owned());
        assert_eq!(near, None, "{what} holds {secret}");
    }
}

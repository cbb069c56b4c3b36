//! With a key of the OpenAI API.

use serde_json::json;
use support::fake::{FakeChatGpt, Reply};

use crate::*;

const KEY: &str = "sk-canary-0123456789abcdefghij";

#[tokio::test]
async fn a_key_from_the_input_is_tried_and_kept() {
    let fake = FakeChatGpt::start();
    fake.accept_key(KEY);
    let launch = launch(&fake);
    let mut running = login(&launch, &["--api-key"]);
    running.enter(KEY).await;
    let (done, _) = success(running).await;
    assert_eq!(done["kind"], "api_key");
    assert_eq!(fake.requests_to("/v1/models")[0].header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(accounts(&launch), ["api_key"]);
    assert!(kept(&launch).contains(KEY));
    assert_files_clean(launch.path());
}

#[tokio::test]
async fn a_key_that_is_refused_is_not_kept() {
    let fake = FakeChatGpt::start();
    for (key, reply, code) in [
        (KEY, None, "key_refused"),
        ("two words", None, "key_malformed"),
        ("", None, "key_malformed"),
        (KEY, Some(Reply::json(500, &json!({}))), "server_trouble"),
        (KEY, Some(Reply::html(403, "<html>portal</html>")), "server_trouble"),
    ] {
        if let Some(reply) = reply {
            fake.reply("/v1/models", [reply]);
        }
        let launch = launch(&fake);
        let mut running = login(&launch, &["--api-key"]);
        running.enter(key).await;
        failure(running, code).await;
        assert!(accounts(&launch).is_empty() && kept(&launch).is_empty());
    }
}

#[test]
fn a_key_on_the_command_line_is_a_usage_error() {
    let fake = FakeChatGpt::start();
    for arguments in [["login", "--api-key=sk-canary-1"], ["login", "sk-canary-1"]] {
        let output = launch(&fake).command().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
    }
    assert!(fake.requests().is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_key_typed_on_a_terminal_is_not_shown() {
    let fake = FakeChatGpt::start();
    fake.accept_key(KEY);
    let launch = launch(&fake);
    let mut terminal = crate::terminal::Terminal::start(&launch, "login --api-key");
    terminal.until("not shown").await;
    // The echo is switched off when the question is there.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    terminal.enter(KEY);
    let (status, screen) = terminal.end().await;
    assert_eq!(status, Some(0), "{screen}");
    assert!(screen.contains("OpenAI API key") && screen.contains("Kept"), "{screen}");
    assert!(!screen.contains(KEY), "the key is on the screen: {screen}");
    assert!(kept(&launch).contains(KEY));
}

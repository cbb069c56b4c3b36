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

/// On a terminal: `script` gives the program one, and shows what a person would see.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_key_typed_on_a_terminal_is_not_shown() {
    use std::io::{Read as _, Write as _};
    let fake = FakeChatGpt::start();
    fake.accept_key(KEY);
    let launch = launch(&fake);
    let line = format!("{} login --api-key", support::bin("dragoman").display());
    let command = launch.command();
    let mut script = std::process::Command::new("script");
    script.env_clear();
    for (name, value) in command.get_envs() {
        script.env(name, value.unwrap());
    }
    script.args(["--quiet", "--return", "--echo", "always", "--command", &line, "/dev/null"]);
    let mut child =
        script.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let (mut input, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let screen = tokio::task::spawn_blocking(move || {
        let mut screen = Vec::new();
        let mut piece = [0; 256];
        let mut typed = false;
        while let Ok(count @ 1..) = out.read(&mut piece) {
            screen.extend_from_slice(&piece[..count]);
            if !typed && String::from_utf8_lossy(&screen).contains("not shown") {
                // The echo is switched off when the question is there.
                std::thread::sleep(std::time::Duration::from_millis(300));
                input.write_all(format!("{KEY}\n").as_bytes()).unwrap();
                typed = true;
            }
        }
        String::from_utf8_lossy(&screen).into_owned()
    });
    let screen = screen.await.unwrap();
    assert!(child.wait().unwrap().success(), "{screen}");
    assert!(screen.contains("OpenAI API key") && screen.contains("Kept"), "{screen}");
    assert!(!screen.contains(KEY), "the key is on the screen: {screen}");
    assert!(kept(&launch).contains(KEY));
}

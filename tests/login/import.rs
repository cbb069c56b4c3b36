//! With the Codex CLI: its login linked or renewed as our own, and `codex login` run for the user.

use support::fake::{FakeChatGpt, Rule};
use support::{Ports, message, visit};

use crate::*;

#[tokio::test]
async fn the_login_of_the_codex_cli_is_linked() {
    let fake = FakeChatGpt::start();
    let codex = fake.sign_in();
    let launch = launch(&fake).signed_in_with(&codex);
    let mut running = login(&launch, &["--import=linked"]);
    assert_eq!(running.step("codex_login").await["label"], support::EMAIL);
    let (done, _) = success(running).await;
    assert_eq!((done["kind"].as_str(), done["replaced"].as_bool()), (Some("linked"), Some(false)));
    assert_eq!(accounts(&launch), ["linked"]);
    assert_eq!(kept(&launch), "", "its tokens stay where they are");
    let (again, _) = success(login(&launch, &["--import=linked"])).await;
    assert_eq!(again["replaced"], true);
    assert_eq!(accounts(&launch), ["linked"]);
    fake.script([Rule::any("a").text("fine")]);
    let dragoman = launch.start().await;
    assert_eq!(dragoman.messages(&message("hi")).send().await.status, 200);
    assert_eq!(fake.only("a").header("authorization"), format!("Bearer {}", codex.access_token));
}

#[tokio::test]
async fn a_login_of_our_own_copies_no_token() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let codex = fake.sign_in();
    let launch = launch(&fake).signed_in_with(&codex);
    let mut running = login(&launch, &["--import=own"]);
    running.step("codex_login").await;
    visit(&opened(&launch).await).await;
    success(running).await;
    assert_ne!(tokens(&launch)["refresh_token"], codex.refresh_token);
    assert!(fake.is_alive(&codex.refresh_token), "the Codex CLI stays signed in");
    assert_eq!(accounts(&launch), ["own"]);

    let mut running = login(&launch, &["--import=own", "--device"]);
    running.step("device_code").await;
    success(running).await;
    assert!(fake.is_alive(&codex.refresh_token));
}

#[tokio::test]
async fn where_there_is_nothing_to_import_the_way_is_told() {
    let fake = FakeChatGpt::start();
    let message = failure(login(&launch(&fake), &["--import=linked"]), "no_codex_login").await;
    assert!(message.contains("codex login") && message.contains("dragoman login"), "{message}");
    for (file, text, code) in [
        ("config.toml", "cli_auth_credentials_store = \"ephemeral\"\n", "codex_hidden"),
        // Here is no session bus, so no keyring; where there is one is tested in tests/accounts/keyring.rs.
        ("config.toml", "cli_auth_credentials_store = \"keyring\"\n", "codex_keyring"),
        ("auth.json", "{\"auth_mode\":\"apikey\",\"OPENAI_API_KEY\":\"sk-canary-1\"}", "codex_api_key"),
        ("auth.json", "{\"tokens\": \"rt_canary_1\"", "codex_unreadable"),
    ] {
        let launch = launch(&fake);
        let home = launch.path().join("codex");
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join(file), text).unwrap();
        for flag in ["--import=linked", "--import=own"] {
            let message = failure(login(&launch, &[flag]), code).await;
            if file == "config.toml" {
                assert!(message.contains("cli_auth_credentials_store = \"file\""), "{message}");
            }
        }
        assert!(accounts(&launch).is_empty());
    }
}

#[test]
fn without_a_terminal_the_choice_must_be_said() {
    let fake = FakeChatGpt::start();
    let output = launch(&fake).command().args(["login", "--import"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--import=own (recommended)") && said.contains("--import=linked"), "{said}");
}

/// As the real one: colours, its own words, and a login at the end.
fn codex(launch: &Launch, fake: &FakeChatGpt, version: &str, end: &str) {
    let login = fake.sign_in().auth_json();
    std::fs::write(launch.path().join("user/new-auth.json"), login).unwrap();
    program(
        launch,
        "codex",
        &format!(
            "[ \"$1\" = --version ] && {{ echo codex-cli {version}; exit; }}\n[ \"$1\" = login ] || exit 9\n\
             printf '\\033[1mStarting local login server\\033[0m\\n' >&2\n{end}"
        ),
    );
}

const WRITES: &str = "mkdir -p \"$CODEX_HOME\"\ncp \"$HOME/new-auth.json\" \"$CODEX_HOME/auth.json\"\necho Successfully logged in";

#[tokio::test]
async fn codex_login_is_run_and_its_login_linked() {
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    codex(&launch, &fake, "0.169.0", WRITES);
    let mut running = login(&launch, &["--codex"]);
    let started = running.step("codex_started").await;
    assert_eq!((started["version"].as_str(), started["is_old"].as_bool()), (Some("0.169.0"), Some(false)));
    assert_eq!(running.step("codex_says").await["line"], "Starting local login server");
    let (done, said) = success(running).await;
    assert!(said.contains("Successfully logged in"), "{said}");
    assert_eq!(done["kind"], "linked");
    assert_eq!(accounts(&launch), ["linked"]);
}

#[tokio::test]
async fn what_keeps_codex_login_from_its_end_is_told() {
    let fake = FakeChatGpt::start();
    let without = launch(&fake);
    std::fs::create_dir_all(without.path().join("bin")).unwrap();
    // Nothing but our own directory on PATH: whatever is installed on this machine is not found.
    let bin = without.path().join("bin").display().to_string();
    let message = failure(login(&without.env("PATH", &bin), &["--codex"]), "codex_missing").await;
    assert!(message.contains("npm install"), "{message}");

    for (version, end, code) in [
        ("0.169.0", "echo no luck; exit 7", "codex_failed"),
        ("0.169.0", "echo done", "no_codex_login"),
        ("of something else", "exit 0", "codex_strange"),
    ] {
        let launch = launch(&fake);
        codex(&launch, &fake, version, end);
        let message = failure(login(&launch, &["--codex"]), code).await;
        assert!(code != "codex_failed" || message.contains('7'), "{message}");
        assert!(accounts(&launch).is_empty());
    }

    let old = launch(&fake);
    codex(&old, &fake, "0.99.1", WRITES);
    let mut running = login(&old, &["--codex"]);
    assert_eq!(running.step("codex_started").await["is_old"], true);
    success(running).await;
}

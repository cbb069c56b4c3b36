//! Signing out.

use serde_json::{Value, json};
use support::fake::{FakeChatGpt, Reply};
use support::message;

use crate::*;

async fn signed_in(fake: &FakeChatGpt, launch: &Launch) {
    let mut running = login(launch, &["--device"]);
    running.step("device_code").await;
    success(running).await;
    assert_eq!(accounts(launch), ["own"], "{}", fake.story());
}

/// Status, stdout as JSON or null, and both outputs.
fn logout(launch: &Launch, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let output = launch.command().arg("logout").args(arguments).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let said = format!("{out}{err}");
    assert_no_secret(&said);
    (output.status.code(), serde_json::from_str(&out).unwrap_or_default(), said)
}

#[tokio::test]
async fn an_own_login_is_ended_and_forgotten() {
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    signed_in(&fake, &launch).await;
    let refresh = tokens(&launch)["refresh_token"].as_str().unwrap().to_owned();
    let dragoman = launch.start().await;
    fake.script([support::fake::Rule::any("a").text("fine")]);
    assert_eq!(dragoman.messages(&message("hi")).send().await.status, 200);

    let (code, _, said) = logout(dragoman.launch(), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(support::EMAIL) && said.contains("ended the login"), "{said}");
    assert_eq!(fake.revoked(), [refresh]);
    let revoke = &fake.requests_to("/oauth/revoke")[0];
    assert_eq!(revoke.header("originator"), "codex_cli_rs");
    assert!(accounts(dragoman.launch()).is_empty());
    assert_eq!(kept(dragoman.launch()), "");
    // The server that runs has nothing left to answer with.
    assert_eq!(dragoman.messages(&message("hi")).send().await.status, 401);
    let names = support::files_below(dragoman.path());
    for path in names {
        assert_no_secret(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
    }
}

#[tokio::test]
async fn without_the_issuer_it_is_still_forgotten_here() {
    for reply in [Reply::json(503, &json!({})), Reply::html(200, "<html>")] {
        let fake = FakeChatGpt::start();
        let launch = launch(&fake);
        signed_in(&fake, &launch).await;
        let fails = reply.status != 200;
        fake.reply("/oauth/revoke", [reply]);
        let (code, out, said) = logout(&launch, &["--json"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(out["revoked"]["state"], if fails { "failed" } else { "yes" }, "{said}");
        assert!(accounts(&launch).is_empty() && kept(&launch).is_empty());
    }
}

#[tokio::test]
async fn an_issuer_that_hangs_has_ten_seconds() {
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    signed_in(&fake, &launch).await;
    let mut hangs = Reply::json(200, &json!({}));
    hangs.before = Some(std::time::Duration::from_secs(60));
    fake.reply("/oauth/revoke", [hangs]);
    let begun = std::time::Instant::now();
    let (code, _, said) = tokio::task::spawn_blocking(move || logout(&launch, &[])).await.unwrap();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("within 10 s") && said.contains("gone from this computer"), "{said}");
    assert!((10..20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_linked_login_is_only_unlinked_unless_asked() {
    let fake = FakeChatGpt::start();
    let codex = fake.sign_in();
    let launch = launch(&fake).signed_in_with(&codex);
    let auth = launch.path().join("codex/auth.json");
    success(login(&launch, &["--import=linked"])).await;
    let (code, _, said) = logout(&launch, &[support::EMAIL]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("stays signed in"), "{said}");
    assert!(accounts(&launch).is_empty() && auth.exists() && fake.is_alive(&codex.refresh_token));
    assert!(fake.revoked().is_empty());

    success(login(&launch, &["--import=linked"])).await;
    let (code, _, said) = logout(&launch, &["--codex-too"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!auth.exists() && !fake.is_alive(&codex.refresh_token), "{said}");
}

#[tokio::test]
async fn whom_to_sign_out_must_be_clear() {
    let fake = FakeChatGpt::start();
    let nobody = launch(&fake);
    let (code, _, said) = logout(&nobody, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("dragoman login"), "{said}");

    // The Codex CLI's login that is used without being in the list is not ours to forget.
    let found = launch(&fake).signed_in_with(&fake.sign_in());
    let (code, _, said) = logout(&found, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("codex logout"), "{said}");

    let launch = launch(&fake);
    signed_in(&fake, &launch).await;
    fake.accept_key("sk-canary-0123456789abcdefghij");
    let mut running = login(&launch, &["--api-key"]);
    running.enter("sk-canary-0123456789abcdefghij").await;
    success(running).await;
    let (code, _, said) = logout(&launch, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("several accounts") && said.contains(support::EMAIL), "{said}");
    let (code, _, said) = logout(&launch, &["nobody"]);
    assert_eq!(code, Some(1), "{said}");
    let (code, out, said) = logout(&launch, &["2", "--json"]);
    assert_eq!((code, &out["kind"]), (Some(0), &json!("api_key")), "{said}");
    assert_eq!(accounts(&launch), ["own"]);
}

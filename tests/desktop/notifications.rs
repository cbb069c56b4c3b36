//! What is told while nobody looks, as the desktop's notification server gets it: each event once.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use support::fake::{Fail, FakeChatGpt, Reply, Rule};
use support::{EMAIL, Ports, visit};

use crate::app::{Launch, ask, eventually};
use crate::heard::Heard;
use crate::tray::Tray;

/// Longer than a notification takes.
const QUIET: Duration = Duration::from_secs(1);

fn page(percent: f64, allowed: bool) -> Reply {
    let window =
        json!({ "used_percent": percent, "limit_window_seconds": 18_000, "reset_at": support::now() + 9000 });
    let limit = json!({ "allowed": allowed, "limit_reached": !allowed, "primary_window": window });
    Reply::json(200, &json!({ "plan_type": "plus", "rate_limit": limit }))
}

fn at(rule: Rule, percent: &str) -> Rule {
    rule.header("x-codex-primary-used-percent", percent)
        .header("x-codex-primary-window-minutes", "300")
        .header("x-codex-primary-reset-at", &(support::now() + 9000).to_string())
}

#[tokio::test]
async fn what_happens_to_an_account_is_told_once() {
    let _ports = Ports::take().await;
    let heard = Heard::listen().await;
    let fake = FakeChatGpt::start();
    fake.reply("/backend-api/wham/usage", [page(10.0, true)]);
    let app = Launch::beside(&fake).signed_in(&fake).start();
    let tray = Tray::of(&app).await;
    let address = tray.address().await;

    fake.script([at(Rule::any("near").always().text("fine"), "84")]);
    assert_eq!(ask(address, "hi").await.status, 200, "{}", fake.story());
    assert_eq!(ask(address, "hi again").await.status, 200);
    heard.eventually("5-hour limit 84 %").await;

    fake.script([Rule::any("full").always().fail(Fail::UsageLimit { resets_in: 9000 })]);
    fake.reply("/backend-api/wham/usage", [page(100.0, false)]);
    for _ in 0..2 {
        assert_eq!(ask(address, "hi").await.status, 429);
    }
    heard.eventually("Limit reached").await;
    eventually("the line says so", async || tray.status().await.starts_with("Limit reached")).await;

    // Lifted early: somebody tries the account at once.
    fake.script([at(Rule::any("calm").always().text("fine"), "1")]);
    fake.reply("/backend-api/wham/usage", [page(1.0, true)]);
    eventually("it goes on", async || ask(address, "hi").await.status == 200).await;
    heard.eventually("The limit is over").await;

    // Its login ends: several requests meet that. Then somebody signs in again.
    fake.withdraw_access_tokens();
    fake.fail_refresh(401, "refresh_token_invalidated");
    for _ in 0..2 {
        assert_eq!(ask(address, "hi").await.status, 401);
    }
    let again = format!("Sign in again: {EMAIL}");
    heard.eventually(&again).await;
    eventually("the line says so", async || tray.status().await == again).await;
    tray.click("Sign in again…").await;
    let opened = || fs::read_to_string(app.path().join("opened")).unwrap_or_default();
    eventually("the browser is opened", async || opened().starts_with(&fake.url())).await;
    visit(&opened()).await;
    heard.eventually("Signed in").await;
    assert_eq!(ask(address, "hi").await.status, 200, "{}", fake.story());

    tokio::time::sleep(QUIET).await;
    let titles: Vec<_> = heard.so_far().into_iter().map(|(title, _)| title).collect();
    assert_eq!(titles, ["5-hour limit 84 %", "Limit reached", "The limit is over", &again, "Signed in"]);
}

#[tokio::test]
async fn a_busy_port_is_told_once() {
    let heard = Heard::listen().await;
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = holder.local_addr().unwrap();
    let app = Launch::new().env("DRAGOMAN_LISTEN", &busy.to_string()).start();
    let tray = Tray::of(&app).await;
    heard.eventually("Dragoman is not listening").await;
    // The same again is no news.
    tray.click("Dragoman on").await;
    eventually("the mark is off again", async || tray.is_checked("Dragoman on").await == Some(false)).await;
    // Nor is it when something else changes meanwhile.
    tray.click("low").await;
    tray.says("Effort: low").await;
    tokio::time::sleep(QUIET).await;
    let told = heard.so_far();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains(&busy.port().to_string()), "{told:?}");
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_set_up_is_told() {
    let heard = Heard::listen().await;
    let app = Launch::new().env("ANTHROPIC_API_KEY", "sk-ant-canary").start();
    let tray = Tray::of(&app).await;
    tray.address().await;
    tray.click("Set up Claude Code").await;
    heard.eventually("Claude Code is set up, with something in the way").await;
    let told = heard.so_far();
    assert!(told[0].1.contains("ANTHROPIC_API_KEY"), "{told:?}");
    assert!(!told[0].1.contains("canary"), "{told:?}");
}

#[tokio::test]
async fn switched_off_only_a_click_that_failed_is_answered() {
    let heard = Heard::listen().await;
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = holder.local_addr().unwrap().to_string();
    let launch = Launch::new().env("DRAGOMAN_LISTEN", &busy).env("DRAGOMAN_DESKTOP_NOTIFICATIONS", "false");
    fs::create_dir_all(launch.path().join("claude")).unwrap();
    fs::write(launch.path().join("claude/settings.json"), "not JSON").unwrap();
    let app = launch.start();
    let tray = Tray::of(&app).await;
    eventually("the line says Failed", async || tray.status().await.starts_with("Failed: ")).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(heard.so_far(), Vec::new());

    tray.click("Set up Claude Code").await;
    heard.eventually("That did not work").await;
    let told = heard.so_far();
    assert!(told[0].1.contains("settings.json"), "{told:?}");
    assert_eq!(told.len(), 1, "{told:?}");
}

//! The tray's menu: what a click does, and what the menu says afterwards.

use std::fs;
use std::process::Command;
use std::time::Duration;

use support::fake::{FakeChatGpt, Rule};
use support::{EMAIL, Ports, TOKEN, own_login, visit};

use crate::app::{Launch, ask, eventually};
use crate::tray::Tray;

/// After a click: longer than the program takes to draw what became of it.
const SETTLED: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_model_and_an_effort_that_are_chosen_answer_the_next_request() {
    let fake = FakeChatGpt::start();
    fake.script(
        ["before", "model", "effort", "both back"].map(|id| Rule::any(id).when_user(id).text("fine")),
    );
    let app = Launch::beside(&fake).signed_in(&fake).start();
    let tray = Tray::of(&app).await;
    let address = tray.address().await;
    let sent = async |rule: &str| {
        assert_eq!(ask(address, rule).await.status, 200, "{}", fake.story());
        let body = fake.only(rule).body;
        (body["model"].clone(), body["reasoning"]["effort"].clone())
    };
    let (model, effort) = sent("before").await;
    assert!(model != "gpt-5.5" && effort != "low", "{model} {effort}");

    tray.click_once_there("GPT-5.5").await;
    tray.says("Model: GPT-5.5").await;
    assert_eq!(tray.is_checked("GPT-5.5").await, Some(true));
    assert_eq!(tray.is_checked("As the catalog says").await, Some(false));
    assert_eq!(sent("model").await.0, "gpt-5.5");

    tray.click("low").await;
    tray.says("Effort: low").await;
    assert_eq!(sent("effort").await, ("gpt-5.5".into(), "low".into()));

    tray.click("As the catalog says").await;
    tray.click("As Claude Code asks").await;
    tray.says("Model: as the catalog says").await;
    tray.says("Effort: as Claude Code asks").await;
    assert_eq!(sent("both back").await, (model, effort));
}

#[tokio::test]
async fn the_line_that_holds_already_keeps_its_mark() {
    let app = Launch::new().start();
    let tray = Tray::of(&app).await;
    tray.address().await;
    tray.click("low").await;
    tray.says("Effort: low").await;
    // The panel flips the mark of what is clicked; here nothing changes, so it must come back.
    tray.click("low").await;
    tokio::time::sleep(SETTLED).await;
    assert_eq!(tray.is_checked("low").await, Some(true));
    assert_eq!(tray.is_checked("As Claude Code asks").await, Some(false));
    let written = fs::read_to_string(app.path().join("dragoman/config/config.toml")).unwrap();
    assert!(written.contains("effort = \"low\""), "{written}");
}

#[tokio::test]
async fn the_account_that_is_chosen_answers() {
    let fake = FakeChatGpt::start();
    fake.script([
        Rule::any("first").when_user("first").text("1"),
        Rule::any("then").when_user("then").text("2"),
    ]);
    let launch = Launch::beside(&fake);
    own_login(launch.path(), &fake.sign_in_as("acct-1"), 1);
    own_login(launch.path(), &fake.sign_in_as("acct-2"), 2);
    let list = launch.path().join("dragoman/state/accounts.json");
    let named = fs::read_to_string(&list).unwrap();
    fs::write(list, named.replace("\"revision\":2", "\"name\":\"work\",\"revision\":2")).unwrap();
    let app = launch.start();
    let tray = Tray::of(&app).await;
    let address = tray.address().await;
    let account = |rule: &str| fake.only(rule).header("chatgpt-account-id").to_owned();

    tray.click_once_there(EMAIL).await;
    tray.says(&format!("Account: {EMAIL}")).await;
    assert_eq!(ask(address, "first").await.status, 200, "{}", fake.story());
    assert_eq!(account("first"), "acct-1");
    assert_eq!(tray.is_checked("work").await, Some(false));

    tray.click("work").await;
    tray.says("Account: work").await;
    assert_eq!(tray.is_checked("work").await, Some(true));
    assert_eq!(tray.is_checked(EMAIL).await, Some(false));
    assert_eq!(ask(address, "then").await.status, 200, "{}", fake.story());
    assert_eq!(account("then"), "acct-2");
}

#[tokio::test]
async fn signing_in_is_begun_cancelled_and_done_from_the_menu() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let app = Launch::beside(&fake).start();
    let tray = Tray::of(&app).await;
    let opened = || fs::read_to_string(app.path().join("opened")).unwrap_or_default();
    eventually("the line asks to sign in", async || tray.status().await == "Sign in with ChatGPT").await;

    tray.click("Sign in with ChatGPT…").await;
    eventually("the browser is opened", async || opened().starts_with(&fake.url())).await;
    tray.says("Cancel signing in").await;
    tray.click("Cancel signing in").await;
    tray.says("Sign in with ChatGPT…").await;
    fs::remove_file(app.path().join("opened")).unwrap();

    tray.click("Sign in with ChatGPT…").await;
    eventually("the browser is opened again", async || opened().starts_with(&fake.url())).await;
    visit(&opened()).await;
    tray.says(&format!("Account: {EMAIL}")).await;
    assert!(tray.status().await.ends_with(EMAIL), "{}", tray.status().await);
    assert_eq!(tray.is_checked(EMAIL).await, Some(true));
    tray.says("Add an account…").await;
}

#[tokio::test]
async fn claude_code_is_set_up_and_the_set_up_undone() {
    let app = Launch::new().start();
    let tray = Tray::of(&app).await;
    let address = tray.address().await;
    let settings = || fs::read_to_string(app.path().join("claude/settings.json")).unwrap_or_default();

    tray.click("Set up Claude Code").await;
    tray.says("Claude Code is set up ✓ · undo").await;
    assert!(settings().contains(&format!("\"http://{address}\"")), "{}", settings());

    tray.click("Claude Code is set up ✓ · undo").await;
    tray.says("Set up Claude Code").await;
    assert!(!settings().contains("ANTHROPIC_BASE_URL"), "{}", settings());
}

#[tokio::test]
async fn turned_off_in_the_tray_a_window_asks_what_becomes_of_claude_code() {
    let app = Launch::new().start();
    let tray = Tray::of(&app).await;
    tray.address().await;
    tray.click("Set up Claude Code").await;
    tray.says("Claude Code is set up ✓ · undo").await;
    tray.click("Dragoman on").await;
    eventually("the window opens", async || app.windows() == ["Dragoman"]).await;
    assert_eq!(tray.status().await, "Off");
    tray.click("Dragoman on").await;
    tray.address().await;

    // Who has said so for good is not asked.
    let app = Launch::new().env("DRAGOMAN_CLAUDE_CODE_WHEN_OFF", "never").start();
    let tray = Tray::of(&app).await;
    tray.address().await;
    tray.click("Set up Claude Code").await;
    tray.says("Claude Code is set up ✓ · undo").await;
    tray.click("Dragoman on").await;
    eventually("the line says Off", async || tray.status().await == "Off").await;
    tokio::time::sleep(2 * SETTLED).await;
    assert_eq!(app.windows(), Vec::<String>::new());
}

#[tokio::test]
async fn the_environment_is_copied_for_each_shell() {
    let app = Launch::new().start();
    let tray = Tray::of(&app).await;
    let address = tray.address().await;
    let copied = || {
        let output = Command::new("xclip").args(["-selection", "clipboard", "-out"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for (shell, line) in [
        ("bash, zsh", format!("export ANTHROPIC_BASE_URL='http://{address}'")),
        ("fish", format!("set -gx ANTHROPIC_AUTH_TOKEN '{TOKEN}'")),
        ("PowerShell", format!("$env:ANTHROPIC_BASE_URL = 'http://{address}'")),
        ("cmd", format!("set \"ANTHROPIC_BASE_URL=http://{address}\"")),
        ("Nushell", format!("$env.ANTHROPIC_AUTH_TOKEN = '{TOKEN}'")),
    ] {
        tray.click(shell).await;
        eventually(&format!("{shell} can paste {line}"), async || {
            copied().lines().any(|other| other == line)
        })
        .await;
        // On X11 it lives in the program that copied it, which must not let go of it.
        tokio::time::sleep(SETTLED).await;
        let copied = copied();
        assert!(copied.lines().any(|other| other == line), "it did not stay: {copied}");
        assert!(copied.ends_with('\n'), "the last line would not be run: {copied}");
    }
}

#[tokio::test]
async fn starting_at_login_is_switched_on_and_off() {
    let app = Launch::new().start();
    let tray = Tray::of(&app).await;
    tray.address().await;
    let entry = || fs::read_to_string(app.path().join("home/.config/autostart/Dragoman.desktop"));
    assert!(entry().is_err());
    assert_eq!(tray.is_checked("Start at login").await, Some(false));

    // The panel flips the mark by itself; the file is what counts.
    tray.click("Start at login").await;
    eventually("the file is there", async || entry().is_ok_and(|text| text.contains("--background"))).await;
    let text = entry().unwrap();
    let program = text.lines().find(|line| line.starts_with("Exec=")).unwrap_or_default();
    assert!(program.contains("dragoman-desktop") && program.ends_with("--background"), "{text}");

    tokio::time::sleep(SETTLED).await;
    assert_eq!(tray.is_checked("Start at login").await, Some(true));

    tray.click("Start at login").await;
    eventually("the file is gone", async || entry().is_err()).await;
    tokio::time::sleep(SETTLED).await;
    assert_eq!(tray.is_checked("Start at login").await, Some(false));
}

#[tokio::test]
async fn the_logs_are_a_page_of_the_window() {
    let app = Launch::new().start();
    let tray = Tray::of(&app).await;
    tray.address().await;
    tray.click("Open logs").await;
    eventually("the window opens", async || app.windows() == ["Dragoman"]).await;
}

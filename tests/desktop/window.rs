//! The window: what a person does in it happens, and what happens shows in it.

use std::fs;

use serde_json::Value;
use support::fake::{FakeChatGpt, Gate, Rule};
use support::http::Call;
use support::{EMAIL, Ports, TOKEN, visit};

use crate::PROMPT;
use crate::app::{Launch, ask, eventually};
use crate::page::Page;
use crate::tray::Tray;

#[tokio::test]
async fn the_page_switches_and_the_tray_follows() {
    let page = Page::open(Launch::new().argument("--window")).await;
    let tray = Tray::of(&page).await;
    let address = tray.address().await;
    page.says("#address", &address.to_string()).await;
    page.says("#state", "On").await;
    page.says("#step-sign-in", "The demo model answers").await;
    assert_eq!(page.value("document.getElementById('notice')").await, Value::Null);

    page.click("#switch").await;
    page.says("#state", "Off").await;
    page.says("#hint", "get no answer").await;
    eventually("the tray follows", async || tray.status().await == "Off").await;
    assert_eq!(page.value("document.getElementById('switch').ariaChecked").await, "false");

    tray.click("Dragoman on").await;
    page.says("#state", "On").await;
    page.says("#address", &tray.address().await.to_string()).await;

    // The keyboard alone: to the switch with Tab, over with Space.
    page.keys("body", "\u{e004}").await;
    assert_eq!(page.value("document.activeElement.id").await, "switch");
    page.keys("#switch", " ").await;
    page.says("#state", "Off").await;
    tray.click("Quit").await;
}

#[tokio::test]
async fn the_first_steps_lead_from_signing_in_to_an_answer() {
    let _ports = Ports::take().await;
    let (fake, rest) = (FakeChatGpt::start(), Gate::shut());
    fake.script([Rule::any("hello").text("Hello from ").hold(&rest).text("the other side.")]);
    let launch = Launch::beside(&fake).argument("--window");
    let settings = launch.path().join("claude/settings.json");
    let page = Page::open(launch).await;

    // 1: the page opens a browser, and the test is the one who uses it.
    page.click("#sign-in").await;
    page.says("#page-address", &fake.url()).await;
    let url = page.text("#page-address").await;
    eventually("the browser was opened there", async || {
        fs::read_to_string(page.path().join("opened")).is_ok_and(|opened| opened == url)
    })
    .await;
    visit(&url).await;
    page.says("#step-sign-in", &format!("Signed in as {EMAIL}")).await;

    // 2: it says exactly what it will write, and writes nothing before it may.
    page.says("#plan-file", &settings.display().to_string()).await;
    page.says("#plan", "env.ANTHROPIC_BASE_URL").await;
    assert!(!settings.exists(), "it was written before it was asked for");
    let address = page.text("#address").await;
    page.click("#set-up").await;
    page.says("#step-set-up", "Claude Code uses Dragoman").await;
    let written: Value = serde_json::from_str(&fs::read_to_string(&settings).unwrap()).unwrap();
    assert_eq!(written["env"]["ANTHROPIC_BASE_URL"], format!("http://{address}"));
    assert_eq!(written["env"]["ANTHROPIC_AUTH_TOKEN"], TOKEN);

    // 3: the answer comes word by word, and then its numbers.
    page.click("#say-hello").await;
    page.says("#answer", "Hello from ").await;
    page.says("#answer-facts", "answers …").await;
    rest.open();
    page.says("#answer", "Hello from the other side.").await;
    page.says("#answer-facts", "first word after").await;
    page.says("#answer-facts", "tokens").await;
    page.click("#first-run-done").await;
    page.says("main h1", "Overview").await;
    page.says("#account", EMAIL).await;
    page.says("#standing", "set up").await;

    // And back.
    page.click("#undo-set-up").await;
    page.says("#standing", "not set up").await;
    let left = fs::read_to_string(&settings).unwrap_or_default();
    assert!(!left.contains("ANTHROPIC_BASE_URL"), "{left}");
}

#[tokio::test]
async fn a_model_that_is_chosen_answers_the_next_request() {
    let fake = FakeChatGpt::start();
    fake.script([Rule::any("before").text("one"), Rule::any("after").text("two")]);
    let page = Page::open(Launch::beside(&fake).signed_in(&fake).argument("--window")).await;
    page.says("#state", "On").await;
    page.value("location.hash = '#/models'").await;
    page.says(".map[data-family=sonnet] .why", "catalog").await;
    let address = page.text("#address").await.parse().unwrap();
    assert_eq!(ask(address, "hi").await.status, 200);
    let model = fake.only("before").body["model"].clone();
    let others = "[...document.querySelectorAll('#model-sonnet option')].map((option) => option.value)";
    let others = page.value(others).await;
    let other = others.as_array().unwrap().iter().find(|other| **other != "" && **other != model);
    let other = other.unwrap().as_str().unwrap();

    page.pick("#model-sonnet", other).await;
    page.says(".map[data-family=sonnet] .why", "models.sonnet").await;
    assert_eq!(ask(address, "hi").await.status, 200);
    assert_eq!(fake.only("after").body["model"], *other);

    page.click("#reset-models").await;
    page.says(".map[data-family=sonnet] .why", "catalog").await;
    page.click("#undo").await;
    page.says(".map[data-family=sonnet] .why", "models.sonnet").await;
}

#[tokio::test]
async fn copying_takes_the_lines_with_the_token_and_the_page_hides_it() {
    let page = Page::open(Launch::new().argument("--window")).await;
    let tray = Tray::of(&page).await;
    let address = tray.address().await;
    page.says("#step-set-up", "Set up Claude Code").await;
    page.click("#step-set-up .link").await;
    page.click("#step-hello .link").await;
    page.click("#first-run-done").await;
    page.click("#set-up-details").await;
    page.says("#environment", &format!("ANTHROPIC_BASE_URL='http://{address}'")).await;
    page.says("#environment", "ANTHROPIC_AUTH_TOKEN='••••").await;
    page.click("#copy").await;
    page.says("#copy", "Copied").await;
    let text = page.value("document.body.textContent").await.to_string();
    assert!(!text.contains(TOKEN), "the token is on the page");
    page.click("#details .dialog-foot .button").await;
    let copied = page.clipboard().await;
    assert!(copied.contains(&format!("export ANTHROPIC_BASE_URL='http://{address}'\n")), "{copied}");
    assert!(copied.contains(&format!("export ANTHROPIC_AUTH_TOKEN='{TOKEN}'\n")), "{copied}");
    tray.click("Quit").await;
}

#[tokio::test]
async fn the_question_about_claude_code_stands_on_whatever_page_is_open() {
    let fake = FakeChatGpt::start();
    let page = Page::open(Launch::beside(&fake).signed_in(&fake).argument("--window")).await;
    let tray = Tray::of(&page).await;
    let address = tray.address().await;
    let settings = || fs::read_to_string(page.path().join("claude/settings.json")).unwrap_or_default();
    page.value("(location.hash = '#/logs', true)").await;
    page.says("main h1", "Logs").await;
    tray.click("Set up Claude Code").await;
    tray.says("Claude Code is set up ✓ · undo").await;
    assert!(settings().contains(&format!("http://{address}")), "{}", settings());

    tray.click("Dragoman on").await;
    page.says("#while-off", "Back to Anthropic").await;
    page.says("main h1", "Logs").await;
    page.click("#back-to-anthropic").await;
    page.says("#hint", "goes to Anthropic until Dragoman is on again").await;
    assert!(!settings().contains("ANTHROPIC_BASE_URL"), "{}", settings());
    tray.click("Dragoman on").await;
    let address = tray.address().await;
    eventually("it comes back", async || settings().contains(&format!("http://{address}"))).await;
    tray.click("Quit").await;
}

#[tokio::test]
async fn closing_the_window_leaves_the_program_in_the_tray() {
    let app = Launch::new().argument("--window").start();
    let tray = Tray::of(&app).await;
    let address = tray.address().await;
    eventually("the window is there", async || app.windows() == ["Dragoman"]).await;
    app.close_windows();
    eventually("the window is gone", async || app.windows().is_empty()).await;
    assert_eq!(Call::new(address, "GET", "/health").send().await.status, 200);
    tray.click("Open window").await;
    eventually("the window is back", async || app.windows() == ["Dragoman"]).await;
}

#[tokio::test]
async fn the_window_is_as_large_as_it_was() {
    let mut app = Launch::new().argument("--window").start();
    let tray = Tray::of(&app).await;
    tray.address().await;
    eventually("it opens in its first size", async || app.window_size() == Some((880, 600))).await;
    app.resize_window((700, 520));
    eventually("it is smaller", async || app.window_size() == Some((700, 520))).await;
    app.close_windows();
    eventually("it is gone", async || app.windows().is_empty()).await;
    tray.click("Open window").await;
    eventually("it is as large as it was", async || app.window_size() == Some((700, 520))).await;

    // Open at the end of the program it is remembered too.
    app.resize_window((720, 540));
    eventually("it is larger", async || app.window_size() == Some((720, 540))).await;
    tray.click("Quit").await;
    app.ended(PROMPT).await;
    let kept = fs::read_to_string(app.path().join("dragoman/state/window.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!((kept["width"].as_f64(), kept["height"].as_f64()), (Some(720.0), Some(540.0)));
}

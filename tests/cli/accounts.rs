//! `dragoman accounts`: what it shows and does, beside a running server and alone.

use support::fake::{FakeChatGpt, Rule};
use support::{Dragoman, EMAIL, Launch, codex_home};

use crate::run;

#[test]
fn without_an_account_the_list_says_how_to_get_one() {
    let launch = Launch::signed_out(&FakeChatGpt::start());
    let done = run(&launch, &["accounts", "list"]);
    assert_eq!(done.code, Some(3));
    assert!(done.out.contains("codex login"), "{}", done.out);
    assert_eq!(run(&launch, &["accounts", "--json", "list"]).json()["accounts"][0]["state"]["state"], "none");
    let done = run(&launch, &["accounts", "use", "work"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("\"work\""), "{}", done.err);
}

#[tokio::test]
async fn the_found_login_is_named_tested_renewed_and_stays_the_codex_clis() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let launch = dragoman.launch();
    let done = run(launch, &["accounts", "list"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.contains(EMAIL) && done.out.contains("*1"), "{}", done.out);

    let done = run(launch, &["accounts", "rename", EMAIL, "work"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let listed = run(launch, &["accounts", "list", "--json"]).json();
    assert_eq!(listed["accounts"][0]["name"], "work");
    assert_eq!(listed["accounts"][0]["kind"], "linked");

    fake.script([Rule::any("test").always().text("ready")]);
    let tested = run(launch, &["accounts", "test", "work", "--json"]).json();
    assert_eq!(tested["answer"], "ready", "{}", fake.story());
    assert_eq!(tested["id"], listed["accounts"][0]["id"]);
    assert!(tested["model"].as_str().unwrap().starts_with("gpt-"), "{tested}");
    let done = run(launch, &["accounts", "test"]);
    assert!(done.out.starts_with("work answers: gpt-"), "{} {}", done.out, done.err);

    let done = run(launch, &["accounts", "refresh", "1"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(fake.refreshes().len(), 1);
    let done = run(launch, &["accounts", "pause", "work"]);
    assert!(done.out.contains("paused"), "{} {}", done.out, done.err);
    let answer = dragoman.messages(&support::message("hi")).send().await;
    assert!(answer.text().contains("paused"), "{}", answer.text());
    run(launch, &["accounts", "resume", "work"]);
    assert_eq!(dragoman.messages(&support::message("hi")).send().await.status, 200);

    let done = run(launch, &["accounts", "remove", "work"]);
    assert!(done.out.contains("work is forgotten here"), "{} {}", done.out, done.err);
    assert!(dragoman.path().join("codex/auth.json").exists());
    let done = run(launch, &["accounts", "remove", "1"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("codex logout"), "{}", done.err);
}

#[tokio::test]
async fn a_running_server_follows_what_the_command_line_does() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let other = dragoman.path().join("other-codex");
    codex_home(&other, &fake.sign_in_as("acct-second"));
    let launch = dragoman.launch();
    let done = run(launch, &["accounts", "link", other.to_str().unwrap()]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    // The found login is used only while nothing is listed: link it too, as the second.
    run(launch, &["accounts", "link"]);
    fake.script([Rule::any("a").always().text("fine")]);
    let asked = |number: usize| fake.answered_by("a")[number].header("chatgpt-account-id").to_owned();
    dragoman.messages(&support::message("hi")).send().await;
    assert_eq!(asked(0), "acct-second");
    run(launch, &["accounts", "use", "2"]);
    dragoman.messages(&support::message("hi")).send().await;
    assert_eq!(asked(1), support::ACCOUNT);
}

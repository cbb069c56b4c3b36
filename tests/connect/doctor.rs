//! The check-up without Claude Code. With it: `tests/claude_code/connect.rs`.

use support::fake::{FakeChatGpt, Reply};
use support::{Dragoman, Launch};

use crate::Done;

fn outcome(checks: &serde_json::Value, name: &str) -> String {
    let check = checks.as_array().unwrap().iter().find(|check| check["name"] == name);
    check.unwrap_or_else(|| panic!("{name} is not in {checks}"))["outcome"].as_str().unwrap().to_owned()
}

/// An answer to nothing in particular, with a date.
fn dated(date: &str) -> Reply {
    Reply { date: Some(date.to_owned()), ..Reply::json(404, &serde_json::json!({})) }
}

#[tokio::test]
async fn a_healthy_server_is_good_and_an_unconnected_client_odd() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let now = std::process::Command::new("date").args(["-uR"]).output().unwrap();
    fake.reply("/backend-api", [dated(String::from_utf8_lossy(&now.stdout).trim())]);
    let doctor = |arguments: &[&str]| {
        Done::from(dragoman.launch().command().arg("doctor").args(arguments).output().unwrap())
    };
    let done = doctor(&["--quick", "--json"]).good();
    let checks = done.json();
    for name in ["Listener", "Token", "Account", "Models", "Settings", "Conflicts", "Clock", "Token store"] {
        assert_eq!(outcome(&checks, name), "good", "{name}: {checks}");
    }
    assert_eq!(outcome(&checks, "Claude Code's set-up"), "odd");
    assert_eq!(outcome(&checks, "Tray"), "skipped");
    assert!(!done.out.contains(support::TOKEN));
    // Without Claude Code on the path the rest is left out, and said to be.
    let words = doctor(&[]).good().out;
    assert!(words.contains("there is no claude on the search path"), "{words}");
    let other = dragoman
        .launch()
        .command()
        .args(["doctor", "--quick"])
        .env("DRAGOMAN_CLIENT_TOKEN", "other")
        .output();
    let other = Done::from(other.unwrap());
    assert_eq!(other.code, Some(1), "{}", other.out);
    assert!(other.out.contains("refuses the local token"), "{}", other.out);
}

#[test]
fn a_missing_server_and_login_are_told_with_what_to_do() {
    let launch = Launch::signed_out(&FakeChatGpt::start());
    let done = Done::from(launch.command().arg("doctor").output().unwrap());
    assert_eq!(done.code, Some(1));
    for words in ["dragoman serve", "Sign in: dragoman login", "not run: the server is not running"] {
        assert!(done.out.contains(words), "{words}: {}", done.out);
    }
}

/// The clock is compared with the backend's.
#[tokio::test]
async fn a_wrong_clock_is_told() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.reply("/backend-api", [dated("Sun, 06 Nov 1994 08:49:37 GMT")]);
    let done = Done::from(dragoman.launch().command().args(["doctor", "--quick"]).output().unwrap());
    assert_eq!(done.code, Some(1), "{}", done.out);
    assert!(done.out.contains("ahead of the backend's"), "{}", done.out);
}

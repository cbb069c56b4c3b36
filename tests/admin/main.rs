//! The admin API of the real `dragoman serve`: who may call it, that every verb does what it says, that streams end with
//! those who watch them, and that no secret comes out of it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod access;
mod contract;
mod life;
mod log;
mod recording;
mod secrets;
mod verbs;

use std::time::Duration;

use serde_json::Value;
use support::fake::FakeChatGpt;
use support::http::{Call, Whole};
use support::{Dragoman, Launch};

/// Longer than anything here takes on a slow machine, shorter than a person waits.
const SOON: Duration = Duration::from_secs(30);

/// Signed in at the fake, with an admin listener.
async fn start(fake: &FakeChatGpt) -> Dragoman {
    Launch::beside(fake).admin("127.0.0.1:0").start().await
}

/// A call as a browser without anything sends it.
fn bare(dragoman: &Dragoman, method: &str, path: &str) -> Call {
    Call::new(dragoman.admin_address(), method, path)
}

/// Panics unless this is an error of this status and kind in the one shape; answers its message and hint.
#[track_caller]
fn refused(answer: &Whole, status: u16, kind: &str) -> String {
    let text = answer.text();
    assert_eq!(answer.status, status, "{text}");
    let error = &answer.json()["error"];
    assert_eq!(error["kind"], kind, "{text}");
    assert!(error["message"].as_str().is_some_and(|words| !words.is_empty()), "{text}");
    let hint = error["hint"].as_str().unwrap_or_default();
    format!("{} {hint}", error["message"].as_str().unwrap())
}

/// The JSON of a good answer.
#[track_caller]
fn good(answer: &Whole) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The path of a link that lets a browser in, as `dragoman open` prints it.
fn link(dragoman: &Dragoman) -> String {
    let output = dragoman.launch().command().args(["open", "--print"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let url = String::from_utf8(output.stdout).unwrap();
    let path = url.trim().strip_prefix(&format!("http://{}", dragoman.admin_address())).unwrap();
    path.to_owned()
}

/// Follows a link as a browser does; answers the `name=value` of the cookie.
async fn let_in(dragoman: &Dragoman) -> String {
    let answer = bare(dragoman, "GET", &link(dragoman)).send().await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let cookie = answer.headers.value("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

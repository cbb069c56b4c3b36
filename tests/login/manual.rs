//! In a browser anywhere, with the address pasted.

use support::fake::FakeChatGpt;
use support::{Ports, visit};

use crate::*;

/// Where the browser of another computer ends: at a port on which nobody listens there.
async fn came_back_to(url: &str) -> String {
    let visited = visit(url).await;
    assert_eq!(visited.page.status, 0, "somebody listens on the callback port: {}", visited.page.text());
    visited.address().to_owned()
}

/// A manual sign-in that waits for its paste, and where the browser of another computer ended.
async fn begun(launch: &Launch) -> (Running, String) {
    let mut running = login(launch, &["--manual"]);
    let url = running.step("waiting_for_paste").await["url"].as_str().unwrap().to_owned();
    (running, came_back_to(&url).await)
}

/// The code in an address.
fn code(address: &str) -> String {
    support::fake::decode(address.split_once('?').unwrap().1)["code"].clone()
}

#[tokio::test]
async fn the_pasted_address_signs_in() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let (mut running, address) = begun(&launch).await;
    running.enter("what do I have to do?").await;
    assert_eq!(running.step("not_accepted").await["why"], "no_code");
    running.enter("http://127.0.0.1:1455/auth/callback?code=ac_canary_x&state=another").await;
    assert_eq!(running.step("not_accepted").await["why"], "wrong_state");
    running.enter(&address).await;
    success(running).await;
    assert_eq!(accounts(&launch), ["own"]);
    assert!(!launch.path().join("user/opened").exists(), "no browser is opened here");
}

#[tokio::test]
async fn a_bare_code_will_do() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let (mut running, address) = begun(&launch).await;
    running.enter(&format!("  {}  ", code(&address))).await;
    success(running).await;
}

#[tokio::test]
async fn a_code_of_another_sign_in_is_refused_by_the_server() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let (first, address) = begun(&launch).await;
    drop(first);
    let mut second = login(&launch, &["--manual"]);
    second.step("waiting_for_paste").await;
    // Without our verifier it is worth nothing.
    second.enter(&code(&address)).await;
    let message = failure(second, "code_refused").await;
    assert!(message.contains("invalid_grant"), "{message}");
    assert!(accounts(&launch).is_empty());
}

#[tokio::test]
async fn an_input_that_ends_is_an_end() {
    let fake = FakeChatGpt::start();
    let mut running = login(&launch(&fake), &["--manual"]);
    running.step("waiting_for_paste").await;
    running.enter("nothing of use").await;
    running.close_input();
    failure(running, "nothing_pasted").await;
}

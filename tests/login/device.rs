//! By device code.

use std::time::Duration;

use serde_json::json;
use support::fake::{FakeChatGpt, Reply};

use crate::*;

const POLL: &str = "/api/accounts/deviceauth/token";

#[tokio::test]
async fn a_code_typed_elsewhere_signs_in() {
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let mut running = login(&launch, &["--device"]);
    let step = running.step("device_code").await;
    assert_eq!(step["url"], format!("{}/codex/device", fake.url()));
    assert_eq!(step["code"], "FAKE-12345");
    let left = step["expires_at"].as_i64().unwrap() - support::now();
    assert!((890..=900).contains(&left), "{left} s");
    let (done, _) = success(running).await;
    assert_eq!(done["label"], support::EMAIL);
    // see upstream.md §a.3
    let form = support::fake::decode(&String::from_utf8_lossy(&fake.requests_to("/oauth/token")[0].plain));
    assert_eq!(form["redirect_uri"], format!("{}/deviceauth/callback", fake.url()));
    assert_eq!(fake.requests_to(POLL).len(), 2, "once pending, once typed");
    assert_eq!(accounts(&launch), ["own"]);
}

#[tokio::test]
async fn every_shape_of_the_answer_is_read() {
    for (device, status) in [
        (json!({ "usercode": "AB-1", "interval": 1 }), 404),
        (json!({ "user_code": "AB-2", "interval": "1", "expires_at": "2001-01-01T00:00:00Z" }), 403),
        // The network comes and goes while the person is typing.
        (json!({ "user_code": "AB-3", "interval": 1 }), 503),
        (json!({ "user_code": "AB-4", "interval": 1 }), 429),
    ] {
        let fake = FakeChatGpt::start();
        fake.scene(|scene| (scene.device, scene.pending_status) = (device.clone(), status));
        let launch = launch(&fake);
        let mut running = login(&launch, &["--device"]);
        let step = running.step("device_code").await;
        assert!(step["code"].as_str().unwrap().starts_with("AB-"), "{step}");
        success(running).await;
    }
}

#[tokio::test]
async fn what_ends_it_is_told() {
    let fake = FakeChatGpt::start();
    fake.scene(|scene| scene.devices = false);
    let message = failure(login(&launch(&fake), &["--device"]), "device_disabled").await;
    assert!(message.contains("--manual"), "{message}");

    fake.scene(|scene| scene.devices = true);
    fake.reply(POLL, [Reply::json(400, &json!({ "error": { "code": "expired_token" } }))]);
    let message = failure(login(&launch(&fake), &["--device"]), "code_refused").await;
    assert!(message.contains("expired_token"), "{message}");

    fake.reply("/api/accounts/deviceauth/usercode", [Reply::json(200, &json!({ "device_auth_id": "d" }))]);
    failure(login(&launch(&fake), &["--device"]), "unreadable").await;
}

#[tokio::test]
async fn a_code_that_nobody_types_in_time_ends() {
    let fake = FakeChatGpt::start();
    fake.scene(|scene| scene.pending = 1_000);
    // Two seconds from now, by the server.
    let at = support::now() + 2;
    let soon = std::process::Command::new("date")
        .args(["-u", "-d", &format!("@{at}"), "+%Y-%m-%dT%H:%M:%SZ"])
        .output();
    let soon = String::from_utf8(soon.unwrap().stdout).unwrap();
    fake.scene(|scene| {
        scene.device = json!({ "user_code": "AB-1", "interval": 1, "expires_at": soon.trim() })
    });
    failure(login(&launch(&fake), &["--device"]), "timed_out").await;
}

#[tokio::test]
async fn a_slow_answer_is_waited_for() {
    let fake = FakeChatGpt::start();
    let answer = json!({ "device_auth_id": "d", "user_code": "AB-1", "interval": 1 });
    let mut slow = Reply::json(200, &answer);
    slow.before = Some(Duration::from_secs(2));
    fake.reply("/api/accounts/deviceauth/usercode", [slow]);
    let mut running = login(&launch(&fake), &["--device"]);
    assert_eq!(running.step("device_code").await["code"], "AB-1");
}

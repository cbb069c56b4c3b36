//! What can be wrong with the issuer, the network and the clock.

use serde_json::json;
use support::fake::{FakeChatGpt, Reply};
use support::{Ports, visit};

use crate::*;

async fn by_device(fake: &FakeChatGpt, code: &str) -> String {
    let launch = launch(fake);
    let message = failure(login(&launch, &["--device"]), code).await;
    assert!(accounts(&launch).is_empty() && kept(&launch).is_empty(), "{message}");
    assert_files_clean(launch.path());
    message
}

#[tokio::test]
async fn an_issuer_in_trouble_is_told() {
    for (path, reply, code, words) in [
        ("/oauth/token", Reply::json(503, &json!({})), "server_trouble", "status 503"),
        ("/oauth/token", Reply::json(429, &json!({})), "server_trouble", "status 429"),
        ("/oauth/token", Reply::html(403, "<html>blocked</html>"), "server_trouble", "status 403"),
        ("/oauth/token", Reply::html(200, "<html>portal</html>"), "unreadable", "issuer_url"),
        (
            "/oauth/token",
            Reply::json(200, &json!({ "refresh_token": "rt_canary_1" })),
            "unreadable",
            "issuer_url",
        ),
        (
            "/oauth/token",
            Reply::json(400, &json!({ "error": "invalid_grant" })),
            "code_refused",
            "invalid_grant",
        ),
        ("/api/accounts/deviceauth/usercode", Reply::json(500, &json!({})), "server_trouble", "device code"),
    ] {
        let fake = FakeChatGpt::start();
        fake.reply(path, [reply]);
        let message = by_device(&fake, code).await;
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn an_answer_with_little_in_it_is_enough() {
    let fake = FakeChatGpt::start();
    let login_ = support::Credentials::fabricate(7, support::ACCOUNT, 864_000);
    // No token type, and a lifetime in quotes.
    let answer = json!({
        "access_token": login_.access_token, "refresh_token": login_.refresh_token, "expires_in": "864000",
    });
    fake.reply("/oauth/token", [Reply::json(200, &answer)]);
    let mut running = login(&launch(&fake), &["--device"]);
    running.step("device_code").await;
    let (done, _) = success(running).await;
    assert_eq!(done["label"], support::EMAIL);
}

#[tokio::test]
async fn without_a_network_the_host_is_named() {
    let fake = FakeChatGpt::start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    for flags in [&["--device"][..], &["--api-key"]] {
        let launch = launch(&fake)
            .env("DRAGOMAN_ISSUER_URL", &format!("http://{address}"))
            .env("DRAGOMAN_API_URL", &format!("http://{address}/v1"));
        let mut running = login(&launch, flags);
        if flags == ["--api-key"] {
            running.enter("sk-canary-0123456789").await;
        }
        let message = failure(running, "offline").await;
        assert!(message.contains(&address.to_string()), "{message}");
    }
}

#[tokio::test]
async fn a_wrong_clock_is_told_by_how_much() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    // The issuer lives eleven days ago: for us its tokens are over.
    fake.scene(|scene| scene.clock = -11 * 86_400);
    let launch = launch(&fake);
    let running = login(&launch, &[]);
    let page = visit(&opened(&launch).await).await.page.text();
    assert!(page.contains("clock"), "{page}");
    let message = failure(running, "clock").await;
    assert!(message.contains("11 days fast"), "{message}");
    assert!(accounts(&launch).is_empty() && kept(&launch).is_empty());
    assert_eq!(fake.revoked().len(), 1, "a login that is not kept is ended");
}

#[tokio::test]
async fn a_refused_code_tells_of_a_wrong_clock() {
    let refused = || Reply::json(400, &json!({ "error": "invalid_grant" }));
    let fake = FakeChatGpt::start();
    fake.reply("/oauth/token", [refused()]);
    let message = by_device(&fake, "code_refused").await;
    assert!(!message.contains("clock"), "{message}");
    let date = Some("Fri, 20 Nov 2020 15:16:07 GMT".to_owned());
    fake.reply("/oauth/token", [Reply { date, ..refused() }]);
    let message = by_device(&fake, "code_refused").await;
    assert!(message.contains("clock is ") && message.contains(" days fast"), "{message}");
}

#[tokio::test]
async fn a_login_that_cannot_be_kept_is_told_and_ended() {
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    std::fs::create_dir_all(launch.path().join("dragoman/state")).unwrap();
    // Where the directory of the tokens should be there is a file.
    std::fs::write(launch.path().join("dragoman/state/tokens"), "").unwrap();
    let message = failure(login(&launch, &["--device"]), "store").await;
    assert!(message.contains("tokens"), "{message}");
    assert_eq!(fake.revoked().len(), 1);
    assert!(accounts(&launch).is_empty());
}

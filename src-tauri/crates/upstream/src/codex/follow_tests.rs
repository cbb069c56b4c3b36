//! Settings that change while the client runs.

use std::time::Duration;

use super::tests::*;
use crate::accounts::tests::access;
use crate::catalog::Source;
use crate::config::Config;
use crate::testing::{Request, Server, json_answer};

#[tokio::test]
async fn other_addresses_and_another_version_count_from_the_next_request_on() {
    let first = Server::start(|request, _| match request.path.as_str() {
        "/backend-api/codex/responses" => good(),
        _ => json_answer(404, "{}"),
    })
    .await;
    let second = Server::start(|request, _| match request.path.as_str() {
        "/elsewhere/codex/responses" => match request.header("authorization") {
            Some(token) if token == format!("Bearer {}", access("second", 864_000)) => good(),
            _ => json_answer(401, "{}"),
        },
        "/oauth/token" => {
            let token = access("second", 864_000);
            json_answer(200, &format!(r#"{{"access_token":"{token}","refresh_token":"rt_2"}}"#))
        }
        path if path.starts_with("/elsewhere/codex/models") => {
            json_answer(200, r#"{"models":[{"slug":"gpt-y"}]}"#)
        }
        _ => json_answer(404, "{}"),
    })
    .await;
    let mut kept = None;
    let house = house(&first.url, |config| kept = Some(config.clone())).await;
    house.ask("one").await.unwrap();

    let config = Config {
        chatgpt_url: format!("{}/elsewhere", second.url),
        issuer_url: second.url.clone(),
        codex_version: "0.999.0".to_owned(),
        ..kept.unwrap()
    };
    house.client.follow(&config).unwrap();
    let before = first.requests().len();
    // The other backend does not know the token, and the other issuer renews it.
    house.ask("two").await.unwrap();
    assert_eq!(first.requests().len(), before, "nobody asks the first one any more");
    let is_turn = |request: &Request| request.path.ends_with("/responses");
    let turn = second.requests().into_iter().rfind(is_turn).unwrap();
    assert!(turn.header("user-agent").unwrap().contains("0.999.0"), "{turn:?}");
    let mut catalogs = house.client.catalog_updates();
    let theirs = catalogs.wait_for(|catalog| catalog.find("gpt-y").is_some());
    let theirs = tokio::time::timeout(Duration::from_secs(10), theirs).await.expect("it is asked for");
    assert_eq!(theirs.unwrap().source, Source::Live);

    // What is no address changes nothing.
    let wrong = Config { chatgpt_url: "ftp://x".to_owned(), ..config };
    assert!(house.client.follow(&wrong).is_err());
    house.ask("three").await.unwrap();
}

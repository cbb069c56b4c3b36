use std::sync::atomic::AtomicUsize;

use dragoman_protocol::failure::Failure;
use serde_json::json;

use super::*;
use crate::codex::tests::{House, good, house};
use crate::testing::{Server, Step, answer, json_answer};

const MINUTE: Duration = Duration::from_secs(60);

fn page(used: u32) -> Vec<Step> {
    json_answer(
        200,
        &json!({"plan_type": "plus", "rate_limit": {"allowed": used < 100, "limit_reached": used >= 100,
            "primary_window": {"used_percent": used, "limit_window_seconds": 18000, "reset_at": 4_000_000_000_i64}}})
        .to_string(),
    )
}

/// The first request meets the limit, later ones are answered; the page is what the script makes of its number.
async fn limited(pages: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> (Server, House) {
    let at = Timestamp::now().as_second() + 36_000;
    let full = json!({"error": {"type": "usage_limit_reached", "message": "x", "resets_at": at}}).to_string();
    let (posts, asked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let server = Server::start(move |request, _| match request.path.as_str() {
        "/backend-api/codex/responses" if posts.fetch_add(1, Ordering::SeqCst) == 0 => answer(429, "", &full),
        "/backend-api/codex/responses" => good(),
        "/backend-api/wham/usage" => pages(asked.fetch_add(1, Ordering::SeqCst)),
        _ => json_answer(404, "{}"),
    })
    .await;
    let house = house(&server.url, |_| ()).await;
    (server, house)
}

fn asked(server: &Server) -> usize {
    server.to("/wham/usage").len()
}

/// Lets everything happen that is due; the clock stands still.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
        // Waits for threads that read files; the clock does not move while they work.
        let _ = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_lifted_by_polling_within_five_minutes() {
    let (server, house) = limited(|number| page(if number == 0 { 100 } else { 3 })).await;
    assert!(matches!(house.ask("a").await.unwrap_err(), Failure::AccountLimit { .. }));
    settle().await;
    assert_eq!(asked(&server), 0, "nobody asks at once: the answer has just said it");
    tokio::time::advance(5 * MINUTE).await;
    settle().await;
    assert_eq!(asked(&server), 1);
    assert_eq!(house.client.limits().windows[0].used_percent, 100.0, "the page still says so");
    tokio::time::advance(5 * MINUTE).await;
    settle().await;
    assert_eq!(asked(&server), 2);
    assert_eq!(house.client.limits().windows[0].used_percent, 3.0);
    house.ask("b").await.unwrap();
    assert_eq!(asked(&server), 2, "the request went out at once");
    tokio::time::advance(20 * MINUTE).await;
    settle().await;
    assert_eq!(asked(&server), 2, "no limit, no polling");
    house.client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_without_a_login_or_a_reason() {
    let server = Server::start(|_, _| page(1)).await;
    let signed_out = house(&server.url, |config| config.codex_home = Some("/nonexistent".into())).await;
    signed_out.client.limits_looked_at();
    assert_eq!(signed_out.client.refresh_limits().await, []);
    let idle = house(&server.url, |_| ()).await;
    tokio::time::advance(600 * MINUTE).await;
    settle().await;
    assert_eq!(server.requests().len(), 0);
    drop(idle);
}

#[tokio::test(start_paused = true)]
async fn a_look_reads_the_page_once_and_errors_make_pauses() {
    let (server, house) = limited(|_| json_answer(500, "{}")).await;
    house.client.limits_looked_at();
    settle().await;
    assert_eq!(asked(&server), 1);
    for _ in 0..10 {
        house.client.limits_looked_at();
        settle().await;
    }
    assert_eq!(asked(&server), 1, "it failed a moment ago");
    tokio::time::advance(5 * MINUTE).await;
    house.client.limits_looked_at();
    settle().await;
    assert_eq!(asked(&server), 2);
    house.client.shutdown().await;
}

#[tokio::test]
async fn refreshing_now_reads_the_page_and_says_what_failed() {
    let (server, house) = limited(|number| if number == 0 { page(42) } else { json_answer(503, "{}") }).await;
    assert_eq!(house.client.refresh_limits().await, []);
    let limits = house.client.limits();
    assert_eq!((limits.windows[0].minutes, limits.windows[0].used_percent), (300, 42.0));
    let failed = house.client.refresh_limits().await;
    assert_eq!(failed, [(house.client.account().id, "status 503".to_owned())]);
    assert_eq!(asked(&server), 2);
}

#[tokio::test]
async fn what_was_read_is_there_after_a_restart_and_holds_no_address() {
    let (server, first) = limited(|_| page(42)).await;
    first.client.refresh_limits().await;
    let file = first.home.path().join("cache/limits.json");
    let text = std::fs::read_to_string(&file).unwrap();
    for word in ["@", "rt_1", "acct", "first"] {
        assert!(!text.contains(word), "{word} is in {text}");
    }
    first.client.shutdown().await;
    let cache = first.home.path().join("cache");
    let second = house(&server.url, |config| {
        config.cache_dir.clone_from(&cache);
        config.codex_home = Some(first.home.path().join("codex"));
    })
    .await;
    let limits = second.client.limits();
    assert_eq!((limits.windows[0].used_percent, limits.plan.as_deref()), (42.0, Some("plus")));
    assert!(limits.read_at.is_some());
    std::fs::write(&file, "{broken").unwrap();
    let third = house(&server.url, |config| config.cache_dir.clone_from(&cache)).await;
    assert_eq!(third.client.limits().windows, [], "a broken cache is no cache");
}

#[tokio::test(start_paused = true)]
async fn an_account_at_its_limit_rests_after_a_restart_too() {
    let (server, first) = limited(|_| page(100)).await;
    assert!(matches!(first.ask("a").await.unwrap_err(), Failure::AccountLimit { .. }));
    let rest = first.client.account().rest;
    assert!(rest.is_some());
    settle().await;
    tokio::time::advance(2 * KEEP_AFTER).await;
    settle().await;
    first.client.shutdown().await;
    let cache = first.home.path().join("cache");
    let again = || async {
        house(&server.url, |config| {
            config.cache_dir.clone_from(&cache);
            config.state_dir = first.home.path().join("state");
            config.codex_home = Some(first.home.path().join("codex"));
        })
        .await
    };
    let posts = || server.to("/codex/responses").len();
    let second = again().await;
    assert_eq!(second.client.account().rest, rest);
    assert!(matches!(second.ask("b").await.unwrap_err(), Failure::AccountLimit { .. }));
    assert_eq!((posts(), asked(&server)), (1, 1), "the page is asked, the model is not");
    tokio::time::advance(5 * MINUTE).await;
    settle().await;
    assert_eq!(asked(&server), 2, "and the page again, as long as it rests");
    // A process that knows of no rest leaves the other's alone; the user's wish ends it for all that come later.
    second.client.refresh_limits().await;
    second.client.shutdown().await;
    let third = again().await;
    assert_eq!(third.client.account().rest, rest);
    third.client.retry_account("1").await.unwrap();
    third.client.shutdown().await;
    let fourth = again().await;
    assert_eq!(fourth.client.account().rest, None);
    fourth.ask("c").await.unwrap();
    assert_eq!(posts(), 2);
    let kept = std::fs::read_to_string(cache.join("limits.json")).unwrap();
    assert!(!kept.contains("rest"), "{kept}");
}

#[tokio::test(start_paused = true)]
async fn two_processes_keep_each_others_rests_and_a_lifted_one_is_gone() {
    let (server, first) = limited(|number| page(if number < 2 { 100 } else { 1 })).await;
    let cache = first.home.path().join("cache");
    let other = house(&server.url, |config| {
        config.cache_dir.clone_from(&cache);
        config.codex_home = Some(first.home.path().join("codex"));
    })
    .await;
    first.ask("a").await.unwrap_err();
    first.client.refresh_limits().await;
    let rests = || std::fs::read_to_string(cache.join("limits.json")).unwrap().contains("until");
    assert!(rests());
    other.client.refresh_limits().await;
    assert!(rests(), "the other one knew nothing of it");
    first.client.refresh_limits().await;
    assert_eq!(first.client.account().rest, None, "lifted");
    assert!(!rests());
}

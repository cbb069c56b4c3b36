//! Clocks that are wrong, jump, or sleep.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::tests::*;
use super::*;
use crate::testing::{Server, json_answer};

/// The calendar is this far off, in seconds.
fn with_clock(house: &mut House, off: i64) {
    let accounts = Arc::get_mut(&mut house.accounts).unwrap();
    let clock = Clock::of(move || Timestamp::now().as_second() + off);
    Arc::get_mut(&mut accounts.means).unwrap().clock = clock;
}

#[tokio::test]
async fn a_clock_that_is_weeks_ahead_causes_one_refresh_and_no_storm() {
    let issuer = issuer().await;
    let mut house = house(&issuer.url, TokenStoreKind::Memory);
    with_clock(&mut house, 30 * 86_400);
    sign_in(&house.codex, &access("old", 864_000), "rt_1");
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let accounts = Arc::clone(&house.accounts);
        requests.spawn(async move { chosen(&accounts, "s").await.usable().await.unwrap().access });
    }
    let tokens = requests.join_all().await;
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(house.usable().await.unwrap().access, tokens[0]);
    assert_eq!(issuer.requests().len(), 1);
}

#[tokio::test]
async fn a_clock_that_was_set_back_costs_one_refused_request() {
    let issuer = issuer().await;
    let mut house = house(&issuer.url, TokenStoreKind::Memory);
    with_clock(&mut house, -86_400);
    let ended = access("ended", -60);
    sign_in(&house.codex, &ended, "rt_1");
    let credential = house.usable().await.unwrap();
    assert_eq!(credential.access, Secret::new(ended), "by this calendar it is still good");
    assert_eq!(house.account().await.recover(&credential).await.unwrap(), Recovered::Renewed);
    assert_eq!(issuer.requests().len(), 1);
    assert_ne!(house.usable().await.unwrap().access, credential.access);
}

#[tokio::test(start_paused = true)]
async fn a_rest_of_a_process_before_ends_when_it_was_to_end_whatever_the_calendar_says() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::Memory);
    house.own(&access("own", 864_000), "rt_1").await;
    let account = house.account().await;
    let now = Timestamp::now().as_second();
    for rest in [
        Rest { since: now - 500, until: Some(now) },
        Rest { since: now, until: None },
        Rest { since: now + 900, until: Some(now + 600) },
    ] {
        account.rest_again(rest);
        assert!(account.rests().is_none(), "{rest:?}");
        assert_eq!(house.look().await.rest, None);
    }
    // The first was told in time, the second by a clock that has been set back by weeks since.
    for (since, until) in [(now - 100, now + 600), (now + 2_000_000, now + 2_000_600)] {
        account.rest_again(Rest { since, until: Some(until) });
        assert!(
            matches!(account.rests(), Some(Failure::AccountLimit { resets_at, .. }) if resets_at == Some(until))
        );
        assert_eq!(house.look().await.rest, Some(Rest { since, until: Some(until) }));
        tokio::time::advance(Duration::from_secs(601)).await;
        assert!(account.rests().is_none());
        assert_eq!(house.look().await.rest, None);
    }
}

/// Asleep, no time passes for the process; only the calendar knows that the limit has reset.
#[tokio::test(start_paused = true)]
async fn a_rest_ends_by_the_calendar_too() {
    let mut house = house("http://127.0.0.1:1", TokenStoreKind::Memory);
    let off = Arc::new(AtomicI64::new(0));
    let slept = Arc::clone(&off);
    let accounts = Arc::get_mut(&mut house.accounts).unwrap();
    let clock = Clock::of(move || Timestamp::now().as_second() + slept.load(Ordering::SeqCst));
    Arc::get_mut(&mut accounts.means).unwrap().clock = clock;
    house.own(&access("own", 864_000), "rt_1").await;
    let account = house.account().await;
    let resets_at = Some(Timestamp::now().as_second() + 3600);
    account.rest(&Failure::AccountLimit { resets_at, plan: None, others: 0 });
    assert!(account.rests().is_some());
    off.store(3601, Ordering::SeqCst);
    assert!(account.rests().is_none());
    assert_eq!(house.look().await.rest, None);
}

#[tokio::test]
async fn after_a_night_asleep_the_token_is_renewed_before_it_is_used() {
    let issuer = issuer().await;
    let mut house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("evening", 7200), "rt_1");
    let evening = house.usable().await.unwrap();
    assert_eq!(issuer.requests().len(), 0);
    // Asleep, no time passed for the process; only the calendar knows.
    drop(house.accounts);
    house.accounts = accounts(house.home.path(), &issuer.url, TokenStoreKind::Memory);
    with_clock(&mut house, 8 * 3600);
    assert_ne!(house.usable().await.unwrap().access, evening.access);
    assert_eq!(issuer.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_is_asked_more_and_more_rarely() {
    let issuer = Server::start(|_, _| json_answer(503, "{}")).await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", -1), "rt_1");
    for _ in 0..600 {
        assert_eq!(house.usable().await.unwrap_err().anthropic_kind().0, 503);
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let asked = issuer.requests().len();
    assert!((5..=7).contains(&asked), "after 0, 1, 6, 26, 86, 386 s: {asked}");
}

//! Several accounts: who answers, and who takes over before anything was said.

use super::tests::*;
use super::*;
use crate::accounts::{AccountKind, AccountState};
use crate::config::{Config, Strategy};
use crate::testing::{Request, Server, Step, answer, event, json_answer, sse_answer};
use dragoman_protocol::route::Pool;
use std::collections::HashMap;
use std::sync::Mutex;

type Script = Box<dyn Fn(usize) -> Vec<Step> + Send>;

/// A backend that answers by account; counts the posts of each.
struct Backend {
    server: Server,
    scripts: Arc<Mutex<HashMap<String, (usize, Script)>>>,
}

impl Backend {
    async fn start() -> Self {
        let scripts: Arc<Mutex<HashMap<String, (usize, Script)>>> = Arc::default();
        let by = Arc::clone(&scripts);
        let server = Server::start(move |request: &Request, _| {
            if request.path.ends_with("/wham/usage") {
                return json_answer(404, "{}");
            }
            let account = if request.path == "/oauth/token" {
                Some("issuer")
            } else {
                request.header("chatgpt-account-id")
            };
            let account = account.unwrap_or("api").to_owned();
            let mut scripts = by.lock().unwrap();
            match scripts.get_mut(&account) {
                Some((count, script)) => {
                    *count += 1;
                    script(*count)
                }
                None => good(),
            }
        })
        .await;
        Self { server, scripts }
    }

    fn script(&self, account: &str, script: impl Fn(usize) -> Vec<Step> + Send + 'static) {
        self.scripts.lock().unwrap().insert(account.to_owned(), (0, Box::new(script)));
    }

    /// The accounts in the order in which they were asked for an answer.
    fn asked(&self) -> Vec<String> {
        let is_turn = |request: &Request| request.path.ends_with("/responses");
        let posts = self.server.requests().into_iter().filter(is_turn);
        posts.map(|request| request.header("chatgpt-account-id").unwrap_or("api").to_owned()).collect()
    }
}

fn full(resets_in: i64) -> Vec<Step> {
    let at = Timestamp::now().as_second() + resets_in;
    let body = serde_json::json!({"error": {"type": "usage_limit_reached", "message": "x", "resets_at": at}});
    answer(429, "", &body.to_string())
}

/// Signed in with accounts of our own, in this order.
async fn with_accounts(backend: &Backend, names: &[&str], change: impl FnOnce(&mut Config)) -> House {
    let house = house(&backend.server.url, change).await;
    for name in names {
        house.sign_in(name).await;
    }
    house
}

async fn ask(house: &House, session: &str) -> Result<EventStream, Failure> {
    house.client.stream(house.turn_of(session, "a").await?).await
}

#[tokio::test(start_paused = true)]
async fn at_a_limit_the_next_account_takes_over_and_the_session_stays_there() {
    let backend = Backend::start().await;
    let house = with_accounts(&backend, &["one", "two"], |_| ()).await;
    ask(&house, "s").await.unwrap();
    backend.script("one", |_| full(3600));
    let stream = ask(&house, "s").await.unwrap();
    assert_eq!(stream.attempt.account, AccountTag::of("two"));
    assert_eq!(backend.asked(), ["one", "one", "two"]);
    let body: serde_json::Value = serde_json::from_slice(&backend.server.requests()[2].body).unwrap();
    assert_eq!(
        body["account"],
        AccountTag::of("two").as_str(),
        "it was translated for the account that got it"
    );

    // The account rests: nobody asks it, in this session or in another one.
    ask(&house, "s").await.unwrap();
    ask(&house, "t").await.unwrap();
    assert_eq!(backend.asked()[3..], ["two", "two"]);
    let shown = house.client.accounts();
    assert!(shown.accounts[0].rest.is_some_and(|rest| rest.until.is_some()));
    assert_eq!(shown.in_use, shown.accounts[1].id);

    // Lifted, it answers new sessions; the old ones keep their cache where it is.
    backend.script("one", |_| good());
    house.client.retry_account("1").await.unwrap();
    ask(&house, "s").await.unwrap();
    ask(&house, "new").await.unwrap();
    assert_eq!(backend.asked()[5..], ["two", "one"]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_told_by_the_stream_before_output_fails_over_too() {
    let backend = Backend::start().await;
    let house = with_accounts(&backend, &["one", "two"], |_| ()).await;
    let created = r#"{"type":"response.created","response":{"id":"r"}}"#;
    let failed =
        r#"{"type":"response.failed","response":{"error":{"code":"usage_limit_reached","message":"x"}}}"#;
    let limits = r#"{"type":"codex.rate_limits","rate_limits":{"limit_reached":true,"primary":{"used_percent":100,"window_minutes":300,"reset_after_seconds":60}}}"#;
    for told in [failed, limits] {
        backend.script("one", move |_| sse_answer(&[created, told]));
        let stream = ask(&house, told).await.unwrap();
        assert_eq!(stream.attempt.account, AccountTag::of("two"), "{told}");
        house.lift(0).await;
    }
    // With credits the limit is none.
    let credits = limits.replace(r#""rate_limits":{"#, r#""credits":{"has_credits":true},"rate_limits":{"#);
    backend.script("one", move |_| sse_answer(&[created, &credits, DELTA]));
    assert_eq!(ask(&house, "rich").await.unwrap().attempt.account, AccountTag::of("one"));
}

#[tokio::test(start_paused = true)]
async fn after_output_nobody_takes_over() {
    let backend = Backend::start().await;
    let house = with_accounts(&backend, &["one", "two"], |_| ()).await;
    let failed =
        r#"{"type":"response.failed","response":{"error":{"code":"usage_limit_reached","message":"x"}}}"#;
    backend.script("one", move |_| sse_answer(&[DELTA, failed]));
    let mut stream = ask(&house, "s").await.unwrap();
    while let Some(read) = stream.next().await {
        read.unwrap();
    }
    assert_eq!(backend.asked(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn when_all_rest_the_earliest_reset_is_told_and_nobody_is_asked_again() {
    let backend = Backend::start().await;
    let house = with_accounts(&backend, &["one", "two", "three"], |_| ()).await;
    for (account, seconds) in [("one", 7200), ("two", 1800), ("three", 86_400)] {
        backend.script(account, move |_| full(seconds));
    }
    let earliest = Timestamp::now().as_second() + 1800;
    for number in 0..4 {
        let Failure::AccountLimit { resets_at: Some(at), others: 2, .. } =
            ask(&house, &number.to_string()).await.unwrap_err()
        else {
            panic!()
        };
        assert!((earliest..earliest + 5).contains(&at), "{at} {earliest}");
    }
    assert_eq!(backend.asked(), ["one", "two", "three"]);

    // The clock passes the reset of one: it answers at once.
    backend.script("two", |_| good());
    tokio::time::advance(Duration::from_secs(1801)).await;
    ask(&house, "s").await.unwrap();
    assert_eq!(backend.asked().last().unwrap(), "two");
}

#[tokio::test(start_paused = true)]
async fn an_account_that_must_be_signed_in_to_steps_aside_after_one_refresh() {
    let backend = Backend::start().await;
    let house = with_accounts(&backend, &["one", "two"], |_| ()).await;
    backend.script("one", |_| json_answer(401, "{}"));
    let renewed = serde_json::json!({"access_token": crate::accounts::tests::access("renewed", 864_000)});
    backend.script("issuer", move |_| json_answer(200, &renewed.to_string()));
    let stream = ask(&house, "s").await.unwrap();
    assert_eq!(stream.attempt.account, AccountTag::of("two"));
    let refreshes =
        || backend.server.requests().iter().filter(|request| request.path == "/oauth/token").count();
    assert_eq!(refreshes(), 1);
    let shown = house.client.accounts();
    assert!(matches!(shown.accounts[0].state, AccountState::SignIn(_)), "{:?}", shown.accounts[0].state);
    let before = backend.asked().len();
    ask(&house, "t").await.unwrap();
    assert_eq!(backend.asked()[before..], ["two"], "and is left alone");
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_is_shown_as_refused_until_the_backend_accepts_it() {
    let backend = Backend::start().await;
    let house = with_accounts(&backend, &["one"], |_| ()).await;
    backend.script("one", |_| json_answer(401, "{}"));
    let renewals = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let renewed = || renewals.load(std::sync::atomic::Ordering::SeqCst);
    let counter = renewals.clone();
    backend.script("issuer", move |_| {
        let number = counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let access = crate::accounts::tests::access(&format!("renewed {number}"), 864_000);
        json_answer(200, &serde_json::json!({ "access_token": access }).to_string())
    });
    let must_sign_in = || async {
        let state = house.client.check_accounts().await.accounts[0].state.clone();
        matches!(state, AccountState::SignIn(message) if message.contains("does not accept it"))
    };
    ask(&house, "s").await.unwrap_err();
    assert_eq!(renewed(), 1);
    ask(&house, "s").await.unwrap_err();
    assert_eq!(renewed(), 1, "the issuer is not asked at once again");
    for _ in 0..2 {
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(must_sign_in().await, "time alone mends nothing");
        ask(&house, "s").await.unwrap_err();
        assert!(must_sign_in().await, "a renewed token is the same login");
    }
    assert!(renewed() > 1, "later it is");
    // There is no other account: what the backend says now counts, a second later already.
    backend.script("one", |_| good());
    ask(&house, "s").await.unwrap();
    assert_eq!(house.client.account().state, AccountState::Ready);
    assert!(!must_sign_in().await);
}

#[tokio::test(start_paused = true)]
async fn while_the_issuer_is_down_another_account_answers_and_nobody_is_signed_out() {
    let backend = Backend::start().await;
    let house = with_accounts(&backend, &["one", "two"], |_| ()).await;
    backend.script("one", |_| json_answer(401, "{}"));
    backend.script("issuer", |_| json_answer(503, "{}"));
    assert_eq!(ask(&house, "s").await.unwrap().attempt.account, AccountTag::of("two"));
    assert_eq!(house.client.accounts().accounts[0].state, AccountState::Ready);
    backend.script("one", |_| good());
    assert_eq!(ask(&house, "t").await.unwrap().attempt.account, AccountTag::of("one"));
}

#[tokio::test(start_paused = true)]
async fn sessions_take_turns_but_each_stays_with_its_account() {
    let backend = Backend::start().await;
    let mut kept = None;
    let house = with_accounts(&backend, &["one", "two"], |config| {
        config.strategy = Strategy::RoundRobin;
        kept = Some(config.clone());
    })
    .await;
    for session in ["a", "b", "c", "a", "b", "a"] {
        ask(&house, session).await.unwrap();
    }
    assert_eq!(backend.asked(), ["one", "two", "one", "one", "two", "one"]);
    house.client.follow(&Config { strategy: Strategy::Priority, ..kept.unwrap() }).unwrap();
    for session in ["b", "d", "e"] {
        ask(&house, session).await.unwrap();
    }
    assert_eq!(backend.asked()[6..], ["two", "one", "one"]);
    house.client.prefer_account("two@example.com").await.unwrap();
    ask(&house, "a").await.unwrap();
    assert_eq!(backend.asked()[9..], ["two"], "who says `use` means now");
}

#[tokio::test(start_paused = true)]
async fn a_plan_without_codex_steps_aside() {
    let backend = Backend::start().await;
    let house = with_accounts(&backend, &["one", "two"], |_| ()).await;
    backend
        .script("one", |_| answer(429, "", r#"{"error":{"type":"usage_not_included","message":"upgrade"}}"#));
    assert_eq!(ask(&house, "s").await.unwrap().attempt.account, AccountTag::of("two"));
    house.client.pause_account("two@example.com", true).await.unwrap();
    assert!(matches!(ask(&house, "t").await.unwrap_err(), Failure::Billing { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_api_key_steps_in_with_its_own_host_dialect_and_headers() {
    let backend = Backend::start().await;
    let api = format!("{}/v1", backend.server.url);
    let house = with_accounts(&backend, &["one"], |config| config.api_url = api).await;
    let key = house.client.add_api_key("sk-test-0123456789abcdefghij", Some("paid".into())).await.unwrap();
    backend.script("one", |_| full(3600));
    let stream = ask(&house, "s").await.unwrap();
    assert_eq!(stream.attempt.dialect, Dialect::Classic);
    let requests = backend.server.requests();
    let sent = requests.iter().find(|request| request.path == "/v1/responses").unwrap();
    assert_eq!(sent.header("authorization"), Some("Bearer sk-test-0123456789abcdefghij"));
    for name in [
        "chatgpt-account-id",
        "originator",
        "version",
        "session-id",
        "thread-id",
        "x-codex-window-id",
        "user-agent",
    ] {
        assert_eq!(sent.header(name), None, "{name}");
    }
    // The key is never shown to ChatGPT's search endpoint.
    assert!(matches!(
        house.client.search(Lane::open("s"), b"{}".to_vec()).await,
        Err(Failure::Rejected { .. })
    ));
    assert!(!backend.server.requests().iter().any(|request| request.path.ends_with("/alpha/search")));
    let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(
        (&body["lite"], &body["account"]),
        (&false.into(), &AccountTag::of(key.as_str()).as_str().into())
    );

    // A session that began with the key goes on in the subscription's dialect.
    house.client.prefer_account("one@example.com").await.unwrap();
    house.lift(0).await;
    backend.script("one", |_| good());
    let turn = house.turn_of("s", "a").await.unwrap();
    house.client.pause_account("one@example.com", true).await.unwrap();
    let planned = house.turn_of("u", "a").await.unwrap();
    assert_eq!((turn.attempt.dialect, planned.attempt.dialect), (Dialect::Lite, Dialect::Classic));

    // A key that is refused is not renewed, and says what to do.
    backend.script("api", |_| json_answer(401, r#"{"error":{"code":"invalid_api_key","message":"canary"}}"#));
    let Failure::SignIn { message } = ask(&house, "v").await.unwrap_err() else { panic!() };
    assert!(message.contains("--api-key") && !message.contains("canary"), "{message}");
    assert!(!backend.server.requests().iter().any(|request| request.path == "/oauth/token"));
}

#[tokio::test(start_paused = true)]
async fn a_pool_is_answered_by_its_accounts_or_by_nobody() {
    let backend = Backend::start().await;
    let api = format!("{}/v1", backend.server.url);
    let house = with_accounts(&backend, &["one", "two"], |config| config.api_url = api).await;
    let ask = async |pool: Pool| {
        let mut turn = house.turn_of("s", "a").await.unwrap();
        turn.pool = Some(pool);
        house.client.stream(turn).await
    };
    assert!(
        matches!(ask(Pool::Api).await.unwrap_err(), Failure::SignIn { message } if message.contains("--api-key"))
    );
    house.client.add_api_key("sk-test-0123456789abcdefghij", None).await.unwrap();
    ask(Pool::Api).await.unwrap();
    ask(Pool::ChatGpt).await.unwrap();
    assert_eq!(backend.asked(), ["api", "one"]);
    for account in ["one", "two"] {
        backend.script(account, |_| full(3600));
    }
    assert!(matches!(ask(Pool::ChatGpt).await.unwrap_err(), Failure::AccountLimit { others: 1, .. }));
    assert_eq!(backend.asked()[2..], ["one", "two"], "the key is not asked");
}

#[tokio::test(start_paused = true)]
async fn a_pinned_session_is_answered_by_that_account_or_by_nobody() {
    let backend = Backend::start().await;
    let house = with_accounts(&backend, &["one", "two"], |_| ()).await;
    house.client.pause_account("2", true).await.unwrap();
    house.client.pin_account("test", "2").await.unwrap();
    ask(&house, "test").await.unwrap();
    backend.script("two", |_| full(60));
    assert!(matches!(ask(&house, "test").await.unwrap_err(), Failure::AccountLimit { others: 0, .. }));
    assert_eq!(backend.asked(), ["two", "two"]);
}

#[tokio::test(start_paused = true)]
async fn another_failure_is_nobody_elses_business() {
    let backend = Backend::start().await;
    let house = with_accounts(&backend, &["one", "two"], |_| ()).await;
    backend.script("one", |_| json_answer(400, r#"{"error":{"message":"no such thing"}}"#));
    assert!(matches!(ask(&house, "s").await.unwrap_err(), Failure::Rejected { .. }));
    assert_eq!(backend.asked(), ["one"]);
    assert_eq!(house.client.account().kind, AccountKind::Own);
    let _ = event(DELTA);
}

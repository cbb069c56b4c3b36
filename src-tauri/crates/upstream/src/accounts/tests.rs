use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::jwt::forge;
use super::secret::Secret;
use super::*;
use crate::files;
use crate::http::Http;
use crate::testing::{Server, Step, json_answer};

/// What a request needs, made by hand.
pub(crate) fn credential(account: &str, token: &str, expires_at: Option<i64>) -> Credential {
    Credential {
        access: Secret::new(token),
        refresh: None,
        account_id: Some(account.to_owned()),
        tag: crate::attempt::AccountTag::of(account),
        fedramp: false,
        plan: None,
        email: None,
        expires_at,
    }
}

/// An access token that ends in so many seconds.
pub(crate) fn access(name: &str, seconds: i64) -> String {
    forge(&json!({"exp": Timestamp::now().as_second() + seconds, "name": name,
        "https://api.openai.com/auth": {"chatgpt_account_id": "acct-1", "chatgpt_plan_type": "plus"}}))
}

/// Puts a login into a Codex home.
pub(crate) fn sign_in(home: &Path, access: &str, refresh: &str) {
    let file = json!({
        "auth_mode": "chatgpt", "OPENAI_API_KEY": null, "kept": {"by": "us"},
        "tokens": {"id_token": forge(&json!({"email": "me@example.com"})), "access_token": access,
                   "refresh_token": refresh, "account_id": "acct-1", "login_owner_id": "owner"},
        "last_refresh": "2026-11-01T00:00:00Z"});
    files::write_private(&home.join("auth.json"), ".t-", file.to_string().as_bytes()).unwrap();
}

fn on_disk(home: &Path) -> Value {
    serde_json::from_slice(&fs::read(home.join("auth.json")).unwrap()).unwrap()
}

struct House {
    _home: tempfile::TempDir,
    codex: PathBuf,
    accounts: Arc<Accounts>,
}

fn house(issuer: &str, store: TokenStoreKind) -> House {
    let home = tempfile::tempdir().unwrap();
    let codex = home.path().join("codex");
    fs::create_dir(&codex).unwrap();
    let accounts = accounts(home.path(), issuer, store);
    House { _home: home, codex, accounts }
}

/// As another process would have it.
fn accounts(home: &Path, issuer: &str, store: TokenStoreKind) -> Arc<Accounts> {
    let config = Config {
        codex_home: Some(home.join("codex")),
        token_store: store,
        ..Config::new(home.join("cache"), home.join("state"))
    };
    files::create_private_directory(&config.state_dir).unwrap();
    let issuer = Issuer { http: Http::build().unwrap(), url: issuer.parse().unwrap() };
    Arc::new(Accounts::new(&config, issuer, Arc::new(Identity::new("0.169.0")), TaskTracker::new()))
}

/// An issuer that rotates refresh tokens: each may be spent once, and n → n+1.
async fn issuer() -> Server {
    let next = std::sync::atomic::AtomicUsize::new(1);
    Server::start(move |request, _| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let current = next.load(std::sync::atomic::Ordering::SeqCst);
        if body["refresh_token"] != format!("rt_{current}") {
            return json_answer(401, r#"{"error":{"code":"refresh_token_reused"}}"#);
        }
        next.store(current + 1, std::sync::atomic::Ordering::SeqCst);
        let tokens = json!({"access_token": access(&format!("new{current}"), 864_000),
            "refresh_token": format!("rt_{}", current + 1), "expires_in": 1});
        let mut steps = vec![Step::Pause(Duration::from_millis(20))];
        steps.extend(json_answer(200, &tokens.to_string()));
        steps
    })
    .await
}

fn sentence(failure: Failure) -> String {
    match failure {
        Failure::SignIn { message } => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_with_life_left_is_used_without_asking_anybody() {
    let issuer = issuer().await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    let token = access("old", 400);
    sign_in(&house.codex, &token, "rt_1");
    assert_eq!(house.accounts.usable().await.unwrap().access, Secret::new(token));
    assert_eq!(issuer.requests().len(), 0);
    assert_eq!(
        *house.accounts.view().borrow(),
        AccountView {
            label: Some("me@example.com".into()),
            plan: Some("plus".into()),
            kind: AccountKind::Linked,
            state: AccountState::Ready,
        }
    );
}

#[tokio::test]
async fn fifty_requests_at_expiry_are_one_refresh() {
    let issuer = issuer().await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", 100), "rt_1");
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let accounts = Arc::clone(&house.accounts);
        requests.spawn(async move { accounts.usable().await.unwrap().access });
    }
    let tokens = requests.join_all().await;
    assert!(tokens.iter().all(|token| *token == tokens[0]));

    let sent = issuer.requests();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].method.as_str(), sent[0].path.as_str()), ("POST", "/oauth/token"));
    assert_eq!(sent[0].header("originator"), Some("codex_cli_rs"));
    assert_eq!(sent[0].header("content-type"), Some("application/json"));
    assert_eq!(
        sent[0].text(),
        r#"{"client_id":"app_EMoamEEZ73f0CkXaXp7hrann","grant_type":"refresh_token","refresh_reason":"proactive_expiry","refresh_token":"rt_1"}"#
    );
    let file = on_disk(&house.codex);
    assert_eq!(file["tokens"]["refresh_token"], "rt_2");
    assert_eq!(file["tokens"]["login_owner_id"], "owner");
    assert_eq!(file["kept"]["by"], "us");
    assert_ne!(file["last_refresh"], "2026-11-01T00:00:00Z");
}

#[tokio::test]
async fn fifty_refused_requests_are_one_refresh() {
    let issuer = issuer().await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", 9000), "rt_1");
    let refused = house.accounts.credential().await.unwrap();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (accounts, refused) = (Arc::clone(&house.accounts), refused.clone());
        requests.spawn(async move { accounts.recover(&refused).await.unwrap() });
    }
    requests.join_all().await;
    assert_eq!(issuer.requests().len(), 1);
    assert!(issuer.requests()[0].text().contains("unauthorized_recovery"));
    assert_ne!(house.accounts.usable().await.unwrap().access, refused.access);
}

#[tokio::test]
async fn two_processes_spend_one_refresh_token_between_them() {
    let issuer = issuer().await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", 100), "rt_1");
    let other = accounts(house._home.path(), &issuer.url, TokenStoreKind::Memory);
    let (one, two) = tokio::join!(house.accounts.usable(), other.usable());
    assert_eq!(one.unwrap().access, two.unwrap().access);
    assert_eq!(issuer.requests().len(), 1);
}

#[tokio::test]
async fn a_lock_held_by_the_codex_cli_is_waited_for() {
    let issuer = issuer().await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", 100), "rt_1");
    let held = files::try_lock(&house.codex.join("auth.lock"), false).unwrap().unwrap();
    let accounts = Arc::clone(&house.accounts);
    let waiting = tokio::spawn(async move { accounts.usable().await });
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(issuer.requests().len(), 0, "nothing is spent without the lock");
    // The CLI commits what it got meanwhile.
    let theirs = access("theirs", 864_000);
    sign_in(&house.codex, &theirs, "rt_9");
    drop(held);
    assert_eq!(waiting.await.unwrap().unwrap().access, Secret::new(theirs));
    assert_eq!(issuer.requests().len(), 0);
}

#[tokio::test]
async fn a_hang_up_in_the_middle_of_a_refresh_does_not_lose_the_login() {
    let issuer = issuer().await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", 100), "rt_1");
    let hasty = tokio::time::timeout(Duration::from_millis(10), house.accounts.usable()).await;
    assert!(hasty.is_err());
    house.accounts.tasks.close();
    house.accounts.tasks.wait().await;
    assert_eq!(on_disk(&house.codex)["tokens"]["refresh_token"], "rt_2");
}

#[tokio::test]
async fn a_permanent_error_is_told_and_never_asked_for_again() {
    for (status, body) in [
        (401, r#"{"error":{"code":"refresh_token_expired"}}"#),
        (400, r#"{"error":"invalid_grant"}"#),
        (401, r#"{"error":{"code":"refresh_token_invalidated"}}"#),
    ] {
        let issuer = Server::start(move |_, _| json_answer(status, body)).await;
        let house = house(&issuer.url, TokenStoreKind::Memory);
        sign_in(&house.codex, &access("old", -5), "rt_canary");
        for _ in 0..5 {
            let words = sentence(house.accounts.usable().await.unwrap_err());
            assert!(words.contains("codex login") && !words.contains("canary"), "{words}");
        }
        assert_eq!(issuer.requests().len(), 1);
        assert!(matches!(house.accounts.look().await.state, AccountState::SignIn(_)));

        // A new login is noticed by itself.
        let token = access("new", 864_000);
        sign_in(&house.codex, &token, "rt_other");
        assert_eq!(house.accounts.usable().await.unwrap().access, Secret::new(token));
        assert_eq!(house.accounts.view().borrow().state, AccountState::Ready);
    }
}

#[tokio::test]
async fn a_reused_token_is_healed_by_what_the_cli_writes_next() {
    let issuer = Server::start(|_, _| json_answer(401, r#"{"error":{"code":"refresh_token_reused"}}"#)).await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", -5), "rt_1");
    let theirs = access("theirs", 864_000);
    let (codex, token) = (house.codex.clone(), theirs.clone());
    let cli = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let _lock = files::lock(codex.join("auth.lock"), false, Duration::ZERO).await.unwrap();
        sign_in(&codex, &token, "rt_2");
    });
    assert_eq!(house.accounts.usable().await.unwrap().access, Secret::new(theirs));
    cli.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reused_token_that_nobody_replaces_is_the_end() {
    let issuer = Server::start(|_, _| json_answer(401, r#"{"error":{"code":"refresh_token_reused"}}"#)).await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", -5), "rt_1");
    for _ in 0..3 {
        assert!(sentence(house.accounts.usable().await.unwrap_err()).contains("already used"));
    }
    assert_eq!(issuer.requests().len(), 1);
}

#[tokio::test]
async fn a_transient_error_keeps_a_token_that_is_still_valid() {
    let issuer = Server::start(|_, _| json_answer(503, "{}")).await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    let token = access("old", 100);
    sign_in(&house.codex, &token, "rt_1");
    for _ in 0..4 {
        assert_eq!(house.accounts.usable().await.unwrap().access, Secret::new(token.clone()));
    }
    assert_eq!(issuer.requests().len(), 1, "not asked again at once");
    sign_in(&house.codex, &access("older", -1), "rt_1");
    let failure = house.accounts.usable().await.unwrap_err();
    assert_eq!(failure.anthropic_kind().0, 503, "{failure:?}");
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_named() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", -5), "rt_1");
    let failure = house.accounts.usable().await.unwrap_err();
    assert!(failure.to_string().starts_with("127.0.0.1:1 refuses the connection"), "{failure}");
}

#[tokio::test]
async fn without_a_login_the_way_to_one_is_told() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::Memory);
    let words = sentence(house.accounts.usable().await.unwrap_err());
    assert!(words.contains("codex login") && words.contains("dragoman demo"), "{words}");
    assert_eq!(house.accounts.look().await.state, AccountState::None);

    fs::write(house.codex.join("auth.json"), r#"{"auth_mode":"apikey","OPENAI_API_KEY":"sk-canary"}"#)
        .unwrap();
    let words = sentence(house.accounts.usable().await.unwrap_err());
    assert!(words.contains("API key") && !words.contains("canary"), "{words}");
    assert_eq!(house.accounts.look().await.kind, AccountKind::ApiKey);

    fs::write(house.codex.join("auth.json"), "{broken").unwrap();
    assert!(sentence(house.accounts.usable().await.unwrap_err()).contains("cannot be read"));
}

// === own logins ===

fn own_login(name: &str, access: &str, refresh: &str) -> OwnLogin {
    let tokens = serde_json::from_value(
        json!({"access_token": access, "refresh_token": refresh, "account_id": "acct-own"}),
    );
    OwnLogin { name: name.into(), tokens: Arc::new(tokens.unwrap()) }
}

#[tokio::test]
async fn an_own_login_wins_and_is_renewed_through_its_store() {
    for store in [TokenStoreKind::Memory, TokenStoreKind::File] {
        let issuer = issuer().await;
        let house = house(&issuer.url, store);
        sign_in(&house.codex, &access("linked", 864_000), "rt_linked");
        house.accounts.own.save(&own_login("me", &access("own", 100), "rt_1")).unwrap();
        let renewed = house.accounts.usable().await.unwrap();
        assert_eq!(renewed.account_id.as_deref(), Some("acct-own"));
        assert_eq!(issuer.requests().len(), 1);
        assert_eq!(house.accounts.view().borrow().kind, AccountKind::Own);
        let stored = house.accounts.own.read_anew().unwrap().unwrap();
        assert_eq!(stored.tokens.refresh_token, Some(Secret::new("rt_2")));
        assert_eq!(stored.tokens.access_token, renewed.access);
        assert_eq!(on_disk(&house.codex)["tokens"]["refresh_token"], "rt_linked");
    }
}

/// A store whose writing can be made to fail.
#[derive(Debug, Default)]
struct Moody {
    inner: MemoryStore,
    fails: std::sync::atomic::AtomicBool,
}

impl TokenStore for Moody {
    fn load(&self, name: &str) -> Result<Option<Secret>, StoreError> {
        self.inner.load(name)
    }
    fn save(&self, name: &str, secret: &Secret) -> Result<(), StoreError> {
        if self.fails.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(StoreError::TimedOut(Duration::from_secs(1)));
        }
        self.inner.save(name, secret)
    }
    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.inner.remove(name)
    }
}

#[tokio::test]
async fn new_tokens_that_cannot_be_written_are_not_lost() {
    let issuer = issuer().await;
    let mut house = house(&issuer.url, TokenStoreKind::Memory);
    let store = Arc::new(Moody::default());
    let own = Own::new(house._home.path().join("state"), Arc::clone(&store) as Arc<dyn TokenStore>);
    Arc::get_mut(&mut house.accounts).unwrap().own = Arc::new(own);
    house.accounts.own.save(&own_login("me", &access("own", 100), "rt_1")).unwrap();
    store.fails.store(true, std::sync::atomic::Ordering::SeqCst);
    let renewed = house.accounts.usable().await.unwrap();
    assert_eq!(renewed.refresh, Some(Secret::new("rt_2")));
    assert_eq!(house.accounts.usable().await.unwrap(), renewed, "what memory holds is used");
    store.fails.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(house.accounts.recover(&renewed).await.unwrap(), Recovered::Renewed);
    let stored = house.accounts.own.read_anew().unwrap().unwrap();
    assert_eq!(stored.tokens.refresh_token, Some(Secret::new("rt_3")));
    assert_eq!(issuer.requests().len(), 2);
}

#[tokio::test]
async fn an_own_login_that_cannot_be_read_is_not_replaced_by_another_account() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::File);
    sign_in(&house.codex, &access("linked", 864_000), "rt_linked");
    house.accounts.own.save(&own_login("me", &access("own", 864_000), "rt_1")).unwrap();
    fs::write(house._home.path().join("state/tokens/me.json"), "canary{").unwrap();
    house.accounts.own.read_anew().unwrap_err();
    let other = accounts(house._home.path(), "http://127.0.0.1:1", TokenStoreKind::File);
    let words = sentence(other.usable().await.unwrap_err());
    assert!(words.contains("damaged") && !words.contains("canary"), "{words}");
}

#[tokio::test]
async fn no_token_is_printed_by_anything_here() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::Memory);
    sign_in(&house.codex, &access("canary", 864_000), "rt_canary");
    house.accounts.own.save(&own_login("me", "canary-access", "rt_canary")).unwrap();
    let credential = house.accounts.usable().await.unwrap();
    let printed = format!("{:?} {credential:?} {:?}", house.accounts, house.accounts.own.read());
    assert!(!printed.contains("canary") && !printed.contains("eyJ"), "{printed}");
}

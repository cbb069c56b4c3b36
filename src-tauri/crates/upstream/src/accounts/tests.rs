use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::jwt::forge;
use super::secret::Secret;
use super::tokens::Tokens;
use super::*;
use crate::attempt::Lane;
use crate::files;
use crate::http::Http;
use crate::signpost::Signpost;
use crate::testing::{Server, Step, json_answer};

/// What a request needs, made by hand.
pub(crate) fn credential(account: &str, token: &str, expires_at: Option<i64>) -> Credential {
    Credential {
        account: AccountId::of(AccountKind::Own, account),
        kind: AccountKind::Own,
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

pub(super) fn on_disk(home: &Path) -> Value {
    serde_json::from_slice(&fs::read(home.join("auth.json")).unwrap()).unwrap()
}

pub(super) struct House {
    pub(super) home: tempfile::TempDir,
    pub(super) codex: PathBuf,
    pub(super) accounts: Arc<Accounts>,
}

pub(super) fn house(issuer: &str, store: TokenStoreKind) -> House {
    let home = tempfile::tempdir().unwrap();
    let codex = home.path().join("codex");
    fs::create_dir(&codex).unwrap();
    let accounts = accounts(home.path(), issuer, store);
    House { home, codex, accounts }
}

/// The account that answers in this session.
pub(super) async fn chosen(accounts: &Accounts, session: &str) -> Arc<Account> {
    match accounts.choose(Lane::open(session), &[]).await.unwrap() {
        Choice::Use(account) => account,
        // What the first one says is what a client hears.
        Choice::AllRest(_) | Choice::Nobody => accounts.in_order().await.unwrap().remove(0),
    }
}

impl House {
    /// The account in use.
    pub(super) async fn account(&self) -> Arc<Account> {
        chosen(&self.accounts, "session").await
    }

    pub(super) async fn usable(&self) -> Result<Credential, Failure> {
        self.account().await.usable().await
    }

    pub(super) async fn look(&self) -> AccountView {
        self.accounts.look().await.in_use().clone()
    }

    /// Our own login, in the list.
    pub(super) async fn own(&self, access: &str, refresh: &str) -> AccountId {
        self.accounts.add(own_login(access, refresh)).await.unwrap()
    }

    async fn stored(&self, id: &AccountId) -> Tokens {
        serde_json::from_str(self.accounts.store.load(id.as_str()).unwrap().unwrap().expose()).unwrap()
    }
}

/// As another process would have it.
pub(super) fn accounts(home: &Path, issuer: &str, store: TokenStoreKind) -> Arc<Accounts> {
    let config = Config {
        codex_home: Some(home.join("codex")),
        token_store: store,
        ..Config::new(home.join("cache"), home.join("state"))
    };
    files::create_private_directory(&config.state_dir).unwrap();
    let issuer = Issuer { http: Http::build().unwrap(), signpost: Signpost::all_at(issuer) };
    Arc::new(Accounts::new(&config, issuer, Arc::new(Identity::new("0.169.0")), TaskTracker::new()))
}

/// An issuer that rotates refresh tokens: each may be spent once, and n → n+1.
pub(super) async fn issuer() -> Server {
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

pub(super) fn sentence(failure: Failure) -> String {
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
    assert_eq!(house.usable().await.unwrap().access, Secret::new(token));
    assert_eq!(issuer.requests().len(), 0);
    let shown = house.accounts.roster().in_use();
    assert_eq!((shown.label.as_deref(), shown.plan.as_deref()), (Some("me@example.com"), Some("plus")));
    assert_eq!((shown.kind, shown.state), (AccountKind::Linked, AccountState::Ready));
}

#[tokio::test]
async fn fifty_requests_at_expiry_are_one_refresh() {
    let issuer = issuer().await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", 100), "rt_1");
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let accounts = Arc::clone(&house.accounts);
        requests.spawn(async move { chosen(&accounts, "session").await.usable().await.unwrap().access });
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
    let account = house.account().await;
    let refused = account.credential().await.unwrap();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (account, refused) = (Arc::clone(&account), refused.clone());
        requests.spawn(async move { account.recover(&refused).await.unwrap() });
    }
    requests.join_all().await;
    assert_eq!(issuer.requests().len(), 1);
    assert!(issuer.requests()[0].text().contains("unauthorized_recovery"));
    assert_ne!(house.usable().await.unwrap().access, refused.access);
}

#[tokio::test]
async fn two_processes_spend_one_refresh_token_between_them() {
    let issuer = issuer().await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", 100), "rt_1");
    let other = accounts(house.home.path(), &issuer.url, TokenStoreKind::Memory);
    let (mine, theirs) = (house.account().await, chosen(&other, "session").await);
    let (one, two) = tokio::join!(mine.usable(), theirs.usable());
    assert_eq!(one.unwrap().access, two.unwrap().access);
    assert_eq!(issuer.requests().len(), 1);
}

#[tokio::test]
async fn a_lock_held_by_the_codex_cli_is_waited_for() {
    let issuer = issuer().await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", 100), "rt_1");
    let held = files::try_lock(&house.codex.join("auth.lock"), false).unwrap().unwrap();
    let account = house.account().await;
    let waiting = tokio::spawn(async move { account.usable().await });
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
    let account = house.account().await;
    let hasty = tokio::spawn(async move { account.usable().await });
    while issuer.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    hasty.abort();
    assert!(hasty.await.unwrap_err().is_cancelled());
    house.accounts.means.tasks.close();
    house.accounts.means.tasks.wait().await;
    assert_eq!(on_disk(&house.codex)["tokens"]["refresh_token"], "rt_2");
}

/// Where the end can't be put down for the next process, this one still knows it.
#[tokio::test]
async fn the_end_of_a_login_is_remembered_without_a_journal() {
    let state = Arc::new(std::sync::Mutex::new(PathBuf::new()));
    let journal = Arc::clone(&state);
    let issuer = Server::start(move |_, _| {
        // Nothing can be renamed over a directory with something in it.
        let page = journal.lock().unwrap().clone();
        fs::remove_file(&page).unwrap();
        fs::create_dir_all(page.join("in the way")).unwrap();
        json_answer(401, r#"{"error":{"code":"refresh_token_expired"}}"#)
    })
    .await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", -5), "rt_1");
    let account = house.account().await;
    let page = house.accounts.list.directory().join(format!("account-{}.renewal", account.id()));
    state.lock().unwrap().clone_from(&page);
    let words = sentence(account.usable().await.unwrap_err());
    assert!(words.contains("no longer valid"), "{words}");
    fs::remove_dir_all(&page).unwrap();
    assert_eq!(sentence(account.usable().await.unwrap_err()), words);
    assert!(matches!(house.look().await.state, AccountState::SignIn(_)));
    assert_eq!(issuer.requests().len(), 1);
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
            let words = sentence(house.usable().await.unwrap_err());
            assert!(words.contains("codex login") && !words.contains("canary"), "{words}");
        }
        assert_eq!(issuer.requests().len(), 1);
        assert!(matches!(house.look().await.state, AccountState::SignIn(_)));

        // A new login is noticed by itself.
        let token = access("new", 864_000);
        sign_in(&house.codex, &token, "rt_other");
        assert_eq!(house.usable().await.unwrap().access, Secret::new(token));
        assert_eq!(house.look().await.state, AccountState::Ready);
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
    assert_eq!(house.usable().await.unwrap().access, Secret::new(theirs));
    cli.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reused_token_that_nobody_replaces_is_the_end() {
    let issuer = Server::start(|_, _| json_answer(401, r#"{"error":{"code":"refresh_token_reused"}}"#)).await;
    let house = house(&issuer.url, TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", -5), "rt_1");
    for _ in 0..3 {
        assert!(sentence(house.usable().await.unwrap_err()).contains("already used"));
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
        assert_eq!(house.usable().await.unwrap().access, Secret::new(token.clone()));
    }
    assert_eq!(issuer.requests().len(), 1, "not asked again at once");
    sign_in(&house.codex, &access("older", -1), "rt_1");
    let failure = house.usable().await.unwrap_err();
    assert_eq!(failure.anthropic_kind().0, 503, "{failure:?}");
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_named() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::Memory);
    sign_in(&house.codex, &access("old", -5), "rt_1");
    let failure = house.usable().await.unwrap_err();
    assert!(failure.to_string().starts_with("127.0.0.1:1 refuses the connection"), "{failure}");
}

#[tokio::test]
async fn without_a_login_the_way_to_one_is_told() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::Memory);
    let words = sentence(house.usable().await.unwrap_err());
    assert!(words.contains("codex login") && words.contains("dragoman demo"), "{words}");
    assert_eq!(house.look().await.state, AccountState::None);

    fs::write(house.codex.join("auth.json"), r#"{"auth_mode":"apikey","OPENAI_API_KEY":"sk-canary"}"#)
        .unwrap();
    let words = sentence(house.usable().await.unwrap_err());
    assert!(words.contains("API key") && !words.contains("canary"), "{words}");
    assert!(matches!(house.look().await.state, AccountState::SignIn(_)));

    fs::write(house.codex.join("auth.json"), "{broken").unwrap();
    assert!(sentence(house.usable().await.unwrap_err()).contains("cannot be read"));
}

// === own logins ===

pub(super) fn own_login(access: &str, refresh: &str) -> NewLogin {
    let id_token = forge(&json!({"email": "own@example.com",
        "https://api.openai.com/auth": {"chatgpt_account_id": "acct-own", "chatgpt_plan_type": "pro"}}));
    NewLogin::own(Some(Secret::new(id_token)), Secret::new(access), Some(Secret::new(refresh)))
}

#[tokio::test]
async fn an_own_login_wins_and_is_renewed_through_its_store() {
    for store in [TokenStoreKind::Memory, TokenStoreKind::File] {
        let issuer = issuer().await;
        let house = house(&issuer.url, store);
        sign_in(&house.codex, &access("linked", 864_000), "rt_linked");
        let id = house.own(&access("own", 100), "rt_1").await;
        let renewed = house.usable().await.unwrap();
        assert_eq!(renewed.account_id.as_deref(), Some("acct-own"));
        assert_eq!(issuer.requests().len(), 1);
        assert_eq!(house.look().await.kind, AccountKind::Own);
        let stored = house.stored(&id).await;
        assert_eq!(stored.refresh_token, Some(Secret::new("rt_2")));
        assert_eq!(stored.access_token, renewed.access);
        assert_eq!(on_disk(&house.codex)["tokens"]["refresh_token"], "rt_linked");
    }
}

#[tokio::test]
async fn whoever_signs_in_or_out_while_another_process_renews_has_the_last_word() {
    /// What the other process does.
    enum Does {
        SignsIn,
        RemovesAndAdds,
        Removes,
    }
    for (does, kept) in
        [(Does::SignsIn, Some("rt_9")), (Does::RemovesAndAdds, Some("rt_9")), (Does::Removes, None)]
    {
        let issuer = Server::start(|_, _| {
            let tokens = json!({"access_token": access("renewed", 864_000), "refresh_token": "rt_2"});
            let mut steps = vec![Step::Pause(Duration::from_millis(400))];
            steps.extend(json_answer(200, &tokens.to_string()));
            steps
        })
        .await;
        let house = house(&issuer.url, TokenStoreKind::File);
        let id = house.own(&access("own", 100), "rt_1").await;
        let account = house.account().await;
        let renewing = tokio::spawn(async move { account.usable().await });
        while issuer.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let other = accounts(house.home.path(), &issuer.url, TokenStoreKind::File);
        let anew = own_login(&access("anew", 864_000), "rt_9");
        match does {
            Does::SignsIn => {
                let added = other.sign_in(anew).await.unwrap();
                assert_eq!(added.superseded, Some(Secret::new("rt_2")), "the newest is what must be ended");
            }
            Does::RemovesAndAdds => {
                other.remove("own@example.com").await.unwrap();
                other.add(anew).await.unwrap();
            }
            Does::Removes => {
                other.remove("own@example.com").await.unwrap();
            }
        }
        assert_eq!(renewing.await.unwrap().unwrap().refresh, Some(Secret::new("rt_2")));
        let stored = house.accounts.store.load(id.as_str()).unwrap();
        let stored = stored.map(|text| serde_json::from_str::<Tokens>(text.expose()).unwrap());
        assert_eq!(stored.and_then(|tokens| tokens.refresh_token), kept.map(Secret::new));
        let listed = other.look().await.accounts.iter().any(|account| account.id == id);
        assert_eq!(listed, kept.is_some());
        assert!(!house.home.path().join(format!("state/account-{id}.renewal")).exists());
    }
}

#[tokio::test]
async fn what_a_renewal_left_behind_goes_with_its_account() {
    let issuer = Server::start(|_, _| json_answer(503, "{}")).await;
    let house = house(&issuer.url, TokenStoreKind::File);
    let id = house.own(&access("own", 100), "rt_1").await;
    house.usable().await.unwrap();
    let mark = house.home.path().join(format!("state/account-{id}.renewal"));
    assert!(mark.exists(), "nobody knows what became of the token");
    house.accounts.remove("1").await.unwrap();
    assert!(!mark.exists());
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
    Arc::get_mut(&mut house.accounts).unwrap().store = Arc::clone(&store) as Arc<dyn TokenStore>;
    let id = house.own(&access("own", 100), "rt_1").await;
    store.fails.store(true, std::sync::atomic::Ordering::SeqCst);
    let renewed = house.usable().await.unwrap();
    assert_eq!(renewed.refresh, Some(Secret::new("rt_2")));
    assert_eq!(house.usable().await.unwrap(), renewed, "what memory holds is used");
    store.fails.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(house.account().await.recover(&renewed).await.unwrap(), Recovered::Renewed);
    assert_eq!(house.stored(&id).await.refresh_token, Some(Secret::new("rt_3")));
    assert_eq!(issuer.requests().len(), 2);
}

#[tokio::test]
async fn an_own_login_that_cannot_be_read_is_not_replaced_by_another_account() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::File);
    sign_in(&house.codex, &access("linked", 864_000), "rt_linked");
    let id = house.own(&access("own", 864_000), "rt_1").await;
    fs::write(house.home.path().join(format!("state/tokens/{id}.json")), "canary{").unwrap();
    let other = accounts(house.home.path(), "http://127.0.0.1:1", TokenStoreKind::File);
    let words = sentence(chosen(&other, "session").await.usable().await.unwrap_err());
    assert!(words.contains("damaged") && !words.contains("canary"), "{words}");
}

#[tokio::test]
async fn no_token_is_printed_by_anything_here() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::Memory);
    sign_in(&house.codex, &access("canary", 864_000), "rt_canary");
    house.own("canary-access", "rt_canary").await;
    let credential = house.usable().await.unwrap();
    let printed = format!("{:?} {credential:?} {:?}", house.accounts, own_login("canary", "rt_canary"));
    assert!(!printed.contains("canary") && !printed.contains("eyJ"), "{printed}");
}

// === several accounts ===

pub(crate) fn login_of(account: &str, email: &str) -> NewLogin {
    let id_token = forge(&json!({"email": email,
        "https://api.openai.com/auth": {"chatgpt_account_id": account, "chatgpt_plan_type": "plus"}}));
    let token = Secret::new(access(email, 864_000));
    NewLogin::own(Some(Secret::new(id_token)), token, Some(Secret::new(format!("rt_{email}"))))
}

fn order(view: &AccountsView) -> Vec<String> {
    let called = |account: &AccountView| account.name.clone().or(account.label.clone()).unwrap_or_default();
    view.accounts.iter().map(called).collect()
}

#[tokio::test]
async fn accounts_are_added_renamed_preferred_paused_and_removed() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::File);
    let accounts = &house.accounts;
    assert_eq!(accounts.look().await.accounts.len(), 1, "the found login stands for the list");
    let one = accounts.add(login_of("acct-1", "a@example.com")).await.unwrap();
    let two = accounts.add(login_of("acct-2", "b@example.com")).await.unwrap();
    assert_eq!(order(&accounts.roster().now()), ["a@example.com", "b@example.com"]);
    assert_eq!(accounts.add(login_of("acct-1", "a@example.com")).await.unwrap(), one, "the same login again");
    assert_eq!(accounts.roster().now().accounts.len(), 2);

    accounts.rename("b@example.com", Some(" work ")).await.unwrap();
    assert!(matches!(accounts.rename("1", Some("Work")).await, Err(AccountProblem::Name { .. })));
    assert!(matches!(accounts.rename("1", Some("  ")).await, Err(AccountProblem::Name { .. })));
    accounts.prefer("work").await.unwrap();
    assert_eq!(order(&accounts.roster().now()), ["work", "a@example.com"]);
    assert_eq!(accounts.roster().now().in_use, two, "it would answer next");
    assert_eq!(*chosen(accounts, "new").await.id(), two);
    accounts.pause("work", true).await.unwrap();
    assert_eq!(*chosen(accounts, "newer").await.id(), one);

    // Another process sees all of it.
    let other = self::accounts(house.home.path(), "http://127.0.0.1:1", TokenStoreKind::File);
    assert_eq!(order(&other.look().await), ["work", "a@example.com"]);
    assert_eq!(accounts.remove(two.as_str()).await.unwrap(), two);
    assert_eq!(order(&other.look().await), ["a@example.com"]);
    assert!(accounts.store.load(two.as_str()).unwrap().is_none());
    assert!(matches!(accounts.remove("work").await, Err(AccountProblem::Unknown { .. })));
}

#[tokio::test]
async fn a_codex_login_can_stand_in_the_list_beside_others() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::Memory);
    let accounts = &house.accounts;
    assert!(matches!(accounts.add_linked(house.codex.clone()).await, Err(AccountProblem::NoLogin(_))));
    sign_in(&house.codex, &access("x", 864_000), "rt_1");
    let found = accounts.look().await.in_use.clone();
    accounts.add(login_of("acct-2", "b@example.com")).await.unwrap();
    assert_eq!(
        order(&accounts.roster().now()),
        ["b@example.com"],
        "our own login takes the found one's place"
    );
    let linked = accounts.add_linked(house.codex.clone()).await.unwrap();
    assert_eq!(linked, found, "the found login and the linked one are the same account");
    assert_eq!(order(&accounts.roster().now()), ["b@example.com", "me@example.com"]);
    accounts.remove("me@example.com").await.unwrap();
    assert_eq!(on_disk(&house.codex)["tokens"]["refresh_token"], "rt_1", "the Codex CLI keeps its login");
}

#[tokio::test]
async fn an_api_key_is_kept_like_a_login_and_shows_its_last_letters() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::File);
    house.accounts.add(NewLogin::api_key("sk-canary-0123456789abcdef")).await.unwrap();
    let shown = house.look().await;
    assert_eq!((shown.kind, shown.label.as_deref()), (AccountKind::ApiKey, Some("API key …cdef")));
    let credential = house.usable().await.unwrap();
    assert_eq!(credential.access, Secret::new("sk-canary-0123456789abcdef"));
    assert_eq!((credential.account_id, credential.refresh), (None, None));
}

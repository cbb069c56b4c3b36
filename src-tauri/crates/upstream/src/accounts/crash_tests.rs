//! A renewal that is cut at every point where it changes something, and what the next process makes of it.
//!
//! The end of the process is a disk and a token store that do nothing any more. What no program can mend is an answer of
//! the issuer that was not on the disk yet; for every other point the login must live on, also with an issuer that takes
//! each refresh token once and forgives nothing.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::secret::Secret;
use super::tests::*;
use super::*;
use crate::files::faults;
use crate::testing::{Server, json_answer};

/// How the issuer takes a refresh token that comes again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Temper {
    /// It is spent, and that is that.
    Strict,
    /// As long as nobody used its successor, the successor is given out again.
    Forgiving,
}

async fn issuer(temper: Temper) -> Server {
    let spent = AtomicUsize::new(0);
    Server::start(move |request, _| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let token = body["refresh_token"].as_str().unwrap();
        let number: usize = token.strip_prefix("rt_").unwrap().parse().unwrap();
        let done = spent.load(Ordering::SeqCst);
        let again = temper == Temper::Forgiving && number == done;
        if number != done + 1 && !again {
            return json_answer(401, r#"{"error":{"code":"refresh_token_reused"}}"#);
        }
        spent.store(number, Ordering::SeqCst);
        let tokens = json!({"access_token": access(&format!("new{number}"), 864_000),
            "refresh_token": format!("rt_{}", number + 1)});
        json_answer(200, &tokens.to_string())
    })
    .await
}

/// A store that outlives the process and ends with it.
#[derive(Debug)]
struct Outliving(Arc<MemoryStore>, std::path::PathBuf);

impl TokenStore for Outliving {
    fn load(&self, name: &str) -> Result<Option<Secret>, StoreError> {
        self.0.load(name)
    }
    fn save(&self, name: &str, secret: &Secret) -> Result<(), StoreError> {
        self.step()?;
        self.0.save(name, secret)?;
        // The store has it, and the process never hears of it.
        self.step()
    }
    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.step()?;
        self.0.remove(name)
    }
}

impl Outliving {
    fn step(&self) -> Result<(), StoreError> {
        faults::step(&self.1).map_err(|source| StoreError::File { path: self.1.clone(), source })
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kept {
    Store,
    Files,
    Linked,
}

/// As one process after the other has it.
fn process(home: &tempfile::TempDir, issuer: &str, store: Option<&Arc<MemoryStore>>) -> Arc<Accounts> {
    let mut accounts = accounts(home.path(), issuer, TokenStoreKind::File);
    if let Some(store) = store {
        let store = Outliving(Arc::clone(store), home.path().to_owned());
        Arc::get_mut(&mut accounts).unwrap().store = Arc::new(store);
    }
    accounts
}

async fn usable(accounts: &Accounts) -> Result<Credential, Failure> {
    chosen(accounts, "session").await.usable().await
}

/// Whether the login lived on after the renewal was cut before this step; `None`: nothing was cut any more.
async fn cut(kept: Kept, temper: Temper, steps: usize) -> Option<Result<(), String>> {
    let issuer = issuer(temper).await;
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("codex")).unwrap();
    let store = (kept == Kept::Store).then(Arc::<MemoryStore>::default);
    let first = process(&home, &issuer.url, store.as_ref());
    let ending = access("old", 120);
    match kept {
        Kept::Linked => sign_in(&home.path().join("codex"), &ending, "rt_1"),
        Kept::Store | Kept::Files => {
            first.add(own_login(&ending, "rt_1")).await.unwrap();
        }
    }
    // Read once before: the cut is in the renewal.
    first.look().await;
    faults::allow(home.path(), Some(steps));
    let _ = usable(&first).await;
    let was_cut = faults::step(home.path()).is_err();
    drop(first);
    faults::allow(home.path(), None);

    // The next process: a request goes through, whatever was lost, and then the login is renewed once more.
    let second = process(&home, &issuer.url, store.as_ref());
    second.look().await;
    usable(&second).await.unwrap_or_else(|failure| panic!("{kept:?} {steps}: {failure}"));
    let account = chosen(&second, "session").await;
    let lived = match account.renew_now().await {
        Ok(_) => {
            let sent: Vec<String> = issuer.requests().iter().map(|request| request.text()).collect();
            if temper == Temper::Strict {
                let different: HashSet<&String> = sent.iter().collect();
                assert_eq!(different.len(), sent.len(), "{kept:?} {steps}: a token was sent twice: {sent:?}");
            }
            // What is on the disk is the newest, for the process after this one.
            let third = process(&home, &issuer.url, store.as_ref());
            third.look().await;
            chosen(&third, "session").await.renew_now().await.unwrap();
            assert!(!home.path().join(format!("state/account-{}.renewal", account.id())).exists());
            Ok(())
        }
        Err(failure) => Err(failure.to_string()),
    };
    was_cut.then_some(lived)
}

/// The steps after which the login was lost, and how many there are.
async fn lost(kept: Kept, temper: Temper) -> (Vec<usize>, usize) {
    let mut lost = Vec::new();
    for steps in 0.. {
        match cut(kept, temper, steps).await {
            None => return (lost, steps),
            Some(Ok(())) => {}
            Some(Err(words)) => {
                assert!(words.contains("in the middle of renewing"), "{kept:?} {steps}: {words}");
                lost.push(steps);
            }
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_renewal_cut_anywhere_loses_no_login_but_one_whose_answer_was_not_on_the_disk() {
    let strict = Temper::Strict;
    let (store, files, linked) =
        tokio::join!(lost(Kept::Store, strict), lost(Kept::Files, strict), lost(Kept::Linked, strict));
    for (kept, (lost, steps)) in [("store", store), ("files", files), ("linked", linked)] {
        // Steps 0 to 3 write the mark, before anything is sent; 4 to 7 put the answer into the journal.
        assert_eq!(lost, [4, 5, 6, 7], "{kept} of {steps}");
        assert!(steps >= 12, "{kept}: the store and what follows was cut too: {steps}");
    }
}

#[tokio::test]
async fn an_issuer_that_forgives_loses_none() {
    for kept in [Kept::Store, Kept::Files, Kept::Linked] {
        let (lost, _) = lost(kept, Temper::Forgiving).await;
        assert_eq!(lost, Vec::<usize>::new(), "{kept:?}");
    }
}

#[tokio::test]
async fn an_answer_that_never_came_is_made_good_at_once_or_told_as_what_it_is() {
    let issuer = issuer(Temper::Strict).await;
    let home = tempfile::tempdir().unwrap();
    let codex = home.path().join("codex");
    std::fs::create_dir(&codex).unwrap();
    // Far from its end: only the mark makes the next process ask.
    sign_in(&codex, &access("old", 9000), "rt_1");
    let first = process(&home, "http://127.0.0.1:1", None);
    chosen(&first, "s").await.renew_now().await.unwrap_err();
    drop(first);
    let second = process(&home, &issuer.url, None);
    usable(&second).await.unwrap();
    assert_eq!(issuer.requests().len(), 1, "the issuer had not seen it: it is simply sent again");
    assert_eq!(chosen(&second, "s").await.credential().await.unwrap().refresh, Some(Secret::new("rt_2")));
    usable(&second).await.unwrap();
    assert_eq!(issuer.requests().len(), 1);
}

/// The disk is full just then, and has room again later: the process goes on, and so does the login.
#[tokio::test]
async fn what_no_disk_took_is_kept_in_memory() {
    let mut kept_in_memory = 0;
    for steps in 0..24 {
        let issuer = issuer(Temper::Strict).await;
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("codex")).unwrap();
        let accounts = process(&home, &issuer.url, None);
        accounts.add(own_login(&access("old", 120), "rt_1")).await.unwrap();
        accounts.look().await;
        faults::allow(home.path(), Some(steps));
        let renewed = usable(&accounts).await;
        let was_full = faults::step(home.path()).is_err();
        faults::allow(home.path(), None);
        if issuer.requests().is_empty() {
            // Nothing is spent where nothing can be kept.
            continue;
        }
        assert_eq!(renewed.unwrap().refresh, Some(Secret::new("rt_2")), "{steps}");
        chosen(&accounts, "session")
            .await
            .renew_now()
            .await
            .unwrap_or_else(|failure| panic!("{steps}: {failure}"));
        assert_eq!(issuer.requests().len(), 2, "{steps}");
        kept_in_memory += usize::from(was_full);
    }
    assert!(kept_in_memory >= 8, "{kept_in_memory}");
}

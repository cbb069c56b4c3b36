//! What a user does with accounts: add, remove, rename, prefer, pause. Each verb changes the list (and the token store)
//! and then the picture; other processes of ours follow the list.
//!
//! Not here: how a login is made (`login/`), and signing out at the issuer.

use std::path::PathBuf;
use std::sync::Arc;

use super::Accounts;
use super::codex_auth::{CodexAuth, Found, Unread};
use super::journal::Journal;
use super::jwt::Claims;
use super::list::{Entry, Index};
use super::own::Own;
use super::problem::AccountProblem;
use super::renew::LOCK_LIMIT;
use super::secret::Secret;
use super::tokens::{Credential, Tokens};
use super::view::{AccountId, AccountKind};
use crate::files::{self, Lock};

/// A login that was just made, or a key that was just given.
#[derive(Debug, Clone)]
pub(crate) struct NewLogin {
    pub(crate) kind: AccountKind,
    pub(crate) tokens: Tokens,
    /// What the user calls it.
    pub(crate) name: Option<String>,
}

impl NewLogin {
    /// What the issuer's token endpoint answered to an authorization code.
    pub(crate) fn own(id_token: Option<Secret>, access_token: Secret, refresh_token: Option<Secret>) -> Self {
        let account_id =
            id_token.iter().chain([&access_token]).find_map(|token| Claims::read(token.expose())?.account_id);
        let last_refresh = Some(jiff::Timestamp::now());
        let tokens = Tokens { id_token, access_token, refresh_token, account_id, last_refresh };
        Self { kind: AccountKind::Own, tokens, name: None }
    }

    /// A key of the OpenAI API.
    pub(crate) fn api_key(key: &str) -> Self {
        let tokens = Tokens {
            id_token: None,
            access_token: Secret::new(key),
            refresh_token: None,
            account_id: None,
            last_refresh: None,
        };
        Self { kind: AccountKind::ApiKey, tokens, name: None }
    }

    /// The same login gets the same id each time.
    pub(super) fn id(&self) -> AccountId {
        let read = Credential::of(&self.tokens, &AccountId::of(self.kind, ""), self.kind);
        let identity = match (&read.account_id, &read.email) {
            (None, None) => self.tokens.access_token.expose().to_owned(),
            (account, email) => {
                format!("{} {}", account.as_deref().unwrap_or_default(), email.as_deref().unwrap_or_default())
            }
        };
        AccountId::of(self.kind, &identity)
    }
}

impl Accounts {
    /// Keeps a new login, last in the order; one of the same account is replaced where it stands. If the Codex CLI's
    /// login was used without being in the list, a new login takes its place; a key stands behind it, for a key costs
    /// money by use.
    pub(crate) async fn add(&self, login: NewLogin) -> Result<AccountId, AccountProblem> {
        let _held = self.hold(&login.id()).await?;
        self.add_held(login).await
    }

    /// The lock of an own account or a key, listed or not: whoever renews it just now comes to an end first, or would
    /// put its tokens in the place of what is done now.
    pub(super) async fn hold(&self, id: &AccountId) -> Result<Lock, AccountProblem> {
        files::create_private_directory(self.list.directory())
            .map_err(|error| AccountProblem::Failed(error.to_string()))?;
        let own = Own::new(id.clone(), Arc::clone(&self.list), Arc::clone(&self.store));
        own.lock(LOCK_LIMIT).await.map_err(|error| {
            AccountProblem::Failed(format!("another Dragoman is busy with this account ({error}); try again"))
        })
    }

    /// The same; the account's lock is held.
    pub(super) async fn add_held(&self, login: NewLogin) -> Result<AccountId, AccountProblem> {
        let (id, kind) = (login.id(), login.kind);
        let read = Credential::of(&login.tokens, &id, login.kind);
        let label = read.email.or_else(|| (login.kind == AccountKind::ApiKey).then(|| hint(&login.tokens)));
        let (list, store) = (Arc::clone(&self.list), Arc::clone(&self.store));
        let (added, found) = (id.clone(), self.found());
        let codex_home = self.codex_home.clone();
        let work = move || {
            let found = (login.kind == AccountKind::ApiKey
                && matches!(CodexAuth::anywhere(codex_home).read_anew(), Ok(Found::Login(_))))
            .then_some(found);
            let name = login.name.as_deref().map(clean_name).transpose()?;
            let own = Own::new(id.clone(), Arc::clone(&list), store);
            let put = |index: &mut Index| {
                if let Some(found) = found {
                    index.adopt(found);
                }
                if let Some(name) = &name {
                    is_free(index, name, &id)?;
                }
                let at = index.accounts.iter().position(|entry| entry.id == id);
                let at = at.unwrap_or_else(|| {
                    index.accounts.push(Entry::new(id.clone(), login.kind));
                    index.accounts.len() - 1
                });
                let entry = &mut index.accounts[at];
                entry.revision += 1;
                (entry.label, entry.plan, entry.paused) = (label, read.plan, false);
                entry.name = name.clone().or(entry.name.take());
                Ok(())
            };
            // First the tokens: an account that is listed must be usable.
            own.keep(&login.tokens)?;
            list.edit(put)
        };
        self.run(work).await?;
        tracing::info!(account = %added, ?kind, "account added");
        Ok(added)
    }

    /// Uses the login that a Codex CLI keeps in this directory, beside the others.
    pub(crate) async fn add_linked(&self, codex_home: PathBuf) -> Result<AccountId, AccountProblem> {
        let list = Arc::clone(&self.list);
        let id = self
            .run(move || {
                let codex_home = std::path::absolute(&codex_home).unwrap_or(codex_home);
                let (label, plan) = match CodexAuth::anywhere(codex_home.clone()).read_anew() {
                    Ok(Found::Login(tokens)) => {
                        let nameless = AccountId::of(AccountKind::Linked, "");
                        let read = Credential::of(&tokens, &nameless, AccountKind::Linked);
                        (read.email, read.plan)
                    }
                    Ok(Found::ApiKey) => {
                        return Err(AccountProblem::NoLogin(format!(
                            "the Codex CLI in {} is signed in with an API key; give that key to `dragoman login --api-key`, \
                             or run `codex login` and choose ChatGPT",
                            codex_home.display()
                        )));
                    }
                    Ok(Found::Nothing) => {
                        return Err(AccountProblem::NoLogin(format!(
                            "there is no login in {}; run `codex login` first (with cli_auth_credentials_store = \"file\" \
                             in its config.toml)",
                            codex_home.display()
                        )));
                    }
                    Err(Unread::Keyring(trouble)) => {
                        let home = codex_home.display();
                        return Err(AccountProblem::NoLogin(format!(
                            "the Codex CLI's login in {home} cannot be read: {trouble}"
                        )));
                    }
                    Err(Unread::File(error)) => {
                        return Err(AccountProblem::NoLogin(format!(
                            "the login in {}/auth.json cannot be read ({error}); run `codex login` again",
                            codex_home.display()
                        )));
                    }
                };
                let id = AccountId::of(AccountKind::Linked, &codex_home.to_string_lossy());
                list.edit(|index| {
                    if index.entry(&id).is_none() {
                        let entry = Entry::new(id.clone(), AccountKind::Linked);
                        index.accounts.push(Entry { codex_home: Some(codex_home), ..entry });
                    }
                    if let Some(entry) = index.entry(&id) {
                        (entry.label, entry.plan, entry.paused) = (label, plan, false);
                    }
                    Ok(())
                })?;
                Ok(id)
            })
            .await?;
        tracing::info!(account = %id, "the Codex CLI's login linked");
        Ok(id)
    }

    /// Forgets the account: its tokens and its place in the list. A linked login stays the Codex CLI's.
    pub(crate) async fn remove(&self, words: &str) -> Result<AccountId, AccountProblem> {
        let account = self.find(words).await?;
        // A renewal takes less time than the lock's limit; a lock that can't be had must not keep anybody in.
        let _held = self.hold(account.id()).await.ok();
        self.remove_held(account.id().as_str()).await
    }

    /// The same; the account's lock is held, if it could be had.
    pub(super) async fn remove_held(&self, words: &str) -> Result<AccountId, AccountProblem> {
        let (list, store, words) = (Arc::clone(&self.list), Arc::clone(&self.store), words.to_owned());
        let id = self
            .run(move || {
                let index = list.read()?;
                if index.accounts.is_empty() {
                    return Err(AccountProblem::NotListed(
                        "the Codex CLI's login is used because there is no other account; it stays the Codex CLI's. Keep it \
                         out of use with `dragoman accounts pause 1`, or sign it out with `codex logout`",
                    ));
                }
                let entry = index.find(&words)?.clone();
                // First the list: what is not listed is not used, and a crash in between leaves no account without tokens.
                list.edit(|index| {
                    index.accounts.retain(|other| other.id != entry.id);
                    Ok(())
                })?;
                if matches!(entry.kind, AccountKind::Own | AccountKind::ApiKey) {
                    store.remove(entry.id.as_str())?;
                    Journal::new(list.directory(), &entry.id).close();
                }
                Ok(entry.id)
            })
            .await?;
        tracing::info!(account = %id, "account removed");
        Ok(id)
    }

    /// Gives the account a name; `None` takes it away.
    pub(crate) async fn rename(&self, words: &str, name: Option<&str>) -> Result<AccountId, AccountProblem> {
        let name = name.map(clean_name).transpose()?;
        self.edit(words, move |index, id| {
            if let Some(name) = &name {
                is_free(index, name, id)?;
            }
            if let Some(entry) = index.entry(id) {
                entry.name = name;
            }
            Ok(())
        })
        .await
    }

    /// Puts the account first, and wakes it if it was paused.
    pub(crate) async fn prefer(&self, words: &str) -> Result<AccountId, AccountProblem> {
        self.edit(words, |index, id| {
            if let Some(at) = index.accounts.iter().position(|entry| entry.id == *id) {
                let entry = index.accounts.remove(at);
                index.accounts.insert(0, Entry { paused: false, ..entry });
                index.wishes += 1;
            }
            Ok(())
        })
        .await
    }

    /// Keeps the account out of use, or lets it in again.
    pub(crate) async fn pause(&self, words: &str, paused: bool) -> Result<AccountId, AccountProblem> {
        self.edit(words, move |index, id| {
            if let Some(entry) = index.entry(id) {
                entry.paused = paused;
            }
            Ok(())
        })
        .await
    }

    /// Lets a resting account be tried at once, by this process and by the others.
    pub(crate) async fn retry(&self, words: &str) -> Result<AccountId, AccountProblem> {
        self.edit(words, |index, id| {
            if let Some(entry) = index.entry(id) {
                entry.retries += 1;
            }
            Ok(())
        })
        .await
    }

    /// Renews the account's token now, whatever its age.
    pub(crate) async fn refresh(&self, words: &str) -> Result<AccountId, AccountProblem> {
        let account = self.find(words).await?;
        if account.kind == AccountKind::ApiKey {
            return Err(AccountProblem::Failed(
                "an API key does not age; there is nothing to renew".to_owned(),
            ));
        }
        account.renew_now().await.map_err(|failure| AccountProblem::Failed(failure.to_string()))?;
        Ok(account.id().clone())
    }

    async fn edit(
        &self,
        words: &str,
        change: impl FnOnce(&mut Index, &AccountId) -> Result<(), AccountProblem> + Send + 'static,
    ) -> Result<AccountId, AccountProblem> {
        let (list, words, found) = (Arc::clone(&self.list), words.to_owned(), self.found());
        self.run(move || {
            list.edit(|index| {
                index.adopt(found);
                let id = index.find(&words)?.id.clone();
                change(index, &id)?;
                Ok(id)
            })
        })
        .await
    }

    /// Does the work where it may block, then makes the picture true.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, AccountProblem> + Send + 'static,
    ) -> Result<T, AccountProblem> {
        let done = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| AccountProblem::Failed(format!("the work broke off: {error}")))??;
        self.look().await;
        Ok(done)
    }
}

/// What tells a key from others without telling it.
fn hint(tokens: &Tokens) -> String {
    let key = tokens.access_token.expose();
    let tail: Vec<char> = key.chars().rev().take(4).collect();
    let tail: String = if key.len() >= 20 { tail.into_iter().rev().collect() } else { String::new() };
    format!("API key …{tail}")
}

fn clean_name(name: &str) -> Result<String, AccountProblem> {
    let problem = |why| AccountProblem::Name { name: name.to_owned(), why };
    let clean = name.trim();
    if clean.is_empty() {
        return Err(problem("it is empty"));
    }
    if clean.chars().count() > 40 || clean.chars().any(char::is_control) {
        return Err(problem("use at most 40 letters, on one line"));
    }
    Ok(clean.to_owned())
}

fn is_free(index: &Index, name: &str, id: &AccountId) -> Result<(), AccountProblem> {
    let taken = index.accounts.iter().any(|entry| {
        let same = |text: &Option<String>| text.as_ref().is_some_and(|text| text.eq_ignore_ascii_case(name));
        entry.id != *id && (same(&entry.name) || same(&entry.label))
    });
    if taken {
        return Err(AccountProblem::Name { name: name.to_owned(), why: "another account is called so" });
    }
    Ok(())
}

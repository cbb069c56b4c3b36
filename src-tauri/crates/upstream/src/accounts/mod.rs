//! Whose subscription is used, and keeping it alive: the accounts in the list, or the Codex CLI's login if there is none.
//!
//! Here: the accounts as a whole, and what a user does with them (`verbs.rs`). One account is in `account.rs`, renewing
//! in `renew.rs`, the list in `list.rs`. Not here: signing in (`login/`).

mod account;
mod choose;
mod codex_auth;
mod codex_keyring;
mod journal;
mod jwt;
mod keyring;
mod list;
mod moving;
mod own;
mod problem;
mod refresh;
mod renew;
mod rest;
mod secret;
mod signing;
mod store;
mod tokens;
mod verbs;
mod view;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use dragoman_protocol::failure::Failure;
use tokio_util::task::TaskTracker;

pub(crate) use self::account::{Account, Clock, Recovered};
use self::account::{Means, Source};
use self::choose::Chooser;
pub(crate) use self::choose::{Choice, is_over};
pub(crate) use self::codex_auth::{CodexAuth, Found, Unread};
pub(crate) use self::codex_keyring::Keeping;
pub use self::codex_keyring::KeyringTrouble;
use self::journal::Journal;
pub(crate) use self::jwt::Claims;
#[cfg(test)]
pub(crate) use self::jwt::forge;
use self::keyring::KeyringStore;
use self::list::{Entry, Index, List};
use self::moving::Moving;
use self::own::Own;
pub use self::problem::AccountProblem;
pub(crate) use self::refresh::{CLIENT_ID, Issuer, error_code};
pub use self::secret::Secret;
#[cfg(test)]
use self::store::StoreError;
use self::store::{FileStore, MemoryStore, TokenStore};
pub(crate) use self::tokens::Credential;
pub(crate) use self::verbs::NewLogin;
pub use self::view::{AccountId, AccountKind, AccountState, AccountView, AccountsView, Rest};
pub(crate) use self::view::{Roster, Seat};
use crate::config::{Config, Strategy, TokenStoreKind};
use crate::identity::Identity;
use crate::limits::Limits;

/// The accounts.
#[derive(Debug)]
pub(crate) struct Accounts {
    list: Arc<List>,
    store: Arc<dyn TokenStore>,
    /// Where the Codex CLI keeps the login that is used without being in the list.
    codex_home: PathBuf,
    means: Arc<Means>,
    known: Mutex<Known>,
    roster: Roster,
    chooser: Chooser,
}

/// The accounts as objects, and the list that they were made from.
#[derive(Debug, Default)]
struct Known {
    index: Option<Arc<Index>>,
    order: Vec<Arc<Account>>,
    all: HashMap<AccountId, Arc<Account>>,
}

impl Accounts {
    pub(crate) fn new(config: &Config, issuer: Issuer, identity: Arc<Identity>, tasks: TaskTracker) -> Self {
        let files = FileStore::new(config.state_dir.join("tokens"));
        let store: Arc<dyn TokenStore> = match config.token_store {
            TokenStoreKind::Keyring => {
                Arc::new(Moving::new(KeyringStore::new(), files, config.state_dir.clone()))
            }
            TokenStoreKind::File => {
                Arc::new(Moving::new(files, KeyringStore::new(), config.state_dir.clone()))
            }
            TokenStoreKind::Memory => Arc::new(MemoryStore::default()),
        };
        let codex_home = config
            .codex_home
            .clone()
            .or_else(|| std::env::home_dir().map(|home| home.join(".codex")))
            .unwrap_or_else(|| PathBuf::from(".codex"));
        let found = found(&codex_home);
        Self {
            list: Arc::new(List::new(config.state_dir.clone())),
            store,
            roster: Roster::of(AccountView { state: AccountState::None, ..view_of(&found, None) }),
            codex_home,
            means: Arc::new(Means { issuer, identity, tasks, clock: Clock::system() }),
            known: Mutex::default(),
            chooser: Chooser::default(),
        }
        .with_strategy(config.strategy)
    }

    fn with_strategy(self, strategy: Strategy) -> Self {
        self.set_strategy(strategy);
        self
    }

    /// Where the Codex CLI keeps its login.
    pub(crate) fn codex_home(&self) -> &std::path::Path {
        &self.codex_home
    }

    /// Can the token store be reached? Blocks.
    pub(crate) fn probe_store(&self) -> Result<(), String> {
        // There is never a login of this name.
        self.store.load("nobody").map(drop).map_err(|error| error.to_string())
    }

    /// The picture of the accounts and its changes.
    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The login that is used because there is no other, as it would stand in the list.
    fn found(&self) -> Entry {
        let found = found(&self.codex_home);
        let view = self.roster.now();
        let (label, plan) =
            view.get(&found.id).map(|view| (view.label.clone(), view.plan.clone())).unwrap_or_default();
        Entry { label, plan, added_at: Some(jiff::Timestamp::now()), ..found }
    }

    /// The account that the user means.
    pub(crate) async fn find(&self, words: &str) -> Result<Arc<Account>, AccountProblem> {
        let list = Arc::clone(&self.list);
        let (words, found) = (words.to_owned(), self.found());
        let read = tokio::task::spawn_blocking(move || {
            let index = list.read()?;
            let mut index = Index::clone(&index);
            index.adopt(found);
            index.find(&words).map(|entry| entry.id.clone())
        });
        let id = read.await.map_err(|error| AccountProblem::Failed(error.to_string()))??;
        let gone = || AccountProblem::Failed("the account was removed just now".to_owned());
        self.get(&id).await.ok_or_else(gone)
    }

    /// The account of this id.
    pub(crate) async fn get(&self, id: &AccountId) -> Option<Arc<Account>> {
        self.in_order().await.ok()?.into_iter().find(|account| account.id() == id)
    }

    /// The account has room again: its rest is over.
    #[cfg(test)]
    pub(crate) async fn lift(&self, id: &AccountId) {
        if let Some(account) = self.get(id).await {
            account.lift();
        }
    }

    /// Reads every login again for the picture; no network.
    pub(crate) async fn look(&self) -> AccountsView {
        if let Ok(order) = self.in_order().await {
            for account in order {
                // A failure shows in the picture, and so does the end of a rest.
                let _ = account.read(true).await;
                let _ = account.rests();
            }
        }
        self.roster.now()
    }

    /// All accounts, the preferred one first; never empty. Follows what other processes of ours did to the list.
    pub(crate) async fn in_order(&self) -> Result<Vec<Arc<Account>>, Failure> {
        let list = Arc::clone(&self.list);
        let read = tokio::task::spawn_blocking(move || list.read());
        let index = match read.await {
            Ok(Ok(index)) => index,
            Ok(Err(error)) => {
                let message = format!("The list of accounts cannot be read: {error}.");
                self.roster.change(|view| {
                    for account in &mut view.accounts {
                        account.state = AccountState::Locked(message.clone());
                    }
                });
                return Err(Failure::SignIn { message });
            }
            Err(error) => {
                return Err(Failure::Internal { message: format!("reading the accounts failed: {error}") });
            }
        };
        Ok(self.follow(index))
    }

    fn follow(&self, index: Arc<Index>) -> Vec<Arc<Account>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.index.as_ref().is_some_and(|before| Arc::ptr_eq(before, &index)) && !known.order.is_empty() {
            return known.order.clone();
        }
        // Without an account of its own list, Dragoman uses the Codex CLI's login.
        let found = [found(&self.codex_home)];
        let entries = if index.accounts.is_empty() { &found[..] } else { &index.accounts };
        known.order = entries
            .iter()
            .map(|entry| {
                let made = || Arc::new(self.account(entry));
                let account = Arc::clone(known.all.entry(entry.id.clone()).or_insert_with(made));
                if entry.added_at.is_some() {
                    account.is_wanted();
                }
                account
            })
            .collect();
        let is_wish = known.index.as_ref().is_some_and(|before| before.wishes != index.wishes);
        if is_wish {
            self.chooser.forget_sessions();
        }
        if let Some(before) = &known.index {
            let wanted = |entry: &&Entry| {
                let old = before.accounts.iter().find(|old| old.id == entry.id);
                // The login that was found enters the list with the user's first wish about it.
                old.map_or(0, |old| old.retries) != entry.retries
            };
            for account in entries.iter().filter(wanted).filter_map(|entry| known.all.get(&entry.id)) {
                account.lift();
            }
        }
        known.all.retain(|id, _| entries.iter().any(|entry| entry.id == *id));
        known.index = Some(index.clone());
        self.roster.change(|view| {
            let before = std::mem::take(&mut view.accounts);
            view.accounts = entries
                .iter()
                .map(|entry| view_of(entry, before.iter().find(|account| account.id == entry.id)))
                .collect();
            if is_wish || view.get(&view.in_use).is_none() {
                // The one that would answer next.
                let can = |account: &&AccountView| {
                    account.state == AccountState::Ready && !account.paused && account.rest.is_none()
                };
                let mut accounts = view.accounts.iter();
                if let Some(next) = accounts.clone().find(can).or(accounts.next()) {
                    view.in_use = next.id.clone();
                }
            }
        });
        known.order.clone()
    }

    fn account(&self, entry: &Entry) -> Account {
        let source = match entry.kind {
            AccountKind::Linked | AccountKind::Demo => {
                let home = entry.codex_home.clone().unwrap_or_else(|| self.codex_home.clone());
                Source::Linked(Arc::new(CodexAuth::new(home)))
            }
            AccountKind::Own | AccountKind::ApiKey => {
                let (list, store) = (Arc::clone(&self.list), Arc::clone(&self.store));
                Source::Own(Arc::new(Own::new(entry.id.clone(), list, store)))
            }
        };
        let journal = Journal::new(self.list.directory(), &entry.id);
        Account::new(self.roster.seat(&entry.id), entry.kind, (source, journal), Arc::clone(&self.means))
    }
}

/// The Codex CLI's login in this directory, as if it were in the list.
fn found(codex_home: &std::path::Path) -> Entry {
    let id = AccountId::of(AccountKind::Linked, &codex_home.to_string_lossy());
    Entry { added_at: None, codex_home: Some(codex_home.to_owned()), ..Entry::new(id, AccountKind::Linked) }
}

/// What may be shown of the account in the list; what was learnt of it before stays.
fn view_of(entry: &Entry, before: Option<&AccountView>) -> AccountView {
    AccountView {
        id: entry.id.clone(),
        name: entry.name.clone(),
        label: before.map_or_else(|| entry.label.clone(), |view| view.label.clone()),
        plan: before.map_or_else(|| entry.plan.clone(), |view| view.plan.clone()),
        kind: entry.kind,
        // Nothing is known against it.
        state: before.map_or(AccountState::Ready, |view| view.state.clone()),
        paused: entry.paused,
        rest: before.and_then(|view| view.rest),
        limits: before.map_or_else(Limits::default, |view| view.limits.clone()),
        added_at: entry.added_at.map(|at| at.as_second()),
    }
}

fn no_account() -> Failure {
    Failure::Internal { message: "there is no account at all".to_owned() }
}

#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod verbs_tests;

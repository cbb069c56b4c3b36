//! Adding and removing accounts as signing in and out need it: what was there before comes back, to be ended at the
//! issuer, and nobody renews it meanwhile.
//!
//! Not here: the list (`verbs.rs`), the issuer (`login/`).

use std::path::PathBuf;
use std::sync::Arc;

use super::account::{Account, Source};
use super::problem::AccountProblem;
use super::secret::Secret;
use super::verbs::NewLogin;
use super::view::{AccountId, AccountState, AccountView};
use super::{Accounts, CodexAuth};

/// An account that was signed in.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) account: AccountView,
    /// It was in the list before.
    pub(crate) replaced: bool,
    /// The refresh token of the own login that was replaced.
    pub(crate) superseded: Option<Secret>,
}

/// An account that was signed out.
#[derive(Debug)]
pub(crate) struct Removed {
    pub(crate) account: AccountView,
    pub(crate) access_token: Option<Secret>,
    pub(crate) refresh_token: Option<Secret>,
    /// Of a linked account: where the login still is.
    pub(crate) codex: Option<Arc<CodexAuth>>,
}

impl Accounts {
    /// Keeps a new login of our own, or a key.
    pub(crate) async fn sign_in(&self, login: NewLogin) -> Result<Added, AccountProblem> {
        let held = self.hold(&login.id()).await?;
        let before = self.listed(&login.id()).await?;
        let mut superseded = None;
        if let Some(before) = &before {
            // A login that can't be read can't be ended either; that must not keep the new one out.
            superseded = before.read(true).await.ok().and_then(|tokens| tokens.refresh_token.clone());
        }
        let id = self.add_held(login).await?;
        drop(held);
        Ok(Added { account: self.shown(&id)?, replaced: before.is_some(), superseded })
    }

    /// Uses the Codex CLI's login beside the others.
    pub(crate) async fn link(&self, codex_home: PathBuf) -> Result<Added, AccountProblem> {
        let before = self.ids().await?;
        let id = self.add_linked(codex_home).await?;
        Ok(Added { account: self.shown(&id)?, replaced: before.contains(&id), superseded: None })
    }

    /// Forgets an account, and hands out what it held.
    pub(crate) async fn sign_out(&self, words: &str) -> Result<Removed, AccountProblem> {
        if self.ids().await?.is_empty() && self.roster().in_use().state == AccountState::None {
            return Err(AccountProblem::Unknown { words: words.to_owned(), known: Vec::new() });
        }
        let account = self.find(words).await?;
        let id = account.id().clone();
        // Longer than the lock's limit a renewal does not take; a lock that can't be had must not keep anybody in.
        let held = account.lock().await.ok();
        let tokens = account.read(true).await.ok();
        let view = self.shown(&id)?;
        self.remove_held(id.as_str()).await?;
        drop(held);
        let codex = match &account.source {
            Source::Linked(codex) => Some(Arc::clone(codex)),
            Source::Own(_) => None,
        };
        let (access_token, refresh_token) = match tokens {
            Some(tokens) => (Some(tokens.access_token.clone()), tokens.refresh_token.clone()),
            None => (None, None),
        };
        Ok(Removed { account: view, access_token, refresh_token, codex })
    }

    async fn ids(&self) -> Result<Vec<AccountId>, AccountProblem> {
        let list = Arc::clone(&self.list);
        let read = tokio::task::spawn_blocking(move || list.read()).await.map_err(failed)?;
        Ok(read?.accounts.iter().map(|entry| entry.id.clone()).collect())
    }

    /// The account, if it is in the list.
    async fn listed(&self, id: &AccountId) -> Result<Option<Arc<Account>>, AccountProblem> {
        Ok(if self.ids().await?.contains(id) { self.get(id).await } else { None })
    }

    fn shown(&self, id: &AccountId) -> Result<AccountView, AccountProblem> {
        self.roster()
            .now()
            .get(id)
            .cloned()
            .ok_or_else(|| failed("another process removed the account meanwhile"))
    }
}

fn failed(why: impl ToString) -> AccountProblem {
    AccountProblem::Failed(why.to_string())
}

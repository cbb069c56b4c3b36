//! The door, where it leads to the accounts.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::{Backend, Client};
use crate::accounts::{AccountId, AccountProblem, AccountView, Accounts, AccountsView, NewLogin, Roster};
use crate::limits::Limits;

impl Client {
    fn roster(&self) -> &Roster {
        match &self.backend {
            Backend::ChatGpt(codex) => codex.accounts.roster(),
            Backend::Demo(demo) => &demo.roster,
        }
    }

    /// The accounts; none with the demo backend.
    pub(crate) fn room(&self) -> Result<&Arc<Accounts>, AccountProblem> {
        match &self.backend {
            Backend::ChatGpt(codex) => Ok(&codex.accounts),
            Backend::Demo(_) => Err(AccountProblem::Demo),
        }
    }

    /// What may be shown of the accounts, as last read.
    pub fn accounts(&self) -> AccountsView {
        self.roster().now()
    }

    /// The same and its changes: logins, limits, which one is in use.
    pub fn accounts_updates(&self) -> watch::Receiver<AccountsView> {
        self.roster().subscribe()
    }

    /// What may be shown of the account in use.
    pub fn account(&self) -> AccountView {
        self.roster().in_use()
    }

    /// The limits of the account in use.
    pub fn limits(&self) -> Limits {
        self.account().limits
    }

    /// The limits of this account, as last read; none if it is not there any more.
    pub fn limits_of(&self, account: &AccountId) -> Limits {
        self.accounts().get(account).map(|account| account.limits.clone()).unwrap_or_default()
    }

    /// Reads the usage page of every account now, and tells for each that could not be read why.
    pub async fn refresh_limits(&self) -> Vec<(AccountId, String)> {
        match &self.backend {
            Backend::ChatGpt(codex) => codex.refresh_limits().await,
            Backend::Demo(_) => Vec::new(),
        }
    }

    /// Somebody looks at the limits: they are read again in the background if they are old.
    pub fn limits_looked_at(&self) {
        if let Backend::ChatGpt(codex) = &self.backend {
            codex.limits_looked_at();
        }
    }

    /// Reads every login again, without network, and tells what may be shown of it.
    pub async fn check_accounts(&self) -> AccountsView {
        match &self.backend {
            Backend::ChatGpt(codex) => codex.accounts.look().await,
            Backend::Demo(_) => self.accounts(),
        }
    }

    /// Uses the login that a Codex CLI keeps in this directory (its `CODEX_HOME`), beside the other accounts.
    pub async fn link_account(&self, codex_home: PathBuf) -> Result<AccountId, AccountProblem> {
        self.room()?.add_linked(codex_home).await
    }

    /// Keeps a key of the OpenAI API, which is not asked whether it likes it.
    pub async fn add_api_key(&self, key: &str, name: Option<String>) -> Result<AccountId, AccountProblem> {
        self.room()?.add(NewLogin { name, ..NewLogin::api_key(key) }).await
    }

    /// Forgets an account. Nobody is told at the issuer.
    pub async fn remove_account(&self, words: &str) -> Result<AccountId, AccountProblem> {
        self.room()?.remove(words).await
    }

    /// Gives an account a name; `None` takes it away.
    pub async fn rename_account(&self, words: &str, name: Option<&str>) -> Result<AccountId, AccountProblem> {
        self.room()?.rename(words, name).await
    }

    /// Prefers an account to the others.
    pub async fn prefer_account(&self, words: &str) -> Result<AccountId, AccountProblem> {
        self.room()?.prefer(words).await
    }

    /// Lets an account that rests be tried at once.
    pub async fn retry_account(&self, words: &str) -> Result<AccountId, AccountProblem> {
        let id = self.room()?.retry(words).await?;
        if let Backend::ChatGpt(codex) = &self.backend {
            codex.kept.lifted(&id).await;
        }
        Ok(id)
    }

    /// From now on nobody but this account answers in this session, paused and resting included.
    pub async fn pin_account(&self, session: &str, words: &str) -> Result<AccountId, AccountProblem> {
        self.room()?.pin(session, words).await
    }

    /// Renews an account's token now, whatever its age.
    pub async fn refresh_account(&self, words: &str) -> Result<AccountId, AccountProblem> {
        self.room()?.refresh(words).await
    }

    /// Keeps an account out of use, or lets it in again.
    pub async fn pause_account(&self, words: &str, paused: bool) -> Result<AccountId, AccountProblem> {
        self.room()?.pause(words, paused).await
    }
}

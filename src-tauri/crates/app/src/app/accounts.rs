//! What a user does with accounts. Each verb answers with the accounts as they are afterwards.

use std::path::PathBuf;

use dragoman_upstream::{AccountId, AccountsView};

use super::App;
use crate::Error;

impl App {
    /// The accounts, their logins read again from where they are kept; no network.
    pub async fn check_accounts(&self) -> AccountsView {
        let accounts = self.inner.client.check_accounts().await;
        self.inner.board.publish();
        accounts
    }

    /// Use the login of the Codex CLI in this directory beside the other accounts; `None`: its usual directory.
    pub async fn link_account(&self, codex_home: Option<PathBuf>) -> Result<AccountId, Error> {
        let home = codex_home.or_else(|| self.inner.paths.codex.clone());
        let home =
            home.or_else(|| std::env::home_dir().map(|home| home.join(".codex"))).ok_or(Error::NoHome)?;
        self.told(self.inner.client.link_account(home).await)
    }

    /// Forget an account. `words` is its name, address, id or place in the list, here and below.
    pub async fn remove_account(&self, words: &str) -> Result<AccountId, Error> {
        self.told(self.inner.client.remove_account(words).await)
    }

    /// Give an account a name; `None` takes it away.
    pub async fn rename_account(&self, words: &str, name: Option<&str>) -> Result<AccountId, Error> {
        self.told(self.inner.client.rename_account(words, name).await)
    }

    /// Prefer an account to the others.
    pub async fn use_account(&self, words: &str) -> Result<AccountId, Error> {
        self.told(self.inner.client.prefer_account(words).await)
    }

    /// Keep an account out of use, or let it in again.
    pub async fn pause_account(&self, words: &str, paused: bool) -> Result<AccountId, Error> {
        self.told(self.inner.client.pause_account(words, paused).await)
    }

    fn told<T>(&self, done: Result<T, dragoman_upstream::AccountProblem>) -> Result<T, Error> {
        self.inner.board.publish();
        Ok(done?)
    }
}

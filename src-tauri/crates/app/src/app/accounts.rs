//! What a user does with accounts. `words` is an account's name, address, id, or place in the list.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dragoman_upstream::{AccountId, AccountProblem, AccountsView};
use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use super::App;
use crate::Error;

/// An account answered a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Tested {
    /// Which account.
    pub id: AccountId,
    /// The model that was asked.
    pub model: String,
    /// What it said.
    pub answer: String,
    /// From the question to the whole answer.
    pub milliseconds: u64,
}

/// From the question to the answer of a test.
const PATIENCE: Duration = Duration::from_secs(60);

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

    /// Forget an account here; a linked one stays the Codex CLI's.
    pub async fn remove_account(&self, words: &str) -> Result<AccountId, Error> {
        self.told(self.inner.client.remove_account(words).await)
    }

    /// Give an account a name; `None` takes it away.
    pub async fn rename_account(&self, words: &str, name: Option<&str>) -> Result<AccountId, Error> {
        self.told(self.inner.client.rename_account(words, name).await)
    }

    /// Prefer an account to the others, for all sessions from now on.
    pub async fn use_account(&self, words: &str) -> Result<AccountId, Error> {
        self.told(self.inner.client.prefer_account(words).await)
    }

    /// Keep an account out of use, or let it in again.
    pub async fn pause_account(&self, words: &str, paused: bool) -> Result<AccountId, Error> {
        self.told(self.inner.client.pause_account(words, paused).await)
    }

    /// Let an account at its usage limit be tried at once.
    pub async fn retry_account(&self, words: &str) -> Result<AccountId, Error> {
        self.told(self.inner.client.retry_account(words).await)
    }

    /// Renew an account's token now, whatever its age.
    pub async fn refresh_account(&self, words: &str) -> Result<AccountId, Error> {
        self.told(self.inner.client.refresh_account(words).await)
    }

    /// Ask an account for one word, through the same path as Claude Code's requests. Also one that is paused or rests.
    pub async fn test_account(&self, words: &str) -> Result<Tested, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let session = format!("dragoman-test-{}-{}", std::process::id(), now.as_nanos());
        // The name under which the path knows the session is made of ours.
        let session = dragoman_proxy::session_id(&session);
        let id = self.inner.client.pin_account(&session, words).await?;
        let failed = |words: String| Error::Account(AccountProblem::Failed(words));
        let probe = tokio::time::timeout(PATIENCE, self.inner.proxy.probe(&session)).await;
        self.inner.board.publish();
        let probe = probe
            .map_err(|_| failed(format!("no answer within {} s", PATIENCE.as_secs())))?
            .map_err(|failure| failed(dragoman_proxy::in_words(&failure)))?;
        Ok(Tested {
            id,
            model: probe.model,
            answer: probe.text,
            milliseconds: u64::try_from(probe.took.as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn told<T>(&self, done: Result<T, AccountProblem>) -> Result<T, Error> {
        self.inner.board.publish();
        Ok(done?)
    }
}

//! Signing in and out: the ways to a login, each of which ends with an account in the list or says what to do.
//!
//! Input: a [`Login`], that is a way and what it needs. Output: the steps in a [`Progress`], and who is signed in.
//! Invariants: nothing is kept before it is whole; what is dropped before [`LoginStep::Storing`] leaves nothing behind,
//! no port, no process, no tokens; no step and no error holds a token. Not here: keeping and renewing logins
//! (`accounts/`), showing steps (the shells).

mod api_key;
mod browser;
mod call;
mod callback;
mod codex;
mod device;
mod error;
mod keep;
mod oauth;
mod page;
mod progress;
mod revoke;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use ts_rs::TS;
use utoipa::ToSchema;

use self::browser::Visit;
pub use self::browser::open_in_browser;
pub use self::error::{LoginError, Off, Step};
use self::keep::New;
pub use self::progress::{LoginStep, NotAccepted, Progress, SignedIn};
pub use self::revoke::{Revoked, SignedOut};
use crate::accounts::{Accounts, Issuer, Secret};
use crate::identity::Identity;

/// The two ports that the issuer sends browsers back to (`upstream.md` §a.1); no other is registered.
const CALLBACK_PORTS: [u16; 2] = [1455, 1457];

/// A wish to sign in.
#[derive(Debug)]
pub struct Login {
    /// How.
    pub way: Way,
    /// The only workspace that will do.
    pub workspace: Option<String>,
    /// What the user pastes meanwhile: the address that the browser ended at, or the code.
    pub pasted: mpsc::Receiver<Secret>,
}

/// The ways to sign in.
#[derive(Debug, Clone, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[ts(rename = "LoginWay")]
#[schema(as = LoginWay)]
pub enum Way {
    /// At the sign-in page, in a browser on this computer.
    Browser {
        /// Open it, or only show the address.
        open: bool,
    },
    /// With a code that is typed in a browser anywhere.
    Device,
    /// At the sign-in page, in a browser anywhere; the address it ends at is pasted.
    Manual,
    /// Use the login that the Codex CLI has, together with it.
    Linked,
    /// A login of our own for the account that the Codex CLI is signed in to. Its tokens are not copied: a refresh
    /// token works once, so of two copies one would die.
    Import {
        /// By device code instead of the browser.
        device: bool,
    },
    /// Run `codex login`, then use that login together with the Codex CLI.
    CodexLogin,
    /// A key of the OpenAI API.
    ApiKey {
        /// The key.
        #[ts(type = "string")]
        #[schema(value_type = String)]
        key: Secret,
    },
}

/// What signing in and out needs.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) issuer: Issuer,
    pub(crate) identity: Arc<Identity>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) codex_home: PathBuf,
    pub(crate) ports: Vec<u16>,
    pub(crate) tasks: TaskTracker,
}

impl Desk {
    pub(crate) fn ports() -> Vec<u16> {
        CALLBACK_PORTS.to_vec()
    }

    /// Signs in. Dropping the future cancels it, unless the tokens are being stored: that is finished, so that there is
    /// never half a login.
    pub(crate) async fn sign_in(&self, login: Login, progress: &Progress) -> Result<SignedIn, LoginError> {
        let Login { way, workspace, mut pasted } = login;
        if matches!(way, Way::Import { .. }) {
            codex::look(self, progress).await?;
        }
        let visit = match way {
            Way::Browser { open: true } | Way::Import { device: false } => Some(Visit::Opened),
            Way::Browser { open: false } => Some(Visit::Shown),
            Way::Manual => Some(Visit::Pasted),
            Way::Device | Way::Import { device: true } => None,
            Way::CodexLogin | Way::Linked => {
                if matches!(way, Way::CodexLogin) {
                    codex::run(self, progress).await?;
                }
                codex::look(self, progress).await?;
                return self.store(New::Linked, None, progress).await;
            }
            Way::ApiKey { key } => {
                let key = api_key::check(self, &key, progress).await?;
                return self.store(New::ApiKey(key), None, progress).await;
            }
        };
        let (issued, browser) = match visit {
            Some(visit) => browser::sign_in(self, visit, workspace.as_deref(), &mut pasted, progress).await?,
            None => (device::sign_in(self, progress).await?, None),
        };
        self.store(New::Own { issued, workspace }, browser, progress).await
    }

    /// In a task of its own: from here on nobody's leaving may cut it.
    async fn store(
        &self,
        new: New,
        browser: Option<callback::Browser>,
        progress: &Progress,
    ) -> Result<SignedIn, LoginError> {
        progress.push(LoginStep::Storing);
        let desk = self.clone();
        let stored = self.tasks.spawn(async move {
            let stored = keep::keep(&desk, new).await;
            if let Some(browser) = browser {
                let page = match &stored {
                    Ok(who) => page::Page::signed_in(who),
                    Err(error) => page::Page::failed(error),
                };
                browser.show(&page).await;
            }
            stored
        });
        stored.await.unwrap_or_else(|error| Err(LoginError::Internal { why: error.to_string() }))
    }
}

#[cfg(test)]
mod tests;

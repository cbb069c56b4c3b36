//! What a sign-in tells while it runs: the steps so far, for whoever looks, also late. Not here: drawing them.

use serde::Serialize;
use tokio::sync::watch;
use ts_rs::TS;
use utoipa::ToSchema;

use super::error::{LoginError, LoginTrouble};
use crate::accounts::AccountKind;

/// `codex login` says a dozen lines; a program that floods must not fill the memory.
const MOST: usize = 1_000;

/// One step of a sign-in. None holds a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum LoginStep {
    /// The page of this address must be visited in a browser on this computer.
    WaitingForBrowser {
        /// The sign-in page.
        url: String,
        /// Where it comes back to.
        port: u16,
        /// Until when, unix seconds.
        expires_at: i64,
    },
    /// It could not be opened by itself.
    BrowserNotOpened {
        /// Why.
        why: String,
    },
    /// The page of this address must be visited in a browser anywhere; the address it ends at is to be pasted.
    WaitingForPaste {
        /// The sign-in page.
        url: String,
        /// Until when, unix seconds.
        expires_at: i64,
    },
    /// What came back or was pasted is not from this sign-in; it goes on waiting.
    NotAccepted {
        /// Why.
        why: NotAccepted,
    },
    /// The code must be typed on the page.
    DeviceCode {
        /// The page.
        url: String,
        /// The code.
        code: String,
        /// Until when, unix seconds.
        expires_at: i64,
    },
    /// The Codex CLI is signed in.
    CodexLogin {
        /// Its home.
        home: String,
        /// Its e-mail address.
        label: Option<String>,
        /// Its plan.
        plan: Option<String>,
    },
    /// `codex login` runs.
    CodexStarted {
        /// Its version.
        version: String,
        /// It is older than what Dragoman was tried with.
        is_old: bool,
    },
    /// A line of what it says.
    CodexSays {
        /// The line, without colours.
        line: String,
    },
    /// The API key is tried.
    CheckingKey,
    /// The code is traded for tokens.
    Exchanging,
    /// The tokens are put away. From here on it can't be cancelled.
    Storing,
    /// It worked.
    Done(SignedIn),
    /// It did not.
    Failed(#[ts(as = "LoginTrouble")] LoginError),
    /// It was cancelled.
    Cancelled,
}

impl LoginStep {
    /// Nothing comes after this one.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_) | Self::Cancelled)
    }
}

/// Why something that came in is not the end of this sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotAccepted {
    /// The state is missing or another's.
    WrongState,
    /// There is neither a code nor an error in it.
    NoCode,
}

/// Who is signed in now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct SignedIn {
    /// The account's id in `dragoman accounts`.
    pub account: String,
    /// The e-mail address.
    pub label: Option<String>,
    /// The plan.
    pub plan: Option<String>,
    /// What sort of login it is.
    pub kind: AccountKind,
    /// It was there before, and this login took its place.
    pub replaced: bool,
}

/// Where the steps go.
#[derive(Debug, Clone, Default)]
pub struct Progress(watch::Sender<Vec<LoginStep>>);

impl Progress {
    /// The steps so far, and their changes.
    pub fn subscribe(&self) -> watch::Receiver<Vec<LoginStep>> {
        self.0.subscribe()
    }

    /// Adds a step; after the last one nothing is added.
    pub fn push(&self, step: LoginStep) {
        self.0.send_if_modified(|steps| {
            let over = steps.last().is_some_and(LoginStep::is_last);
            let full = steps.len() >= MOST
                && matches!(step, LoginStep::CodexSays { .. } | LoginStep::NotAccepted { .. });
            if !over && !full {
                steps.push(step);
            }
            !over && !full
        });
    }

    /// The tokens are being put away.
    pub fn is_storing(&self) -> bool {
        self.0.borrow().contains(&LoginStep::Storing)
    }
}

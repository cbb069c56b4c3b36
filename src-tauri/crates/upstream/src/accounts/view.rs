//! What may be shown of the account in use. No token, no account id.

use serde::Serialize;

/// What may be shown of the account in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountView {
    /// The e-mail address of the login.
    pub label: Option<String>,
    /// The plan, e.g. `plus`.
    pub plan: Option<String>,
    /// What sort of login it is.
    pub kind: AccountKind,
    /// Whether it can be used.
    pub state: AccountState,
}

/// What sort of login is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// The Codex CLI's, read live from its `auth.json`.
    Linked,
    /// Our own.
    Own,
    /// The Codex CLI's, but an API key: no subscription.
    ApiKey,
    /// None is needed: the demo backend.
    Demo,
}

/// Whether the login can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "message")]
pub enum AccountState {
    /// It can, as far as is known.
    Ready,
    /// It can't: the sentence says how to sign in.
    SignIn(String),
    /// There is none.
    None,
}

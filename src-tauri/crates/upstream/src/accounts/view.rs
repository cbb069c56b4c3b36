//! What may be shown of the accounts, as one value in a `watch`. No token, no ChatGPT account id.

use std::fmt;
use std::sync::Arc;

use dragoman_protocol::route::Pool;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::limits::Limits;

/// Names one account for as long as it is in the list, and again if the same login is added later. Eight hex digits of
/// a hash: it shows nothing, and it is a file name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS, ToSchema)]
#[serde(try_from = "String")]
pub struct AccountId(String);

impl AccountId {
    /// The id for what makes an account the same one.
    pub(crate) fn of(kind: AccountKind, identity: &str) -> Self {
        let digest = Sha256::digest(format!("{kind:?}\0{identity}").as_bytes());
        Self(digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AccountId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 8 && text.bytes().all(plain) {
            Ok(Self(text))
        } else {
            Err("an account id has eight hex digits")
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What may be shown of one account.
#[derive(Debug, Clone, PartialEq, Serialize, TS, ToSchema)]
pub struct AccountView {
    /// Its name for programs.
    pub id: AccountId,
    /// Its name for people, if they gave it one.
    pub name: Option<String>,
    /// The e-mail address of the login.
    pub label: Option<String>,
    /// The plan, e.g. `plus`.
    pub plan: Option<String>,
    /// What sort of login it is.
    pub kind: AccountKind,
    /// Whether it can be used.
    pub state: AccountState,
    /// The user does not want it to be used for now.
    pub paused: bool,
    /// Its usage limit is reached.
    pub rest: Option<Rest>,
    /// How much of its allowance is used.
    pub limits: Limits,
    /// When it was added, unix seconds; `None`: never, the Codex CLI's login was found.
    pub added_at: Option<i64>,
}

impl AccountView {
    /// An account of which no more is known than what makes it the same one.
    pub fn new(kind: AccountKind, identity: &str) -> Self {
        Self {
            id: AccountId::of(kind, identity),
            name: None,
            label: None,
            plan: None,
            kind,
            state: AccountState::Ready,
            paused: false,
            rest: None,
            limits: Limits::default(),
            added_at: None,
        }
    }
}

/// An account at its usage limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[ts(rename = "AccountRest")]
#[schema(as = AccountRest)]
pub struct Rest {
    /// Since when, unix seconds.
    pub since: i64,
    /// When the limit resets, as far as the backend said.
    pub until: Option<i64>,
}

/// What sort of login it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// The Codex CLI's, read live from its `auth.json`.
    Linked,
    /// Our own.
    Own,
    /// A key of the OpenAI API, paid by use: no subscription.
    ApiKey,
    /// None is needed: the demo backend.
    Demo,
}

impl AccountKind {
    /// Where an account of this sort is, for rules that ask for one.
    pub fn pool(self) -> Pool {
        match self {
            Self::ApiKey => Pool::Api,
            Self::Linked | Self::Own | Self::Demo => Pool::ChatGpt,
        }
    }
}

/// Whether the login can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state", content = "message")]
pub enum AccountState {
    /// It can, as far as is known.
    Ready,
    /// It can't: the sentence says how to sign in.
    SignIn(String),
    /// It can't be read just now, which is not the login's fault: the sentence says what to do.
    Locked(String),
    /// There is none.
    None,
}

/// All accounts, the preferred one first. Never empty: without any account the first one's state is
/// [`AccountState::None`].
#[derive(Debug, Clone, PartialEq, Serialize, TS, ToSchema)]
pub struct AccountsView {
    /// In the order of preference.
    pub accounts: Vec<AccountView>,
    /// The one that answered last, or would answer next.
    pub in_use: AccountId,
}

impl AccountsView {
    /// The account of this id.
    pub fn get(&self, id: &AccountId) -> Option<&AccountView> {
        self.accounts.iter().find(|account| account.id == *id)
    }

    /// The account in use.
    pub fn in_use(&self) -> &AccountView {
        self.get(&self.in_use).unwrap_or(&self.accounts[0])
    }
}

/// The one place where the picture of the accounts is changed.
#[derive(Debug, Clone)]
pub(crate) struct Roster {
    view: Arc<watch::Sender<AccountsView>>,
}

impl Roster {
    /// A roster with one account.
    pub(crate) fn of(account: AccountView) -> Self {
        let view = AccountsView { in_use: account.id.clone(), accounts: vec![account] };
        Self { view: Arc::new(watch::Sender::new(view)) }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<AccountsView> {
        self.view.subscribe()
    }

    pub(crate) fn now(&self) -> AccountsView {
        self.view.borrow().clone()
    }

    /// What may be shown of the account in use.
    pub(crate) fn in_use(&self) -> AccountView {
        self.view.borrow().in_use().clone()
    }

    /// Changes the picture; whoever watches is woken only if it differs afterwards.
    pub(crate) fn change(&self, change: impl FnOnce(&mut AccountsView)) {
        self.view.send_if_modified(|view| {
            let before = view.clone();
            change(view);
            *view != before
        });
    }

    pub(crate) fn seat(&self, id: &AccountId) -> Arc<Seat> {
        Arc::new(Seat { roster: self.clone(), id: id.clone() })
    }
}

/// One account's place in the roster. Once the account is removed, changes to it go nowhere.
#[derive(Debug)]
pub(crate) struct Seat {
    roster: Roster,
    pub(crate) id: AccountId,
}

impl Seat {
    pub(crate) fn view(&self) -> Option<AccountView> {
        self.roster.view.borrow().get(&self.id).cloned()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut AccountView)) {
        self.roster.change(|view| {
            if let Some(account) = view.accounts.iter_mut().find(|account| account.id == self.id) {
                change(account);
            }
        });
    }

    /// Folds a reading into the account's limits; `None` if it tells nothing.
    pub(crate) fn fold<T>(&self, read: impl FnOnce(&Limits) -> Option<(Limits, T)>) -> Option<T> {
        let mut told = None;
        self.change(|account| {
            if let Some((limits, more)) = read(&account.limits) {
                account.limits = limits;
                told = Some(more);
            }
        });
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_file_name_and_the_same_for_the_same_login() {
        let id = AccountId::of(AccountKind::Own, "acct-1 me@example.com");
        assert_eq!(id, AccountId::of(AccountKind::Own, "acct-1 me@example.com"));
        assert_ne!(id, AccountId::of(AccountKind::Linked, "acct-1 me@example.com"));
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<AccountId>(&text).unwrap(), id);
        for wrong in [r#""""#, r#""../../../x""#, r#""ABCDEF01""#, r#""0123456""#] {
            assert!(serde_json::from_str::<AccountId>(wrong).is_err(), "{wrong}");
        }
    }
}

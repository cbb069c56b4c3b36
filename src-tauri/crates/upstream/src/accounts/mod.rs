//! Whose subscription is used: our own login if there is one, else the Codex CLI's; and keeping it alive.
//!
//! Here: reading logins and judging them. Renewing is in `renew.rs`. Not here: signing in (a later issue), failover.

mod codex_auth;
mod jwt;
mod keyring;
mod own;
mod refresh;
mod renew;
mod secret;
mod store;
mod tokens;
mod view;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dragoman_protocol::failure::Failure;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::codex_auth::{CodexAuth, Found};
use self::keyring::KeyringStore;
use self::own::{Own, OwnLogin};
pub(crate) use self::refresh::Issuer;
use self::refresh::Reason;
use self::store::{FileStore, MemoryStore, StoreError, TokenStore};
pub(crate) use self::tokens::Credential;
use self::tokens::Tokens;
pub use self::view::{AccountKind, AccountState, AccountView};
use crate::config::{Config, TokenStoreKind};
use crate::identity::Identity;

/// After a refresh that failed for now, a token that is still valid is used without asking again for this long.
const QUIET: Duration = Duration::from_secs(30);
/// The accounts.
#[derive(Debug)]
pub(crate) struct Accounts {
    own: Arc<Own>,
    linked: Arc<CodexAuth>,
    issuer: Issuer,
    identity: Arc<Identity>,
    /// One refresh at a time.
    single: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
    view: watch::Sender<AccountView>,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct Memory {
    /// The refresh token that is known to be dead, by fingerprint, and the sentence about it.
    dead: Option<([u8; 32], String)>,
    /// Until then no proactive refresh.
    quiet_until: Option<Instant>,
    /// New tokens that could not be written, and the fingerprint of the refresh token that was spent for them.
    unsaved: Option<([u8; 32], Arc<Tokens>)>,
}

/// A login, as read.
#[derive(Debug, Clone)]
enum Login {
    Own(OwnLogin),
    Linked(Arc<Tokens>),
}

impl Login {
    fn tokens(&self) -> &Arc<Tokens> {
        match self {
            Self::Own(login) => &login.tokens,
            Self::Linked(tokens) => tokens,
        }
    }

    fn kind(&self) -> AccountKind {
        match self {
            Self::Own(_) => AccountKind::Own,
            Self::Linked(_) => AccountKind::Linked,
        }
    }
}

impl Accounts {
    pub(crate) fn new(config: &Config, issuer: Issuer, identity: Arc<Identity>, tasks: TaskTracker) -> Self {
        let store: Arc<dyn TokenStore> = match config.token_store {
            TokenStoreKind::Keyring => Arc::new(KeyringStore::new()),
            TokenStoreKind::File => Arc::new(FileStore::new(config.state_dir.join("tokens"))),
            TokenStoreKind::Memory => Arc::new(MemoryStore::default()),
        };
        let home = config
            .codex_home
            .clone()
            .or_else(|| std::env::home_dir().map(|home| home.join(".codex")))
            .unwrap_or_else(|| PathBuf::from(".codex"));
        let nobody =
            AccountView { label: None, plan: None, kind: AccountKind::Linked, state: AccountState::None };
        Self {
            own: Arc::new(Own::new(config.state_dir.clone(), store)),
            linked: Arc::new(CodexAuth::new(home)),
            issuer,
            identity,
            single: tokio::sync::Mutex::new(()),
            memory: Mutex::new(Memory::default()),
            view: watch::Sender::new(nobody),
            tasks,
        }
    }

    /// What may be shown of the account, and its changes.
    pub(crate) fn view(&self) -> watch::Receiver<AccountView> {
        self.view.subscribe()
    }

    /// Who the next request is made for. No network.
    pub(crate) async fn credential(&self) -> Result<Credential, Failure> {
        let login = self.read(false).await?;
        Ok(Credential::from(login.tokens().as_ref()))
    }

    /// The same with a token that has some life left: renewed if it ends within five minutes.
    pub(crate) async fn usable(self: &Arc<Self>) -> Result<Credential, Failure> {
        let credential = self.credential().await?;
        let now = Timestamp::now().as_second();
        if !credential.is_expiring(now) {
            return Ok(credential);
        }
        let expired = credential.is_expired(now);
        let quiet = self.memory(|memory| memory.quiet_until.is_some_and(|until| Instant::now() < until));
        if quiet && !expired {
            return Ok(credential);
        }
        match self.renew(credential.clone(), Reason::ProactiveExpiry).await {
            Err(failure) if !expired => {
                tracing::warn!(%failure, "the login could not be renewed yet, its token is still valid");
                self.memory(|memory| memory.quiet_until = Some(Instant::now() + QUIET));
                Ok(credential)
            }
            other => other,
        }
    }

    /// After a 401: what the login says now, if that is something else; else the token is renewed.
    pub(crate) async fn recover(self: &Arc<Self>, refused: &Credential) -> Result<Recovered, Failure> {
        let login = self.read(false).await?;
        let now = Credential::from(login.tokens().as_ref());
        if now.access != refused.access && !now.is_expired(Timestamp::now().as_second()) {
            return Ok(Recovered::Reloaded);
        }
        self.renew(refused.clone(), Reason::UnauthorizedRecovery).await.map(|_| Recovered::Renewed)
    }

    /// Reads the login again for the view; no network.
    pub(crate) async fn look(&self) -> AccountView {
        // A failure shows in the view.
        let _ = self.read(true).await;
        self.view.borrow().clone()
    }

    /// What to say when the backend refuses even a new token.
    pub(crate) fn refused(&self) -> Failure {
        let message = self.ended("the ChatGPT backend does not accept it");
        self.view.send_modify(|view| view.state = AccountState::SignIn(message.clone()));
        Failure::SignIn { message }
    }

    // === reading ===

    async fn read(&self, anew: bool) -> Result<Login, Failure> {
        let (own, linked) = (Arc::clone(&self.own), Arc::clone(&self.linked));
        let read = tokio::task::spawn_blocking(move || {
            let own = if anew { own.read_anew() } else { own.read() };
            match own {
                Ok(Some(login)) => Read::Login(Login::Own(login)),
                // Another account must not step in silently for one that can't be read.
                Err(error) => Read::Locked(error),
                Ok(None) => match if anew { linked.read_anew() } else { linked.read() } {
                    Ok(Found::Login(tokens)) => Read::Login(Login::Linked(tokens)),
                    Ok(Found::ApiKey) => Read::ApiKey,
                    Ok(Found::Nothing) => Read::Nothing,
                    Err(error) => Read::Unreadable(error),
                },
            }
        })
        .await
        .map_err(|error| Failure::Internal { message: format!("reading the login failed: {error}") })?;
        self.judge(read)
    }

    /// Puts what was read into the view, and into words if it is of no use.
    fn judge(&self, read: Read) -> Result<Login, Failure> {
        let home = self.linked.home().display();
        let (kind, state) = match read {
            Read::Login(login) => {
                let login = self.with_unsaved(login);
                let credential = Credential::from(login.tokens().as_ref());
                let dead = self.sentence_about(&credential);
                self.show(AccountView {
                    label: credential.email,
                    plan: credential.plan,
                    kind: login.kind(),
                    state: dead.map_or(AccountState::Ready, AccountState::SignIn),
                });
                return Ok(login);
            }
            Read::Locked(error) => {
                tracing::warn!(%error, "the own login cannot be read");
                let words = error.to_string();
                (AccountKind::Own, AccountState::SignIn(format!("Your login cannot be read: {words}.")))
            }
            Read::ApiKey => (
                AccountKind::ApiKey,
                AccountState::SignIn(format!(
                    "The Codex CLI in {home} is signed in with an API key; Dragoman needs a ChatGPT login. Run `codex \
                     login` and choose ChatGPT, or try `dragoman demo`, which needs no account."
                )),
            ),
            Read::Unreadable(error) => (
                AccountKind::Linked,
                AccountState::SignIn(format!(
                    "The Codex CLI's login in {home}/auth.json cannot be read ({error}). Run `codex login` again."
                )),
            ),
            Read::Nothing => {
                self.show(AccountView {
                    label: None,
                    plan: None,
                    kind: AccountKind::Linked,
                    state: AccountState::None,
                });
                return Err(Failure::SignIn {
                    message: format!(
                        "No ChatGPT login found in {home}. Install the Codex CLI and run `codex login`; Dragoman uses \
                         that login. (If your Codex CLI keeps it in the keyring, set cli_auth_credentials_store = \
                         \"file\" in its config.toml first.) To try without an account, run `dragoman demo`."
                    ),
                });
            }
        };
        let message = match &state {
            AccountState::SignIn(message) => message.clone(),
            AccountState::Ready | AccountState::None => String::new(),
        };
        self.show(AccountView { label: None, plan: None, kind, state });
        Err(Failure::SignIn { message })
    }

    fn show(&self, view: AccountView) {
        self.view.send_if_modified(|shown| {
            let changed = *shown != view;
            *shown = view;
            changed
        });
    }

    /// Tokens that we hold and could not write stand in for those that were spent for them.
    fn with_unsaved(&self, login: Login) -> Login {
        let unsaved = self.memory(|memory| memory.unsaved.clone());
        let Some((spent, newer)) = unsaved else { return login };
        match login.tokens().refresh_token.as_ref() {
            Some(token) if token.fingerprint() == spent => match login {
                Login::Own(own) => Login::Own(OwnLogin { tokens: newer, ..own }),
                Login::Linked(_) => Login::Linked(newer),
            },
            _ => login,
        }
    }

    fn sentence_about(&self, credential: &Credential) -> Option<String> {
        let fingerprint = credential.refresh.as_ref()?.fingerprint();
        self.memory(|memory| memory.dead.clone())
            .filter(|(dead, _)| *dead == fingerprint)
            .map(|(_, words)| words)
    }

    fn ended(&self, why: &str) -> String {
        let way = match self.view.borrow().kind {
            AccountKind::Own => "Run `dragoman login` to sign in again.",
            AccountKind::Linked | AccountKind::ApiKey | AccountKind::Demo => {
                "Run `codex login` to sign in again; Dragoman then goes on by itself."
            }
        };
        format!("The ChatGPT login is no longer valid: {why}. {way}")
    }

    fn memory<T>(&self, with: impl FnOnce(&mut Memory) -> T) -> T {
        with(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What helped after a 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// Another token stood on the disk.
    Reloaded,
    /// The token was renewed.
    Renewed,
}

/// What reading found.
enum Read {
    Login(Login),
    Locked(Arc<StoreError>),
    ApiKey,
    Unreadable(io::Error),
    Nothing,
}

#[cfg(test)]
pub(crate) mod tests;

//! Whose subscription is used: our own login if there is one, else the Codex CLI's; and keeping it alive.
//!
//! One refresh at a time in this process, under a file lock between processes, in a task of its own: a client that
//! hangs up must not cost a refresh token that has been spent. Not here: signing in (a later issue), failover.

mod codex_auth;
mod jwt;
mod keyring;
mod own;
mod refresh;
mod secret;
mod store;
mod tokens;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dragoman_protocol::failure::Failure;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::codex_auth::{CodexAuth, Found};
use self::keyring::KeyringStore;
use self::own::{Own, OwnLogin};
pub(crate) use self::refresh::Issuer;
use self::refresh::{Reason, Refused};
use self::store::{FileStore, MemoryStore, StoreError, TokenStore};
pub(crate) use self::tokens::Credential;
use self::tokens::{Renewed, Tokens};
use crate::config::{Config, TokenStoreKind};
use crate::files::{self, Lock};
use crate::identity::Identity;

/// From asking for the login's lock to having it. The holder may be refreshing, which takes at most 20 s.
const LOCK_LIMIT: Duration = Duration::from_secs(30);
/// After a refresh that failed for now, a token that is still valid is used without asking again for this long.
const QUIET: Duration = Duration::from_secs(30);
/// How long the Codex CLI may take to write what it got for the token that we then found spent.
const HEALING: Duration = Duration::from_secs(3);

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
        let login = self.read(true).await?;
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

    // === renewing ===

    /// Renews the token unless somebody else already has.
    async fn renew(self: &Arc<Self>, stale: Credential, reason: Reason) -> Result<Credential, Failure> {
        let accounts = Arc::clone(self);
        let task = self.tasks.spawn(async move { accounts.renew_alone(&stale, reason).await });
        task.await.unwrap_or_else(|error| {
            Err(Failure::Internal { message: format!("the refresh broke off: {error}") })
        })
    }

    async fn renew_alone(&self, stale: &Credential, reason: Reason) -> Result<Credential, Failure> {
        let _single = self.single.lock().await;
        let lock = self.lock(&self.read(false).await?).await?;
        let login = self.read(true).await?;
        let current = Credential::from(login.tokens().as_ref());
        if current.access != stale.access && !current.is_expiring(Timestamp::now().as_second()) {
            return Ok(current);
        }
        if let Some(message) = self.sentence_about(&current) {
            return Err(Failure::SignIn { message });
        }
        let Some(token) = current.refresh.clone() else {
            return Err(Failure::SignIn { message: self.ended("it holds no refresh token") });
        };
        match self.issuer.refresh(&self.identity, &token, reason).await {
            Ok(new) => {
                let tokens = self.keep(&login, &new).await;
                drop(lock);
                self.memory(|memory| memory.quiet_until = None);
                tracing::info!(?reason, "login renewed");
                self.judge(Read::Login(match login {
                    Login::Own(own) => Login::Own(OwnLogin { tokens: Arc::clone(&tokens), ..own }),
                    Login::Linked(_) => Login::Linked(Arc::clone(&tokens)),
                }))?;
                Ok(Credential::from(tokens.as_ref()))
            }
            Err(Refused::Reused) => {
                // The Codex CLI spends the token before it takes the lock: let go, and see what it writes.
                drop(lock);
                match self.healed(&token).await {
                    Some(credential) => Ok(credential),
                    None => Err(self.bury(&token, "its refresh token was already used by another program")),
                }
            }
            Err(Refused::Permanent(why)) => Err(self.bury(&token, why)),
            Err(Refused::Transient(failure)) => Err(failure),
        }
    }

    async fn lock(&self, login: &Login) -> Result<Lock, Failure> {
        let (held, path) = match login {
            Login::Own(_) => (self.own.lock(LOCK_LIMIT).await, "the account list".to_owned()),
            Login::Linked(_) => {
                let home = self.linked.home().to_owned();
                let path = home.join("auth.json").display().to_string();
                // A token must not be spent where its successor can't be written.
                let probe = files::blocking(move || {
                    tempfile::Builder::new().prefix(".auth-").tempfile_in(home).map(drop)
                });
                match probe.await {
                    Ok(()) => (self.linked.lock(LOCK_LIMIT).await, path),
                    Err(error) => (Err(error), path),
                }
            }
        };
        held.map_err(|error| Failure::SignIn {
            message: if error.kind() == io::ErrorKind::TimedOut {
                format!("The login must be renewed, but another program keeps {path} locked. Close it and try again.")
            } else {
                format!("The login must be renewed, but {path} cannot be written ({error}). Make it writable, or sign in again.")
            },
        })
    }

    /// Writes the new tokens before anybody uses them. If that fails they live on in memory.
    async fn keep(&self, login: &Login, new: &Renewed) -> Arc<Tokens> {
        let now = Timestamp::now();
        let tokens = Arc::new(login.tokens().renewed(new, now));
        // What the disk may still hold: the token just spent, or the one before it if that could not be written.
        let on_disk = self.memory(|memory| memory.unsaved.as_ref().map(|(spent, _)| *spent));
        let spent = login.tokens().refresh_token.as_ref().map(secret::Secret::fingerprint);
        let written = match login {
            Login::Own(own) => {
                let login = OwnLogin { tokens: Arc::clone(&tokens), ..own.clone() };
                let store = Arc::clone(&self.own);
                tokio::task::spawn_blocking(move || {
                    store.save(&login).map(|()| Arc::clone(&login.tokens)).map_err(|error| error.to_string())
                })
                .await
            }
            Login::Linked(_) => {
                let (linked, new) = (Arc::clone(&self.linked), new.clone());
                let renewed = Arc::clone(&tokens);
                let spent: Vec<_> = on_disk.into_iter().chain(spent).collect();
                tokio::task::spawn_blocking(move || match linked.commit(&spent, &new, now) {
                    // Somebody signed in meanwhile: that login is the newer one.
                    Ok(Found::Login(tokens)) => Ok(tokens),
                    Ok(Found::ApiKey | Found::Nothing) => Ok(renewed),
                    Err(error) => Err(error.to_string()),
                })
                .await
            }
        };
        match written {
            Ok(Ok(tokens)) => {
                self.memory(|memory| memory.unsaved = None);
                tokens
            }
            failed => {
                let error = match failed {
                    Ok(Err(error)) => error,
                    Err(error) => error.to_string(),
                    Ok(Ok(_)) => String::new(),
                };
                tracing::error!(error, "renewed tokens could not be written; they are kept in memory only");
                let spent = on_disk.or(spent);
                self.memory(|memory| memory.unsaved = spent.map(|spent| (spent, Arc::clone(&tokens))));
                tokens
            }
        }
    }

    async fn healed(&self, spent: &secret::Secret) -> Option<Credential> {
        let until = Instant::now() + HEALING;
        loop {
            let login = self.read(true).await.ok()?;
            let credential = Credential::from(login.tokens().as_ref());
            if credential.refresh.as_ref() != Some(spent)
                && !credential.is_expired(Timestamp::now().as_second())
            {
                return Some(credential);
            }
            if Instant::now() >= until {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn bury(&self, token: &secret::Secret, why: &str) -> Failure {
        let message = self.ended(why);
        tracing::warn!(why, "the login is over");
        self.memory(|memory| memory.dead = Some((token.fingerprint(), message.clone())));
        self.view.send_modify(|view| view.state = AccountState::SignIn(message.clone()));
        Failure::SignIn { message }
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
    Locked(StoreError),
    ApiKey,
    Unreadable(io::Error),
    Nothing,
}

#[cfg(test)]
pub(crate) mod tests;

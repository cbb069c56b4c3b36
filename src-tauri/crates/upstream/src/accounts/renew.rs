//! Renewing a login: one refresh at a time in this process, under the login's file lock between processes.
//!
//! The order is: lock, re-read, spend the refresh token, write its successor, use the new token. Not here: when
//! (`account.rs`), the call itself (`refresh.rs`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use dragoman_protocol::failure::Failure;
use jiff::Timestamp;
use tokio::time::Instant;

use super::account::{Account, Source};
use super::codex_auth::Found;
use super::refresh::{Reason, Refused};
use super::secret::Secret;
use super::tokens::{Credential, Renewed, Tokens};
use super::view::AccountState;
use crate::files::{self, Lock};

/// From asking for the login's lock to having it. The holder may be refreshing, which takes at most 20 s.
const LOCK_LIMIT: Duration = Duration::from_secs(30);
/// How long the Codex CLI may take to write what it got for the token that we then found spent.
const HEALING: Duration = Duration::from_secs(3);

impl Account {
    /// Renews the token unless somebody else already has. In a task of its own: a client that hangs up must not cost a
    /// refresh token that has been spent.
    pub(super) async fn renew(
        self: &Arc<Self>,
        stale: Credential,
        reason: Reason,
    ) -> Result<Credential, Failure> {
        let account = Arc::clone(self);
        let task = self.means.tasks.spawn(async move { account.renew_alone(&stale, reason).await });
        task.await.unwrap_or_else(|error| {
            Err(Failure::Internal { message: format!("the refresh broke off: {error}") })
        })
    }

    async fn renew_alone(&self, stale: &Credential, reason: Reason) -> Result<Credential, Failure> {
        let _single = self.single.lock().await;
        let is_new = |current: &Credential| current.access != stale.access && self.lasts(current);
        // Those who waited for another's refresh are done here.
        let current = self.credential().await?;
        if is_new(&current) {
            return Ok(current);
        }
        let lock = self.lock().await?;
        let tokens = self.read(true).await?;
        let current = self.speak(&tokens);
        if is_new(&current) {
            return Ok(current);
        }
        if let Some(message) = self.sentence_about(&current) {
            return Err(Failure::SignIn { message });
        }
        let Some(token) = current.refresh.clone() else {
            return Err(Failure::SignIn { message: self.ended("it holds no refresh token") });
        };
        match self.means.issuer.refresh(&self.means.identity, &token, reason).await {
            Ok(new) => {
                let tokens = self.keep(&tokens, &new).await;
                drop(lock);
                self.memory(|memory| {
                    memory.trouble = None;
                    memory.minted = Some((tokens.access_token.fingerprint(), Instant::now()));
                });
                tracing::info!(account = %self.id(), ?reason, "login renewed");
                Ok(self.speak(&self.show(tokens)))
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
            Err(Refused::Transient(failure)) => {
                self.stumbled(&failure);
                Err(failure)
            }
        }
    }

    pub(super) async fn lock(&self) -> Result<Lock, Failure> {
        let (held, path) = match &self.source {
            Source::Own(own) => (own.lock(LOCK_LIMIT).await, "the account list".to_owned()),
            Source::Linked(linked) => {
                let home = linked.home().to_owned();
                let path = home.join("auth.json").display().to_string();
                // A token must not be spent where its successor can't be written.
                let probe = files::blocking(move || {
                    tempfile::Builder::new().prefix(".auth-").tempfile_in(home).map(drop)
                });
                match probe.await {
                    Ok(()) => (linked.lock(LOCK_LIMIT).await, path),
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
    async fn keep(&self, old: &Tokens, new: &Renewed) -> Arc<Tokens> {
        let now = Timestamp::now();
        let tokens = Arc::new(old.renewed(new, now));
        // What the disk may still hold: the token just spent, or the one before it if that could not be written.
        let on_disk = self.memory(|memory| memory.unsaved.as_ref().map(|(spent, _)| *spent));
        let spent = old.refresh_token.as_ref().map(Secret::fingerprint);
        let (source, new, renewed) = (self.source.clone(), new.clone(), Arc::clone(&tokens));
        let holders: Vec<_> = on_disk.into_iter().chain(spent).collect();
        let written = tokio::task::spawn_blocking(move || match source {
            Source::Own(own) => own.save(&renewed).map(|()| renewed).map_err(|error| error.to_string()),
            Source::Linked(linked) => match linked.commit(&holders, &new, now) {
                // Somebody signed in meanwhile: that login is the newer one.
                Ok(Found::Login(tokens)) => Ok(tokens),
                Ok(Found::ApiKey | Found::Nothing) => Ok(renewed),
                Err(error) => Err(error.to_string()),
            },
        })
        .await;
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

    async fn healed(&self, spent: &Secret) -> Option<Credential> {
        let until = Instant::now() + HEALING;
        loop {
            let credential = self.speak(self.read(true).await.ok()?.as_ref());
            if credential.refresh.as_ref() != Some(spent) && !credential.is_expired(self.now()) {
                return Some(credential);
            }
            if Instant::now() >= until {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn bury(&self, token: &Secret, why: &str) -> Failure {
        let message = self.ended(why);
        tracing::warn!(account = %self.id(), why, "the login is over");
        self.memory(|memory| memory.dead = Some((token.fingerprint(), message.clone())));
        self.seat.change(|account| account.state = AccountState::SignIn(message.clone()));
        Failure::SignIn { message }
    }
}

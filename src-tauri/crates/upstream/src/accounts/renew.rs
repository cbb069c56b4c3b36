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
use super::tokens::{Credential, Tokens};
use super::view::AccountState;
use crate::files::{self, Lock};

/// From asking for the login's lock to having it. The holder may be refreshing, which takes at most 20 s.
pub(super) const LOCK_LIMIT: Duration = Duration::from_secs(30);
/// How long the Codex CLI may take to write what it got for the token that we then found spent.
const HEALING: Duration = Duration::from_secs(3);
/// Why a login is over whose renewal broke off.
const CUT: &str =
    "Dragoman was ended in the middle of renewing it, and what the login server answered was lost";
/// A store that did not take new tokens is not asked again for this long.
const SAVING: Duration = Duration::from_secs(5);

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
        if let Some(message) = self.cannot_be_renewed(&current) {
            return Err(Failure::SignIn { message });
        }
        let Some(token) = current.refresh.clone() else {
            return Err(Failure::SignIn { message: self.ended("it holds no refresh token") });
        };
        let was_cut = self.was_cut(&current);
        let kept = self.mark_sent(&token).await?;
        match self.means.issuer.refresh(&self.means.identity, &token, reason).await {
            Ok(new) => {
                let tokens = self.keep(kept, Arc::new(tokens.renewed(&new, Timestamp::now()))).await;
                drop(lock);
                self.memory(|memory| {
                    memory.trouble = None;
                    memory.cut = None;
                    memory.minted = Some((tokens.access_token.fingerprint(), Instant::now()));
                    if let Some(refused) = &mut memory.refused {
                        // The same login: it is not better for being renewed once more.
                        refused.token = tokens.access_token.fingerprint();
                    }
                });
                tracing::info!(account = %self.id(), ?reason, "login renewed");
                Ok(self.speak(&self.show(tokens)))
            }
            Err(Refused::Reused) => {
                // The Codex CLI spends the token before it takes the lock: let go, and see what it writes.
                drop(lock);
                match self.healed(&token).await {
                    Some(credential) => Ok(credential),
                    None if was_cut => Err(self.bury(&token, &kept, CUT).await),
                    None => {
                        let why = "its refresh token was already used by another program";
                        Err(self.bury(&token, &kept, why).await)
                    }
                }
            }
            Err(Refused::Permanent(why)) => Err(self.bury(&token, &kept, why).await),
            Err(Refused::Transient(failure)) => {
                // The mark stays: after a lost answer nobody knows what became of the token.
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

    /// Puts down that the token is about to be sent; answers the refresh token that the store holds. Without the mark
    /// nothing is sent: where it can't be written, the answer could not be kept either.
    async fn mark_sent(&self, token: &Secret) -> Result<Secret, Failure> {
        let unsaved = self.memory(|memory| memory.unsaved.clone());
        let (journal, at) = (self.journal.clone(), self.now());
        let (kept, newer) = match unsaved {
            Some((kept, newer)) if newer.refresh_token.as_ref() == Some(token) => (kept, Some(newer)),
            _ => (token.clone(), None),
        };
        let seal = kept.clone();
        files::blocking(move || journal.sent(&seal, newer.as_deref(), at)).await.map_err(|error| {
            Failure::SignIn {
                message: format!(
                    "The login must be renewed, but Dragoman's state directory cannot be written ({error}). Make room on \
                     the disk, or make it writable."
                ),
            }
        })?;
        Ok(kept)
    }

    /// Keeps the new tokens before anybody uses them: first sealed in the journal, which is quick, then in the store.
    async fn keep(&self, kept: Secret, tokens: Arc<Tokens>) -> Arc<Tokens> {
        let (journal, newer, seal, at) =
            (self.journal.clone(), Arc::clone(&tokens), kept.clone(), self.now());
        if let Err(error) = files::blocking(move || journal.answered(&seal, &newer, at)).await {
            tracing::error!(%error, "renewed tokens could not be put into the journal");
        }
        self.memory(|memory| memory.unsaved = Some((kept.clone(), Arc::clone(&tokens))));
        self.store(kept, tokens).await
    }

    /// Writes tokens that the store does not hold yet; the login's lock is held. Answers the login as it is then.
    async fn store(&self, kept: Secret, tokens: Arc<Tokens>) -> Arc<Tokens> {
        let (source, journal, renewed) = (self.source.clone(), self.journal.clone(), Arc::clone(&tokens));
        let written = tokio::task::spawn_blocking(move || {
            let stored = match source {
                // Somebody signed in or out meanwhile: that counts.
                Source::Own(own) => match own.commit(&kept, &renewed) {
                    Ok(tokens) => Ok(tokens.unwrap_or(renewed)),
                    Err(error) => Err(error.to_string()),
                },
                Source::Linked(linked) => match linked.commit(&kept, &renewed) {
                    // Somebody signed in meanwhile: that login is the newer one.
                    Ok(Found::Login(tokens)) => Ok(tokens),
                    Ok(Found::ApiKey | Found::Nothing) => Ok(renewed),
                    Err(error) => Err(error.to_string()),
                },
            };
            if stored.is_ok() {
                journal.close();
            }
            stored
        })
        .await;
        match written.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(tokens) => {
                self.memory(|memory| memory.unsaved = None);
                tokens
            }
            Err(error) => {
                tracing::error!(account = %self.id(), error, "renewed tokens could not be stored yet; they are in the journal");
                self.memory(|memory| memory.saving_rests_until = Some(Instant::now() + SAVING));
                tokens
            }
        }
    }

    /// Writes what could not be written before, by us or by a process before us.
    pub(super) async fn settle(self: &Arc<Self>) {
        let due = self.memory(|memory| {
            let rests = memory.saving_rests_until.is_some_and(|until| Instant::now() < until);
            let due = memory.unsaved.is_some() && !rests;
            if due {
                memory.saving_rests_until = Some(Instant::now() + SAVING);
            }
            due
        });
        if !due {
            return;
        }
        let account = Arc::clone(self);
        let task = self.means.tasks.spawn(async move {
            let _single = account.single.lock().await;
            let Ok(_lock) = account.lock().await else { return };
            // What the store holds now decides what is newer.
            let Ok(_) = account.read(true).await else { return };
            let unsaved = account.memory(|memory| memory.unsaved.clone());
            let Some((kept, newer)) = unsaved else { return };
            if account.holds(&kept).await {
                account.store(kept, newer).await;
            } else {
                account.memory(|memory| memory.unsaved = None);
            }
        });
        if task.await.is_err() {
            tracing::warn!("writing renewed tokens broke off");
        }
    }

    /// Does the store hold this refresh token?
    async fn holds(&self, kept: &Secret) -> bool {
        let (source, kept) = (self.source.clone(), kept.clone());
        let read = tokio::task::spawn_blocking(move || {
            let tokens = match source {
                Source::Own(own) => own.read_anew().ok().flatten(),
                Source::Linked(linked) => match linked.read_anew() {
                    Ok(Found::Login(tokens)) => Some(tokens),
                    Ok(Found::ApiKey | Found::Nothing) | Err(_) => None,
                },
            };
            tokens.is_some_and(|tokens| tokens.refresh_token.as_ref() == Some(&kept))
        });
        read.await.unwrap_or(false)
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

    /// The login is over: for this process, and for the ones after it, until there is another.
    async fn bury(&self, token: &Secret, kept: &Secret, why: &str) -> Failure {
        let unsaved = self.memory(|memory| memory.unsaved.clone());
        let newer = unsaved.filter(|(_, newer)| newer.refresh_token.as_ref() == Some(token));
        let (journal, kept, words, at) = (self.journal.clone(), kept.clone(), why.to_owned(), self.now());
        let written = files::blocking(move || {
            journal.ended(&kept, newer.as_ref().map(|(_, newer)| &**newer), &words, at)
        });
        if let Err(error) = written.await {
            tracing::warn!(%error, "that the login is over could not be put down");
        }
        let message = self.ended(why);
        tracing::warn!(account = %self.id(), why, "the login is over");
        self.memory(|memory| memory.dead = Some((token.fingerprint(), message.clone())));
        self.seat.change(|account| account.state = AccountState::SignIn(message.clone()));
        Failure::SignIn { message }
    }
}

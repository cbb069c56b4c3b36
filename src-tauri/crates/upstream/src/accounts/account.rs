//! One account: reading its login, judging it, and when it is renewed. Renewing itself is in `renew.rs`.
//!
//! Not here: which of several accounts is used (`mod.rs`).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dragoman_protocol::failure::Failure;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::codex_auth::{CodexAuth, Found, Unread};
use super::journal::{Journal, Left};
use super::own::Own;
use super::refresh::{Issuer, Reason};
use super::rest::Resting;
use super::secret::Secret;
use super::store::StoreError;
use super::tokens::{Credential, Tokens};
use super::view::{AccountId, AccountKind, AccountState, Seat};
use crate::identity::Identity;

/// After so many refreshes in a row that failed for now, the issuer is not asked again for so many seconds.
const QUIET: [u64; 5] = [1, 5, 20, 60, 300];
/// A token that the issuer gave out this recently is used even if the calendar calls it old: then the calendar is wrong.
const MINTED: Duration = Duration::from_secs(300);
/// An account whose new token was refused is not renewed again for this long, and the others go first.
const REFUSED: Duration = Duration::from_secs(60);

/// One account.
#[derive(Debug)]
pub(crate) struct Account {
    pub(super) seat: Arc<Seat>,
    pub(crate) kind: AccountKind,
    pub(super) source: Source,
    pub(super) journal: Journal,
    pub(super) means: Arc<Means>,
    /// One refresh at a time.
    pub(super) single: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
    pub(super) resting: Resting,
}

/// What renewing needs, the same for all accounts.
#[derive(Debug)]
pub(crate) struct Means {
    pub(super) issuer: Issuer,
    pub(super) identity: Arc<Identity>,
    pub(super) tasks: TaskTracker,
    /// The calendar, in unix seconds. It jumps: when the user sets it, when the machine sleeps.
    pub(super) clock: Clock,
}

/// See [`Means::clock`].
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// The system's.
    pub(crate) fn system() -> Self {
        Self(Arc::new(|| Timestamp::now().as_second()))
    }

    #[cfg(test)]
    pub(crate) fn of(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Where the login is kept.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// In our token store.
    Own(Arc<Own>),
    /// In a Codex CLI's `auth.json`.
    Linked(Arc<CodexAuth>),
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The refresh token that is known to be dead, by fingerprint, and the sentence about it.
    pub(super) dead: Option<([u8; 32], String)>,
    /// Refreshes that failed for now: how many in a row, until when nobody asks again, and what was wrong.
    pub(super) trouble: Option<(usize, Instant, Failure)>,
    /// The access token that was got last in this process, by fingerprint, and when.
    pub(super) minted: Option<([u8; 32], Instant)>,
    /// The backend did not accept a new token.
    pub(super) refused: Option<RefusedToken>,
    /// Newer tokens than the store holds, and the refresh token that it holds.
    pub(super) unsaved: Option<(Secret, Arc<Tokens>)>,
    /// A renewal of this refresh token broke off with its process: nobody knows whether it is spent.
    pub(super) cut: Option<Secret>,
    /// No attempt to write `unsaved` before this.
    pub(super) saving_rests_until: Option<Instant>,
}

/// A token that the backend did not accept although it was new.
#[derive(Debug, Clone)]
pub(super) struct RefusedToken {
    /// Its fingerprint; after another renewal of the same login that of its successor.
    pub(super) token: [u8; 32],
    /// Nobody tries before this. What is shown stays until the backend accepts the login, or there is another one.
    until: Instant,
    /// The sentence about it.
    words: String,
}

/// What reading found.
enum Read {
    Tokens(Arc<Tokens>, Left),
    Locked(Arc<StoreError>),
    ApiKey,
    Unreadable(Unread),
    Nothing,
}

/// What helped after a 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// Another token stood on the disk.
    Reloaded,
    /// The token was renewed.
    Renewed,
}

impl Account {
    pub(super) fn new(
        seat: Arc<Seat>,
        kind: AccountKind,
        (source, journal): (Source, Journal),
        means: Arc<Means>,
    ) -> Self {
        Self {
            seat,
            kind,
            source,
            journal,
            means,
            single: tokio::sync::Mutex::new(()),
            memory: Mutex::new(Memory::default()),
            resting: Resting::default(),
        }
    }

    pub(crate) fn id(&self) -> &AccountId {
        &self.seat.id
    }

    /// The user put it into the list: no place is too private to look for it.
    pub(super) fn is_wanted(&self) {
        if let Source::Linked(codex) = &self.source {
            codex.allow_keyring();
        }
    }

    /// Its place in the picture of the accounts.
    pub(crate) fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// Who the next request is made for. No network.
    pub(crate) async fn credential(&self) -> Result<Credential, Failure> {
        Ok(self.speak(self.read(false).await?.as_ref()))
    }

    /// The same with a token that has some life left: renewed if it ends within five minutes.
    pub(crate) async fn usable(self: &Arc<Self>) -> Result<Credential, Failure> {
        let credential = self.credential().await?;
        self.settle().await;
        // A renewal that broke off is made good at once: the sooner, the likelier the issuer forgives.
        if self.lasts(&credential) && !self.was_cut(&credential) {
            return Ok(credential);
        }
        let expired = credential.is_expired(self.now());
        let trouble = self.memory(|memory| memory.trouble.clone());
        if let Some((_, until, failure)) = trouble
            && Instant::now() < until
        {
            return if expired { Err(failure) } else { Ok(credential) };
        }
        match self.renew(credential.clone(), Reason::ProactiveExpiry).await {
            Err(failure) if !expired => {
                tracing::warn!(account = %self.id(), %failure, "the login could not be renewed yet, its token is still valid");
                Ok(credential)
            }
            other => other,
        }
    }

    /// Does the token need no renewal? The calendar says so, or it was made just now.
    pub(super) fn lasts(&self, credential: &Credential) -> bool {
        !credential.is_expiring(self.now())
            || self
                .memory(|memory| memory.minted)
                .is_some_and(|(token, at)| at.elapsed() < MINTED && token == credential.access.fingerprint())
    }

    /// Renews the token now, whatever its age: the user asks for it.
    pub(crate) async fn renew_now(self: &Arc<Self>) -> Result<Credential, Failure> {
        // Whoever asks for it wants it to be tried, too.
        self.memory(|memory| memory.refused = None);
        self.renew(self.credential().await?, Reason::ProactiveExpiry).await
    }

    /// Unix seconds.
    pub(super) fn now(&self) -> i64 {
        (self.means.clock.0)()
    }

    /// A refresh failed for now: the next one waits, longer each time.
    pub(super) fn stumbled(&self, failure: &Failure) {
        self.memory(|memory| {
            let before = memory.trouble.as_ref().map_or(0, |(times, ..)| *times);
            let wait = Duration::from_secs(QUIET[before.min(QUIET.len() - 1)]);
            memory.trouble = Some((before + 1, Instant::now() + wait, failure.clone()));
        });
    }

    /// After a 401: what the login says now, if that is something else; else the token is renewed.
    pub(crate) async fn recover(self: &Arc<Self>, refused: &Credential) -> Result<Recovered, Failure> {
        let now = self.credential().await?;
        if now.access != refused.access && (self.lasts(&now) || !now.is_expired(self.now())) {
            return Ok(Recovered::Reloaded);
        }
        self.renew(refused.clone(), Reason::UnauthorizedRecovery).await.map(|_| Recovered::Renewed)
    }

    /// What to say when the backend refuses even a new token.
    pub(crate) fn refused(&self, credential: &Credential) -> Failure {
        let message = self.ended("the backend does not accept it");
        let (token, until) = (credential.access.fingerprint(), Instant::now() + REFUSED);
        self.memory(|memory| memory.refused = Some(RefusedToken { token, until, words: message.clone() }));
        self.seat.change(|account| account.state = AccountState::SignIn(message.clone()));
        Failure::SignIn { message }
    }

    /// Credentials made of these tokens.
    pub(super) fn speak(&self, tokens: &Tokens) -> Credential {
        Credential::of(tokens, self.id(), self.kind)
    }

    /// Reads the login, puts what it tells into the picture, and into words if it is of no use.
    pub(super) async fn read(&self, anew: bool) -> Result<Arc<Tokens>, Failure> {
        let (source, journal) = (self.source.clone(), self.journal.clone());
        let found = move |tokens: Arc<Tokens>| {
            let left = tokens.refresh_token.as_ref().map(|kept| journal.left(kept)).unwrap_or_default();
            Read::Tokens(tokens, left)
        };
        let read = tokio::task::spawn_blocking(move || match source {
            Source::Own(own) => match if anew { own.read_anew() } else { own.read() } {
                Ok(Some(tokens)) => found(tokens),
                Ok(None) => Read::Nothing,
                Err(error) => Read::Locked(error),
            },
            Source::Linked(linked) => match if anew { linked.read_anew() } else { linked.read() } {
                Ok(Found::Login(tokens)) => found(tokens),
                Ok(Found::ApiKey) => Read::ApiKey,
                Ok(Found::Nothing) => Read::Nothing,
                Err(error) => Read::Unreadable(error),
            },
        })
        .await
        .map_err(|error| Failure::Internal { message: format!("reading the login failed: {error}") })?;
        match self.judge(read) {
            Ok((tokens, left)) => {
                self.inherit(&tokens, left);
                Ok(self.show(tokens))
            }
            Err(state) => {
                let message = match &state {
                    AccountState::SignIn(message) | AccountState::Locked(message) => message.clone(),
                    AccountState::Ready | AccountState::None => self.no_login(),
                };
                self.seat.change(|account| account.state = state);
                Err(Failure::SignIn { message })
            }
        }
    }

    fn judge(&self, read: Read) -> Result<(Arc<Tokens>, Left), AccountState> {
        let home = match &self.source {
            Source::Linked(linked) => linked.home().display().to_string(),
            Source::Own(_) => String::new(),
        };
        Err(match read {
            Read::Tokens(tokens, left) => return Ok((tokens, left)),
            Read::Locked(error) => {
                tracing::warn!(account = %self.id(), %error, "the login cannot be read");
                let message = format!("Your login cannot be read: {error}.");
                match *error {
                    StoreError::Damaged => AccountState::SignIn(message),
                    _ => AccountState::Locked(message),
                }
            }
            Read::ApiKey => AccountState::SignIn(format!(
                "The Codex CLI in {home} is signed in with an API key; Dragoman needs a ChatGPT login there. Run `codex \
                 login` and choose ChatGPT, or try `dragoman demo`, which needs no account."
            )),
            Read::Unreadable(Unread::Keyring(trouble)) => {
                tracing::warn!(account = %self.id(), %trouble, "the Codex CLI's login cannot be read");
                AccountState::Locked(format!("The Codex CLI's login cannot be read: {trouble}."))
            }
            Read::Unreadable(Unread::File(error)) => AccountState::SignIn(format!(
                "The Codex CLI's login in {home}/auth.json cannot be read ({error}). Run `codex login` again."
            )),
            Read::Nothing => match self.kind {
                AccountKind::Linked | AccountKind::Demo => AccountState::None,
                AccountKind::Own | AccountKind::ApiKey => AccountState::SignIn(
                    self.ended("the token store does not hold it any more (was it emptied?)"),
                ),
            },
        })
    }

    /// Tokens that we hold and could not write stand in for those that were spent for them.
    pub(super) fn show(&self, tokens: Arc<Tokens>) -> Arc<Tokens> {
        let unsaved = self.memory(|memory| memory.unsaved.clone());
        let tokens = match (unsaved, tokens.refresh_token.as_ref()) {
            (Some((kept, newer)), Some(token)) if *token == kept => newer,
            _ => tokens,
        };
        let credential = self.speak(&tokens);
        let dead = self.sentence_about(&credential);
        self.seat.change(|account| {
            // An API key knows nobody: what the user called it stays.
            account.label = credential.email.or(account.label.take());
            account.plan = credential.plan.or(account.plan.take());
            account.state = dead.map_or(AccountState::Ready, AccountState::SignIn);
        });
        tokens
    }

    /// What a renewal of a process before us left behind.
    fn inherit(&self, kept: &Tokens, left: Left) {
        let Some(token) = &kept.refresh_token else { return };
        self.memory(|memory| {
            // What the store does not hold any more is over.
            memory.unsaved.take_if(|(kept, _)| kept != token);
            if let (Some(newer), None) = (left.tokens, &memory.unsaved) {
                memory.unsaved = Some((token.clone(), Arc::new(newer)));
            }
            let newest = memory.unsaved.as_ref().and_then(|(_, newer)| newer.refresh_token.clone());
            let newest = newest.unwrap_or_else(|| token.clone());
            if let Some(why) = left.ended {
                memory.dead = Some((newest.fingerprint(), self.ended(&why)));
            }
            if left.sent && memory.cut.is_none() {
                memory.cut = Some(newest);
            }
        });
    }

    /// Did a renewal of this login break off with its process?
    pub(super) fn was_cut(&self, credential: &Credential) -> bool {
        self.memory(|memory| {
            memory.cut.is_some() && memory.cut == credential.refresh && memory.trouble.is_none()
        }) && self.cannot_be_renewed(credential).is_none()
    }

    /// The backend accepts the login.
    pub(crate) fn accepted(&self, credential: &Credential) {
        if self.memory(|memory| memory.refused.take()).is_some() {
            let dead = self.sentence_about(credential);
            self.seat
                .change(|account| account.state = dead.map_or(AccountState::Ready, AccountState::SignIn));
        }
    }

    /// Its refresh token is dead, or the backend refused it a moment ago; but its access token is good for a while, so
    /// that asking once more may do where there is no other account.
    pub(super) fn lingers(&self, credential: &Credential) -> bool {
        !credential.is_expired(self.now())
    }

    /// It was refused a while ago. That may have been the backend's fault: it is worth another try.
    pub(super) fn deserves_another_try(&self, credential: &Credential) -> bool {
        self.refusal(credential).is_some_and(|refused| refused.until <= Instant::now())
    }

    fn refusal(&self, credential: &Credential) -> Option<RefusedToken> {
        let token = credential.access.fingerprint();
        self.memory(|memory| memory.refused.clone()).filter(|refused| refused.token == token)
    }

    /// What there is to say about a login that must be signed in to again.
    pub(super) fn sentence_about(&self, credential: &Credential) -> Option<String> {
        self.refusal(credential).map(|refused| refused.words).or_else(|| self.death_of(credential))
    }

    /// Why renewing this login is of no use.
    pub(super) fn cannot_be_renewed(&self, credential: &Credential) -> Option<String> {
        let refused = self.refusal(credential).filter(|refused| refused.until > Instant::now());
        refused.map(|refused| refused.words).or_else(|| self.death_of(credential))
    }

    fn death_of(&self, credential: &Credential) -> Option<String> {
        let fingerprint = credential.refresh.as_ref()?.fingerprint();
        self.memory(|memory| memory.dead.clone())
            .filter(|(dead, _)| *dead == fingerprint)
            .map(|(_, words)| words)
    }

    fn no_login(&self) -> String {
        let home = match &self.source {
            Source::Linked(linked) => linked.home().display().to_string(),
            Source::Own(_) => String::new(),
        };
        format!(
            "No one is signed in. Run `dragoman login` to sign in with ChatGPT. (The Codex CLI's login would be used too, \
             but there is none in {home}: run `codex login`, with cli_auth_credentials_store = \"file\" in its \
             config.toml.) To try without an account, run `dragoman demo`."
        )
    }

    pub(super) fn ended(&self, why: &str) -> String {
        let (what, way) = match self.kind {
            AccountKind::Own => ("ChatGPT login", "Run `dragoman login` to sign in again."),
            AccountKind::ApiKey => {
                ("OpenAI API key", "Run `dragoman login --api-key` with a key that is in force.")
            }
            AccountKind::Linked | AccountKind::Demo => {
                ("ChatGPT login", "Run `codex login` to sign in again; Dragoman then goes on by itself.")
            }
        };
        format!("The {what} is no longer valid: {why}. {way}")
    }

    pub(super) fn memory<T>(&self, with: impl FnOnce(&mut Memory) -> T) -> T {
        with(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

//! Asks the usage page of the accounts: whether one that was at its limit has room again (P6: limits are lifted early,
//! by a reset that was bought or a plan that grew), and for what headers don't tell.
//!
//! One task does it, rarely: when a limit holds, when somebody looks, and now and then while requests flow. Nobody is
//! asked for an account that nobody uses. Not here: what the page says (`limits.rs`), when it is due (`usage/pace.rs`).

mod kept;
mod pace;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::accounts::{Account, AccountId, AccountKind, AccountState, Credential};
use crate::codex::Codex;
use crate::http::join;
use crate::identity::{Call, Endpoint};
use crate::limits::Limits;

pub(crate) use self::kept::Kept;
use self::kept::Reading;
use self::pace::{Pace, Reasons};

/// A request, or a person, waits for the page: it must not wait long.
const WITHIN: Duration = Duration::from_secs(5);
/// From a change of the limits to the write of the file.
const KEEP_AFTER: Duration = Duration::from_secs(1);
/// A reading that tells nothing but a newer time is written this often.
const KEEP_TIME: Duration = Duration::from_secs(60);

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("status 401")]
    Unauthorized,
    #[error("{0}")]
    Other(String),
}

impl Codex {
    /// True if the page says that the account may go on; the known limit is forgotten then. No answer is no.
    pub(crate) async fn has_room_again(&self, account: &Account, credential: &Credential) -> bool {
        if account.kind == AccountKind::ApiKey || !account.may_ask() {
            return false;
        }
        let asked = timeout(WITHIN, self.ask_usage(account, credential)).await;
        match asked.unwrap_or_else(|_| Err(Problem::Other("no answer".to_owned()))) {
            Ok(room) => judge(account, room),
            Err(why) => {
                tracing::debug!(%why, "the usage page cannot be read");
                false
            }
        }
    }

    /// Reads the page, with a login that is renewed if need be.
    async fn read_usage(&self, account: &Arc<Account>) -> Result<(), Problem> {
        let words = |failure: dragoman_protocol::failure::Failure| Problem::Other(failure.to_string());
        let mut credential = account.usable().await.map_err(words)?;
        let mut room = self.ask_usage(account, &credential).await;
        if let Err(Problem::Unauthorized) = room {
            account.recover(&credential).await.map_err(words)?;
            credential = account.usable().await.map_err(words)?;
            room = self.ask_usage(account, &credential).await;
        }
        judge(account, room?);
        Ok(())
    }

    async fn ask_usage(&self, account: &Account, credential: &Credential) -> Result<bool, Problem> {
        let words = |error: reqwest::Error| Problem::Other(error.without_url().to_string());
        let origin = self.routing.origin(&self.http, &self.identity, credential).await;
        let url = join(&origin.base, "/wham/usage");
        let call = Call { credential: Some(credential), ..Call::default() };
        let headers = self.identity.headers(Endpoint::Usage, &call);
        let request = self.http.client(&url).get(url.clone()).headers(headers);
        let response = request.send().await.map_err(words)?;
        match response.status().as_u16() {
            401 => return Err(Problem::Unauthorized),
            status if !response.status().is_success() => {
                return Err(Problem::Other(format!("status {status}")));
            }
            _ => {}
        }
        let body = response.bytes().await.map_err(words)?;
        let read = account.seat().fold(|limits| limits.with_usage(&body, Timestamp::now().as_second()));
        read.ok_or_else(|| Problem::Other("it is not what it used to be".to_owned()))
    }

    /// Reads the pages of all accounts now; tells for each that could not be read why.
    pub(crate) async fn refresh_limits(self: &Arc<Self>) -> Vec<(AccountId, String)> {
        let Ok(accounts) = self.accounts.in_order().await else { return Vec::new() };
        let mut failed = Vec::new();
        for account in accounts.iter().filter(|account| has_page(account)) {
            let read = timeout(WITHIN, self.read_usage(account)).await;
            let read = read.unwrap_or_else(|_| Err(Problem::Other("no answer within 5 s".to_owned())));
            self.poller.answered(account.id(), read.is_ok());
            if let Err(why) = read {
                failed.push((account.id().clone(), why.to_string()));
            }
        }
        self.kept.keep(self.limits_of_all()).await;
        failed
    }

    fn limits_of_all(&self) -> Vec<Reading> {
        let accounts = self.accounts.roster().now().accounts.into_iter();
        let known = accounts.filter(|account| account.limits.read_at.is_some() || account.rest.is_some());
        known.map(|account| Reading { id: account.id, limits: account.limits, rest: account.rest }).collect()
    }

    /// Somebody looks at the limits: what is shown should not be old.
    pub(crate) fn limits_looked_at(self: &Arc<Self>) {
        self.poller.note(|noted| noted.looked = Some(Instant::now()));
        self.wake_poller();
    }

    /// A request was answered.
    pub(crate) fn account_used(self: &Arc<Self>, account: &AccountId) {
        let is_news = self.poller.note(|noted| noted.use_account(account, Instant::now()));
        if is_news {
            self.wake_poller();
        }
    }

    /// A request met the account's limit.
    pub(crate) fn account_limited(self: &Arc<Self>) {
        self.wake_poller();
    }

    fn wake_poller(self: &Arc<Self>) {
        if !self.poller.runs.swap(true, Ordering::Relaxed) {
            let (this, wake, stop) =
                (Arc::downgrade(self), Arc::clone(&self.poller.wake), self.poller.stop.clone());
            // Not `spawn`, which cuts the work at the end: what was read is kept then.
            self.tasks.spawn_on(async move { poll(this, &wake, &stop).await }, &self.runtime);
        }
        self.poller.wake.notify_one();
    }

    /// Asks what is due, and tells when something will be.
    async fn ask_what_is_due(self: &Arc<Self>) -> Option<Instant> {
        let accounts = self.accounts.in_order().await.ok()?;
        let mut next: Option<Instant> = None;
        for account in accounts.iter().filter(|account| has_page(account)) {
            let limited = account.rests().is_some();
            let mut due = self.poller.due(account.id(), limited);
            if due.is_some_and(|due| due <= Instant::now()) {
                let read = timeout(WITHIN, self.read_usage(account)).await;
                let read = read.unwrap_or_else(|_| Err(Problem::Other("no answer".to_owned())));
                if let Err(why) = &read {
                    tracing::debug!(account = %account.id(), %why, "the usage page cannot be read");
                }
                self.poller.answered(account.id(), read.is_ok());
                due = self.poller.due(account.id(), account.rests().is_some());
            }
            next = [next, due].into_iter().flatten().min();
        }
        next
    }
}

/// What the page says about going on ends a rest.
fn judge(account: &Account, room: bool) -> bool {
    if room && account.rests().is_some() {
        account.lift();
    }
    room
}

/// Is there a page to ask, and a login to ask it with?
fn has_page(account: &Account) -> bool {
    let is_ready =
        account.seat().view().is_some_and(|view| view.state == AccountState::Ready && !view.paused);
    is_ready && matches!(account.kind, AccountKind::Own | AccountKind::Linked)
}

/// The task's state, and what wakes it.
#[derive(Debug)]
pub(crate) struct Poller {
    wake: Arc<Notify>,
    runs: AtomicBool,
    noted: Mutex<Noted>,
    stop: CancellationToken,
    /// The task ends with the client, also without `shutdown`.
    _stop: DropGuard,
}

#[derive(Debug, Default)]
struct Noted {
    looked: Option<Instant>,
    used: HashMap<AccountId, Instant>,
    paces: HashMap<AccountId, Pace>,
}

impl Noted {
    /// Is this the first use since the page was asked? The task knows of the others' due time already.
    fn use_account(&mut self, account: &AccountId, now: Instant) -> bool {
        let before = self.used.insert(account.clone(), now);
        let asked = self.paces.get(account).map(Pace::asked);
        before.is_none_or(|before| asked.is_some_and(|asked| asked >= before))
    }
}

impl Poller {
    pub(crate) fn new(stop: &CancellationToken) -> Self {
        let stop = stop.child_token();
        Self {
            wake: Arc::default(),
            runs: AtomicBool::new(false),
            noted: Mutex::default(),
            _stop: stop.clone().drop_guard(),
            stop,
        }
    }

    fn note<T>(&self, note: impl FnOnce(&mut Noted) -> T) -> T {
        note(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answered(&self, account: &AccountId, is_ok: bool) {
        let now = Instant::now();
        self.note(|noted| {
            noted.paces.entry(account.clone()).or_insert_with(|| Pace::new(now)).answered(is_ok, now)
        });
    }

    fn due(&self, account: &AccountId, limited: bool) -> Option<Instant> {
        self.note(|noted| {
            let reasons = Reasons { limited, looked: noted.looked, used: noted.used.get(account).copied() };
            // A wish counts from the moment it was made: it is what started this.
            let begun =
                [reasons.looked, reasons.used].into_iter().flatten().min().unwrap_or_else(Instant::now);
            let pace = noted
                .paces
                .entry(account.clone())
                .or_insert_with(|| Pace::new(begun - Duration::from_nanos(1)));
            pace.due(reasons)
        })
    }
}

enum Woken {
    Ask,
    Keep,
    End,
}

/// Until the client ends. Holds it only while it works.
async fn poll(codex: Weak<Codex>, wake: &Notify, stop: &CancellationToken) {
    let Some(mut changes) = codex.upgrade().map(|codex| codex.accounts.roster().subscribe()) else { return };
    let mut next: Option<Instant> = None;
    let mut keep_at: Option<Instant> = None;
    let mut kept: (Vec<Reading>, Instant) = (Vec::new(), Instant::now());
    loop {
        let soonest = [next, keep_at].into_iter().flatten().min();
        let why = tokio::select! {
            () = stop.cancelled() => Woken::End,
            () = wake.notified() => Woken::Ask,
            changed = changes.changed() => if changed.is_ok() { Woken::Keep } else { Woken::End },
            () = sleep_until(soonest.unwrap_or_else(Instant::now)), if soonest.is_some() => {
                if next.is_some_and(|next| next <= Instant::now()) { Woken::Ask } else { Woken::Keep }
            }
        };
        let Some(codex) = codex.upgrade() else { return };
        match why {
            Woken::End => {
                if keep_at.is_some() {
                    codex.kept.keep(codex.limits_of_all()).await;
                }
                return;
            }
            Woken::Ask => next = stop.run_until_cancelled(codex.ask_what_is_due()).await.flatten(),
            Woken::Keep => {}
        }
        if keep_at.is_some_and(|at| at > Instant::now()) {
            continue;
        }
        let (now, limits) = (Instant::now(), codex.limits_of_all());
        if keep_at.is_some_and(|at| at <= now) {
            codex.kept.keep(limits.clone()).await;
            kept = (limits, now);
            keep_at = None;
        } else if keep_at.is_none() && kept.0 != limits {
            let tells_more = !same_but_for_time(&kept.0, &limits);
            keep_at = Some(if tells_more { now + KEEP_AFTER } else { (kept.1 + KEEP_TIME).max(now) });
        }
    }
}

fn same_but_for_time(one: &[Reading], other: &[Reading]) -> bool {
    let bare = |reading: &Reading| {
        let limits = Limits { read_at: None, readings: Default::default(), ..reading.limits.clone() };
        Reading { limits, ..reading.clone() }
    };
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| bare(a) == bare(b))
}

#[cfg(test)]
mod tests;

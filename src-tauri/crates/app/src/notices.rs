//! What a person wants to hear of once: events about accounts, made from the changes of their picture.
//!
//! The picture says what *is*; whoever draws it needs nothing else. A [`Notice`] says what has *happened*, for a
//! notification or a live region. However often a login is renewed, a limit is read or the picture is made anew, one
//! event is told once. What was so already when the program started is no event. Not here: showing them (the shells).

use std::collections::HashMap;
use std::time::Duration;

use dragoman_upstream::{AccountId, AccountState, AccountView, AccountsView, Client, Credits, LimitWindow};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::called;

/// A window that is used to so many percent is near its limit.
const NEAR: f64 = 80.0;
/// Once told, a window must fall below this before it can come near its limit again: readings go up and down a little.
const CALM: f64 = 70.0;
/// Two ends of a limit that are so close are the same one, read twice.
const SAME: i64 = 300;
/// A limit without an end that comes again within this time is the same one.
const ENDLESS: i64 = 3600;
/// A limit may end by the calendar alone, which changes no picture.
const LOOK: Duration = Duration::from_secs(30);
/// So many notices wait for a slow reader; of more, the oldest are lost to it.
const MOST: usize = 64;

/// Something that happened to an account.
#[derive(Debug, Clone, PartialEq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case", tag = "notice")]
pub enum Notice {
    /// Somebody signed in: the account is new, or can be used again.
    SignedIn {
        /// Which account.
        account: Named,
    },
    /// The account can't be used until somebody signs in.
    SignInAgain {
        /// Which account.
        account: Named,
        /// What happened and what to do.
        message: String,
    },
    /// A window of its limits is used to 80 % or more.
    LimitNear {
        /// Which account.
        account: Named,
        /// The window.
        window: LimitWindow,
    },
    /// Its limit is reached. One that credits cover is none.
    LimitReached {
        /// Which account.
        account: Named,
        /// When the limit resets, unix seconds, as far as the backend said.
        until: Option<i64>,
    },
    /// A limit that was told is over: it has reset, or was lifted before.
    LimitOver {
        /// Which account.
        account: Named,
    },
}

/// The account that a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[ts(rename = "NamedAccount")]
#[schema(as = NamedAccount)]
pub struct Named {
    /// Its id.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
}

impl Named {
    fn of(account: &AccountView, among: &[AccountView]) -> Self {
        Self { id: account.id.clone(), name: called(account, among) }
    }
}

/// The notices from the moment of asking on.
#[derive(Debug)]
pub struct Notices(broadcast::Receiver<Notice>);

impl Notices {
    /// The next one; waits for it. `None` once the program has ended.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            match self.0.recv().await {
                Ok(notice) => return Some(notice),
                Err(broadcast::error::RecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "a reader of notices is too slow");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// Where notices are told.
#[derive(Debug)]
pub(crate) struct Bell {
    told: broadcast::WeakSender<Notice>,
}

impl Bell {
    /// The bell, and the task that rings it until `stop`.
    pub(crate) fn of(client: Client, stop: CancellationToken) -> (Self, impl Future<Output = ()> + Send) {
        // The task alone keeps the channel open: with its end the notices end.
        let sender = broadcast::Sender::new(MOST);
        (Self { told: sender.downgrade() }, watch(client, sender, stop))
    }

    pub(crate) fn notices(&self) -> Notices {
        Notices(match self.told.upgrade() {
            Some(sender) => sender.subscribe(),
            None => broadcast::channel(1).1,
        })
    }
}

async fn watch(client: Client, bell: broadcast::Sender<Notice>, stop: CancellationToken) {
    let mut accounts = client.accounts_updates();
    let work = async {
        // Every login must have been read once: until then the picture is only a first guess.
        let begun = Timestamp::now().as_second();
        let mut watcher = Watcher::new(&client.check_accounts().await, begun);
        loop {
            let _or_the_time = tokio::time::timeout(LOOK, accounts.changed()).await;
            let view = accounts.borrow_and_update().clone();
            for notice in watcher.look(&view, Timestamp::now().as_second()) {
                log(&notice);
                // Nobody may be listening.
                let _ = bell.send(notice);
            }
        }
    };
    stop.run_until_cancelled(work).await;
}

fn log(notice: &Notice) {
    let (what, Named { id, .. }) = match notice {
        Notice::SignedIn { account } => ("signed in", account),
        Notice::SignInAgain { account, .. } => ("sign in again", account),
        Notice::LimitNear { account, .. } => ("limit near", account),
        Notice::LimitReached { account, .. } => ("limit reached", account),
        Notice::LimitOver { account } => ("limit over", account),
    };
    tracing::info!(account = %id, what, "notice");
}

/// Compares pictures, and remembers what was told.
#[derive(Debug)]
struct Watcher {
    /// Unix seconds.
    begun: i64,
    accounts: HashMap<AccountId, Known>,
}

/// What is known of one account.
#[derive(Debug, Default)]
struct Known {
    /// The login is of no use, or there is none.
    signed_out: bool,
    /// The limit that is reached.
    reached: Option<Reached>,
    /// The limit that was told last; it stays after its end.
    told: Option<Told>,
    /// The windows that were told to be near their limit, by length, and when each starts anew.
    near: HashMap<u64, Option<i64>>,
}

/// A limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reached {
    until: Option<i64>,
}

/// A limit that was told.
#[derive(Debug, Clone, Copy)]
struct Told {
    reached: Reached,
    /// When, unix seconds.
    at: i64,
    /// Its end was told too.
    over: bool,
}

impl Watcher {
    /// What is so now is no event.
    fn new(view: &AccountsView, now: i64) -> Self {
        let mut watcher = Self { begun: now, accounts: HashMap::new() };
        for account in &view.accounts {
            let mut known = Known { signed_out: is_signed_out(account, false), ..Known::default() };
            known.limits(account, &Named::of(account, &view.accounts), now);
            watcher.accounts.insert(account.id.clone(), known);
        }
        watcher
    }

    /// What has happened since the last look.
    fn look(&mut self, view: &AccountsView, now: i64) -> Vec<Notice> {
        self.accounts.retain(|id, _| view.get(id).is_some());
        let mut notices = Vec::new();
        for account in &view.accounts {
            let begun = self.begun;
            let known = self.accounts.entry(account.id.clone()).or_insert_with(|| Known {
                // Whoever was added before the program began was only read late.
                signed_out: account.added_at.is_some_and(|at| at >= begun),
                ..Known::default()
            });
            let named = Named::of(account, &view.accounts);
            notices.extend(known.login(account, &named));
            notices.extend(known.limits(account, &named, now));
        }
        notices
    }
}

/// Must somebody sign in? A login that can't be read just now says neither yes nor no.
fn is_signed_out(account: &AccountView, before: bool) -> bool {
    match account.state {
        AccountState::Ready => false,
        AccountState::SignIn(_) | AccountState::None => true,
        AccountState::Locked(_) => before,
    }
}

impl Known {
    fn login(&mut self, account: &AccountView, named: &Named) -> Option<Notice> {
        let before = self.signed_out;
        self.signed_out = is_signed_out(account, before);
        match (&account.state, before) {
            (AccountState::Ready, true) => Some(Notice::SignedIn { account: named.clone() }),
            (AccountState::SignIn(message), false) => {
                Some(Notice::SignInAgain { account: named.clone(), message: message.clone() })
            }
            _ => None,
        }
    }

    fn limits(&mut self, account: &AccountView, named: &Named, now: i64) -> Vec<Notice> {
        let covered = account.limits.credits.as_ref().is_some_and(Credits::cover);
        let current = |window: &&LimitWindow| {
            window.name.is_none() && window.resets_at.is_none_or(|at| at > now) && !covered
        };
        let windows: Vec<_> = account.limits.windows.iter().filter(current).collect();
        let full = windows.iter().filter(|window| window.used_percent >= 100.0);
        let reached = match account.rest {
            Some(rest) => Some(Reached { until: rest.until }),
            // Used up by another program: nothing was refused here yet.
            None => full.max_by_key(|window| window.resets_at).map(|full| Reached { until: full.resets_at }),
        };
        let mut notices = Vec::new();
        let before = std::mem::replace(&mut self.reached, reached);
        match (before, reached) {
            (None, Some(reached)) if !self.was_told(reached, now) => {
                self.told = Some(Told { reached, at: now, over: false });
                notices.push(Notice::LimitReached { account: named.clone(), until: reached.until });
            }
            (Some(_), None) => {
                if let Some(told) = self.told.as_mut().filter(|told| !told.over) {
                    told.over = true;
                    notices.push(Notice::LimitOver { account: named.clone() });
                }
            }
            _ => {}
        }
        self.near.retain(|minutes, ends| {
            let fell = windows.iter().any(|w| w.minutes == *minutes && w.used_percent < CALM);
            !fell && ends.is_none_or(|ends| ends > now)
        });
        for window in windows.iter().filter(|window| window.used_percent >= NEAR) {
            let is_news = !self.near.contains_key(&window.minutes);
            self.near.entry(window.minutes).or_insert(window.resets_at);
            if is_news && self.reached.is_none() {
                let window = LimitWindow::clone(window);
                notices.push(Notice::LimitNear { account: named.clone(), window });
            }
        }
        notices
    }

    /// Is it the limit that was told last, come back after a page said that there was room?
    fn was_told(&self, reached: Reached, now: i64) -> bool {
        self.told.is_some_and(|told| match (told.reached.until, reached.until) {
            (Some(told), Some(until)) => (told - until).abs() <= SAME && now < told,
            (None, None) => now < told.at + ENDLESS,
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests;

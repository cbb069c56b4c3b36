//! An account at its usage limit rests until the limit resets, or until somebody finds out that there is room again.
//!
//! The end is judged by the calendar and by elapsed time, whichever comes first: the one survives a sleeping machine,
//! the other a clock that was set back. Not here: asking the usage page (`usage.rs`), who answers instead (`choose.rs`).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dragoman_protocol::failure::Failure;
use tokio::time::Instant;

use super::account::Account;
use super::view::Rest;

/// While all accounts rest, one request tries its luck at most this often (P6).
const PROBE: Duration = Duration::from_secs(60);
/// The usage page is asked at most this often whether there is room again.
const ASK: Duration = Duration::from_secs(15);
/// No window is longer than a month; a wrong date must not overflow.
const LONGEST: Duration = Duration::from_secs(40 * 86_400);

/// Whether an account rests.
#[derive(Debug, Default)]
pub(super) struct Resting {
    limit: Mutex<Option<Limit>>,
}

#[derive(Debug)]
struct Limit {
    failure: Failure,
    /// Unix seconds.
    resets_at: Option<i64>,
    ends: Instant,
    tried: Instant,
    asked: Option<Instant>,
}

impl Resting {
    fn with<T>(&self, work: impl FnOnce(&mut Option<Limit>) -> T) -> T {
        work(&mut self.limit.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Account {
    /// Why it rests, if it does.
    pub(crate) fn rests(&self) -> Option<Failure> {
        let wall = self.now();
        let (failure, over) = self.resting.with(|limit| {
            let over = limit.as_ref().is_some_and(|limit| {
                Instant::now() >= limit.ends || limit.resets_at.is_some_and(|at| wall >= at)
            });
            if over {
                *limit = None;
            }
            (limit.as_ref().map(|limit| limit.failure.clone()), over)
        });
        if over {
            self.seat.change(|account| account.rest = None);
        }
        failure
    }

    /// Its limit is reached.
    pub(crate) fn rest(&self, failure: &Failure) {
        let Failure::AccountLimit { resets_at, .. } = *failure else { return };
        let (since, tried) = (self.now(), Instant::now());
        let left = resets_at.map_or(PROBE, |at| Duration::from_secs(u64::try_from(at - since).unwrap_or(0)));
        let limit = Limit {
            failure: failure.clone(),
            resets_at,
            ends: tried + left.min(LONGEST),
            tried,
            asked: None,
        };
        self.resting.with(|resting| *resting = Some(limit));
        tracing::info!(account = %self.id(), resets_at, "the account rests, its usage limit is reached");
        self.seat.change(|account| account.rest = Some(Rest { since, until: resets_at }));
    }

    /// It rested when a process before us ended. A calendar that was set meanwhile can shorten the rest; it can't make
    /// it longer than it was to be.
    pub(crate) fn rest_again(&self, rest: Rest) {
        let Some(until) = rest.until else { return };
        let now = self.now();
        let left = (until.saturating_sub(now)).min(until.saturating_sub(rest.since));
        let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else { return };
        let plan = self.seat.view().and_then(|view| view.plan);
        let tried = Instant::now();
        let limit = Limit {
            failure: Failure::AccountLimit { resets_at: Some(until), plan, others: 0 },
            resets_at: Some(until),
            ends: tried + Duration::from_secs(left).min(LONGEST),
            tried,
            asked: None,
        };
        self.resting.with(|resting| {
            resting.get_or_insert(limit);
        });
        self.seat.change(|account| account.rest = Some(rest));
    }

    /// There is room again, or the user wants to try.
    pub(crate) fn lift(&self) {
        if self.resting.with(Option::take).is_some() {
            tracing::info!(account = %self.id(), "the account's limit is lifted");
        }
        self.seat.change(|account| account.rest = None);
    }

    /// May one request find out whether the limit still holds?
    pub(crate) fn may_try(&self) -> bool {
        self.resting.with(|limit| {
            let Some(limit) = limit else { return true };
            let due = Instant::now() >= limit.tried + PROBE;
            if due {
                limit.tried = Instant::now();
            }
            due
        })
    }

    /// May the usage page be asked whether the limit still holds? The first request after the limit may.
    pub(crate) fn may_ask(&self) -> bool {
        self.resting.with(|limit| {
            let Some(limit) = limit else { return false };
            let due = limit.asked.is_none_or(|asked| Instant::now() >= asked + ASK);
            if due {
                limit.asked = Some(Instant::now());
            }
            due
        })
    }
}

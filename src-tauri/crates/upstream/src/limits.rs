//! How much of an account's allowance is used: readings from response headers, `codex.rate_limits` events and the usage
//! page, merged into one value (`upstream.md` §c.2, §c.3, §d.3).
//!
//! Readings may come in any order: streams overlap, and the page is read beside them. The newest reading of a limit
//! wins, whatever came first. Not here: what the readings look like on the wire (`limits/wire.rs`), who asks for the
//! page (`usage.rs`).

mod wire;

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// The newest known limits of one account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, TS, ToSchema)]
pub struct Limits {
    /// The windows that exist: the account's own (no name) first, then extra limits by name; shorter ones first. A
    /// window that the backend does not tell, or tells without a length, is not among them: its use is not known.
    pub windows: Vec<LimitWindow>,
    /// Credits, where the backend tells.
    pub credits: Option<Credits>,
    /// The plan, e.g. `plus`.
    pub plan: Option<String>,
    /// A workspace's limit on what is spent, where there is one.
    pub spending: Option<Spending>,
    /// What is used up, if something is and the backend says what.
    pub reached: Option<ReachedLimit>,
    /// When this was read, unix seconds; `None` = never.
    pub read_at: Option<i64>,
    /// What the fields above were made from.
    #[serde(skip)]
    pub readings: Readings,
}

/// One window of a limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LimitWindow {
    /// The extra limit that it belongs to; `None` for the account's own.
    pub name: Option<String>,
    /// Its length; windows are told apart by length, never by position (P8).
    pub minutes: u64,
    /// How much is used, in percent, from 0 to 100.
    pub used_percent: f64,
    /// When it starts anew, unix seconds.
    pub resets_at: Option<i64>,
}

impl LimitWindow {
    /// What people call it: `5-hour`, `weekly`. The Codex CLI says the same.
    pub fn length(&self) -> String {
        match self.minutes {
            10_080 => "weekly".to_owned(),
            1_440 => "daily".to_owned(),
            minutes if minutes > 1_440 && minutes.is_multiple_of(1_440) => format!("{}-day", minutes / 1_440),
            minutes if minutes >= 60 && minutes.is_multiple_of(60) => format!("{}-hour", minutes / 60),
            minutes => format!("{minutes}-minute"),
        }
    }
}

/// Credits of the account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS, ToSchema)]
pub struct Credits {
    /// There are some.
    #[serde(default)]
    pub has_credits: bool,
    /// There is no end to them.
    #[serde(default)]
    pub unlimited: bool,
    /// How many, in the backend's words.
    #[serde(default)]
    pub balance: Option<String>,
}

impl Credits {
    /// Do they cover a limit that is reached (P9)?
    pub fn cover(&self) -> bool {
        self.has_credits || self.unlimited
    }
}

/// What a workspace allows this member to spend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS, ToSchema)]
pub struct Spending {
    /// Nothing more may be spent.
    pub reached: bool,
    /// The member's own limit, in the backend's words.
    pub limit: Option<String>,
}

/// What is used up (`rate_limit_reached_type`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReachedLimit {
    /// The plan's allowance.
    Usage,
    /// The workspace's credits.
    WorkspaceCredits,
    /// The workspace's allowance.
    WorkspaceUsage,
    /// Something that this version does not know.
    Unknown(String),
}

/// The newest reading of each limit. Opaque: other rooms read [`Limits`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Readings {
    /// By the limit's id.
    limits: BTreeMap<String, Timed<Limit>>,
    credits: Option<Timed<Credits>>,
    plan: Option<Timed<String>>,
    spending: Option<Timed<Option<Spending>>>,
    reached: Option<Timed<Option<ReachedLimit>>>,
    /// When the usage page was read last: it lists all limits there are, so an older reading of another one is of a
    /// limit that is gone.
    page_at: Option<i64>,
    /// The newest reading of all.
    read_at: Option<i64>,
}

/// The id of the account's own limit.
const OWN: &str = "codex";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Timed<T> {
    at: i64,
    value: T,
}

/// One limit, as one reading tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Limit {
    name: Option<String>,
    windows: Vec<LimitWindow>,
}

impl Limit {
    /// Two readings of the same second: windows fill up and start anew, so the later reset or the higher use is newer.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let key = |window: &LimitWindow| (window.minutes, window.resets_at);
        let keys = |limit: &Self| limit.windows.iter().map(key).collect::<Vec<_>>();
        let used = |limit: &Self| limit.windows.iter().map(|window| window.used_percent).collect::<Vec<_>>();
        keys(self)
            .cmp(&keys(other))
            .then_with(|| used(self).partial_cmp(&used(other)).unwrap_or(std::cmp::Ordering::Equal))
            .then_with(|| self.name.cmp(&other.name))
    }
}

/// Keeps the newer one of two; in the same second the greater one.
fn newest<T: Clone>(
    one: Option<Timed<T>>,
    other: Option<&Timed<T>>,
    order: impl Fn(&T, &T) -> std::cmp::Ordering,
) -> Option<Timed<T>> {
    match (one, other) {
        (Some(one), Some(other)) => {
            let is_older = one.at.cmp(&other.at).then_with(|| order(&one.value, &other.value)).is_lt();
            Some(if is_older { other.clone() } else { one })
        }
        (one, other) => one.or_else(|| other.cloned()),
    }
}

impl Readings {
    /// The newest reading of all, unix seconds.
    pub(crate) fn read_at(&self) -> Option<i64> {
        self.read_at
    }

    /// The newest of both. The order does not matter, nor how often one is told.
    fn merge(&self, other: &Self) -> Self {
        let mut limits = self.limits.clone();
        for (id, limit) in &other.limits {
            let known = limits.remove(id);
            if let Some(newest) = newest(known, Some(limit), Limit::order) {
                limits.insert(id.clone(), newest);
            }
        }
        let page_at = self.page_at.max(other.page_at);
        limits.retain(|_, limit| page_at.is_none_or(|page_at| limit.at >= page_at));
        Self {
            limits,
            credits: newest(self.credits.clone(), other.credits.as_ref(), Ord::cmp),
            plan: newest(self.plan.clone(), other.plan.as_ref(), Ord::cmp),
            spending: newest(self.spending.clone(), other.spending.as_ref(), Ord::cmp),
            reached: newest(self.reached.clone(), other.reached.as_ref(), Ord::cmp),
            page_at,
            read_at: self.read_at.max(other.read_at),
        }
    }

    /// All of it counts as read before this second: of what arrives in one second the last counts, and if the clock was
    /// set back, what was read in the future must not stand against news.
    fn before(mut self, now: i64) -> Self {
        let past = |at: &mut i64| *at = (*at).min(now - 1);
        self.limits.values_mut().for_each(|limit| past(&mut limit.at));
        self.credits.iter_mut().for_each(|timed| past(&mut timed.at));
        self.plan.iter_mut().for_each(|timed| past(&mut timed.at));
        self.spending.iter_mut().for_each(|timed| past(&mut timed.at));
        self.reached.iter_mut().for_each(|timed| past(&mut timed.at));
        self.page_at.iter_mut().chain(self.read_at.iter_mut()).for_each(past);
        self
    }
}

impl From<Readings> for Limits {
    fn from(readings: Readings) -> Self {
        let mut windows: Vec<_> =
            readings.limits.values().flat_map(|limit| limit.value.windows.iter().cloned()).collect();
        windows.sort_by(|a, b| (&a.name, a.minutes).cmp(&(&b.name, b.minutes)));
        Self {
            windows,
            credits: readings.credits.as_ref().map(|timed| timed.value.clone()),
            plan: readings.plan.as_ref().map(|timed| timed.value.clone()),
            spending: readings.spending.as_ref().and_then(|timed| timed.value.clone()),
            reached: readings.reached.as_ref().and_then(|timed| timed.value.clone()),
            read_at: readings.read_at,
            readings,
        }
    }
}

impl Limits {
    /// These limits and what was read elsewhere: by another process, or before a restart.
    pub(crate) fn with(&self, readings: &Readings) -> Self {
        let merged = Self::from(self.readings.merge(readings));
        // The login may know the plan before any reading does.
        Self { plan: merged.plan.clone().or_else(|| self.plan.clone()), ..merged }
    }

    /// The same with a reading of this moment.
    fn with_new(&self, readings: &Readings, now: i64) -> Self {
        let known = Self { readings: self.readings.clone().before(now), ..self.clone() };
        known.with(readings)
    }

    /// These limits with what the headers of an answer tell; `None` if they tell nothing.
    pub(crate) fn with_headers(&self, headers: &HeaderMap, now: i64) -> Option<Self> {
        Some(self.with_new(&wire::headers(headers, now)?, now))
    }

    /// These limits with what a `codex.rate_limits` event tells, and whether it says that the account's limit is
    /// reached and there are no credits to go on with (P9).
    pub(crate) fn with_event(&self, json: &str, now: i64) -> Option<(Self, Option<Reached>)> {
        let (readings, is_reached) = wire::event(json, now)?;
        let limits = self.with_new(&readings, now);
        let is_covered = limits.credits.as_ref().is_some_and(Credits::cover);
        let reached = (is_reached && !is_covered).then(|| {
            let own = || limits.windows.iter().filter(|window| window.name.is_none());
            let full =
                own().filter(|window| window.used_percent >= 100.0).filter_map(|window| window.resets_at);
            Reached {
                // All full windows must start anew first.
                resets_at: full.max().or_else(|| own().filter_map(|window| window.resets_at).min()),
                plan: limits.plan.clone(),
            }
        });
        Some((limits, reached))
    }

    /// These limits with what `GET /wham/usage` tells, and whether the account may go on.
    pub(crate) fn with_usage(&self, json: &[u8], now: i64) -> Option<(Self, bool)> {
        let (readings, is_open) = wire::page(json, now)?;
        let limits = self.with_new(&readings, now);
        let is_covered = limits.credits.as_ref().is_some_and(Credits::cover);
        let may_spend = limits.spending.as_ref().is_none_or(|spending| !spending.reached);
        Some((limits, (is_open || is_covered) && may_spend))
    }

    /// The windows as they are at this moment: one whose time has come has started anew, and nothing is used of it as
    /// far as is known.
    pub fn windows_at(&self, now: i64) -> impl Iterator<Item = LimitWindow> + '_ {
        self.windows.iter().map(move |window| match window.resets_at {
            Some(at) if at <= now => LimitWindow { used_percent: 0.0, resets_at: None, ..window.clone() },
            _ => window.clone(),
        })
    }
}

/// The account's limit is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) resets_at: Option<i64>,
    pub(crate) plan: Option<String>,
}

#[cfg(test)]
mod tests;

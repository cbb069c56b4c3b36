//! How much of the account's allowance is used.

use serde::Serialize;

/// The newest known limits, from response headers and `codex.rate_limits` events alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Limits {
    /// The windows that exist: the account's own (no name) first, then extra limits by name; shorter ones first.
    pub windows: Vec<LimitWindow>,
    /// Credits, where the backend tells.
    pub credits: Option<Credits>,
    /// The plan, e.g. `plus`.
    pub plan: Option<String>,
    /// When this was read, unix seconds; `None` = never.
    pub read_at: Option<i64>,
}

/// One window of a limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitWindow {
    /// The extra limit that it belongs to; `None` for the account's own.
    pub name: Option<String>,
    /// Its length; windows are told apart by length, never by position (P8).
    pub minutes: u64,
    /// How much is used, in percent.
    pub used_percent: f64,
    /// When it starts anew, unix seconds.
    pub resets_at: Option<i64>,
}

/// Credits of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credits {
    /// There are some.
    pub has_credits: bool,
    /// There is no end to them.
    pub unlimited: bool,
    /// How many, in the backend's words.
    pub balance: Option<String>,
}

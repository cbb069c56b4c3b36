//! How much of the account's allowance is used: from response headers and `codex.rate_limits` events into one value
//! (`upstream.md` §c.2, §c.3).

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl Limits {
    /// These limits with what the headers of an answer tell; `None` if they tell nothing.
    pub(crate) fn with_headers(&self, headers: &HeaderMap, now: i64) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        // One limit's two windows, by id and position.
        let mut found: BTreeMap<String, BTreeMap<bool, Window>> = BTreeMap::new();
        for (name, value) in headers {
            let Some(rest) = name.as_str().strip_prefix("x-") else { continue };
            let Ok(value) = value.to_str() else { continue };
            for (position, middle) in [(false, "-primary-"), (true, "-secondary-")] {
                let Some((id, field)) = rest.split_once(middle) else { continue };
                if !matches!(field, "used-percent" | "window-minutes" | "reset-at" | "reset-after-seconds") {
                    continue;
                }
                let window = found.entry(id.to_owned()).or_default().entry(position).or_default();
                let number = value.trim().parse::<f64>().ok();
                match field {
                    "used-percent" => window.used_percent = number,
                    "window-minutes" => window.window_minutes = number,
                    "reset-at" => window.reset_at = number,
                    _ => window.reset_after_seconds = number,
                }
            }
        }
        let flag = |name: &str| text(name).map(|word| matches!(word.trim(), "true" | "True" | "1"));
        let credits = flag("x-codex-credits-has-credits").map(|has_credits| Credits {
            has_credits,
            unlimited: flag("x-codex-credits-unlimited").unwrap_or(false),
            balance: text("x-codex-credits-balance").map(str::to_owned).filter(|balance| !balance.is_empty()),
        });
        if found.is_empty() && credits.is_none() {
            return None;
        }
        let mut limits = self.clone();
        for (id, windows) in found {
            let name = (id != "codex").then(|| {
                text(&format!("x-{id}-limit-name")).map_or_else(|| id.replace('-', "_"), str::to_owned)
            });
            limits.replace(name, windows.into_values(), now);
        }
        limits.credits = credits.or(limits.credits);
        limits.read_at = Some(now);
        Some(limits)
    }

    /// These limits with what a `codex.rate_limits` event tells, and whether it says that the account's limit is
    /// reached and there are no credits to go on with (P9).
    pub(crate) fn with_event(&self, json: &str, now: i64) -> Option<(Self, Option<Reached>)> {
        let event: Event = serde_json::from_str(json).ok()?;
        let metered = event.metered_limit_name.as_deref().filter(|name| *name != "codex");
        let name = metered.map(|metered| event.limit_name.as_deref().unwrap_or(metered).to_owned());
        let own = name.is_none();
        let mut limits = self.clone();
        let rate = event.rate_limits.unwrap_or_default();
        limits.replace(name.clone(), [rate.primary, rate.secondary].into_iter().flatten(), now);
        limits.credits = event.credits.map(Credits::from).or(limits.credits);
        limits.plan = event.plan_type.or(limits.plan);
        limits.read_at = Some(now);
        let has_credits =
            limits.credits.as_ref().is_some_and(|credits| credits.has_credits || credits.unlimited);
        let reached = (rate.limit_reached == Some(true) && own && !has_credits).then(|| {
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

    /// These limits with what `GET /wham/usage` tells, and whether the account may go on (`upstream.md` §d.3).
    pub(crate) fn with_usage(&self, json: &[u8], now: i64) -> Option<(Self, bool)> {
        let usage: Usage = serde_json::from_slice(json).ok()?;
        let rate = usage.rate_limit?;
        let mut limits = self.clone();
        let windows = [rate.primary_window, rate.secondary_window].into_iter().flatten();
        limits.replace(None, windows.map(Window::from), now);
        limits.credits = usage.credits.map(Credits::from).or(limits.credits);
        limits.plan = usage.plan_type.or(limits.plan);
        limits.read_at = Some(now);
        let has_credits =
            limits.credits.as_ref().is_some_and(|credits| credits.has_credits || credits.unlimited);
        let open = rate.allowed != Some(false) && rate.limit_reached != Some(true);
        Some((limits, open || has_credits))
    }

    /// Replaces all windows of one limit.
    fn replace(&mut self, name: Option<String>, windows: impl Iterator<Item = Window>, now: i64) {
        self.windows.retain(|window| window.name != name);
        self.windows.extend(windows.filter_map(|window| window.named(name.clone(), now)));
        self.windows.sort_by(|a, b| (&a.name, a.minutes).cmp(&(&b.name, b.minutes)));
    }
}

/// The account's limit is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) resets_at: Option<i64>,
    pub(crate) plan: Option<String>,
}

// === the wire ===

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    plan_type: Option<String>,
    #[serde(default)]
    rate_limits: Option<Rate>,
    #[serde(default)]
    credits: Option<WireCredits>,
    #[serde(default)]
    metered_limit_name: Option<String>,
    #[serde(default)]
    limit_name: Option<String>,
}

#[derive(Deserialize, Default)]
struct Rate {
    #[serde(default)]
    limit_reached: Option<bool>,
    #[serde(default)]
    primary: Option<Window>,
    #[serde(default)]
    secondary: Option<Window>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    plan_type: Option<String>,
    #[serde(default)]
    rate_limit: Option<UsageRate>,
    #[serde(default)]
    credits: Option<WireCredits>,
}

#[derive(Deserialize)]
struct UsageRate {
    #[serde(default)]
    allowed: Option<bool>,
    #[serde(default)]
    limit_reached: Option<bool>,
    #[serde(default)]
    primary_window: Option<UsageWindow>,
    #[serde(default)]
    secondary_window: Option<UsageWindow>,
}

/// A window as the usage page tells it: in seconds.
#[derive(Deserialize)]
struct UsageWindow {
    #[serde(default)]
    used_percent: Option<f64>,
    #[serde(default)]
    limit_window_seconds: Option<f64>,
    #[serde(default)]
    reset_at: Option<f64>,
    #[serde(default)]
    reset_after_seconds: Option<f64>,
}

impl From<UsageWindow> for Window {
    fn from(window: UsageWindow) -> Self {
        Self {
            used_percent: window.used_percent,
            window_minutes: window.limit_window_seconds.map(|seconds| seconds / 60.0),
            reset_at: window.reset_at,
            reset_after_seconds: window.reset_after_seconds,
        }
    }
}

#[derive(Deserialize)]
struct WireCredits {
    #[serde(default)]
    has_credits: Option<bool>,
    #[serde(default)]
    unlimited: Option<bool>,
    #[serde(default)]
    balance: Option<Balance>,
}

/// Documented as a string; numbers are taken too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Balance {
    Text(String),
    Number(f64),
}

impl From<WireCredits> for Credits {
    fn from(wire: WireCredits) -> Self {
        Self {
            has_credits: wire.has_credits.unwrap_or(false),
            unlimited: wire.unlimited.unwrap_or(false),
            balance: wire.balance.map(|balance| match balance {
                Balance::Text(text) => text,
                Balance::Number(number) => number.to_string(),
            }),
        }
    }
}

#[derive(Deserialize, Default)]
struct Window {
    #[serde(default)]
    used_percent: Option<f64>,
    #[serde(default)]
    window_minutes: Option<f64>,
    #[serde(default)]
    reset_at: Option<f64>,
    #[serde(default)]
    reset_after_seconds: Option<f64>,
}

impl Window {
    /// A window without a length is none, whatever its other numbers say, and so is one that does not tell how full it
    /// is: it would look empty (P8).
    fn named(self, name: Option<String>, now: i64) -> Option<LimitWindow> {
        let minutes = self.window_minutes.filter(|minutes| *minutes >= 1.0)? as u64;
        let used = self.used_percent.filter(|used| used.is_finite())?.clamp(0.0, 100.0);
        let resets_at = self
            .reset_at
            .filter(|at| *at > 0.0)
            .map(|at| at as i64)
            .or_else(|| self.reset_after_seconds.map(|seconds| now.saturating_add(seconds as i64)));
        Some(LimitWindow { name, minutes, used_percent: used, resets_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usage_page_tells_windows_and_whether_there_is_room() {
        let page = |reached: bool, credits: bool| {
            format!(
                r#"{{"plan_type":"plus","rate_limit":{{"allowed":{},"limit_reached":{reached},
                "primary_window":{{"used_percent":13,"limit_window_seconds":18000,"reset_at":2000}},"secondary_window":null}},
                "credits":{{"has_credits":{credits},"unlimited":false,"balance":"0"}}}}"#,
                !reached
            )
        };
        let read =
            |reached, credits| Limits::default().with_usage(page(reached, credits).as_bytes(), 1000).unwrap();
        let (limits, room) = read(false, false);
        assert!(room);
        assert_eq!(
            limits.windows,
            [LimitWindow { name: None, minutes: 300, used_percent: 13.0, resets_at: Some(2000) }]
        );
        assert!(!read(true, false).1);
        assert!(read(true, true).1, "a limit that credits cover is no limit");
        assert_eq!(Limits::default().with_usage(b"<html>", 1000), None);
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .collect()
    }

    fn window(name: Option<&str>, minutes: u64, used_percent: f64, resets_at: Option<i64>) -> LimitWindow {
        LimitWindow { name: name.map(str::to_owned), minutes, used_percent, resets_at }
    }

    #[test]
    fn headers_give_windows_by_length_whatever_their_position() {
        let limits = Limits::default()
            .with_headers(
                &headers(&[
                    ("x-codex-primary-used-percent", "12.5"),
                    ("x-codex-primary-window-minutes", "10080"),
                    ("x-codex-primary-reset-at", "2000"),
                    ("x-codex-secondary-used-percent", "40"),
                    ("x-codex-secondary-window-minutes", "300"),
                    ("x-codex-bengalfox-primary-used-percent", "101"),
                    ("x-codex-bengalfox-primary-window-minutes", "60"),
                    ("x-codex-bengalfox-limit-name", "GPT Fox"),
                    ("x-codex-other-secondary-window-minutes", "5"),
                    ("x-codex-credits-has-credits", "1"),
                    ("x-codex-credits-unlimited", "false"),
                    ("x-codex-credits-balance", "3.20"),
                    ("x-request-id", "r"),
                ]),
                1000,
            )
            .unwrap();
        assert_eq!(
            limits.windows,
            [
                window(None, 300, 40.0, None),
                window(None, 10080, 12.5, Some(2000)),
                window(Some("GPT Fox"), 60, 100.0, None),
            ],
            "a window that does not tell how full it is is none"
        );
        assert_eq!(
            limits.credits,
            Some(Credits { has_credits: true, unlimited: false, balance: Some("3.20".into()) })
        );
        assert_eq!(limits.read_at, Some(1000));
    }

    #[test]
    fn headers_without_limits_change_nothing() {
        assert_eq!(Limits::default().with_headers(&headers(&[("x-request-id", "r")]), 1), None);
    }

    #[test]
    fn a_window_without_length_is_absent() {
        let limits = Limits::default()
            .with_headers(
                &headers(&[
                    ("x-codex-primary-used-percent", "7"),
                    ("x-codex-primary-window-minutes", "300"),
                    ("x-codex-secondary-used-percent", "0"),
                    ("x-codex-secondary-window-minutes", "0"),
                ]),
                1,
            )
            .unwrap();
        assert_eq!(limits.windows, [window(None, 300, 7.0, None)]);
        let (limits, _) = limits
            .with_event(r#"{"rate_limits":{"primary":{"used_percent":3},"secondary":null}}"#, 2)
            .unwrap();
        assert_eq!(limits.windows, []);
    }

    #[test]
    fn an_event_replaces_the_windows_of_its_limit() {
        let before = Limits {
            windows: vec![window(None, 300, 1.0, None), window(Some("Fox"), 60, 2.0, None)],
            ..Limits::default()
        };
        let json = r#"{"type":"codex.rate_limits","plan_type":"plus","rate_limits":{"allowed":true,"limit_reached":false,
            "primary":{"used_percent":13,"window_minutes":300,"reset_after_seconds":9000,"reset_at":9500},
            "secondary":{"used_percent":20.5,"window_minutes":10080,"reset_after_seconds":100}},
            "credits":{"has_credits":false,"unlimited":false,"balance":null}}"#;
        let (limits, reached) = before.with_event(json, 500).unwrap();
        assert_eq!(
            limits.windows,
            [
                window(None, 300, 13.0, Some(9500)),
                window(None, 10080, 20.5, Some(600)),
                window(Some("Fox"), 60, 2.0, None)
            ]
        );
        assert_eq!(limits.plan.as_deref(), Some("plus"));
        assert_eq!(reached, None);
        let named = r#"{"rate_limits":{"limit_reached":true,"primary":{"used_percent":9,"window_minutes":60}},
            "metered_limit_name":"fox","limit_name":"Fox"}"#;
        let (limits, reached) = limits.with_event(named, 501).unwrap();
        assert_eq!(limits.windows[2], window(Some("Fox"), 60, 9.0, None));
        assert_eq!(reached, None, "an extra limit is not the account's");
    }

    #[test]
    fn a_limit_is_reached_only_without_credits() {
        let event = |credits: bool| {
            format!(
                r#"{{"plan_type":"plus","rate_limits":{{"limit_reached":true,
                "primary":{{"used_percent":100,"window_minutes":300,"reset_at":700}},
                "secondary":{{"used_percent":100,"window_minutes":10080,"reset_at":900}}}},
                "credits":{{"has_credits":{credits},"unlimited":false,"balance":5}}}}"#
            )
        };
        let (_, reached) = Limits::default().with_event(&event(false), 1).unwrap();
        assert_eq!(reached, Some(Reached { resets_at: Some(900), plan: Some("plus".into()) }));
        let (limits, reached) = Limits::default().with_event(&event(true), 1).unwrap();
        assert_eq!(reached, None);
        assert_eq!(limits.credits.unwrap().balance.as_deref(), Some("5"));
    }
}

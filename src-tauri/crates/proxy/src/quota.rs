//! The account's limits as the headers that Claude Code turns into its own usage notices (`gateway.md`; S68).
//!
//! Told is the fullest window of the account's own limits: in headers on an answer those of the account that gave it,
//! and on a page that Claude Code's `/usage` asks for those of the one that answered last. Not here: a limit that is
//! reached (`failure.rs`).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use dragoman_upstream::{AccountId, LimitWindow, Limits};
use http::HeaderMap;
use serde::Serialize;

use crate::Proxy;
use crate::door::set;
use crate::error::{request_id, set_request_id};
use crate::now::now;

/// From which share of a window on the client warns.
const THRESHOLDS: [(f64, &str); 2] = [(0.95, "0.95"), (0.75, "0.75")];

/// An answer's extension: the account that gives it.
#[derive(Debug, Clone)]
pub(crate) struct AnsweredBy(pub(crate) AccountId);

/// Sets the headers on an answer; nothing is known before the backend has told its limits once.
pub(crate) fn tell(limits: &Limits, now: i64, headers: &mut HeaderMap) {
    let Some(fullest) = fullest(limits, now) else { return };
    // Below 1 while requests are allowed, as the contract asks.
    let used = (fullest.used_percent / 100.0).clamp(0.0, 0.99);
    let passed = THRESHOLDS.iter().find(|(threshold, _)| used >= *threshold).map(|(_, text)| *text);
    let status = if passed.is_some() { "allowed_warning" } else { "allowed" };
    let mut set = |name, value: &str| set(headers, name, value);
    set("anthropic-ratelimit-unified-status", status);
    set("anthropic-ratelimit-unified-representative-claim", "overage");
    set("anthropic-ratelimit-unified-overage-status", status);
    set("anthropic-ratelimit-unified-overage-utilization", &format!("{used:.2}"));
    if let Some(passed) = passed {
        set("anthropic-ratelimit-unified-overage-surpassed-threshold", passed);
    }
    if let Some(at) = fullest.resets_at {
        set("anthropic-ratelimit-unified-reset", &at.to_string());
        set("anthropic-ratelimit-unified-overage-reset", &at.to_string());
    }
}

/// The same in the headers that the Codex CLI reads (`upstream.md` §c.2): the shorter window and the longer one.
pub(crate) fn tell_codex(limits: &Limits, now: i64, headers: &mut HeaderMap) {
    const NAMES: [[&str; 3]; 2] = [
        ["x-codex-primary-used-percent", "x-codex-primary-window-minutes", "x-codex-primary-reset-at"],
        ["x-codex-secondary-used-percent", "x-codex-secondary-window-minutes", "x-codex-secondary-reset-at"],
    ];
    let mut windows: Vec<&LimitWindow> = own(limits, now).collect();
    windows.sort_by_key(|window| window.minutes);
    for ([used, minutes, reset], window) in NAMES.into_iter().zip(windows) {
        set(headers, used, &window.used_percent.to_string());
        set(headers, minutes, &window.minutes.to_string());
        if let Some(at) = window.resets_at {
            set(headers, reset, &at.to_string());
        }
    }
}

/// The account's own windows as they stand now: one whose time is over has begun anew, and nothing is known of it.
fn own(limits: &Limits, now: i64) -> impl Iterator<Item = &LimitWindow> {
    let open = move |window: &&LimitWindow| window.resets_at.is_none_or(|at| at > now);
    limits.windows.iter().filter(|window| window.name.is_none()).filter(open)
}

/// The fullest one; of several as full, the one that stays so for longest.
fn fullest(limits: &Limits, now: i64) -> Option<&LimitWindow> {
    own(limits, now)
        .max_by(|a, b| a.used_percent.total_cmp(&b.used_percent).then(a.resets_at.cmp(&b.resets_at)))
}

// === GET /api/oauth/usage ===

/// What Claude Code's `/usage` reads: the windows that it has a place for, and all of them as rows.
#[derive(Serialize)]
struct Usage {
    five_hour: Option<Share>,
    seven_day: Option<Share>,
    extra_usage: ExtraUsage,
    limits: Vec<Row>,
}

#[derive(Serialize)]
struct Share {
    utilization: f64,
    resets_at: Option<String>,
}

/// Money: there is none to tell of.
#[derive(Serialize)]
struct ExtraUsage {
    is_enabled: bool,
    monthly_limit: Option<f64>,
    used_credits: Option<f64>,
    utilization: Option<f64>,
}

#[derive(Serialize)]
struct Row {
    kind: &'static str,
    group: &'static str,
    percent: f64,
    resets_at: Option<String>,
    severity: &'static str,
    is_active: bool,
}

/// The page.
pub(crate) async fn usage(State(proxy): State<Proxy>) -> Response {
    let limits = proxy.inner.client.limits();
    let mut response = Json(page(&limits, now().unix)).into_response();
    set_request_id(&mut response, &request_id());
    response
}

fn page(limits: &Limits, now: i64) -> Usage {
    let headline = fullest(limits, now);
    let share = |minutes: u64| {
        let window = own(limits, now).find(|window| window.minutes == minutes)?;
        Some(Share { utilization: window.used_percent, resets_at: date(window.resets_at) })
    };
    let rows = own(limits, now).map(|window| {
        // Windows are named by their length (P8).
        let (kind, group) = match window.minutes {
            ..1_440 => ("session", "session"),
            1_440..20_160 => ("weekly_all", "weekly"),
            _ => ("monthly", "monthly"),
        };
        let severity = match window.used_percent / 100.0 {
            used if used >= THRESHOLDS[0].0 => "critical",
            used if used >= THRESHOLDS[1].0 => "warning",
            _ => "normal",
        };
        let is_active = headline == Some(window);
        Row {
            kind,
            group,
            percent: window.used_percent,
            resets_at: date(window.resets_at),
            severity,
            is_active,
        }
    });
    Usage {
        five_hour: share(300),
        seven_day: share(10_080),
        extra_usage: ExtraUsage {
            is_enabled: false,
            monthly_limit: None,
            used_credits: None,
            utilization: None,
        },
        limits: rows.collect(),
    }
}

/// `2026-11-20T15:16:07Z`.
fn date(at: Option<i64>) -> Option<String> {
    Some(jiff::Timestamp::from_second(at?).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RESET: i64 = 1_795_000_000;

    fn limits(windows: &[(Option<&str>, f64)]) -> Limits {
        let windows = windows.iter().map(|(name, used_percent)| LimitWindow {
            name: name.map(str::to_owned),
            minutes: 300,
            used_percent: *used_percent,
            resets_at: Some(RESET),
        });
        Limits { windows: windows.collect(), ..Limits::default() }
    }

    fn told(windows: &[(Option<&str>, f64)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        tell(&limits(windows), RESET - 1, &mut headers);
        headers
    }

    #[test]
    fn a_window_whose_time_is_over_says_nothing() {
        let mut headers = HeaderMap::new();
        tell(&limits(&[(None, 99.0)]), RESET, &mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn the_usage_page_names_windows_by_their_length() {
        let mut limits = limits(&[(None, 96.0), (None, 80.0), (None, 3.5), (Some("other"), 99.0)]);
        limits.windows[0].minutes = 10_080;
        limits.windows[2].minutes = 43_200;
        let page = serde_json::to_value(page(&limits, 0)).unwrap();
        let at = "2026-11-18T11:06:40Z";
        let row = |kind: &str, group: &str, percent: f64, severity: &str, is_active: bool| json!({"kind": kind, "group": group, "percent": percent, "resets_at": at, "severity": severity, "is_active": is_active});
        assert_eq!(page["five_hour"], json!({"utilization": 80.0, "resets_at": at}));
        assert_eq!(page["seven_day"], json!({"utilization": 96.0, "resets_at": at}));
        assert_eq!(
            page["limits"],
            json!([
                row("weekly_all", "weekly", 96.0, "critical", true),
                row("session", "session", 80.0, "warning", false),
                row("monthly", "monthly", 3.5, "normal", false),
            ])
        );
        let empty = serde_json::to_value(super::page(&Limits::default(), 0)).unwrap();
        assert_eq!((&empty["five_hour"], &empty["limits"]), (&json!(null), &json!([])));
    }

    #[test]
    fn the_fullest_window_of_the_account_is_told() {
        assert!(told(&[]).is_empty());
        let headers = told(&[(None, 12.0), (None, 80.0), (Some("other"), 99.0)]);
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(text("anthropic-ratelimit-unified-status"), Some("allowed_warning"));
        assert_eq!(text("anthropic-ratelimit-unified-overage-utilization"), Some("0.80"));
        assert_eq!(text("anthropic-ratelimit-unified-overage-surpassed-threshold"), Some("0.75"));
        assert_eq!(text("anthropic-ratelimit-unified-reset"), Some("1795000000"));
        let calm = told(&[(None, 12.0)]);
        assert_eq!(calm.get("anthropic-ratelimit-unified-overage-surpassed-threshold"), None);
        assert_eq!(told(&[(None, 100.0)])["anthropic-ratelimit-unified-overage-utilization"], "0.99");
    }
}

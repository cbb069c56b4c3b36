//! The account's limits as the headers that Claude Code turns into its own usage notices (`gateway.md`; S68).
//!
//! Told is the fullest window of the account's own limits. Not here: a limit that is reached (`failure.rs`).

use dragoman_upstream::Limits;
use http::{HeaderMap, HeaderName, HeaderValue};

/// From which share of a window on the client warns.
const THRESHOLDS: [(f64, &str); 2] = [(0.95, "0.95"), (0.75, "0.75")];

/// Sets the headers on an answer; nothing is known before the backend has told its limits once.
pub(crate) fn tell(limits: &Limits, headers: &mut HeaderMap) {
    let own = limits.windows.iter().filter(|window| window.name.is_none());
    let Some(fullest) = own.max_by(|a, b| a.used_percent.total_cmp(&b.used_percent)) else { return };
    // Below 1 while requests are allowed, as the contract asks.
    let used = (fullest.used_percent / 100.0).clamp(0.0, 0.99);
    let passed = THRESHOLDS.iter().find(|(threshold, _)| used >= *threshold).map(|(_, text)| *text);
    let status = if passed.is_some() { "allowed_warning" } else { "allowed" };
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
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

#[cfg(test)]
mod tests {
    use dragoman_upstream::LimitWindow;

    use super::*;

    fn told(windows: &[(Option<&str>, f64)]) -> HeaderMap {
        let windows = windows.iter().map(|(name, used_percent)| LimitWindow {
            name: name.map(str::to_owned),
            minutes: 300,
            used_percent: *used_percent,
            resets_at: Some(1_795_000_000),
        });
        let mut headers = HeaderMap::new();
        tell(&Limits { windows: windows.collect(), ..Limits::default() }, &mut headers);
        headers
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

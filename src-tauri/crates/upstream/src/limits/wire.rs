//! The three shapes in which the backend tells limits, read leniently: what is missing or odd is left out, the rest
//! counts.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::{Deserialize, Deserializer};

use super::{Credits, Limit, LimitWindow, OWN, ReachedLimit, Readings, Spending, Timed};

// === headers ===

/// `x-<id>-{primary,secondary}-…` and credits; `None` if there is nothing of the kind.
pub(super) fn headers(headers: &HeaderMap, now: i64) -> Option<Readings> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    // The windows of one limit, by id and position.
    let mut found: BTreeMap<&str, [Window; 2]> = BTreeMap::new();
    for (name, value) in headers {
        let Some(rest) = name.as_str().strip_prefix("x-") else { continue };
        let Ok(value) = value.to_str() else { continue };
        for (position, middle) in ["-primary-", "-secondary-"].into_iter().enumerate() {
            let Some((id, field)) = rest.split_once(middle) else { continue };
            if !matches!(field, "used-percent" | "window-minutes" | "reset-at" | "reset-after-seconds") {
                continue;
            }
            let window = &mut found.entry(id).or_default()[position];
            let number = value.trim().parse().ok();
            match field {
                "used-percent" => window.used_percent = number,
                "window-minutes" => window.window_minutes = number,
                "reset-at" => window.reset_at = number,
                _ => window.reset_after_seconds = number,
            }
        }
    }
    let flag = |name: &str| text(name).map(|word| word.eq_ignore_ascii_case("true") || word == "1");
    let credits = flag("x-codex-credits-has-credits").map(|has_credits| Credits {
        has_credits,
        unlimited: flag("x-codex-credits-unlimited").unwrap_or(false),
        balance: text("x-codex-credits-balance").filter(|text| !text.is_empty()).map(str::to_owned),
    });
    if found.is_empty() && credits.is_none() {
        return None;
    }
    let limits = found.into_iter().map(|(id, windows)| {
        let name = text(&format!("x-{id}-limit-name")).filter(|name| !name.is_empty());
        limit(id, name, windows, now)
    });
    Some(Readings {
        limits: limits.collect(),
        credits: credits.map(|value| Timed { at: now, value }),
        reached: text("x-codex-rate-limit-reached-type")
            .map(|word| Timed { at: now, value: reached(Some(word)) }),
        read_at: Some(now),
        ..Readings::default()
    })
}

// === the event ===

/// A `codex.rate_limits` event, and whether it says that the account's own limit is reached.
pub(super) fn event(json: &str, now: i64) -> Option<(Readings, bool)> {
    let event: Event = serde_json::from_str(json).ok()?;
    let id = event.metered_limit_name.as_deref().unwrap_or(OWN);
    let is_reached =
        id == OWN && event.rate_limits.as_ref().is_some_and(|rate| rate.limit_reached == Some(true));
    let limit = event.rate_limits.map(|rate| {
        let windows = [rate.primary, rate.secondary].into_iter().flatten();
        limit(id, event.limit_name.as_deref(), windows, now)
    });
    let readings = Readings {
        limits: limit.into_iter().collect(),
        credits: event.credits.map(|credits| Timed { at: now, value: credits.into() }),
        plan: event.plan_type.map(|value| Timed { at: now, value }),
        read_at: Some(now),
        ..Readings::default()
    };
    Some((readings, is_reached))
}

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

#[derive(Deserialize)]
struct Rate {
    #[serde(default)]
    limit_reached: Option<bool>,
    #[serde(default)]
    primary: Option<Window>,
    #[serde(default)]
    secondary: Option<Window>,
}

// === the page ===

/// `GET /wham/usage`, and whether it says that the account may go on.
pub(super) fn page(json: &[u8], now: i64) -> Option<(Readings, bool)> {
    let page: Page = serde_json::from_slice(json).ok()?;
    let rate = page.rate_limit?;
    let is_open = rate.allowed != Some(false) && rate.limit_reached != Some(true);
    let more = page.additional_rate_limits.into_iter().flatten().chain(page.code_review_rate_limit.map(
        |rate_limit| Additional {
            limit_name: Some("code review".to_owned()),
            metered_feature: Some("code_review".to_owned()),
            rate_limit: Some(rate_limit),
        },
    ));
    let more = more.filter_map(|more| {
        let id = more.metered_feature.as_deref().or(more.limit_name.as_deref())?;
        Some(limit(id, more.limit_name.as_deref(), more.rate_limit?.windows(), now))
    });
    let limits = more.chain([limit(OWN, None, rate.windows(), now)]).collect();
    let kind = page.rate_limit_reached_type.as_ref().and_then(|reached| reached.kind.as_deref());
    let spending = page.spend_control.map(|control| Spending {
        reached: control.reached.unwrap_or(false),
        limit: control.individual_limit.map(|Amount(text)| text),
    });
    let readings = Readings {
        limits,
        credits: page.credits.map(|credits| Timed { at: now, value: credits.into() }),
        plan: page.plan_type.map(|value| Timed { at: now, value }),
        spending: Some(Timed { at: now, value: spending }),
        reached: Some(Timed { at: now, value: reached(kind) }),
        page_at: Some(now),
        read_at: Some(now),
    };
    Some((readings, is_open))
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    plan_type: Option<String>,
    #[serde(default)]
    rate_limit: Option<PageRate>,
    #[serde(default)]
    code_review_rate_limit: Option<PageRate>,
    #[serde(default)]
    additional_rate_limits: Option<Vec<Additional>>,
    #[serde(default)]
    credits: Option<WireCredits>,
    #[serde(default)]
    spend_control: Option<SpendControl>,
    #[serde(default)]
    rate_limit_reached_type: Option<ReachedType>,
}

#[derive(Deserialize)]
struct PageRate {
    #[serde(default)]
    allowed: Option<bool>,
    #[serde(default)]
    limit_reached: Option<bool>,
    #[serde(default)]
    primary_window: Option<PageWindow>,
    #[serde(default)]
    secondary_window: Option<PageWindow>,
}

impl PageRate {
    fn windows(self) -> impl Iterator<Item = Window> {
        [self.primary_window, self.secondary_window].into_iter().flatten().map(Window::from)
    }
}

#[derive(Deserialize)]
struct Additional {
    #[serde(default)]
    limit_name: Option<String>,
    #[serde(default)]
    metered_feature: Option<String>,
    #[serde(default)]
    rate_limit: Option<PageRate>,
}

/// A window as the usage page tells it: in seconds.
#[derive(Deserialize)]
struct PageWindow {
    #[serde(default)]
    used_percent: Option<f64>,
    #[serde(default)]
    limit_window_seconds: Option<f64>,
    #[serde(default)]
    reset_at: Option<f64>,
    #[serde(default)]
    reset_after_seconds: Option<f64>,
}

impl From<PageWindow> for Window {
    fn from(window: PageWindow) -> Self {
        Self {
            used_percent: window.used_percent,
            window_minutes: window.limit_window_seconds.map(|seconds| seconds / 60.0),
            reset_at: window.reset_at,
            reset_after_seconds: window.reset_after_seconds,
        }
    }
}

#[derive(Deserialize)]
struct SpendControl {
    #[serde(default)]
    reached: Option<bool>,
    /// Only `null` has been seen.
    #[serde(default, deserialize_with = "amount")]
    individual_limit: Option<Amount>,
}

#[derive(Deserialize)]
struct ReachedType {
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

// === what they share ===

#[derive(Deserialize)]
struct WireCredits {
    #[serde(default)]
    has_credits: Option<bool>,
    #[serde(default)]
    unlimited: Option<bool>,
    #[serde(default, deserialize_with = "amount")]
    balance: Option<Amount>,
}

impl From<WireCredits> for Credits {
    fn from(wire: WireCredits) -> Self {
        Self {
            has_credits: wire.has_credits.unwrap_or(false),
            unlimited: wire.unlimited.unwrap_or(false),
            balance: wire.balance.map(|Amount(text)| text),
        }
    }
}

/// An amount in the backend's words. Documented as a string; a number is taken too.
struct Amount(String);

/// Anything else is as good as nothing: an amount must not spoil the windows beside it.
fn amount<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Amount>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Shape {
        Text(String),
        Number(f64),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Option::<Shape>::deserialize(from)? {
        Some(Shape::Text(text)) => Some(Amount(text)),
        Some(Shape::Number(number)) => Some(Amount(number.to_string())),
        Some(Shape::Other(_)) | None => None,
    })
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
    /// A window without a length is none, whatever its other numbers say; one without a number is not known (P8).
    fn named(self, name: Option<&str>, now: i64) -> Option<LimitWindow> {
        let minutes = self.window_minutes.filter(|minutes| *minutes >= 1.0)? as u64;
        let used_percent = self.used_percent.filter(|used| used.is_finite())?.clamp(0.0, 100.0);
        let after = |seconds: f64| now.saturating_add(seconds as i64);
        let resets_at = self.reset_at.filter(|at| *at > 0.0).map(|at| at as i64);
        let resets_at = resets_at.or_else(|| self.reset_after_seconds.filter(|s| s.is_finite()).map(after));
        Some(LimitWindow { name: name.map(str::to_owned), minutes, used_percent, resets_at })
    }
}

/// One limit with the windows that it really has; two of one length can't be told apart, the fuller one counts.
fn limit(
    id: &str,
    name: Option<&str>,
    windows: impl IntoIterator<Item = Window>,
    now: i64,
) -> (String, Timed<Limit>) {
    let id = id.replace('-', "_");
    let name = (id != OWN).then(|| name.unwrap_or(&id));
    let mut windows: Vec<_> = windows.into_iter().filter_map(|window| window.named(name, now)).collect();
    windows.sort_by(|a, b| a.minutes.cmp(&b.minutes).then(b.used_percent.total_cmp(&a.used_percent)));
    windows.dedup_by_key(|window| window.minutes);
    let value = Limit { name: name.map(str::to_owned), windows };
    (id, Timed { at: now, value })
}

/// `rate_limit_reached_type`.
fn reached(kind: Option<&str>) -> Option<ReachedLimit> {
    let kind = kind.filter(|kind| !kind.is_empty())?;
    let is_workspace = kind.starts_with("workspace_");
    Some(match kind {
        "rate_limit_reached" => ReachedLimit::Usage,
        kind if is_workspace && kind.ends_with("_credits_depleted") => ReachedLimit::WorkspaceCredits,
        kind if is_workspace && kind.ends_with("_usage_limit_reached") => ReachedLimit::WorkspaceUsage,
        other => ReachedLimit::Unknown(other.to_owned()),
    })
}

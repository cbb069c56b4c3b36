//! The standing answers of the fake: model catalog, account routing, usage.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Value, json};

use crate::credentials::{EMAIL, now};

/// The entity tag of a catalog: another one for another text.
pub(crate) fn etag(catalog: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    catalog.to_string().hash(&mut hasher);
    format!("W/\"fake-{:016x}\"", hasher.finish())
}

/// The same without the classic dialect: no model in it has a search of its own.
pub fn lite_catalog() -> Value {
    let mut catalog = catalog();
    if let Some(models) = catalog["models"].as_array_mut() {
        models.retain(|model| model["use_responses_lite"] == true);
    }
    catalog
}

/// A catalog with models of both dialects, shaped like the real one and, like it, not sorted.
pub fn catalog() -> Value {
    fn lite<'a>(slug: &'a str, name: &'a str, priority: u64) -> Entry<'a> {
        Entry { slug, name, priority, lite: true, ..Entry::default() }
    }
    let models = [
        lite("gpt-6-luna", "GPT-6-Luna", 4).json(),
        Entry { slug: "gpt-5.5", name: "GPT-5.5", priority: 9, ..Entry::default() }.json(),
        lite("gpt-6.1-sol", "GPT-6.1-Sol", 1).json(),
        Entry { window: 500_000, ..lite("gpt-6.1-terra", "GPT-6.1 Terra", 6) }.json(),
        lite("gpt-6-sol", "GPT-6-Sol", 3).json(),
        Entry { hidden: true, ..lite("gpt-daybreak-blue-latest", "Daybreak Blue", 10) }.json(),
        lite("gpt-5.6-luna", "GPT-5.6-Luna", 8).json(),
    ];
    json!({ "models": models })
}

struct Entry<'a> {
    slug: &'a str,
    name: &'a str,
    priority: u64,
    lite: bool,
    hidden: bool,
    window: u64,
}

impl Default for Entry<'_> {
    fn default() -> Self {
        Self { slug: "", name: "", priority: 0, lite: false, hidden: false, window: 272_000 }
    }
}

impl Entry<'_> {
    fn json(&self) -> Value {
        let mut efforts = vec!["low", "medium", "high", "xhigh"];
        if self.lite {
            efforts.push("max");
        }
        if self.slug.contains("sol") || self.slug.contains("terra") {
            efforts.push("ultra");
        }
        let levels: Vec<Value> =
            efforts.iter().map(|effort| json!({ "effort": effort, "description": effort })).collect();
        // As in the real one, the preview models have one speed only.
        let (speeds, tiers) = if self.hidden {
            (json!([]), json!([]))
        } else {
            let tier =
                json!({ "id": "priority", "name": "Fast", "description": "2x speed, increased usage" });
            (json!(["fast"]), json!([tier]))
        };
        json!({
            "slug": self.slug,
            "display_name": self.name,
            "description": format!("{} (scripted)", self.name),
            "default_reasoning_level": "medium",
            "supported_reasoning_levels": levels,
            "shell_type": "unified_exec",
            "visibility": if self.hidden { "hide" } else { "list" },
            "supported_in_api": true,
            "priority": self.priority,
            "additional_speed_tiers": speeds,
            "service_tiers": tiers,
            "availability_nux": null,
            "upgrade": null,
            "base_instructions": "You are Codex.",
            "default_reasoning_summary": "none",
            "support_verbosity": true,
            "default_verbosity": "low",
            "apply_patch_tool_type": "freeform",
            "web_search_tool_type": "text_and_image",
            "truncation_policy": { "mode": "tokens", "limit": 10_000 },
            "supports_image_detail_original": true,
            "context_window": self.window,
            "max_context_window": if self.lite { 872_000 } else { 272_000 },
            "comp_hash": "3000",
            "effective_context_window_percent": 95,
            "experimental_supported_tools": [],
            "input_modalities": ["text", "image"],
            "supports_search_tool": true,
            "use_responses_lite": self.lite,
            "supports_reasoning_effort_updates": self.lite,
        })
    }
}

pub(crate) fn accounts_check(account: &str) -> Value {
    let entry = json!({
        "id": account, "name": null, "structure": "personal", "plan_type": "plus", "is_deactivated": false,
        "is_fedramp_compliant_workspace": false, "can_access_with_session": true, "sso_connection_name": null,
        "profile_picture_url": null, "workspace_backend_origin": "NO_CONSTRAINT",
        "account_routing_override": "NO_CONSTRAINT",
    });
    json!({ "accounts": [entry], "account_ordering": [account], "default_account_id": account })
}

pub(crate) fn usage(account: &str) -> Value {
    let window = |percent: u64, length: i64, left: i64| {
        json!({
            "used_percent": percent, "limit_window_seconds": length, "reset_after_seconds": left,
            "reset_at": now() + left,
        })
    };
    json!({
        "user_id": "user-fabricated", "account_id": account, "email": EMAIL, "plan_type": "plus",
        "rate_limit": {
            "allowed": true, "limit_reached": false,
            "primary_window": window(12, 18_000, 9_000),
            "secondary_window": window(34, 604_800, 400_000),
        },
        "code_review_rate_limit": null, "additional_rate_limits": null,
        "credits": { "has_credits": false, "unlimited": false, "balance": "0" },
        "spend_control": { "reached": false, "individual_limit": null },
        "rate_limit_reached_type": null,
    })
}

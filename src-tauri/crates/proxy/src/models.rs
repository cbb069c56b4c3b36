//! The small endpoints: the model list for Claude Code's gateway discovery, probes, health.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::Proxy;
use crate::error::{request_id, set_request_id};
use crate::routes::{Facts, Family, gateway_id};

#[derive(Serialize)]
struct List {
    data: Vec<Listed>,
    has_more: bool,
    first_id: Option<String>,
    last_id: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    display_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    created_at: &'static str,
}

/// `GET /v1/models` in Anthropic's shape. The ids contain `claude`, or Claude Code would drop them (M14).
pub(crate) async fn models(State(proxy): State<Proxy>) -> Response {
    let catalog = proxy.inner.client.catalog();
    let data: Vec<Listed> = catalog
        .listed()
        .map(|model| Listed {
            kind: "model",
            id: gateway_id(&model.slug),
            display_name: model.display_name.clone(),
            description: model.description.clone(),
            // The API's shape asks for a date; the catalog has none.
            created_at: "1970-01-01T00:00:00Z",
        })
        .collect();
    let first_id = data.first().map(|model| model.id.clone());
    let last_id = data.last().map(|model| model.id.clone());
    let mut response = Json(List { data, has_more: false, first_id, last_id }).into_response();
    set_request_id(&mut response, &request_id());
    response
}

/// `HEAD /`, `HEAD /api/hello`: Claude Code asks whether somebody is there.
pub(crate) async fn hello() -> Response {
    Response::default()
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    on: bool,
    model: Option<String>,
    context_window: u64,
    /// Where the Codex CLI is set to compact, if that counts here too.
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_compact_token_limit: Option<u64>,
    windows: Vec<Window>,
}

#[derive(Serialize)]
struct Window {
    minutes: u64,
    used_percent: f64,
    resets_at: Option<i64>,
}

/// `GET /health`, without a token: never an account, an address or a secret (DECISIONS 21).
pub(crate) async fn health(State(proxy): State<Proxy>) -> Response {
    let catalog = proxy.inner.client.catalog();
    let config = proxy.config();
    let limits = proxy.inner.client.limits();
    let default = config.rules.route(&catalog, Family::Opus.as_str(), &Facts::default());
    let windows = limits.windows.into_iter().filter(|window| window.name.is_none());
    let health = Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        on: true,
        model: default.ok().map(|routed| routed.route.model),
        context_window: config.rules.window(&catalog),
        auto_compact_token_limit: config.rules.codex.compact_at,
        windows: windows
            .map(|window| Window {
                minutes: window.minutes,
                used_percent: window.used_percent,
                resets_at: window.resets_at,
            })
            .collect(),
    };
    Json(health).into_response()
}

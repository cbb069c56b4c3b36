//! The small endpoints: the model list for Claude Code's gateway discovery, probes, health.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use dragoman_protocol::failure::Failure;
use dragoman_upstream::Model;
use http::HeaderMap;
use serde::Serialize;

use crate::Proxy;
use crate::door::{Door, speaks_anthropic};
use crate::error::{failure_response, request_id, set_request_id};
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

impl Listed {
    fn of(model: &Model) -> Self {
        Self {
            kind: "model",
            id: gateway_id(&model.slug),
            display_name: model.display_name.clone(),
            description: model.description.clone(),
            // The API's shape asks for a date; the catalog has none.
            created_at: "1970-01-01T00:00:00Z",
        }
    }
}

#[derive(Serialize)]
struct OpenAiList {
    object: &'static str,
    data: Vec<OpenAiListed>,
}

#[derive(Serialize)]
struct OpenAiListed {
    id: String,
    object: &'static str,
    /// A date is asked for here too.
    created: u64,
    owned_by: &'static str,
}

impl OpenAiListed {
    fn of(model: &Model) -> Self {
        Self { id: model.slug.clone(), object: "model", created: 0, owned_by: "openai" }
    }
}

/// `GET /v1/models` in the shape that the client knows (O12). For Anthropic's clients the ids contain `claude`, or Claude
/// Code would drop them (M14).
pub(crate) async fn models(State(proxy): State<Proxy>, headers: HeaderMap) -> Response {
    let catalog = proxy.inner.client.catalog();
    let mut response = if speaks_anthropic(&headers) {
        let data: Vec<Listed> = catalog.listed().map(Listed::of).collect();
        let first_id = data.first().map(|model| model.id.clone());
        let last_id = data.last().map(|model| model.id.clone());
        Json(List { data, has_more: false, first_id, last_id }).into_response()
    } else {
        Json(OpenAiList { object: "list", data: catalog.listed().map(OpenAiListed::of).collect() })
            .into_response()
    };
    set_request_id(&mut response, &request_id());
    response
}

/// `GET /v1/models/ID`: any name that the map has an answer for.
pub(crate) async fn model(
    State(proxy): State<Proxy>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let catalog = proxy.inner.client.catalog();
    let request_id = request_id();
    let found = proxy.config().rules.route(&catalog, &id, &Facts::default()).and_then(|routed| {
        let slug = &routed.route.model;
        let known = || catalog.listed().map(|model| model.slug.clone()).collect();
        catalog.find(slug).ok_or_else(|| Failure::UnknownModel { model: id.clone(), known: known() })
    });
    let mut response = match found {
        Ok(model) if speaks_anthropic(&headers) => Json(Listed { id, ..Listed::of(model) }).into_response(),
        Ok(model) => Json(OpenAiListed { id, ..OpenAiListed::of(model) }).into_response(),
        Err(failure) => return failure_response(&failure, &request_id, Door::of("/models", &headers)),
    };
    set_request_id(&mut response, &request_id);
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

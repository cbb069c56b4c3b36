//! The models and what Claude's names stand for: the map as it is, its rules, and what one name would become.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use dragoman_proxy::Scenario;
use serde::Deserialize;
use ts_rs::TS;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Asked, At, ErrorAnswer, Input, Told};
use crate::{App, Mapped, Models};

/// How long the backend may take to list its models.
const LIMIT: Duration = Duration::from_secs(10);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(models)).routes(routes!(resolve)).routes(routes!(set, unset))
}

/// What to do about an old catalog.
#[derive(Debug, Deserialize, TS, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Fresh {
    /// Ask the backend first, if what is known is old.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    fresh: bool,
}

/// The catalog and the map. Without `fresh` it is what is known, at once.
#[utoipa::path(get, path = "/admin/models", params(Fresh),
    responses((status = 200, body = Models), (status = "default", body = ErrorAnswer)))]
async fn models(State(app): State<App>, Asked(how): Asked<Fresh>) -> Told<Models> {
    let models =
        if how.fresh { app.fresh_models(LIMIT).await } else { app.snapshot().borrow().models.clone() };
    Ok(Json(models))
}

/// A name that a client could ask for.
#[derive(Debug, Deserialize, TS, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AskedName {
    /// The name, suffixes and backend included.
    name: String,
    /// What the request would be for; without it, nothing special.
    #[serde(default)]
    #[ts(optional)]
    scenario: Option<Scenario>,
}

/// A rule of the map.
#[derive(Debug, Deserialize, TS, ToSchema)]
pub(super) struct NewRule {
    /// `[backend,]model`, then `effort=…`, `default_effort=…`, `tier=…`, `context=max` as wished (docs/models.md).
    target: String,
}

/// What this name would become now: nothing is asked of the backend.
#[utoipa::path(get, path = "/admin/models/resolve", params(AskedName),
    responses((status = 200, body = Mapped), (status = "default", body = ErrorAnswer)))]
async fn resolve(State(app): State<App>, Asked(of): Asked<AskedName>) -> Told<Mapped> {
    Ok(Json(app.resolve(&of.name, of.scenario)))
}

/// Writes a rule into the settings file: for a family, a scenario, `default`, a name or a pattern. It counts from the
/// next request on; the answer is the map with it.
#[utoipa::path(put, path = "/admin/models/rules/{asks}", request_body = NewRule, params(("asks" = String, Path)),
    responses((status = 200, body = Models), (status = "default", body = ErrorAnswer)))]
async fn set(State(app): State<App>, At(asks): At<String>, Input(new): Input<NewRule>) -> Told<Models> {
    app.map(&asks, Some(&new.target)).await?;
    Ok(Json(app.snapshot().borrow().models.clone()))
}

/// Takes a rule back; what is computed from the catalog decides again. The answer is the map without it.
#[utoipa::path(delete, path = "/admin/models/rules/{asks}", params(("asks" = String, Path)),
    responses((status = 200, body = Models), (status = "default", body = ErrorAnswer)))]
async fn unset(State(app): State<App>, At(asks): At<String>) -> Told<Models> {
    app.map(&asks, None).await?;
    Ok(Json(app.snapshot().borrow().models.clone()))
}

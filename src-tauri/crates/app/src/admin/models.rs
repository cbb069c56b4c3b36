//! The models and what Claude's names stand for.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use ts_rs::TS;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Asked, ErrorAnswer, Told};
use crate::{App, Models};

/// How long the backend may take to list its models.
const LIMIT: Duration = Duration::from_secs(10);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(models))
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

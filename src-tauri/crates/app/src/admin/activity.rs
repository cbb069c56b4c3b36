//! The requests that have ended.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{At, ErrorAnswer, Problem, Told};
use crate::App;
use crate::recent::Exchange;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one))
}

/// The last 200 requests that have ended since the program's start, newest first. Later ones come with the events.
#[utoipa::path(get, path = "/admin/activity", responses((status = 200, body = Vec<Exchange>)))]
async fn list(State(app): State<App>) -> Json<Vec<Exchange>> {
    Json(app.recent().all())
}

/// One of them.
#[utoipa::path(get, path = "/admin/activity/{id}", params(("id" = String, Path)),
    responses((status = 200, body = Exchange), (status = "default", body = ErrorAnswer)))]
async fn one(State(app): State<App>, At(id): At<String>) -> Told<Exchange> {
    let found = app.recent().get(&id);
    found.map(Json).ok_or_else(|| Problem::not_found(format!("request {id} is not among the last ones")))
}

//! The admin API: every verb of [`App`] under `/admin`, for the window, for a browser and for programs.
//!
//! One router is the one contract. The window reaches it in-process through [`Door`]; the listener (`listener.rs`) puts
//! [`guard`] before it. Types come from serde, and `ui/api.d.ts` and `/admin/openapi.json` are made from the same types.
//! A stream is server-sent events whose `data:` is one JSON value each, without names. Not here: what a verb does.

mod access;
mod accounts;
mod activity;
mod answer;
mod check_up;
#[cfg(test)]
mod contract;
mod door;
mod guard;
mod listener;
mod logins;
mod logs;
mod metrics;
mod models;
mod pages;
mod program;
mod prompt;
mod recording;
mod set_up;
mod settings;
#[cfg(test)]
mod tests;
mod updates;
mod usage;

use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Description;
use utoipa_axum::router::OpenApiRouter;

pub use door::{Answer, Call, Door, Reply};
pub(crate) use listener::Open;
pub use listener::link;
pub(crate) use logins::Logins;

use crate::App;

/// What the description says besides routes and types.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Dragoman's admin API",
        description = "Every verb of Dragoman, on 127.0.0.1. See docs/admin.md."
    ),
    components(schemas(answer::ErrorAnswer))
)]
struct Head;

/// Every route, without anything that asks who is there.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Head::openapi())
        .merge(program::routes())
        .merge(accounts::routes())
        .merge(logins::routes())
        .merge(models::routes())
        .merge(set_up::routes())
        .merge(settings::routes())
        .merge(usage::routes())
        .merge(check_up::routes())
        .merge(prompt::routes())
        .merge(activity::routes())
        .merge(recording::routes())
        .merge(logs::routes())
        .merge(updates::routes())
}

/// The routes as a service, for those who may call them.
fn router(app: &App) -> Router {
    let (router, _) = routes().split_for_parts();
    router.with_state(app.clone())
}

/// The OpenAPI description of the routes.
fn description() -> Description {
    routes().into_openapi()
}

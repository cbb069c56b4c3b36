//! The check-up, told check by check.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use ts_rs::TS;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{self, ErrorAnswer, Input, Problem};
use crate::{App, Check};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(doctor))
}

/// How much to check.
#[derive(Debug, Deserialize, TS, ToSchema)]
pub(super) struct NewCheckUp {
    /// Everything but Claude Code itself, which takes a minute and some tokens.
    quick: bool,
}

/// A stream of `Check`, each as soon as it is done. Leaving ends the check-up.
#[utoipa::path(post, path = "/admin/doctor", request_body = NewCheckUp,
    responses((status = 200, body = Check, content_type = "text/event-stream"),
        (status = "default", body = ErrorAnswer)))]
async fn doctor(State(app): State<App>, Input(wish): Input<NewCheckUp>) -> Result<Response, Problem> {
    let patient = app.clone();
    let checks = answer::telling(move |tell| async move {
        let tell = move |check: &Check| {
            // An error means that nobody listens any more; then this future is dropped.
            let _ = tell.send(check.clone());
        };
        patient.doctor(None, wish.quick, tell).await;
    });
    Ok(answer::stream(&app, checks))
}

//! What the user wants done about newer versions. What is known of them is in the snapshot.

use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Done, ErrorAnswer};
use crate::App;
use crate::updates::UpdateWish;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(look)).routes(routes!(install))
}

/// Looks for a newer version now; the snapshot shows what comes of it.
#[utoipa::path(post, path = "/admin/update/look",
    responses((status = 204), (status = "default", body = ErrorAnswer)))]
async fn look(State(app): State<App>) -> Done {
    app.wish_update(UpdateWish::Look)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Installs the version that was found; the snapshot shows what comes of it.
#[utoipa::path(post, path = "/admin/update/install",
    responses((status = 204), (status = "default", body = ErrorAnswer)))]
async fn install(State(app): State<App>) -> Done {
    app.wish_update(UpdateWish::Install)?;
    Ok(StatusCode::NO_CONTENT)
}

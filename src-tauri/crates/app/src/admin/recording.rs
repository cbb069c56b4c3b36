//! What requests and answers said, while the user wants it kept: the switch, one recording, and a case made of it.

use axum::Json;
use axum::extract::State;
use dragoman_proxy::{Door, Fill, Recording, Said};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{At, ErrorAnswer, Input, Told};
use crate::app::Exported;
use crate::case::NotACase;
use crate::{App, Error};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(state, switch)).routes(routes!(one)).routes(routes!(export))
}

/// Shall contents be kept?
#[derive(Debug, Deserialize, TS, ToSchema)]
pub(super) struct NewRecording {
    /// Off forgets all of them.
    on: bool,
}

/// What was said in a request, without secrets.
#[derive(Debug, Serialize, TS, ToSchema)]
pub(super) struct Recorded {
    /// In which API the client asked.
    door: Door,
    /// The client's request: JSON.
    request: String,
    /// The requests to the backend with their answers, in order. More than one, if it objected to the first or the model
    /// searched.
    upstream: Vec<Said>,
    /// What the client got, as far as it came: an event stream, or JSON; empty where it is an error's status.
    answer: String,
    /// Why it can't be made a case, if it can't.
    obstacle: Option<String>,
}

impl Recorded {
    fn of(recording: &Recording, obstacle: Option<NotACase>) -> Self {
        Self {
            door: recording.door,
            request: recording.request.clone(),
            upstream: recording.upstream.clone(),
            answer: recording.answer.clone(),
            obstacle: obstacle.map(|why| why.to_string()),
        }
    }
}

/// Whether contents are kept, and how many.
#[utoipa::path(get, path = "/admin/recording", responses((status = 200, body = Fill)))]
async fn state(State(app): State<App>) -> Json<Fill> {
    Json(app.recorder().fill())
}

/// Keeps the contents of requests from now on, in memory, or forgets all of them.
#[utoipa::path(put, path = "/admin/recording", request_body = NewRecording,
    responses((status = 200, body = Fill), (status = "default", body = ErrorAnswer)))]
async fn switch(State(app): State<App>, Input(new): Input<NewRecording>) -> Told<Fill> {
    app.recorder().switch(new.on);
    Ok(Json(app.recorder().fill()))
}

/// What was said in a request, on both sides.
#[utoipa::path(get, path = "/admin/activity/{id}/recording", params(("id" = String, Path)),
    responses((status = 200, body = Recorded), (status = "default", body = ErrorAnswer)))]
async fn one(State(app): State<App>, At(id): At<String>) -> Told<Recorded> {
    let told = app.recorded(&id).ok_or(Error::NotACase(NotACase::NotRecorded))?;
    Ok(Json(Recorded::of(&told.recording, told.obstacle())))
}

/// Writes a request with the recorded ones before it in its conversation as a case that can be replayed.
#[utoipa::path(post, path = "/admin/activity/{id}/case", params(("id" = String, Path)),
    responses((status = 200, body = Exported), (status = "default", body = ErrorAnswer)))]
async fn export(State(app): State<App>, At(id): At<String>) -> Told<Exported> {
    Ok(Json(app.export(&id).await?))
}

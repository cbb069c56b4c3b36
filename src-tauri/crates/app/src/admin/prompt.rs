//! A prompt of the user's own, through the same path as Claude Code's requests.

use axum::extract::State;
use axum::response::Response;
use dragoman_proxy::Scenario;
use serde::Deserialize;
use ts_rs::TS;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{self, ErrorAnswer, Input, Problem};
use crate::App;
use crate::app::{Prompt, PromptEvent};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(prompt))
}

/// A prompt.
#[derive(Debug, Deserialize, TS, ToSchema)]
pub(super) struct NewPrompt {
    /// What to ask.
    text: String,
    /// Which model: one of Claude's names, or one of the catalog's. Without it, what Claude Sonnet stands for.
    #[serde(default)]
    #[ts(optional)]
    model: Option<String>,
    /// The only account that may answer.
    #[serde(default)]
    #[ts(optional)]
    account: Option<String>,
    /// The model is chosen as for a request of this kind.
    #[serde(default)]
    #[ts(optional)]
    scenario: Option<Scenario>,
}

/// A stream of `PromptEvent`; it ends after `done` or `failed`. Leaving ends the request.
#[utoipa::path(post, path = "/admin/prompt", request_body = NewPrompt,
    responses((status = 200, body = PromptEvent, content_type = "text/event-stream"),
        (status = "default", body = ErrorAnswer)))]
async fn prompt(State(app): State<App>, Input(new): Input<NewPrompt>) -> Result<Response, Problem> {
    let NewPrompt { text, model, account, scenario } = new;
    let patient = app.clone();
    let events = answer::telling(move |tell| async move {
        let tell = move |event| {
            // An error means that nobody listens any more; then this future is dropped.
            let _ = tell.send(event);
        };
        patient.prompt(Prompt { text, model, account, scenario }, tell).await;
    });
    Ok(answer::stream(&app, events))
}

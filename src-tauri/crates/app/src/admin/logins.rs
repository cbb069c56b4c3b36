//! Signing in: begun here, watched as a stream of steps, ended by pasting, by cancelling or by itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use dragoman_upstream::{LoginStep, Way};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use ts_rs::TS;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{self, At, Done, ErrorAnswer, Input, Problem, Told, empty};
use crate::App;
use crate::app::{LoginKind, LoginRun, Paste};

/// So many sign-ins that have ended are remembered, for a page that is loaded again.
const ENDED: usize = 4;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, begin))
        .routes(routes!(cancel))
        .routes(routes!(steps))
        .routes(routes!(paste))
}

/// A wish to sign in.
#[derive(Deserialize, TS, ToSchema)]
pub(super) struct NewLogin {
    /// How.
    way: Way,
    /// The only workspace that will do.
    #[serde(default)]
    #[ts(optional)]
    workspace: Option<String>,
}

/// A sign-in that was begun.
#[derive(Debug, Serialize, TS, ToSchema)]
pub(super) struct Login {
    /// Names it in paths.
    id: u64,
    /// What happened so far.
    steps: Vec<LoginStep>,
}

/// What the user pasted.
#[derive(Deserialize, TS, ToSchema)]
pub(super) struct Pasted {
    /// The address that the browser ended at, or the code.
    text: String,
}

/// The sign-ins that were begun here.
#[derive(Debug, Default)]
pub(crate) struct Logins(Mutex<Begun>);

#[derive(Debug, Default)]
struct Begun {
    last: u64,
    runs: BTreeMap<u64, Run>,
}

#[derive(Debug)]
struct Run {
    login: LoginRun,
    paste: Option<Paste>,
}

impl Run {
    fn steps(&self) -> Vec<LoginStep> {
        self.login.steps().borrow().clone()
    }

    fn is_over(&self) -> bool {
        self.login.steps().borrow().last().is_some_and(LoginStep::is_last)
    }
}

impl Logins {
    fn add(&self, mut login: LoginRun) -> u64 {
        let paste = login.take_paste();
        self.with(|begun| {
            let over = begun.runs.iter().filter(|(_, run)| run.is_over()).map(|(id, _)| *id);
            let over: Vec<u64> = over.collect();
            for id in over.iter().rev().skip(ENDED) {
                begun.runs.remove(id);
            }
            begun.last += 1;
            begun.runs.insert(begun.last, Run { login, paste });
            begun.last
        })
    }

    fn find<T>(&self, id: u64, act: impl FnOnce(&Run) -> T) -> Result<T, Problem> {
        let found = self.with(|begun| begun.runs.get(&id).map(act));
        found.ok_or_else(|| Problem::not_found(format!("there is no sign-in number {id}")))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Begun) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The sign-ins that run, and those that ended lately.
#[utoipa::path(get, path = "/admin/logins", responses((status = 200, body = Vec<Login>)))]
async fn list(State(app): State<App>) -> Json<Vec<Login>> {
    let login = |(id, run): (&u64, &Run)| Login { id: *id, steps: run.steps() };
    Json(app.logins().with(|begun| begun.runs.iter().map(login).collect()))
}

/// Begins to sign in.
#[utoipa::path(post, path = "/admin/logins", request_body = NewLogin,
    responses((status = 200, body = Login), (status = "default", body = ErrorAnswer)))]
async fn begin(State(app): State<App>, Input(new): Input<NewLogin>) -> Told<Login> {
    let run = app.login(LoginKind { way: new.way, workspace: new.workspace });
    let id = app.logins().add(run);
    Ok(Json(Login { id, steps: app.logins().find(id, Run::steps)? }))
}

/// Ends a sign-in, unless its tokens are being stored: that is finished.
#[utoipa::path(delete, path = "/admin/logins/{id}", params(("id" = u64, Path)),
    responses((status = 204), (status = "default", body = ErrorAnswer)))]
async fn cancel(State(app): State<App>, At(id): At<u64>) -> Done {
    app.logins().find(id, |run| run.login.cancel())?;
    empty()
}

/// A stream of `LoginStep`: those so far, then each as it comes. It ends after `done`, `failed` or `cancelled`.
#[utoipa::path(get, path = "/admin/logins/{id}/steps", params(("id" = u64, Path)),
    responses((status = 200, body = LoginStep, content_type = "text/event-stream"),
        (status = "default", body = ErrorAnswer)))]
async fn steps(State(app): State<App>, At(id): At<u64>) -> Result<Response, Problem> {
    let steps = app.logins().find(id, |run| run.login.steps())?;
    Ok(answer::stream(&app, stream::unfold((steps, 0), next_step)))
}

async fn next_step(
    (mut steps, told): (watch::Receiver<Vec<LoginStep>>, usize),
) -> Option<(LoginStep, (watch::Receiver<Vec<LoginStep>>, usize))> {
    let over = |steps: &[LoginStep]| steps.last().is_some_and(LoginStep::is_last);
    // An error means that the sign-in is gone without a last word: the program is stopping.
    let now = steps.wait_for(|steps| steps.len() > told || over(steps)).await.ok()?;
    let step = now.get(told).cloned();
    drop(now);
    step.map(|step| (step, (steps, told + 1)))
}

/// Hands in what the user pasted; the steps tell what became of it.
#[utoipa::path(post, path = "/admin/logins/{id}/paste", request_body = Pasted, params(("id" = u64, Path)),
    responses((status = 204), (status = "default", body = ErrorAnswer)))]
async fn paste(State(app): State<App>, At(id): At<u64>, Input(pasted): Input<Pasted>) -> Done {
    let paste = app.logins().find(id, |run| run.paste.clone())?;
    if let Some(paste) = paste {
        paste.enter(&pasted.text).await;
    }
    empty()
}

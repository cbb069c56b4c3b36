//! Claude Code's set-up, and what other programs must be told.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Asked, ErrorAnswer, Input, Told};
use crate::recipes::{RECIPES, Readiness};
use crate::shells::Shell;
use crate::{App, Conflict, Connect, Scope, SetUpReport, SetUpStatus};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(status, connect, disconnect))
        .routes(routes!(suspend))
        .routes(routes!(environment))
        .routes(routes!(recipes))
}

/// Whose Claude Code.
#[derive(Debug, Deserialize, TS, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Where {
    /// A project's directory; without it the user's settings are meant.
    #[serde(default)]
    #[ts(optional)]
    project: Option<String>,
}

/// What to undo.
#[derive(Debug, Deserialize, TS, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Undo {
    /// A project's directory; without it the user's settings are meant.
    #[serde(default)]
    #[ts(optional)]
    project: Option<String>,
    /// Only tell what would be done.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    dry_run: bool,
}

/// How to set Claude Code up.
#[derive(Debug, Deserialize, TS, ToSchema)]
pub(super) struct NewSetUp {
    /// A project's directory; without it the user's settings are meant.
    #[serde(default)]
    #[ts(optional)]
    project: Option<String>,
    /// Switch Claude Code's auto mode off as well?
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    disable_auto_mode: bool,
    /// Only tell what would be done: which file, which keys.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    dry_run: bool,
}

/// How Claude Code is set up, and what else decides where it goes.
#[derive(Debug, Serialize, TS, ToSchema)]
pub(super) struct SetUp {
    /// Is it?
    status: SetUpStatus,
    /// The worst first.
    conflicts: Vec<Conflict>,
}

/// What a client must have in its environment. It holds the local token: show it only to who asks.
#[derive(Serialize, TS, ToSchema)]
pub(super) struct ClientEnvironment {
    /// In order.
    variables: Vec<Variable>,
    /// The lines that set them, for each shell.
    shells: Vec<ShellText>,
}

/// A variable.
#[derive(Serialize, TS, ToSchema)]
pub(super) struct Variable {
    name: String,
    value: String,
}

/// Lines to paste.
#[derive(Serialize, TS, ToSchema)]
pub(super) struct ShellText {
    /// Into which shell.
    shell: Shell,
    /// One line for each variable.
    text: String,
}

/// How another program is pointed here.
#[derive(Serialize, TS, ToSchema)]
pub(super) struct ClientRecipe {
    /// Its short name.
    name: &'static str,
    /// The program.
    about: &'static str,
    /// Does it work?
    readiness: Readiness,
    /// What to do, with the local token; `null` while the port is not known.
    text: Option<String>,
}

fn scope(project: Option<String>) -> Scope {
    project.map_or(Scope::User, |directory| Scope::Project(PathBuf::from(directory)))
}

/// How Claude Code is set up.
#[utoipa::path(get, path = "/admin/claude-code", params(Where),
    responses((status = 200, body = SetUp), (status = "default", body = ErrorAnswer)))]
async fn status(State(app): State<App>, Asked(place): Asked<Where>) -> Told<SetUp> {
    let scope = scope(place.project);
    let conflicts = app.conflicts(&scope).await?;
    Ok(Json(SetUp { status: app.set_up(scope).await?, conflicts }))
}

/// Points Claude Code at Dragoman, or tells what that would change.
#[utoipa::path(post, path = "/admin/claude-code", request_body = NewSetUp,
    responses((status = 200, body = SetUpReport), (status = "default", body = ErrorAnswer)))]
async fn connect(State(app): State<App>, Input(new): Input<NewSetUp>) -> Told<SetUpReport> {
    let NewSetUp { project, disable_auto_mode, dry_run } = new;
    let connect = Connect { scope: scope(project), disable_auto_mode, dry_run };
    Ok(Json(app.connect(connect, None).await?))
}

/// Undoes it: every key that is still as Dragoman wrote it gets its earlier value back.
#[utoipa::path(delete, path = "/admin/claude-code", params(Undo),
    responses((status = 200, body = SetUpReport), (status = "default", body = ErrorAnswer)))]
async fn disconnect(State(app): State<App>, Asked(undo): Asked<Undo>) -> Told<SetUpReport> {
    Ok(Json(app.disconnect(scope(undo.project), undo.dry_run).await?))
}

/// Lets Claude Code go back to Anthropic until Dragoman is on again. Only while it is off.
#[utoipa::path(post, path = "/admin/claude-code/suspend",
    responses((status = 200, body = SetUpStatus), (status = "default", body = ErrorAnswer)))]
async fn suspend(State(app): State<App>) -> Told<SetUpStatus> {
    Ok(Json(app.suspend().await?))
}

/// The variables that point a client here, and the lines that set them in each shell. With the local token.
#[utoipa::path(get, path = "/admin/environment", responses((status = 200, body = ClientEnvironment)))]
async fn environment(State(app): State<App>) -> Json<ClientEnvironment> {
    let variables = app.environment();
    let shells = Shell::ALL.map(|shell| ShellText { shell, text: shell.assignments(&variables) }).into();
    let variable = |(name, value)| Variable { name, value };
    Json(ClientEnvironment { shells, variables: variables.into_iter().map(variable).collect() })
}

/// How other programs are pointed here. With the local token.
#[utoipa::path(get, path = "/admin/recipes", responses((status = 200, body = Vec<ClientRecipe>)))]
async fn recipes(State(app): State<App>) -> Json<Vec<ClientRecipe>> {
    let recipes = RECIPES.iter().map(|recipe| ClientRecipe {
        name: recipe.name,
        about: recipe.about,
        readiness: recipe.readiness,
        text: app.recipe(recipe, None),
    });
    Json(recipes.collect())
}

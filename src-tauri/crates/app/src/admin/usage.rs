//! The usage history.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use ts_rs::TS;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Asked, ErrorAnswer, Told};
use crate::{App, By, Every, LimitPoint, Removed, UsagePoint, UsageQuery};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(usage, delete)).routes(routes!(limits)).routes(routes!(prune))
}

/// A stretch of time, and what its sums are told apart by.
#[derive(Debug, Deserialize, TS, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageWish {
    /// So many days, today included, if `since` is not given; 30 without either.
    #[serde(default)]
    #[ts(optional)]
    days: Option<u32>,
    /// From here on, unix seconds.
    #[serde(default)]
    #[ts(optional)]
    since: Option<i64>,
    /// Up to here, unix seconds; now without it.
    #[serde(default)]
    #[ts(optional)]
    until: Option<i64>,
    /// One sum for each hour or day; without it one for all of the time.
    #[serde(default)]
    #[ts(optional)]
    every: Option<Every>,
    /// One sum for each model, account, session or client; without it one for all.
    #[serde(default)]
    #[ts(optional)]
    by: Option<By>,
}

impl From<UsageWish> for UsageQuery {
    fn from(wish: UsageWish) -> Self {
        let days = Self::last_days(wish.days.unwrap_or(30));
        Self {
            since: wish.since.unwrap_or(days.since),
            until: wish.until.unwrap_or(days.until),
            every: wish.every,
            by: wish.by,
        }
    }
}

/// Sums of requests and tokens over time.
#[utoipa::path(get, path = "/admin/usage", params(UsageWish),
    responses((status = 200, body = Vec<UsagePoint>), (status = "default", body = ErrorAnswer)))]
async fn usage(State(app): State<App>, Asked(wish): Asked<UsageWish>) -> Told<Vec<UsagePoint>> {
    Ok(Json(app.usage_series(wish.into()).await?))
}

/// How full the limits were, oldest reading first. `every` and `by` count for nothing here.
#[utoipa::path(get, path = "/admin/usage/limits", params(UsageWish),
    responses((status = 200, body = Vec<LimitPoint>), (status = "default", body = ErrorAnswer)))]
async fn limits(State(app): State<App>, Asked(wish): Asked<UsageWish>) -> Told<Vec<LimitPoint>> {
    let query = UsageQuery::from(wish);
    Ok(Json(app.limits_series(query.since, query.until).await?))
}

/// Deletes the whole history.
#[utoipa::path(delete, path = "/admin/usage",
    responses((status = 200, body = Removed), (status = "default", body = ErrorAnswer)))]
async fn delete(State(app): State<App>) -> Told<Removed> {
    Ok(Json(app.delete_history().await?))
}

/// Deletes what is older or more than the settings allow.
#[utoipa::path(post, path = "/admin/usage/prune",
    responses((status = 200, body = Removed), (status = "default", body = ErrorAnswer)))]
async fn prune(State(app): State<App>) -> Told<Removed> {
    Ok(Json(app.prune_history().await?))
}

//! The log, as it is written: the newest lines, and each as it comes.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use ts_rs::TS;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{self, Asked, ErrorAnswer, Problem, Told};
use crate::App;
use crate::log_lines::{LogLevel, LogLine};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(lines)).routes(routes!(follow))
}

/// Which lines.
#[derive(Debug, Deserialize, TS, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogWish {
    /// The least important that is still wanted; all of them without it. What the setting `log.level` leaves out is not
    /// there.
    #[serde(default)]
    #[ts(optional)]
    level: Option<LogLevel>,
    /// At most so many of the newest.
    #[serde(default)]
    #[ts(optional)]
    limit: Option<usize>,
    /// For the stream: begin with what is there already.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    history: bool,
}

impl LogWish {
    fn wants(&self, line: &LogLine) -> bool {
        self.level.is_none_or(|least| line.level <= least)
    }

    fn newest(&self, lines: Vec<LogLine>) -> Vec<LogLine> {
        let mut lines: Vec<LogLine> = lines.into_iter().filter(|line| self.wants(line)).collect();
        let limit = self.limit.unwrap_or(lines.len());
        lines.drain(..lines.len().saturating_sub(limit));
        lines
    }
}

/// The newest lines, oldest first.
#[utoipa::path(get, path = "/admin/logs", params(LogWish),
    responses((status = 200, body = Vec<LogLine>), (status = "default", body = ErrorAnswer)))]
async fn lines(State(app): State<App>, Asked(wish): Asked<LogWish>) -> Told<Vec<LogLine>> {
    Ok(Json(wish.newest(app.log_lines().all())))
}

/// A stream of `LogLine`: with `history` first those that are there, then each as it is written.
#[utoipa::path(get, path = "/admin/logs/stream", params(LogWish),
    responses((status = 200, body = LogLine, content_type = "text/event-stream"),
        (status = "default", body = ErrorAnswer)))]
async fn follow(State(app): State<App>, Asked(wish): Asked<LogWish>) -> Result<Response, Problem> {
    let (there, follower) = app.log_lines().follow();
    let there = if wish.history { wish.newest(there) } else { Vec::new() };
    let new = stream::unfold(follower, |mut follower| async move {
        let line = follower.next().await?;
        Some((line, follower))
    });
    let new = new.filter(move |line| std::future::ready(wish.wants(line)));
    Ok(answer::stream(&app, stream::iter(there).chain(new)))
}

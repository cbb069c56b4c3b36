//! The program as a whole: its picture and the changes of it, the switch, and what it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use ts_rs::TS;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{self, ErrorAnswer, Input, Told};
use crate::App;
use crate::notices::Notice;
use crate::recent::Exchange;
use crate::snapshot::{Server, Snapshot};

/// Between two pictures on one stream.
const PAUSE: Duration = Duration::from_millis(100);

/// The licence of this program.
const LICENCE: &str = "MIT";

/// What a person should know before relying on it.
const DISCLAIMER: &str = "Dragoman is not made by, and has no connection with, Anthropic or OpenAI. It uses your own \
    ChatGPT subscription through the interface that OpenAI's Codex CLI uses. Whether that is allowed is between you \
    and OpenAI.";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(snapshot))
        .routes(routes!(events))
        .routes(routes!(switch))
        .routes(routes!(about))
        .routes(routes!(licences))
        .routes(routes!(openapi))
}

/// Something that is told to whoever watches.
#[derive(Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
pub(super) enum AdminEvent {
    /// The new picture; the first one comes at once.
    Snapshot {
        /// All of it.
        #[ts(as = "Snapshot")]
        #[schema(value_type = Snapshot)]
        snapshot: Shared,
    },
    /// A request has ended.
    Exchange {
        /// Which, and how.
        exchange: Exchange,
    },
    /// Something happened that a person wants to hear of, once.
    Notice {
        /// What.
        notice: Notice,
    },
}

/// A picture that many watch.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Shared(#[serde(serialize_with = "shared")] Arc<Snapshot>);

fn shared<S: serde::Serializer>(snapshot: &Arc<Snapshot>, serializer: S) -> Result<S::Ok, S::Error> {
    snapshot.as_ref().serialize(serializer)
}

/// The switch.
#[derive(Debug, Deserialize, TS, ToSchema)]
pub(super) struct Switch {
    /// Shall clients be able to connect?
    on: bool,
}

/// What this program is.
#[derive(Debug, Serialize, TS, ToSchema)]
pub(super) struct About {
    /// Of this program.
    version: &'static str,
    /// `linux`, `macos` or `windows`.
    os: &'static str,
    /// Of the processor.
    arch: &'static str,
    /// SPDX.
    licence: &'static str,
    /// Who stands behind it, and who does not.
    disclaimer: &'static str,
    /// The settings file.
    config_file: String,
    /// Where the log files are.
    logs: String,
    /// The usage history.
    history: String,
    /// Where clients connect, or would.
    #[schema(value_type = String)]
    address: SocketAddr,
}

/// The licences of what is in this program.
#[derive(Debug, Serialize, TS, ToSchema)]
pub(super) struct Licences {
    /// Names and texts; `null` if this build carries none.
    text: Option<String>,
}

/// The picture of the program.
#[utoipa::path(get, path = "/admin/snapshot", responses((status = 200, body = Snapshot)))]
async fn snapshot(State(app): State<App>) -> Json<Snapshot> {
    Json(app.snapshot().borrow().as_ref().clone())
}

/// A stream of `AdminEvent`: the picture at once, then whenever it changes, at most ten a second; what happens to
/// accounts; and each request when it has ended.
#[utoipa::path(get, path = "/admin/events",
    responses((status = 200, body = AdminEvent, content_type = "text/event-stream")))]
async fn events(State(app): State<App>) -> Response {
    app.limits_looked_at();
    let pictures = stream::unfold((app.snapshot(), true), next_picture);
    let notices = stream::unfold(app.notices(), |mut notices| async move {
        let notice = notices.next().await?;
        Some((AdminEvent::Notice { notice }, notices))
    });
    let exchanges = stream::unfold(app.recent().follow(), |mut ended| async move {
        let exchange = ended.next().await?;
        Some((AdminEvent::Exchange { exchange }, ended))
    });
    answer::stream(&app, stream::select(pictures, stream::select(notices, exchanges)))
}

async fn next_picture(
    (mut snapshots, first): (watch::Receiver<Arc<Snapshot>>, bool),
) -> Option<(AdminEvent, (watch::Receiver<Arc<Snapshot>>, bool))> {
    if !first {
        tokio::time::sleep(PAUSE).await;
        snapshots.changed().await.ok()?;
    }
    let snapshot = Shared(snapshots.borrow_and_update().clone());
    Some((AdminEvent::Snapshot { snapshot }, (snapshots, false)))
}

/// Opens or closes the proxy's listener; answers when that is done.
#[utoipa::path(put, path = "/admin/server", request_body = Switch,
    responses((status = 200, body = Server), (status = "default", body = ErrorAnswer)))]
async fn switch(State(app): State<App>, Input(switch): Input<Switch>) -> Told<Server> {
    if switch.on {
        app.turn_on().await?;
    } else {
        app.turn_off().await;
    }
    Ok(Json(app.snapshot().borrow().server.clone()))
}

/// What this program is and where its files are.
#[utoipa::path(get, path = "/admin/about", responses((status = 200, body = About)))]
async fn about(State(app): State<App>) -> Json<About> {
    let path = |path: &std::path::Path| path.display().to_string();
    Json(About {
        version: crate::VERSION,
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        licence: LICENCE,
        disclaimer: DISCLAIMER,
        config_file: path(&app.paths().config_file()),
        logs: path(&app.paths().logs),
        history: path(&app.paths().history()),
        address: app.address(),
    })
}

/// The licences of everything that is in this program, as its package brought them.
#[utoipa::path(get, path = "/admin/licences", responses((status = 200, body = Licences)))]
async fn licences() -> Json<Licences> {
    // It is read once in a long while, and from a disk nearby.
    let read = tokio::task::spawn_blocking(crate::licences::read);
    Json(Licences { text: read.await.unwrap_or_default() })
}

/// This description.
#[utoipa::path(get, path = "/admin/openapi.json",
    responses((status = 200, content_type = "application/json", body = Object)))]
async fn openapi() -> Response {
    answer::body(super::description().to_json().unwrap_or_default(), "application/json")
}

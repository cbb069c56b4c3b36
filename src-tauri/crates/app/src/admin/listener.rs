//! The listener of the admin API and the page. It lives as long as the program, whatever the switch says, and moves when
//! `server.admin_listen` does.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get};
use dragoman_proxy as proxy;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tower_http::catch_panic::CatchPanicLayer;

use super::access::{Access, AdminToken};
use super::guard::{self, Guard};
use super::{answer, metrics, pages};
use crate::paths::{self, Mode, Paths};
use crate::running::{self, client_address};
use crate::settings::AdminListen;
use crate::snapshot::Server;
use crate::{App, Error, Options};

/// Streams have ended when the program stops; what is left is short.
const LAST: Duration = Duration::from_secs(1);
/// From connecting to the end of the answer.
const LIMIT: Duration = Duration::from_secs(2);

/// A listener that is open, and where.
#[derive(Debug)]
pub(crate) struct Open {
    server: proxy::Server,
    entry: Entry,
}

/// Where it is, told to `dragoman open` through `state/admin.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    pid: u32,
    address: SocketAddr,
}

impl Entry {
    fn read(paths: &Paths) -> Option<Self> {
        serde_json::from_slice(&fs::read(paths.admin()).ok()?).ok()
    }

    /// Of two programs the one that came first keeps its entry, as long as it is there.
    async fn announce(&self, paths: &Paths) -> io::Result<()> {
        if let Some(other) = Self::read(paths)
            && other.pid != self.pid
            && answers(other.address).await
        {
            return Ok(());
        }
        paths::write_atomic(&paths.admin(), &serde_json::to_vec(self).unwrap_or_default(), Mode::Private)
    }

    fn withdraw(&self, paths: &Paths) {
        if Self::read(paths).as_ref() == Some(self)
            && let Err(error) = fs::remove_file(paths.admin())
        {
            tracing::warn!(%error, "could not remove the entry of the admin listener");
        }
    }
}

impl Open {
    /// Opens it where the settings say; `None`: nowhere.
    async fn at(app: &App, wanted: AdminListen) -> Result<Option<Self>, Error> {
        let AdminListen::Address(address) = wanted else { return Ok(None) };
        let bound = proxy::listen(address, "server.admin_listen").await?;
        let port = bound.local_addr().map_or(address.port(), |bound| bound.port());
        let guard = Guard {
            access: Access::new(AdminToken::find(app.paths())?),
            settings: app.settings_updates(),
            cookie: format!("dragoman-{port}"),
        };
        let server = proxy::Server::start(guarded(app, guard), bound)?;
        let entry = Entry { pid: std::process::id(), address: client_address(server.address()) };
        if let Err(error) = entry.announce(app.paths()).await {
            tracing::warn!(%error, "`dragoman open` can't find this listener");
        }
        Ok(Some(Self { server, entry }))
    }

    pub(crate) async fn close(self, paths: &Paths) {
        self.entry.withdraw(paths);
        self.server.stop(LAST).await;
    }
}

impl App {
    /// Opens the admin listener where the settings say, and from now on follows them, until [`Self::shutdown`], without
    /// which it stays. A port that is in use is told in the snapshot and is no reason not to go on.
    pub async fn open_admin(&self) {
        let mut settings = self.settings_updates();
        let mut there = settings.borrow_and_update().server.admin_listen;
        self.move_admin(there).await;
        let app = self.clone();
        self.spawn(async move {
            let stopping = app.stopping();
            tokio::pin!(stopping);
            loop {
                tokio::select! {
                    () = &mut stopping => return,
                    changed = settings.changed() => if changed.is_err() { return },
                }
                let wanted = settings.borrow_and_update().server.admin_listen;
                if wanted != there {
                    app.move_admin(wanted).await;
                    there = wanted;
                }
            }
        });
    }

    async fn move_admin(&self, wanted: AdminListen) {
        let mut listener = self.admin_listener().lock().await;
        if let Some(open) = listener.take() {
            open.close(self.paths()).await;
        }
        let state = match Open::at(self, wanted).await {
            Ok(None) => Server::Off,
            Ok(Some(open)) => {
                let address = open.entry.address;
                tracing::info!(%address, "admin listener");
                *listener = Some(open);
                Server::On { address }
            }
            Err(error) => {
                tracing::warn!(%error, "no admin listener");
                Server::Failed { message: error.to_string() }
            }
        };
        self.pin_admin(state);
    }
}

/// The routes and the page, for those who may.
fn guarded(app: &App, guard: Guard) -> Router {
    let guard = Arc::new(guard);
    let admin = super::router(app)
        .route("/admin/session", delete(guard::leave).with_state(guard.clone()))
        .route("/metrics", get(metrics::metrics).with_state(app.clone()))
        .route_layer(from_fn_with_state(guard.clone(), guard::who));
    admin
        .route("/open", get(guard::open).with_state(guard.clone()))
        .fallback(get(pages::file))
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(CatchPanicLayer::custom(answer::panicked))
        .layer(from_fn_with_state(guard, guard::place))
        .layer(from_fn(guard::seal))
}

/// A link that lets a browser in, once and within a minute: of the program of this home that has an admin listener.
/// `None`: there is none.
///
/// # Errors
/// If the token can't be read.
pub async fn link(options: &Options) -> Result<Option<String>, Error> {
    let paths = Paths::find(options.home.as_deref(), &options.environment)?;
    let Some(Entry { address, .. }) = Entry::read(&paths) else { return Ok(None) };
    if !answers(address).await {
        return Ok(None);
    }
    let code = AdminToken::find(&paths)?.code()?;
    Ok(Some(format!("http://{address}/open?code={code}")))
}

/// Is there an admin listener? A stranger on that port answers in another way.
async fn answers(address: SocketAddr) -> bool {
    let asked = async {
        // Refused without a second of waiting where nobody listens.
        drop(TcpStream::connect(address).await?);
        running::get(address, "/admin/snapshot", None).await
    };
    let answer = tokio::time::timeout(LIMIT, asked).await;
    matches!(answer, Ok(Ok((401, body))) if body.contains("\"unauthorized\""))
}

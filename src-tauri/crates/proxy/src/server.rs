//! The listener: accepts connections, closes at once when told, and lets open answers finish for a while.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use listeners::Protocol;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::error::Error;

/// From the connection's first byte to the end of its headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// After a failed `accept` (out of file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds an address that `setting` says; port 0 takes a free one.
///
/// # Errors
/// [`Error::Busy`] with the holder's name where the system tells it; [`Error::Listen`].
pub async fn listen(address: SocketAddr, setting: &'static str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => Error::Busy { address, holder: holder(address.port()), setting },
        _ => Error::Listen { address, source },
    })
}

fn holder(port: u16) -> Option<String> {
    let process = listeners::get_process_by_port(port, Protocol::TCP).ok()?;
    Some(format!("{} (pid {})", process.name, process.pid))
}

/// A running listener and its connections. Stop it: dropping it aborts open answers.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<Option<Duration>>,
    closed: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts serving these routes.
    ///
    /// # Errors
    /// [`Error::Listen`] if the listener has no address.
    pub fn start(router: Router, listener: TcpListener) -> Result<Self, Error> {
        let address = listener
            .local_addr()
            .map_err(|source| Error::Listen { address: SocketAddr::from(([127, 0, 0, 1], 0)), source })?;
        let (stop, stopped) = watch::channel(None);
        let (close, closed) = watch::channel(false);
        let task = tokio::spawn(serve(router, listener, stopped, close));
        Ok(Self { address, stop, closed, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the listener; when this returns, nobody can connect any more. Open answers have `limit` from now on.
    pub async fn close(&mut self, limit: Duration) {
        self.stop.send_replace(Some(limit));
        // An error means that the task is gone, and the listener with it.
        self.closed.wait_for(|closed| *closed).await.ok();
    }

    /// Closes the listener at once, gives open answers up to `limit`, then ends them (DECISIONS 27).
    pub async fn stop(mut self, limit: Duration) {
        self.close(limit).await;
        if (&mut self.task).await.is_err() {
            tracing::error!("the server task ended badly");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    router: Router,
    listener: TcpListener,
    mut stop: watch::Receiver<Option<Duration>>,
    closed: watch::Sender<bool>,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    // Events are small and each must leave at once.
                    if let Err(error) = socket.set_nodelay(true) {
                        tracing::debug!(%error, "TCP_NODELAY was refused");
                    }
                    let service = TowerToHyperService::new(router.clone());
                    let connection = builder.serve_connection_with_upgrades(TokioIo::new(socket), service);
                    let connection = graceful.watch(connection.into_owned());
                    connections.spawn(async move {
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "connection ended");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = stop.changed() => break,
        }
    }
    drop(listener); // the port is free from here on
    closed.send_replace(true);
    let limit = stop.borrow().unwrap_or_default();
    if tokio::time::timeout(limit, graceful.shutdown()).await.is_err() {
        tracing::info!(limit_s = limit.as_secs(), "open answers were ended");
    }
    connections.shutdown().await;
}

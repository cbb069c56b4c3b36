//! Where the server of this home runs, told to other processes through `state/server.json`, so that `dragoman status`
//! and `dragoman env` work while the tray app or a `dragoman serve` holds the listener.
//!
//! The file may lie (a crash leaves it behind), so a reader asks `GET /health` before it believes it.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::paths::{self, Mode, Paths};
use crate::token::ClientToken;
use crate::{BackendKind, Error};

/// From connecting to the end of the answer. Loopback answers within a millisecond or not at all.
const LIMIT: Duration = Duration::from_secs(2);
/// More than `/health` ever says.
const ANSWER: u64 = 64 << 10;

/// A server that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Of which process.
    pub pid: u32,
    /// Where clients connect.
    pub address: SocketAddr,
    /// Unix seconds.
    pub started_at: i64,
    /// Does the built-in demo model answer?
    #[serde(default)]
    pub demo: bool,
}

impl Running {
    /// The server of this process, from now on.
    pub(crate) fn here(address: SocketAddr, backend: BackendKind) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            pid: std::process::id(),
            address,
            started_at: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            demo: backend == BackendKind::Demo,
        }
    }

    /// Tell other processes. A server of another process that is still there keeps its entry: the one who came first
    /// is the one that clients were set up for.
    pub(crate) async fn announce(&self, paths: &Paths) -> Result<(), Error> {
        match Found::find(paths).await {
            Some(Found { running: other, .. }) if other.pid != self.pid => {
                tracing::info!(pid = other.pid, address = %other.address, "another server of this home is on");
                Ok(())
            }
            _ => {
                let path = paths.server();
                let text = serde_json::to_vec(self).unwrap_or_default();
                paths::write_atomic(&path, &text, Mode::Private).map_err(Error::file("write", &path))
            }
        }
    }

    /// Take the entry back, if it is this one.
    pub(crate) fn withdraw(&self, paths: &Paths) {
        if Self::read(paths).as_ref() == Some(self)
            && let Err(error) = fs::remove_file(paths.server())
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "could not remove the entry of this server");
        }
    }

    /// What the file says; one that can't be read says nothing.
    pub(crate) fn read(paths: &Paths) -> Option<Self> {
        serde_json::from_slice(&fs::read(paths.server()).ok()?).ok()
    }
}

/// A server of this home that answers, and what it says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Where it is.
    pub running: Running,
    /// What `GET /health` says.
    pub health: Health,
}

/// What is read of `GET /health`. Only `version` is sure to be there: the other process may be another version.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Health {
    /// Of that program.
    pub version: String,
    /// What it tells Claude Code, in tokens.
    pub context_window: Option<u64>,
    /// How much of the account's limits is used.
    #[serde(default)]
    pub windows: Vec<Window>,
}

/// One window of the account's limits.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Window {
    /// Its length.
    pub minutes: u64,
    /// How much is used, in percent.
    pub used_percent: f64,
    /// When it starts anew, unix seconds.
    pub resets_at: Option<i64>,
}

impl Found {
    /// The server of this home, if it answers.
    pub(crate) async fn find(paths: &Paths) -> Option<Self> {
        let running = Running::read(paths)?;
        match tokio::time::timeout(LIMIT, health(running.address)).await {
            Ok(Ok(health)) => Some(Self { running, health }),
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

async fn health(address: SocketAddr) -> io::Result<Health> {
    match get(address, "/health", None).await? {
        (200, body) => Ok(serde_json::from_str(&body)?),
        _ => Err(io::Error::other("this is no Dragoman")),
    }
}

/// `GET`, by hand: an HTTP client for one request to loopback would be a second way to the network.
pub(crate) async fn get(
    address: SocketAddr,
    path: &str,
    token: Option<&ClientToken>,
) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let bearer =
        token.map(|token| format!("authorization: Bearer {}\r\n", token.expose())).unwrap_or_default();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{bearer}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Ok((status, body.to_owned()))
}

/// The address under which a client on this machine reaches a listener.
pub(crate) fn client_address(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(ip, bound.port())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::paths::home;

    async fn find(paths: &Paths) -> Option<Running> {
        Found::find(paths).await.map(|found| found.running)
    }

    /// A server that gives one answer to everyone.
    async fn server(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    const HEALTHY: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"version\":\"0.1.0\",\"on\":true}";

    #[tokio::test]
    async fn a_server_is_found_while_it_answers() {
        let (_directory, paths) = home();
        assert_eq!(find(&paths).await, None);
        let running = Running::here(server(HEALTHY).await, BackendKind::Demo);
        running.announce(&paths).await.unwrap();
        assert_eq!(find(&paths).await.as_ref(), Some(&running));
        running.withdraw(&paths);
        assert!(!paths.server().exists());
    }

    #[tokio::test]
    async fn an_entry_left_by_a_crash_is_not_believed() {
        let (_directory, paths) = home();
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        Running::here(address, BackendKind::ChatGpt).announce(&paths).await.unwrap();
        assert_eq!(find(&paths).await, None, "no one listens");
        let stranger = server("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello").await;
        Running::here(stranger, BackendKind::ChatGpt).announce(&paths).await.unwrap();
        assert_eq!(find(&paths).await, None, "someone else has the port");
    }

    #[tokio::test]
    async fn the_first_server_of_a_home_keeps_its_entry() {
        let (_directory, paths) = home();
        let mut first = Running::here(server(HEALTHY).await, BackendKind::ChatGpt);
        first.pid += 1;
        first.announce(&paths).await.unwrap();
        let second = Running::here(server(HEALTHY).await, BackendKind::ChatGpt);
        second.announce(&paths).await.unwrap();
        second.withdraw(&paths);
        assert_eq!(find(&paths).await, Some(first));
    }

    #[test]
    fn clients_reach_a_wildcard_listener_through_loopback() {
        let client = |bound: &str| client_address(bound.parse().unwrap()).to_string();
        assert_eq!(client("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(client("[::]:80"), "[::1]:80");
        assert_eq!(client("192.168.0.2:80"), "192.168.0.2:80");
    }
}

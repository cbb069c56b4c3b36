//! The one place where HTTP clients are made, and where a connection that fails is put into words.
//!
//! rustls with ring, the platform's certificates (webpki's roots where the platform has none), ALPN, no redirects, no
//! cookies (P15). Proxies come from the system's settings, but never stand before a loopback address.

use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use dragoman_protocol::failure::Failure;
use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::error::Error;

/// From the first SYN to the end of the TLS handshake.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// An answer's stream must not be throttled by flow control: 1 MB a stream, 4 MB a connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Makes ring the process's TLS crypto. Idempotent; called first in every `main` and by [`crate::Client::start`].
pub fn install_crypto() {
    // An error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The HTTP clients. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Http(Arc<Mutex<Clients>>);

/// One for the world, one for loopback.
#[derive(Debug)]
struct Clients {
    tls: ClientConfig,
    world: reqwest::Client,
    loopback: reqwest::Client,
    seen: Seen,
}

impl Http {
    pub(crate) fn build() -> Result<Self, Error> {
        install_crypto();
        let tls = tls();
        let [world, loopback] = clients(&tls)?;
        Ok(Self(Arc::new(Mutex::new(Clients { tls, world, loopback, seen: Seen::now() }))))
    }

    /// The client for this address.
    pub(crate) fn client(&self, url: &reqwest::Url) -> reqwest::Client {
        self.client_at(url, Seen::now())
    }

    fn client_at(&self, url: &reqwest::Url, now: Seen) -> reqwest::Client {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.slept_since(inner.seen) {
            match clients(&inner.tls) {
                Ok([world, loopback]) => {
                    tracing::debug!("the machine slept; its old connections are given up");
                    (inner.world, inner.loopback) = (world, loopback);
                }
                Err(error) => tracing::debug!(%error, "the old connections stay"),
            }
        }
        inner.seen = now;
        if is_loopback(url) { inner.loopback.clone() } else { inner.world.clone() }
    }
}

fn clients(tls: &ClientConfig) -> Result<[reqwest::Client; 2], Error> {
    let client = || {
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .redirect(Policy::none())
            .referer(false)
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(60))
            .connect_timeout(CONNECT_LIMIT)
            .pool_idle_timeout(Duration::from_secs(90))
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            // A connection whose network is gone fails within 30 s of the next request, and the request goes again.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
    };
    Ok([client().build().map_err(Error::Http)?, client().no_proxy().build().map_err(Error::Http)?])
}

/// A moment by two clocks: the wall's goes on while the machine sleeps, the other one does not (on Windows it does, and
/// there the pool lets idle connections go by itself).
#[derive(Debug, Clone, Copy)]
struct Seen {
    wall: SystemTime,
    awake: Instant,
}

impl Seen {
    /// More than a correction of the clock.
    const NAP: Duration = Duration::from_secs(30);

    fn now() -> Self {
        Self { wall: SystemTime::now(), awake: Instant::now() }
    }

    /// Did the machine sleep since? Then nobody at the other end of a connection may be there any more, and nothing says
    /// so: a request over it would wait.
    fn slept_since(self, before: Self) -> bool {
        let wall = self.wall.duration_since(before.wall).unwrap_or_default();
        wall > self.awake.saturating_duration_since(before.awake) + Self::NAP
    }
}

/// HTTP clients for whoever talks to other servers than the backend (MCP): same certificates, proxies and limits. Made
/// at the first use.
#[derive(Debug, Default)]
pub struct Web(OnceLock<Http>);

impl Web {
    /// The client for this address; the error says why there is none.
    pub fn client(&self, url: &str) -> Result<reqwest::Client, String> {
        let url = reqwest::Url::parse(url).map_err(|error| format!("{url:?} is no address ({error})"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("{:?} is neither http nor https", url.scheme()));
        }
        if let Some(http) = self.0.get() {
            return Ok(http.client(&url));
        }
        let http = Http::build().map_err(|error| error.to_string())?;
        Ok(self.0.get_or_init(|| http).client(&url))
    }
}

/// One configuration for all clients: reading the system's certificates takes milliseconds and megabytes.
fn tls() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        || ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let platform = versions().and_then(|builder| builder.with_platform_verifier());
    let mut config = match platform {
        Ok(builder) => builder.with_no_client_auth(),
        Err(error) => {
            tracing::debug!(%error, "no certificates on this system, using the built-in ones");
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
        }
    };
    // reqwest does not set ALPN on a configuration that it did not make.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// True for `localhost` and loopback addresses.
pub(crate) fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads a base URL from the settings; the slash at its end is optional.
pub(crate) fn base_url(text: &str) -> Result<reqwest::Url, Error> {
    let wrong = || Error::Url { url: text.to_owned() };
    let url = reqwest::Url::parse(text.trim().trim_end_matches('/')).map_err(|_| wrong())?;
    let usable = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none();
    if usable { Ok(url) } else { Err(wrong()) }
}

/// `base` with more path.
pub(crate) fn join(base: &reqwest::Url, path: &str) -> reqwest::Url {
    let mut url = base.clone();
    let joined = format!("{}{path}", url.path().trim_end_matches('/'));
    url.set_path(&joined);
    url
}

/// What a call that got no answer failed of: what happened, with host and port, and what to do.
pub(crate) fn unreachable(error: &reqwest::Error, url: &reqwest::Url) -> Failure {
    let host = url.host_str().unwrap_or("?");
    let port = url.port_or_known_default().unwrap_or(0);
    let chain = || causes(error);
    let io_kind = || chain().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let said = |words: &[&str]| {
        chain().any(|cause| {
            let text = cause.to_string().to_ascii_lowercase();
            words.iter().any(|word| text.contains(word))
        })
    };
    let tls = chain().find_map(|cause| cause.downcast_ref::<rustls::Error>());
    let message = if let Some(why) = tls {
        format!(
            "The secure connection to {host}:{port} failed ({why}): check the clock, and if a company proxy inspects \
             traffic, install its certificate in the system."
        )
    } else if said(&["dns error", "failed to lookup address", "name or service not known"]) {
        format!("The name {host} cannot be resolved (port {port}): check the network connection and DNS.")
    } else if io_kind() == Some(io::ErrorKind::ConnectionRefused) {
        format!(
            "{host}:{port} refuses the connection: check that something listens there, and the network, proxy and \
             base URL settings."
        )
    } else if said(&["proxy", "tunnel"]) {
        format!("The HTTP proxy does not connect to {host}:{port}: check the system's proxy settings.")
    } else if error.is_timeout() || io_kind() == Some(io::ErrorKind::TimedOut) {
        format!("{host}:{port} does not answer: check the network connection, VPN and proxy, then try again.")
    } else {
        format!(
            "The connection to {host}:{port} broke before an answer came: try again, then check the network."
        )
    };
    Failure::Unreachable { message }
}

/// Everything below the error. An `io::Error` that wraps another names that one's cause as its own: so it is opened.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |error| {
        match error.downcast_ref::<io::Error>().map(io::Error::get_ref) {
            Some(Some(inner)) => Some(inner),
            _ => (*error).source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognised_in_all_its_spellings() {
        for (url, loopback) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:8", true),
            ("http://LOCALHOST", true),
            ("https://chatgpt.com", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), loopback, "{url}");
        }
    }

    #[test]
    fn a_base_url_has_a_host_and_nothing_behind_its_path() {
        assert_eq!(join(&base_url("https://a.b/x/").unwrap(), "/codex").as_str(), "https://a.b/x/codex");
        assert_eq!(
            join(&base_url("http://127.0.0.1:9").unwrap(), "/codex").as_str(),
            "http://127.0.0.1:9/codex"
        );
        for wrong in ["", "chatgpt.com", "ftp://a.b", "https://a.b/?x=1", "https://a.b/#x"] {
            assert!(base_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_nap_is_a_wall_clock_that_ran_ahead() {
        let before = Seen::now();
        let later = |wall: u64, awake: u64| Seen {
            wall: before.wall + Duration::from_secs(wall),
            awake: before.awake + Duration::from_secs(awake),
        };
        assert!(later(3_600, 5).slept_since(before));
        assert!(!later(3_600, 3_600).slept_since(before), "an idle hour is no nap");
        assert!(!later(20, 5).slept_since(before), "a corrected clock is none");
        let set_back = Seen { wall: before.wall - Duration::from_secs(600), ..later(0, 5) };
        assert!(!set_back.slept_since(before));
    }

    /// After a sleep the connection that is still in the pool is not used again.
    #[tokio::test]
    async fn a_request_after_a_sleep_has_a_connection_of_its_own() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: reqwest::Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let (count, mut connections) = tokio::sync::watch::channel(0);
        let server = tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                count.send_modify(|count| *count += 1);
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    while socket.read(&mut request).await.is_ok_and(|read| read > 0) {
                        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                    }
                });
            }
        });
        let http = Http::build().unwrap();
        let now = Seen::now();
        let slept = Seen { wall: now.wall + Duration::from_secs(3_600), awake: now.awake };
        for (moment, expected) in [(now, 1), (now, 1), (slept, 2), (slept, 2)] {
            let answer = http.client_at(&url, moment).get(url.clone()).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(*connections.borrow_and_update(), expected);
        }
        server.abort();
    }

    #[tokio::test]
    async fn a_refused_connection_is_told_with_host_and_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let url: reqwest::Url = format!("http://{address}/x").parse().unwrap();
        let http = Http::build().unwrap();
        let error = http.client(&url).get(url.clone()).send().await.unwrap_err();
        let text = unreachable(&error, &url).to_string();
        assert!(text.starts_with(&format!("{address} refuses the connection")), "{text}");
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_told() {
        let url: reqwest::Url = "https://no-such-host.invalid/".parse().unwrap();
        let http = Http::build().unwrap();
        let error = http.client(&url).get(url.clone()).send().await.unwrap_err();
        let text = unreachable(&error, &url).to_string();
        assert!(text.contains("no-such-host.invalid"), "{text}");
    }

    #[tokio::test]
    async fn a_failed_tls_handshake_is_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: reqwest::Url = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut hello = [0; 64];
            socket.read_exact(&mut hello).await.unwrap();
            socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        });
        let http = Http::build().unwrap();
        let error = http.client(&url).get(url.clone()).send().await.unwrap_err();
        let text = unreachable(&error, &url).to_string();
        assert!(text.starts_with("The secure connection to 127.0.0.1:"), "{text}: {error:?}");
        server.await.unwrap();
    }
}

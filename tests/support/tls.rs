//! A CONNECT proxy that ends TLS with certificates of a CA of its own, and hands what is inside to the fake: so programs
//! whose addresses can't be changed (the Codex CLI's sign-in) reach it under the real names.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::fake::FakeChatGpt;
use crate::http;

/// The names that lead to the fake; a tunnel to any other is refused.
const NAMES: [&str; 4] = ["chatgpt.com", "auth.openai.com", "api.openai.com", "ab.chatgpt.com"];

/// The running proxy. Dropping it closes its port.
#[derive(Debug)]
pub struct TlsProxy {
    address: SocketAddr,
    authority: PathBuf,
    hosts: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl TlsProxy {
    /// Starts it before the fake; the CA's certificate is written into this directory.
    pub fn before(fake: &FakeChatGpt, directory: &Path) -> Self {
        let (certificate, acceptor) = authority();
        let authority = directory.join("ca.pem");
        std::fs::write(&authority, certificate).expect("write the CA's certificate");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a non-blocking listener");
        let address = listener.local_addr().expect("an address");
        let hosts = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel();
        let (seen, target) = (Arc::clone(&hosts), fake.address());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime for the proxy").block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a tokio listener");
                let serving = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
                        // A connection that breaks is the other side's affair.
                        tokio::spawn(async move { tunnel(stream, &acceptor, target, &seen).await });
                    }
                };
                tokio::select! {
                    () = serving => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, authority, hosts, stop: Some(stop), thread: Some(thread) }
    }

    /// What `HTTPS_PROXY` takes.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The file with the CA's certificate.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// Every `host:port` that a tunnel was asked for, refused ones too.
    pub fn hosts(&self) -> Vec<String> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn tunnel(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    target: SocketAddr,
    seen: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let Some((line, _)) = http::read_head(&mut stream).await? else { return Ok(()) };
    let host =
        line.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned();
    let known = host.strip_suffix(":443").is_some_and(|name| NAMES.contains(&name));
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(host);
    if !known {
        return stream
            .write_all(b"HTTP/1.1 502 Not Here\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await;
    }
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    // Nothing is lost: the client begins its handshake after this answer only.
    debug_assert!(stream.buffer().is_empty());
    let mut inside = acceptor.accept(stream.into_inner()).await?;
    let mut fake = TcpStream::connect(target).await?;
    tokio::io::copy_bidirectional(&mut inside, &mut fake).await.map(drop)
}

/// The CA's certificate, and what speaks TLS under the names with it.
fn authority() -> (String, TlsAcceptor) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Dragoman's tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    let issuer = Issuer::new(params, key);

    let leaf_key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(NAMES.map(str::to_owned)).expect("names");
    let leaf = leaf.signed_by(&leaf_key, &issuer).expect("a certificate");
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_no_client_auth();
    let mut config = config.with_single_cert(chain, secret).expect("the certificate fits the key");
    // The fake speaks nothing else.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    (certificate, TlsAcceptor::from(Arc::new(config)))
}

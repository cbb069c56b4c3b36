//! A browser as far as signing in needs one: it follows redirects. And the lock on the two ports that sign-ins come back
//! to: there is one pair on a machine, and every test run of every clone wants it.

use std::fs::File;
use std::net::SocketAddr;

use crate::http::{Call, Whole};

/// Where a visit ended.
#[derive(Clone, Debug)]
pub struct Visited {
    /// Every address, the last one last.
    pub addresses: Vec<String>,
    /// The last page.
    pub page: Whole,
}

impl Visited {
    /// The address that stands in the browser's address bar.
    pub fn address(&self) -> &str {
        self.addresses.last().map(String::as_str).unwrap_or_default()
    }
}

/// Visits an `http://` address of this machine and follows redirects, as long as there is somebody to answer.
pub async fn visit(url: &str) -> Visited {
    let mut addresses = vec![url.to_owned()];
    loop {
        let url = addresses.last().cloned().unwrap_or_default();
        let rest =
            url.strip_prefix("http://").unwrap_or_else(|| panic!("not an address of this machine: {url}"));
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host: SocketAddr = host.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        let call = Call::new(host, "GET", &format!("/{path}"))
            .header("user-agent", "Mozilla/5.0")
            .header("sec-fetch-site", "cross-site")
            .header("sec-fetch-mode", "navigate");
        let page = match call.try_open().await {
            Ok(answer) => answer.whole().await,
            // What a browser shows of a port on which nobody listens; the address stays in its bar.
            Err(_) => Whole { status: 0, headers: Default::default(), body: Vec::new() },
        };
        match page.headers.value("location") {
            Some(next) if (300..400).contains(&page.status) && addresses.len() < 8 => {
                addresses.push(next.to_owned())
            }
            _ => return Visited { addresses, page },
        }
    }
}

/// The right to use the callback ports; held until dropped.
#[derive(Debug)]
pub struct Ports(#[expect(dead_code, reason = "held")] File);

impl Ports {
    /// Waits for it, on a thread that may.
    pub async fn take() -> Self {
        let taken = tokio::task::spawn_blocking(|| {
            let path = std::env::temp_dir().join("dragoman-test-callback-ports.lock");
            let file =
                File::options().create(true).truncate(false).write(true).open(path).expect("a lock file");
            file.lock().expect("the lock on the callback ports");
            Self(file)
        });
        taken.await.expect("a thread for the lock")
    }
}

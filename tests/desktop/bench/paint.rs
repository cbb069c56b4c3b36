//! How soon a page shows its heading while the backend keeps everybody waiting: in the window, and in a browser.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::fake::FakeChatGpt;
use tokio::net::{TcpListener, TcpStream};

use crate::app::Launch;
use crate::page::Page;
use crate::{Row, percentile};

/// After so long the backend answers.
const SLOW: Duration = Duration::from_secs(30);
/// By then the heading must be there (DECISIONS: proofs that count), in milliseconds.
const TARGET: f64 = 500.0;
const PAGES: [&str; 8] = ["overview", "accounts", "models", "activity", "usage", "settings", "logs", "about"];

/// How often each is measured; the middle one counts, because other programs may keep the machine busy.
const TIMES: usize = 5;

/// In the window: from a click to the heading, and from loading the page anew. The same in a browser.
pub(crate) async fn rows() -> Vec<Row> {
    let fake = FakeChatGpt::start();
    let slow = slow(fake.address()).await;
    let mut rows = window(&fake, slow).await;
    rows.extend(browser(&fake, slow).await);
    rows
}

async fn window(fake: &FakeChatGpt, slow: SocketAddr) -> Vec<Row> {
    let launch = behind(Launch::beside(fake).signed_in(fake), fake, slow).argument("--window");
    let page = Page::open(launch).await;
    page.says("main h1", "").await;
    let mut rows = Vec::new();
    for name in PAGES {
        let (mut moved, mut loaded) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            moved.push(page.value(&format!("({MOVED})('{name}')")).await);
            page.post("refresh", &json!({})).await;
            loaded.push(page.value(&format!("({SEEN})('{name}')")).await);
        }
        rows.push(row(&format!("window: {name}, from the rail"), &moved));
        rows.push(row(&format!("window: {name}, loaded"), &loaded));
    }
    assert!(fake.requests().is_empty(), "the backend was asked and had answered: {}", fake.story());
    rows
}

async fn browser(fake: &FakeChatGpt, slow: SocketAddr) -> Vec<Row> {
    let launch = support::Launch::beside(fake).admin("127.0.0.1:0");
    let launch = addresses(fake, slow).into_iter().fold(launch, |launch, (name, url)| launch.env(name, &url));
    let dragoman = launch.start().await;
    let output = dragoman.launch().command().args(["open", "--print"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let link = String::from_utf8(output.stdout).unwrap();
    let script = support::workspace().join("tests/ui/paint.mjs");
    let mut node = Command::new("node");
    node.arg(script).args([link.trim(), &TIMES.to_string(), MOVED, SEEN]).args(PAGES);
    let output = node.output().expect("node starts; `.ci/setup test` installs it");
    assert!(output.status.success(), "{output:?}");
    let measured: Vec<(String, Vec<Value>)> = serde_json::from_slice(&output.stdout).unwrap();
    measured.iter().map(|(what, took)| row(&format!("browser: {what}"), took)).collect()
}

/// The middle one of what was measured.
fn row(what: &str, took: &[Value]) -> Row {
    let told = |took: &Value| took.as_f64().unwrap_or_else(|| panic!("{what}: {took}"));
    let mut took: Vec<f64> = took.iter().map(told).collect();
    took.sort_by(f64::total_cmp);
    Row::new(what, percentile(&took, 0.5), "ms").below(TARGET)
}

/// From a change of the address to the first picture with the heading in it, in milliseconds.
const MOVED: &str = "async (name) => {
    const there = (page) => document.querySelector(`main[data-page=${page}] h1`)?.textContent;
    const frame = () => new Promise(requestAnimationFrame);
    location.hash = name === 'about' ? '#/usage' : '#/about';
    while (there(name)) await frame();
    const begun = performance.now();
    location.hash = `#/${name}`;
    while (!there(name)) await frame();
    await frame();
    return performance.now() - begun;
}";

/// From the begin of loading to the first picture with the heading in it, in milliseconds. It may begin to look late,
/// so it tells an upper bound.
const SEEN: &str = "async (name) => {
    const frame = () => new Promise(requestAnimationFrame);
    while (!document.querySelector(`main[data-page=${name}] h1`)?.textContent) await frame();
    await frame();
    return performance.now();
}";

// === the backend that keeps everybody waiting ===

/// Passes on what comes, but only after [`SLOW`].
async fn slow(backend: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                tokio::time::sleep(SLOW).await;
                if let Ok(mut backend) = TcpStream::connect(backend).await {
                    // Whoever waited may be gone.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut backend).await;
                }
            });
        }
    });
    address
}

/// The variables that name the backend, with the slow one in its place.
fn addresses(fake: &FakeChatGpt, slow: SocketAddr) -> [(&'static str, String); 3] {
    let there = |url: String| url.replace(&fake.address().to_string(), &slow.to_string());
    [
        ("DRAGOMAN_CHATGPT_URL", there(fake.chatgpt_url())),
        ("DRAGOMAN_ISSUER_URL", there(fake.url())),
        ("DRAGOMAN_API_URL", there(fake.api_url())),
    ]
}

fn behind(launch: Launch, fake: &FakeChatGpt, slow: SocketAddr) -> Launch {
    addresses(fake, slow).into_iter().fold(launch, |launch, (name, url)| launch.env(name, &url))
}

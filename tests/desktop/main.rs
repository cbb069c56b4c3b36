//! The real desktop app on a real desktop: tray over D-Bus, window over WebDriver. Run through
//! `tests/desktop/session.sh`; anywhere else every test fails and says so.
//!
//! Not here: what the proxy answers (wire tests) and what the tray's line says of each snapshot (`face.rs`).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells what the app said"
)]

mod app;
mod heard;
mod installed;
mod menu;
mod notifications;
mod page;
mod tray;
mod updates;
mod window;

use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::fake::{FakeChatGpt, Gate, Rule};
use support::http::Call;

use crate::app::{Launch, ask, eventually};
use crate::page::Page;
use crate::tray::Tray;

/// How long closing the listener and ending the process may take (DECISIONS 27).
const PROMPT: Duration = Duration::from_secs(2);

// === tray ===

#[tokio::test]
async fn the_tray_shows_the_address_at_which_health_answers() {
    let app = Launch::new().start();
    let tray = Tray::of(&app).await;
    let address = tray.address().await;
    assert_eq!(tray.status().await, format!("On · {address} · demo"));
    let labels = tray.labels().await;
    for label in [
        "Dragoman on",
        "Model: as the catalog says",
        "As the catalog says",
        "Effort: as Claude Code asks",
        "As Claude Code asks",
        "Set up Claude Code",
        "Copy environment for",
        "bash, zsh",
        "Open window",
        "Open logs",
        "Start at login",
        "Quit",
    ] {
        assert_eq!(labels.iter().filter(|other| *other == label).count(), 1, "{label} in {labels:?}");
    }
    assert_eq!(tray.is_checked("Dragoman on").await, Some(true));
    let health = Call::new(address, "GET", "/health").send().await;
    assert_eq!(health.status, 200);
    assert!(health.json().is_object(), "{}", health.text());
    assert_eq!(app.windows(), Vec::<String>::new(), "no window opens where there is a tray");
}

#[tokio::test]
async fn the_switch_in_the_menu_closes_and_opens_the_listener() {
    let app = Launch::new().start();
    let tray = Tray::of(&app).await;
    let address = tray.address().await;
    let icon = tray.icon().await;

    tray.click("Dragoman on").await;
    eventually("the line says Off", async || tray.status().await == "Off").await;
    assert_eq!(tray.is_checked("Dragoman on").await, Some(false));
    let refused = Call::new(address, "GET", "/health").try_open().await.map(|answer| answer.status);
    assert_eq!(refused.map_err(|error| error.kind()), Err(std::io::ErrorKind::ConnectionRefused));
    eventually("the icon changes", async || tray.icon().await != icon).await;
    let off = tray.icon().await;

    tray.click("Dragoman on").await;
    let address = tray.address().await;
    assert_eq!(Call::new(address, "GET", "/health").send().await.status, 200);
    eventually("the check mark is back", async || tray.is_checked("Dragoman on").await == Some(true)).await;
    eventually("the icon changes again", async || tray.icon().await != off).await;
}

#[tokio::test]
async fn a_busy_port_is_told_and_the_switch_tries_again() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = holder.local_addr().unwrap();
    let app = Launch::new().env("DRAGOMAN_LISTEN", &busy.to_string()).start();
    let tray = Tray::of(&app).await;
    eventually("the line says Failed", async || tray.status().await.starts_with("Failed: ")).await;
    assert!(tray.status().await.contains(&busy.port().to_string()), "{}", tray.status().await);
    assert_eq!(tray.is_checked("Dragoman on").await, Some(false));

    // The panel flips the mark before the program knows of the click: it must be flipped back.
    tray.click("Dragoman on").await;
    eventually("the mark is off again", async || tray.is_checked("Dragoman on").await == Some(false)).await;
    assert!(tray.status().await.starts_with("Failed: "), "{}", tray.status().await);

    drop(holder);
    tray.click("Dragoman on").await;
    assert_eq!(tray.address().await, busy);
    eventually("the mark is on", async || tray.is_checked("Dragoman on").await == Some(true)).await;
}

#[tokio::test]
async fn two_programs_say_who_has_the_port() {
    let first = Launch::new().start();
    let first_tray = Tray::of(&first).await;
    let address = first_tray.address().await;
    let second = Launch::new().env("DRAGOMAN_LISTEN", &address.to_string()).start();
    let tray = Tray::of(&second).await;
    eventually("the line says Failed", async || tray.status().await.starts_with("Failed: ")).await;
    assert!(tray.status().await.contains("dragoman"), "{}", tray.status().await);
    assert_eq!(first_tray.address().await, address, "the first one goes on");
}

#[tokio::test]
async fn the_icon_pulses_while_a_request_runs_and_stands_still_where_nothing_may_move() {
    for moves in [true, false] {
        let (fake, rest) = (FakeChatGpt::start(), Gate::shut());
        fake.script([Rule::any("slow").text("Slow").hold(&rest).text("ly.")]);
        let launch = Launch::beside(&fake).signed_in(&fake);
        let toolkit = launch.path().join("home/.config/gtk-3.0");
        std::fs::create_dir_all(&toolkit).unwrap();
        let settings = format!("[Settings]\ngtk-enable-animations={moves}\n");
        std::fs::write(toolkit.join("settings.ini"), settings).unwrap();
        let app = launch.start();
        let tray = Tray::of(&app).await;
        let address = tray.address().await;
        let frames = async || {
            // Nothing but time can show that an icon stands still: four frames of a pulse.
            let (begun, mut seen) = (Instant::now(), Vec::new());
            while begun.elapsed() < Duration::from_secs(2) {
                let icon = tray.icon().await;
                if seen.last() != Some(&icon) {
                    seen.push(icon);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            seen.len()
        };
        eventually("its sign has settled", async || frames().await == 1).await;
        let running = tokio::spawn(async move { ask(address, "slow").await });
        eventually("the line says so", async || tray.status().await.starts_with("Working")).await;
        let while_working = frames().await;
        if moves {
            assert!((2..=9).contains(&while_working), "at most two pulses a second: {while_working} frames");
        } else {
            assert_eq!(while_working, 1);
        }
        rest.open();
        assert_eq!(running.await.unwrap().status, 200);
        eventually("it rests again", async || frames().await == 1).await;
    }
}

// === the way out ===

#[tokio::test]
async fn quit_ends_the_process_and_frees_the_port() {
    let mut app = Launch::new().start();
    let tray = Tray::of(&app).await;
    let address = tray.address().await;
    tray.click("Quit").await;
    assert_eq!(app.ended(PROMPT).await.code(), Some(0));
    TcpListener::bind(address).expect("the port is free");
}

#[tokio::test]
async fn quit_waits_for_an_open_request_and_a_second_quit_does_not() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut app = Launch::new().start();
    let tray = Tray::of(&app).await;
    let address = tray.address().await;
    // A request that is under way: its body has not arrived yet.
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: 100\r\n\r\n",
        support::TOKEN
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body, so the handler has begun.
    let mut go = [0; 25];
    stream.read_exact(&mut go).await.unwrap();
    assert_eq!(&go, b"HTTP/1.1 100 Continue\r\n\r\n");

    tray.click("Quit").await;
    eventually("the listener is closed", async || tokio::net::TcpStream::connect(address).await.is_err())
        .await;
    eventually("the line says so", async || tray.status().await.starts_with("Quitting")).await;
    assert!(app.is_running(), "one request is still open");
    tray.click("Quit").await;
    app.ended(PROMPT).await;
}

#[tokio::test]
async fn the_end_of_the_session_is_a_quit() {
    let mut app = Launch::new().start();
    Tray::of(&app).await.address().await;
    app.signal("TERM");
    assert_eq!(app.ended(PROMPT).await.code(), Some(0));
}

// === without a tray ===

#[tokio::test]
async fn without_a_tray_host_the_window_opens_and_says_why_and_closing_it_quits() {
    let mut app = Launch::new().on_a_bus_without_tray().start();
    eventually("the window opens by itself", async || app.windows() == ["Dragoman"]).await;
    app.close_windows();
    assert_eq!(app.ended(PROMPT).await.code(), Some(0));

    let page = Page::open(Launch::new().on_a_bus_without_tray().argument("--window")).await;
    page.says("#notice", "No tray was found").await;
    page.says("#state", "On").await;
    // The check-up knows it too.
    page.value("(location.hash = '#/about', true)").await;
    page.click("#check").await;
    page.says("#doctor", "nothing on this desktop shows tray icons").await;
}

#[tokio::test]
async fn without_the_library_the_window_opens_and_says_why() {
    let app = Launch::new().without_indicator_library().start();
    eventually("the window opens by itself", async || app.windows() == ["Dragoman"]).await;
    drop(app);

    let page = Page::open(Launch::new().without_indicator_library().argument("--window")).await;
    page.says("#notice", "libayatana-appindicator3-1").await;
    page.says("#state", "On").await;
    assert!(!Tray::exists(&page).await);
}

#[tokio::test]
async fn in_the_background_no_window_opens_even_without_a_tray() {
    let mut app = Launch::new().on_a_bus_without_tray().argument("--background").start();
    // Nothing happens, and only time can show that: longer than a tray is waited for.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(app.windows(), Vec::<String>::new());
    assert!(app.is_running());
}

// === one program ===

#[tokio::test]
async fn a_second_start_opens_the_window_of_the_first() {
    let mut app = Launch::new().start();
    Tray::of(&app).await.address().await;
    let again = async |arguments: &[&str]| {
        let mut second = app.again().args(arguments).spawn().unwrap();
        eventually("the second one is gone", async || second.try_wait().unwrap().is_some()).await;
        assert!(second.wait().unwrap().success());
    };
    again(&["--background"]).await;
    assert_eq!(app.windows(), Vec::<String>::new(), "the session's start opens nothing");
    again(&[]).await;
    eventually("the first one's window opens", async || app.windows() == ["Dragoman"]).await;

    app.minimize_windows();
    eventually("another window has the keyboard", async || !app.is_in_front()).await;
    again(&[]).await;
    eventually("its window is in front", async || app.is_in_front()).await;
    assert_eq!(app.windows(), ["Dragoman"]);
    assert!(app.is_running());
}

#[tokio::test]
async fn programs_with_other_files_know_nothing_of_each_other() {
    let first = Launch::new().start();
    Tray::of(&first).await.address().await;
    let second = Launch::new().start();
    Tray::of(&second).await.address().await;
    assert_eq!(first.windows(), Vec::<String>::new());
}

// === when the page dies ===

#[tokio::test]
async fn the_proxy_outlives_the_process_that_draws_the_window() {
    let page = Page::open(Launch::new().argument("--window")).await;
    let tray = Tray::of(&page).await;
    let address = tray.address().await;
    page.says("#state", "On").await;
    let drawing = page.descendant("WebKitWebProces").expect("a process draws");
    let killed = std::process::Command::new("kill").args(["-KILL", &drawing.to_string()]).status();
    assert!(killed.unwrap().success());
    assert_eq!(Call::new(address, "GET", "/health").send().await.status, 200);
    eventually("the page is loaded again", async || {
        page.descendant("WebKitWebProces").is_some_and(|next| next != drawing)
    })
    .await;
    assert_eq!(Call::new(address, "GET", "/health").send().await.status, 200);
    assert_eq!(page.windows(), ["Dragoman"]);
    tray.click("Quit").await;
}

// === before there is anything to see ===

#[test]
fn without_a_display_it_says_so_and_ends() {
    let launch = Launch::new();
    let output = launch.command().env_remove("DISPLAY").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no display") && said.contains("dragoman serve"), "{said}");
}

#[test]
fn the_version_is_told_without_a_display() {
    let output = Launch::new().command().env_remove("DISPLAY").arg("--version").output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        concat!("dragoman-desktop ", env!("CARGO_PKG_VERSION"))
    );
    let output = Launch::new().command().arg("--fast").stdout(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--fast"));
}

#[tokio::test]
async fn wrong_settings_open_a_window_that_names_them() {
    let launch = Launch::new().config("[server]\nlisten = 5\n");
    let page = Page::open(launch).await;
    page.says("#title", "did not start").await;
    page.says("#message", "server.listen").await;
}

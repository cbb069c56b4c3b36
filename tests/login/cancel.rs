//! Cancelled in each step: nothing stays behind.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use support::Ports;
use support::fake::{FakeChatGpt, Reply};

use crate::*;

async fn cancelled(running: Running, launch: &Launch, signal: &str) {
    running.interrupt(signal);
    let mut running = running;
    running.step("cancelled").await;
    let (status, said) = running.end().await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert_no_secret(&said);
    assert!(accounts(launch).is_empty() && kept(launch).is_empty());
    for port in [1455, 1457] {
        // Between fork and exec the opener holds everything that its parent had.
        let mut times = 0..100;
        while TcpListener::bind(("127.0.0.1", port)).is_err() {
            assert!(times.next().is_some(), "port {port} is still taken");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn slow() -> Reply {
    let mut reply = Reply::json(200, &json!({}));
    reply.before = Some(Duration::from_secs(60));
    reply
}

#[tokio::test]
async fn each_step_can_be_cancelled() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    fake.scene(|scene| scene.pending = 1_000);
    for (flags, step) in [
        (&[][..], "waiting_for_browser"),
        (&["--manual"], "waiting_for_paste"),
        (&["--device"], "device_code"),
    ] {
        for signal in ["INT", "TERM"] {
            let launch = launch(&fake);
            let mut running = login(&launch, flags);
            running.step(step).await;
            cancelled(running, &launch, signal).await;
        }
    }

    // While the code is traded: the browser and the issuer both hang.
    fake.reply("/oauth/token", [slow()]);
    let hanging = launch(&fake);
    let mut running = login(&hanging, &[]);
    let url = opened(&hanging).await;
    let visit = tokio::spawn(async move { support::visit(&url).await });
    running.step("exchanging").await;
    cancelled(running, &hanging, "INT").await;
    visit.await.ok();

    // While a key is tried.
    fake.reply("/v1/models", [slow()]);
    let keyed = launch(&fake);
    let mut running = login(&keyed, &["--api-key"]);
    running.enter("sk-canary-0123456789").await;
    running.step("checking_key").await;
    cancelled(running, &keyed, "INT").await;
}

#[tokio::test]
async fn a_cancelled_codex_login_ends_with_everything_it_started() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    // As npm's script: a program that starts the real one and waits for it.
    program(
        &launch,
        "codex",
        "[ \"$1\" = --version ] && { echo codex-cli 0.169.0; exit; }\nsleep 300 & echo $! > \"$HOME/child\"\necho started\nwait",
    );
    let mut running = login(&launch, &["--codex"]);
    running.step("codex_says").await;
    let child = std::fs::read_to_string(launch.path().join("user/child")).unwrap();
    cancelled(running, &launch, "INT").await;
    for _ in 0..100 {
        if !lives(child.trim()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("process {child} still runs");
}

/// A zombie (this container's first process may not reap) counts as gone.
fn lives(id: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

//! What the program takes while it does nothing: the proportional share (PSS) of all its processes, WebKit's included.

use std::collections::BTreeMap;
use std::time::Duration;

use support::fake::FakeChatGpt;

use crate::Row;
use crate::app::{Launch, Running, eventually};
use crate::tray::Tray;

/// Until nothing moves any more.
const SETTLED: Duration = Duration::from_secs(12);

/// With the window never opened, open, and closed once and five times.
pub(crate) async fn rows() -> Vec<Row> {
    let fake = FakeChatGpt::start();
    let app = Launch::beside(&fake).signed_in(&fake).start();
    Tray::of(&app).await.address().await;
    tokio::time::sleep(SETTLED).await;
    let mut rows = vec![row("window never opened", &app)];
    for round in 1..=5 {
        assert!(app.again().status().unwrap().success());
        eventually("the window opens", async || app.windows() == ["Dragoman"]).await;
        if round == 1 {
            tokio::time::sleep(SETTLED).await;
            rows.push(row("window open", &app));
        }
        tokio::time::sleep(Duration::from_secs(2)).await; // as a person's look at it
        app.close_windows();
        eventually("the window is gone", async || app.windows().is_empty()).await;
        if round == 1 || round == 5 {
            tokio::time::sleep(SETTLED).await;
            let times = if round == 1 { "once" } else { "five times" };
            rows.push(row(&format!("opened and closed {times}"), &app));
        }
    }
    rows
}

/// The sum, with the processes that make it.
fn row(what: &str, app: &Running) -> Row {
    let mut parts: BTreeMap<String, f64> = BTreeMap::new();
    for id in app.processes() {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}"));
        // A process that has just ended takes nothing.
        let (Ok(name), Ok(rollup)) = (read("comm"), read("smaps_rollup")) else { continue };
        let share = rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB"));
        let share: f64 = share.expect("smaps_rollup tells the share").trim().parse().unwrap();
        *parts.entry(name.trim().to_owned()).or_default() += share / 1024.0;
    }
    let listed: Vec<String> = parts.iter().map(|(name, share)| format!("{name} {share:.0}")).collect();
    Row::new(format!("{what} ({})", listed.join(", ")), parts.values().sum(), "MiB")
}

//! How long the tray's menu takes to open while much goes through: what a panel asks before it draws.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use support::fake::{FakeChatGpt, Rule};
use support::http::Call;
use tokio::task::JoinSet;
use zbus::zvariant::OwnedValue;

use crate::app::{Launch, eventually};
use crate::tray::Tray;
use crate::{Row, percentile};

/// Streams that run at once.
const STREAMS: usize = 50;
/// How often the menu is opened.
const TIMES: usize = 300;
/// Between two events of one stream.
const PACE: Duration = Duration::from_millis(20);
/// By then the menu must be there (DECISIONS: proofs that count), in milliseconds.
const TARGET: f64 = 100.0;

type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

/// With nothing going on, and with [`STREAMS`] streams.
pub(crate) async fn rows() -> Vec<Row> {
    let fake = FakeChatGpt::start();
    // Longer than the measurement: 100 s.
    fake.script([Rule::any("stream").always().text(&"word ".repeat(5_000)).between(PACE)]);
    let app = Launch::beside(&fake).signed_in(&fake).start();
    let tray = Tray::of(&app).await;
    let address = tray.address().await;
    let quiet = opened(&tray).await;

    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        streams.spawn(async move {
            let call = Call::new(address, "POST", "/v1/messages").header("x-api-key", support::TOKEN);
            let mut body = support::message("Write much.");
            body["stream"] = true.into();
            let call = call.header("anthropic-version", "2023-06-01").json(&body);
            let mut answer = call.open().await;
            assert_eq!(answer.status, 200);
            let mut events = 0_u64;
            while answer.event().await.is_some() {
                events += 1;
            }
            panic!("a stream ended after {events} events, before the measurement did");
        });
    }
    let all = format!("Working · {STREAMS} requests");
    eventually("all streams run", async || tray.status().await.starts_with(&all)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let busy = opened(&tray).await;
    let status = tray.status().await;
    assert!(status.starts_with(&all), "the load went away while it was measured: {status}");
    assert!(streams.try_join_next().is_none(), "a stream ended early");

    let mut rows =
        vec![Row::new("AboutToShow + GetLayout, idle, p95", percentile(&quiet, 0.95), "ms").below(TARGET)];
    for (name, part) in [("p50", 0.5), ("p95", 0.95), ("longest", 1.0)] {
        let row = Row::new(format!("the same with {STREAMS} streams, {name}"), percentile(&busy, part), "ms");
        rows.push(if name == "p95" { row.below(TARGET) } else { row });
    }
    rows
}

/// How long each of [`TIMES`] openings took, sorted.
async fn opened(tray: &Tray) -> Vec<f64> {
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let begun = Instant::now();
        let _: bool = tray.menu.call("AboutToShow", &(0i32,)).await.unwrap();
        let asked = (0i32, -1i32, Vec::<String>::new());
        let (_, layout): (u32, Layout) = tray.menu.call("GetLayout", &asked).await.unwrap();
        took.push(begun.elapsed().as_secs_f64() * 1_000.0);
        assert!(!layout.2.is_empty(), "the menu is empty");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    took.sort_by(f64::total_cmp);
    took
}

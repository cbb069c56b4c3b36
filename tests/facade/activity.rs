//! What runs: each request is in the picture for as long as it is answered, with the pace of all.

use std::sync::Arc;

use dragoman::Snapshot;
use support::SOON;
use support::fake::{FakeChatGpt, Gate, Rule};
use tokio::sync::watch;

use crate::*;

/// The picture, once this holds.
async fn seen(
    pictures: &mut watch::Receiver<Arc<Snapshot>>,
    holds: impl Fn(&Snapshot) -> bool,
) -> Arc<Snapshot> {
    let found = tokio::time::timeout(SOON, pictures.wait_for(|picture| holds(picture))).await;
    found.expect("it comes in time").unwrap().clone()
}

#[tokio::test]
async fn a_request_is_in_the_picture_while_it_is_answered() {
    let fake = FakeChatGpt::start();
    let (begin, end) = (Gate::shut(), Gate::shut());
    fake.script([Rule::any("slow").hold(&begin).text(&"word ".repeat(400)).hold(&end).text("end")]);
    let launch = Launch::beside(&fake);
    let app = app(&launch).await;
    let mut pictures = app.snapshot();
    let asking = app.clone();
    let asked = tokio::spawn(async move { ask(&asking, "slowly").await });

    let picture = seen(&mut pictures, |picture| !picture.activity.running.is_empty()).await;
    let row = &picture.activity.running[0];
    assert_eq!((&*row.model, row.first_output_ms), ("claude-sonnet-5-5", None));
    assert!(row.upstream_model.starts_with("gpt-"), "{row:?}");
    assert_eq!(picture.activity.tokens_per_second, None, "nothing is written yet");

    begin.open();
    let picture = seen(&mut pictures, |picture| picture.activity.tokens_per_second.is_some()).await;
    assert!(picture.activity.running[0].first_output_ms.is_some());
    let rate = picture.activity.tokens_per_second.unwrap();
    // 500 tokens within the last looks, which lie a second or more apart.
    assert!((50..=500).contains(&rate), "{rate}");

    end.open();
    let answer = asked.await.unwrap();
    let picture = seen(&mut pictures, |picture| picture.activity.running.is_empty()).await;
    assert_eq!(picture.activity.tokens_per_second, None);
    assert_eq!(
        answer.headers.value("request-id"),
        Some(&*row.id),
        "the same id as in the list of ended ones"
    );
}

//! The log, while the program runs.

use serde_json::json;
use support::fake::{FakeChatGpt, Rule};
use support::message;

use crate::{good, start};

#[tokio::test]
async fn another_log_level_counts_at_once_in_memory_and_in_the_file() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    fake.script([Rule::any("a").always().text("fine")]);
    let debug_lines = async || {
        dragoman.messages(&message("hi")).send().await;
        let lines = good(&dragoman.admin("GET", "/admin/logs").send().await);
        lines.as_array().unwrap().iter().filter(|line| line["level"] == "debug").count()
    };
    let level = async |level: &str| {
        let set = dragoman.admin("PUT", "/admin/settings/log.level").json(&json!({ "value": level }));
        good(&set.send().await);
    };
    assert_eq!(debug_lines().await, 0);
    level("debug").await;
    let some = debug_lines().await;
    assert!(some > 0, "nothing more is logged");
    level("info").await;
    assert_eq!(debug_lines().await, some);
    let file = dragoman.path().join("dragoman/logs/dragoman.log");
    let in_file = async || {
        std::fs::read_to_string(&file)
            .is_ok_and(|text| text.lines().any(|line| line.contains(" DEBUG dragoman")))
    };
    // The file is written by a thread of its own.
    for _ in 0..200 {
        if in_file().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("no debug line is in {}", file.display());
}

//! The listener: where it is, when it is not there, and how its streams end.

use std::net::TcpListener;

use serde_json::Value;
use support::fake::FakeChatGpt;
use support::http::Answer;
use support::{Dragoman, Launch};

use crate::{SOON, good, start};

/// The next snapshot of a stream that holds.
async fn picture(events: &mut Answer, holds: impl Fn(&Value) -> bool) -> Value {
    let search = async {
        loop {
            let event = events.event().await.unwrap();
            let event: Value = event.data;
            if event["type"] == "snapshot" && holds(&event["snapshot"]) {
                return event["snapshot"].clone();
            }
        }
    };
    tokio::time::timeout(SOON, search).await.unwrap()
}

#[tokio::test]
async fn it_lives_on_while_the_proxy_is_off() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let mut events = dragoman.admin("GET", "/admin/events").open().await;
    assert_eq!(events.headers.value("content-type"), Some("text/event-stream"));
    let first = picture(&mut events, |_| true).await;
    assert_eq!(first["admin"]["address"], dragoman.admin_address().to_string());
    assert_eq!(first["server"]["address"], dragoman.address().to_string());
    let turn =
        |on: bool| dragoman.admin("PUT", "/admin/server").json(&serde_json::json!({ "on": on })).send();
    assert_eq!(good(&turn(false).await)["state"], "off");
    picture(&mut events, |snapshot| snapshot["server"]["state"] == "off").await;
    assert!(dragoman.call("GET", "/health").try_open().await.is_err(), "the proxy's port is closed");
    assert_eq!(good(&turn(true).await)["state"], "on");
    picture(&mut events, |snapshot| snapshot["server"]["state"] == "on").await;
}

#[tokio::test]
async fn a_stream_does_not_hold_up_the_end() {
    let fake = FakeChatGpt::start();
    let mut dragoman = start(&fake).await;
    let mut events = dragoman.admin("GET", "/admin/events").open().await;
    picture(&mut events, |_| true).await;
    dragoman.interrupt("TERM");
    dragoman.ended(std::time::Duration::from_secs(5)).await;
    events.events().await; // a proper end, not a cut
    assert!(!dragoman.path().join("dragoman/state/admin.json").exists());
}

#[tokio::test]
async fn a_busy_port_is_told_and_stops_nothing() {
    let fake = FakeChatGpt::start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dragoman = Launch::beside(&fake).admin(&address.to_string()).start().await;
    let said = dragoman.said_when(|said| said.contains("No dashboard")).await;
    assert!(said.contains(&format!("port {} is in use", address.port())), "{said}");
    assert!(said.contains("set server.admin_listen to another port"), "{said}");
    assert_eq!(dragoman.call("GET", "/health").send().await.status, 200);
    let output = dragoman.launch().command().args(["open", "--print"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn off_means_that_nothing_listens() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    assert!(!dragoman.path().join("dragoman/state/admin.json").exists());
    let output = dragoman.launch().command().args(["open", "--print"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
}

#[tokio::test]
async fn an_entry_that_a_crash_left_behind_opens_no_stranger() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let state = dragoman.path().join("dragoman/state");
    // The fake answers on that port, but is no Dragoman.
    std::fs::write(state.join("admin.json"), format!(r#"{{"pid":1,"address":"{}"}}"#, fake.address()))
        .unwrap();
    let output = dragoman.launch().command().args(["open", "--print"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(output.stdout.is_empty(), "no link is told");
}

#[tokio::test]
async fn it_moves_with_its_setting() {
    let fake = FakeChatGpt::start();
    let dragoman = Launch::beside(&fake)
        .config("[server]\nadmin_listen = \"127.0.0.1:0\"\n")
        .admin_as_set()
        .start()
        .await;
    let before = dragoman.admin_address();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let set = dragoman.admin("PUT", "/admin/settings/server.admin_listen");
    // The answer may be cut by the move: what counts is where the listener is then.
    let _answer = set.json(&serde_json::json!({ "value": free.to_string() })).try_open().await;
    let entry = dragoman.path().join("dragoman/state/admin.json");
    let moved = async {
        while !std::fs::read_to_string(&entry).unwrap_or_default().contains(&free.to_string()) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, moved).await.expect("it does not move");
    assert!(std::net::TcpStream::connect(before).is_err(), "the old port is closed");
    good(&dragoman.admin("GET", "/admin/snapshot").send().await);
}

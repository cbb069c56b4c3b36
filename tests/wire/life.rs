//! How the server begins and ends.

use std::time::{Duration, Instant};

use support::fake::{FakeChatGpt, Gate, Rule};
use support::{Dragoman, Launch};
use tokio::net::TcpStream;

use crate::{SOON, streaming};

async fn refuses(dragoman: &Dragoman) -> bool {
    TcpStream::connect(dragoman.address()).await.is_err()
}

#[tokio::test]
async fn a_stream_may_finish_after_the_server_is_told_to_stop() {
    for signal in ["TERM", "INT"] {
        let fake = FakeChatGpt::start();
        let mut dragoman = Dragoman::start(&fake).await;
        let gate = Gate::shut();
        fake.script([Rule::any("a").text("first ").hold(&gate).text("last")]);
        let mut answer = dragoman.messages(&streaming("hi")).open().await;
        answer.until("content_block_delta", SOON).await;
        dragoman.interrupt(signal);
        let told = Instant::now();
        while !refuses(&dragoman).await {
            assert!(told.elapsed() < Duration::from_secs(2), "{signal}: the port is still open");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        gate.open();
        answer.until("message_stop", SOON).await;
        drop(answer);
        let status = dragoman.ended(SOON).await;
        assert!(status.success(), "{signal}: {status}, {}", dragoman.said());
    }
}

#[tokio::test]
async fn a_second_signal_ends_open_streams() {
    let fake = FakeChatGpt::start();
    let mut dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").text("first ").hold(&Gate::shut())]);
    let mut answer = dragoman.messages(&streaming("hi")).open().await;
    answer.until("content_block_delta", SOON).await;
    dragoman.interrupt("INT");
    let told = Instant::now();
    while !refuses(&dragoman).await {
        assert!(told.elapsed() < Duration::from_secs(2), "the port is still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    dragoman.interrupt("INT");
    dragoman.ended(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let fake = FakeChatGpt::start();
    let mut dragoman = Dragoman::start(&fake).await;
    dragoman.interrupt("TERM");
    assert!(dragoman.ended(Duration::from_secs(3)).await.success());
}

#[tokio::test]
async fn a_busy_port_names_its_owner() {
    let fake = FakeChatGpt::start();
    let owner = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = owner.local_addr().unwrap().to_string();
    let launch = Launch::beside(&fake);
    let output =
        launch.command().args(["serve", "--listen", &address, "--admin-listen", "off"]).output().unwrap();
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains(&address.split(':').next_back().unwrap().to_owned()), "no port: {words}");
    assert!(words.contains(&std::process::id().to_string()), "the owner is not named: {words}");
    assert!(!words.contains("panicked"), "{words}");
}

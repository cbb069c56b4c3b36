//! The paths beside `/v1/messages`, and what must be answered without a backend.

use std::time::{Duration, Instant};

use serde_json::json;
use support::fake::{FakeChatGpt, Reply, Rule};
use support::{ACCOUNT, Dragoman, EMAIL, Launch, message};

#[tokio::test]
async fn probes_are_answered_without_a_token() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    for path in ["/", "/api/hello"] {
        let answer = dragoman.call("HEAD", path).without("authorization").send().await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
    assert!(fake.turns().is_empty());
}

#[tokio::test]
async fn health_tells_the_version_and_nothing_about_the_account() {
    let fake = FakeChatGpt::start();
    let login = fake.sign_in();
    let dragoman = Launch::signed_out(&fake).signed_in_with(&login).start().await;
    fake.script([Rule::any("a").text("fine")]);
    dragoman.messages(&message("hi")).send().await;
    let answer = dragoman.call("GET", "/health").without("authorization").send().await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()["version"].is_string(), "{}", answer.text());
    for secret in [ACCOUNT, EMAIL, support::TOKEN, &login.access_token, &login.refresh_token] {
        assert!(!answer.text().contains(secret), "{}", answer.text());
    }
}

#[tokio::test]
async fn the_models_are_listed_as_a_gateway_lists_them() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    // The first answer may be the bundled list, which has a model more: the catalog is fetched in the background.
    let begun = Instant::now();
    let answer = loop {
        let answer = dragoman.call("GET", "/v1/models?limit=1000").send().await;
        if !answer.text().contains("gpt-6-astra") {
            break answer.json();
        }
        assert!(begun.elapsed() < crate::SOON, "the catalog was not taken over: {}", answer.text());
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let data = answer["data"].as_array().unwrap();
    for model in data {
        assert_eq!(model["type"], "model");
        assert!(model["id"].as_str().unwrap().contains("claude"), "{model}");
        assert!(model["display_name"].is_string() && model["created_at"].is_string(), "{model}");
    }
    assert_eq!(answer["has_more"], false);
    assert_eq!(answer["first_id"], data[0]["id"]);
    assert_eq!(answer["last_id"], data[data.len() - 1]["id"]);
    let ids: Vec<&str> = data.iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert!(ids.iter().any(|id| id.contains("gpt-6-1-sol")), "{ids:?}");
    assert!(!ids.iter().any(|id| id.contains("daybreak")), "a hidden model is listed: {ids:?}");
    // Each listed id is accepted.
    fake.script([Rule::any("a").always().text("fine")]);
    for id in ids {
        let mut body = message("hi");
        body["model"] = json!(id);
        let answer = dragoman.messages(&body).send().await;
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
        assert_eq!(answer.json()["model"], id, "the client's name is echoed");
    }
    fake.assert_content();
}

#[tokio::test]
async fn a_base_url_that_ends_in_v1_is_forgiven() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").text("fine")]);
    let answer = dragoman.call("POST", "/v1/v1/messages?beta=true").json(&message("hi")).send().await;
    assert_eq!(answer.json()["content"][0]["text"], "fine");
    let counted = dragoman.call("POST", "/v1/v1/messages/count_tokens").json(&message("hi")).send().await;
    assert!(counted.json()["input_tokens"].as_u64().unwrap() > 0);
}

/// `/context` asks so many at once (M13).
#[tokio::test]
async fn twenty_six_counts_at_once_are_answered_locally() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let count =
        |text: &str| dragoman.call("POST", "/v1/messages/count_tokens?beta=true").json(&message(text)).send();
    // The first one loads the tokenizer (a debug build takes its time).
    let first = count(&"a".repeat(4096)).await.json()["input_tokens"].as_u64().unwrap();
    assert!(
        (512..=560).contains(&first),
        "4,096 times a letter are 512 tokens and a little framing: {first}"
    );
    let begun = Instant::now();
    let texts: Vec<String> = (1..=26).map(|number| "word ".repeat(100 * number)).collect();
    let calls: Vec<_> = texts.iter().map(|text| tokio::spawn(count(text))).collect();
    let mut counts = Vec::new();
    for call in calls {
        counts.push(call.await.unwrap().json()["input_tokens"].as_u64().unwrap());
    }
    assert!(counts.is_sorted() && counts[25] > counts[0], "{counts:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(fake.turns().is_empty());
}

/// Nobody waits for a backend that does not answer questions about itself.
#[tokio::test]
async fn the_server_is_there_while_the_catalog_is_not() {
    let fake = FakeChatGpt::start();
    let slow = Reply { before: Some(Duration::from_secs(60)), ..Reply::json(200, &json!({ "models": [] })) };
    fake.reply("/backend-api/codex/models", [slow.clone()]);
    fake.reply("/backend-api/wham/accounts/check", [slow]);
    let begun = Instant::now();
    let dragoman = Dragoman::start(&fake).await;
    assert_eq!(dragoman.call("GET", "/health").send().await.status, 200);
    let listed = dragoman.call("GET", "/v1/models?limit=1000").send().await.json();
    assert!(!listed["data"].as_array().unwrap().is_empty(), "the bundled list stands in");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_is_left_out_is_shown_one_line_for_each_kind() {
    let fake = FakeChatGpt::start();
    let dragoman = Launch::beside(&fake).argument("-v").start().await;
    fake.script([Rule::any("a").text("fine")]);
    let mut body = message("hi");
    body["temperature"] = json!(0.2);
    body["top_k"] = json!(5);
    body["messages"][0]["content"] = json!([
        { "type": "text", "text": "see" },
        { "type": "image", "source": { "type": "file", "file_id": "file_SECRET" } },
    ]);
    let answer = dragoman.messages(&body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let about_notes = |said: &str| said.lines().filter(|line| line.contains("fidelity notes")).count();
    let said = dragoman.said_when(|said| about_notes(said) >= 2 && said.ends_with('\n')).await;
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("fidelity notes")).collect();
    assert_eq!(lines.len(), 2, "{said}");
    // temperature, top_k, and a max_tokens small enough to have meant something
    assert!(lines[0].contains("what=Dropped") && lines[0].contains("count=3"), "{said}");
    assert!(lines[0].contains("first_place=\"temperature\""), "{said}");
    assert!(lines[1].contains("what=Described") && lines[1].contains("count=1"), "{said}");
}

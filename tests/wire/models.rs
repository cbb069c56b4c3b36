//! The model map on the wire: what a request is for, who answers it, and that a change counts at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::fake::{FakeChatGpt, Rule};
use support::{Dragoman, Launch, message};

use crate::error;

const SESSION: &str = "1fb6b981-be92-43db-a237-cf09d4886ef0";

const MAP: &str = r#"
[models]
opus = "gpt-6-sol effort=low"
background = "gpt-5.6-luna"
subagent = "gpt-6-luna default_effort=xhigh"
image = "gpt-5.5"
long_context = "gpt-6.1-terra"
long_context_over = 5000
fable = "gpt-nowhere"

[models.names]
"gpt-5" = "gpt-5.5-high"
"old-*" = "gpt-6.1-terra tier=fast"
"#;

/// As the main loop asks.
fn asked(model: &str, content: Value) -> Value {
    json!({
        "model": model, "max_tokens": 512, "thinking": { "type": "adaptive" },
        "output_config": { "effort": "medium" },
        "tools": [{ "name": "Bash", "description": "d", "input_schema": { "type": "object" } }],
        "messages": [{ "role": "user", "content": content }],
    })
}

struct House {
    fake: FakeChatGpt,
    dragoman: Dragoman,
}

impl House {
    async fn of(change: impl FnOnce(Launch) -> Launch) -> Self {
        let fake = FakeChatGpt::start();
        let dragoman = change(Launch::beside(&fake)).argument("-v").start().await;
        fake.script([Rule::any("any").always().text("fine")]);
        let house = Self { fake, dragoman };
        house.knows_the_catalog().await;
        house
    }

    /// Until then the bundled list answers, which names more.
    async fn knows_the_catalog(&self) {
        let deadline = Instant::now() + crate::SOON;
        while self.dragoman.call("GET", "/v1/models").send().await.text().contains("gpt-6-astra") {
            assert!(Instant::now() < deadline, "the catalog was not fetched: {}", self.fake.story());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Model, effort and tier that went upstream.
    async fn sent(&self, body: &Value, headers: &[(&str, &str)]) -> [String; 3] {
        let mut call = self.dragoman.messages(body).header("x-claude-code-session-id", SESSION);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        let answer = call.send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let turn = self.fake.turns().pop().unwrap();
        let effort = turn.view().effort.clone().unwrap_or_default();
        let tier = turn.body["service_tier"].as_str().unwrap_or_default().to_owned();
        [turn.view().model.clone(), effort, tier]
    }
}

#[tokio::test]
async fn each_request_goes_where_its_rule_says_and_the_log_tells_which() {
    let house = House::of(|launch| launch.config(MAP)).await;
    let text = || json!("hi");
    let picture = json!([{ "type": "image", "source": {
        "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    } }]);
    let mut title = asked("claude-opus-5-5", text());
    for member in ["tools", "thinking"] {
        title.as_object_mut().unwrap().remove(member);
    }
    let mut unasked = asked("claude-opus-5-5", text());
    unasked.as_object_mut().unwrap().remove("output_config");
    let agent = [("x-claude-code-agent-id", "a40152c82520f566a")];
    let long = json!("word ".repeat(8_000));
    for (what, body, headers, expected, rule) in [
        ("opus", asked("claude-opus-5-5", text()), &[][..], ["gpt-6-sol", "low", ""], "models.opus"),
        ("a suffix", asked("claude-opus-5-5-high", text()), &[], ["gpt-6-sol", "high", ""], "models.opus"),
        ("a title", title, &[], ["gpt-5.6-luna", "medium", ""], "models.background"),
        (
            "haiku",
            asked("claude-haiku-5-5", text()),
            &[],
            ["gpt-5.6-luna", "medium", ""],
            "models.background",
        ),
        ("a subagent", unasked, &agent, ["gpt-6-luna", "xhigh", ""], "models.subagent"),
        ("a picture", asked("claude-opus-5-5", picture), &[], ["gpt-5.5", "medium", ""], "models.image"),
        ("much", asked("claude-opus-5-5", long), &[], ["gpt-6.1-terra", "medium", ""], "models.long_context"),
        ("a shorthand", asked("gpt-5-fast", text()), &[], ["gpt-5.5", "high", "priority"], "models.names"),
        ("a pattern", asked("old-4o", text()), &[], ["gpt-6.1-terra", "medium", "priority"], "models.names"),
        ("a model", asked("gpt-6-luna(low)", text()), &[], ["gpt-6-luna", "low", ""], "the model's own name"),
        ("sonnet", asked("claude-sonnet-5-5", text()), &[], ["gpt-6.1-terra", "medium", ""], "the catalog"),
        ("fable", asked("claude-fable-5-2", text()), &[], ["gpt-6.1-sol", "medium", ""], "the catalog"),
    ] {
        assert_eq!(house.sent(&body, headers).await, expected, "{what}");
        let told = format!("rule={rule}");
        let quoted = format!("rule=\"{rule}");
        let number = house.fake.turns().len();
        let said = house.dragoman.said_when(|said| said.matches("request finished").count() == number).await;
        let line = said.lines().rfind(|line| line.contains("request finished")).unwrap();
        assert!(line.contains(&told) || line.contains(&quoted), "{what}: {line}");
    }
    // The rule for Fable names a model that there is not: told with the request, and to whoever looks.
    let said = house.dragoman.said_when(|said| said.contains("models.fable names gpt-nowhere")).await;
    assert!(said.contains("gpt-6.1-sol answers"), "{said}");
    house.fake.assert_content();
}

#[tokio::test]
async fn what_there_is_not_is_told_with_what_there_is() {
    let house = House::of(|launch| launch).await;
    for (model, words) in
        [("gpt-9-high", "gpt-6.1-sol, gpt-6-sol"), ("nowhere,gpt-5.5", "available: chatgpt, api")]
    {
        let answer = house.dragoman.messages(&asked(model, json!("hi"))).send().await;
        let message = error(&answer, 404, "not_found_error");
        assert!(message.contains(words), "{message}");
    }
    // Nobody here has a key of the API: another account is no substitute.
    let answer = house.dragoman.messages(&asked("api,gpt-5.5", json!("hi"))).send().await;
    let message = error(&answer, 401, "authentication_error");
    assert!(message.contains("dragoman login --api-key"), "{message}");
    assert_eq!(house.sent(&asked("chatgpt,gpt-5.5", json!("hi")), &[]).await[0], "gpt-5.5");
}

/// A ChatGPT login and a key of the API, side by side: the name says who pays.
#[tokio::test]
async fn a_name_with_a_backend_is_answered_by_an_account_of_it() {
    const KEY: &str = "sk-canary-0123456789abcdefghij";
    let house = House::of(|launch| launch).await;
    house.fake.accept_key(KEY);
    let mut login = house
        .dragoman
        .launch()
        .command()
        .args(["login", "--api-key", "--json"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut login.stdin.take().unwrap(), format!("{KEY}\n").as_bytes()).unwrap();
    assert!(login.wait_with_output().unwrap().status.success());
    let who =
        |request: &support::fake::Request| (request.path.clone(), request.header("authorization").to_owned());
    let key = format!("Bearer {KEY}");
    for (model, api) in [("api,gpt-5.5", true), ("chatgpt,gpt-5.5", false), ("api,gpt-5.5", true)] {
        assert_eq!(house.sent(&asked(model, json!("hi")), &[]).await[0], "gpt-5.5");
        let (path, shown) = who(&house.fake.turns().pop().unwrap());
        assert_eq!((path == "/v1/responses", shown == key), (api, api), "{model}: {path}");
        // What comes in OpenAI's own API goes the same way.
        let body = json!({ "model": model, "input": "hi" });
        let answer = house.dragoman.call("POST", "/v1/responses").json(&body).send().await;
        assert_eq!((answer.status, &answer.json()["model"]), (200, &json!(model)));
        let (path, shown) = who(&house.fake.turns().pop().unwrap());
        assert_eq!((path == "/v1/responses", shown == key), (api, api), "{model}: {path}");
    }
}

/// Another process and an editor change the file under a running server.
#[tokio::test]
async fn a_changed_rule_counts_without_a_restart() {
    let house = House::of(|launch| launch).await;
    let opus = asked("claude-opus-5-5", json!("hi"));
    assert_eq!(house.sent(&opus, &[]).await[0], "gpt-6.1-sol");
    let output = house
        .dragoman
        .launch()
        .command()
        .args(["models", "set", "opus", "gpt-5.5 effort=low"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    house.dragoman.said_when(|said| said.contains("the settings file changed")).await;
    assert_eq!(house.sent(&opus, &[]).await, ["gpt-5.5", "low", ""]);
    // The same id as one session: a session keeps nothing of the old map.
    let file = house.dragoman.path().join("dragoman/config/config.toml");
    // As an editor saves: the new file takes the old one's place.
    let saved = file.with_extension("saved");
    std::fs::write(&saved, "[models]\nopus = \"gpt-6-luna\"\n").unwrap();
    std::fs::rename(saved, file).unwrap();
    let twice = |said: &str| said.matches("the settings file changed").count() == 2;
    house.dragoman.said_when(twice).await;
    assert_eq!(house.sent(&opus, &[]).await, ["gpt-6-luna", "medium", ""]);
}

#[tokio::test]
async fn the_codex_clis_settings_can_be_defaults() {
    let house = House::of(|launch| {
        let codex = launch.path().join("codex");
        std::fs::write(
            codex.join("config.toml"),
            "model = \"gpt-5.5\"\nmodel_context_window = 200000\nmodel_auto_compact_token_limit = 120000\n",
        )
        .unwrap();
        launch.config("[models]\nfrom_codex = true\n")
    })
    .await;
    assert_eq!(house.sent(&asked("claude-opus-5-5", json!("hi")), &[]).await[0], "gpt-5.5");
    assert_eq!(house.sent(&asked("claude-haiku-5-5", json!("hi")), &[]).await[0], "gpt-6-luna");
    let health = house.dragoman.call("GET", "/health").send().await.json();
    let told =
        |answer: &Value| (answer["context_window"].clone(), answer["auto_compact_token_limit"].clone());
    assert_eq!(
        (health["model"].clone(), told(&health)),
        (json!("gpt-5.5"), (json!(190_000), json!(120_000)))
    );
    let count =
        house.dragoman.call("POST", "/v1/messages/count_tokens").json(&message("hi")).send().await.json();
    assert_eq!(told(&count), (json!(190_000), json!(120_000)));
    assert!(count["input_tokens"].as_u64().unwrap() > 0);
}

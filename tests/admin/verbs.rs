//! What the verbs do, seen from outside.

use serde_json::{Value, json};
use support::EMAIL;
use support::fake::{FakeChatGpt, Rule};
use support::{Launch, message};

use crate::{SOON, good, refused, start};

#[tokio::test]
async fn the_description_lists_every_path_and_each_answers() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let description = good(&dragoman.admin("GET", "/admin/openapi.json").send().await);
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() > 20, "{}", paths.len());
    for (path, methods) in paths {
        let path = path.replace("{account}", "nobody").replace("{id}", "99").replace("{key}", "no.such");
        for method in methods.as_object().unwrap().keys() {
            // A body that fits nothing: only what needs none acts, and nothing of that does harm here.
            let call = dragoman.admin(&method.to_uppercase(), &path).json(&json!({ "no": "such" }));
            let answer = call.open().await;
            assert!(
                ![404, 405, 500].contains(&answer.status)
                    || path.contains("nobody")
                    || path.contains("99")
                    || path.contains("no.such"),
                "{method} {path} answers {}",
                answer.status
            );
            assert_ne!(answer.status, 405, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn an_account_is_listed_named_tested_and_signed_out() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let accounts = good(&dragoman.admin("GET", "/admin/accounts").send().await);
    assert_eq!(accounts["accounts"][0]["label"], EMAIL);
    fake.script([Rule::any("test").text("ready")]);
    let id = accounts["accounts"][0]["id"].as_str().unwrap();
    let tested = good(&dragoman.admin("POST", &format!("/admin/accounts/{id}/test")).send().await);
    assert_eq!((&tested["id"], &tested["answer"]), (&json!(id), &json!("ready")));
    let troubles = good(&dragoman.admin("POST", "/admin/limits/refresh").send().await);
    assert!(troubles.is_array(), "{troubles}");
    let words = refused(&dragoman.admin("POST", "/admin/accounts/nobody/use").send().await, 404, "account");
    assert!(words.contains("nobody"), "{words}");
}

#[tokio::test]
async fn a_sign_in_is_begun_watched_and_cancelled() {
    let fake = FakeChatGpt::start();
    let dragoman = Launch::signed_out(&fake).admin("127.0.0.1:0").start().await;
    let begin = |way: Value| dragoman.admin("POST", "/admin/logins").json(&json!({ "way": way })).send();
    let login = good(&begin(json!({ "kind": "manual" })).await);
    let path = format!("/admin/logins/{}", login["id"]);
    let mut steps = dragoman.admin("GET", &format!("{path}/steps")).open().await;
    let mut step = async || -> Value {
        let event = tokio::time::timeout(SOON, steps.event()).await.expect("no step in time");
        event.map_or(Value::Null, |event| event.data)
    };
    let first = step().await;
    assert_eq!(first["step"], "waiting_for_paste", "{first}");
    let wrong = json!({ "text": "http://localhost:1455/auth/callback?code=x&state=wrong" });
    assert_eq!(dragoman.admin("POST", &format!("{path}/paste")).json(&wrong).send().await.status, 204);
    assert_eq!(step().await["step"], "not_accepted");
    assert_eq!(dragoman.admin("DELETE", &path).send().await.status, 204);
    assert_eq!(step().await["step"], "cancelled");
    assert_eq!(step().await, Value::Null, "the stream ends after the last step");
    let listed = good(&dragoman.admin("GET", "/admin/logins").send().await);
    assert_eq!(listed[0]["steps"].as_array().unwrap().last().unwrap()["step"], "cancelled");
}

#[tokio::test]
async fn an_api_key_is_kept_and_an_account_renamed_paused_and_removed() {
    let fake = FakeChatGpt::start();
    let dragoman = Launch::signed_out(&fake).admin("127.0.0.1:0").start().await;
    fake.accept_key("sk-canary-0123456789abcdefghij");
    let way = json!({ "way": { "kind": "api_key", "key": "sk-canary-0123456789abcdefghij" } });
    let login = good(&dragoman.admin("POST", "/admin/logins").json(&way).send().await);
    let mut steps = dragoman.admin("GET", &format!("/admin/logins/{}/steps", login["id"])).open().await;
    let steps = tokio::time::timeout(SOON, steps.events()).await.unwrap();
    let last = &steps.last().unwrap().data;
    assert_eq!(last["step"], "done", "{last}");
    let account = last["account"].as_str().unwrap();
    let path = format!("/admin/accounts/{account}");
    let named = dragoman.admin("PATCH", &path).json(&json!({ "name": "work" })).send().await;
    assert_eq!(named.status, 204, "{}", named.text());
    let paused =
        dragoman.admin("PUT", "/admin/accounts/work/paused").json(&json!({ "paused": true })).send().await;
    assert_eq!(paused.status, 204, "{}", paused.text());
    let accounts = good(&dragoman.admin("GET", "/admin/accounts").send().await);
    assert_eq!(
        (&accounts["accounts"][0]["name"], &accounts["accounts"][0]["paused"]),
        (&json!("work"), &json!(true))
    );
    let out = good(&dragoman.admin("DELETE", "/admin/accounts/work").send().await);
    assert_eq!(out["kind"], "api_key");
    let accounts = good(&dragoman.admin("GET", "/admin/accounts").send().await);
    assert_eq!(accounts["accounts"][0]["state"]["state"], "none");
}

#[tokio::test]
async fn claude_code_is_set_up_as_the_plan_said_and_taken_back() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let file = dragoman.path().join("user/.claude/settings.json");
    let post = |dry_run: bool| {
        dragoman.admin("POST", "/admin/claude-code").json(&json!({ "dry_run": dry_run })).send()
    };
    let plan = good(&post(true).await);
    assert_eq!(plan["file"], file.display().to_string());
    assert!(!file.exists(), "a plan writes nothing");
    assert!(!plan.to_string().contains(support::TOKEN), "the token is not shown");
    let done = good(&post(false).await);
    assert_eq!(done["changes"], plan["changes"]);
    assert!(std::fs::read_to_string(&file).unwrap().contains(&dragoman.url()));
    let status = good(&dragoman.admin("GET", "/admin/claude-code").send().await);
    assert_eq!(status["status"]["state"], "connected");
    good(&dragoman.admin("DELETE", "/admin/claude-code").send().await);
    assert!(!file.exists(), "it is as before");
    let environment = good(&dragoman.admin("GET", "/admin/environment").send().await);
    let fish = environment["shells"].as_array().unwrap().iter().find(|text| text["shell"] == "fish").unwrap();
    let line = format!("set -gx ANTHROPIC_BASE_URL '{}'", dragoman.url());
    assert!(fish["text"].as_str().unwrap().contains(&line), "{fish}");
}

#[tokio::test]
async fn while_it_is_off_claude_code_may_go_back_to_anthropic() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let file = dragoman.path().join("user/.claude/settings.json");
    let own = r#"{"model":"opus"}"#;
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, own).unwrap();
    let leads_here = || std::fs::read_to_string(&file).unwrap().contains("ANTHROPIC_BASE_URL");
    let turn = |on: bool| dragoman.admin("PUT", "/admin/server").json(&json!({ "on": on })).send();
    let suspend = || dragoman.admin("POST", "/admin/claude-code/suspend").send();
    good(&dragoman.admin("POST", "/admin/claude-code").json(&json!({})).send().await);
    let words = refused(&suspend().await, 409, "claude_code");
    assert!(words.contains("turn it off first"), "{words}");
    good(&turn(false).await);
    assert!(leads_here(), "nobody has said so yet");
    assert_eq!(good(&suspend().await)["state"], "suspended");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), own);
    good(&turn(true).await);
    assert!(leads_here());
}

#[tokio::test]
async fn a_changed_map_counts_for_the_next_request() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    fake.script([Rule::any("a").always().text("fine")]);
    let set = dragoman.admin("PUT", "/admin/settings/models.sonnet").json(&json!({ "value": "gpt-5.5" }));
    assert_eq!(good(&set.send().await)["source"]["from"], "file");
    let mut body = message("hi");
    body["model"] = json!("claude-sonnet-5-5");
    assert_eq!(dragoman.messages(&body).send().await.status, 200);
    assert_eq!(fake.turns().last().unwrap().body["model"], "gpt-5.5");
    let words = refused(
        &dragoman.admin("PUT", "/admin/settings/models.sonet").json(&json!({ "value": "x" })).send().await,
        422,
        "settings",
    );
    assert!(words.contains("models.sonnet"), "{words}");
    let models = good(&dragoman.admin("GET", "/admin/models").send().await);
    let sonnet =
        models["families"].as_array().unwrap().iter().find(|family| family["asks"] == "sonnet").unwrap();
    assert_eq!(sonnet["model"], "gpt-5.5");
}

#[tokio::test]
async fn rules_of_the_map_are_set_looked_up_and_taken_back() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let rule = |asks: &str, target: &str| {
        let path = format!("/admin/models/rules/{asks}");
        dragoman.admin("PUT", &path).json(&json!({ "target": target })).send()
    };
    let resolve = async |query: &str| {
        good(&dragoman.admin("GET", &format!("/admin/models/resolve?{query}")).send().await)
    };
    let row = |models: &Value, list: &str, asks: &str| {
        models[list].as_array().unwrap().iter().find(|row| row["asks"] == asks).cloned().unwrap_or_default()
    };
    let computed = resolve("name=claude-opus-5-5").await;
    assert_eq!((&computed["rule"], &computed["decider"]["kind"]), (&Value::Null, &json!("catalog")));

    let models = good(&rule("think", "gpt-5.5 effort=high tier=fast").await);
    assert_eq!(row(&models, "scenarios", "think")["rule"], "gpt-5.5 effort=high tier=fast");
    let models = good(&rule("claude-*-4-%3F", "api,gpt-5.5").await);
    assert_eq!(row(&models, "names", "claude-*-4-?")["pool"], "api");
    assert_eq!(row(&models, "families", "opus")["rule"], Value::Null);
    let thinking = resolve("name=opus&scenario=think").await;
    assert_eq!((&thinking["model"], &thinking["tier"]), (&json!("gpt-5.5"), &json!("priority")));
    assert_eq!(resolve("name=opus").await["model"], computed["model"]);
    assert_eq!(
        resolve("name=claude-x-4-1").await["decider"],
        json!({ "kind": "pattern", "of": "claude-*-4-?" })
    );
    assert!(resolve("name=gpt-9").await["problem"].as_str().unwrap().contains("gpt-9"));

    let delete = dragoman.admin("DELETE", "/admin/models/rules/think");
    assert_eq!(row(&good(&delete.send().await), "scenarios", "think")["rule"], Value::Null);
    refused(&rule("think", "gpt-5.5 speed=9").await, 422, "settings");
    refused(&dragoman.admin("GET", "/admin/models/resolve?scenario=think").send().await, 400, "bad_request");
}

#[tokio::test]
async fn usage_is_summed_pruned_and_deleted() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    fake.script([Rule::any("a").text("fine")]);
    dragoman.messages(&message("hi")).send().await;
    let usage = good(&dragoman.admin("GET", "/admin/usage?days=1&every=day&by=model").send().await);
    assert_eq!(usage[0]["requests"], 1, "{usage}");
    assert!(usage[0]["key"].as_str().is_some_and(|key| key.starts_with("gpt-")), "{usage}");
    good(&dragoman.admin("GET", "/admin/usage/limits?days=1").send().await);
    good(&dragoman.admin("POST", "/admin/usage/prune").send().await);
    let removed = good(&dragoman.admin("DELETE", "/admin/usage").send().await);
    assert_eq!(removed["requests"], 1);
    assert_eq!(good(&dragoman.admin("GET", "/admin/usage?days=1").send().await), json!([]));
}

#[tokio::test]
async fn a_prompt_for_a_kind_of_request_is_answered_by_the_model_of_its_rule() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    fake.script([Rule::any("ready").always().text("ready")]);
    let rule = dragoman.admin("PUT", "/admin/models/rules/think").json(&json!({ "target": "gpt-5.5-high" }));
    good(&rule.send().await);
    let asked = async |prompt: Value| {
        let events = dragoman.admin("POST", "/admin/prompt").json(&prompt).open().await.events().await;
        assert_eq!(events.last().unwrap().data["type"], "done", "{events:?}");
        let body = fake.turns().pop().unwrap().body;
        (body["model"].clone(), body["reasoning"]["effort"].clone())
    };
    assert_ne!(asked(json!({ "text": "hi" })).await.0, "gpt-5.5");
    let thinking = asked(json!({ "text": "hi", "scenario": "think" })).await;
    assert_eq!(thinking, (json!("gpt-5.5"), json!("high")));
    let activity = good(&dragoman.admin("GET", "/admin/activity").send().await);
    assert_eq!(activity[0]["decider"], json!({ "kind": "scenario", "of": "think" }));
}

#[tokio::test]
async fn the_pools_tell_who_is_in_each() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let pools = async || good(&dragoman.admin("GET", "/admin/pools").send().await);
    let own = good(&dragoman.admin("GET", "/admin/accounts").send().await)["accounts"][0]["id"].clone();
    let one = json!([{ "pool": "chatgpt", "accounts": [own] }, { "pool": "api", "accounts": [] }]);
    assert_eq!(pools().await, one);
    fake.accept_key("sk-canary-0123456789abcdefghij");
    let way = json!({ "way": { "kind": "api_key", "key": "sk-canary-0123456789abcdefghij" } });
    let login = good(&dragoman.admin("POST", "/admin/logins").json(&way).send().await);
    let mut steps = dragoman.admin("GET", &format!("/admin/logins/{}/steps", login["id"])).open().await;
    let steps = tokio::time::timeout(SOON, steps.events()).await.unwrap();
    let key = &steps.last().unwrap().data["account"];
    let both = json!([{ "pool": "chatgpt", "accounts": [own] }, { "pool": "api", "accounts": [key] }]);
    assert_eq!(pools().await, both);
}

#[tokio::test]
async fn a_prompt_is_streamed_through_the_real_path_and_ends_with_who_asked() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    fake.script([Rule::any("hello").text("Hello there."), Rule::any("slow").pause(SOON).text("never")]);
    let ask = |model: &str| {
        dragoman.admin("POST", "/admin/prompt").json(&json!({ "text": "Say hello.", "model": model }))
    };
    let events = ask("gpt-5.5").open().await.events().await;
    let all = |kind: &str| {
        events.iter().map(|event| &event.data).filter(|data| data["type"] == kind).collect::<Vec<_>>()
    };
    assert_eq!(all("asked")[0]["model"], "gpt-5.5");
    let text: String = all("text").iter().map(|data| data["text"].as_str().unwrap()).collect();
    assert_eq!(text, "Hello there.");
    assert!(all("done")[0]["tokens"]["output"].as_u64().unwrap() > 0, "{events:?}");
    assert_eq!(fake.turns()[0].body["model"], "gpt-5.5");
    let activity = good(&dragoman.admin("GET", "/admin/activity").send().await);
    assert_eq!((&activity[0]["client"], &activity[0]["status"]), (&json!("dragoman"), &json!(200)));

    let leaving = ask("gpt-5.5").open().await;
    fake.until_answered("slow", SOON).await;
    drop(leaving);
    fake.until_gone("slow", SOON).await;

    // A name of Claude's gets what the map shows for it, as from Claude Code's main loop.
    fake.script([Rule::any("hello").text("Hello.")]);
    ask("sonnet").open().await.events().await;
    let models = good(&dragoman.admin("GET", "/admin/models").send().await);
    let families = models["families"].as_array().unwrap();
    let sonnet = families.iter().find(|family| family["asks"] == "sonnet").unwrap();
    assert_eq!(fake.turns().last().unwrap().body["model"], sonnet["model"]);

    let failed = ask("no-such-model").open().await.events().await;
    assert_eq!(failed.last().unwrap().data["type"], "failed", "{failed:?}");
}

#[tokio::test]
async fn a_request_is_listed_and_told_when_it_has_ended() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let mut events = dragoman.admin("GET", "/admin/events").open().await;
    events.event().await.unwrap();
    fake.script([Rule::any("a").text("fine")]);
    let answer = dragoman.messages(&message("hi")).send().await;
    let id = answer.headers.value("request-id").unwrap();
    let told = async {
        loop {
            let event = events.event().await.unwrap().data;
            if event["type"] == "exchange" {
                return event["exchange"].clone();
            }
        }
    };
    let told = tokio::time::timeout(SOON, told).await.expect("it is not told");
    assert_eq!((&told["id"], &told["status"]), (&json!(id), &json!(200)));
    assert_eq!(told["decider"], json!({ "kind": "catalog" }));
    assert!(told["tokens"]["input"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(good(&dragoman.admin("GET", &format!("/admin/activity/{id}")).send().await), told);
    refused(&dragoman.admin("GET", "/admin/activity/req_none").send().await, 404, "not_found");
}

#[tokio::test]
async fn the_log_is_told_with_its_past_and_by_importance() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let texts = |lines: &Value| {
        lines.as_array().unwrap().iter().map(|line| line["text"].to_string()).collect::<Vec<_>>()
    };
    let past = good(&dragoman.admin("GET", "/admin/logs").send().await);
    assert!(texts(&past)[0].contains("started"), "{past}");
    let warnings = good(&dragoman.admin("GET", "/admin/logs?level=warn").send().await);
    assert!(warnings.as_array().unwrap().iter().all(|line| line["level"] != "info"), "{warnings}");
    assert_eq!(good(&dragoman.admin("GET", "/admin/logs?limit=1").send().await).as_array().unwrap().len(), 1);
    let mut stream = dragoman.admin("GET", "/admin/logs/stream?history=true").open().await;
    let mut line = async || -> Value {
        tokio::time::timeout(SOON, stream.event()).await.expect("no line in time").unwrap().data
    };
    assert_eq!(line().await, past[0]);
    dragoman.admin("PUT", "/admin/server").json(&json!({ "on": false })).send().await;
    while line().await["text"] != "off" {}
}

#[tokio::test]
async fn metrics_are_off_until_they_are_switched_on_and_then_count() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let words = refused(&dragoman.admin("GET", "/metrics").send().await, 404, "not_found");
    assert!(words.contains("server.metrics"), "{words}");
    good(
        &dragoman
            .admin("PUT", "/admin/settings/server.metrics")
            .json(&json!({ "value": "true" }))
            .send()
            .await,
    );
    fake.script([Rule::any("a").text("fine")]);
    dragoman.messages(&message("hi")).send().await;
    let answer = dragoman.admin("GET", "/metrics").send().await;
    assert_eq!(answer.headers.value("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    assert!(text.contains("dragoman_up 1\n"), "{text}");
    let model = fake.turns()[0].body["model"].as_str().unwrap().to_owned();
    assert!(
        text.contains(&format!("dragoman_requests_total{{model=\"{model}\",status=\"200\"}} 1\n")),
        "{text}"
    );
    assert!(!text.contains(EMAIL));
    let bare = crate::bare(&dragoman, "GET", "/metrics").send().await;
    refused(&bare, 401, "unauthorized");
}

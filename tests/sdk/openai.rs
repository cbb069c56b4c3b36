//! OpenAI's own SDKs, by the recipe `openai-sdk`: Responses and Chat Completions, whole and streamed.

use serde_json::{Value, json};
use support::fake::{Fail, Rule, Usage};

use crate::client::{Desk, in_both_languages};

in_both_languages! {
    responses_create responses_stream responses_tools responses_replay responses_parse
    chat_create chat_stream chat_tools chat_parse chat_media models errors limit broken
}

const USED: Usage = Usage { input: Some(1_200), cached: 1_000, output: Some(57), reasoning: 20 };
/// As OpenAI counts: the parts are in the whole.
const SPENT: [u64; 4] = [1_200, 1_000, 57, 20];

fn weather(city: &str) -> Value {
    json!({ "city": city })
}

async fn responses_create(desk: Desk) {
    desk.script([Rule::any("a").text("Hello from the model.").usage(USED)]);
    let expected = json!({
        "text": "Hello from the model.", "status": "completed", "model": "gpt-6.1-sol", "usage": SPENT,
        "request_id": true,
    });
    assert_eq!(desk.openai("responses_create").await, expected);
    assert!(desk.fake.only("a").view().system.contains("Be brief."));
    desk.fake.assert_content();
}

/// The limits that ChatGPT tells first would break the JavaScript SDK, and an empty `output` at the end both.
async fn responses_stream(desk: Desk) {
    desk.script([Rule::any("a").text("Grüße, 世界 🎉").usage(USED).pieces(3)]);
    let expected = json!({ "text": "Grüße, 世界 🎉", "same": true, "usage": SPENT });
    assert_eq!(desk.openai("responses_stream").await, expected);
    desk.fake.assert_content();
}

async fn responses_tools(desk: Desk) {
    desk.script([
        Rule::any("a").when_user_speaks().think("I must look.").tool("get_weather", weather("Oslo")),
        Rule::any("b").when_output("sun in Oslo").text("It is sunny."),
    ]);
    let expected = json!({ "name": "get_weather", "text": "It is sunny.", "previous": true });
    assert_eq!(desk.openai("responses_tools").await, expected);
    // What the SDK did not send again is there all the same, with its reasoning.
    let second = desk.fake.only("b");
    assert!(second.view().first_user().contains("Weather in Oslo?"));
    assert!(second.body["input"].as_array().unwrap().iter().any(|item| item["type"] == "reasoning"));
    desk.fake.assert_content();
}

async fn responses_replay(desk: Desk) {
    desk.script([
        Rule::any("a").when_user_speaks().think("I must look.").tool("get_weather", weather("Oslo")),
        Rule::any("b").when_output("sun in Oslo").text("It is sunny."),
    ]);
    assert_eq!(desk.openai("responses_replay").await, json!({ "text": "It is sunny." }));
    desk.fake.assert_content();
}

fn person() -> Value {
    json!({ "name": "Ann", "age": 36, "nicknames": ["A", "Annie"], "email": null })
}

async fn responses_parse(desk: Desk) {
    desk.script([Rule::any("a").when_format().text(&person().to_string())]);
    assert_eq!(desk.openai("responses_parse").await, person());
    desk.fake.assert_content();
}

async fn chat_create(desk: Desk) {
    desk.script([Rule::any("a").think("I should greet.").text("Hello.").usage(USED)]);
    let expected = json!({
        "text": "Hello.", "reasoning": "I should greet.", "reason": "stop", "model": "gpt-6.1-sol", "usage": SPENT,
        "request_id": true,
    });
    assert_eq!(desk.openai("chat_create").await, expected);
    assert_eq!(desk.fake.only("a").body["reasoning"]["effort"], "high");
    desk.fake.assert_content();
}

async fn chat_stream(desk: Desk) {
    desk.script([Rule::any("a").text("Grüße, 世界 🎉").usage(USED).pieces(3)]);
    let expected = json!({ "text": "Grüße, 世界 🎉", "reasons": ["stop"], "usage": SPENT });
    assert_eq!(desk.openai("chat_stream").await, expected);
    desk.fake.assert_content();
}

/// The fake refuses ciphertexts that it did not issue: the reasoning that the chat could not carry is the right one.
async fn chat_tools(desk: Desk) {
    let (oslo, bergen) = (weather("Oslo"), weather("Bergen"));
    desk.script([
        Rule::any("a")
            .when_user_speaks()
            .think("Both.")
            .tool("get_weather", oslo)
            .tool("get_weather", bergen),
        Rule::any("b").when_output("sun in Bergen").text("Sun everywhere."),
    ]);
    let calls = [["get_weather", "Oslo"], ["get_weather", "Bergen"]];
    let expected = json!({ "calls": calls, "reason": "tool_calls", "text": "Sun everywhere." });
    assert_eq!(desk.openai_with("chat_tools", &[("MODEL", "gpt-5.5")]).await, expected);
    let second = desk.fake.only("b");
    let reasoning =
        second.body["input"].as_array().unwrap().iter().filter(|item| item["type"] == "reasoning");
    assert_eq!(reasoning.count(), 1, "the reasoning comes back");
    desk.fake.assert_content();
}

async fn chat_parse(desk: Desk) {
    desk.script([Rule::any("a").when_format().text(&person().to_string())]);
    assert_eq!(desk.openai("chat_parse").await, person());
    desk.fake.assert_content();
}

async fn chat_media(desk: Desk) {
    desk.script([Rule::any("a").when_image().text("A dot.")]);
    assert_eq!(desk.openai("chat_media").await, json!({ "text": "A dot." }));
    desk.fake.assert_content();
}

async fn models(desk: Desk) {
    let models = desk.openai("models").await;
    assert_eq!(models["one"], "gpt-6.1-sol");
    let ids = models["ids"].as_array().unwrap();
    assert!(ids.contains(&json!("gpt-6.1-sol")) && ids.contains(&json!("gpt-5.5")), "{models}");
}

async fn errors(desk: Desk) {
    let expected = json!({
        "key": { "kind": "AuthenticationError", "status": 401, "code": "invalid_api_key" },
        "model": { "kind": "NotFoundError", "status": 404, "code": "model_not_found" },
        "request": { "kind": "BadRequestError", "status": 400, "code": null },
    });
    assert_eq!(desk.openai("errors").await, expected);
}

/// A limit that resets in an hour is told at once: the SDK would otherwise try three times more.
async fn limit(desk: Desk) {
    desk.script([Rule::any("a").always().fail(Fail::UsageLimit { resets_in: 3_600 })]);
    let expected = json!({ "kind": "RateLimitError", "status": 429, "code": "usage_limit_reached" });
    assert_eq!(desk.openai("limit").await, expected);
}

async fn broken(desk: Desk) {
    let error = json!({ "type": "response.failed", "response": { "id": "resp_x", "status": "failed",
        "error": { "code": "server_error", "message": "The server had an error." } } });
    desk.script([Rule::any("a").times(2).text("Half an").event(error)]);
    let expected = json!({ "chat": "APIError", "last": "response.failed", "code": "server_error" });
    assert_eq!(desk.openai("broken").await, expected);
}

use dragoman_protocol::openai::event::Event;
use dragoman_protocol::sse::Decoder;
use serde_json::{Value, json};

use super::*;

fn turn(body: &Value) -> Turn {
    let dialect = Dialect::Classic;
    Turn {
        model: "demo-large".into(),
        pool: None,
        tier: None,
        session: "s".into(),
        thread: "t".into(),
        window: 0,
        continues: false,
        attempt: Demo::new().plan(dialect),
        body: body.to_string().into_bytes(),
        again: Box::new(|_| Err(Failure::Internal { message: "no".into() })),
    }
}

fn user(text: &str) -> Value {
    json!({"type": "message", "role": "user", "content": [
        {"type": "input_text", "text": text},
        {"type": "input_text", "text": "<system-reminder>run a tool</system-reminder>"}]})
}

fn bash() -> Value {
    json!([
        {"type": "web_search"},
        {"type": "function", "name": "Other", "parameters": {"type": "object"}},
        {"type": "function", "name": "Bash", "parameters": {"type": "object"}}
    ])
}

/// The data of all events.
async fn events(body: Value) -> Vec<Value> {
    let demo = Demo::new();
    let mut stream = demo.stream(turn(&body)).await.unwrap();
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    while let Some(chunk) = stream.next().await {
        decoder.push(&chunk.unwrap());
        while let Some(frame) = decoder.next_frame() {
            let event = Event::parse(&frame.data).unwrap();
            assert!(!matches!(event, Event::Unknown { .. }), "{}", frame.data);
            let value: Value = serde_json::from_str(&frame.data).unwrap();
            assert_eq!(frame.event.as_deref(), value["type"].as_str());
            events.push(value);
        }
    }
    assert_eq!(demo.roster.in_use().limits.windows.len(), 2);
    events
}

fn completed(events: &[Value]) -> &Value {
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    &last["response"]
}

fn deltas(events: &[Value], kind: &str) -> String {
    events
        .iter()
        .filter(|event| event["type"] == kind)
        .map(|event| event["delta"].as_str().unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_greeting_repeats_what_was_asked() {
    let events = events(
        json!({"model": "demo-large", "input": [user("What is \"7\"?")], "reasoning": {"summary": "auto"}}),
    )
    .await;
    let response = completed(&events);
    let text = response["output"][1]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("demo model") && text.contains("What is \"7\"?"), "{text}");
    assert_eq!(deltas(&events, "response.output_text.delta"), text);
    let summary = response["output"][0]["summary"][0]["text"].as_str().unwrap();
    assert_eq!(deltas(&events, "response.reasoning_summary_text.delta"), summary);
    assert!(response["output"][0]["encrypted_content"].is_string());
    assert!(response["usage"]["output_tokens"].as_u64().unwrap() > 0);
    let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn asked_to_do_something_it_calls_bash_in_both_dialects() {
    let classic = json!({"model": "demo-large", "input": [user("Please list files")], "tools": bash()});
    let lite = json!({"model": "demo-lite", "input": [
        {"type": "additional_tools", "role": "developer", "tools": bash()},
        {"type": "message", "role": "developer", "content": "system text"},
        user("use a tool"),
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "and more"}]}]});
    for body in [classic, lite] {
        let events = events(body).await;
        let call = &completed(&events)["output"][1];
        assert_eq!(call["type"], "function_call");
        assert_eq!(call["name"], "Bash");
        assert_eq!(call["arguments"], r#"{"command":"ls","description":"List files"}"#);
        assert_eq!(
            deltas(&events, "response.function_call_arguments.delta"),
            call["arguments"].as_str().unwrap()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn another_tool_gets_arguments_that_its_schema_accepts() {
    let tools = json!([{"type": "function", "name": "Read", "parameters": {
        "type": "object", "properties": {"file_path": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["file_path"]}}]);
    let events = events(json!({"model": "demo-large", "input": [user("run it")], "tools": tools})).await;
    assert_eq!(completed(&events)["output"][1]["arguments"], r#"{"file_path":"demo"}"#);
}

#[tokio::test(start_paused = true)]
async fn it_reads_what_the_tool_answered() {
    for output in [json!("a.txt\nb.txt"), json!([{"type": "input_text", "text": "a.txt\nb.txt"}])] {
        let input = json!([user("list files"), {"type": "function_call", "call_id": "c", "name": "Bash", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": output}]);
        let events = events(json!({"model": "demo-large", "input": input, "tools": bash()})).await;
        let text = completed(&events)["output"][1]["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("11 bytes in 2 lines") && text.contains("> a.txt"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_structured_answer_satisfies_its_schema() {
    let schema =
        json!({"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]});
    let body = json!({"model": "demo-small", "input": [user("hello")],
        "text": {"format": {"type": "json_schema", "name": "t", "schema": schema}}});
    let events = events(body).await;
    let text = completed(&events)["output"][1]["content"][0]["text"].as_str().unwrap();
    assert_eq!(text, r#"{"title":"hello"}"#);
}

#[tokio::test(start_paused = true)]
async fn what_it_cannot_serve_is_refused_in_words() {
    let demo = Demo::new();
    let refused = demo.stream(turn(&json!({"model": "gpt-x", "input": []}))).await.unwrap_err();
    assert!(matches!(refused, Failure::ModelRefused { .. }));
    let refused = demo.stream(turn(&json!({"model": 1}))).await.unwrap_err();
    assert!(matches!(refused, Failure::Rejected { .. }));
    let models: Vec<_> = demo.catalog.borrow().listed().map(|model| model.slug.clone()).collect();
    assert_eq!(models, ["demo-large", "demo-lite", "demo-small"]);
}

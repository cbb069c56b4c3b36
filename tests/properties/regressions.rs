//! What the properties and the fuzz targets found, one test each, with the smallest request that shows it.

use dragoman_protocol::anthropic::request::MessagesRequest;
use dragoman_protocol::route::Dialect;
use dragoman_protocol::translate::Envelope;
use serde_json::{Value, json};

use super::checks;

/// The accepted body and the places of the notes.
#[track_caller]
fn accepted(messages: Value, tools: Value) -> (Value, Vec<String>) {
    let text = json!({ "model": "m", "messages": messages, "tools": tools }).to_string();
    let request = MessagesRequest::parse(&text).unwrap();
    let (body, notes) = checks::translated(&request, &text, "gpt-5.5", Dialect::Classic).unwrap();
    (checks::judge(&body, Dialect::Classic, &text), notes.0.into_iter().map(|note| note.place).collect())
}

fn user(content: Value) -> Value {
    json!([{ "role": "user", "content": content }])
}

fn call(id: &str) -> Value {
    json!({ "type": "tool_use", "id": id, "name": "Bash", "input": {} })
}

fn result(id: &str, content: Value) -> Value {
    json!({ "type": "tool_result", "tool_use_id": id, "content": content })
}

#[test]
fn a_renamed_repeated_id_does_not_become_one_that_is_there() {
    let calls = json!([call("a"), call("a-2"), call("a")]);
    let results = json!([result("a", json!("1")), result("a-2", json!("2")), result("a", json!("3"))]);
    let messages = json!([{ "role": "assistant", "content": calls }, { "role": "user", "content": results }]);
    let (body, _) = accepted(messages, json!([]));
    let ids: Vec<&str> =
        body["input"].as_array().unwrap().iter().filter_map(|item| item["call_id"].as_str()).collect();
    assert_eq!(ids, ["a", "a-2", "a-3", "a", "a-2", "a-3"]);
}

#[test]
fn a_call_quoted_in_a_result_takes_no_result_from_a_real_call() {
    let quoted = json!([{ "type": "text", "text": "it called:" }, call("x"), result("x", json!("inner"))]);
    let messages = json!([
        { "role": "assistant", "content": [call("a")] },
        { "role": "user", "content": [result("a", quoted)] },
        { "role": "assistant", "content": [call("b")] },
        { "role": "user", "content": [result("b", json!("outer"))] },
    ]);
    let (body, _) = accepted(messages, json!([]));
    assert_eq!(body["input"][3]["call_id"], "b");
    assert_eq!(body["input"][3]["output"], "outer");
}

#[test]
fn damaged_pictures_and_documents_are_said_in_words() {
    for kind in ["image", "document"] {
        for data in ["", " ", "a=b", "%PDF"] {
            let source = json!({ "type": "base64", "data": data });
            let (body, notes) = accepted(user(json!([{ "type": kind, "source": source }])), json!([]));
            assert!(body.to_string().contains("its data is damaged"), "{body}");
            assert_eq!(notes, ["messages.0.content.0"], "{kind} {data:?}");
        }
    }
}

#[test]
fn a_document_with_an_address_keeps_its_title() {
    let source = json!({ "type": "url", "url": "https://example.com/a.pdf" });
    let document = json!({ "type": "document", "source": source, "title": "The plan" });
    let (body, _) = accepted(user(json!([document])), json!([]));
    assert_eq!(body["input"][0]["content"][0]["text"], "[Document: The plan]");
    assert_eq!(body["input"][0]["content"][1]["file_url"], "https://example.com/a.pdf");
}

#[test]
fn a_document_on_this_machine_is_refused() {
    let source = json!({ "type": "url", "url": "file:///etc/passwd" });
    let text = json!({ "model": "m", "messages": user(json!([{ "type": "document", "source": source }])) })
        .to_string();
    let request = MessagesRequest::parse(&text).unwrap();
    assert!(checks::translated(&request, &text, "gpt-5.5", Dialect::Classic).is_none());
}

/// The backend refuses such a schema, and with it the whole session, for one tool of one MCP server.
#[test]
fn alternatives_at_the_top_of_a_schema_go_into_the_description() {
    let schema = json!({ "type": "object", "properties": { "a": {} }, "anyOf": [{ "required": ["a"] }] });
    let tool = json!({ "name": "t", "description": "Does it.", "input_schema": schema });
    let (body, notes) = accepted(user(json!("hi")), json!([tool]));
    assert_eq!(body["tools"][0]["parameters"], json!({ "type": "object", "properties": { "a": {} } }));
    assert_eq!(
        body["tools"][0]["description"],
        r#"Does it.

The input must also satisfy this JSON Schema: {"anyOf":[{"required":["a"]}]}"#
    );
    assert_eq!(notes, ["tools.0.input_schema"]);
}

#[test]
fn reasoning_whose_id_is_too_long_or_there_already_goes_without_it() {
    let long = "rs_".repeat(30);
    let thinking = |item: &str, cipher: &str| {
        let envelope = Envelope {
            model: "gpt-5.5".into(),
            account: "0011aabb".into(),
            item_id: item.into(),
            encrypted_content: cipher.into(),
        };
        json!({ "type": "thinking", "thinking": "", "signature": envelope.seal() })
    };
    let content = json!([
        thinking(&long, "a"), thinking("rs_1", "b"), thinking("rs_1", "c"), thinking("rs_2", ""),
        { "type": "text", "text": "so" },
    ]);
    let (body, notes) = accepted(json!([{ "role": "assistant", "content": content }]), json!([]));
    let sent: Vec<(Option<&str>, &str)> = body["input"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["type"] == "reasoning")
        .map(|item| (item["id"].as_str(), item["encrypted_content"].as_str().unwrap()))
        .collect();
    assert_eq!(sent, [(None, "a"), (Some("rs_1"), "b"), (None, "c")]);
    assert_eq!(notes, ["messages.0.content.3", "messages", "messages"]);
}

/// The fuzzer's: the call was whole and waited for the message before it, and a piece that came late was added to its
/// arguments.
#[test]
fn a_piece_that_comes_after_its_whole_call_changes_nothing() {
    checks::event(include_bytes!("../fuzz/corpus/event/piece-after-the-whole-call.ndjson"));
}

/// A property's: upstream called an answer completed that holds half a call. No call of it may run, so it was cut.
#[test]
fn an_answer_with_half_a_call_was_cut_whatever_upstream_calls_it() {
    checks::event(include_bytes!("../fuzz/corpus/event/half-a-call-in-a-completed-answer.ndjson"));
}

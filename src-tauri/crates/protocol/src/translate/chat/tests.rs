//! Nothing of a chat is dropped silently; and what chunks tell, case by case. (That chunks and completion say the same is
//! checked in `tests/fuzz/openai.rs`.)

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::anthropic::event::{
    BlockStart, Citation, Delta, EmptyObject, MessageHead, Sink, StopDelta, StopReason, StreamEvent, Usage,
};
use crate::anthropic::request::MessagesRequest;
use crate::failure::Failure;
use crate::openai::chat::request::ChatRequest;
use crate::route::{Dialect, Effort, Route};
use crate::translate::{Context, Note, Originals, StaleReasoning, ToolOrder, messages_to_responses};

/// Fills each `~` with a string that stands nowhere else, and tells where.
fn unique(value: &mut Value, place: &str, leaves: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) if text.contains('~') => {
            let mark = format!("q{}z", leaves.len());
            *text = text.replace('~', &mark);
            leaves.push((mark, place.to_owned()));
        }
        Value::Array(items) => {
            items
                .iter_mut()
                .enumerate()
                .for_each(|(at, item)| unique(item, &format!("{place}.{at}"), leaves));
        }
        Value::Object(members) => {
            members.iter_mut().for_each(|(key, item)| unique(item, &format!("{place}.{key}"), leaves));
        }
        _ => {}
    }
}

/// Where the note of a leaf stands: its message, its tool, or its member.
fn covers(note: &Note, place: &str) -> bool {
    let head = |path: &str| path.trim_start_matches('.').split('.').take(2).collect::<Vec<_>>().join(".");
    let (noted, leaf) = (head(&note.place), head(place));
    noted == leaf || leaf.starts_with(&format!("{noted}."))
}

fn part() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(json!({ "type": "text", "text": "~" })),
        Just(json!({ "type": "text", "text": "\n\"é~", "new": "~" })),
        Just(json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,~", "detail": "low" } })),
        Just(json!({ "type": "image_url", "image_url": { "url": "https://~", "new": "~" } })),
        Just(json!({ "type": "file", "file": { "file_data": "data:application/pdf;base64,~", "filename": "~" } })),
        Just(json!({ "type": "file", "file": { "file_id": "~" } })),
        Just(json!({ "type": "refusal", "refusal": "~" })),
        Just(json!({ "type": "brand_new", "deep": ["~"] })),
    ]
    .boxed()
}

fn message() -> BoxedStrategy<Value> {
    let content = prop_oneof![
        Just(json!("~")),
        Just(json!(null)),
        prop::collection::vec(part(), 0..3).prop_map(Value::Array),
    ];
    let call = prop_oneof![
        Just(
            json!({ "id": "~", "type": "function", "function": { "name": "f~", "arguments": "{\"a\":\"~\"}" } })
        ),
        Just(json!({ "id": "~", "type": "function", "function": { "name": "f~", "arguments": "~" } })),
        Just(json!({ "id": "~", "type": "custom", "custom": { "name": "f~", "input": "~" } })),
    ];
    prop_oneof![
        (content.clone(), prop::sample::select(vec!["system", "developer", "user"]), any::<bool>()).prop_map(
            |(content, role, named)| {
                let mut message = json!({ "role": role, "content": content });
                if named {
                    message["name"] = json!("~");
                }
                message
            }
        ),
        (content.clone(), prop::collection::vec(call, 0..3)).prop_map(
            |(content, calls)| json!({ "role": "assistant", "content": content, "tool_calls": calls })
        ),
        content.prop_map(|content| json!({ "role": "tool", "tool_call_id": "~", "content": content })),
    ]
    .boxed()
}

fn chat() -> BoxedStrategy<Value> {
    let tool = prop_oneof![
        Just(
            json!({ "type": "function", "function": { "name": "t~", "description": "~", "parameters": { "type": "object", "properties": { "a": { "description": "~" } } } } })
        ),
        Just(json!({ "type": "function", "function": { "name": "t~", "strict": true, "new": "~" } })),
        Just(
            json!({ "type": "custom", "custom": { "name": "t~", "description": "~", "format": { "type": "grammar", "definition": "~" } } })
        ),
        Just(json!({ "type": "brand_new", "name": "~" })),
    ];
    let members = prop::sample::subsequence(
        vec![
            ("user", json!("~")),
            ("metadata", json!({ "a": "~" })),
            ("prediction", json!({ "type": "content", "content": "~" })),
            ("reasoning_effort", json!("e~")),
            ("verbosity", json!("v~")),
            ("service_tier", json!("s~")),
            (
                "response_format",
                json!({ "type": "json_schema", "json_schema": { "name": "n", "schema": { "type": "object", "properties": { "a": { "type": "string", "description": "~" } } } } }),
            ),
            ("web_search_options", json!({ "search_context_size": "~" })),
            ("brand_new", json!(["~"])),
        ],
        0..9,
    );
    (prop::collection::vec(message(), 1..5), prop::collection::vec(tool, 0..3), members)
        .prop_map(|(messages, tools, members)| {
            let mut chat = json!({ "model": "m", "messages": messages, "tools": tools });
            for (name, value) in members {
                chat[name] = value;
            }
            chat
        })
        .boxed()
}

proptest! {
    #[test]
    fn every_string_of_a_chat_goes_upstream_or_is_noted(mut chat in chat()) {
        let mut leaves = Vec::new();
        unique(&mut chat, "", &mut leaves);
        let text = chat.to_string();
        let request = ChatRequest::parse(&text).unwrap();
        let translated = chat_to_messages(&request, &Thoughts::new()).unwrap();
        let body = String::from_utf8(translated.body).unwrap();
        let messages = MessagesRequest::parse(&body).unwrap();
        for (model, dialect) in [("gpt-5.5", Dialect::Classic), ("gpt-6.1-sol", Dialect::Lite)] {
            let route = Route::to(model, dialect, &[Effort::Low, Effort::High]);
            let mut tools = ToolOrder::default();
            tools.observe(&messages);
            let (originals, stale) = (Originals::new(), StaleReasoning::new());
            let context = Context::new(&route, &tools, &originals, &stale);
            let mut upstream = messages_to_responses(&messages, context).unwrap();
            notes_in_chat(&mut upstream.notes);
            let sent = String::from_utf8(upstream.request.to_body(0).unwrap()).unwrap();
            for (mark, place) in &leaves {
                let noted = translated.notes.0.iter().chain(&upstream.notes.0).any(|note| covers(note, place));
                prop_assert!(
                    sent.contains(mark.as_str()) || noted,
                    "{} at {} is lost: {}\n{}\n{:?}", mark, place, text, sent, upstream.notes
                );
            }
        }
    }
}

#[test]
fn places_are_told_in_the_words_of_a_chat() {
    for (messages, chat) in [
        ("output_config.effort", "reasoning_effort"),
        ("output_config.format.schema", "response_format.json_schema.schema"),
        ("output_config.format", "response_format.json_schema"),
        ("stop_sequences", "stop"),
        ("tools.3.input_schema.type", "tools.3.function.parameters.type"),
        ("tools.3.name", "tools.3.function.name"),
        ("tools", "tools"),
        ("messages.0.content.1", "messages.0.content.1"),
    ] {
        let failure = failure_in_chat(Failure::invalid(messages, "why"));
        assert_eq!(failure, Failure::invalid(chat, "why"), "{messages}");
    }
}

fn refusal(chat: &Value) -> String {
    let text = chat.to_string();
    match ChatRequest::parse(&text).and_then(|request| chat_to_messages(&request, &Thoughts::new())) {
        Ok(_) => panic!("{text} was accepted"),
        Err(failure) => failure.to_string(),
    }
}

#[test]
fn what_cannot_be_had_is_refused_by_its_place() {
    let user = json!([{ "role": "user", "content": "hi" }]);
    for (chat, words) in [
        (json!({ "model": "m", "messages": [] }), "messages: at least one message is required"),
        (json!({ "model": "m", "messages": user, "n": 2 }), "n: the backend gives one answer"),
        (
            json!({ "model": "m", "messages": user, "functions": [{}] }),
            "functions: functions were replaced by tools",
        ),
        (json!({ "model": "m", "messages": user, "modalities": ["text", "audio"] }), "modalities: "),
        (
            json!({ "model": "m", "messages": [{ "role": "robot", "content": "x" }] }),
            "messages.0.role: unknown role",
        ),
        (
            json!({ "model": "m", "messages": [{ "role": "function", "content": "x" }] }),
            "messages: functions were",
        ),
        (
            json!({ "model": "m", "messages": [{ "role": "tool", "content": "x" }] }),
            "messages.0.tool_call_id: field required",
        ),
        (
            json!({ "model": "m", "messages": user, "tool_choice": "maybe" }),
            "tool_choice: unknown word \"maybe\"",
        ),
        (json!({ "model": "m", "messages": user, "tool_choice": {} }), "tool_choice: expected a word"),
        (
            json!({ "model": "m", "messages": [{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "data:image/png,AAAA" } }] }] }),
            "messages.0.content.0.image_url.url: a data URL must be like",
        ),
        (
            json!({ "model": "m", "messages": [{ "role": "user", "content": [{ "type": "file", "file": {} }] }] }),
            "messages.0.content.0.file.file_data: field required",
        ),
        (
            json!({ "model": "m", "messages": [{ "role": "assistant", "tool_calls": [{ "id": "c", "type": "new" }] }] }),
            "messages.0.tool_calls.0.type: unknown type \"new\"",
        ),
    ] {
        assert!(refusal(&chat).starts_with(words), "{}", refusal(&chat));
    }
}

#[test]
fn a_cache_key_is_the_session_and_a_location_goes_with_the_search() {
    let chat = json!({ "model": "m", "prompt_cache_key": "mine", "messages": [{ "role": "user", "content": "hi" }],
        "web_search_options": { "user_location": { "type": "approximate", "approximate": { "city": "Oslo" } } } });
    let text = chat.to_string();
    let translated = chat_to_messages(&ChatRequest::parse(&text).unwrap(), &Thoughts::new()).unwrap();
    let body = String::from_utf8(translated.body).unwrap();
    let request = MessagesRequest::parse(&body).unwrap();
    assert_eq!(request.session().as_deref(), Some("mine"));
    let location = request.web_search().unwrap().user_location.unwrap();
    assert_eq!(location.get(), r#"{"type":"approximate","city":"Oslo"}"#);
}

/// The Messages request that a chat becomes.
fn messages(chat: &Value, thoughts: &Thoughts) -> Value {
    let text = chat.to_string();
    let chat = chat_to_messages(&ChatRequest::parse(&text).unwrap(), thoughts).unwrap();
    serde_json::from_slice(&chat.body).unwrap()
}

#[test]
fn wishes_about_thinking_tools_and_length_are_said_in_the_words_of_messages() {
    let user = json!([{ "role": "user", "content": "hi" }]);
    let none = Thoughts::new();
    let plain = messages(&json!({ "model": "m", "messages": user, "max_tokens": 7 }), &none);
    assert_eq!((&plain["thinking"]["type"], &plain["max_tokens"]), (&json!("adaptive"), &json!(7)));
    assert!(plain.get("tool_choice").is_none(), "{plain}");
    let tool = json!([{ "type": "function", "function": { "name": "f" } }]);
    let chat = json!({ "model": "m", "messages": user, "max_tokens": 7, "max_completion_tokens": 9, "tools": tool,
        "reasoning_effort": "none", "tool_choice": "required", "parallel_tool_calls": false });
    let wished = messages(&chat, &none);
    assert_eq!((&wished["thinking"]["type"], &wished["max_tokens"]), (&json!("disabled"), &json!(9)));
    assert_eq!(wished["tool_choice"], json!({ "type": "any", "disable_parallel_tool_use": true }));
    assert!(wished["output_config"].get("effort").is_none(), "{wished}");
}

#[test]
fn an_assistants_turn_is_thought_said_refused_and_called_in_this_order() {
    let thought = Thought { text: "t".into(), signature: "dragoman1~s".into() };
    let thoughts = Thoughts::from([("c1".to_owned(), vec![thought].into())]);
    let call = |id: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": arguments } });
    let chat = json!({ "model": "m", "messages": [
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": "x", "refusal": "no", "tool_calls": [call("c1", ""), call("c2", "[1]")] },
    ] });
    let blocks = messages(&chat, &thoughts)["messages"][1]["content"].clone();
    let kinds: Vec<&Value> = blocks.as_array().unwrap().iter().map(|block| &block["type"]).collect();
    assert_eq!(kinds, ["thinking", "text", "text", "tool_use", "tool_use"]);
    assert_eq!((&blocks[1]["text"], &blocks[2]["text"]), (&json!("x"), &json!("no")));
    assert_eq!((&blocks[3]["input"], &blocks[4]["input"]), (&json!({}), &json!({ "arguments": "[1]" })));
}

/// One answer of every kind of block, as the events of a Messages stream.
fn answered(sink: &mut impl Sink, stop_reason: StopReason) {
    let block = |index, content_block| StreamEvent::ContentBlockStart { index, content_block };
    let delta = |index, delta| StreamEvent::ContentBlockDelta { index, delta };
    let stop = |index| StreamEvent::ContentBlockStop { index };
    sink.event(StreamEvent::MessageStart { message: MessageHead::new("chatcmpl-1", "m", 1) });
    for (index, (text, signature)) in [("One.", "s1"), ("Two.", "")].into_iter().enumerate() {
        sink.event(block(index, BlockStart::Thinking { thinking: "", signature: "" }));
        sink.event(delta(index, Delta::ThinkingDelta { thinking: text.into() }));
        if !signature.is_empty() {
            sink.event(delta(index, Delta::SignatureDelta { signature }));
        }
        sink.event(stop(index));
    }
    for (index, (id, name, json)) in
        [("c1", "f", "{\"a\":1}"), ("c2", "t", "{\"input\":\"x\"}"), ("c3", "f", "{\"a")]
            .into_iter()
            .enumerate()
    {
        sink.event(block(index + 2, BlockStart::ToolUse { id, name, input: EmptyObject {} }));
        sink.event(delta(index + 2, Delta::InputJsonDelta { partial_json: json.into() }));
        sink.event(stop(index + 2));
    }
    let usage = Usage {
        input_tokens: 2,
        cache_read_input_tokens: 3,
        output_tokens: 5,
        reasoning_tokens: 4,
        ..Usage::default()
    };
    let delta = StopDelta { stop_reason, stop_sequence: None };
    sink.event(StreamEvent::MessageDelta { delta, usage, context_management: None });
    sink.event(StreamEvent::MessageStop);
}

fn form(include_usage: bool) -> ChatForm {
    ChatForm { include_usage, custom: ["t".to_owned()].into() }
}

#[test]
fn an_answer_is_folded_with_whole_calls_only() {
    let mut answer = ChatAnswer::new(form(false), 9);
    answered(&mut answer, StopReason::MaxTokens);
    let whole: Value = serde_json::from_slice(&answer.to_json()).unwrap();
    let choice = &whole["choices"][0];
    assert_eq!(choice["message"]["reasoning_content"], "One.\n\nTwo.");
    assert_eq!(choice["finish_reason"], "length");
    assert_eq!(
        choice["message"]["tool_calls"],
        json!([
            { "type": "function", "id": "c1", "function": { "name": "f", "arguments": "{\"a\":1}" } },
            { "type": "custom", "id": "c2", "custom": { "name": "t", "input": "x" } },
        ])
    );
    assert_eq!(answer.dropped_calls, ["f"]);
    let kept = answer.take_thoughts();
    assert_eq!(kept, [("c1".to_owned(), vec![Thought { text: "One.".into(), signature: "s1".into() }])]);
    assert_eq!((&whole["usage"]["prompt_tokens"], &whole["usage"]["total_tokens"]), (&json!(5), &json!(10)));
}

#[test]
fn chunks_count_calls_and_tell_the_usage_if_it_is_wanted() {
    for (include_usage, last) in [(true, "\"usage\""), (false, "\"finish_reason\":\"tool_calls\"")] {
        let mut stream = ChatStream::new(form(include_usage), 9);
        answered(&mut stream, StopReason::ToolUse);
        let told = String::from_utf8(stream.bytes.clone()).unwrap();
        let chunks: Vec<&str> = told.trim_end().split("\n\n").collect();
        assert_eq!(chunks[chunks.len() - 1], "data: [DONE]");
        assert!(chunks[chunks.len() - 2].contains(last), "{told}");
        assert_eq!(told.contains("\"usage\""), include_usage);
        assert!(told.contains(r#""delta":{"reasoning_content":"\n\n"}"#), "{told}");
        for (index, id) in ["c1", "c2", "c3"].iter().enumerate() {
            assert!(told.contains(&format!(r#"{{"index":{index},"id":"{id}""#)), "{told}");
        }
        assert_eq!(stream.take_thoughts().len(), 1);
    }
}

/// Text, a citation in it, and a second text.
fn cited(sink: &mut impl Sink) {
    let text = |text: &'static str| Delta::TextDelta { text: text.into() };
    let block =
        |index| StreamEvent::ContentBlockStart { index, content_block: BlockStart::Text { text: "" } };
    sink.event(StreamEvent::MessageStart { message: MessageHead::new("chatcmpl-1", "m", 1) });
    sink.event(block(0));
    sink.event(StreamEvent::ContentBlockDelta { index: 0, delta: text("Ä first. ") });
    sink.event(StreamEvent::ContentBlockStop { index: 0 });
    sink.event(block(1));
    sink.event(StreamEvent::ContentBlockDelta { index: 1, delta: text("Say é it.") });
    let citation = Citation::new("https://e".into(), "E".into(), "é it".into());
    sink.event(StreamEvent::ContentBlockDelta { index: 1, delta: Delta::CitationsDelta { citation } });
    sink.event(StreamEvent::ContentBlockStop { index: 1 });
}

#[test]
fn a_citation_counts_characters_of_the_whole_text() {
    let mut answer = ChatAnswer::new(ChatForm::default(), 0);
    cited(&mut answer);
    let message = &serde_json::from_slice::<Value>(&answer.to_json()).unwrap()["choices"][0]["message"];
    let content: Vec<char> = message["content"].as_str().unwrap().chars().collect();
    assert_eq!(content.iter().collect::<String>(), "Ä first. \n\nSay é it.");
    let citation = &message["annotations"][0]["url_citation"];
    let at = |name: &str| citation[name].as_u64().unwrap() as usize;
    assert_eq!(content[at("start_index")..at("end_index")].iter().collect::<String>(), "é it");
    assert_eq!((&citation["url"], &citation["title"]), (&json!("https://e"), &json!("E")));

    let mut stream = ChatStream::new(ChatForm::default(), 0);
    cited(&mut stream);
    let chunks = String::from_utf8(stream.bytes).unwrap();
    let last = chunks.trim_end().rsplit("data: ").next().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!(&last["choices"][0]["delta"]["annotations"][0]["url_citation"], citation);
}

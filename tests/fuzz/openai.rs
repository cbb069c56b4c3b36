//! What must hold for OpenAI's two APIs, for any bytes at all.

use dragoman_protocol::anthropic::request::MessagesRequest;
use dragoman_protocol::failure::{Failure, Now};
use dragoman_protocol::openai::chat::request::ChatRequest;
use dragoman_protocol::openai::client::ClientRequest;
use dragoman_protocol::openai::event::Event;
use dragoman_protocol::route::{Dialect, Effort, Route};
use dragoman_protocol::sse::{Decoder, Frame};
use dragoman_protocol::surrogates;
use dragoman_protocol::translate::{
    Answer, ChatAnswer, ChatForm, ChatStream, KnownItems, PassageContext, Passed, Passing,
    ResponsesToMessages, Thoughts, chat_to_messages, pass_on,
};
use serde_json::{Value, json};

use super::{MODELS, judge, translated};

const NOW: Now = Now { unix: 0, local: |_| String::new() };

/// Whatever is read as a chat becomes a Messages request that is read, and a body that the strict backend accepts.
pub(crate) fn chat(data: &[u8]) {
    let repaired = surrogates::repair(data);
    let Ok(text) = std::str::from_utf8(&repaired) else { return };
    let Ok(request) = ChatRequest::parse(text) else { return };
    let chat = match chat_to_messages(&request, &Thoughts::new()) {
        Ok(chat) => chat,
        Err(Failure::Invalid { message, .. }) => {
            assert!(!message.is_empty(), "a refusal says why: {text}");
            return;
        }
        Err(other) => panic!("{other:?}: {text}"),
    };
    let messages = String::from_utf8(chat.body).expect("a Messages request is UTF-8");
    // A block that nobody knows is handed on as it is, and may be a broken one of another kind.
    let Ok(request) = MessagesRequest::parse(&messages) else {
        assert!(text.contains("\"type\""), "a chat became what is no Messages request: {text}\n{messages}");
        return;
    };
    for (model, dialect) in MODELS {
        if let Some((body, _)) = translated(&request, &messages, model, dialect) {
            judge(&body, dialect, text);
        }
    }
}

/// Whatever is read as a Responses request becomes the backend's, twice the same, with the client's items in their order.
pub(crate) fn responses(data: &[u8]) {
    let repaired = surrogates::repair(data);
    let Ok(text) = std::str::from_utf8(&repaired) else { return };
    let Ok(request) = ClientRequest::parse(text) else { return };
    let known = KnownItems::new();
    for (model, dialect) in MODELS {
        let mut route = Route::to(model, dialect, &[Effort::Low, Effort::High]);
        route.default_effort = Some(Effort::Low);
        route.verbosity = Some("low".to_owned());
        let context = PassageContext::new(&route, &known);
        let passage = match pass_on(&request, context) {
            Ok(passage) => passage,
            Err(Failure::Invalid { message, .. }) => {
                assert!(!message.is_empty(), "a refusal says why: {text}");
                continue;
            }
            Err(other) => panic!("{other:?}: {text}"),
        };
        let again = pass_on(&request, context).expect("what passed once passes again");
        assert_eq!((&passage.body, &passage.notes), (&again.body, &again.notes));
        // What may be odd inside of what the client says, is the client's.
        let Ok(body) = serde_json::from_slice::<Value>(&passage.body) else {
            let repaired = surrogates::repair(&passage.body);
            serde_json::from_slice::<Value>(&repaired).unwrap_or_else(|error| panic!("{error}: {text}"));
            continue;
        };
        assert_eq!((&body["store"], &body["stream"]), (&json!(false), &json!(true)), "{text}");
        assert!(body["include"].as_array().is_some_and(|include| !include.is_empty()), "{text}");
        assert!(body["input"].as_array().is_some_and(|input| !input.is_empty()), "{text}");
        if dialect == Dialect::Lite {
            assert_eq!(
                (&body["tools"], &body["parallel_tool_calls"]),
                (&Value::Null, &json!(false)),
                "{text}"
            );
        }
    }
}

/// The events of a Messages answer as chunks and as a completion say the same; and events that are passed on are a proper
/// stream, whose terminal event holds all items.
pub(crate) fn events(text: &str, answer: &Answer) {
    said_alike(text, answer);
    passed(text);
}

fn said_alike(text: &str, answer: &Answer) {
    let form = ChatForm { include_usage: true, ..ChatForm::default() };
    let (mut stream, mut whole) = (ChatStream::new(form.clone(), 7), ChatAnswer::new(form, 7));
    let mut machine = ResponsesToMessages::new(answer.clone());
    let mut folding = ResponsesToMessages::new(answer.clone());
    for line in text.lines() {
        if let Ok(event) = Event::parse(line) {
            assert_eq!(machine.push(&event, 0, &mut stream), folding.push(&event, 0, &mut whole));
        }
    }
    assert_eq!(machine.finish(&mut stream), folding.finish(&mut whole));
    let (mut content, mut reasoning, mut calls, mut reason) =
        (String::new(), String::new(), Vec::<[String; 2]>::new(), Value::Null);
    let mut over = false;
    let mut decoder = Decoder::default();
    decoder.push(&stream.bytes);
    while let Some(Frame { event, data }) = decoder.next_frame() {
        assert!(!over && event.is_none(), "something follows the end: {data}");
        if data == "[DONE]" {
            over = true;
            continue;
        }
        let data = surrogates::repair(data.as_bytes());
        let chunk: Value = serde_json::from_slice(&data).expect("a chunk is valid JSON");
        assert_eq!(chunk["object"], "chat.completion.chunk");
        let [choice] = chunk["choices"].as_array().expect("choices").as_slice() else {
            assert!(chunk["usage"].is_object(), "a chunk without a choice tells the usage: {chunk}");
            continue;
        };
        let delta = &choice["delta"];
        content.push_str(delta["content"].as_str().unwrap_or_default());
        reasoning.push_str(delta["reasoning_content"].as_str().unwrap_or_default());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = call["index"].as_u64().expect("an index") as usize;
            if call["id"].is_string() {
                assert_eq!(index, calls.len(), "indices are dense: {chunk}");
                calls.push([call["function"]["name"].as_str().expect("a name").to_owned(), String::new()]);
            }
            calls[index][1].push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
        if !choice["finish_reason"].is_null() {
            assert!(reason.is_null(), "one reason: {chunk}");
            reason = choice["finish_reason"].clone();
        }
    }
    if !over {
        return;
    }
    let json = surrogates::repair(&whole.to_json()).into_owned();
    let folded: Value = serde_json::from_slice(&json).expect("a completion is valid JSON");
    let choice = &folded["choices"][0];
    // Half a pair is half a character to one who joins the pieces, and none to one who reads each.
    if content.contains('\u{fffd}')
        || reasoning.contains('\u{fffd}')
        || text.contains("\\ud")
        || text.contains("\\uD")
    {
        return;
    }
    assert_eq!(choice["finish_reason"], reason);
    assert_eq!(choice["message"]["content"].as_str().unwrap_or_default(), content);
    assert_eq!(choice["message"]["reasoning_content"].as_str().unwrap_or_default(), reasoning);
    let kept: Vec<[String; 2]> = choice["message"]["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|call| {
            let member = |name: &str| call["function"][name].as_str().unwrap_or_default().to_owned();
            [member("name"), member("arguments")]
        })
        .collect();
    // The fold leaves a half call out; a stream can't take it back.
    calls.retain(|[_, arguments]| serde_json::from_str::<Value>(arguments).is_ok());
    assert_eq!(kept, calls);
}

fn passed(text: &str) {
    let mut machine =
        Passing::new(Passed { model: Some("mine".to_owned()), previous: None, is_codex: false });
    let mut failure = None;
    for line in text.lines() {
        let frame = Frame { event: None, data: line.into() };
        let before = machine.bytes.len();
        let was_over = machine.has_ended();
        if let Err(error) = machine.push(&frame, 0) {
            assert!(failure.is_none() && machine.has_ended());
            failure = Some(error);
        }
        assert!(!was_over || machine.bytes.len() == before, "something follows the end");
    }
    if let Err(error) = machine.finish() {
        failure = Some(error);
    }
    if let Some(failure) = &failure {
        machine.fail(failure, &NOW);
    }
    let mut last = String::new();
    let mut decoder = Decoder::default();
    decoder.push(&machine.bytes);
    while let Some(frame) = decoder.next_frame() {
        let data = surrogates::repair(frame.data.as_bytes());
        let event: Value = serde_json::from_slice(&data).expect("an event is valid JSON");
        assert_eq!(frame.event.as_deref(), event["type"].as_str(), "the SSE name is the type");
        last = event["type"].as_str().unwrap_or_default().to_owned();
        assert!(last.starts_with("response."), "{last} is none of OpenAI's");
    }
    let end = if failure.is_some() { "response.failed" } else { "response." };
    assert!(last.starts_with(end), "{last}: {text}");
    if failure.is_none() {
        assert!(matches!(last.as_str(), "response.completed" | "response.incomplete"), "{last}: {text}");
    }
}

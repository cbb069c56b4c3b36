//! What must hold for any bytes at all: nothing panics, and what is accepted is treated alike however it arrives.

use std::collections::HashSet;

use dragoman_protocol::anthropic::event::{MessageSink, SseSink};
use dragoman_protocol::anthropic::request::MessagesRequest;
use dragoman_protocol::failure::Failure;
use dragoman_protocol::openai::event::Event;
use dragoman_protocol::route::{Dialect, Effort, Route};
use dragoman_protocol::sse::Decoder;
use dragoman_protocol::surrogates;
use dragoman_protocol::translate::{
    Answer, Context, Envelope, Names, Note, Notes, Originals, ResponsesToMessages, SearchRules,
    StaleReasoning, ToolOrder, messages_to_responses,
};
use serde_json::{Value, json};

#[path = "../support/fake/body.rs"]
mod body;
#[path = "openai.rs"]
mod openai;
#[path = "requests.rs"]
mod requests;

use requests::Leaf;

/// Frames do not depend on how the bytes are cut.
pub(crate) fn sse(data: &[u8]) {
    let frames = |size: usize| {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        let mut keep = |frame: dragoman_protocol::sse::Frame<'_>| {
            frames.push((frame.event.map(|text| text.into_owned()), frame.data.into_owned()));
        };
        for chunk in data.chunks(size.max(1)) {
            decoder.push(chunk);
            while let Some(frame) = decoder.next_frame() {
                keep(frame);
            }
        }
        if let Some(frame) = decoder.finish() {
            keep(frame);
        }
        frames
    };
    let whole = frames(data.len());
    assert_eq!(whole, frames(1));
    assert_eq!(whole, frames(7));
}

/// Whatever is read as a request becomes a body that the strict backend accepts, in both dialects, twice the same.
pub(crate) fn request(data: &[u8]) {
    let repaired = surrogates::repair(data);
    let Ok(text) = std::str::from_utf8(&repaired) else { return };
    Envelope::open(text);
    let Ok(request) = MessagesRequest::parse(text) else { return };
    for (model, dialect) in MODELS {
        if let Some(body) = translated(&request, text, model, dialect) {
            judge(&body.0, dialect, text);
        }
    }
}

/// See [`openai::chat`].
pub(crate) fn chat(data: &[u8]) {
    openai::chat(data);
}

/// See [`openai::responses`].
pub(crate) fn responses(data: &[u8]) {
    openai::responses(data);
}

/// A grown request is read; it is translated unless it asks for something that may be refused, and refused in words
/// that name the place; every text in it goes upstream or is noted.
pub(crate) fn grown(data: &[u8]) {
    for (model, dialect) in MODELS {
        let grown = requests::grow(data, model);
        let repaired = surrogates::repair(grown.text.as_bytes());
        let text = std::str::from_utf8(&repaired).expect("a repaired request is UTF-8");
        let request = MessagesRequest::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let Some((body, notes)) = translated(&request, text, model, dialect) else {
            assert!(grown.refusable, "{model} refuses: {text}");
            continue;
        };
        let body = judge(&body, dialect, text);
        let mut said = String::new();
        collect(&body, &mut said);
        for leaf in &grown.leaves {
            let noted = notes.0.iter().any(|note| covers(note, leaf));
            assert!(
                noted || said.contains(&leaf.mark),
                "{model}: {} at {} is lost without a note: {text}\nnotes: {notes:?}",
                leaf.mark,
                leaf.place
            );
        }
    }
}

const MODELS: [(&str, Dialect); 2] = [("gpt-5.5", Dialect::Classic), ("gpt-6.1-sol", Dialect::Lite)];

/// The body and its notes; `None` if the request is refused, which is told in words.
pub(crate) fn translated(
    request: &MessagesRequest<'_>,
    text: &str,
    model: &str,
    dialect: Dialect,
) -> Option<(Vec<u8>, Notes)> {
    let mut route = Route::to(model, dialect, &[Effort::Low, Effort::Medium, Effort::High, Effort::Ultra]);
    route.default_effort = Some(Effort::Low);
    route.verbosity = Some("low".to_owned());
    let mut tools = ToolOrder::default();
    tools.observe(request);
    let (originals, stale) = (Originals::new(), StaleReasoning::new());
    let context = Context {
        account: requests::ACCOUNT,
        thread: "5e551014-c0de-4aaa-8bbb-0123456789ab",
        ..Context::new(&route, &tools, &originals, &stale)
    };
    let once = || match messages_to_responses(request, context) {
        Ok(translated) => {
            let body = translated.request.to_body(text.len()).expect("a request can be written");
            Some((body, translated.notes))
        }
        Err(Failure::Invalid { message, .. }) => {
            assert!(!message.is_empty(), "a refusal says why: {text}");
            None
        }
        Err(Failure::Threads) => None,
        Err(other) => panic!("{other:?}: {text}"),
    };
    let first = once();
    assert_eq!(first, once(), "the same request, translated twice");
    first
}

/// Panics unless the strict backend accepts the body.
pub(crate) fn judge(body: &[u8], dialect: Dialect, text: &str) -> Value {
    let body: Value = serde_json::from_slice(body)
        .unwrap_or_else(|error| panic!("the translation is no JSON ({error}): {text}"));
    let levels: Vec<Value> =
        ["low", "medium", "high", "ultra"].map(|effort| json!({ "effort": effort })).into();
    let model = |slug: &str, lite: bool| {
        json!({ "slug": slug, "use_responses_lite": lite, "supported_reasoning_levels": levels,
            "service_tiers": [{ "id": "priority" }] })
    };
    let catalog = json!({ "models": [model("gpt-5.5", false), model("gpt-6.1-sol", true)] });
    let issued = known_ciphertexts(&body);
    let knows = body::Knowledge { catalog: &catalog, issued: &issued };
    if let Err(refusal) = body::accept(&body, dialect == Dialect::Lite, &knows) {
        panic!("the backend refuses: {refusal}\nrequest: {text}\nbody: {body}");
    }
    body
}

/// The ciphertexts of the grower; others can only come from a fuzzer that made an envelope itself.
fn known_ciphertexts(body: &Value) -> HashSet<String> {
    let replayed = body::list(&body["input"]).filter_map(|item| item["encrypted_content"].as_str());
    replayed.filter(|text| !text.is_empty()).chain(requests::ISSUED).map(str::to_owned).collect()
}

/// All strings in a JSON value, and in JSON that stands in its strings.
fn collect(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => {
            into.push_str(text);
            into.push('\n');
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            into.push_str(key);
            into.push('\n');
            collect(value, into);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Does a note tell that this text is not there as it was? One that only names `messages` speaks of thinking.
fn covers(note: &Note, leaf: &Leaf) -> bool {
    let below = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    match note.place.as_str() {
        "messages" => leaf.thinking,
        place => below(place, &leaf.place) || below(&leaf.place, place),
    }
}

/// Lines of event JSON, in any order and however broken: the machine takes them all, and what it sends is a proper stream
/// ([`Stream::take`]), ends well only if the machine says so, and adds up to the message of the fold.
pub(crate) fn event(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let answer = Answer {
        id: "msg".to_owned(),
        model: "m".to_owned(),
        upstream_model: "u".to_owned(),
        account: "00000000".to_owned(),
        names: Names::default(),
        thinking: true,
        stop_sequences: vec!["</x>".to_owned()],
        context_management: None,
        format: None,
        search: SearchRules::default(),
        estimate: 1,
    };
    openai::events(text, &answer);
    let mut machine = ResponsesToMessages::new(answer.clone());
    let mut folding = ResponsesToMessages::new(answer);
    let (mut sink, mut fold) = (SseSink::default(), MessageSink::default());
    let mut failed = false;
    for line in text.lines() {
        if let Ok(event) = Event::parse(line) {
            let pushed = machine.push(&event, 0, &mut sink);
            assert_eq!(pushed, folding.push(&event, 0, &mut fold));
            failed |= pushed.is_err();
        }
    }
    let ended = machine.finish(&mut sink);
    assert_eq!(ended, folding.finish(&mut fold));
    let mut decoder = Decoder::default();
    decoder.push(&sink.bytes);
    let mut stream = Stream::default();
    while let Some(frame) = decoder.next_frame() {
        // Half a surrogate pair passes as it came: clients that join the pieces have the character again. serde_json is
        // stricter than JSON there.
        let data = surrogates::repair(frame.data.as_bytes());
        let event: Value = serde_json::from_slice(&data).expect("an event is valid JSON");
        assert_eq!(frame.event.as_deref(), event["type"].as_str(), "the SSE name is the type");
        stream.take(&event);
    }
    let folded: Value = serde_json::from_slice(&fold.into_json()).expect("the message is valid JSON");
    if stream.stopped {
        stream.check(&folded);
    } else {
        assert!(ended.is_err() || failed, "a stream without an end is an error: {text}");
    }
}

/// What a client makes of a stream.
#[derive(Debug, Default)]
struct Stream {
    started: bool,
    /// The blocks, filled.
    blocks: Vec<Value>,
    /// The last one is being filled.
    open: bool,
    /// The pieces of its input.
    json: String,
    stop: Option<Value>,
    stopped: bool,
}

impl Stream {
    /// Panics if the event may not come now: `message_start` is first, and only first; blocks are dense and do not
    /// overlap; each delta fits its block and is not empty; after the end there is silence.
    fn take(&mut self, event: &Value) {
        assert!(!self.stopped, "something follows the end: {event}");
        let kind = event["type"].as_str().unwrap_or_default();
        assert_eq!(kind == "message_start", !self.started, "{event}");
        self.started = true;
        match kind {
            "message_start" => {
                let usage = &event["message"]["usage"];
                assert!(usage["input_tokens"].is_u64() && usage["output_tokens"].is_u64(), "{event}");
            }
            "content_block_start" => {
                assert!(!self.open && self.stop.is_none(), "blocks overlap: {event}");
                assert_eq!(event["index"], json!(self.blocks.len()), "indices are dense");
                self.blocks.push(event["content_block"].clone());
                self.open = true;
            }
            "content_block_delta" => {
                assert!(self.open && event["index"] == json!(self.blocks.len() - 1), "{event}");
                self.fill(&event["delta"]);
            }
            "content_block_stop" => {
                assert!(self.open && event["index"] == json!(self.blocks.len() - 1), "{event}");
                self.open = false;
                let json = std::mem::take(&mut self.json);
                let block = self.blocks.last_mut().expect("an open block");
                if !json.is_empty() {
                    // One that the output limit has cut is no JSON, and no call.
                    block["input"] = serde_json::from_str(&json).unwrap_or(Value::Null);
                }
            }
            "message_delta" => {
                assert!(!self.open && self.stop.is_none(), "{event}");
                assert!(event["usage"]["output_tokens"].is_u64() && event["usage"]["input_tokens"].is_u64());
                self.stop = Some(event["delta"].clone());
            }
            "message_stop" => {
                assert!(self.stop.is_some(), "message_stop without message_delta");
                self.stopped = true;
            }
            other => panic!("{other}"),
        }
    }

    fn fill(&mut self, delta: &Value) {
        let block = self.blocks.last_mut().expect("an open block");
        let (field, of) = match delta["type"].as_str().unwrap_or_default() {
            "text_delta" => ("text", "text"),
            "thinking_delta" => ("thinking", "thinking"),
            "signature_delta" => ("signature", "thinking"),
            "input_json_delta" => ("partial_json", "tool_use"),
            "citations_delta" => ("citation", "text"),
            other => panic!("{other}"),
        };
        let kind = block["type"].as_str().unwrap_or_default();
        assert!(kind == of || (of == "tool_use" && kind == "server_tool_use"), "{delta} in {block}");
        if field == "citation" {
            match block["citations"].as_array_mut() {
                Some(citations) => citations.push(delta[field].clone()),
                None => block["citations"] = json!([delta[field]]),
            }
            return;
        }
        let piece = delta[field].as_str().expect("a piece of text");
        assert!(!piece.is_empty(), "an empty delta");
        if field == "partial_json" {
            self.json.push_str(piece);
        } else {
            let whole = format!("{}{piece}", block[field].as_str().unwrap_or_default());
            block[field] = json!(whole);
        }
    }

    /// The whole, ended stream against the fold.
    fn check(&self, folded: &Value) {
        let stop = self.stop.as_ref().expect("an ended stream has a stop reason");
        assert_eq!(stop["stop_reason"], folded["stop_reason"]);
        assert_eq!(stop["stop_sequence"], folded["stop_sequence"]);
        let reason = stop["stop_reason"].as_str().unwrap_or_default();
        // The fold leaves a half call out (S16); a stream can't take it back. One that was cut before its first
        // argument looks like a whole one without arguments.
        let half = |block: &Value| {
            let nothing = block["input"].is_null() || (reason != "tool_use" && block["input"] == json!({}));
            block["type"] == "tool_use" && nothing
        };
        let whole: Vec<&Value> = self.blocks.iter().filter(|block| !half(block)).collect();
        let kept: Vec<&Value> = body::list(&folded["content"]).filter(|block| !half(block)).collect();
        assert_eq!(whole, kept, "the fold is the stream");
        let calls = whole.iter().any(|block| block["type"] == "tool_use");
        assert!(calls || reason != "tool_use", "tool_use without a call");
        assert!(!calls || reason != "end_turn", "end_turn with a call");
        let cut = self.blocks.iter().any(|block| block["type"] == "tool_use" && block["input"].is_null());
        assert!(!cut || !matches!(reason, "end_turn" | "tool_use"), "{reason} with half a call");
    }
}

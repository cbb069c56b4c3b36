//! What must hold for any bytes at all: nothing panics, and what is accepted is treated alike however it arrives.

use dragoman_protocol::anthropic::event::{MessageSink, SseSink};
use dragoman_protocol::anthropic::request::MessagesRequest;
use dragoman_protocol::openai::event::Event;
use dragoman_protocol::route::{Dialect, Effort, Route};
use dragoman_protocol::sse::Decoder;
use dragoman_protocol::surrogates;
use dragoman_protocol::translate::{
    Answer, Context, Envelope, Names, Originals, ResponsesToMessages, SearchRules, ToolOrder,
    messages_to_responses,
};
use serde::de::IgnoredAny;

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

/// Whatever is accepted as a request becomes valid JSON, in both dialects, twice the same.
pub(crate) fn request(data: &[u8]) {
    let repaired = surrogates::repair(data);
    let Ok(text) = std::str::from_utf8(&repaired) else { return };
    let Ok(request) = MessagesRequest::parse(text) else { return };
    for dialect in [Dialect::Classic, Dialect::Lite] {
        let route = Route::to("gpt-5.5", dialect, &[Effort::Low, Effort::High]);
        let mut tools = ToolOrder::default();
        tools.observe(&request);
        let context = Context {
            route: &route,
            dialect,
            account: "00000000",
            reasoning: true,
            instructions: false,
            thread: "t",
            tools: &tools,
            originals: &Originals::new(),
        };
        let body = |request| {
            let translated = messages_to_responses(request, context).ok()?;
            translated.request.to_body(text.len()).ok()
        };
        let first = body(&request);
        assert_eq!(first, body(&request));
        if let Some(first) = first {
            assert!(serde_json::from_slice::<IgnoredAny>(&first).is_ok(), "the translation is valid JSON");
        }
    }
    Envelope::open(text);
}

/// Lines of event JSON: the machine takes them all, and what it sends can be read again.
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
        search: SearchRules::default(),
        estimate: 1,
    };
    let mut machine = ResponsesToMessages::new(answer.clone());
    let mut folding = ResponsesToMessages::new(answer);
    let (mut sink, mut fold) = (SseSink::default(), MessageSink::default());
    for line in text.lines() {
        if let Ok(event) = Event::parse(line) {
            let pushed = machine.push(&event, 0, &mut sink);
            assert_eq!(pushed, folding.push(&event, 0, &mut fold));
        }
    }
    assert_eq!(machine.finish(&mut sink), folding.finish(&mut fold));
    let mut decoder = Decoder::default();
    decoder.push(&sink.bytes);
    while let Some(frame) = decoder.next_frame() {
        assert!(serde_json::from_str::<IgnoredAny>(&frame.data).is_ok(), "an event is valid JSON");
    }
    assert!(serde_json::from_slice::<IgnoredAny>(&fold.into_json()).is_ok(), "the message is valid JSON");
}

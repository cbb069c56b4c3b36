//! Server-sent events as a test reads them: names and JSON. Written apart from the product's decoder, so that a
//! fault in that one cannot hide itself.

use serde_json::Value;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The `event:` line; empty if there was none.
    pub name: String,
    /// The `data:` lines as JSON (a string where they are none).
    pub data: Value,
}

/// Cuts a byte stream into events.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete event; comments are skipped.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let end = self.buffer.windows(2).position(|pair| pair == b"\n\n")?;
            let frame: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let frame =
                std::str::from_utf8(&frame).unwrap_or_else(|error| panic!("a frame is not UTF-8: {error}"));
            let field = |name: &str| {
                let lines: Vec<&str> = frame
                    .lines()
                    .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                    .map(|value| value.strip_prefix(' ').unwrap_or(value))
                    .collect();
                (!lines.is_empty()).then(|| lines.join("\n"))
            };
            let (name, data) = (field("event"), field("data"));
            if let Some(data) = data {
                let data = serde_json::from_str(&data).unwrap_or(Value::String(data));
                return Some(Event { name: name.unwrap_or_default(), data });
            }
        }
    }
}

/// All events of a body.
pub fn events(body: &[u8]) -> Vec<Event> {
    let mut decoder = Decoder::default();
    decoder.push(body);
    std::iter::from_fn(|| decoder.next_event()).collect()
}

/// The names of events, for comparing the shape of a stream.
pub fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

/// The text of all `text_delta`s.
pub fn text(events: &[Event]) -> String {
    let delta = |event: &Event| event.data.pointer("/delta/text").and_then(Value::as_str).map(str::to_owned);
    events.iter().filter_map(delta).collect()
}

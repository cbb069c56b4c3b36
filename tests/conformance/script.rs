//! `events.sse`: the bytes that the backend sends, with control lines between them.
//!
//! | line | meaning |
//! |---|---|
//! | `#! next` | the next exchange begins |
//! | `#! status 429` | its status; then the rest is a JSON body unless a header says otherwise |
//! | `#! header name: value` | a header of the answer |
//! | `#! pause 20s` | silence (also `500ms`) |
//! | `#! pieces 7` | from here on in pieces of so many bytes, wherever they fall |
//! | `#! cut` | the connection breaks, in the middle of the body |
//!
//! Everything else is sent as it stands, line ends and byte-order marks included. Placeholders are filled in.

use std::time::Duration;

/// One answer of the backend.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) steps: Vec<Step>,
}

/// One step of sending it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Bytes(Vec<u8>),
    Pause(Duration),
    Cut,
}

impl Exchange {
    fn new() -> Self {
        Self { status: 200, headers: Vec::new(), steps: Vec::new() }
    }

    /// What answers where the case scripts nothing.
    pub(crate) fn missing() -> Self {
        let body = b"{\"detail\":\"the case scripts no answer\"}".to_vec();
        Self { status: 500, headers: Vec::new(), steps: vec![Step::Bytes(body)] }
    }

    /// The content type: what a header line says, else what the status makes likely.
    pub(crate) fn content_type(&self) -> &str {
        let told = self.headers.iter().find(|(name, _)| name == "content-type");
        let usual = if self.status == 200 { "text/event-stream; charset=utf-8" } else { "application/json" };
        told.map_or(usual, |(_, value)| value)
    }
}

/// Reads the file.
pub(crate) fn parse(text: &str) -> Result<Vec<Exchange>, String> {
    let mut exchanges = Vec::new();
    let mut current = Exchange::new();
    let mut pieces = None;
    for line in text.split_inclusive('\n') {
        let Some(control) = line.strip_prefix("#!") else {
            send(&mut current, line.as_bytes(), pieces);
            continue;
        };
        let control = control.trim();
        let (word, rest) = control.split_once(' ').unwrap_or((control, ""));
        match word {
            "next" => {
                exchanges.push(std::mem::replace(&mut current, Exchange::new()));
                pieces = None;
            }
            "status" => current.status = rest.parse().map_err(|_| format!("no status: {rest}"))?,
            "header" => {
                let (name, value) = rest.split_once(':').ok_or(format!("no header: {rest}"))?;
                current.headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
            "pause" => current.steps.push(Step::Pause(duration(rest)?)),
            "pieces" => pieces = Some(rest.parse().map_err(|_| format!("no number: {rest}"))?),
            "cut" => current.steps.push(Step::Cut),
            other => return Err(format!("no control line: #! {other}")),
        }
    }
    exchanges.push(current);
    Ok(exchanges)
}

/// `20s`, `500ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("no time: {text} (write 20s or 500ms)");
    match text.strip_suffix("ms") {
        Some(number) => number.parse().map(Duration::from_millis).map_err(|_| wrong()),
        None => text
            .strip_suffix('s')
            .and_then(|number| number.parse().ok())
            .map(Duration::from_secs)
            .ok_or_else(wrong),
    }
}

fn send(exchange: &mut Exchange, bytes: &[u8], pieces: Option<usize>) {
    match (pieces, exchange.steps.last_mut()) {
        // Each piece is a write of its own, with time for the other side to read it alone.
        (Some(size), _) => {
            for piece in bytes.chunks(size) {
                exchange.steps.push(Step::Bytes(piece.to_vec()));
                exchange.steps.push(Step::Pause(Duration::from_millis(1)));
            }
        }
        (None, Some(Step::Bytes(before))) => before.extend_from_slice(bytes),
        (None, _) => exchange.steps.push(Step::Bytes(bytes.to_vec())),
    }
}

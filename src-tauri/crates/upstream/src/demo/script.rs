//! The demo model's answer as Responses events (`upstream.md` §c.1), lightly paced.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep_until};

use super::schema::quoted;

/// Before each delta.
const PACE: Duration = Duration::from_millis(4);

/// What the demo model says.
pub(super) struct Answer {
    pub(super) model: String,
    /// The summary of its reasoning, if one is wanted.
    pub(super) thought: Option<String>,
    pub(super) output: Output,
    pub(super) input_tokens: u64,
    pub(super) cached_tokens: u64,
}

/// Words or a call.
pub(super) enum Output {
    Text(String),
    Call { name: String, arguments: String },
}

/// Bytes that come at their time.
#[derive(Debug)]
pub(crate) struct Playback {
    chunks: VecDeque<(Duration, Bytes)>,
    /// When the first chunk is due, once somebody waits for it.
    due: Option<Instant>,
}

impl Playback {
    /// Each chunk after its pause.
    pub(crate) fn of(chunks: impl IntoIterator<Item = (Duration, String)>) -> Self {
        Self { chunks: chunks.into_iter().map(|(pause, text)| (pause, text.into())).collect(), due: None }
    }

    /// The next chunk when it is due. Cancel-safe.
    pub(crate) async fn chunk(&mut self) -> Option<Bytes> {
        let (pause, _) = self.chunks.front()?;
        let due = *self.due.get_or_insert_with(|| Instant::now() + *pause);
        if !pause.is_zero() {
            sleep_until(due).await;
        }
        self.due = None;
        self.chunks.pop_front().map(|(_, bytes)| bytes)
    }
}

/// Writes the events down, in order and numbered.
struct Script {
    chunks: Vec<(Duration, String)>,
    sequence: u64,
}

impl Script {
    /// `members` is what stands in the event besides type and number.
    fn event(&mut self, pause: Duration, kind: &str, members: &str) {
        let sequence = self.sequence;
        self.sequence += 1;
        let data = format!(r#"{{"type":"{kind}",{members},"sequence_number":{sequence}}}"#);
        self.chunks.push((pause, format!("event: {kind}\ndata: {data}\n\n")));
    }

    fn now(&mut self, kind: &str, members: &str) {
        self.event(Duration::ZERO, kind, members);
    }

    fn deltas(&mut self, kind: &str, place: &str, text: &str) {
        for piece in pieces(text) {
            self.event(PACE, kind, &format!(r#"{place},"delta":{}"#, quoted(piece)));
        }
    }
}

/// The events of the answer. The same request gives the same bytes.
pub(super) fn write(answer: &Answer, request: &[u8]) -> Playback {
    let seed: String = Sha256::digest(request).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mut script = Script { chunks: Vec::new(), sequence: 0 };
    let model = quoted(&answer.model);
    let head = format!(r#""id":"resp_demo_{seed}","object":"response","model":{model}"#);
    for (kind, status) in [("response.created", "queued"), ("response.in_progress", "in_progress")] {
        script.now(kind, &format!(r#""response":{{{head},"status":"{status}","output":[]}}"#));
    }
    script.now(
        "codex.rate_limits",
        r#""plan_type":"demo","rate_limits":{"allowed":true,"limit_reached":false,"primary":{"used_percent":12,"window_minutes":300,"reset_after_seconds":9000},"secondary":{"used_percent":3,"window_minutes":10080,"reset_after_seconds":400000}},"credits":{"has_credits":false,"unlimited":false,"balance":null}"#,
    );
    let thought = reasoning(&mut script, answer.thought.as_deref(), &seed);
    let (item, said) = match &answer.output {
        Output::Text(text) => (message(&mut script, text, &seed), text.len()),
        Output::Call { name, arguments } => (call(&mut script, name, arguments, &seed), arguments.len()),
    };
    let thinking = answer.thought.as_deref().map_or(16, |text| text.len() as u64 / 4 + 16);
    let output = thinking + said as u64 / 4 + 4;
    let usage = format!(
        r#"{{"input_tokens":{input},"input_tokens_details":{{"cached_tokens":{cached}}},"output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":{thinking}}},"total_tokens":{total}}}"#,
        input = answer.input_tokens,
        cached = answer.cached_tokens,
        total = answer.input_tokens + output,
    );
    script.now(
        "response.completed",
        &format!(r#""response":{{{head},"status":"completed","output":[{thought},{item}],"usage":{usage}}}"#),
    );
    Playback::of(script.chunks)
}

fn reasoning(script: &mut Script, summary: Option<&str>, seed: &str) -> String {
    let id = format!("rs_demo_{seed}");
    let item = |summary: &str| {
        format!(
            r#"{{"id":"{id}","type":"reasoning","encrypted_content":"demo-{seed}","summary":[{summary}]}}"#
        )
    };
    script.now("response.output_item.added", &format!(r#""output_index":0,"item":{}"#, item("")));
    let mut part = String::new();
    if let Some(text) = summary {
        let place = format!(r#""item_id":"{id}","output_index":0,"summary_index":0"#);
        part = format!(r#"{{"type":"summary_text","text":{}}}"#, quoted(text));
        let empty = r#"{"type":"summary_text","text":""}"#;
        script.now("response.reasoning_summary_part.added", &format!(r#"{place},"part":{empty}"#));
        script.deltas("response.reasoning_summary_text.delta", &place, text);
        script.now("response.reasoning_summary_text.done", &format!(r#"{place},"text":{}"#, quoted(text)));
        script.now("response.reasoning_summary_part.done", &format!(r#"{place},"part":{part}"#));
    }
    let item = item(&part);
    script.now("response.output_item.done", &format!(r#""output_index":0,"item":{item}"#));
    item
}

fn message(script: &mut Script, text: &str, seed: &str) -> String {
    let id = format!("msg_demo_{seed}");
    let item = |status: &str, parts: &str| {
        format!(
            r#"{{"id":"{id}","type":"message","status":"{status}","role":"assistant","content":[{parts}]}}"#
        )
    };
    let part = |text: &str| {
        format!(r#"{{"type":"output_text","text":{},"annotations":[],"logprobs":[]}}"#, quoted(text))
    };
    let place = format!(r#""item_id":"{id}","output_index":1,"content_index":0"#);
    script.now(
        "response.output_item.added",
        &format!(r#""output_index":1,"item":{}"#, item("in_progress", "")),
    );
    script.now("response.content_part.added", &format!(r#"{place},"part":{}"#, part("")));
    script.deltas("response.output_text.delta", &format!(r#"{place},"logprobs":[]"#), text);
    script.now("response.output_text.done", &format!(r#"{place},"text":{},"logprobs":[]"#, quoted(text)));
    script.now("response.content_part.done", &format!(r#"{place},"part":{}"#, part(text)));
    let item = item("completed", &part(text));
    script.now("response.output_item.done", &format!(r#""output_index":1,"item":{item}"#));
    item
}

fn call(script: &mut Script, name: &str, arguments: &str, seed: &str) -> String {
    let id = format!("fc_demo_{seed}");
    let item = |status: &str, arguments: &str| {
        format!(
            r#"{{"id":"{id}","type":"function_call","status":"{status}","call_id":"call_demo_{seed}","name":{},"arguments":{}}}"#,
            quoted(name),
            quoted(arguments)
        )
    };
    let place = format!(r#""item_id":"{id}","output_index":1"#);
    script.now(
        "response.output_item.added",
        &format!(r#""output_index":1,"item":{}"#, item("in_progress", "")),
    );
    script.deltas("response.function_call_arguments.delta", &place, arguments);
    script.now(
        "response.function_call_arguments.done",
        &format!(r#"{place},"arguments":{}"#, quoted(arguments)),
    );
    let item = item("completed", arguments);
    script.now("response.output_item.done", &format!(r#""output_index":1,"item":{item}"#));
    item
}

/// The text in pieces of about a word.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive([' ', '\n', ','])
}

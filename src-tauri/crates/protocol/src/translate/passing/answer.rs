//! The backend's events → the client's: passed on byte for byte, but for four things. The model is called by the name that
//! the client knows. The terminal event holds the whole output, which the backend may leave out. Events of ChatGPT's own
//! go to the Codex CLI only: other clients expect `response.created` first. A failure is told as `response.failed`,
//! because clients of either kind understand that one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Object;
use crate::anthropic::event::Usage;
use crate::failure::{EventError, Failure, Now};
use crate::openai::event::{Event, Usage as Tokens};
use crate::sse::{self, Frame};

/// What a passage is told with.
#[derive(Debug, Clone, Default)]
pub struct Passed {
    /// The model's name as the client asked for it, if the backend calls it otherwise.
    pub model: Option<String>,
    /// The response that the client said this goes on with.
    pub previous: Option<String>,
    /// Does the client understand ChatGPT's own events?
    pub is_codex: bool,
}

/// The machine. Feed it frames, then [`Self::finish`] it.
#[derive(Debug)]
pub struct Passing {
    /// What is to be sent.
    pub bytes: Vec<u8>,
    passed: Passed,
    id: String,
    model: String,
    items: BTreeMap<u64, Box<RawValue>>,
    response: Option<Box<RawValue>>,
    sequence: u64,
    usage: Option<Usage>,
    over: bool,
}

/// What is looked at of an event.
#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    output_index: Option<u64>,
    #[serde(borrow, default)]
    item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(default)]
    sequence_number: Option<u64>,
}

impl Passing {
    /// A machine for one answer.
    pub fn new(passed: Passed) -> Self {
        Self {
            bytes: Vec::new(),
            passed,
            id: String::new(),
            model: String::new(),
            items: BTreeMap::new(),
            response: None,
            sequence: 0,
            usage: None,
            over: false,
        }
    }

    /// Takes one frame, and tells how many bytes of output it brings. `now`: unix seconds, for limits that are told
    /// relative to it.
    ///
    /// # Errors
    /// What the backend says went wrong. The machine is silent from then on.
    pub fn push(&mut self, frame: &Frame<'_>, now: i64) -> Result<usize, Failure> {
        if self.over {
            return Ok(0);
        }
        let pushed = self.take(&frame.data, now);
        self.over |= pushed.is_err();
        pushed
    }

    fn take(&mut self, data: &str, now: i64) -> Result<usize, Failure> {
        let peek: Peek<'_> = match serde_json::from_str(data) {
            Ok(peek) => peek,
            // Said with the words for what is no event.
            Err(_) => return Event::parse(data).map(|_| 0),
        };
        if matches!(peek.kind.as_ref(), "response.failed" | "error") {
            return Err(Event::parse(data)?.failure(now).unwrap_or(Failure::Truncated));
        }
        self.sequence = peek.sequence_number.unwrap_or(self.sequence + 1);
        match peek.kind.as_ref() {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.pass_response(data, &peek);
            }
            "response.completed" | "response.incomplete" => {
                self.pass_response(data, &peek);
                self.over = true;
            }
            kind if !kind.starts_with("response.") || kind == "response.metadata" => {
                if self.passed.is_codex {
                    self.write(kind, data);
                }
            }
            kind => {
                if kind == "response.output_item.done"
                    && let Some(item) = peek.item
                {
                    let index = peek.output_index.unwrap_or(self.items.len() as u64);
                    self.items.insert(index, item.to_owned());
                }
                self.write(kind, data);
            }
        }
        Ok(peek.delta.map_or(0, |delta| delta.get().len().saturating_sub(2)))
    }

    /// An event that holds the response.
    fn pass_response(&mut self, data: &str, peek: &Peek<'_>) {
        #[derive(Default, Deserialize)]
        struct Head<'a> {
            #[serde(borrow, default)]
            id: Cow<'a, str>,
            #[serde(borrow, default)]
            model: Cow<'a, str>,
            #[serde(default)]
            usage: Option<Tokens>,
        }
        let Some(raw) = peek.response else { return self.write(&peek.kind, data) };
        let head: Head<'_> = serde_json::from_str(raw.get()).unwrap_or_default();
        head.id.as_ref().clone_into(&mut self.id);
        self.passed.model.as_deref().unwrap_or(&head.model).clone_into(&mut self.model);
        let is_last =
            !matches!(peek.kind.as_ref(), "response.created" | "response.in_progress" | "response.queued");
        let response = self.rewritten(raw, is_last);
        if is_last {
            self.usage = head.usage.map(Into::into);
            self.response = Some(response.clone().unwrap_or_else(|| raw.to_owned()));
        }
        match (response, Object::of_text(data)) {
            (Some(response), Some(mut event)) => {
                event.set("response", &response);
                sse::encode(&mut self.bytes, &peek.kind, &event);
            }
            _ => self.write(&peek.kind, data),
        }
    }

    /// The response with what the client must find in it; `None` if it stays as it is.
    fn rewritten(&self, raw: &RawValue, is_last: bool) -> Option<Box<RawValue>> {
        let mut object = Object::of(raw)?;
        let mut is_new = false;
        if let Some(model) = &self.passed.model {
            object.set("model", model);
            is_new = true;
        }
        if let Some(previous) = &self.passed.previous {
            object.set("previous_response_id", previous);
            is_new = true;
        }
        let is_empty = object.get("output").is_none_or(|output| matches!(output.get(), "[]" | "null"));
        if is_last && is_empty && !self.items.is_empty() {
            object.set("output", &self.items.values().collect::<Vec<_>>());
            is_new = true;
        }
        is_new.then(|| serde_json::value::to_raw_value(&object).ok()).flatten()
    }

    fn write(&mut self, kind: &str, data: &str) {
        // A line end in JSON stands between tokens: a space says the same on one line.
        let one_line =
            if data.contains('\n') { Cow::Owned(data.replace('\n', " ")) } else { Cow::Borrowed(data) };
        sse::write(&mut self.bytes, kind, &one_line);
    }

    /// The end of the upstream's bytes.
    ///
    /// # Errors
    /// [`Failure::Truncated`] if no terminal event came.
    pub fn finish(&mut self) -> Result<(), Failure> {
        if self.over {
            return Ok(());
        }
        self.over = true;
        Err(Failure::Truncated)
    }

    /// True once the response has ended.
    pub fn has_ended(&self) -> bool {
        self.over
    }

    /// Tells a failure after the status line.
    pub fn fail(&mut self, failure: &Failure, now: &Now) {
        #[derive(Serialize)]
        struct Failed<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            sequence_number: u64,
            response: FailedResponse<'a>,
        }
        #[derive(Serialize)]
        struct FailedResponse<'a> {
            id: &'a str,
            object: &'static str,
            created_at: i64,
            status: &'static str,
            error: EventError<'a>,
            incomplete_details: Option<()>,
            model: &'a str,
            output: Vec<&'a RawValue>,
            usage: Option<()>,
        }
        self.over = true;
        let event = Failed {
            kind: "response.failed",
            sequence_number: self.sequence + 1,
            response: FailedResponse {
                id: &self.id,
                object: "response",
                created_at: now.unix,
                status: "failed",
                error: failure.to_openai_event(now),
                incomplete_details: None,
                model: &self.model,
                output: self.items.values().map(AsRef::as_ref).collect(),
                usage: None,
            },
        };
        sse::encode(&mut self.bytes, "response.failed", &event);
    }

    /// The true usage, once it is known.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The whole response, once it has ended: the answer of a request without `stream`.
    pub fn response(&self) -> Option<&RawValue> {
        self.response.as_deref()
    }

    /// The response's id and its items, once it has ended.
    pub fn output(&self) -> Option<(&str, Vec<Box<RawValue>>)> {
        #[derive(Deserialize)]
        struct Output<'a> {
            #[serde(borrow, default)]
            output: Vec<&'a RawValue>,
        }
        let response = self.response.as_deref()?;
        let Output { output } = serde_json::from_str(response.get()).ok()?;
        Some((&self.id, output.into_iter().map(ToOwned::to_owned).collect()))
    }
}

//! A rule turned into an answer: the events of the Responses API in the order in which the backend sends them.

use std::time::Duration;

use serde_json::{Value, json};

use super::script::{Fail, Gate, Rule, Say, Stop};
use super::view::View;
use crate::credentials::{now, random, uuid};
use crate::files::base64;
use crate::http::Headers;

/// One step of writing a body.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Bytes(Vec<u8>),
    /// Silence for a time, with a comment every so often.
    Pause(Duration, Option<Duration>),
    Hold(Gate),
    Cut,
}

/// What goes back over the connection.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Body,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Whole(Vec<u8>),
    Steps(Vec<Step>),
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::whole(status, "application/json", body.to_string())
    }

    pub(crate) fn whole(status: u16, kind: &str, body: String) -> Self {
        let mut headers = Headers::default();
        headers.push("content-type", kind);
        Self { status, headers, body: Body::Whole(body.into_bytes()) }
    }
}

/// The answer of a rule, and the ciphertexts in it.
pub(crate) fn answer(rule: &Rule, view: &View, body: &Value) -> (Answer, Vec<String>) {
    let mut answer = match plain(rule) {
        Some(answer) => (answer, Vec::new()),
        None => Stream::new(rule, view, body).run(),
    };
    answer.0.headers.0.extend(rule.headers.0.iter().cloned());
    answer
}

/// Failures that take the place of a stream.
fn plain(rule: &Rule) -> Option<Answer> {
    match rule.fail.as_ref()? {
        Fail::Http { status, kind, body } => Some(Answer::whole(*status, kind, body.clone())),
        Fail::ServerError => {
            let message = "An error occurred while processing your request.";
            let error =
                json!({ "message": message, "type": "server_error", "param": null, "code": "server_error" });
            Some(Answer::json(500, &json!({ "error": error })))
        }
        Fail::ModelNotSupported => {
            let message = "The 'x' model is not supported when using Codex with a ChatGPT account.";
            Some(Answer::json(400, &json!({ "detail": message })))
        }
        Fail::UsageLimit { resets_in } => {
            let error = json!({
                "type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus",
                "resets_at": now() + resets_in, "resets_in_seconds": resets_in,
            });
            let mut answer = Answer::json(429, &json!({ "error": error }));
            limits(&mut answer.headers, "100", *resets_in);
            Some(answer)
        }
        Fail::ContextOverflow | Fail::Overloaded | Fail::Event { .. } | Fail::Cut | Fail::EndEarly => None,
    }
}

fn limits(headers: &mut Headers, percent: &str, resets_in: i64) {
    headers.push("x-codex-plan-type", "plus");
    headers.push("x-codex-primary-used-percent", percent);
    headers.push("x-codex-primary-window-minutes", "300");
    headers.push("x-codex-primary-reset-at", (now() + resets_in).to_string());
    headers.push("x-codex-secondary-used-percent", "34");
    headers.push("x-codex-secondary-window-minutes", "10080");
    headers.push("x-codex-secondary-reset-at", (now() + 400_000).to_string());
}

struct Stream<'a> {
    rule: &'a Rule,
    view: &'a View,
    response: Value,
    steps: Vec<Step>,
    sequence: u64,
    output: Vec<Value>,
    issued: Vec<String>,
}

impl<'a> Stream<'a> {
    fn new(rule: &'a Rule, view: &'a View, body: &Value) -> Self {
        let response = json!({
            "id": format!("resp_{}{}", random(), random()), "object": "response", "created_at": now(),
            "status": "in_progress", "background": false, "error": null, "incomplete_details": null,
            "instructions": null, "max_output_tokens": null, "model": view.model, "output": [],
            "parallel_tool_calls": true, "previous_response_id": null,
            "prompt_cache_key": body["prompt_cache_key"], "reasoning": body["reasoning"], "store": false,
            "text": { "format": { "type": "text" } }, "tool_choice": "auto", "tools": [], "usage": null,
            "user": null, "metadata": {},
        });
        let (steps, output, issued) = (Vec::new(), Vec::new(), Vec::new());
        Self { rule, view, response, steps, sequence: 0, output, issued }
    }

    fn run(mut self) -> (Answer, Vec<String>) {
        let response = self.response.clone();
        self.event("response.created", json!({ "response": response }));
        self.event("response.in_progress", json!({ "response": response }));
        // A broken answer leaves its last item open, as a real broken connection does.
        let broken = matches!(self.rule.fail, Some(Fail::Cut | Fail::EndEarly | Fail::Event { .. }));
        let last = self.rule.say.iter().rposition(|say| !matches!(say, Say::Pause(_) | Say::Hold(_)));
        let rule = self.rule;
        for (index, say) in rule.say.iter().enumerate() {
            let whole = !broken || Some(index) != last;
            match say {
                Say::Pause(time) => self.steps.push(Step::Pause(*time, rule.keep_alive)),
                Say::Hold(gate) => self.steps.push(Step::Hold(gate.clone())),
                Say::Bytes(bytes) => self.steps.push(Step::Bytes(bytes.clone())),
                Say::Event(event) => {
                    let kind = event["type"].as_str().unwrap_or_default().to_owned();
                    self.event(&kind, event.clone());
                }
                Say::Text(text) => self.message(&self.filled(text), whole),
                Say::Think(summary) => self.reasoning(Some(&self.filled(summary)), whole),
                Say::HiddenThought => self.reasoning(None, whole),
                Say::Tool { name, input, id } => self.call(name, input, id.as_deref(), whole),
            }
        }
        self.end();
        let mut headers = Headers::default();
        headers.push("content-type", "text/event-stream; charset=utf-8");
        headers.push("cache-control", "no-cache");
        headers.push("x-request-id", uuid());
        headers.push("openai-model", &self.view.model);
        limits(&mut headers, "12", 9_000);
        if let Some(size) = rule.pieces {
            self.steps = split(self.steps, size);
        }
        (Answer { status: 200, headers, body: Body::Steps(self.steps) }, self.issued)
    }

    fn end(&mut self) {
        let failed = |code: &str, message: &str| json!({ "code": code, "message": message });
        let error = match &self.rule.fail {
            Some(Fail::Cut) => return self.steps.push(Step::Cut),
            Some(Fail::EndEarly) => return,
            Some(Fail::ContextOverflow) => failed(
                "context_length_exceeded",
                "Your input exceeds the context window of this model. Please adjust your input and try again.",
            ),
            Some(Fail::Overloaded) => failed(
                "server_is_overloaded",
                "Our servers are currently overloaded. Please try again later.",
            ),
            Some(Fail::Event { code, message }) => failed(code, message),
            _ => return self.complete(),
        };
        let mut response = self.response.clone();
        response["status"] = "failed".into();
        response["error"] = error;
        self.event("response.failed", json!({ "response": response }));
    }

    fn complete(&mut self) {
        let usage = &self.rule.usage;
        let input = usage.input.unwrap_or_else(|| (self.view.everything().len() / 4).max(1) as u64);
        let spoken: usize = self.output.iter().map(|item| item.to_string().len()).sum();
        let output = usage.output.unwrap_or_else(|| (spoken / 4).max(1) as u64);
        let mut response = self.response.clone();
        response["output"] = self.output.clone().into();
        response["usage"] = json!({
            "input_tokens": input, "input_tokens_details": { "cached_tokens": usage.cached },
            "output_tokens": output, "output_tokens_details": { "reasoning_tokens": usage.reasoning },
            "total_tokens": input + output,
        });
        let (kind, status, reason) = match self.rule.stop {
            Stop::Completed => ("response.completed", "completed", None),
            Stop::MaxTokens => ("response.incomplete", "incomplete", Some("max_output_tokens")),
            Stop::ContentFilter => ("response.incomplete", "incomplete", Some("content_filter")),
        };
        response["status"] = status.into();
        if let Some(reason) = reason {
            response["incomplete_details"] = json!({ "reason": reason });
        }
        self.event(kind, json!({ "response": response }));
    }

    fn event(&mut self, kind: &str, fields: Value) {
        let mut data = json!({ "type": kind, "sequence_number": self.sequence });
        self.sequence += 1;
        if let (Some(data), Value::Object(fields)) = (data.as_object_mut(), fields) {
            data.extend(fields);
        }
        self.steps.push(Step::Bytes(format!("event: {kind}\ndata: {data}\n\n").into_bytes()));
        if let Some(time) = self.rule.between {
            self.steps.push(Step::Pause(time, None));
        }
    }

    fn added(&mut self, item: Value) -> usize {
        let index = self.output.len();
        self.event("response.output_item.added", json!({ "output_index": index, "item": item }));
        index
    }

    fn done(&mut self, item: Value) {
        let index = self.output.len();
        self.event("response.output_item.done", json!({ "output_index": index, "item": item }));
        self.output.push(item);
    }

    fn message(&mut self, text: &str, whole: bool) {
        let id = id("msg");
        let at = |extra: Value| {
            with(json!({ "item_id": id, "output_index": self.output.len(), "content_index": 0 }), extra)
        };
        let part =
            |text: &str| json!({ "type": "output_text", "annotations": [], "logprobs": [], "text": text });
        let opened = at(json!({ "part": part("") }));
        let deltas: Vec<Value> =
            chunks(text, 12).map(|delta| at(json!({ "delta": delta, "logprobs": [] }))).collect();
        let closed = [
            ("response.output_text.done", at(json!({ "text": text, "logprobs": [] }))),
            ("response.content_part.done", at(json!({ "part": part(text) }))),
        ];
        let item = |status: &str, content: Value| json!({ "id": id, "type": "message", "status": status, "role": "assistant", "content": content });
        self.added(item("in_progress", json!([])));
        self.event("response.content_part.added", opened);
        for delta in deltas {
            self.event("response.output_text.delta", delta);
        }
        if whole {
            for (kind, fields) in closed {
                self.event(kind, fields);
            }
            self.done(item("completed", json!([part(text)])));
        }
    }

    fn reasoning(&mut self, summary: Option<&str>, whole: bool) {
        let id = id("rs");
        let cipher = base64(format!("ciphertext of {id}").as_bytes());
        self.issued.push(cipher.clone());
        let part = |text: &str| json!({ "type": "summary_text", "text": text });
        let item = |summary: Value| json!({ "id": id, "type": "reasoning", "summary": summary, "encrypted_content": cipher });
        let index = self.added(item(json!([])));
        let Some(summary) = summary else {
            if whole {
                self.done(item(json!([])));
            }
            return;
        };
        let at =
            |extra: Value| with(json!({ "item_id": id, "output_index": index, "summary_index": 0 }), extra);
        self.event("response.reasoning_summary_part.added", at(json!({ "part": part("") })));
        for delta in chunks(summary, 12) {
            self.event("response.reasoning_summary_text.delta", at(json!({ "delta": delta })));
        }
        if whole {
            self.event("response.reasoning_summary_text.done", at(json!({ "text": summary })));
            self.event("response.reasoning_summary_part.done", at(json!({ "part": part(summary) })));
            self.done(item(json!([part(summary)])));
        }
    }

    fn call(&mut self, name: &str, input: &Value, call: Option<&str>, whole: bool) {
        let id = id("fc");
        let call = call.map_or_else(|| format!("call_{}{}", random(), &random()[..8]), str::to_owned);
        let arguments = self.filled(&input.to_string());
        let item = |status: &str, arguments: &str| {
            json!({
                "id": id, "type": "function_call", "status": status, "arguments": arguments, "call_id": call,
                "name": name,
            })
        };
        let index = self.added(item("in_progress", ""));
        let at = |extra: Value| with(json!({ "item_id": id, "output_index": index }), extra);
        for delta in chunks(&arguments, 20) {
            self.event("response.function_call_arguments.delta", at(json!({ "delta": delta })));
        }
        if whole {
            self.event("response.function_call_arguments.done", at(json!({ "arguments": arguments })));
            self.done(item("completed", &arguments));
        }
    }

    fn filled(&self, text: &str) -> String {
        if !text.contains("{{") {
            return text.to_owned();
        }
        text.replace("{{last_output}}", &self.view.last_output())
            .replace("{{last_user}}", &self.view.last_user())
            .replace("{{model}}", &self.view.model)
    }
}

fn id(prefix: &str) -> String {
    format!("{prefix}_{}{}", random(), random())
}

fn with(mut base: Value, extra: Value) -> Value {
    if let (Some(base), Value::Object(extra)) = (base.as_object_mut(), extra) {
        base.extend(extra);
    }
    base
}

fn chunks(text: &str, size: usize) -> impl Iterator<Item = String> {
    let letters: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = letters.chunks(size).map(|piece| piece.iter().collect()).collect();
    pieces.into_iter()
}

fn split(steps: Vec<Step>, size: usize) -> Vec<Step> {
    let cut = |step: Step| match step {
        Step::Bytes(bytes) => bytes.chunks(size).map(|piece| Step::Bytes(piece.to_vec())).collect(),
        other => vec![other],
    };
    steps.into_iter().flat_map(cut).collect()
}

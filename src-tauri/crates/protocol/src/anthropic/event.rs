//! What a Messages client is told: the events of a stream, and the whole message they add up to.
//!
//! Every machine speaks to a [`Sink`]. [`SseSink`] writes the stream; [`MessageSink`] folds the same events into the
//! answer of a request without `stream`, so that there is one path. Not here: pings and errors (proxy, `failure.rs`).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json::JsonStr;
use crate::sse;

/// Takes a machine's events.
pub trait Sink {
    /// One event, in order.
    fn event(&mut self, event: StreamEvent<'_>);
}

/// One event of the stream.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StreamEvent<'a> {
    /// The first one.
    MessageStart {
        /// The message, still empty.
        message: MessageHead<'a>,
    },
    /// A block begins.
    ContentBlockStart {
        /// Its position.
        index: usize,
        /// Its kind, still empty.
        content_block: BlockStart<'a>,
    },
    /// A piece of the block.
    ContentBlockDelta {
        /// Its position.
        index: usize,
        /// The piece.
        delta: Delta<'a>,
    },
    /// The block is complete.
    ContentBlockStop {
        /// Its position.
        index: usize,
    },
    /// How it ended.
    MessageDelta {
        /// Why the model stopped.
        delta: StopDelta<'a>,
        /// The whole, true usage.
        usage: Usage,
        /// What was cleared, if the client asked for that.
        #[serde(skip_serializing_if = "Option::is_none")]
        context_management: Option<&'a ContextManagement>,
    },
    /// The last one.
    MessageStop,
}

impl StreamEvent<'_> {
    /// The name for the SSE `event:` line; Claude Code reads nothing without it (`claude-code.md` §0.9).
    pub fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
        }
    }
}

/// The empty message of `message_start`.
#[derive(Debug, Clone, Serialize)]
pub struct MessageHead<'a> {
    /// `msg_…`.
    pub id: &'a str,
    /// Always `message`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Always `assistant`.
    pub role: &'static str,
    /// The model's name as the client asked for it (S65).
    pub model: &'a str,
    /// Always empty here.
    pub content: [(); 0],
    /// Always null here.
    pub stop_reason: Option<StopReason>,
    /// Always null here.
    pub stop_sequence: Option<&'a str>,
    /// An estimate (S29).
    pub usage: Usage,
}

impl<'a> MessageHead<'a> {
    /// A head with an estimate of the input tokens.
    pub fn new(id: &'a str, model: &'a str, input_tokens: u64) -> Self {
        let usage = Usage { input_tokens, output_tokens: 1, ..Usage::default() };
        Self {
            id,
            kind: "message",
            role: "assistant",
            model,
            content: [],
            stop_reason: None,
            stop_sequence: None,
            usage,
        }
    }
}

/// The start of a block. What it holds comes in deltas: clients discard it here (`claude-code.md` §0.10).
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BlockStart<'a> {
    /// Text.
    Text {
        /// Empty.
        text: &'static str,
    },
    /// Thinking.
    Thinking {
        /// Empty.
        thinking: &'static str,
        /// Empty.
        signature: &'static str,
    },
    /// A tool call.
    ToolUse {
        /// The upstream call id.
        id: &'a str,
        /// The client's name of the tool.
        name: &'a str,
        /// Empty object.
        input: EmptyObject,
    },
    /// A search that was made for the client.
    ServerToolUse {
        /// `srvtoolu_…`.
        id: &'a str,
        /// `web_search`.
        name: &'static str,
        /// Empty object.
        input: EmptyObject,
    },
    /// What it found: complete here, no delta follows.
    WebSearchToolResult {
        /// The search.
        tool_use_id: &'a str,
        /// The results, or why there are none.
        content: SearchContent,
    },
}

/// The content of a search's result.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum SearchContent {
    /// Pages.
    Results(Vec<SearchResult>),
    /// Why there are none.
    Error(SearchError),
}

/// A page.
#[derive(Debug, Clone, Serialize)]
pub struct SearchResult {
    #[serde(rename = "type")]
    kind: &'static str,
    title: String,
    url: String,
    /// Clients replay it and read nothing from it.
    encrypted_content: &'static str,
    page_age: Option<String>,
}

impl SearchResult {
    /// A page by title and address.
    pub fn new(title: String, url: String) -> Self {
        Self { kind: "web_search_result", title, url, encrypted_content: "", page_age: None }
    }
}

/// A search that failed.
#[derive(Debug, Clone, Serialize)]
pub struct SearchError {
    #[serde(rename = "type")]
    kind: &'static str,
    error_code: &'static str,
}

impl SearchError {
    /// By its code: `unavailable`, `max_uses_exceeded`.
    pub fn new(error_code: &'static str) -> Self {
        Self { kind: "web_search_tool_result_error", error_code }
    }
}

/// What a text is based on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Citation {
    #[serde(rename = "type")]
    kind: &'static str,
    /// The page's address.
    pub url: String,
    /// Its title.
    pub title: String,
    encrypted_index: &'static str,
    /// The text that it supports.
    pub cited_text: String,
}

impl Citation {
    /// A page, and the text that it supports.
    pub fn new(url: String, title: String, cited_text: String) -> Self {
        Self { kind: "web_search_result_location", url, title, encrypted_index: "", cited_text }
    }
}

/// `{}`.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct EmptyObject {}

/// A piece of a block.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Delta<'a> {
    /// Of a text block.
    TextDelta {
        /// The text.
        text: JsonStr<'a>,
    },
    /// Of a thinking block.
    ThinkingDelta {
        /// The text.
        thinking: JsonStr<'a>,
    },
    /// Of a thinking block, once, last.
    SignatureDelta {
        /// Our envelope.
        signature: &'a str,
    },
    /// Of a tool call.
    InputJsonDelta {
        /// A piece of JSON, as a string.
        partial_json: JsonStr<'a>,
    },
    /// Of a text block.
    CitationsDelta {
        /// One citation.
        citation: Citation,
    },
}

/// Why the model stopped.
#[derive(Debug, Clone, Serialize)]
pub struct StopDelta<'a> {
    /// The reason.
    pub stop_reason: StopReason,
    /// The sequence that was met.
    pub stop_sequence: Option<Cow<'a, str>>,
}

/// What was cleared of the conversation before the model saw it (R62).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ContextManagement {
    /// Those edits that cleared anything.
    pub applied_edits: Vec<AppliedEdit>,
}

/// One edit, with estimated tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type")]
pub enum AppliedEdit {
    /// Thinking of earlier turns.
    #[serde(rename = "clear_thinking_20251015")]
    ClearThinking {
        /// Turns.
        cleared_thinking_turns: u64,
        /// Tokens.
        cleared_input_tokens: u64,
    },
    /// Results, maybe also inputs, of earlier calls.
    #[serde(rename = "clear_tool_uses_20250919")]
    ClearToolUses {
        /// Calls.
        cleared_tool_uses: u64,
        /// Tokens.
        cleared_input_tokens: u64,
    },
}

/// The reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It was done.
    EndTurn,
    /// It wants a tool's answer.
    ToolUse,
    /// It ran out of output.
    MaxTokens,
    /// It met one of the client's stop sequences.
    StopSequence,
    /// It refused.
    Refusal,
    /// It searched too often in a row; the client may ask it to go on.
    PauseTurn,
}

/// Tokens, Anthropic's way: `input_tokens` without what the cache did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Fresh input.
    pub input_tokens: u64,
    /// Written to the cache.
    pub cache_creation_input_tokens: u64,
    /// Read from the cache.
    pub cache_read_input_tokens: u64,
    /// Output, reasoning included.
    pub output_tokens: u64,
    /// Output that was reasoning. The Messages API does not tell it.
    #[serde(skip)]
    pub reasoning_tokens: u64,
    /// Searches, where there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_tool_use: Option<ServerToolUse>,
}

/// What was done for the client beside the model's own work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerToolUse {
    /// Searches that were made (S25).
    pub web_search_requests: u64,
}

impl Usage {
    /// All that was read, whatever the cache did.
    pub fn all_input(&self) -> u64 {
        self.input_tokens + self.cache_read_input_tokens + self.cache_creation_input_tokens
    }

    /// The sum of two responses that make one answer. Searches are counted elsewhere.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens + other.input_tokens,
            cache_creation_input_tokens: self.cache_creation_input_tokens + other.cache_creation_input_tokens,
            cache_read_input_tokens: self.cache_read_input_tokens + other.cache_read_input_tokens,
            output_tokens: self.output_tokens + other.output_tokens,
            reasoning_tokens: self.reasoning_tokens + other.reasoning_tokens,
            server_tool_use: None,
        }
    }
}

impl From<crate::openai::event::Usage> for Usage {
    /// Upstream counts cached input into the input; the client wants the parts (S27). Never negative.
    fn from(usage: crate::openai::event::Usage) -> Self {
        let cached = usage.input_tokens_details.cached_tokens.min(usage.input_tokens);
        let fresh = usage.input_tokens - cached;
        let written = usage.input_tokens_details.cache_write_tokens.min(fresh);
        Self {
            input_tokens: fresh - written,
            cache_creation_input_tokens: written,
            cache_read_input_tokens: cached,
            output_tokens: usage.output_tokens,
            reasoning_tokens: usage.output_tokens_details.reasoning_tokens,
            server_tool_use: None,
        }
    }
}

/// Writes the stream: every event of one upstream read lands in one buffer.
#[derive(Debug, Default)]
pub struct SseSink {
    /// What is to be sent.
    pub bytes: Vec<u8>,
}

impl Sink for SseSink {
    fn event(&mut self, event: StreamEvent<'_>) {
        sse::encode(&mut self.bytes, event.name(), &event);
    }
}

/// Folds the stream into one message.
#[derive(Debug, Default)]
pub struct MessageSink {
    message: Message,
    partial_json: String,
    /// Tools whose arguments never became whole JSON (the answer ran out of tokens): left out, never half a call.
    pub dropped_calls: Vec<String>,
}

/// The answer of a request without `stream`.
#[derive(Debug, Default, Serialize)]
pub struct Message {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: String,
    content: Vec<MessageBlock>,
    stop_reason: Option<StopReason>,
    stop_sequence: Option<String>,
    usage: Usage,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_management: Option<ContextManagement>,
}

/// A block of the answer.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum MessageBlock {
    Text {
        text: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<Citation>,
    },
    Thinking {
        thinking: String,
        signature: String,
    },
    ToolUse {
        id: String,
        name: String,
        input: Box<RawValue>,
    },
    ServerToolUse {
        id: String,
        name: &'static str,
        input: Box<RawValue>,
    },
    WebSearchToolResult {
        tool_use_id: String,
        content: SearchContent,
    },
}

impl MessageSink {
    /// The message as JSON, once the stream has ended.
    pub fn into_json(self) -> Vec<u8> {
        serde_json::to_vec(&self.message).unwrap_or_default()
    }
}

impl Sink for MessageSink {
    fn event(&mut self, event: StreamEvent<'_>) {
        match event {
            StreamEvent::MessageStart { message } => {
                self.message = Message {
                    id: message.id.to_owned(),
                    kind: message.kind,
                    role: message.role,
                    model: message.model.to_owned(),
                    usage: message.usage,
                    ..Message::default()
                };
            }
            StreamEvent::ContentBlockStart { content_block, .. } => {
                self.message.content.push(match content_block {
                    BlockStart::Text { .. } => {
                        MessageBlock::Text { text: String::new(), citations: Vec::new() }
                    }
                    BlockStart::Thinking { .. } => {
                        MessageBlock::Thinking { thinking: String::new(), signature: String::new() }
                    }
                    BlockStart::ToolUse { id, name, .. } => MessageBlock::ToolUse {
                        id: id.to_owned(),
                        name: name.to_owned(),
                        input: RawValue::NULL.to_owned(),
                    },
                    BlockStart::ServerToolUse { id, name, .. } => MessageBlock::ServerToolUse {
                        id: id.to_owned(),
                        name,
                        input: RawValue::NULL.to_owned(),
                    },
                    BlockStart::WebSearchToolResult { tool_use_id, content } => {
                        MessageBlock::WebSearchToolResult { tool_use_id: tool_use_id.to_owned(), content }
                    }
                });
            }
            StreamEvent::ContentBlockDelta { delta, .. } => match (self.message.content.last_mut(), delta) {
                (Some(MessageBlock::Text { citations, .. }), Delta::CitationsDelta { citation }) => {
                    citations.push(citation);
                }
                (Some(MessageBlock::Text { text, .. }), Delta::TextDelta { text: piece }) => {
                    text.push_str(&piece.to_text());
                }
                (Some(MessageBlock::Thinking { thinking, .. }), Delta::ThinkingDelta { thinking: piece }) => {
                    thinking.push_str(&piece.to_text());
                }
                (
                    Some(MessageBlock::Thinking { signature, .. }),
                    Delta::SignatureDelta { signature: whole },
                ) => {
                    whole.clone_into(signature);
                }
                (
                    Some(MessageBlock::ToolUse { .. } | MessageBlock::ServerToolUse { .. }),
                    Delta::InputJsonDelta { partial_json },
                ) => {
                    self.partial_json.push_str(&partial_json.to_text());
                }
                _ => {}
            },
            StreamEvent::ContentBlockStop { .. } => {
                let json = std::mem::take(&mut self.partial_json);
                let last = self.message.content.last_mut();
                if let Some(MessageBlock::ServerToolUse { input, .. }) = last {
                    *input = RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned());
                } else if let Some(MessageBlock::ToolUse { name, input, .. }) = last {
                    match RawValue::from_string(json) {
                        Ok(whole) => *input = whole,
                        Err(_) => {
                            self.dropped_calls.push(name.clone());
                            self.message.content.pop();
                        }
                    }
                }
            }
            StreamEvent::MessageDelta { delta, usage, context_management } => {
                self.message.context_management = context_management.cloned();
                self.message.stop_reason = Some(delta.stop_reason);
                self.message.stop_sequence = delta.stop_sequence.map(Cow::into_owned);
                self.message.usage = usage;
            }
            StreamEvent::MessageStop => {}
        }
    }
}

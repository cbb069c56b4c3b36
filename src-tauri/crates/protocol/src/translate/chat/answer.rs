//! The events of a Messages answer → chunks of a chat, or one completion. Both collect the signed reasoning, which a chat
//! can't carry.

use super::request::{ChatForm, Thought};
use crate::anthropic::event::{BlockStart, Citation, Delta, Sink, StopReason, StreamEvent, Usage};
use crate::json::JsonStr;
use crate::openai::chat::answer::{
    Annotation, Answered, Call, CallDelta, CalledFunction, CalledText, Choice, Chunk, ChunkChoice,
    Completion, Delta as ChatDelta, FinishReason, FunctionDelta, UrlCitation, is_whole,
};
use crate::sse;

/// Between two texts of one answer.
const GAP: &str = "\n\n";

/// Writes the chunks.
#[derive(Debug)]
pub struct ChatStream {
    /// What is to be sent.
    pub bytes: Vec<u8>,
    form: ChatForm,
    created: i64,
    id: String,
    model: String,
    calls: usize,
    open: Open,
    texts: Texts,
    thinking: Thinking,
    usage: Usage,
}

/// The block that is open.
#[derive(Debug, Default)]
enum Open {
    #[default]
    Other,
    Text,
    Thinking,
    Function,
    /// A text tool: told when it is whole.
    Custom {
        id: String,
        name: String,
        arguments: String,
    },
}

/// The text so far, as far as it must be known: to tell where in it a citation belongs, and that something stands before.
#[derive(Debug, Default)]
struct Texts {
    /// Characters of all blocks before this one, gaps included.
    before: usize,
    /// This block.
    block: String,
    any: bool,
}

impl Texts {
    /// A block begins: the gap that stands before it.
    fn begin(&mut self) -> Option<&'static str> {
        self.before += self.block.chars().count();
        self.block.clear();
        self.any.then(|| {
            self.before += GAP.len();
            GAP
        })
    }

    fn push(&mut self, text: &str) {
        self.any |= !text.is_empty();
        self.block.push_str(text);
    }

    /// Where in the text the cited passage stands; the whole block, if it is not found.
    fn annotation(&self, citation: Citation) -> Annotation {
        let Citation { url, title, cited_text, .. } = citation;
        let found = self.block.rfind(&cited_text).filter(|_| !cited_text.is_empty());
        let (start, passage) = match found {
            Some(at) => (self.block[..at].chars().count(), cited_text.as_str()),
            None => (0, self.block.as_str()),
        };
        let start_index = self.before + start;
        let end_index = start_index + passage.chars().count();
        Annotation { kind: "url_citation", url_citation: UrlCitation { start_index, end_index, url, title } }
    }
}

/// The reasoning so far.
#[derive(Debug, Default)]
struct Thinking {
    any: bool,
    waiting: Vec<Thought>,
    /// By the id of the first call behind it.
    thoughts: Vec<(String, Vec<Thought>)>,
}

impl Thinking {
    fn begin(&mut self) {
        self.waiting.push(Thought { text: String::new(), signature: String::new() });
    }

    fn text(&mut self, text: &str) {
        self.any = true;
        if let Some(thought) = self.waiting.last_mut() {
            thought.text.push_str(text);
        }
    }

    fn signature(&mut self, signature: &str) {
        if let Some(thought) = self.waiting.last_mut() {
            signature.clone_into(&mut thought.signature);
        }
    }

    fn called(&mut self, id: &str) {
        let waiting = std::mem::take(&mut self.waiting);
        let signed: Vec<Thought> =
            waiting.into_iter().filter(|thought| !thought.signature.is_empty()).collect();
        if !signed.is_empty() {
            self.thoughts.push((id.to_owned(), signed));
        }
    }
}

impl ChatStream {
    /// A stream of this form, begun at this time (unix seconds).
    pub fn new(form: ChatForm, created: i64) -> Self {
        Self {
            bytes: Vec::new(),
            form,
            created,
            id: String::new(),
            model: String::new(),
            calls: 0,
            open: Open::Other,
            texts: Texts::default(),
            thinking: Thinking::default(),
            usage: Usage::default(),
        }
    }

    /// What was thought before each first call, by the call's id.
    pub fn take_thoughts(&mut self) -> Vec<(String, Vec<Thought>)> {
        std::mem::take(&mut self.thinking.thoughts)
    }

    fn chunk(&mut self, delta: ChatDelta<'_>, finish_reason: Option<FinishReason>) {
        let choices = vec![ChunkChoice { index: 0, delta, logprobs: None, finish_reason }];
        write(&mut self.bytes, &self.id, self.created, &self.model, choices, None);
    }

    fn call(&mut self, call: CallDelta<'_>) {
        self.chunk(ChatDelta { tool_calls: vec![call], ..ChatDelta::default() }, None);
    }

    fn text(&mut self, text: JsonStr<'_>) {
        self.chunk(ChatDelta { content: Some(text), ..ChatDelta::default() }, None);
    }

    fn reasoning(&mut self, text: JsonStr<'_>) {
        self.chunk(ChatDelta { reasoning_content: Some(text), ..ChatDelta::default() }, None);
    }

    fn begin(&mut self, block: BlockStart<'_>) {
        self.open = match block {
            BlockStart::Text { .. } => {
                if let Some(gap) = self.texts.begin() {
                    self.text(gap.into());
                }
                Open::Text
            }
            BlockStart::Thinking { .. } => {
                if self.thinking.any {
                    self.reasoning(GAP.into());
                }
                self.thinking.begin();
                Open::Thinking
            }
            BlockStart::ToolUse { id, name, .. } => {
                self.thinking.called(id);
                if self.form.custom.contains(name) {
                    Open::Custom { id: id.to_owned(), name: name.to_owned(), arguments: String::new() }
                } else {
                    self.call(CallDelta {
                        index: self.calls,
                        id: Some(id),
                        kind: Some("function"),
                        function: Some(FunctionDelta { name: Some(name), arguments: "".into() }),
                        custom: None,
                    });
                    Open::Function
                }
            }
            BlockStart::ServerToolUse { .. } | BlockStart::WebSearchToolResult { .. } => Open::Other,
        };
    }

    fn piece(&mut self, delta: Delta<'_>) {
        match (&mut self.open, delta) {
            (Open::Text, Delta::TextDelta { text }) => {
                self.texts.push(&text.to_text());
                self.text(text);
            }
            (Open::Text, Delta::CitationsDelta { citation }) => {
                let annotations = vec![self.texts.annotation(citation)];
                self.chunk(ChatDelta { annotations, ..ChatDelta::default() }, None);
            }
            (Open::Thinking, Delta::ThinkingDelta { thinking }) => {
                self.thinking.text(&thinking.to_text());
                self.reasoning(thinking);
            }
            (Open::Thinking, Delta::SignatureDelta { signature }) => self.thinking.signature(signature),
            (Open::Function, Delta::InputJsonDelta { partial_json }) => {
                let function = Some(FunctionDelta { name: None, arguments: partial_json });
                self.call(CallDelta { index: self.calls, id: None, kind: None, function, custom: None });
            }
            (Open::Custom { arguments, .. }, Delta::InputJsonDelta { partial_json }) => {
                arguments.push_str(&partial_json.to_text());
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        match std::mem::take(&mut self.open) {
            Open::Function => self.calls += 1,
            Open::Custom { id, name, arguments } => {
                let custom = Some(CalledText::of(name, &arguments));
                let index = self.calls;
                self.call(CallDelta { index, id: Some(&id), kind: Some("custom"), function: None, custom });
                self.calls += 1;
            }
            Open::Other | Open::Text | Open::Thinking => {}
        }
    }
}

fn write(
    bytes: &mut Vec<u8>,
    id: &str,
    created: i64,
    model: &str,
    choices: Vec<ChunkChoice<'_>>,
    usage: Option<Usage>,
) {
    let usage = usage.map(Into::into);
    sse::encode_data(bytes, &Chunk { id, object: "chat.completion.chunk", created, model, choices, usage });
}

impl Sink for ChatStream {
    fn event(&mut self, event: StreamEvent<'_>) {
        match event {
            StreamEvent::MessageStart { message } => {
                message.id.clone_into(&mut self.id);
                message.model.clone_into(&mut self.model);
                let begin =
                    ChatDelta { role: Some("assistant"), content: Some("".into()), ..ChatDelta::default() };
                self.chunk(begin, None);
            }
            StreamEvent::ContentBlockStart { content_block, .. } => self.begin(content_block),
            StreamEvent::ContentBlockDelta { delta, .. } => self.piece(delta),
            StreamEvent::ContentBlockStop { .. } => self.close(),
            StreamEvent::MessageDelta { delta, usage, .. } => {
                self.usage = usage;
                self.chunk(ChatDelta::default(), Some(reason(delta.stop_reason)));
            }
            StreamEvent::MessageStop => {
                if self.form.include_usage {
                    let usage = Some(self.usage);
                    write(&mut self.bytes, &self.id, self.created, &self.model, Vec::new(), usage);
                }
                sse::write_data(&mut self.bytes, "[DONE]");
            }
        }
    }
}

/// Folds the same events into one completion.
#[derive(Debug)]
pub struct ChatAnswer {
    form: ChatForm,
    completion: Completion,
    open: Open,
    /// The call that is open.
    call: (String, String),
    arguments: String,
    texts: Texts,
    thinking: Thinking,
    /// Tools whose arguments never became whole JSON: left out, never half a call.
    pub dropped_calls: Vec<String>,
}

impl ChatAnswer {
    /// A completion of this form, made at this time (unix seconds).
    pub fn new(form: ChatForm, created: i64) -> Self {
        let message = Answered { role: "assistant", ..Answered::default() };
        let completion = Completion {
            object: "chat.completion",
            created,
            choices: [Choice { message, ..Choice::default() }],
            ..Completion::default()
        };
        Self {
            form,
            completion,
            open: Open::Other,
            call: Default::default(),
            arguments: String::new(),
            texts: Texts::default(),
            thinking: Thinking::default(),
            dropped_calls: Vec::new(),
        }
    }

    /// The completion as JSON, once the stream has ended.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.completion).unwrap_or_default()
    }

    /// What was thought before each first call, by the call's id.
    pub fn take_thoughts(&mut self) -> Vec<(String, Vec<Thought>)> {
        std::mem::take(&mut self.thinking.thoughts)
    }

    fn message(&mut self) -> &mut Answered {
        let [choice] = &mut self.completion.choices;
        &mut choice.message
    }

    fn text(&mut self, text: &str) {
        self.message().content.get_or_insert_default().push_str(text);
    }

    fn begin(&mut self, block: BlockStart<'_>) {
        self.open = match block {
            BlockStart::Text { .. } => {
                if let Some(gap) = self.texts.begin() {
                    self.text(gap);
                }
                Open::Text
            }
            BlockStart::Thinking { .. } => {
                if self.thinking.any {
                    self.message().reasoning_content.push_str(GAP);
                }
                self.thinking.begin();
                Open::Thinking
            }
            BlockStart::ToolUse { id, name, .. } => {
                self.thinking.called(id);
                self.call = (id.to_owned(), name.to_owned());
                self.arguments.clear();
                Open::Function
            }
            BlockStart::ServerToolUse { .. } | BlockStart::WebSearchToolResult { .. } => Open::Other,
        };
    }

    fn piece(&mut self, delta: Delta<'_>) {
        match (&self.open, delta) {
            (Open::Text, Delta::TextDelta { text }) => {
                self.texts.push(&text.to_text());
                self.text(&text.to_text());
            }
            (Open::Text, Delta::CitationsDelta { citation }) => {
                let annotation = self.texts.annotation(citation);
                self.message().annotations.push(annotation);
            }
            (Open::Thinking, Delta::ThinkingDelta { thinking }) => {
                self.thinking.text(&thinking.to_text());
                self.message().reasoning_content.push_str(&thinking.to_text());
            }
            (Open::Thinking, Delta::SignatureDelta { signature }) => self.thinking.signature(signature),
            (Open::Function, Delta::InputJsonDelta { partial_json }) => {
                self.arguments.push_str(&partial_json.to_text());
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        if !matches!(std::mem::take(&mut self.open), Open::Function) {
            return;
        }
        let (id, name) = std::mem::take(&mut self.call);
        let arguments = std::mem::take(&mut self.arguments);
        if !is_whole(&arguments) {
            self.dropped_calls.push(name);
            return;
        }
        let call = if self.form.custom.contains(&name) {
            Call::Custom { id, custom: CalledText::of(name, &arguments) }
        } else {
            Call::Function { id, function: CalledFunction { name, arguments } }
        };
        self.message().tool_calls.push(call);
    }
}

impl Sink for ChatAnswer {
    fn event(&mut self, event: StreamEvent<'_>) {
        match event {
            StreamEvent::MessageStart { message } => {
                message.id.clone_into(&mut self.completion.id);
                message.model.clone_into(&mut self.completion.model);
            }
            StreamEvent::ContentBlockStart { content_block, .. } => self.begin(content_block),
            StreamEvent::ContentBlockDelta { delta, .. } => self.piece(delta),
            StreamEvent::ContentBlockStop { .. } => self.close(),
            StreamEvent::MessageDelta { delta, usage, .. } => {
                self.completion.usage = usage.into();
                let [choice] = &mut self.completion.choices;
                choice.finish_reason = Some(reason(delta.stop_reason));
            }
            StreamEvent::MessageStop => {}
        }
    }
}

fn reason(reason: StopReason) -> FinishReason {
    match reason {
        StopReason::EndTurn | StopReason::StopSequence | StopReason::PauseTurn => FinishReason::Stop,
        StopReason::ToolUse => FinishReason::ToolCalls,
        StopReason::MaxTokens => FinishReason::Length,
        StopReason::Refusal => FinishReason::ContentFilter,
    }
}

//! What a chat's client is told: chunks of a stream, or one completion.
//!
//! Not here: how the events of an answer become these (`translate/chat`).

use serde::Serialize;
use serde_json::value::RawValue;

use crate::anthropic::event::Usage;
use crate::json::JsonStr;

/// One chunk of a stream.
#[derive(Debug, Serialize)]
pub struct Chunk<'a> {
    /// `chatcmpl-…`.
    pub id: &'a str,
    /// Always `chat.completion.chunk`.
    pub object: &'static str,
    /// Unix seconds.
    pub created: i64,
    /// The model's name as the client asked for it.
    pub model: &'a str,
    /// One, or none in the last chunk, which tells the usage.
    pub choices: Vec<ChunkChoice<'a>>,
    /// In the last chunk, if the client wants it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<ChatUsage>,
}

/// The only choice.
#[derive(Debug, Serialize)]
pub struct ChunkChoice<'a> {
    /// Always 0.
    pub index: u8,
    /// What is new.
    pub delta: Delta<'a>,
    /// Always null: the backend tells none.
    pub logprobs: Option<()>,
    /// Why the model stopped; null until it did.
    pub finish_reason: Option<FinishReason>,
}

/// What is new in a chunk.
#[derive(Debug, Default, Serialize)]
pub struct Delta<'a> {
    /// In the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// Text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<JsonStr<'a>>,
    /// What is shown of the reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<JsonStr<'a>>,
    /// Calls, or pieces of their arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<CallDelta<'a>>,
    /// Pages that the text is based on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
}

/// A call, or a piece of its arguments.
#[derive(Debug, Serialize)]
pub struct CallDelta<'a> {
    /// Which of the answer's calls.
    pub index: usize,
    /// With the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
    /// With the first piece.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// A function's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionDelta<'a>>,
    /// A text tool's, whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<CalledText>,
}

/// A piece of a function's call.
#[derive(Debug, Serialize)]
pub struct FunctionDelta<'a> {
    /// With the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// A piece of JSON, as a string.
    pub arguments: JsonStr<'a>,
}

/// A text tool and its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CalledText {
    /// The tool.
    pub name: String,
    /// The text.
    pub input: String,
}

/// A page that a text is based on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// Always `url_citation`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The page, and for which characters of the text.
    pub url_citation: UrlCitation,
}

/// See [`Annotation`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UrlCitation {
    /// First character.
    pub start_index: usize,
    /// Behind the last one.
    pub end_index: usize,
    /// Its address.
    pub url: String,
    /// Its title.
    pub title: String,
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It was done, or met a stop sequence.
    Stop,
    /// It ran out of output.
    Length,
    /// It wants a tool's answer.
    ToolCalls,
    /// It refused.
    ContentFilter,
}

/// Tokens, OpenAI's way: the parts are counted in the whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ChatUsage {
    /// All input.
    pub prompt_tokens: u64,
    /// All output.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// Parts of the input.
    pub prompt_tokens_details: PromptDetails,
    /// Parts of the output.
    pub completion_tokens_details: CompletionDetails,
}

/// Parts of the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PromptDetails {
    /// Read from the cache.
    pub cached_tokens: u64,
}

/// Parts of the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CompletionDetails {
    /// Spent on reasoning.
    pub reasoning_tokens: u64,
}

impl From<Usage> for ChatUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.all_input(),
            completion_tokens: usage.output_tokens,
            total_tokens: usage.all_input() + usage.output_tokens,
            prompt_tokens_details: PromptDetails { cached_tokens: usage.cache_read_input_tokens },
            completion_tokens_details: CompletionDetails { reasoning_tokens: usage.reasoning_tokens },
        }
    }
}

/// The answer of a request without `stream`.
#[derive(Debug, Default, Serialize)]
pub struct Completion {
    /// `chatcmpl-…`.
    pub id: String,
    /// Always `chat.completion`.
    pub object: &'static str,
    /// Unix seconds.
    pub created: i64,
    /// The model's name as the client asked for it.
    pub model: String,
    /// One.
    pub choices: [Choice; 1],
    /// Tokens.
    pub usage: ChatUsage,
}

/// The only choice.
#[derive(Debug, Default, Serialize)]
pub struct Choice {
    /// Always 0.
    pub index: u8,
    /// The answer.
    pub message: Answered,
    /// Always null: the backend tells none.
    pub logprobs: Option<()>,
    /// Why the model stopped.
    pub finish_reason: Option<FinishReason>,
}

/// The answer's message.
#[derive(Debug, Default, Serialize)]
pub struct Answered {
    /// Always `assistant`.
    pub role: &'static str,
    /// Its text; null where it only calls.
    pub content: Option<String>,
    /// Always null: a refusal is text with a reason of its own.
    pub refusal: Option<()>,
    /// What is shown of the reasoning.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reasoning_content: String,
    /// Calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<Call>,
    /// Pages that the text is based on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
}

/// A call.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Call {
    /// Of a function.
    Function {
        /// The call's id.
        id: String,
        /// What is called.
        function: CalledFunction,
    },
    /// Of a text tool.
    Custom {
        /// The call's id.
        id: String,
        /// What is called.
        custom: CalledText,
    },
}

/// A function and its arguments.
#[derive(Debug, Serialize)]
pub struct CalledFunction {
    /// Its name.
    pub name: String,
    /// A JSON object, as a string.
    pub arguments: String,
}

impl CalledText {
    /// From the arguments of the function that stands for the tool. Arguments of another form are the text themselves.
    pub fn of(name: String, arguments: &str) -> Self {
        #[derive(serde::Deserialize)]
        struct Arguments {
            input: String,
        }
        let input = match serde_json::from_str::<Arguments>(arguments) {
            Ok(Arguments { input }) => input,
            Err(_) => arguments.to_owned(),
        };
        Self { name, input }
    }
}

/// Are these whole arguments?
pub(crate) fn is_whole(arguments: &str) -> bool {
    serde_json::from_str::<&RawValue>(arguments).is_ok()
}

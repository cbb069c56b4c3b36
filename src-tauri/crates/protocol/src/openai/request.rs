//! The body of `POST /codex/responses`, in both dialects (`upstream.md` §§b.3–b.5). Written once, straight into the
//! outgoing buffer.
//!
//! Only the members that the backend takes exist here: what it refuses can't be sent. Not here: which items a
//! conversation becomes (`translate`).

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::json::JsonStr;
use crate::route::Effort;

/// The request. Member order is part of the cached prefix: it stays as it is.
#[derive(Debug, Serialize)]
pub struct Request<'a> {
    /// The upstream model.
    pub model: &'a str,
    /// Only for an origin that insists on it, and then empty (DECISIONS 8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<&'static str>,
    /// The conversation.
    pub input: Vec<InputItem<'a>>,
    /// Classic only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolDefinition<'a>>,
    /// How to choose among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice<'a>>,
    /// May several calls come in one answer?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// How much to think.
    pub reasoning: Reasoning<'a>,
    /// Never stored.
    pub store: bool,
    /// Always a stream.
    pub stream: bool,
    /// Always the ciphertext of the reasoning.
    pub include: &'static [&'static str],
    /// A tier, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<&'a str>,
    /// The thread's id.
    pub prompt_cache_key: &'a str,
    /// Verbosity and output format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextControl<'a>>,
}

/// `reasoning`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reasoning<'a> {
    /// How much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// `auto` if the client wants to see thinking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<&'a str>,
    /// Lite: `all_turns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<&'a str>,
}

/// `text`.
#[derive(Debug, Serialize)]
pub struct TextControl<'a> {
    /// How wordy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<&'a str>,
    /// Structured output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<JsonSchemaFormat<'a>>,
}

/// `text.format`.
#[derive(Debug, Serialize)]
pub struct JsonSchemaFormat<'a> {
    /// `json_schema`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// A name for it.
    pub name: &'static str,
    /// Strict mode takes only a subset of JSON Schema.
    pub strict: bool,
    /// The schema.
    pub schema: Schema<'a>,
}

/// One input item.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InputItem<'a> {
    /// Something said.
    Message {
        /// Who said it.
        role: Role,
        /// What.
        content: Vec<InputPart<'a>>,
    },
    /// The model's reasoning, given back as ciphertext.
    Reasoning {
        /// The item's id, where it is known.
        #[serde(skip_serializing_if = "str::is_empty")]
        id: Cow<'a, str>,
        /// What was shown of it.
        summary: Vec<SummaryPart<'a>>,
        /// The ciphertext.
        encrypted_content: Cow<'a, str>,
    },
    /// The model's call.
    FunctionCall {
        /// Its id.
        call_id: Cow<'a, str>,
        /// The function.
        name: Cow<'a, str>,
        /// A JSON object, as a string.
        arguments: Arguments<'a>,
    },
    /// The call's answer.
    FunctionCallOutput {
        /// The call's id.
        call_id: Cow<'a, str>,
        /// The answer.
        output: CallOutput<'a>,
    },
    /// Lite: the tools.
    AdditionalTools {
        /// Always `developer`.
        role: Role,
        /// The tools.
        tools: Vec<Tool<'a>>,
    },
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// System text; the backend refuses `system`.
    Developer,
    /// The model.
    Assistant,
}

/// A part of a message or of a call's output.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InputPart<'a> {
    /// Text from the client's side.
    InputText {
        /// The text.
        text: JsonStr<'a>,
    },
    /// Text from the model's side.
    OutputText {
        /// The text.
        text: JsonStr<'a>,
    },
    /// A picture.
    InputImage {
        /// An address or a data URL.
        image_url: String,
        /// Classic only.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'static str>,
    },
    /// A document.
    InputFile {
        /// Its name.
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<JsonStr<'a>>,
        /// A data URL.
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        /// An address.
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<Cow<'a, str>>,
    },
}

/// `summary_text`.
#[derive(Debug, Serialize)]
pub struct SummaryPart<'a> {
    /// Always `summary_text`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The text.
    pub text: JsonStr<'a>,
}

/// A call's answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum CallOutput<'a> {
    /// Text.
    Text(JsonStr<'a>),
    /// Text, pictures, documents, in order.
    Parts(Vec<InputPart<'a>>),
}

/// The arguments of a replayed call: raw JSON that goes out as a JSON string.
#[derive(Debug, Clone)]
pub enum Arguments<'a> {
    /// As the client replayed them.
    Raw(&'a RawValue),
    /// As the model wrote them.
    Original(&'a str),
    /// `{}`.
    Empty,
}

impl Serialize for Arguments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Raw(raw) => serializer.serialize_str(raw.get()),
            Self::Original(text) => serializer.serialize_str(text),
            Self::Empty => serializer.serialize_str("{}"),
        }
    }
}

/// A tool of the classic dialect: hosted ones exist only there.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ToolDefinition<'a> {
    /// One of the client's.
    Function(Tool<'a>),
    /// The backend's own web search.
    WebSearch(WebSearch<'a>),
}

/// The hosted web search (`upstream.md` §b.5).
#[derive(Debug, Serialize)]
pub struct WebSearch<'a> {
    /// Always `web_search`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Live results, not cached ones.
    pub external_web_access: bool,
    /// Which domains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<SearchFilters<'a>>,
    /// Where the user is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_location: Option<&'a RawValue>,
}

/// `filters` of the web search.
#[derive(Debug, Serialize)]
pub struct SearchFilters<'a> {
    /// Only these.
    pub allowed_domains: Vec<Cow<'a, str>>,
}

/// A function the model may call.
#[derive(Debug, Serialize)]
pub struct Tool<'a> {
    /// Always `function`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its name, at most 64 of `[A-Za-z0-9_-]`.
    pub name: Cow<'a, str>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<JsonStr<'a>>,
    /// Explicitly not strict: optional members stay optional (P17).
    pub strict: bool,
    /// The JSON Schema of its input.
    pub parameters: Schema<'a>,
}

/// A JSON Schema: as it came, or as its members in their order, some left out.
#[derive(Debug, Clone)]
pub enum Schema<'a> {
    /// Untouched.
    Raw(&'a RawValue),
    /// Rewritten at the top level only.
    Members(Vec<(Cow<'a, str>, Cow<'a, RawValue>)>),
    /// Rewritten throughout.
    Rewritten(Box<RawValue>),
}

impl Serialize for Schema<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Raw(raw) => raw.serialize(serializer),
            Self::Rewritten(raw) => raw.serialize(serializer),
            Self::Members(members) => serializer.collect_map(members.iter().map(|(key, value)| (key, value))),
        }
    }
}

/// `tool_choice`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// The model decides.
    Auto,
    /// Some tool.
    Required,
    /// No tool.
    None,
    /// This one.
    Function(Cow<'a, str>),
}

impl Serialize for ToolChoice<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Named<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            name: &'a str,
        }
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Required => serializer.serialize_str("required"),
            Self::None => serializer.serialize_str("none"),
            Self::Function(name) => Named { kind: "function", name }.serialize(serializer),
        }
    }
}

impl Request<'_> {
    /// The body, written into a buffer of about the right size.
    ///
    /// # Errors
    /// None in practice: our own types have string keys only.
    pub fn to_body(&self, size_hint: usize) -> Result<Vec<u8>, serde_json::Error> {
        let mut body = Vec::with_capacity(size_hint + size_hint / 8 + 1024);
        serde_json::to_writer(&mut body, self)?;
        Ok(body)
    }
}

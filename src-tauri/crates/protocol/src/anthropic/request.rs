//! The body of `POST /v1/messages` and `/v1/messages/count_tokens`, borrowed from the bytes it came in.
//!
//! What we look into is typed; tool input and schemas stay raw JSON; text keeps its escaped form. Members we don't know
//! are no error, as the gateway contract asks (`gateway.md`); they are kept, so that translation can tell of them. Not here: what any of it means upstream (`translate`).

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;

use super::block::Block;
use crate::body::read;
use crate::failure::Failure;
use crate::json::{JsonStr, TextOr};
use crate::open::{Open, Rest};

/// How Claude Code's billing line begins: the first system text, different from request to request.
pub const BILLING_LINE: &str = "x-anthropic-billing-header:";

/// The whole request.
#[derive(Debug, Clone, Deserialize)]
pub struct MessagesRequest<'a> {
    /// The model's name, as the client knows it.
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    /// The conversation.
    #[serde(borrow)]
    pub messages: Vec<Open<'a, Message<'a>>>,
    /// The system prompt.
    #[serde(borrow, default)]
    pub system: Option<Content<'a>>,
    /// What the model may call.
    #[serde(borrow, default)]
    pub tools: Vec<Open<'a, Tool<'a>>>,
    /// How it must choose among them.
    #[serde(borrow, default)]
    pub tool_choice: Option<Open<'a, ToolChoice<'a>>>,
    /// The client's output limit. Required by the API on `/v1/messages`, never forwarded.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// Answer as a stream?
    #[serde(default)]
    pub stream: Option<bool>,
    /// Is thinking wanted, and how shown?
    #[serde(borrow, default)]
    pub thinking: Option<Open<'a, Thinking<'a>>>,
    /// Effort and output format.
    #[serde(borrow, default)]
    pub output_config: Option<Open<'a, OutputConfig<'a>>>,
    /// The older place of the output format.
    #[serde(borrow, default)]
    pub output_format: Option<Open<'a, OutputFormat<'a>>>,
    /// Where to cut the answer.
    #[serde(borrow, default)]
    pub stop_sequences: Option<Vec<Cow<'a, str>>>,
    /// Holds the session id.
    #[serde(borrow, default)]
    pub metadata: Option<Open<'a, Metadata<'a>>>,
    /// Server-side threads: refused (M07).
    #[serde(borrow, default)]
    pub thread: Option<&'a RawValue>,
    /// Auto mode's verdicts: refused (M08).
    #[serde(borrow, default)]
    pub safeguards: Option<&'a RawValue>,
    /// `fast` asks for the priority tier.
    #[serde(borrow, default)]
    pub speed: Option<Cow<'a, str>>,
    /// `priority` asks for that tier too; Anthropic's own words are about Anthropic's capacity.
    #[serde(borrow, default)]
    pub service_tier: Option<Cow<'a, str>>,
    /// Which parts of the conversation to clear (R62). Read by translation: a mistake in it is no error.
    #[serde(borrow, default)]
    pub context_management: Option<&'a RawValue>,
    /// What this version does not know.
    #[serde(skip)]
    pub rest: Rest<'a>,
}

/// One message.
#[derive(Debug, Clone, Deserialize)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    #[serde(borrow)]
    pub content: Content<'a>,
    /// Per-turn control that some `system` messages carry (M01).
    #[serde(borrow, default)]
    pub output_config: Option<Open<'a, OutputConfig<'a>>>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person, or the program on their behalf.
    User,
    /// The model.
    Assistant,
    /// Claude Code's notes to the model, in the middle of the conversation (M01).
    System,
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Cow::<'de, str>::deserialize(deserializer)?;
        match word.as_ref() {
            "user" => Ok(Self::User),
            "assistant" => Ok(Self::Assistant),
            "system" | "developer" => Ok(Self::System),
            other => Err(D::Error::custom(format_args!(
                "unknown role {other:?}, expected \"user\", \"assistant\" or \"system\""
            ))),
        }
    }
}

/// Text, or a list of content blocks.
#[derive(Debug, Clone)]
pub enum Content<'a> {
    /// A plain string.
    Text(JsonStr<'a>),
    /// Blocks.
    Blocks(Vec<Block<'a>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match TextOr::read(deserializer, "content blocks")? {
            TextOr::Text(text) => Self::Text(text),
            TextOr::List(list) => Self::Blocks(list),
        })
    }
}

/// A tool the model may call: the client's own (`input_schema`), or a server tool (`type`).
#[derive(Debug, Clone, Deserialize)]
pub struct Tool<'a> {
    /// Absent or `custom` for the client's own tools, else e.g. `web_search_20250305`.
    #[serde(borrow, rename = "type", default)]
    pub kind: Option<Cow<'a, str>>,
    /// Its name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// What it is for.
    #[serde(borrow, default)]
    pub description: Option<JsonStr<'a>>,
    /// Claude Code loads it later and hides it until then (M02): nothing is left to do.
    #[serde(borrow, default)]
    pub defer_loading: Option<&'a RawValue>,
    /// Its arguments shall come in pieces: they always do.
    #[serde(borrow, default)]
    pub eager_input_streaming: Option<&'a RawValue>,
    /// The JSON Schema of its input.
    #[serde(borrow, default)]
    pub input_schema: Option<&'a RawValue>,
    /// Web search: how many searches at the most.
    #[serde(default)]
    pub max_uses: Option<u64>,
    /// Web search: only these domains.
    #[serde(borrow, default)]
    pub allowed_domains: Option<Vec<Cow<'a, str>>>,
    /// Web search: none of these domains.
    #[serde(borrow, default)]
    pub blocked_domains: Option<Vec<Cow<'a, str>>>,
    /// Web search: where the user is. Both protocols use the same object.
    #[serde(borrow, default)]
    pub user_location: Option<&'a RawValue>,
}

impl Tool<'_> {
    /// True for a tool that the API's own servers would run.
    pub fn is_server_tool(&self) -> bool {
        self.input_schema.is_none() && self.kind.as_deref().is_some_and(|kind| kind != "custom")
    }
}

impl Tool<'_> {
    /// True for the API's web search.
    pub fn is_web_search(&self) -> bool {
        self.is_server_tool() && self.kind.as_deref().is_some_and(|kind| kind.starts_with("web_search"))
    }
}

/// `tool_choice`.
#[derive(Debug, Clone, Deserialize)]
pub struct ToolChoice<'a> {
    /// The rule.
    #[serde(rename = "type")]
    pub kind: ToolChoiceKind,
    /// The tool's name, with `tool`.
    #[serde(borrow, default)]
    pub name: Option<Cow<'a, str>>,
    /// At most one call a turn.
    #[serde(default)]
    pub disable_parallel_tool_use: bool,
}

/// The kinds of `tool_choice`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolChoiceKind {
    /// The model decides.
    Auto,
    /// Some tool must be called.
    Any,
    /// None may be called.
    None,
    /// This one must be called.
    Tool,
}

/// `thinking`.
#[derive(Debug, Clone, Deserialize)]
pub struct Thinking<'a> {
    /// `enabled`, `adaptive`, `disabled`.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// The older way to say how much.
    #[serde(default)]
    pub budget_tokens: Option<u64>,
    /// `omitted`: only signatures are wanted.
    #[serde(borrow, default)]
    pub display: Option<Cow<'a, str>>,
}

/// `output_config`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct OutputConfig<'a> {
    /// An effort word.
    #[serde(borrow, default)]
    pub effort: Option<Cow<'a, str>>,
    /// Structured output.
    #[serde(borrow, default)]
    pub format: Option<Open<'a, OutputFormat<'a>>>,
}

/// `{"type":"json_schema","schema":…}`.
#[derive(Debug, Clone, Deserialize)]
pub struct OutputFormat<'a> {
    /// Only `json_schema` is known.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// The schema.
    #[serde(borrow, default)]
    pub schema: Option<&'a RawValue>,
}

/// `metadata`.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata<'a> {
    /// From Claude Code a JSON text with `session_id` (`claude-code.md` §3).
    #[serde(borrow, default)]
    pub user_id: Option<Cow<'a, str>>,
}

impl<'a> MessagesRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Failure::Invalid`] that names the field, with a path like `messages.3.content.0.source`.
    pub fn parse(body: &'a str) -> Result<Self, Failure> {
        let (request, rest) = read::<Self>(body)?;
        let request = Self { rest, ..request };
        if request.messages.is_empty() {
            return Err(Failure::invalid("messages", "at least one message is required"));
        }
        Ok(request)
    }

    /// The web search tool, if it is offered.
    pub fn web_search(&self) -> Option<&Tool<'a>> {
        self.tools.iter().map(|tool| &**tool).find(|tool| tool.is_web_search())
    }

    /// The session that `metadata.user_id` names: `{"session_id":…}` in a JSON string, or
    /// `user_…_account_…_session_<uuid>`.
    pub fn session(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct UserId {
            session_id: String,
        }
        let user_id = self.metadata.as_ref()?.user_id.as_deref()?;
        let session = match serde_json::from_str::<UserId>(user_id) {
            Ok(parsed) => parsed.session_id,
            Err(_) => user_id.rsplit_once("_session_")?.1.to_owned(),
        };
        (!session.is_empty()).then_some(session)
    }

    /// Is the priority tier asked for?
    pub fn wants_speed(&self) -> bool {
        self.speed.as_deref() == Some("fast")
            || matches!(self.service_tier.as_deref(), Some("priority" | "fast"))
    }

    /// Is thinking wanted in the answer?
    pub fn wants_thinking(&self) -> bool {
        self.thinking.as_ref().is_some_and(|thinking| thinking.kind != "disabled")
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> String {
        MessagesRequest::parse(body).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_the_field() {
        for (body, expected) in [
            ("{", "the request body is not valid: EOF while parsing an object"),
            ("[]", "the request body must be a JSON object"),
            ("", "the request body must be a JSON object"),
            (r#"{"messages":[]}"#, "model: field required"),
            (r#"{"model":"m"}"#, "messages: field required"),
            (r#"{"model":"m","messages":[]}"#, "messages: at least one message is required"),
            (r#"{"model":7,"messages":[]}"#, "model: invalid type: integer `7`, expected a string"),
            (
                r#"{"model":"m","messages":[{"role":"robot","content":"x"}]}"#,
                "messages.0.role: unknown role \"robot\", expected \"user\", \"assistant\" or \"system\"",
            ),
            (r#"{"model":"m","messages":[{"role":"user"}]}"#, "messages.0.content: field required"),
            (
                r#"{"model":"m","messages":[{"role":"user","content":7}]}"#,
                "messages.0.content: invalid type: a number, expected a string or an array of content blocks",
            ),
            (
                r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text"}]}]}"#,
                "messages.1.content.0.text: field required",
            ),
            (
                r#"{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}"#,
                "messages.0.content.0.type: field required",
            ),
            (
                r#"{"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"base64"}}]}]}]}"#,
                "messages.0.content.0.content.0.source.data: field required",
            ),
            (
                r#"{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"description":"x"}]}"#,
                "tools.0.name: field required",
            ),
        ] {
            assert_eq!(error(body), expected, "{body}");
        }
    }

    #[test]
    fn unknown_members_and_blocks_are_no_error() {
        let request = MessagesRequest::parse(
            r#"{"model":"m","new":1,"messages":[{"role":"user","new":2,"content":[{"type":"new","a":[1]}]}]}"#,
        )
        .unwrap();
        let Content::Blocks(blocks) = &request.messages[0].content else { panic!() };
        assert!(matches!(&blocks[0], Block::Unknown { kind, .. } if kind == "new"));
    }
}

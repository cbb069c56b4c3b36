//! Content blocks, as they come in requests (`claude-code.md` §§3–6, `edge-cases.md` R06–R27).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::request::Content;
use crate::json::{JsonStr, wire_enum};

wire_enum! {
    /// One content block.
    pub enum Block<'a> {
        /// Text.
        "text" => Text(TextBlock<'a>),
        /// A picture.
        "image" => Image(ImageBlock<'a>),
        /// A PDF or another document.
        "document" => Document(DocumentBlock<'a>),
        /// Replayed thinking with its signature.
        "thinking" => Thinking(ThinkingBlock<'a>),
        /// Replayed thinking that is ciphertext only.
        "redacted_thinking" => RedactedThinking(RedactedThinkingBlock<'a>),
        /// The model's call of a tool.
        "tool_use" => ToolUse(ToolUseBlock<'a>),
        /// The tool's answer.
        "tool_result" => ToolResult(ToolResultBlock<'a>),
        /// "This tool can be called from now on" (M03).
        "tool_reference" => ToolReference(ToolReferenceBlock<'a>),
        /// A search that was made for the client, replayed.
        "server_tool_use" => ServerToolUse(ServerToolUseBlock<'a>),
        /// What it found.
        "web_search_tool_result" => WebSearchToolResult(WebSearchToolResultBlock<'a>),
    }
}

/// `text`.
#[derive(Debug, Clone, Deserialize)]
pub struct TextBlock<'a> {
    /// The text.
    #[serde(borrow)]
    pub text: JsonStr<'a>,
}

/// `image`, in Anthropic's shape (`source`) or in MCP's (`data`, `mimeType`; R18).
#[derive(Debug, Clone, Deserialize)]
pub struct ImageBlock<'a> {
    /// Where the bytes are.
    #[serde(borrow, default)]
    pub source: Option<Source<'a>>,
    /// MCP: base64.
    #[serde(borrow, default)]
    pub data: Option<JsonStr<'a>>,
    /// MCP: media type.
    #[serde(borrow, rename = "mimeType", default)]
    pub mime_type: Option<Cow<'a, str>>,
}

/// `document`.
#[derive(Debug, Clone, Deserialize)]
pub struct DocumentBlock<'a> {
    /// Where the content is.
    #[serde(borrow)]
    pub source: Source<'a>,
    /// Its name.
    #[serde(borrow, default)]
    pub title: Option<JsonStr<'a>>,
    /// What the client says about it.
    #[serde(borrow, default)]
    pub context: Option<JsonStr<'a>>,
}

wire_enum! {
    /// Where an image's or document's content is.
    pub enum Source<'a> {
        /// In the request.
        "base64" => Base64(Base64Source<'a>),
        /// On the web.
        "url" => Url(UrlSource<'a>),
        /// Plain text.
        "text" => Text(TextSource<'a>),
        /// Nested blocks.
        "content" => Content(ContentSource<'a>),
        /// In Anthropic's file store, which we can't read.
        "file" => File(FileSource<'a>),
    }
}

impl Source<'_> {
    /// The `type` on the wire.
    pub fn kind(&self) -> &str {
        match self {
            Self::Base64(_) => "base64",
            Self::Url(_) => "url",
            Self::Text(_) => "text",
            Self::Content(_) => "content",
            Self::File(_) => "file",
            Self::Unknown { kind, .. } => kind,
        }
    }
}

/// `base64`.
#[derive(Debug, Clone, Deserialize)]
pub struct Base64Source<'a> {
    /// E.g. `image/png`.
    #[serde(borrow, default)]
    pub media_type: Option<Cow<'a, str>>,
    /// The bytes.
    #[serde(borrow)]
    pub data: JsonStr<'a>,
}

/// `url`.
#[derive(Debug, Clone, Deserialize)]
pub struct UrlSource<'a> {
    /// The address.
    #[serde(borrow)]
    pub url: Cow<'a, str>,
}

/// `text`.
#[derive(Debug, Clone, Deserialize)]
pub struct TextSource<'a> {
    /// The text.
    #[serde(borrow)]
    pub data: JsonStr<'a>,
}

/// `content`.
#[derive(Debug, Clone, Deserialize)]
pub struct ContentSource<'a> {
    /// Text or blocks.
    #[serde(borrow)]
    pub content: Content<'a>,
}

/// `file`.
#[derive(Debug, Clone, Deserialize)]
pub struct FileSource<'a> {
    /// Its id.
    #[serde(borrow, default)]
    pub file_id: Cow<'a, str>,
}

/// `thinking`.
#[derive(Debug, Clone, Deserialize)]
pub struct ThinkingBlock<'a> {
    /// What was shown.
    #[serde(borrow, default = "no_text")]
    pub thinking: JsonStr<'a>,
    /// Our envelope, or something foreign.
    #[serde(borrow, default)]
    pub signature: Cow<'a, str>,
}

fn no_text<'a>() -> JsonStr<'a> {
    JsonStr::from("")
}

/// `redacted_thinking`.
#[derive(Debug, Clone, Deserialize)]
pub struct RedactedThinkingBlock<'a> {
    /// Our envelope, or something foreign.
    #[serde(borrow, default)]
    pub data: Cow<'a, str>,
}

/// `tool_use`.
#[derive(Debug, Clone, Deserialize)]
pub struct ToolUseBlock<'a> {
    /// The call's id.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// The tool.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The arguments, never rebuilt.
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
}

/// `tool_result`.
#[derive(Debug, Clone, Deserialize)]
pub struct ToolResultBlock<'a> {
    /// Which call it answers.
    #[serde(borrow)]
    pub tool_use_id: Cow<'a, str>,
    /// The answer.
    #[serde(borrow, default)]
    pub content: Option<Content<'a>>,
    /// Did the tool fail?
    #[serde(default)]
    pub is_error: Option<bool>,
}

/// `tool_reference`.
#[derive(Debug, Clone, Deserialize)]
pub struct ToolReferenceBlock<'a> {
    /// The tool.
    #[serde(borrow, default)]
    pub tool_name: Cow<'a, str>,
}

/// `server_tool_use`.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerToolUseBlock<'a> {
    /// The server's tool.
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    /// The arguments.
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
}

/// `web_search_tool_result`.
#[derive(Debug, Clone, Deserialize)]
pub struct WebSearchToolResultBlock<'a> {
    /// A list of pages, or an error object.
    #[serde(borrow)]
    pub content: &'a RawValue,
}

/// A page of a replayed search.
#[derive(Debug, Clone, Deserialize)]
pub struct WebSearchPage<'a> {
    /// Its title.
    #[serde(borrow, default)]
    pub title: Cow<'a, str>,
    /// Its address.
    #[serde(borrow, default)]
    pub url: Cow<'a, str>,
}

impl WebSearchToolResultBlock<'_> {
    /// The pages; `None` if the search failed.
    pub fn pages(&self) -> Option<Vec<WebSearchPage<'_>>> {
        serde_json::from_str(self.content.get()).ok()
    }
}

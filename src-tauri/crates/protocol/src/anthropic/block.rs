//! Content blocks, as they come in requests (`claude-code.md` §§3–6, `edge-cases.md` R06–R27).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::request::Content;
use crate::json::{JsonStr, wire_enum};
use crate::open::{Open, Rest};

wire_enum! {
    /// One content block.
    pub enum Block<'a> {
        /// Text.
        "text" => Text(Open<'a, TextBlock<'a>>),
        /// A picture.
        "image" => Image(Open<'a, ImageBlock<'a>>),
        /// A PDF or another document.
        "document" => Document(Open<'a, DocumentBlock<'a>>),
        /// Replayed thinking with its signature.
        "thinking" => Thinking(Open<'a, ThinkingBlock<'a>>),
        /// Replayed thinking that is ciphertext only.
        "redacted_thinking" => RedactedThinking(Open<'a, RedactedThinkingBlock<'a>>),
        /// The model's call of a tool.
        "tool_use" => ToolUse(Open<'a, ToolUseBlock<'a>>),
        /// The tool's answer.
        "tool_result" => ToolResult(Open<'a, ToolResultBlock<'a>>),
        /// "This tool can be called from now on" (M03).
        "tool_reference" => ToolReference(Open<'a, ToolReferenceBlock<'a>>),
        /// A search that was made for the client, replayed.
        "server_tool_use" => ServerToolUse(Open<'a, ServerToolUseBlock<'a>>),
        /// What it found.
        "web_search_tool_result" => WebSearchToolResult(Open<'a, WebSearchToolResultBlock<'a>>),
        /// A passage that the client found itself.
        "search_result" => SearchResult(Open<'a, SearchResultBlock<'a>>),
    }
}

impl<'a> Block<'a> {
    /// What this version does not know of it. (Of an unknown block it knows nothing: that one is carried whole.)
    pub fn rest(&self) -> Option<&Rest<'a>> {
        Some(match self {
            Self::Text(block) => &block.rest,
            Self::Image(block) => &block.rest,
            Self::Document(block) => &block.rest,
            Self::Thinking(block) => &block.rest,
            Self::RedactedThinking(block) => &block.rest,
            Self::ToolUse(block) => &block.rest,
            Self::ToolResult(block) => &block.rest,
            Self::ToolReference(block) => &block.rest,
            Self::ServerToolUse(block) => &block.rest,
            Self::WebSearchToolResult(block) => &block.rest,
            Self::SearchResult(block) => &block.rest,
            Self::Unknown { .. } => return None,
        })
    }

    /// Where its content comes from, if it has a source.
    pub fn source(&self) -> Option<&Source<'a>> {
        match self {
            Self::Image(image) => image.source.as_ref(),
            Self::Document(document) => Some(&document.source),
            _ => None,
        }
    }

    /// Are citations of it asked for?
    pub fn wants_citations(&self) -> bool {
        let citations = match self {
            Self::Document(document) => document.citations.as_ref(),
            Self::SearchResult(result) => result.citations.as_ref(),
            _ => None,
        };
        citations.is_some_and(Citations::are_wanted)
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
    /// Shall the answer cite it?
    #[serde(borrow, default)]
    pub citations: Option<Citations<'a>>,
}

/// `citations` of a document or a search result.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Citations<'a>(#[serde(borrow)] &'a RawValue);

impl Citations<'_> {
    /// Are they asked for?
    pub fn are_wanted(&self) -> bool {
        #[derive(Deserialize)]
        struct Switch {
            enabled: bool,
        }
        serde_json::from_str::<Switch>(self.0.get()).map_or(self.0.get() != "null", |switch| switch.enabled)
    }
}

/// `search_result`.
#[derive(Debug, Clone, Deserialize)]
pub struct SearchResultBlock<'a> {
    /// Where it was found.
    #[serde(borrow, default)]
    pub source: Cow<'a, str>,
    /// Its title.
    #[serde(borrow, default)]
    pub title: Cow<'a, str>,
    /// What stands there.
    #[serde(borrow)]
    pub content: Content<'a>,
    /// Shall the answer cite it?
    #[serde(borrow, default)]
    pub citations: Option<Citations<'a>>,
}

wire_enum! {
    /// Where an image's or document's content is.
    pub enum Source<'a> {
        /// In the request.
        "base64" => Base64(Open<'a, Base64Source<'a>>),
        /// On the web.
        "url" => Url(Open<'a, UrlSource<'a>>),
        /// Plain text.
        "text" => Text(Open<'a, TextSource<'a>>),
        /// Nested blocks.
        "content" => Content(Open<'a, ContentSource<'a>>),
        /// In Anthropic's file store, which we can't read.
        "file" => File(Open<'a, FileSource<'a>>),
    }
}

impl<'a> Source<'a> {
    /// What this version does not know of it.
    pub fn rest(&self) -> Option<&Rest<'a>> {
        Some(match self {
            Self::Base64(source) => &source.rest,
            Self::Url(source) => &source.rest,
            Self::Text(source) => &source.rest,
            Self::Content(source) => &source.rest,
            Self::File(source) => &source.rest,
            Self::Unknown { .. } => return None,
        })
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
    /// Always `text/plain`.
    #[serde(borrow, default)]
    pub media_type: Option<Cow<'a, str>>,
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
    /// Its id. The order tells which result is whose.
    #[serde(borrow, default)]
    pub id: Cow<'a, str>,
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
    /// The search. The order tells which one it was.
    #[serde(borrow, default)]
    pub tool_use_id: Cow<'a, str>,
    /// A list of pages, or an error object.
    #[serde(borrow)]
    pub content: &'a RawValue,
}

/// A page of a replayed search.
#[derive(Debug, Clone, Deserialize)]
pub struct WebSearchPage<'a> {
    /// Always `web_search_result`.
    #[serde(borrow, rename = "type", default)]
    pub kind: Cow<'a, str>,
    /// Its title.
    #[serde(borrow, default)]
    pub title: Cow<'a, str>,
    /// Its address.
    #[serde(borrow, default)]
    pub url: Cow<'a, str>,
}

impl WebSearchToolResultBlock<'_> {
    /// The pages; `None` if the search failed.
    pub fn pages(&self) -> Option<Vec<Open<'_, WebSearchPage<'_>>>> {
        serde_json::from_str(self.content.get()).ok()
    }
}

//! Output items: what a Responses stream says a model produced (`upstream.md` §b.4, §c.1).
//!
//! Not here: input items, which we write and never read (`request.rs`).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{JsonStr, wire_enum};

wire_enum! {
    /// One output item.
    pub enum OutputItem<'a> {
        /// Text for the user.
        "message" => Message(OutputMessage<'a>),
        /// Reasoning: a readable summary and the encrypted original.
        "reasoning" => Reasoning(OutputReasoning<'a>),
        /// A call of a client's function.
        "function_call" => FunctionCall(OutputCall<'a>),
        /// A search that the backend made.
        "web_search_call" => WebSearchCall(OutputSearch<'a>),
    }
}

wire_enum! {
    /// A part of a message.
    pub enum OutputPart<'a> {
        /// Text.
        "output_text" => Text(OutputText<'a>),
        /// A refusal, in words.
        "refusal" => Refusal(OutputRefusal<'a>),
    }
}

/// `message`.
#[derive(Debug, Clone, Deserialize)]
pub struct OutputMessage<'a> {
    /// The item's id.
    #[serde(borrow, default)]
    pub id: Cow<'a, str>,
    /// Its parts.
    #[serde(borrow, default)]
    pub content: Vec<OutputPart<'a>>,
}

/// `output_text`.
#[derive(Debug, Clone, Deserialize)]
pub struct OutputText<'a> {
    /// The text.
    #[serde(borrow)]
    pub text: JsonStr<'a>,
    /// What it is based on.
    #[serde(borrow, default)]
    pub annotations: Vec<Annotation<'a>>,
}

/// `refusal`.
#[derive(Debug, Clone, Deserialize)]
pub struct OutputRefusal<'a> {
    /// The text.
    #[serde(borrow)]
    pub refusal: JsonStr<'a>,
}

/// `reasoning`.
#[derive(Debug, Clone, Deserialize)]
pub struct OutputReasoning<'a> {
    /// The item's id.
    #[serde(borrow, default)]
    pub id: Cow<'a, str>,
    /// The summary's parts.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub summary: Vec<SummaryPart<'a>>,
    /// The ciphertext that stands for the reasoning in later turns.
    #[serde(borrow, default)]
    pub encrypted_content: Option<Cow<'a, str>>,
}

/// `summary_text`.
#[derive(Debug, Clone, Deserialize)]
pub struct SummaryPart<'a> {
    /// The text.
    #[serde(borrow)]
    pub text: JsonStr<'a>,
}

/// `function_call`.
#[derive(Debug, Clone, Deserialize)]
pub struct OutputCall<'a> {
    /// The item's id.
    #[serde(borrow, default)]
    pub id: Cow<'a, str>,
    /// The id that the result will name.
    #[serde(borrow, default)]
    pub call_id: Cow<'a, str>,
    /// The function. May be missing until the item is done (S10).
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    /// A JSON object in a string; empty until the item is done.
    #[serde(borrow, default)]
    pub arguments: Option<JsonStr<'a>>,
    /// `completed`, `in_progress`, `incomplete`.
    #[serde(borrow, default)]
    pub status: Option<Cow<'a, str>>,
}

wire_enum! {
    /// A note on a part of a text.
    pub enum Annotation<'a> {
        /// It comes from this page.
        "url_citation" => UrlCitation(UrlCitation<'a>),
    }
}

/// `url_citation`.
#[derive(Debug, Clone, Deserialize)]
pub struct UrlCitation<'a> {
    /// The page.
    #[serde(borrow)]
    pub url: Cow<'a, str>,
    /// Its title.
    #[serde(borrow, default)]
    pub title: Cow<'a, str>,
    /// First character of the cited text, counted in characters.
    #[serde(default)]
    pub start_index: usize,
    /// Behind its last one.
    #[serde(default)]
    pub end_index: usize,
}

/// `web_search_call`.
#[derive(Debug, Clone, Deserialize)]
pub struct OutputSearch<'a> {
    /// The item's id.
    #[serde(borrow, default)]
    pub id: Cow<'a, str>,
    /// `completed`, `in_progress`, `failed`.
    #[serde(borrow, default)]
    pub status: Cow<'a, str>,
    /// What was done.
    #[serde(borrow, default)]
    pub action: Option<SearchAction<'a>>,
}

/// `action` of a search: `search`, `open_page`, `find_in_page`, each with its own members.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct SearchAction<'a> {
    /// What was searched for.
    #[serde(borrow, default)]
    pub query: Option<Cow<'a, str>>,
    /// The same, several at once.
    #[serde(borrow, default)]
    pub queries: Option<Vec<Cow<'a, str>>>,
    /// The page that was opened.
    #[serde(borrow, default)]
    pub url: Option<Cow<'a, str>>,
    /// What was found; only if it was asked for (`web_search_call.action.sources`).
    #[serde(borrow, default)]
    pub sources: Option<Vec<SearchSource<'a>>>,
}

/// A page that was found.
#[derive(Debug, Clone, Deserialize)]
pub struct SearchSource<'a> {
    /// Its address.
    #[serde(borrow, default)]
    pub url: Cow<'a, str>,
    /// Its title, where it is told.
    #[serde(borrow, default)]
    pub title: Option<Cow<'a, str>>,
}

impl OutputItem<'_> {
    /// The item's id, empty if it has none.
    pub fn id(&self) -> Cow<'_, str> {
        match self {
            Self::Message(item) => Cow::Borrowed(&item.id),
            Self::Reasoning(item) => Cow::Borrowed(&item.id),
            Self::FunctionCall(item) => Cow::Borrowed(&item.id),
            Self::WebSearchCall(item) => Cow::Borrowed(&item.id),
            Self::Unknown { raw, .. } => id_of(raw),
        }
    }
}

fn id_of(raw: &RawValue) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Id<'a> {
        #[serde(borrow, default)]
        id: Cow<'a, str>,
    }
    serde_json::from_str::<Id<'_>>(raw.get()).map(|id| id.id).unwrap_or_default()
}

fn null_is_empty<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<SummaryPart<'a>>, D::Error> {
    Ok(Option::<Vec<SummaryPart<'a>>>::deserialize(deserializer)?.unwrap_or_default())
}

//! The body of `POST /v1/responses`, as OpenAI's clients send it. What must be looked into is typed, everything else is
//! carried raw.
//!
//! Not here: what goes to the backend (`request.rs`), and what is changed on the way (`translate/passing`).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::body::read;
use crate::failure::Failure;
use crate::json::{JsonStr, TextOr};
use crate::open::Rest;

/// The whole request.
#[derive(Debug, Clone, Deserialize)]
pub struct ClientRequest<'a> {
    /// The model's name.
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    /// The conversation, or what is new in it.
    #[serde(borrow, default)]
    pub input: Option<Input<'a>>,
    /// System text.
    #[serde(borrow, default)]
    pub instructions: Option<JsonStr<'a>>,
    /// The response that this goes on with.
    #[serde(borrow, default)]
    pub previous_response_id: Option<Cow<'a, str>>,
    /// Tools, as they are.
    #[serde(borrow, default)]
    pub tools: Option<Vec<&'a RawValue>>,
    /// How to choose among them.
    #[serde(borrow, default)]
    pub tool_choice: Option<&'a RawValue>,
    /// May several calls come in one answer?
    #[serde(default)]
    pub parallel_tool_calls: Option<bool>,
    /// How much to think, and how to show it.
    #[serde(borrow, default)]
    pub reasoning: Option<ClientReasoning<'a>>,
    /// What the answer shall hold besides.
    #[serde(borrow, default)]
    pub include: Option<Vec<Cow<'a, str>>>,
    /// Form and verbosity of the text.
    #[serde(borrow, default)]
    pub text: Option<&'a RawValue>,
    /// Which tier of service.
    #[serde(borrow, default)]
    pub service_tier: Option<Cow<'a, str>>,
    /// What groups requests that begin alike.
    #[serde(borrow, default)]
    pub prompt_cache_key: Option<Cow<'a, str>>,
    /// May a later request name this response? OpenAI's default is yes.
    #[serde(default)]
    pub store: Option<bool>,
    /// Answer as a stream?
    #[serde(default)]
    pub stream: Option<bool>,
    /// Answer later: nobody here would.
    #[serde(default)]
    pub background: Option<bool>,
    /// A conversation that OpenAI keeps.
    #[serde(borrow, default)]
    pub conversation: Option<&'a RawValue>,
    /// A prompt that OpenAI keeps.
    #[serde(borrow, default)]
    pub prompt: Option<&'a RawValue>,
    /// What this version does not know: it goes on as it is, but for what the backend is known to refuse.
    #[serde(skip)]
    pub rest: Rest<'a>,
}

/// `input`.
#[derive(Debug, Clone)]
pub enum Input<'a> {
    /// A plain string: what the user says.
    Text(JsonStr<'a>),
    /// Items, as they are.
    Items(Vec<&'a RawValue>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Input<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match TextOr::read(deserializer, "input items")? {
            TextOr::Text(text) => Self::Text(text),
            TextOr::List(list) => Self::Items(list),
        })
    }
}

/// `reasoning`. Members that are missing here are of no use to the backend.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ClientReasoning<'a> {
    /// How much.
    #[serde(borrow, default)]
    pub effort: Option<Cow<'a, str>>,
    /// How to show it: `auto`, `concise`, `detailed`.
    #[serde(borrow, default)]
    pub summary: Option<Cow<'a, str>>,
    /// The summary's older name.
    #[serde(borrow, default)]
    pub generate_summary: Option<Cow<'a, str>>,
    /// How much of earlier reasoning the model sees.
    #[serde(borrow, default)]
    pub context: Option<Cow<'a, str>>,
}

/// What is looked at of an item.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ItemHead<'a> {
    /// Its type; a message may go without.
    #[serde(borrow, rename = "type", default)]
    pub kind: Option<Cow<'a, str>>,
    /// Who speaks, in a message.
    #[serde(borrow, default)]
    pub role: Option<Cow<'a, str>>,
    /// Its id.
    #[serde(borrow, default)]
    pub id: Option<Cow<'a, str>>,
}

/// What is looked at of a tool.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ToolHead<'a> {
    /// Its type.
    #[serde(borrow, rename = "type", default)]
    pub kind: Cow<'a, str>,
}

impl ToolHead<'_> {
    /// Would the backend run it itself?
    pub fn is_hosted(&self) -> bool {
        !matches!(self.kind.as_ref(), "function" | "custom" | "namespace" | "tool_search" | "local_shell")
    }
}

impl<'a> ClientRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Failure::Invalid`] that names the field.
    pub fn parse(body: &'a str) -> Result<Self, Failure> {
        let (request, rest) = read::<Self>(body)?;
        Ok(Self { rest, ..request })
    }

    /// The items, if the input is a list.
    pub fn items(&self) -> &[&'a RawValue] {
        match &self.input {
            Some(Input::Items(items)) => items,
            Some(Input::Text(_)) | None => &[],
        }
    }

    /// Is a tool offered that the backend would run itself?
    pub fn offers_hosted_tools(&self) -> bool {
        self.tools
            .iter()
            .flatten()
            .any(|tool| serde_json::from_str::<ToolHead<'_>>(tool.get()).is_ok_and(|head| head.is_hosted()))
    }

    /// Is the priority tier asked for?
    pub fn wants_speed(&self) -> bool {
        matches!(self.service_tier.as_deref(), Some("priority" | "fast"))
    }

    /// Does it go on with the user's turn? Then its last item answers a call.
    pub fn goes_on(&self) -> bool {
        let last = self.items().last().and_then(|item| serde_json::from_str::<ItemHead<'_>>(item.get()).ok());
        last.and_then(|head| head.kind).is_some_and(|kind| kind.ends_with("_output"))
    }
}

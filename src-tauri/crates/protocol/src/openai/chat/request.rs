//! The body of `POST /v1/chat/completions`, borrowed from the bytes it came in.
//!
//! Members we don't know are no error; they are kept, so that translation can tell of them. Not here: what any of it
//! means (`translate/chat`), the answer (`answer.rs`).

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;

use crate::body::read;
use crate::failure::Failure;
use crate::json::{JsonStr, TextOr, nested, wire_enum};
use crate::open::{Open, Rest};

/// The whole request.
#[derive(Debug, Clone, Deserialize)]
pub struct ChatRequest<'a> {
    /// The model's name.
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    /// The conversation.
    #[serde(borrow)]
    pub messages: Vec<Open<'a, Message<'a>>>,
    /// What the model may call.
    #[serde(borrow, default)]
    pub tools: Option<Vec<Tool<'a>>>,
    /// How it must choose among them: a word or an object.
    #[serde(borrow, default)]
    pub tool_choice: Option<ToolChoice<'a>>,
    /// May several calls come in one answer?
    #[serde(default)]
    pub parallel_tool_calls: Option<bool>,
    /// Answer as a stream?
    #[serde(default)]
    pub stream: Option<bool>,
    /// What a stream holds beside the answer.
    #[serde(borrow, default)]
    pub stream_options: Option<Open<'a, StreamOptions>>,
    /// How much to think.
    #[serde(borrow, default)]
    pub reasoning_effort: Option<Cow<'a, str>>,
    /// How wordy the answer shall be.
    #[serde(borrow, default)]
    pub verbosity: Option<Cow<'a, str>>,
    /// The form that the answer must have.
    #[serde(borrow, default)]
    pub response_format: Option<ResponseFormat<'a>>,
    /// Where to cut the answer: a string or several.
    #[serde(borrow, default)]
    pub stop: Option<Stop<'a>>,
    /// The older name of the output limit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// The output limit.
    #[serde(default)]
    pub max_completion_tokens: Option<u64>,
    /// How many answers.
    #[serde(default)]
    pub n: Option<u64>,
    /// Which tier of service.
    #[serde(borrow, default)]
    pub service_tier: Option<Cow<'a, str>>,
    /// What groups requests that begin alike.
    #[serde(borrow, default)]
    pub prompt_cache_key: Option<Cow<'a, str>>,
    /// The model may search the web.
    #[serde(borrow, default)]
    pub web_search_options: Option<Open<'a, WebSearchOptions<'a>>>,
    /// `text`, `audio`.
    #[serde(borrow, default)]
    pub modalities: Option<Vec<Cow<'a, str>>>,
    /// The form of tools before there were `tools`.
    #[serde(borrow, default)]
    pub functions: Option<&'a RawValue>,
    /// What this version does not know.
    #[serde(skip)]
    pub rest: Rest<'a>,
}

/// One message.
#[derive(Debug, Clone, Deserialize)]
pub struct Message<'a> {
    /// Who speaks: `system`, `developer`, `user`, `assistant`, `tool`, `function`.
    #[serde(borrow)]
    pub role: Cow<'a, str>,
    /// What is said. Absent or null where an assistant only calls tools.
    #[serde(borrow, default)]
    pub content: Option<Content<'a>>,
    /// The model's calls.
    #[serde(borrow, default)]
    pub tool_calls: Option<Vec<ToolCall<'a>>>,
    /// The call that a `tool` message answers.
    #[serde(borrow, default)]
    pub tool_call_id: Option<Cow<'a, str>>,
    /// The model's refusal, in words.
    #[serde(borrow, default)]
    pub refusal: Option<JsonStr<'a>>,
}

/// Text, or a list of parts.
#[derive(Debug, Clone)]
pub enum Content<'a> {
    /// A plain string.
    Text(JsonStr<'a>),
    /// Parts.
    Parts(Vec<Part<'a>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match TextOr::read(deserializer, "content parts")? {
            TextOr::Text(text) => Self::Text(text),
            TextOr::List(list) => Self::Parts(list),
        })
    }
}

wire_enum! {
    /// One part of a message.
    pub enum Part<'a> {
        /// Text.
        "text" => Text(Open<'a, TextPart<'a>>),
        /// A picture.
        "image_url" => Image(Open<'a, ImagePart<'a>>),
        /// A document.
        "file" => File(Open<'a, FilePart<'a>>),
        /// The model's refusal, replayed.
        "refusal" => Refusal(Open<'a, RefusalPart<'a>>),
        /// Speech.
        "input_audio" => Audio(AudioPart),
    }
}

/// `text`.
#[derive(Debug, Clone, Deserialize)]
pub struct TextPart<'a> {
    /// The text.
    #[serde(borrow)]
    pub text: JsonStr<'a>,
}

/// `refusal`.
#[derive(Debug, Clone, Deserialize)]
pub struct RefusalPart<'a> {
    /// The text.
    #[serde(borrow)]
    pub refusal: JsonStr<'a>,
}

/// `image_url`.
#[derive(Debug, Clone, Deserialize)]
pub struct ImagePart<'a> {
    /// Where it is.
    #[serde(borrow)]
    pub image_url: Open<'a, ImageUrl<'a>>,
}

/// The inner object of a picture.
#[derive(Debug, Clone, Deserialize)]
pub struct ImageUrl<'a> {
    /// An address or a data URL.
    #[serde(borrow)]
    pub url: Cow<'a, str>,
    /// How closely to look.
    #[serde(borrow, default)]
    pub detail: Option<Cow<'a, str>>,
}

/// `file`.
#[derive(Debug, Clone, Deserialize)]
pub struct FilePart<'a> {
    /// The file.
    #[serde(borrow)]
    pub file: Open<'a, File<'a>>,
}

/// The inner object of a file.
#[derive(Debug, Clone, Deserialize)]
pub struct File<'a> {
    /// A data URL, or bare base64.
    #[serde(borrow, default)]
    pub file_data: Option<Cow<'a, str>>,
    /// A file that OpenAI keeps.
    #[serde(borrow, default)]
    pub file_id: Option<Cow<'a, str>>,
    /// Its name.
    #[serde(borrow, default)]
    pub filename: Option<JsonStr<'a>>,
}

/// `input_audio`: there is nobody to hear it.
#[derive(Debug, Clone, Deserialize)]
pub struct AudioPart {}

wire_enum! {
    /// A call of the model's, replayed.
    pub enum ToolCall<'a> {
        /// Of a function.
        "function" => Function(Open<'a, FunctionCall<'a>>),
        /// Of a tool that takes text.
        "custom" => Custom(Open<'a, CustomCall<'a>>),
    }
}

impl ToolCall<'_> {
    /// The call's id, if it is a call that we know.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Function(call) => Some(&call.id),
            Self::Custom(call) => Some(&call.id),
            Self::Unknown { .. } => None,
        }
    }
}

/// `function`.
#[derive(Debug, Clone, Deserialize)]
pub struct FunctionCall<'a> {
    /// The call's id.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// What is called.
    #[serde(borrow)]
    pub function: Called<'a>,
}

/// The function and its arguments.
#[derive(Debug, Clone, Deserialize)]
pub struct Called<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// A JSON object, as a string.
    #[serde(borrow, default)]
    pub arguments: Option<JsonStr<'a>>,
}

/// `custom`.
#[derive(Debug, Clone, Deserialize)]
pub struct CustomCall<'a> {
    /// The call's id.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// What is called.
    #[serde(borrow)]
    pub custom: CalledCustom<'a>,
}

/// The tool and its text.
#[derive(Debug, Clone, Deserialize)]
pub struct CalledCustom<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The text.
    #[serde(borrow)]
    pub input: JsonStr<'a>,
}

wire_enum! {
    /// A tool that the model may call.
    pub enum Tool<'a> {
        /// A function.
        "function" => Function(Open<'a, FunctionTool<'a>>),
        /// A tool that takes text.
        "custom" => Custom(Open<'a, CustomTool<'a>>),
    }
}

/// `function`.
#[derive(Debug, Clone, Deserialize)]
pub struct FunctionTool<'a> {
    /// The function.
    #[serde(borrow)]
    pub function: Open<'a, Function<'a>>,
}

/// A function's description.
#[derive(Debug, Clone, Deserialize)]
pub struct Function<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// What it is for.
    #[serde(borrow, default)]
    pub description: Option<JsonStr<'a>>,
    /// The JSON Schema of its arguments.
    #[serde(borrow, default)]
    pub parameters: Option<&'a RawValue>,
    /// Must the arguments follow the schema?
    #[serde(borrow, default)]
    pub strict: Option<&'a RawValue>,
}

/// `custom`.
#[derive(Debug, Clone, Deserialize)]
pub struct CustomTool<'a> {
    /// The tool.
    #[serde(borrow)]
    pub custom: Open<'a, Custom<'a>>,
}

/// A text tool's description.
#[derive(Debug, Clone, Deserialize)]
pub struct Custom<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// What it is for.
    #[serde(borrow, default)]
    pub description: Option<JsonStr<'a>>,
    /// What the text must look like: free, or a grammar.
    #[serde(borrow, default)]
    pub format: Option<&'a RawValue>,
}

/// `tool_choice`.
#[derive(Debug, Clone)]
pub enum ToolChoice<'a> {
    /// `auto`, `none`, `required`.
    Word(Cow<'a, str>),
    /// This tool.
    Named(Cow<'a, str>),
    /// Some of the tools only.
    Allowed {
        /// `auto` or `required`.
        mode: Cow<'a, str>,
    },
}

impl<'de: 'a, 'a> Deserialize<'de> for ToolChoice<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Name<'a> {
            #[serde(borrow)]
            name: Cow<'a, str>,
        }
        #[derive(Deserialize)]
        struct Allowed<'a> {
            #[serde(borrow)]
            mode: Cow<'a, str>,
        }
        #[derive(Deserialize)]
        struct Object<'a> {
            #[serde(borrow, default)]
            function: Option<Name<'a>>,
            #[serde(borrow, default)]
            custom: Option<Name<'a>>,
            #[serde(borrow, default)]
            allowed_tools: Option<Allowed<'a>>,
        }
        let raw = <&'a RawValue>::deserialize(deserializer)?;
        if raw.get().starts_with('"') {
            return nested(raw).map(Self::Word).map_err(D::Error::custom);
        }
        let object: Object<'a> = nested(raw).map_err(D::Error::custom)?;
        match (object.function.or(object.custom), object.allowed_tools) {
            (Some(Name { name }), _) => Ok(Self::Named(name)),
            (None, Some(Allowed { mode })) => Ok(Self::Allowed { mode }),
            (None, None) => {
                Err(D::Error::custom("expected a word, a function, a custom tool or allowed_tools"))
            }
        }
    }
}

/// `stream_options`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct StreamOptions {
    /// A last chunk with the usage?
    #[serde(default)]
    pub include_usage: Option<bool>,
    /// Padding against guesses from sizes: there is none here.
    #[serde(default)]
    pub include_obfuscation: Option<bool>,
}

wire_enum! {
    /// `response_format`.
    pub enum ResponseFormat<'a> {
        /// Anything.
        "text" => Text(TextFormat),
        /// Some JSON object.
        "json_object" => JsonObject(TextFormat),
        /// JSON of this form.
        "json_schema" => JsonSchema(SchemaFormat<'a>),
    }
}

/// No more than its type.
#[derive(Debug, Clone, Deserialize)]
pub struct TextFormat {}

/// `json_schema`.
#[derive(Debug, Clone, Deserialize)]
pub struct SchemaFormat<'a> {
    /// The inner object.
    #[serde(borrow)]
    pub json_schema: NamedSchema<'a>,
}

/// A schema with a name; the name and the description say nothing that must be kept.
#[derive(Debug, Clone, Deserialize)]
pub struct NamedSchema<'a> {
    /// The schema.
    #[serde(borrow, default)]
    pub schema: Option<&'a RawValue>,
}

/// `stop`.
#[derive(Debug, Clone)]
pub struct Stop<'a>(pub Vec<JsonStr<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Stop<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'a RawValue>::deserialize(deserializer)?;
        if raw.get().starts_with('"') {
            return Ok(Self(vec![JsonStr::Literal(raw)]));
        }
        nested(raw).map(Self).map_err(D::Error::custom)
    }
}

/// `web_search_options`.
#[derive(Debug, Clone, Deserialize)]
pub struct WebSearchOptions<'a> {
    /// Where the user is.
    #[serde(borrow, default)]
    pub user_location: Option<UserLocation<'a>>,
}

/// The outer object of a location.
#[derive(Debug, Clone, Deserialize)]
pub struct UserLocation<'a> {
    /// City, region, country, timezone.
    #[serde(borrow, default)]
    pub approximate: Option<Place<'a>>,
}

/// Roughly where.
#[derive(Debug, Clone, Deserialize, serde::Serialize)]
pub struct Place<'a> {
    /// The city.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub city: Option<JsonStr<'a>>,
    /// The region.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub region: Option<JsonStr<'a>>,
    /// The country, two letters.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub country: Option<JsonStr<'a>>,
    /// The time zone.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<JsonStr<'a>>,
}

impl<'a> ChatRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Failure::Invalid`] that names the field, with a path like `messages.3.content.0.image_url`.
    pub fn parse(body: &'a str) -> Result<Self, Failure> {
        let (request, rest) = read::<Self>(body)?;
        let request = Self { rest, ..request };
        if request.messages.is_empty() {
            return Err(Failure::invalid("messages", "at least one message is required"));
        }
        Ok(request)
    }
}

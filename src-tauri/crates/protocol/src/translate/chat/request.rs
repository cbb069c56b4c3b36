//! A chat → a Messages request, as JSON.
//!
//! What the Messages API has no word for is noted or refused here; everything else is judged where Messages requests are
//! translated.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::json::JsonStr;
use crate::openai::chat::request::{
    ChatRequest, Content, CustomTool, File, FunctionTool, Message, Part, Place, ResponseFormat, Tool,
    ToolCall, ToolChoice,
};
use crate::translate::notes::{Notes, What};

/// A limit that bounds nothing, for the many that set none: the Messages API insists on one.
const NO_LIMIT: u64 = 32_000;

/// What a chat becomes.
#[derive(Debug)]
pub struct Chat {
    /// The Messages request.
    pub body: Vec<u8>,
    /// How the answer is told.
    pub form: ChatForm,
    /// How wordy it shall be, in the backend's word.
    pub verbosity: Option<&'static str>,
    /// What was not carried over as it was.
    pub notes: Notes,
}

/// How the answer of a chat is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatForm {
    /// Does a last chunk tell the usage?
    pub include_usage: bool,
    /// Tools whose input is text, not JSON.
    pub custom: HashSet<String>,
}

/// Reasoning before a call, signed. Chats can't carry it, so it is remembered for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thought {
    /// What was shown of it.
    pub text: String,
    /// Our envelope.
    pub signature: String,
}

/// What was thought before a call, by the call's id, as far as it is known for one request.
pub type Thoughts = HashMap<String, Arc<[Thought]>>;

/// Translates a chat.
///
/// # Errors
/// [`Failure::Invalid`]: what the client must change.
pub fn chat_to_messages(request: &ChatRequest<'_>, thoughts: &Thoughts) -> Result<Chat, Failure> {
    refuse_what_cannot_be_had(request)?;
    let mut notes = Notes::default();
    notes.rest_of_request(&request.rest);
    let (tools, custom) = tools(request, &mut notes);
    let mut messages = Vec::with_capacity(request.messages.len());
    for (m, message) in request.messages.iter().enumerate() {
        notes.rest(format_args!("messages.{m}"), &message.rest);
        let mut reader = Reader { place: format!("messages.{m}"), notes: &mut notes, thoughts };
        match message.role.as_ref() {
            // Where they stand: so the paths of errors and notes are the client's own.
            "system" | "developer" => {
                messages.push(Turn { role: "system", content: reader.content(message)? });
            }
            "user" => messages.push(Turn { role: "user", content: reader.content(message)? }),
            "assistant" => messages.push(Turn { role: "assistant", content: reader.assistant(message)? }),
            "tool" => messages.push(Turn { role: "user", content: vec![reader.result(message)?] }),
            "function" => return Err(deprecated("messages")),
            other => {
                let expected = "expected \"developer\", \"system\", \"user\", \"assistant\" or \"tool\"";
                let message = format_args!("unknown role {other:?}, {expected}");
                return Err(Failure::invalid(format!("messages.{m}.role"), message));
            }
        }
    }
    let verbosity = request.verbosity.as_deref().and_then(|word| {
        let known = ["low", "medium", "high"].into_iter().find(|known| *known == word);
        if known.is_none() {
            notes.add(What::Dropped, "verbosity", format!("there is no verbosity {word:?} here"));
        }
        known
    });
    let output_config = OutputConfig {
        effort: request.reasoning_effort.as_deref().filter(|word| *word != "none"),
        format: format(request, &mut notes),
    };
    let body = Body {
        model: &request.model,
        max_tokens: request.max_completion_tokens.or(request.max_tokens).unwrap_or(NO_LIMIT),
        stream: request.stream.unwrap_or_default(),
        messages,
        tool_choice: tool_choice(request, &mut notes)?,
        tools,
        thinking: Thinking {
            kind: match request.reasoning_effort.as_deref() {
                Some("none") => "disabled",
                _ => "adaptive",
            },
        },
        output_config,
        stop_sequences: request.stop.as_ref().map(|stop| stop.0.as_slice()).unwrap_or_default(),
        metadata: request.prompt_cache_key.as_deref().filter(|key| !key.is_empty()).map(Metadata::of),
        service_tier: request.service_tier.as_deref(),
    };
    let body = serde_json::to_vec(&body)
        .map_err(|error| Failure::Internal { message: format!("the chat can't be written: {error}") })?;
    let options = request.stream_options.as_deref();
    let include_usage = options.and_then(|options| options.include_usage).unwrap_or_default();
    Ok(Chat { body, form: ChatForm { include_usage, custom }, verbosity, notes })
}

fn deprecated(place: &str) -> Failure {
    Failure::invalid(place, "functions were replaced by tools, and only those are understood here")
}

fn refuse_what_cannot_be_had(request: &ChatRequest<'_>) -> Result<(), Failure> {
    if request.n.is_some_and(|n| n > 1) {
        return Err(Failure::invalid("n", "the backend gives one answer to a request; send several"));
    }
    if request.functions.is_some_and(|raw| !matches!(raw.get(), "null" | "[]")) {
        return Err(deprecated("functions"));
    }
    if request.modalities.iter().flatten().any(|kind| kind != "text") {
        return Err(Failure::invalid("modalities", "the backend answers in text only"));
    }
    Ok(())
}

/// Reads one message.
struct Reader<'n, 't> {
    place: String,
    notes: &'n mut Notes,
    thoughts: &'t Thoughts,
}

impl Reader<'_, '_> {
    fn content<'a>(&mut self, message: &Message<'a>) -> Result<Vec<Block<'a>>, Failure> {
        match &message.content {
            None => Ok(Vec::new()),
            Some(Content::Text(text)) => Ok(vec![Block::text(text.clone())]),
            Some(Content::Parts(parts)) => {
                parts.iter().enumerate().map(|(p, part)| self.part(p, part)).collect()
            }
        }
    }

    fn part<'a>(&mut self, p: usize, part: &Part<'a>) -> Result<Block<'a>, Failure> {
        let place = format!("{}.content.{p}", self.place);
        Ok(match part {
            Part::Text(part) => {
                self.notes.rest(&place, &part.rest);
                Block::text(part.text.clone())
            }
            Part::Refusal(part) => Block::text(part.refusal.clone()),
            Part::Image(part) => {
                let image = &part.image_url;
                self.notes.rest(format_args!("{place}.image_url"), &image.rest);
                if let Some(detail) = image.detail.as_deref().filter(|detail| *detail != "auto") {
                    let why = format!("how closely to look ({detail}) is left to the model");
                    self.notes.add(What::Dropped, format!("{place}.image_url.detail"), why);
                }
                let source = Source::of(&image.url, &format!("{place}.image_url.url"))?;
                Block::Known(Known::Image { source })
            }
            Part::File(part) => {
                self.notes.rest(format_args!("{place}.file"), &part.file.rest);
                document(&part.file, &place)?
            }
            Part::Audio(_) => return Err(Failure::invalid(place, "the backend hears no audio")),
            // Told in words by the next translation, with its note.
            Part::Unknown { raw, .. } => Block::Raw(raw),
        })
    }

    fn assistant<'a>(&mut self, message: &Message<'a>) -> Result<Vec<Block<'a>>, Failure> {
        let calls = message.tool_calls.as_deref().unwrap_or_default();
        let mut blocks = Vec::new();
        if let Some(thoughts) = calls.first().and_then(ToolCall::id).and_then(|id| self.thoughts.get(id)) {
            blocks.extend(thoughts.iter().map(|Thought { text, signature }| {
                Block::Known(Known::Thinking { thinking: text.clone(), signature: signature.clone() })
            }));
        }
        blocks.extend(self.content(message)?);
        blocks.extend(message.refusal.clone().filter(|refusal| !refusal.is_empty()).map(Block::text));
        for (c, call) in calls.iter().enumerate() {
            blocks.push(self.call(c, call)?);
        }
        Ok(blocks)
    }

    fn call<'a>(&mut self, c: usize, call: &ToolCall<'a>) -> Result<Block<'a>, Failure> {
        let (id, name, input) = match call {
            ToolCall::Function(call) => {
                let arguments = call.function.arguments.as_ref();
                let text = arguments.map(JsonStr::to_text).unwrap_or_default();
                (&call.id, &call.function.name, self.input(c, text.trim()))
            }
            ToolCall::Custom(call) => (&call.id, &call.custom.name, only_member("input", &call.custom.input)),
            ToolCall::Unknown { kind, .. } => {
                let place = format!("{}.tool_calls.{c}.type", self.place);
                let message = format_args!("unknown type {kind:?}, expected \"function\" or \"custom\"");
                return Err(Failure::invalid(place, message));
            }
        };
        Ok(Block::Known(Known::ToolUse { id: id.clone(), name: name.clone(), input }))
    }

    /// The arguments as a JSON object, which is what they should be.
    fn input(&mut self, c: usize, arguments: &str) -> Box<RawValue> {
        let object = match arguments {
            "" => Some("{}".to_owned()),
            text => text.starts_with('{').then(|| text.to_owned()),
        };
        if let Some(raw) = object.and_then(|object| RawValue::from_string(object).ok()) {
            return raw;
        }
        let place = format!("{}.tool_calls.{c}.function.arguments", self.place);
        self.notes.add(
            What::Repaired,
            place,
            "they are no JSON object; they go on as the only member of one",
        );
        only_member("arguments", &JsonStr::from(arguments))
    }

    fn result<'a>(&mut self, message: &Message<'a>) -> Result<Block<'a>, Failure> {
        let Some(id) = &message.tool_call_id else {
            return Err(Failure::invalid(format!("{}.tool_call_id", self.place), "field required"));
        };
        let content = self.content(message)?;
        Ok(Block::Known(Known::ToolResult { tool_use_id: id.clone(), content }))
    }
}

fn only_member(name: &str, text: &JsonStr<'_>) -> Box<RawValue> {
    let text = serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned());
    RawValue::from_string(format!("{{\"{name}\":{text}}}")).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn document<'a>(file: &File<'a>, place: &str) -> Result<Block<'a>, Failure> {
    let source = match (&file.file_data, &file.file_id) {
        (Some(data), _) if data.starts_with("data:") => Source::of(data, &format!("{place}.file.file_data"))?,
        (Some(data), _) => Source::Base64 { media_type: "application/pdf".into(), data: data.clone() },
        (None, Some(id)) => Source::File { file_id: id.clone() },
        (None, None) => return Err(Failure::invalid(format!("{place}.file.file_data"), "field required")),
    };
    Ok(Block::Known(Known::Document { source, title: file.filename.clone() }))
}

/// The tools, and which of them take text.
fn tools<'a>(request: &ChatRequest<'a>, notes: &mut Notes) -> (Vec<ToolDefinition<'a>>, HashSet<String>) {
    let mut custom = HashSet::new();
    let mut tools = Vec::new();
    for (t, tool) in request.tools.iter().flatten().enumerate() {
        match tool {
            Tool::Function(tool) => tools.push(function(t, tool, notes)),
            Tool::Custom(tool) => {
                custom.insert(tool.custom.name.clone().into_owned());
                tools.push(text_tool(t, tool, notes));
            }
            Tool::Unknown { kind, .. } => {
                let detail = format!("a chat has no tool of the type {kind}; /v1/responses may have it");
                notes.add(What::Dropped, format!("tools.{t}"), detail);
            }
        }
    }
    if let Some(options) = &request.web_search_options {
        notes.rest("web_search_options", &options.rest);
        let place = options.user_location.as_ref().and_then(|place| place.approximate.clone());
        tools.push(ToolDefinition::Search {
            kind: "web_search_20250305",
            name: "web_search",
            user_location: place.map(|place| Location { kind: "approximate", place }),
        });
    }
    (tools, custom)
}

fn function<'a>(t: usize, tool: &FunctionTool<'a>, notes: &mut Notes) -> ToolDefinition<'a> {
    let function = &tool.function;
    notes.rest(format_args!("tools.{t}.function"), &function.rest);
    ToolDefinition::Function {
        name: function.name.clone(),
        description: function.description.clone(),
        input_schema: function.parameters.map_or_else(no_parameters, Cow::Borrowed),
        strict: function.strict,
    }
}

fn no_parameters<'a>() -> Cow<'a, RawValue> {
    raw(r#"{"type":"object","properties":{}}"#)
}

/// A tool that takes text, as a function whose only argument is that text.
fn text_tool<'a>(t: usize, tool: &CustomTool<'a>, notes: &mut Notes) -> ToolDefinition<'a> {
    let custom = &tool.custom;
    notes.rest(format_args!("tools.{t}.custom"), &custom.rest);
    let mut description = custom.description.as_ref().map(JsonStr::to_owned_text).unwrap_or_default();
    if let Some(format) = custom.format.filter(|format| !format.get().contains("\"text\"")) {
        description.push_str("\n\nThe form of its input: ");
        description.push_str(format.get());
    }
    let detail = "it goes out as a function with the text as its only argument; nothing enforces a grammar";
    notes.add(What::Adjusted, format!("tools.{t}.custom"), detail);
    ToolDefinition::Function {
        name: custom.name.clone(),
        description: Some(description.into()),
        input_schema: raw(
            r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#,
        ),
        strict: None,
    }
}

fn raw<'a>(json: &str) -> Cow<'a, RawValue> {
    RawValue::from_string(json.to_owned()).map_or(Cow::Borrowed(RawValue::NULL), Cow::Owned)
}

fn tool_choice<'a>(request: &ChatRequest<'a>, notes: &mut Notes) -> Result<Option<Choice<'a>>, Failure> {
    let word = |word: &str, place: &str| match word {
        "auto" => Ok("auto"),
        "none" => Ok("none"),
        "required" => Ok("any"),
        other => {
            let message = format_args!("unknown word {other:?}, expected \"auto\", \"none\" or \"required\"");
            Err(Failure::invalid(place, message))
        }
    };
    let (kind, name) = match &request.tool_choice {
        None => ("auto", None),
        Some(ToolChoice::Word(said)) => (word(said, "tool_choice")?, None),
        Some(ToolChoice::Named(name)) => ("tool", Some(name.clone())),
        Some(ToolChoice::Allowed { mode }) => {
            notes.add(What::Adjusted, "tool_choice.allowed_tools", "all tools may be called");
            (word(mode, "tool_choice.allowed_tools.mode")?, None)
        }
    };
    let one_at_a_time = request.parallel_tool_calls == Some(false);
    let asks = request.tool_choice.is_some() || one_at_a_time;
    Ok(asks.then_some(Choice { kind, name, disable_parallel_tool_use: one_at_a_time }))
}

fn format<'a>(request: &ChatRequest<'a>, notes: &mut Notes) -> Option<Format<'a>> {
    let schema = match request.response_format.as_ref()? {
        ResponseFormat::Text(_) => return None,
        ResponseFormat::JsonObject(_) => raw(r#"{"type":"object"}"#),
        ResponseFormat::JsonSchema(format) => {
            format.json_schema.schema.map_or_else(|| raw(r#"{"type":"object"}"#), Cow::Borrowed)
        }
        ResponseFormat::Unknown { kind, .. } => {
            notes.add(What::Dropped, "response_format", format!("there is no format {kind} here"));
            return None;
        }
    };
    Some(Format { kind: "json_schema", schema })
}

// === the Messages request ===

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    stream: bool,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolDefinition<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    thinking: Thinking,
    output_config: OutputConfig<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [JsonStr<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Block<'a> {
    Known(Known<'a>),
    Raw(&'a RawValue),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Known<'a> {
    Text {
        text: JsonStr<'a>,
    },
    Image {
        source: Source<'a>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<JsonStr<'a>>,
    },
    Thinking {
        thinking: String,
        signature: String,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: Box<RawValue>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Vec<Block<'a>>,
    },
}

impl<'a> Block<'a> {
    fn text(text: JsonStr<'a>) -> Self {
        Self::Known(Known::Text { text })
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source<'a> {
    Base64 { media_type: Cow<'a, str>, data: Cow<'a, str> },
    Url { url: Cow<'a, str> },
    File { file_id: Cow<'a, str> },
}

impl<'a> Source<'a> {
    /// Of a data URL or an address.
    fn of(url: &Cow<'a, str>, place: &str) -> Result<Self, Failure> {
        let Some(rest) = url.strip_prefix("data:") else { return Ok(Self::Url { url: url.clone() }) };
        let Some((media_type, data)) = rest.split_once(";base64,") else {
            return Err(Failure::invalid(place, "a data URL must be like data:image/png;base64,…"));
        };
        // Parameters between type and data say nothing here.
        let media_type = media_type.split(';').next().unwrap_or_default();
        Ok(match url {
            Cow::Borrowed(url) => {
                let at = url.len() - data.len();
                Self::Base64 {
                    media_type: Cow::Owned(media_type.to_owned()),
                    data: Cow::Borrowed(&url[at..]),
                }
            }
            Cow::Owned(_) => Self::Base64 {
                media_type: Cow::Owned(media_type.to_owned()),
                data: Cow::Owned(data.to_owned()),
            },
        })
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolDefinition<'a> {
    Function {
        name: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<JsonStr<'a>>,
        input_schema: Cow<'a, RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<&'a RawValue>,
    },
    Search {
        #[serde(rename = "type")]
        kind: &'static str,
        name: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_location: Option<Location<'a>>,
    },
}

#[derive(Serialize)]
struct Location<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    place: Place<'a>,
}

#[derive(Serialize)]
struct Choice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    disable_parallel_tool_use: bool,
}

#[derive(Serialize)]
struct Thinking {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
}

#[derive(Serialize)]
struct Format<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: Cow<'a, RawValue>,
}

#[derive(Serialize)]
struct Metadata {
    user_id: String,
}

impl Metadata {
    /// The session, as Claude Code names its own.
    fn of(session: &str) -> Self {
        #[derive(Serialize)]
        struct UserId<'a> {
            session_id: &'a str,
        }
        Self { user_id: serde_json::to_string(&UserId { session_id: session }).unwrap_or_default() }
    }
}

//! A client's Responses request → the backend's. Rewritten is only what the backend would refuse, what belongs to the
//! dialect, and what the user decides (model, effort, tier).

use std::borrow::Cow;
use std::collections::HashMap;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::Object;
use super::items::{Fate, Reader};
use crate::failure::Failure;
use crate::openai::client::{ClientRequest, Input, ToolHead};
use crate::openai::request::{InputItem, InputPart, Reasoning, Role, ToolChoice};
use crate::route::{Dialect, Effort, Route};
use crate::translate::notes::{Notes, What};
use crate::translate::request::{in_words, settle};

/// What the backend is known to refuse (`upstream.md` §b.7).
const REFUSED: [&str; 15] = [
    "max_output_tokens",
    "max_completion_tokens",
    "max_tokens",
    "max_tool_calls",
    "temperature",
    "top_p",
    "top_logprobs",
    "metadata",
    "user",
    "safety_identifier",
    "context_management",
    "truncation",
    "prompt_cache_options",
    "prompt_cache_retention",
    "stream_options",
];

/// Always wanted: without it reasoning could not be given back.
const CIPHERTEXT: &str = "reasoning.encrypted_content";

/// What must be known beside the request: where it goes and what this attempt may send.
#[derive(Debug, Clone, Copy)]
pub struct PassageContext<'a> {
    /// Where it goes.
    pub route: &'a Route,
    /// The dialect of this attempt.
    pub dialect: Dialect,
    /// False: replayed reasoning is left out, the backend could not read it.
    pub reasoning: bool,
    /// True: add `instructions: ""` (DECISIONS 8).
    pub instructions: bool,
    /// `prompt_cache_key`: the thread's id.
    pub thread: &'a str,
    /// The conversation that `previous_response_id` names.
    pub before: &'a [Box<RawValue>],
    /// Items that were answered before, by id.
    pub known: &'a KnownItems,
}

impl<'a> PassageContext<'a> {
    /// The first try for a thread without a name.
    pub fn new(route: &'a Route, known: &'a KnownItems) -> Self {
        Self {
            route,
            dialect: route.dialect,
            reasoning: true,
            instructions: false,
            thread: "",
            before: &[],
            known,
        }
    }
}

/// Items by id, as far as they are known for one request.
pub type KnownItems = HashMap<String, Box<RawValue>>;

/// A request for the backend.
#[derive(Debug)]
pub struct Passage {
    /// The body.
    pub body: Vec<u8>,
    /// The conversation up to here, to be remembered: empty unless a later request may name the response.
    pub conversation: Vec<Box<RawValue>>,
    /// The effort that is sent.
    pub effort: Option<Effort>,
    /// What was not passed on as it was.
    pub notes: Notes,
}

/// Passes a request on.
///
/// # Errors
/// [`Failure::Invalid`]: what the client must change.
pub fn pass_on(request: &ClientRequest<'_>, context: PassageContext<'_>) -> Result<Passage, Failure> {
    refuse_what_cannot_be_had(request)?;
    let PassageContext { route, dialect, .. } = context;
    let mut notes = Notes::default();
    let said = said(request, context, &mut notes)?;
    let mut tools = tools(request, dialect, &mut notes);
    let Said { items, tools: loaded } = said;
    tools.extend(loaded);
    let choice = choice(request, &tools, dialect, &mut notes)?;
    let has_tools = !tools.is_empty();
    let text =
        |role, text| Entry::Ours(InputItem::Message { role, content: vec![InputPart::InputText { text }] });
    let mut input = Vec::with_capacity(items.len() + 4);
    if dialect == Dialect::Lite && has_tools {
        input.push(Entry::Tools(std::mem::take(&mut tools)));
    }
    // DECISIONS 8: system text is a message in both dialects.
    input.extend(
        request
            .instructions
            .clone()
            .filter(|words| !words.is_empty())
            .map(|words| text(Role::Developer, words)),
    );
    let is_stored = request.store != Some(false);
    let conversation = if is_stored { conversation(&items)? } else { Vec::new() };
    input.extend(items);
    if let Some(line) = choice.line {
        input.push(text(Role::Developer, line.into()));
    }
    if input.iter().all(|entry| matches!(entry, Entry::Tools(_))) {
        return Err(Failure::invalid("input", "field required"));
    }
    let effort = effort(request, route, &mut notes);
    let wanted = request.reasoning.as_ref();
    let reasoning = Reasoning {
        effort,
        summary: wanted.and_then(|wanted| wanted.summary.as_deref().or(wanted.generate_summary.as_deref())),
        context: match dialect {
            Dialect::Lite => Some("all_turns"),
            Dialect::Classic => wanted.and_then(|wanted| wanted.context.as_deref()),
        },
    };
    let mut rest = Vec::new();
    for (member, value) in request.rest.iter() {
        if REFUSED.contains(&member) {
            notes.member(member, value.get());
        } else if value.get() != "null" {
            rest.push((member, value));
        }
    }
    let body = Body {
        model: &route.model,
        instructions: context.instructions.then_some(""),
        input,
        tools,
        tool_choice: choice.choice,
        parallel_tool_calls: match dialect {
            Dialect::Lite => Some(false),
            Dialect::Classic => request.parallel_tool_calls.filter(|_| has_tools),
        },
        reasoning,
        include: include(request),
        service_tier: tier(request, route, &mut notes),
        prompt_cache_key: context.thread,
        text: text_control(request, route),
        rest,
    };
    let body = serde_json::to_vec(&body)
        .map_err(|error| Failure::Internal { message: format!("the request can't be written: {error}") })?;
    Ok(Passage { body, conversation, effort, notes })
}

fn refuse_what_cannot_be_had(request: &ClientRequest<'_>) -> Result<(), Failure> {
    let asked = |member: Option<&RawValue>| member.is_some_and(|raw| raw.get() != "null");
    if request.background == Some(true) {
        return Err(Failure::invalid("background", "nobody here would answer later; ask without it"));
    }
    if asked(request.conversation) {
        let message = "conversations are not kept here; send the items, or previous_response_id";
        return Err(Failure::invalid("conversation", message));
    }
    if asked(request.prompt) {
        return Err(Failure::invalid("prompt", "prompts are not kept here; send the text"));
    }
    Ok(())
}

/// What is said in the conversation: before this request and in it.
struct Said<'a> {
    items: Vec<Entry<'a>>,
    /// Tools among the items, for a model that has them elsewhere.
    tools: Vec<Cow<'a, RawValue>>,
}

/// The whole conversation, owned.
fn conversation(items: &[Entry<'_>]) -> Result<Vec<Box<RawValue>>, Failure> {
    let owned = items.iter().map(serde_json::value::to_raw_value).collect::<Result<_, _>>();
    owned.map_err(|error| Failure::Internal { message: format!("an item can't be written: {error}") })
}

fn said<'a>(
    request: &'a ClientRequest<'a>,
    context: PassageContext<'a>,
    notes: &mut Notes,
) -> Result<Said<'a>, Failure> {
    let mut said = Said { items: Vec::new(), tools: Vec::new() };
    let reader = Reader { dialect: context.dialect, reasoning: context.reasoning, known: context.known };
    let mut take = |place: &str, raw: &'a RawValue, said: &mut Said<'a>| {
        match reader.item(place, raw, notes)? {
            Fate::Item(item) => said.items.push(Entry::Theirs(item)),
            Fate::Tools(tools) => said.tools.extend(tools),
            Fate::Nothing => {}
        }
        Ok::<_, Failure>(())
    };
    for raw in context.before {
        take("previous_response_id", raw, &mut said)?;
    }
    match &request.input {
        None => {}
        Some(Input::Text(words)) => said.items.push(Entry::Ours(InputItem::Message {
            role: Role::User,
            content: vec![InputPart::InputText { text: words.clone() }],
        })),
        Some(Input::Items(items)) => {
            for (i, raw) in items.iter().enumerate() {
                take(&format!("input.{i}"), raw, &mut said)?;
            }
        }
    }
    Ok(said)
}

/// The tools that the model can have.
fn tools<'a>(request: &ClientRequest<'a>, dialect: Dialect, notes: &mut Notes) -> Vec<Cow<'a, RawValue>> {
    let mut tools = Vec::new();
    for (t, raw) in request.tools.iter().flatten().enumerate() {
        let head: ToolHead<'_> = serde_json::from_str(raw.get()).unwrap_or_default();
        if head.is_hosted() && dialect == Dialect::Lite {
            let detail = format!("this model has no hosted tools such as {}", head.kind);
            notes.add(What::Dropped, format!("tools.{t}"), detail);
        } else if head.kind != "web_search"
            && head.kind.starts_with("web_search")
            && let Some(mut object) = Object::of(raw)
        {
            object.set("type", &"web_search");
            notes.add(What::Renamed, format!("tools.{t}.type"), "the backend calls it web_search");
            tools.push(object.into_raw());
        } else {
            tools.push(Cow::Borrowed(*raw));
        }
    }
    tools
}

struct Choice<'a> {
    choice: Option<ChosenBy<'a>>,
    /// Lite knows only `auto`: the wish in words.
    line: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ChosenBy<'a> {
    Client(&'a RawValue),
    Us(ToolChoice<'a>),
}

/// `tool_choice` (R38; Lite: DECISIONS 10).
fn choice<'a>(
    request: &ClientRequest<'a>,
    tools: &[Cow<'a, RawValue>],
    dialect: Dialect,
    notes: &mut Notes,
) -> Result<Choice<'a>, Failure> {
    let raw = request.tool_choice.filter(|raw| raw.get() != "null");
    if dialect == Dialect::Classic {
        return Ok(Choice { choice: raw.filter(|_| !tools.is_empty()).map(ChosenBy::Client), line: None });
    }
    let wish = match raw {
        None => None,
        Some(raw) => wish(raw).ok_or_else(|| {
            Failure::invalid("tool_choice", "expected \"auto\", \"none\", \"required\" or an object")
        })?,
    };
    let line = wish.as_ref().and_then(in_words);
    if line.is_some() {
        notes.add(What::Adjusted, "tool_choice", "this model takes it as a sentence only");
    }
    Ok(Choice { choice: Some(ChosenBy::Us(ToolChoice::Auto)), line })
}

/// What a choice asks for: `Some(None)` if that can't be said in words, `None` if it is no choice.
fn wish(raw: &RawValue) -> Option<Option<ToolChoice<'_>>> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, default)]
        name: Option<Cow<'a, str>>,
    }
    match raw.get() {
        "\"auto\"" => Some(None),
        "\"none\"" => Some(Some(ToolChoice::None)),
        "\"required\"" => Some(Some(ToolChoice::Required)),
        object => {
            let Named { name } = serde_json::from_str(object).ok()?;
            Some(name.map(ToolChoice::Function))
        }
    }
}

fn effort(request: &ClientRequest<'_>, route: &Route, notes: &mut Notes) -> Option<Effort> {
    let word = request.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_deref());
    let asked = word.and_then(|word| match word.parse::<Effort>() {
        Ok(effort) => Some(effort),
        Err(unknown) => {
            notes.add(What::Dropped, "reasoning.effort", unknown.to_string());
            None
        }
    });
    settle(asked, None, route, "reasoning.effort", notes)
}

fn include<'a>(request: &'a ClientRequest<'a>) -> Vec<&'a str> {
    let asked = request.include.iter().flatten().map(Cow::as_ref).filter(|what| *what != CIPHERTEXT);
    std::iter::once(CIPHERTEXT).chain(asked).collect()
}

fn tier<'a>(request: &'a ClientRequest<'a>, route: &'a Route, notes: &mut Notes) -> Option<&'a str> {
    let word = request.service_tier.as_deref();
    match (&route.tier, word) {
        (Some(tier), _) => Some(tier),
        (None, Some("flex")) => Some("flex"),
        (None, None | Some("auto" | "default")) => None,
        (None, Some(other)) => {
            let detail = format!("{} has no tier {other}; it answers at its usual speed", route.model);
            notes.add(What::Dropped, "service_tier", detail);
            None
        }
    }
}

/// `text` as it came, with the model's own verbosity where the client does not choose one.
fn text_control<'a>(request: &ClientRequest<'a>, route: &Route) -> Option<Cow<'a, RawValue>> {
    let raw = request.text.filter(|raw| raw.get() != "null");
    let Some(verbosity) = &route.verbosity else { return raw.map(Cow::Borrowed) };
    let mut object = raw.and_then(Object::of).unwrap_or(Object(Vec::new()));
    if object.get("verbosity").is_none_or(|raw| raw.get() == "null") {
        object.set("verbosity", verbosity);
        return Some(object.into_raw());
    }
    raw.map(Cow::Borrowed)
}

/// An entry of the input.
#[derive(Debug)]
enum Entry<'a> {
    Theirs(Cow<'a, RawValue>),
    Ours(InputItem<'a>),
    Tools(Vec<Cow<'a, RawValue>>),
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Tools<'t> {
            #[serde(rename = "type")]
            kind: &'static str,
            role: Role,
            tools: &'t [Cow<'t, RawValue>],
        }
        match self {
            Self::Theirs(raw) => raw.serialize(serializer),
            Self::Ours(item) => item.serialize(serializer),
            Self::Tools(tools) => {
                Tools { kind: "additional_tools", role: Role::Developer, tools }.serialize(serializer)
            }
        }
    }
}

/// The body. Member order is part of the cached prefix: it is that of `openai/request.rs`.
struct Body<'a> {
    model: &'a str,
    instructions: Option<&'static str>,
    input: Vec<Entry<'a>>,
    tools: Vec<Cow<'a, RawValue>>,
    tool_choice: Option<ChosenBy<'a>>,
    parallel_tool_calls: Option<bool>,
    reasoning: Reasoning<'a>,
    include: Vec<&'a str>,
    service_tier: Option<&'a str>,
    prompt_cache_key: &'a str,
    text: Option<Cow<'a, RawValue>>,
    rest: Vec<(&'a str, &'a RawValue)>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", self.model)?;
        optional(&mut map, "instructions", self.instructions.as_ref())?;
        map.serialize_entry("input", &self.input)?;
        optional(&mut map, "tools", Some(&self.tools).filter(|tools| !tools.is_empty()))?;
        optional(&mut map, "tool_choice", self.tool_choice.as_ref())?;
        optional(&mut map, "parallel_tool_calls", self.parallel_tool_calls.as_ref())?;
        map.serialize_entry("reasoning", &self.reasoning)?;
        map.serialize_entry("store", &false)?;
        map.serialize_entry("stream", &true)?;
        map.serialize_entry("include", &self.include)?;
        optional(&mut map, "service_tier", self.service_tier.as_ref())?;
        map.serialize_entry("prompt_cache_key", self.prompt_cache_key)?;
        optional(&mut map, "text", self.text.as_ref())?;
        for (member, value) in &self.rest {
            map.serialize_entry(member, value)?;
        }
        map.end()
    }
}

fn optional<M: SerializeMap>(
    map: &mut M,
    name: &str,
    value: Option<&impl Serialize>,
) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(name, value),
        None => Ok(()),
    }
}

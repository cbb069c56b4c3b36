//! The built-in demo backend: in this process, no network, no account.
//!
//! A small deterministic model that speaks real Responses events: it reasons, asks for a tool when it is asked to do
//! something, and reads what the tool answered. Both request dialects are understood. Here: reading the request and
//! deciding what to say. Its events are in `demo/script.rs`, tool arguments in `demo/schema.rs`.

mod schema;
mod script;

use std::sync::Arc;

use dragoman_protocol::failure::Failure;
use dragoman_protocol::route::{Dialect, Effort};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::watch;

pub(crate) use self::script::Playback;
use self::script::{Answer, Output, write};
use crate::accounts::{AccountKind, AccountView, Roster, Seat};
use crate::attempt::{AccountTag, Attempt, Turn};
use crate::catalog::{Catalog, Model, Source};
use crate::stream::{self, Ears, EventStream};

/// The demo backend.
#[derive(Debug)]
pub(crate) struct Demo {
    pub(crate) catalog: watch::Sender<Arc<Catalog>>,
    pub(crate) roster: Roster,
    seat: Arc<Seat>,
}

impl Demo {
    pub(crate) fn new() -> Self {
        let label = Some("demo (no account needed)".to_owned());
        let account = AccountView { label, ..AccountView::new(AccountKind::Demo, "") };
        let id = account.id.clone();
        let roster = Roster::of(account);
        Self { catalog: watch::Sender::new(Arc::new(catalog())), seat: roster.seat(&id), roster }
    }

    pub(crate) fn plan(&self, dialect: Dialect) -> Attempt {
        Attempt {
            login: self.seat.id.clone(),
            account: AccountTag::demo(),
            dialect,
            reasoning: true,
            late_tools: true,
            instructions: false,
        }
    }

    pub(crate) async fn stream(&self, turn: Turn) -> Result<EventStream, Failure> {
        let body: Body<'_> = serde_json::from_slice(&turn.body)
            .map_err(|error| Failure::Rejected { message: format!("the demo model: {error}"), code: None })?;
        if !catalog().models.iter().any(|model| model.slug == body.model) {
            return Err(Failure::ModelRefused {
                message: format!("The demo backend has no model {:?}. Run `dragoman models`.", body.model),
            });
        }
        let playback = write(&answer(&body, turn.body.len()), &turn.body);
        let ears = Ears::new(Arc::clone(&self.seat), None);
        EventStream::open(stream::Source::Demo(playback), turn.attempt, ears).await
    }
}

fn catalog() -> Catalog {
    let model = |slug: &str, name: &str, description: &str, dialect, priority| Model {
        slug: slug.to_owned(),
        display_name: name.to_owned(),
        description: description.to_owned(),
        context_window: 272_000,
        max_context_window: 272_000,
        effective_percent: 95,
        default_effort: Some(Effort::Medium),
        efforts: vec![Effort::Low, Effort::Medium, Effort::High],
        tiers: Vec::new(),
        dialect,
        verbosity: Some("low".to_owned()),
        visible: true,
        priority,
    };
    Catalog {
        models: vec![
            model("demo-large", "Demo Large", "Built-in demo model; needs no account.", Dialect::Classic, 1),
            model("demo-lite", "Demo Lite", "The same, speaking Responses Lite.", Dialect::Lite, 2),
            model("demo-small", "Demo Small", "The same, for small jobs.", Dialect::Classic, 3),
        ],
        etag: None,
        source: Source::Demo,
    }
}

// === the request ===

#[derive(Deserialize)]
struct Body<'a> {
    model: String,
    #[serde(borrow)]
    input: Vec<Item<'a>>,
    #[serde(borrow, default)]
    tools: Vec<Tool<'a>>,
    #[serde(default)]
    reasoning: Option<Reasoning>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tools: Vec<Tool<'a>>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(borrow, default)]
    parameters: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Reasoning {
    #[serde(default)]
    summary: Option<String>,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow, default)]
    format: Option<Format<'a>>,
}

#[derive(Deserialize)]
struct Format<'a> {
    #[serde(borrow, default)]
    schema: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

impl Item<'_> {
    fn is(&self, kind: &str) -> bool {
        self.kind.as_deref().unwrap_or("message") == kind
    }

    /// True for what the user or a tool said, and for what the model did; false for the rim of the conversation.
    fn is_turn(&self) -> bool {
        !self.is("additional_tools") && !self.is("reasoning") && self.role.as_deref() != Some("developer")
    }
}

/// The text parts of a content or an output: a string, or a list of parts.
fn texts(raw: Option<&RawValue>) -> Vec<String> {
    let Some(raw) = raw else { return Vec::new() };
    if let Ok(text) = serde_json::from_str::<String>(raw.get()) {
        return vec![text];
    }
    let parts: Vec<Part> = serde_json::from_str(raw.get()).unwrap_or_default();
    parts.into_iter().filter_map(|part| part.text).collect()
}

// === the decision ===

fn answer(body: &Body<'_>, bytes: usize) -> Answer {
    let tools = || body.tools.iter().chain(body.input.iter().flat_map(|item| &item.tools));
    let functions = || tools().filter(|tool| tool.kind == "function" && tool.name.is_some());
    let last = body.input.iter().rev().find(|item| item.is_turn());
    let asked = last_request(body);
    let (thought, output) = match last {
        Some(item) if item.is("function_call_output") => {
            ("**Reading the tool's answer**\n\nIt holds what I need.", Output::Text(reading(item)))
        }
        Some(item) if item.role.as_deref() == Some("user") && wants_action(&asked) => {
            let bash = functions().find(|tool| tool.name.as_deref() == Some("Bash"));
            match bash.or_else(|| functions().next()) {
                Some(tool) => (
                    "**Choosing a tool**\n\nThe request needs one.",
                    Output::Call { name: tool.name.clone().unwrap_or_default(), arguments: arguments(tool) },
                ),
                None => ("**Answering**\n\nThere is no tool to use.", Output::Text(greeting(&asked))),
            }
        }
        _ => ("**Answering**\n\nNothing but words is needed.", Output::Text(greeting(&asked))),
    };
    let schema = body.text.as_ref().and_then(|text| text.format.as_ref()?.schema);
    let output = match (output, schema) {
        (Output::Text(_), Some(schema)) => Output::Text(schema::example(schema, &shortened(&asked, 40))),
        (output, _) => output,
    };
    let summary = body.reasoning.as_ref().is_some_and(|reasoning| reasoning.summary.is_some());
    let goes_on = body.input.iter().any(|item| item.role.as_deref() == Some("assistant"));
    Answer {
        model: body.model.clone(),
        thought: summary.then(|| thought.to_owned()),
        output,
        input_tokens: bytes as u64 / 4,
        cached_tokens: if goes_on { bytes as u64 / 8 } else { 0 },
    }
}

/// What the user asked last, without what the client put around it.
fn last_request(body: &Body<'_>) -> String {
    let is_user = |item: &&Item<'_>| item.is("message") && item.role.as_deref() == Some("user");
    body.input
        .iter()
        .rev()
        .filter(is_user)
        .flat_map(|item| texts(item.content).into_iter().rev())
        .find(|text| !text.trim().is_empty() && !text.trim_start().starts_with("<system-reminder>"))
        .unwrap_or_default()
}

fn wants_action(asked: &str) -> bool {
    let asked = asked.to_lowercase();
    let has_word = |word: &str| asked.split(|c: char| !c.is_alphanumeric()).any(|other| other == word);
    asked.contains("tool")
        || asked.contains("list files")
        || ["run", "read", "list"].iter().any(|word| has_word(word))
}

fn arguments(tool: &Tool<'_>) -> String {
    match (tool.name.as_deref(), tool.parameters) {
        (Some("Bash"), _) => r#"{"command":"ls","description":"List files"}"#.to_owned(),
        (_, Some(schema)) => schema::example(schema, "demo"),
        (_, None) => "{}".to_owned(),
    }
}

fn reading(item: &Item<'_>) -> String {
    let text = texts(item.output).join("\n");
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    format!(
        "The tool answered with {} bytes in {} lines. Its first line is:\n\n> {}\n\nThat is all the demo model makes of \
         it; sign in with `dragoman login` to talk to a real one.",
        text.len(),
        text.lines().count(),
        shortened(first, 200)
    )
}

fn greeting(asked: &str) -> String {
    if asked.trim().is_empty() {
        return "Hello! I am Dragoman's built-in demo model. Ask me to list files and I will use a tool."
            .to_owned();
    }
    format!(
        "Hello! I am Dragoman's built-in demo model. You asked: \"{}\". I can't think about it, but you see that the \
         way from your client through Dragoman and back works. Ask me to list files and I will use a tool.",
        shortened(asked, 160)
    )
}

/// The text in one line of at most so many characters.
fn shortened(text: &str, characters: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= characters {
        return line;
    }
    let start: String = line.chars().take(characters - 1).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests;

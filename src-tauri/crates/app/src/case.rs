//! A recorded conversation as a golden case: the folder that `tests/conformance` runs. Its steps are the recorded
//! requests of the conversation up to the one that is meant, because what Dragoman remembers of the earlier ones counts.
//!
//! Pure but for [`write`]. Not here: recording (`dragoman_proxy::Recorder`), running a case.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use dragoman_protocol::layout::laid_out;
use dragoman_protocol::route::Dialect;
use dragoman_proxy::{Door, ExtraTool, Recording};
use dragoman_upstream::{Catalog, Model};
use serde_json::json;
use toml::{Table, Value};

use crate::Error;
use crate::paths::{self, Mode};
use crate::recent::Exchange;

/// Stands before the id of what was recorded and proves no row of the specification.
const ID: &str = "X";
/// What the reasoning that we sign begins with.
const SIGNATURE: &str = "dragoman1~";
/// What stands for something else in a case.
const PLACEHOLDER: &str = "{{";

/// Why an exchange can't be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACase {
    /// Nothing was kept of it.
    #[error(
        "the contents of this request are not kept: recording was off, they were too large, or newer ones took their place"
    )]
    NotRecorded,
    /// There is no whole answer.
    #[error("this request has no whole answer, and a failure of the backend is not recorded")]
    Failed,
    /// The backend objected first; its objection is not recorded.
    #[error(
        "the backend took this request in another form than the first one, and what it objected to is not recorded"
    )]
    Retried,
    /// The search endpoint's answers are not recorded.
    #[error("the model searched the web by way of the search endpoint, whose answers are not recorded")]
    Searched,
    /// More notes than are kept.
    #[error("more was changed on the way than is kept of it")]
    Notes,
    /// The cases' backend speaks as ChatGPT does.
    #[error("an OpenAI API key answered; the cases are about the ChatGPT backend")]
    ApiKey,
    /// Its text would be taken for one.
    #[error("its text holds two braces and a word, which stands for something else in a case")]
    Placeholder,
    /// A case is about one.
    #[error("the conversation went to several models, and a case is about one")]
    Models,
    /// A case has one set of them.
    #[error("the tools of MCP servers changed during the conversation, and a case has one set of them")]
    Tools,
}

/// A request that ended, and what was said in it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) exchange: Exchange,
    pub(crate) recording: Arc<Recording>,
    /// Did an API key answer?
    pub(crate) api_key: bool,
}

impl Told {
    /// What keeps it from being replayed.
    pub(crate) fn obstacle(&self) -> Option<NotACase> {
        let Self { exchange, recording, api_key } = self;
        let texts = || {
            let upstream = recording.upstream.iter().flat_map(|said| [&said.request, &said.events]);
            upstream.chain([&recording.request, &recording.answer])
        };
        let found = [
            (exchange.status != 200 || exchange.error.is_some(), NotACase::Failed),
            (recording.searched, NotACase::Searched),
            (recording.upstream.len() != 1, NotACase::Retried),
            (exchange.notes_in_all > exchange.notes.len(), NotACase::Notes),
            (*api_key, NotACase::ApiKey),
            (texts().any(|text| has_placeholder(text)), NotACase::Placeholder),
        ];
        found.into_iter().find_map(|(is_so, why)| is_so.then_some(why))
    }

    /// Does a conversation begin here?
    fn begins(&self) -> bool {
        !self.recording.request.contains(r#""role":"assistant""#)
    }
}

/// A case, by file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// Of the directory.
    pub(crate) name: String,
    pub(crate) files: BTreeMap<String, String>,
    /// False: earlier requests of the conversation are missing, so a replay may differ.
    pub(crate) whole: bool,
}

/// What counts besides the conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) catalog: &'a Catalog,
    /// The settings that were chosen and change a translation.
    pub(crate) settings: &'a Table,
}

/// The case of the last of these; the others are earlier ones of the same thread, oldest first.
pub(crate) fn of(told: &[Told], around: Around<'_>) -> Result<Case, NotACase> {
    let last = told.last().ok_or(NotACase::NotRecorded)?;
    if let Some(why) = last.obstacle() {
        return Err(why);
    }
    let steps: Vec<&Told> = told.iter().filter(|one| one.obstacle().is_none()).collect();
    let (model, dialect) = (&last.exchange.upstream_model, dialect(last));
    if steps.iter().any(|step| step.exchange.upstream_model != *model || self::dialect(step) != dialect) {
        return Err(NotACase::Models);
    }
    let tools = &last.recording.extra_tools;
    if steps.iter().any(|step| step.recording.extra_tools != *tools) {
        return Err(NotACase::Tools);
    }
    let session = header(last, "x-claude-code-session-id");
    let mut head = Table::from_iter([
        ("id".to_owned(), ID.into()),
        ("about".to_owned(), format!("Recorded: {} asked for {}", client(last), last.exchange.model).into()),
        ("dialect".to_owned(), word(dialect).into()),
        ("model".to_owned(), model.clone().into()),
        ("session".to_owned(), session.unwrap_or_default().into()),
    ]);
    let mut files = BTreeMap::new();
    let mut signatures = Signatures::default();
    // A step of another API than the usual one has its path told.
    let several = steps.len() > 1 || last.recording.door != Door::Messages;
    let mut listed = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let prefix = if steps.len() > 1 { format!("{}.", number + 1) } else { String::new() };
        let written = step_files(step, &prefix, &mut signatures, &mut files);
        if several {
            listed.push(Value::Table(written));
        } else {
            head.insert("headers".to_owned(), Value::Table(headers(step)));
        }
    }
    if several {
        head.insert("steps".to_owned(), Value::Array(listed));
    }
    files.insert("case.toml".to_owned(), head.to_string());
    files.insert("catalog.json".to_owned(), catalog(around.catalog));
    if !tools.is_empty() {
        let tools: Vec<_> = tools.iter().map(ExtraTool::json).collect();
        let list = format!("[{}]", tools.join(","));
        files.insert("mcp.json".to_owned(), laid_out(&list).unwrap_or(list));
    }
    if !around.settings.is_empty() {
        files.insert("config.toml".to_owned(), around.settings.to_string());
    }
    let whole = steps.len() == told.len() && steps.first().is_some_and(|step| step.begins());
    Ok(Case { name: format!("{ID}-{}", last.exchange.id), files, whole })
}

/// Writes a case below this directory, in the place of an earlier one of its name.
pub(crate) fn write(case: &Case, directory: &Path) -> Result<(), Error> {
    let folder = directory.join(&case.name);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(Error::file("replace", &folder))?;
    }
    paths::create_directory(&folder).map_err(Error::file("create", &folder))?;
    for (name, text) in &case.files {
        let path = folder.join(name);
        paths::write_atomic(&path, text.as_bytes(), Mode::Private).map_err(Error::file("write", &path))?;
    }
    Ok(())
}

/// The files of one step, and its entry in `case.toml`.
fn step_files(
    step: &Told,
    prefix: &str,
    signatures: &mut Signatures,
    files: &mut BTreeMap<String, String>,
) -> Table {
    let Told { exchange, recording, .. } = step;
    let mut entry = Table::from_iter([("headers".to_owned(), Value::Table(headers(step)))]);
    if recording.door != Door::Messages {
        entry.insert("path".to_owned(), recording.door.path().into());
    }
    let mut add = |key: &str, name: &str, is_list: bool, text: String| {
        let name = format!("{prefix}{name}");
        let value = Value::String(name.clone());
        entry.insert(key.to_owned(), if is_list { Value::Array(vec![value]) } else { value });
        files.insert(name, text);
    };
    let lay = |text: &str| laid_out(text).unwrap_or_else(|| text.to_owned());
    add("client", "request.json", false, signatures.known(&lay(&recording.request)));
    for said in &recording.upstream {
        add("upstream", "upstream.json", true, lay(&said.request));
        add("events", "events.sse", false, said.events.clone());
    }
    let streams = !recording.answer.starts_with('{');
    let answer = if streams { recording.answer.clone() } else { lay(&recording.answer) };
    let answer = match recording.door {
        Door::Messages => anew(&signatures.named(&answer)),
        Door::Chat => chat_anew(&answer),
        Door::Responses => answer,
    };
    add("answer", if streams { "answer.sse" } else { "answer.json" }, false, answer);
    if !exchange.notes.is_empty() {
        let notes = serde_json::to_string(&exchange.notes).unwrap_or_default();
        add("notes", "notes.json", false, lay(&notes));
    }
    entry
}

/// What is another one with every run: the message's id, and in a stream the first estimate.
fn anew(answer: &str) -> String {
    let between = |text: &str, before: &str, more: fn(char) -> bool, name: &str| {
        let Some(at) = text.find(before).map(|at| at + before.len()) else { return text.to_owned() };
        let length = text[at..].find(|c| !more(c)).unwrap_or(text.len() - at);
        format!("{}{name}{}", &text[..at], &text[at + length..])
    };
    let id = |c: char| c != '"';
    let answer = between(answer, "\"id\":\"", id, "{{_msg_id}}");
    if !answer.starts_with("event:") {
        return between(&answer, "\"id\": \"", id, "{{_msg_id}}");
    }
    between(&answer, "\"usage\":{\"input_tokens\":", |c| c.is_ascii_digit(), "{{_estimate}}")
}

/// The same of a chat: its id and its time, which every chunk tells.
fn chat_anew(answer: &str) -> String {
    let answer = every(answer, "chatcmpl-", |c| c.is_ascii_hexdigit(), "{{_chat_id}}");
    let answer = every(&answer, "\"created\":", |c| c.is_ascii_digit(), "\"created\":{{_unix}}");
    every(&answer, "\"created\": ", |c| c.is_ascii_digit(), "\"created\": {{_unix}}")
}

/// Puts something in the place of each run of such characters, together with what stands before it.
fn every(text: &str, before: &str, more: fn(char) -> bool, put: &str) -> String {
    let mut pieces = text.split(before);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| match piece.trim_start_matches(more) {
        rest if rest.len() == piece.len() => text + before + piece,
        rest => text + put + rest,
    })
}

/// The signatures of the reasoning: each is another one in a replay, and comes back with the next request.
#[derive(Debug, Default)]
struct Signatures(Vec<String>);

impl Signatures {
    /// Names those that are new here.
    fn named(&mut self, answer: &str) -> String {
        let mut rest = answer;
        while let Some(at) = rest.find(SIGNATURE) {
            rest = &rest[at..];
            let length = rest.find('"').unwrap_or(rest.len());
            if !self.0.iter().any(|known| known == &rest[..length]) {
                self.0.push(rest[..length].to_owned());
            }
            rest = &rest[length..];
        }
        self.known(answer)
    }

    /// Names those that were answered before.
    fn known(&self, text: &str) -> String {
        let named = self.0.iter().zip(1..);
        named.fold(text.to_owned(), |text, (value, number)| {
            text.replace(value, &format!("{{{{signature{number}}}}}"))
        })
    }
}

/// As the client sent them; what it did not send is taken away from what a case sends otherwise.
fn headers(step: &Told) -> Table {
    let value = |name: &str| header(step, name).unwrap_or_default();
    let session = "x-claude-code-session-id";
    let usual: &[&str] = match step.recording.door {
        Door::Messages => &["user-agent", "anthropic-beta"],
        Door::Responses | Door::Chat => &["user-agent"],
    };
    let mut all = Table::from_iter(
        usual.iter().map(|name| ((*name).to_owned(), Value::String(value(name).to_owned()))),
    );
    let telling = ["x-claude-code-agent-id", "originator", "session-id", "thread-id", "x-codex-window-id"];
    for name in std::iter::once(session).chain(telling) {
        if let Some(value) = header(step, name) {
            all.insert(name.to_owned(), Value::String(value.to_owned()));
        }
    }
    all
}

fn header<'a>(told: &'a Told, name: &str) -> Option<&'a str> {
    let found = told.recording.headers.iter().find(|(this, _)| *this == name);
    found.map(|(_, value)| value.as_str())
}

fn client(told: &Told) -> &str {
    if told.exchange.client.is_empty() { "somebody" } else { &told.exchange.client }
}

fn dialect(told: &Told) -> Option<Dialect> {
    told.recording.upstream.first().map(|said| said.dialect)
}

fn word(dialect: Option<Dialect>) -> &'static str {
    match dialect {
        Some(Dialect::Lite) => "lite",
        Some(Dialect::Classic) | None => "classic",
    }
}

fn has_placeholder(text: &str) -> bool {
    text.split(PLACEHOLDER).skip(1).any(|after| {
        let name = after.split_once("}}").map(|(name, _)| name);
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '~');
        name.is_some_and(|name| !name.is_empty() && name.chars().all(legal))
    })
}

/// The catalog, as the backend tells it.
fn catalog(catalog: &Catalog) -> String {
    let models: Vec<_> = catalog.models.iter().map(model).collect();
    laid_out(&json!({ "models": models }).to_string()).unwrap_or_default()
}

fn model(model: &Model) -> serde_json::Value {
    let efforts: Vec<_> = model.efforts.iter().map(|effort| json!({ "effort": effort })).collect();
    let tiers: Vec<_> = model.tiers.iter().map(|tier| json!({ "id": tier })).collect();
    json!({
        "slug": model.slug,
        "display_name": model.display_name,
        "description": model.description,
        "default_reasoning_level": model.default_effort,
        "supported_reasoning_levels": efforts,
        "visibility": if model.visible { "list" } else { "hide" },
        "priority": model.priority,
        "service_tiers": tiers,
        "support_verbosity": model.verbosity.is_some(),
        "default_verbosity": model.verbosity,
        "context_window": model.context_window,
        "max_context_window": model.max_context_window,
        "effective_context_window_percent": model.effective_percent,
        "use_responses_lite": model.dialect == Dialect::Lite,
    })
}

#[cfg(test)]
mod tests;

//! A Messages request → a Responses request, in the dialect of the model it goes to.

use serde_json::value::RawValue;

use super::content::{Reader, Writer};
use super::edits::Edits;
use super::envelope::{Checksum, StaleReasoning};
use super::notes::{Notes, What};
use super::originals::Originals;
use super::pairs::Pairs;
use super::schema::Format;
use super::searching::{Searched, function, search_function};
use super::tools::{Names, ToolOrder, Tools, upstream_name};
use crate::anthropic::block::Block;
use crate::anthropic::event::ContextManagement;
use crate::anthropic::request::{Content, MessagesRequest, Role as ClientRole, ToolChoiceKind};
use crate::failure::Failure;
use crate::json::JsonStr;
use crate::openai::request::{
    InputItem, InputPart, Reasoning, Request, Role, TextControl, ToolChoice, ToolDefinition,
};
use crate::route::{Dialect, Effort, Route};

/// What translation must know beside the request: where it goes and what this attempt may send.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Where it goes.
    pub route: &'a Route,
    /// The dialect of this attempt; the route's, unless the backend refused that one.
    pub dialect: Dialect,
    /// The tag of the account that will send it.
    pub account: &'a str,
    /// False: leave replayed reasoning out, the backend could not read it.
    pub reasoning: bool,
    /// Ciphertexts that the backend has refused before: they are left out at once (S41).
    pub stale: &'a StaleReasoning,
    /// True: add `instructions: ""` (DECISIONS 8).
    pub instructions: bool,
    /// May tools that appeared later stand where they appeared (DECISIONS 11)? Lite only.
    pub late_tools: bool,
    /// Tools beside the known ones that must not run at the same time; `None`: the user does not mind (R37).
    pub serial_tools: Option<&'a [String]>,
    /// `prompt_cache_key`: the thread's id.
    pub thread: &'a str,
    /// The tools in the order this thread first showed them.
    pub tools: &'a ToolOrder,
    /// Arguments as the model wrote them.
    pub originals: &'a Originals,
    /// What was searched and found since the client's request.
    pub searched: Option<&'a Searched>,
}

impl<'a> Context<'a> {
    /// The first try for a thread without a name, to an account without one.
    pub fn new(
        route: &'a Route,
        tools: &'a ToolOrder,
        originals: &'a Originals,
        stale: &'a StaleReasoning,
    ) -> Self {
        Self {
            route,
            dialect: route.dialect,
            account: "",
            reasoning: true,
            stale,
            instructions: false,
            late_tools: true,
            serial_tools: None,
            thread: "",
            tools,
            originals,
            searched: None,
        }
    }
}

/// The request for the backend, and what must be known when the answer comes.
#[derive(Debug)]
pub struct Translated<'a> {
    /// The request.
    pub request: Request<'a>,
    /// Tool names that had to change.
    pub names: Names,
    /// What the answer's text must be.
    pub format: Option<Format>,
    /// What was cleared of the conversation, if the client asked for that.
    pub context_management: Option<ContextManagement>,
    /// Checksums of the reasoning that goes out, to be remembered if the backend can't read it.
    pub replayed: Vec<Checksum>,
    /// What was not carried over as it was.
    pub notes: Notes,
}

/// Translates a request.
///
/// # Errors
/// [`Failure::Threads`], [`Failure::Invalid`]: what the client must change.
pub fn messages_to_responses<'a>(
    request: &MessagesRequest<'a>,
    context: Context<'a>,
) -> Result<Translated<'a>, Failure> {
    refuse_what_cannot_be_honoured(request)?;
    let Context { route, dialect, .. } = context;
    let mut notes = Notes::default();
    tell_of_members(request, route, &mut notes);
    let pairs = Pairs::of(request, &mut notes);
    let mut tools = Tools::of(request, context.tools, &mut notes)?;
    let names = std::mem::take(&mut tools.names);
    if dialect == Dialect::Lite
        && tools.search.take().is_some()
        && let Some(name) = search_function(request)
    {
        tools.add(function(name));
        notes.add(
            What::Adjusted,
            "tools",
            format!("the search endpoint serves the web search of {}", route.model),
        );
    }
    let searches = tools.search.is_some();
    let choice = choice(request, &tools, dialect, &mut notes)?;
    let has_tools = !tools.is_empty();
    let search = tools.search.take();
    let one_call_at_a_time =
        request.tool_choice.as_ref().is_some_and(|choice| choice.disable_parallel_tool_use);

    let reader = Reader {
        model: &route.model,
        account: context.account,
        reasoning: context.reasoning,
        stale: context.stale,
        dialect,
    };
    let edits = Edits::of(request, reader, &mut notes);
    let serial = serial(request, context, &mut notes);
    if dialect == Dialect::Lite && !context.late_tools {
        tools.join(&mut notes);
    }
    let mut writer = Writer::new(reader, pairs, context.originals, &edits, &mut notes);
    let mut batches = tools.batches.into_iter().peekable();
    let mut classic_tools = Vec::new();
    match dialect {
        Dialect::Classic => {
            let functions = batches.by_ref().flat_map(|(_, tools)| tools).map(ToolDefinition::Function);
            classic_tools.extend(functions);
            classic_tools.extend(search.map(ToolDefinition::WebSearch));
        }
        Dialect::Lite => {
            if let Some((_, tools)) = batches.next_if(|(messages, _)| *messages == 0) {
                writer.items.push(InputItem::AdditionalTools { role: Role::Developer, tools });
            }
        }
    }
    if let Some(system) = &request.system {
        writer.system(system)?;
    }
    for (m, message) in request.messages.iter().enumerate() {
        let loaded = batches.next_if(|(messages, _)| *messages == m + 1).map(|(_, tools)| tools);
        writer.message(m, message, loaded)?;
    }
    let (mut input, replayed) = writer.finish();
    input.extend(blocked_domains(request).map(|line| message(Role::Developer, line)));
    let is_forced = choice.line.is_some();
    if let Some(line) = choice.line {
        input.push(message(Role::Developer, line));
    }
    if let Some(searched) = context.searched.filter(|searched| !searched.is_empty()) {
        input.extend(searched.items(context.reasoning, context.account));
        if is_forced {
            input.push(message(Role::Developer, "That was done. Answer now.".to_owned()));
        }
    }
    if !input.iter().any(|item| !matches!(item, InputItem::AdditionalTools { .. })) {
        input.push(message(Role::User, "(The message is empty.)".to_owned()));
    }

    let (text, format) = text(request, route, &mut notes)?;
    let request = Request {
        model: &route.model,
        instructions: context.instructions.then_some(""),
        input,
        tools: classic_tools,
        tool_choice: choice.choice,
        parallel_tool_calls: match dialect {
            Dialect::Lite => Some(false),
            Dialect::Classic => has_tools.then_some(!one_call_at_a_time && !serial),
        },
        reasoning: Reasoning {
            effort: effort(request, route, &mut notes),
            summary: shows_thinking(request).then_some("auto"),
            context: (dialect == Dialect::Lite).then_some("all_turns"),
        },
        store: false,
        stream: true,
        include: if searches {
            &["reasoning.encrypted_content", "web_search_call.action.sources"]
        } else {
            &["reasoning.encrypted_content"]
        },
        service_tier: route.tier.as_deref(),
        prompt_cache_key: context.thread,
        text,
    };
    let context_management = edits.applied;
    Ok(Translated { request, names, format, context_management, replayed, notes })
}

/// An answer seldom needs more output tokens than this: a higher limit of the client bounds nothing.
const LIMIT_THAT_BOUNDS: u64 = 8_192;

/// Notes what of the request itself has no place upstream. (Blocks and tools tell of theirs where they are written.)
fn tell_of_members(request: &MessagesRequest<'_>, route: &Route, notes: &mut Notes) {
    notes.rest_of_request(&request.rest);
    if let Some(limit) = request.max_tokens.filter(|limit| *limit < LIMIT_THAT_BOUNDS) {
        let detail = format!("the backend takes no limit; an answer may be longer than {limit} tokens");
        notes.add(What::Dropped, "max_tokens", detail);
    }
    if let Some(metadata) = &request.metadata {
        notes.rest("metadata", &metadata.rest);
        if metadata.user_id.as_ref().is_some_and(|id| !id.is_empty()) && request.session().is_none() {
            notes.add(What::Dropped, "metadata.user_id", "it names no session, and nobody else's id is sent");
        }
    }
    if let Some(thinking) = &request.thinking {
        notes.rest("thinking", &thinking.rest);
    }
    if let Some(choice) = &request.tool_choice {
        notes.rest("tool_choice", &choice.rest);
    }
    if let Some(config) = &request.output_config {
        notes.rest("output_config", &config.rest);
    }
    let known = |word: &&str| {
        !matches!(*word, "fast" | "priority" | "auto" | "standard" | "standard_only" | "default")
    };
    for (member, word) in
        [("speed", request.speed.as_deref()), ("service_tier", request.service_tier.as_deref())]
    {
        if word.is_some_and(|word| known(&word)) {
            notes.add(What::Dropped, member, "there is no such speed or tier here");
        }
    }
    if route.fast && route.tier.is_none() {
        let place = if request.wants_speed() { "speed" } else { "model" };
        notes.add(
            What::Dropped,
            place,
            format!("{} has no priority tier; it answers at its usual speed", route.model),
        );
    }
}

/// The two exceptions to "never refuse what you don't know" (M07, M08).
fn refuse_what_cannot_be_honoured(request: &MessagesRequest<'_>) -> Result<(), Failure> {
    let asked = |member: Option<&RawValue>| member.is_some_and(|raw| !matches!(raw.get(), "null" | "[]"));
    if asked(request.thread) {
        return Err(Failure::Threads);
    }
    if asked(request.safeguards) {
        return Err(Failure::invalid(
            "safeguards",
            "safeguards can't be honoured here: no verdict would be real. Send the request without the field",
        ));
    }
    Ok(())
}

struct Choice<'a> {
    choice: Option<ToolChoice<'a>>,
    /// Lite knows only `auto`: the wish in words.
    line: Option<String>,
}

/// `tool_choice` (R34, R35; Lite: DECISIONS 10).
fn choice<'a>(
    request: &MessagesRequest<'a>,
    tools: &Tools<'a>,
    dialect: Dialect,
    notes: &mut Notes,
) -> Result<Choice<'a>, Failure> {
    let wanted = match &request.tool_choice {
        None => None,
        Some(choice) if tools.is_empty() && choice.kind != ToolChoiceKind::Tool => {
            if choice.kind == ToolChoiceKind::Any {
                notes.add(What::Dropped, "tool_choice", "there are no tools to choose from");
            }
            None
        }
        Some(choice) => Some(match (choice.kind, &choice.name) {
            (ToolChoiceKind::Auto, _) => ToolChoice::Auto,
            (ToolChoiceKind::Any, _) => ToolChoice::Required,
            (ToolChoiceKind::None, _) => ToolChoice::None,
            (ToolChoiceKind::Tool, None) => {
                return Err(Failure::invalid("tool_choice.name", "field required"));
            }
            (ToolChoiceKind::Tool, Some(name)) => {
                let upstream = upstream_name(name);
                let only_search = tools.search.is_some() && tools.batches.is_empty();
                if tools.search.is_some() && name == "web_search" && !tools.has(&upstream) {
                    // The hosted tool can't be named; alone, it can be required (R42).
                    return Ok(Choice {
                        choice: Some(if only_search { ToolChoice::Required } else { ToolChoice::Auto }),
                        line: (!only_search).then(|| "Search the web before you answer.".to_owned()),
                    });
                }
                if !tools.has(&upstream) {
                    let message = format_args!("there is no tool {name:?} in tools");
                    return Err(Failure::invalid("tool_choice.name", message));
                }
                ToolChoice::Function(upstream)
            }
        }),
    };
    if dialect == Dialect::Classic {
        return Ok(Choice { choice: wanted, line: None });
    }
    let line = wanted.as_ref().and_then(in_words);
    if line.is_some() {
        notes.add(What::Adjusted, "tool_choice", "this model takes it as a sentence only");
    }
    Ok(Choice { choice: Some(ToolChoice::Auto), line })
}

/// A choice as a sentence, for the dialect that knows only `auto`.
pub(super) fn in_words(choice: &ToolChoice<'_>) -> Option<String> {
    match choice {
        ToolChoice::Required => Some("Answer by calling one of the tools.".to_owned()),
        ToolChoice::Function(name) => Some(format!("Answer by calling the tool {name}.")),
        ToolChoice::None => Some("Answer without calling any tool.".to_owned()),
        ToolChoice::Auto => None,
    }
}

/// The domains that a search must leave out, in words: the backend has no setting for it (R41).
fn blocked_domains(request: &MessagesRequest<'_>) -> Option<String> {
    let blocked = request.web_search()?.blocked_domains.as_ref().filter(|domains| !domains.is_empty())?;
    Some(format!("When you search the web, do not use results from these domains: {}.", blocked.join(", ")))
}

/// Tools that change files or more: two at once may get in each other's way.
const MUTATING: [&str; 5] = ["Edit", "Write", "NotebookEdit", "Bash", "MultiEdit"];

/// Must calls come one by one, because the user wants it so for tools that change something (R37)?
fn serial(request: &MessagesRequest<'_>, context: Context<'_>, notes: &mut Notes) -> bool {
    let Some(others) = context.serial_tools.filter(|_| context.dialect == Dialect::Classic) else {
        return false;
    };
    let mutating = |name: &str| MUTATING.contains(&name) || others.iter().any(|other| other == name);
    let found = request.tools.iter().find(|tool| mutating(&tool.name));
    if let Some(tool) = found {
        let detail =
            format!("one call at a time, as the settings ask, because {} is among the tools", tool.name);
        notes.add(What::Adjusted, "tools", detail);
    }
    found.is_some()
}

/// The effort (DECISIONS 5), clamped to what the catalog lists.
pub(super) fn effort(request: &MessagesRequest<'_>, route: &Route, notes: &mut Notes) -> Option<Effort> {
    let disabled = request.thinking.as_ref().is_some_and(|thinking| thinking.kind == "disabled");
    if disabled {
        return Effort::None.clamp_to(&route.efforts);
    }
    let in_conversation = request.messages.iter().rev().find_map(|message| message.output_config.as_ref());
    let word = in_conversation
        .and_then(|config| config.effort.as_deref())
        .or_else(|| request.output_config.as_ref().and_then(|config| config.effort.as_deref()));
    let asked = word.and_then(|word| match word.parse::<Effort>() {
        Ok(effort) => Some(effort),
        Err(unknown) => {
            notes.add(What::Dropped, "output_config.effort", unknown.to_string());
            None
        }
    });
    let budget =
        request.thinking.as_ref().and_then(|thinking| thinking.budget_tokens).map(Effort::from_budget);
    // A summary needs no deep thought, and the user is waiting for it (R59).
    let enough = is_compaction(request).then_some(Effort::Low);
    settle(asked.or(budget), enough, route, "output_config.effort", notes)
}

/// Between what the client asks and what the user has set: one of the levels that the catalog lists. `most`: no more
/// than this is needed.
pub(super) fn settle(
    asked: Option<Effort>,
    most: Option<Effort>,
    route: &Route,
    place: &str,
    notes: &mut Notes,
) -> Option<Effort> {
    let told = route.suffix_effort.or(route.forced_effort);
    let wanted = told.or(asked).or(route.rule_effort).or(route.default_effort)?;
    let enough = most.map_or(wanted, |most| wanted.min(most));
    let sent = enough.clamp_to(&route.efforts)?;
    if sent != wanted {
        notes.add(What::Adjusted, place, format!("{wanted} is sent as {sent}"));
    }
    Some(sent)
}

/// Does Claude Code ask for the summary that replaces the conversation? The sentence stands in a message of its own, or
/// behind the last tool result (`claude-code.md` §8); no header tells it.
pub fn is_compaction(request: &MessagesRequest<'_>) -> bool {
    const SENTENCE: &str = "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.";
    let last = request.messages.iter().rev().find(|message| message.role == ClientRole::User);
    last.is_some_and(|message| match &message.content {
        Content::Text(text) => text.starts_with(SENTENCE),
        Content::Blocks(blocks) => match blocks.last() {
            Some(Block::Text(block)) => block.text.starts_with(SENTENCE),
            _ => false,
        },
    })
}

/// A summary is asked for only where thinking will be shown (R58, M20).
fn shows_thinking(request: &MessagesRequest<'_>) -> bool {
    let omitted =
        request.thinking.as_ref().is_some_and(|thinking| thinking.display.as_deref() == Some("omitted"));
    request.wants_thinking() && !omitted
}

/// `text`: verbosity, and the form that the answer must have.
fn text<'a>(
    request: &MessagesRequest<'a>,
    route: &'a Route,
    notes: &mut Notes,
) -> Result<(Option<TextControl<'a>>, Option<Format>), Failure> {
    let newer = request.output_config.as_ref().and_then(|config| config.format.as_ref());
    let wanted = match newer {
        Some(format) => Some((format, "output_config.format")),
        None => request.output_format.as_ref().map(|format| (format, "output_format")),
    };
    if newer.is_some() && request.output_format.is_some() {
        notes.add(What::Dropped, "output_format", "output_config.format says it already");
    }
    let (measure, format) = match wanted {
        Some((format, place)) => {
            notes.rest(place, &format.rest);
            match format.schema {
                Some(schema) if format.kind == "json_schema" => {
                    let (measure, format) = Format::of(schema, &format!("{place}.schema"), notes)?;
                    (Some(measure), Some(format))
                }
                _ => {
                    notes.add(What::Dropped, place, format!("there is no format {} here", format.kind));
                    (None, None)
                }
            }
        }
        None => (None, None),
    };
    let verbosity = route.verbosity.as_deref();
    let control = (verbosity.is_some() || format.is_some()).then_some(TextControl { verbosity, format });
    Ok((control, measure))
}

fn message<'a>(role: Role, text: String) -> InputItem<'a> {
    InputItem::Message { role, content: vec![InputPart::InputText { text: JsonStr::from(text) }] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effort_of(body: &str) -> Option<Effort> {
        let route = Route::to("gpt-5.5", Dialect::Classic, &[Effort::Low, Effort::Medium, Effort::High]);
        effort(&MessagesRequest::parse(body).unwrap(), &route, &mut Notes::default())
    }

    #[test]
    fn a_compaction_is_given_little_effort_wherever_its_sentence_stands() {
        let sentence = "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\\n\\n- Do NOT use";
        let body = |content: &str| {
            format!(
                r#"{{"model":"m","output_config":{{"effort":"high"}},"messages":[{{"role":"user","content":"hi"}},{{"role":"user","content":{content}}},{{"role":"system","content":"env"}}]}}"#
            )
        };
        let result = r#"{"type":"tool_result","tool_use_id":"c","content":"x"}"#;
        for content in [
            format!(r#""{sentence}""#),
            format!(r#"[{{"type":"text","text":"{sentence}"}}]"#),
            format!(r#"[{result},{{"type":"text","text":"{sentence}"}}]"#),
        ] {
            assert_eq!(effort_of(&body(&content)), Some(Effort::Low), "{content}");
        }
        assert_eq!(effort_of(&body(&format!(r#""As it said: {sentence}""#))), Some(Effort::High));
    }
}

//! The ids of a conversation, and the little that is remembered of it between two requests (DECISIONS 6, 11, 17).
//!
//! All of it is lost with the process without harm: ids are derived, the rest only keeps the prompt cache warm and the
//! first estimate close.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use dragoman_protocol::anthropic::block::Block;
use dragoman_protocol::anthropic::event::Usage;
use dragoman_protocol::anthropic::request::{BILLING_LINE, Content, MessagesRequest, Role};
use dragoman_protocol::count::estimate;
use dragoman_protocol::openai::client::{ClientRequest, Input, ItemHead};
use dragoman_protocol::translate::{Checksum, StaleReasoning, ToolOrder};
use http::HeaderMap;
use uuid::Uuid;

/// How many threads are remembered.
const REMEMBERED: usize = 512;
/// The namespace of ids made from text.
const NAMESPACE: Uuid = Uuid::from_bytes(*b"dragoman-threads");

/// The ids that go into the upstream headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ids {
    /// The session's.
    pub(crate) session: String,
    /// The thread's: the session's own for the main loop, one of its own for each agent and for side requests.
    pub(crate) thread: String,
}

impl Ids {
    /// From the headers, else the metadata, else the conversation's beginning (R64, R65).
    pub(crate) fn of(headers: &HeaderMap, request: &MessagesRequest<'_>) -> Self {
        let header = |name| header(headers, name);
        let named = header("x-claude-code-session-id").map(str::to_owned).or_else(|| request.session());
        let session = match &named {
            Some(name) => as_uuid(name),
            None => Uuid::new_v5(&NAMESPACE, &beginning(request).to_be_bytes()),
        };
        let offers_own_tools = request.tools.iter().any(|tool| !tool.is_server_tool());
        let thread = match header("x-claude-code-agent-id") {
            Some(agent) => Uuid::new_v5(&session, agent.as_bytes()),
            // Titles, searches and page summaries carry the session's id too; with the main loop's thread id they
            // would take its cache and its window number (P2).
            None if named.is_some() && !offers_own_tools => Uuid::new_v5(&session, b"side"),
            None => session,
        };
        Self { session: session.to_string(), thread: thread.to_string() }
    }

    /// Of a Responses request: the headers of the Codex CLI, else the cache key, else the conversation's beginning.
    pub(crate) fn of_responses(headers: &HeaderMap, request: &ClientRequest<'_>) -> Self {
        let header = |name| header(headers, name);
        let key = request.prompt_cache_key.as_deref().filter(|key| !key.is_empty());
        let session = match header("session-id").or(key) {
            Some(name) => as_uuid(name),
            None => Uuid::new_v5(&NAMESPACE, &first_of(request).to_be_bytes()),
        };
        let thread = header("thread-id").map_or(session, as_uuid);
        Self { session: session.to_string(), thread: thread.to_string() }
    }

    /// May a request with these headers go on in this thread? One that names another one may not.
    pub(crate) fn is_of(&self, headers: &HeaderMap) -> bool {
        header(headers, "thread-id").is_none_or(|thread| thread == self.thread)
    }
}

/// A header that says something.
pub(crate) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    value.filter(|value| !value.is_empty())
}

/// A hash of what stays the same while a conversation grows: its instructions and all up to what the user says first.
fn first_of(request: &ClientRequest<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Some(instructions) = &request.instructions {
        instructions.to_text().hash(&mut hasher);
    }
    match &request.input {
        Some(Input::Text(text)) => text.to_text().hash(&mut hasher),
        Some(Input::Items(items)) => {
            for item in items {
                item.get().hash(&mut hasher);
                let head: Option<ItemHead<'_>> = serde_json::from_str(item.get()).ok();
                if head.is_some_and(|head| head.role.as_deref() == Some("user")) {
                    break;
                }
            }
        }
        None => {}
    }
    hasher.finish()
}

/// The id by which a session of this name is known upstream.
pub fn session_id(name: &str) -> String {
    as_uuid(name).to_string()
}

fn as_uuid(name: &str) -> Uuid {
    Uuid::try_parse(name).unwrap_or_else(|_| Uuid::new_v5(&NAMESPACE, name.as_bytes()))
}

/// A hash of what stays the same while a conversation grows: its system prompt (a chat's stands among its messages) and
/// first user message.
fn beginning(request: &MessagesRequest<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Some(system) = &request.system {
        hash_text(system, &mut hasher);
    }
    for message in request.messages.iter().take_while(|message| message.role == Role::System) {
        hash_text(&message.content, &mut hasher);
    }
    hash_first_message(request, &mut hasher);
    hasher.finish()
}

fn hash_first_message(request: &MessagesRequest<'_>, hasher: &mut DefaultHasher) {
    if let Some(first) = request.messages.iter().find(|message| message.role == Role::User) {
        hash_text(&first.content, hasher);
    }
}

/// Text only, so that a string and a list of one text block are the same (M24).
fn hash_text(content: &Content<'_>, hasher: &mut DefaultHasher) {
    match content {
        Content::Text(text) => text.to_text().hash(hasher),
        Content::Blocks(blocks) => {
            for block in blocks {
                if let Block::Text(block) = block
                    && !block.text.starts_with(BILLING_LINE)
                {
                    block.text.to_text().hash(hasher);
                }
            }
        }
    }
}

/// What is remembered of each thread.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    known: Mutex<HashMap<String, Thread>>,
}

#[derive(Debug, Clone, Default)]
struct Thread {
    /// The first user message, as a hash: another one means that the history was rewritten.
    beginning: u64,
    window: u64,
    tools: ToolOrder,
    /// All tokens of the last answer, and what the request before it was estimated at on its own.
    last: Option<(u64, u64)>,
    /// Reasoning that the backend could not read.
    stale: Arc<StaleReasoning>,
    used: u64,
}

/// A thread as a request finds it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The number in `x-codex-window-id`: grows with each compaction.
    pub(crate) window: u64,
    /// The tools in the order they were first shown.
    pub(crate) tools: ToolOrder,
    /// Input tokens, estimated: the last true usage and what came since.
    pub(crate) estimate: u64,
    /// The estimate of this request alone, to be handed back with the true usage.
    pub(crate) alone: u64,
    /// Reasoning that need not be sent again: the backend could not read it.
    pub(crate) stale: Arc<StaleReasoning>,
}

impl Threads {
    /// Takes note of a request.
    pub(crate) fn observe(&self, thread: &str, request: &MessagesRequest<'_>) -> Seen {
        let mut hasher = DefaultHasher::new();
        hash_first_message(request, &mut hasher);
        let beginning = hasher.finish();
        let alone = estimate(request);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED && !known.contains_key(thread) {
            forget_the_oldest(&mut known);
        }
        let clock = known.values().map(|thread| thread.used).max().unwrap_or_default() + 1;
        let state =
            known.entry(thread.to_owned()).or_insert_with(|| Thread { beginning, ..Thread::default() });
        state.used = clock;
        if state.beginning != beginning {
            *state = Thread { beginning, window: state.window + 1, used: clock, ..Thread::default() };
        }
        state.tools.observe(request);
        let estimate = match state.last {
            Some((total, then)) if alone >= then => total + (alone - then),
            _ => alone,
        };
        Seen {
            window: state.window,
            tools: state.tools.clone(),
            estimate,
            alone,
            stale: Arc::clone(&state.stale),
        }
    }

    /// Takes note of reasoning that the backend could not read: the next request leaves it out at once, instead of
    /// asking twice until the client drops it (S41).
    pub(crate) fn refused(&self, thread: &str, reasoning: &[Checksum]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = known.get_mut(thread) {
            Arc::make_mut(&mut thread.stale).extend(reasoning);
        }
    }

    /// Takes note of the true usage of an answer.
    pub(crate) fn answered(&self, thread: &str, alone: u64, usage: Usage) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = known.get_mut(thread) {
            let input = usage.all_input();
            if input > 0 {
                thread.last = Some((input, alone));
            }
        }
    }
}

fn forget_the_oldest(known: &mut HashMap<String, Thread>) {
    let oldest = known.iter().min_by_key(|(_, thread)| thread.used).map(|(id, _)| id.clone());
    if let Some(oldest) = oldest {
        known.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
    }

    const SESSION: &str = "1fb6b981-be92-43db-a237-cf09d4886ef0";
    const TOOLS: &str = r#""tools":[{"name":"Bash","input_schema":{}}]"#;

    #[test]
    fn the_session_is_found_in_header_metadata_or_the_conversation_itself() {
        let body = format!(
            r#"{{"model":"m",{TOOLS},"messages":[{{"role":"user","content":"hi"}}],"metadata":{{"user_id":"{{\"session_id\":\"{SESSION}\"}}"}}}}"#
        );
        let request = MessagesRequest::parse(&body).unwrap();
        let main = Ids { session: SESSION.into(), thread: SESSION.into() };
        assert_eq!(Ids::of(&HeaderMap::new(), &request), main);
        let old = body.replace(
            &format!(r#"{{\"session_id\":\"{SESSION}\"}}"#),
            &format!("user_x_account_y_session_{SESSION}"),
        );
        assert_eq!(Ids::of(&HeaderMap::new(), &MessagesRequest::parse(&old).unwrap()), main);
        let other = "a0a694b5-294d-4621-b913-cab054712e23";
        assert_eq!(Ids::of(&headers(&[("x-claude-code-session-id", other)]), &request).session, other);

        let agent = Ids::of(
            &headers(&[("x-claude-code-session-id", SESSION), ("x-claude-code-agent-id", "a1")]),
            &request,
        );
        assert_eq!(agent.session, SESSION);
        assert_ne!(agent.thread, SESSION);

        let bare = |text: &str| {
            format!(r#"{{"model":"m","system":"s","messages":[{{"role":"user","content":{text}}}]}}"#)
        };
        let ids = |body: &str| Ids::of(&HeaderMap::new(), &MessagesRequest::parse(body).unwrap());
        assert_eq!(ids(&bare(r#""hi""#)), ids(&bare(r#"[{"type":"text","text":"hi"}]"#)));
        assert_ne!(ids(&bare(r#""hi""#)), ids(&bare(r#""ho""#)));
    }

    #[test]
    fn a_side_request_does_not_touch_the_main_thread() {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"make a title"}}],"metadata":{{"user_id":"{{\"session_id\":\"{SESSION}\"}}"}}}}"#
        );
        let ids = Ids::of(&HeaderMap::new(), &MessagesRequest::parse(&body).unwrap());
        assert_eq!(ids.session, SESSION);
        assert_ne!(ids.thread, SESSION);
    }

    #[test]
    fn compaction_opens_a_new_window_and_growth_does_not() {
        let body = |messages: &[&str]| {
            let messages: Vec<_> =
                messages.iter().map(|text| format!(r#"{{"role":"user","content":"{text}"}}"#)).collect();
            format!(r#"{{"model":"m",{TOOLS},"messages":[{}]}}"#, messages.join(","))
        };
        let threads = Threads::default();
        let window = |messages: &[&str]| {
            let body = body(messages);
            threads.observe("t", &MessagesRequest::parse(&body).unwrap()).window
        };
        assert_eq!(window(&["a"]), 0);
        assert_eq!(window(&["a", "b"]), 0);
        assert_eq!(window(&["summary"]), 1);
        assert_eq!(window(&["summary", "c"]), 1);
    }

    #[test]
    fn the_estimate_follows_the_true_usage() {
        let threads = Threads::default();
        let body = r#"{"model":"m","messages":[{"role":"user","content":"aaaabbbb"}]}"#;
        let request = MessagesRequest::parse(body).unwrap();
        let seen = threads.observe("t", &request);
        threads.answered(
            "t",
            seen.alone,
            Usage { input_tokens: 1_000, output_tokens: 5, ..Usage::default() },
        );
        assert_eq!(threads.observe("t", &request).estimate, 1_000);
    }
}

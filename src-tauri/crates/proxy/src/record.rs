//! What was said on both sides of an exchange, for a user who switched recording on: in memory only, bounded by number
//! and bytes, gone with the switch and with the program.
//!
//! Off (the usual state) costs one look at a flag for each request. Headers are no part of it (but a few that decide something), and what looks like a
//! secret is taken out before anything is kept (`record/redact.rs`). Not here: who switches, and what is made of it (app).

mod redact;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use dragoman_protocol::route::Dialect;
use http::HeaderMap;
use redact::Redactor;
use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::door::Door;
use crate::extra::ExtraTool;

/// So many exchanges are kept; the oldest goes.
const EXCHANGES: usize = 100;
/// So many bytes are kept in all, those of running exchanges included; the oldest goes.
const BYTES: usize = 64 << 20;

/// The client's headers that decide who is asked, by what name, in which thread, and what of the answer is told.
const HEADERS: [&str; 8] = [
    "user-agent",
    "anthropic-beta",
    "x-claude-code-session-id",
    "x-claude-code-agent-id",
    "originator",
    "session-id",
    "thread-id",
    "x-codex-window-id",
];

/// What was said in one exchange.
#[derive(Clone, PartialEq, Eq)]
pub struct Recording {
    /// Its id, as in the `request-id` header.
    pub request_id: String,
    /// In which API.
    pub door: Door,
    /// The thread that it belongs to, as it is known upstream.
    pub thread: String,
    /// The headers of the client's that decide something, by name.
    pub headers: Vec<(&'static str, String)>,
    /// The tools of MCP servers that were at hand for it, whether it got them or not.
    pub extra_tools: Arc<[ExtraTool]>,
    /// What the client sent.
    pub request: String,
    /// What was sent to the backend, and what it said, in order. More than one, if the backend objected to the first or
    /// the model searched.
    pub upstream: Vec<Said>,
    /// What the client got, as far as it came; empty where the answer is an error's status.
    pub answer: String,
    /// Did the model search by way of the search endpoint? What that one said is not here.
    pub searched: bool,
}

/// A request to the backend and its answer.
#[derive(Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[ts(rename = "RecordedTurn")]
#[schema(as = RecordedTurn)]
pub struct Said {
    /// The dialect that it is written in.
    pub dialect: Dialect,
    /// The body: JSON.
    pub request: String,
    /// The answer's event stream; empty if the request was refused.
    pub events: String,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest is the user's conversation.
        f.debug_struct("Recording").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Said(…)")
    }
}

/// Whether contents are kept, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[ts(rename = "RecordingState")]
#[schema(as = RecordingState)]
pub struct Fill {
    /// Are they kept?
    pub on: bool,
    /// Requests whose contents are kept.
    pub exchanges: usize,
    /// So many at most; the oldest goes.
    pub most_exchanges: usize,
    /// Bytes that they and those that are running take.
    pub bytes: usize,
    /// So many at most; the oldest goes.
    pub most_bytes: usize,
}

/// Keeps what is said while it is on. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    on: AtomicBool,
    /// Made when it is switched on for the first time.
    redactor: OnceLock<Redactor>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// How often it was switched off: what was begun before does not come in.
    round: u64,
    recordings: VecDeque<Arc<Recording>>,
    bytes: usize,
}

impl Recorder {
    /// Switches it. Off forgets everything.
    pub fn switch(&self, on: bool) {
        let mut kept = self.0.kept();
        if !on {
            *kept = Kept { round: kept.round + 1, ..Kept::default() };
        }
        self.0.on.store(on, Ordering::Relaxed);
    }

    /// How full it is.
    pub fn fill(&self) -> Fill {
        let kept = self.0.kept();
        Fill {
            on: self.0.on.load(Ordering::Relaxed),
            exchanges: kept.recordings.len(),
            most_exchanges: EXCHANGES,
            bytes: kept.bytes,
            most_bytes: BYTES,
        }
    }

    /// What was said in this exchange, if it was recorded and is still kept.
    pub fn get(&self, request_id: &str) -> Option<Arc<Recording>> {
        self.0.kept().recordings.iter().find(|one| one.request_id == request_id).cloned()
    }

    /// Begins to record an exchange, if it is on. `secret` is taken out wherever it stands.
    pub(crate) fn begin(&self, asked: Asked<'_>, secret: &str) -> Option<Tape> {
        if !self.0.on.load(Ordering::Relaxed) {
            return None;
        }
        let tape = Tape(Arc::new(Running {
            shared: Arc::clone(&self.0),
            round: self.0.kept().round,
            request_id: asked.request_id.to_owned(),
            door: asked.door,
            thread: asked.thread.to_owned(),
            headers: telling(asked.headers),
            extra_tools: Arc::clone(asked.extra_tools),
            secret: secret.to_owned(),
            heard: Mutex::default(),
        }));
        tape.add(asked.body.len(), |heard| heard.request = asked.body.clone());
        Some(tape)
    }
}

/// What an exchange begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) door: Door,
    pub(crate) thread: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) extra_tools: &'a Arc<[ExtraTool]>,
    pub(crate) body: &'a Bytes,
}

/// Those that are kept. None holds a secret.
fn telling(headers: &HeaderMap) -> Vec<(&'static str, String)> {
    let value = |name: &'static str| Some((name, headers.get(name)?.to_str().ok()?.to_owned()));
    HEADERS.iter().copied().filter_map(value).collect()
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Makes room for so many more bytes; false if there is none, or if the round is over.
    fn grow(&mut self, round: u64, bytes: usize) -> bool {
        if self.round != round {
            return false;
        }
        while self.bytes + bytes > BYTES {
            let Some(oldest) = self.recordings.pop_front() else { return false };
            self.bytes -= oldest.bytes();
        }
        self.bytes += bytes;
        true
    }

    fn shrink(&mut self, round: u64, bytes: usize) {
        if self.round == round {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

impl Recording {
    fn bytes(&self) -> usize {
        let upstream = self.upstream.iter().map(|said| said.request.len() + said.events.len());
        self.request.len() + self.answer.len() + upstream.sum::<usize>()
    }
}

/// The recording of an exchange that is running. Clones are one. It comes to the others when the exchange has ended.
#[derive(Clone)]
pub(crate) struct Tape(Arc<Running>);

struct Running {
    shared: Arc<Shared>,
    round: u64,
    request_id: String,
    door: Door,
    thread: String,
    headers: Vec<(&'static str, String)>,
    extra_tools: Arc<[ExtraTool]>,
    secret: String,
    heard: Mutex<Heard>,
}

/// What was said so far, as it went by.
#[derive(Default)]
struct Heard {
    request: Bytes,
    upstream: Vec<(Dialect, Bytes, Vec<Bytes>)>,
    answer: Vec<Bytes>,
    searched: bool,
    bytes: usize,
    /// There was no room for it, or recording was switched off: it is given up.
    lost: bool,
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tape({})", self.0.request_id)
    }
}

impl Tape {
    /// This was sent to the backend.
    pub(crate) fn sent(&self, dialect: Dialect, body: &[u8]) {
        let body = Bytes::copy_from_slice(body);
        self.add(body.len(), |heard| heard.upstream.push((dialect, body, Vec::new())));
    }

    /// The backend said this.
    pub(crate) fn heard(&self, events: &Bytes) {
        self.add(events.len(), |heard| {
            if let Some((.., said)) = heard.upstream.last_mut() {
                said.push(events.clone());
            }
        });
    }

    /// The client got this.
    pub(crate) fn answered(&self, bytes: &Bytes) {
        self.add(bytes.len(), |heard| heard.answer.push(bytes.clone()));
    }

    /// The search endpoint is asked.
    pub(crate) fn searched(&self) {
        self.add(0, |heard| heard.searched = true);
    }

    fn add(&self, bytes: usize, add: impl FnOnce(&mut Heard)) {
        let mut heard = self.0.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.lost {
            return;
        }
        if self.0.shared.kept().grow(self.0.round, bytes) {
            heard.bytes += bytes;
            add(&mut heard);
        } else {
            self.0.shared.kept().shrink(self.0.round, heard.bytes);
            *heard = Heard { lost: true, ..Heard::default() };
        }
    }

    /// The exchange has ended.
    pub(crate) fn close(self) {
        let Running { shared, round, request_id, door, thread, headers, extra_tools, secret, heard } =
            &*self.0;
        let heard = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
        if heard.lost {
            return;
        }
        let redactor = shared.redactor.get_or_init(Redactor::default);
        let text = |bytes: &[u8]| redactor.text(&String::from_utf8_lossy(bytes), secret);
        let recording = Recording {
            request_id: request_id.clone(),
            door: *door,
            thread: thread.clone(),
            headers: headers.clone(),
            extra_tools: Arc::clone(extra_tools),
            request: text(&heard.request),
            upstream: heard
                .upstream
                .iter()
                .map(|(dialect, request, events)| Said {
                    dialect: *dialect,
                    request: text(request),
                    events: text(&events.concat()),
                })
                .collect(),
            answer: text(&heard.answer.concat()),
            searched: heard.searched,
        };
        let mut kept = shared.kept();
        if kept.round != *round {
            return;
        }
        kept.shrink(*round, heard.bytes);
        if !kept.grow(*round, recording.bytes()) {
            return;
        }
        kept.recordings.push_back(Arc::new(recording));
        if kept.recordings.len() > EXCHANGES
            && let Some(oldest) = kept.recordings.pop_front()
        {
            kept.shrink(*round, oldest.bytes());
        }
    }
}

#[cfg(test)]
mod tests;

//! The requests: those that run, and in memory the newest that have ended. Numbers, names and notes, no content. The
//! usage history keeps sums of them on the disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dragoman_protocol::anthropic::event::Usage;
use dragoman_protocol::route::Effort;
use dragoman_protocol::translate::Note;
use dragoman_proxy::{self as proxy, Decider, Finished, Witness};
use jiff::Timestamp;
use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::newest::{Follower, Newest};

/// So many are kept.
const KEPT: usize = 200;
/// So many wait for a slow reader; of more, the oldest are lost to it.
const WAITING: usize = 64;

/// A request that is being answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Ongoing {
    /// As in the `request-id` header. The exchange that it becomes has the same.
    pub id: String,
    /// When it came, unix milliseconds.
    pub began_at: i64,
    /// The program that asks, e.g. `claude-cli`; empty if it didn't say.
    pub client: String,
    /// The session that it belongs to.
    pub session: String,
    /// The model that was asked for.
    pub model: String,
    /// The model that answers.
    pub upstream_model: String,
    /// Which rule of the model map decided that.
    pub decider: Decider,
    /// To the first output, once there was one.
    pub first_output_ms: Option<u64>,
}

impl From<&proxy::Ongoing> for Ongoing {
    fn from(ongoing: &proxy::Ongoing) -> Self {
        let since = Timestamp::try_from(ongoing.since).unwrap_or_default();
        Self {
            id: ongoing.request_id.clone(),
            began_at: since.as_millisecond(),
            client: ongoing.client.clone(),
            session: ongoing.session.clone(),
            model: ongoing.model.clone(),
            upstream_model: ongoing.upstream_model.clone(),
            decider: ongoing.decision.decider.clone(),
            first_output_ms: ongoing.first_output_ms(),
        }
    }
}

/// A request that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Exchange {
    /// As in the `request-id` header.
    pub id: String,
    /// When it ended, unix milliseconds.
    pub ended_at: i64,
    /// The program that asked, e.g. `claude-cli`; empty if it didn't say.
    pub client: String,
    /// The session that it belongs to.
    pub session: String,
    /// The account that it was made for, once there was one.
    pub account: Option<String>,
    /// The model that was asked for.
    pub model: String,
    /// The model that answered.
    pub upstream_model: String,
    /// Which rule of the model map decided that.
    pub decider: Decider,
    /// The effort that was sent.
    pub effort: Option<Effort>,
    /// An HTTP status; 499 for a client that left.
    pub status: u16,
    /// What went wrong, in Anthropic's word.
    pub error: Option<String>,
    /// To the first output.
    pub first_output_ms: Option<u64>,
    /// In all.
    pub duration_ms: u64,
    /// Tokens, where they are known.
    pub tokens: Option<Tokens>,
    /// What was changed or left out on the way: the first of them.
    pub notes: Vec<Note>,
    /// How many there are in all.
    pub notes_in_all: usize,
}

/// What one request used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Tokens {
    /// Read, with those from the cache.
    pub input: u64,
    /// Of these, from the cache.
    pub cached: u64,
    /// Written, reasoning included.
    pub output: u64,
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        Self { input: usage.all_input(), cached: usage.cache_read_input_tokens, output: usage.output_tokens }
    }
}

impl From<&Finished> for Exchange {
    fn from(finished: &Finished) -> Self {
        let Finished { request_id, model, upstream_model, decision, client, session, account, .. } =
            finished.clone();
        Self {
            id: request_id,
            ended_at: Timestamp::now().as_millisecond(),
            client,
            session,
            account,
            model,
            upstream_model,
            decider: decision.decider,
            effort: finished.effort,
            status: finished.status,
            error: finished.error.map(str::to_owned),
            first_output_ms: finished.first_output_ms,
            duration_ms: finished.duration_ms,
            tokens: finished.usage.map(Tokens::from),
            notes: finished.notes.clone(),
            notes_in_all: finished.notes_in_all,
        }
    }
}

/// The newest ones. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Recent(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    exchanges: Newest<Exchange>,
    /// Since the start, by model and status. There are a few of each.
    sums: BTreeMap<(String, u16), Sums>,
}

/// What requests of one model and status used, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) requests: u64,
    pub(crate) input: u64,
    pub(crate) cached: u64,
    pub(crate) output: u64,
    pub(crate) milliseconds: u64,
}

impl Default for Recent {
    fn default() -> Self {
        let exchanges = Newest::new(KEPT, WAITING);
        Self(Arc::new(Mutex::new(Kept { exchanges, sums: BTreeMap::new() })))
    }
}

impl Recent {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps every request that the proxy tells of.
    pub(crate) fn witness(&self) -> Witness {
        let recent = self.clone();
        Witness::new(move |finished| recent.add(finished.into()))
    }

    /// Newest first.
    pub(crate) fn all(&self) -> Vec<Exchange> {
        self.kept().exchanges.iter().rev().cloned().collect()
    }

    /// The one of this id.
    pub(crate) fn get(&self, id: &str) -> Option<Exchange> {
        self.kept().exchanges.iter().find(|exchange| exchange.id == id).cloned()
    }

    /// What was used since the start, by model and status.
    pub(crate) fn sums(&self) -> BTreeMap<(String, u16), Sums> {
        self.kept().sums.clone()
    }

    /// Those that end from now on. Of those that come too fast, the oldest are left out.
    pub(crate) fn follow(&self) -> Follower<Exchange> {
        self.kept().exchanges.follow()
    }

    fn add(&self, exchange: Exchange) {
        let mut kept = self.kept();
        let sums = kept.sums.entry((exchange.upstream_model.clone(), exchange.status)).or_default();
        sums.requests += 1;
        sums.milliseconds += exchange.duration_ms;
        if let Some(tokens) = exchange.tokens {
            sums.input += tokens.input;
            sums.cached += tokens.cached;
            sums.output += tokens.output;
        }
        kept.exchanges.push(exchange);
    }
}

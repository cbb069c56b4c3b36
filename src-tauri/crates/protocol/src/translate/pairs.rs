//! Pairs tool calls with their results, before anything is written.
//!
//! The backend refuses a call without output and an output without call (`upstream.md` §b.7); an interrupted session
//! holds both. Here each call gets the id it has upstream, and each result learns which call it answers, if any.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use super::envelope::short_hash;
use super::notes::{Notes, What};
use crate::anthropic::block::Block;
use crate::anthropic::request::{Content, MessagesRequest};

/// The longest id the backend takes.
pub(super) const MAX_ID: usize = 64;

/// Calls and results in the order in which they stand in the request.
#[derive(Debug, Default)]
pub(super) struct Pairs<'a> {
    /// Every `tool_use`.
    pub(super) calls: VecDeque<Call<'a>>,
    /// Every `tool_result`: the upstream id of the call it answers; `None` for an orphan.
    pub(super) results: VecDeque<Option<Cow<'a, str>>>,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// Its id upstream.
    pub(super) id: Cow<'a, str>,
    /// Does a result follow anywhere?
    pub(super) answered: bool,
}

impl<'a> Pairs<'a> {
    pub(super) fn of(request: &MessagesRequest<'a>, notes: &mut Notes) -> Self {
        let mut pairs = Self::default();
        let mut open: HashMap<Cow<'a, str>, VecDeque<usize>> = HashMap::new();
        let mut used: HashSet<Cow<'a, str>> = HashSet::new();
        for (m, message) in request.messages.iter().enumerate() {
            let Content::Blocks(blocks) = &message.content else { continue };
            for (b, block) in blocks.iter().enumerate() {
                match block {
                    Block::ToolUse(call) => {
                        let id = upstream_id(&call.id, &used);
                        used.insert(id.clone());
                        if id != call.id {
                            notes.add(What::Renamed, format!("messages.{m}.content.{b}.id"), id.as_ref());
                        }
                        open.entry(call.id.clone()).or_default().push_back(pairs.calls.len());
                        pairs.calls.push_back(Call { id, answered: false });
                    }
                    Block::ToolResult(result) => {
                        let call = open.get_mut(&result.tool_use_id).and_then(VecDeque::pop_front);
                        let id = call.and_then(|index| pairs.calls.get_mut(index)).map(|call| {
                            call.answered = true;
                            call.id.clone()
                        });
                        pairs.results.push_back(id);
                    }
                    _ => {}
                }
            }
        }
        pairs
    }
}

/// The id upstream: the client's own where the backend takes it, else a short, deterministic one; never one that another
/// call of the request has (R23, R26).
fn upstream_id<'a>(id: &Cow<'a, str>, used: &HashSet<Cow<'a, str>>) -> Cow<'a, str> {
    let fits = !id.is_empty()
        && id.len() <= MAX_ID
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let first = if fits { id.clone() } else { Cow::Owned(format!("call_{}", short_hash(id, 12))) };
    let again = |n: usize| {
        let numbered = format!("{first}-{n}");
        Cow::Owned(if numbered.len() <= MAX_ID {
            numbered
        } else {
            format!("call_{}-{n}", short_hash(&first, 12))
        })
    };
    std::iter::once(first.clone()).chain((2..).map(again)).find(|id| !used.contains(id)).unwrap_or(first)
}

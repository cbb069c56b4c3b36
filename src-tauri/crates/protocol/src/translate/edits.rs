//! `context_management`: what of the conversation the client wants cleared before the model sees it (R62).
//!
//! The backend knows no such thing, so it is done here, and told in the answer's `applied_edits`. An edit that can't be
//! read or is not known is noted and never refused.
//!
//! Tool results are cleared as if each earlier request of the conversation had cleared them already: the walk goes from
//! request to request and clears only where the trigger is met again. What is cleared then stays the same for many
//! requests, and so does the cached prefix. Tokens are estimated at four bytes each, as everywhere outside of
//! `count_tokens`.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::Reader;
use super::notes::{Notes, What};
use crate::anthropic::block::Block;
use crate::anthropic::event::{AppliedEdit, ContextManagement};
use crate::anthropic::request::{Content, MessagesRequest, Role};
use crate::count::{around_messages, weight, weight_of};
use crate::json::peek_type;
use crate::open::Open;

/// What stands in the place of a cleared result.
pub(super) const CLEARED: &str = "[This result was cleared to make room]";
/// From Anthropic's documentation of `clear_tool_uses_20250919`.
const TRIGGER: u64 = 100_000;
const KEPT_USES: u64 = 3;
/// And of `clear_thinking_20251015`.
const KEPT_TURNS: u64 = 1;

/// A block by message and position.
type At = (usize, usize);

/// What is to be cleared.
#[derive(Debug, Default)]
pub(super) struct Edits {
    thinking: HashSet<At>,
    results: HashSet<At>,
    inputs: HashSet<At>,
    /// What the client is told; `None` if it did not ask.
    pub(super) applied: Option<ContextManagement>,
}

#[derive(Debug, Deserialize)]
struct Wanted<'a> {
    #[serde(borrow, default)]
    edits: Vec<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct ClearThinking<'a> {
    #[serde(borrow, default)]
    keep: Option<Keep<'a>>,
}

/// `"all"`, `{"type":"all"}` or `{"type":"thinking_turns","value":2}`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Keep<'a> {
    Word(#[serde(borrow)] Cow<'a, str>),
    Turns {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
        #[serde(default)]
        value: Option<u64>,
    },
}

#[derive(Debug, Deserialize)]
struct ClearToolUses<'a> {
    #[serde(borrow, default)]
    trigger: Option<Amount<'a>>,
    #[serde(borrow, default)]
    keep: Option<Amount<'a>>,
    #[serde(borrow, default)]
    clear_at_least: Option<Amount<'a>>,
    #[serde(borrow, default)]
    exclude_tools: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, default)]
    clear_tool_inputs: Option<Inputs<'a>>,
}

/// `{"type":"input_tokens","value":30000}`.
#[derive(Debug, Deserialize)]
struct Amount<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    value: u64,
}

/// All inputs, or those of some tools.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Inputs<'a> {
    Whether(bool),
    Of(#[serde(borrow)] Vec<Cow<'a, str>>),
}

impl Edits {
    pub(super) fn of(request: &MessagesRequest<'_>, reader: Reader<'_>, notes: &mut Notes) -> Self {
        let mut edits = Self::default();
        let Some(raw) = request.context_management.filter(|raw| raw.get() != "null") else { return edits };
        let mut applied = Vec::new();
        match serde_json::from_str::<Open<'_, Wanted<'_>>>(raw.get()) {
            Ok(wanted) => {
                notes.rest("context_management", &wanted.rest);
                for (n, edit) in wanted.edits.iter().enumerate() {
                    let place = format!("context_management.edits.{n}");
                    applied.extend(edits.apply(edit, &place, request, reader, notes));
                }
            }
            Err(_) => notes.add(What::Dropped, "context_management", "it could not be read"),
        }
        edits.applied = Some(ContextManagement { applied_edits: applied });
        edits
    }

    pub(super) fn clears_thinking(&self, at: At) -> bool {
        !self.thinking.is_empty() && self.thinking.contains(&at)
    }

    pub(super) fn clears_result(&self, at: At) -> bool {
        !self.results.is_empty() && self.results.contains(&at)
    }

    pub(super) fn clears_input(&self, at: At) -> bool {
        !self.inputs.is_empty() && self.inputs.contains(&at)
    }

    fn apply(
        &mut self,
        edit: &RawValue,
        place: &str,
        request: &MessagesRequest<'_>,
        reader: Reader<'_>,
        notes: &mut Notes,
    ) -> Option<AppliedEdit> {
        let unreadable = |notes: &mut Notes| notes.add(What::Dropped, place, "this edit could not be read");
        match peek_type(edit).as_deref() {
            Ok("clear_thinking_20251015") => {
                match serde_json::from_str::<Open<'_, ClearThinking<'_>>>(edit.get()) {
                    Ok(edit) => {
                        notes.rest(place, &edit.rest);
                        return self.clear_thinking(&edit, request, reader);
                    }
                    Err(_) => unreadable(notes),
                }
            }
            Ok("clear_tool_uses_20250919") => {
                match serde_json::from_str::<Open<'_, ClearToolUses<'_>>>(edit.get()) {
                    Ok(edit) => {
                        notes.rest(place, &edit.rest);
                        return self.clear_tool_uses(&edit, request);
                    }
                    Err(_) => unreadable(notes),
                }
            }
            Ok(other) => notes.add(What::Dropped, place, format!("the edit {other} is not known here")),
            Err(_) => unreadable(notes),
        }
        None
    }

    /// Keeps the thinking of the last turns. A turn goes from one word of the user to the next, tool rounds included.
    fn clear_thinking(
        &mut self,
        edit: &ClearThinking<'_>,
        request: &MessagesRequest<'_>,
        reader: Reader<'_>,
    ) -> Option<AppliedEdit> {
        let kept = match &edit.keep {
            None => KEPT_TURNS,
            Some(Keep::Word(word)) if word == "all" => return None,
            Some(Keep::Turns { kind, .. }) if kind == "all" => return None,
            Some(Keep::Turns { value: Some(value), .. }) => (*value).max(1),
            Some(Keep::Word(_) | Keep::Turns { .. }) => KEPT_TURNS,
        };
        // What could not be sent anyway is not cleared, and not counted.
        let mut found: Vec<(usize, At, usize)> = Vec::new();
        let mut turn = 0;
        for (m, message) in request.messages.iter().enumerate() {
            let Content::Blocks(blocks) = &message.content else {
                turn += usize::from(message.role == Role::User);
                continue;
            };
            if message.role == Role::User && !blocks.iter().any(|block| matches!(block, Block::ToolResult(_)))
            {
                turn += 1;
            }
            for (b, block) in blocks.iter().enumerate().filter(|_| message.role == Role::Assistant) {
                let signature = match block {
                    Block::Thinking(block) => &block.signature,
                    Block::RedactedThinking(block) => &block.data,
                    _ => continue,
                };
                if reader.open(signature).is_ok() {
                    found.push((turn, (m, b), weight_of(block) as usize));
                }
            }
        }
        let turns: BTreeSet<usize> = found.iter().map(|(turn, ..)| *turn).collect();
        let first_kept = turns.iter().rev().nth(usize::try_from(kept).unwrap_or(usize::MAX) - 1)?;
        let cleared: Vec<_> = found.iter().filter(|(turn, ..)| turn < first_kept).collect();
        self.thinking.extend(cleared.iter().map(|(_, at, _)| *at));
        let bytes: usize = cleared.iter().map(|(.., weight)| weight).sum();
        let turns = turns.iter().filter(|turn| *turn < first_kept).count();
        (turns > 0).then_some(AppliedEdit::ClearThinking {
            cleared_thinking_turns: turns as u64,
            cleared_input_tokens: bytes as u64 / 4,
        })
    }

    fn clear_tool_uses(
        &mut self,
        edit: &ClearToolUses<'_>,
        request: &MessagesRequest<'_>,
    ) -> Option<AppliedEdit> {
        let keep = edit.keep.as_ref().map_or(KEPT_USES, |keep| keep.value);
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        let at_least = edit.clear_at_least.as_ref().map_or(0, |amount| amount.value) * 4;
        let mut uses = Uses::of(edit, request);
        let mut bytes = around_messages(request);
        let mut cleared = 0;
        for (m, message) in request.messages.iter().enumerate() {
            bytes += match &message.content {
                Content::Text(_) => weight(&message.content),
                Content::Blocks(blocks) => {
                    let kept = |b: &usize| !self.clears_thinking((m, *b));
                    (0..blocks.len()).filter(kept).map(|b| weight_of(&blocks[b])).sum()
                }
            };
            // A request ended here, if the model spoke next or nothing more came.
            let ended = request.messages.get(m + 1).is_none_or(|next| next.role == Role::Assistant);
            if message.role == Role::Assistant || !ended {
                continue;
            }
            let answered = uses.answered_by(m);
            let is_met = match &edit.trigger {
                Some(Amount { kind, value }) if kind == "tool_uses" => {
                    uses.standing(answered) as u64 > *value
                }
                Some(Amount { value, .. }) => bytes / 4 > *value,
                None => bytes / 4 > TRIGGER,
            };
            let gain = uses.gain(answered.saturating_sub(keep));
            if is_met && gain > 0 && gain >= at_least {
                uses.clear(answered.saturating_sub(keep));
                bytes = bytes.saturating_sub(gain);
                cleared += gain;
            }
        }
        let gone = uses.all.iter().filter(|one| one.cleared);
        self.results.extend(gone.clone().map(|one| one.result));
        self.inputs.extend(gone.clone().filter(|one| one.input_too).map(|one| one.call));
        let cleared_tool_uses = gone.count() as u64;
        (cleared_tool_uses > 0)
            .then_some(AppliedEdit::ClearToolUses { cleared_tool_uses, cleared_input_tokens: cleared / 4 })
    }
}

/// One call with its result.
#[derive(Debug)]
struct Use {
    call: At,
    result: At,
    /// Bytes that clearing it saves.
    gain: u64,
    input_too: bool,
    excluded: bool,
    cleared: bool,
}

/// The calls that have a result, in the order of their results' messages.
#[derive(Debug)]
struct Uses {
    all: Vec<Use>,
    /// All before this one are cleared or excluded.
    seen: usize,
}

impl Uses {
    fn of(edit: &ClearToolUses<'_>, request: &MessagesRequest<'_>) -> Self {
        let excluded = |name: &str| edit.exclude_tools.iter().flatten().any(|tool| tool == name);
        let input_too = |name: &str| match &edit.clear_tool_inputs {
            Some(Inputs::Whether(all)) => *all,
            Some(Inputs::Of(tools)) => tools.iter().any(|tool| tool == name),
            None => false,
        };
        let mut calls: HashMap<&str, (At, &str, u64)> = HashMap::new();
        let mut all = Vec::new();
        for (m, message) in request.messages.iter().enumerate() {
            let Content::Blocks(blocks) = &message.content else { continue };
            for (b, block) in blocks.iter().enumerate() {
                match block {
                    Block::ToolUse(call) => {
                        calls.insert(&call.id, ((m, b), &call.name, weight_of(block)));
                    }
                    Block::ToolResult(result) => {
                        let Some((call, name, input)) = calls.remove(result.tool_use_id.as_ref()) else {
                            continue;
                        };
                        let input_too = input_too(name);
                        let gain = weight_of(block).saturating_sub(CLEARED.len() as u64)
                            + if input_too { input } else { 0 };
                        all.push(Use {
                            call,
                            result: (m, b),
                            gain,
                            input_too,
                            excluded: excluded(name),
                            cleared: false,
                        });
                    }
                    _ => {}
                }
            }
        }
        Self { all, seen: 0 }
    }

    /// How many have a result up to message `m`.
    fn answered_by(&self, m: usize) -> usize {
        self.all.partition_point(|one| one.result.0 <= m)
    }

    /// How many of the first `count` are still there.
    fn standing(&self, count: usize) -> usize {
        self.all[..count].iter().filter(|one| !one.cleared).count()
    }

    /// Bytes to be saved by clearing all before `end`.
    fn gain(&self, end: usize) -> u64 {
        let open = self.all.get(self.seen..end).unwrap_or_default();
        open.iter().filter(|one| !one.excluded).map(|one| one.gain).sum()
    }

    fn clear(&mut self, end: usize) {
        for one in self.all.get_mut(self.seen..end).unwrap_or_default() {
            one.cleared = !one.excluded;
        }
        self.seen = self.seen.max(end);
    }
}

#[cfg(test)]
mod tests;

//! Responses events → Messages events, as a state machine.
//!
//! Upstream may interleave items; a Messages client wants one block after the other. Items therefore wait in a queue:
//! the front one is streamed as it comes, the others keep what they have until it is their turn ([`slot`]).
//!
//! Properties (tested as such): exactly one `message_start`, first; at most one `message_stop`, last; indices dense,
//! blocks never overlap, deltas fit their block; no byte lost or doubled; `tool_use` ⇔ a completed call was sent; the
//! end of input without a terminal event is an error. Not here: time, pings, the HTTP status (proxy).

mod blocks;
mod cutter;
#[cfg(test)]
mod properties;
mod repair;
mod search;
mod slot;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};

use super::notes::{Notes, What};
use super::schema::Format;
use super::searching::Searched;
use super::tools::Names;
use crate::anthropic::event::{
    ContextManagement, MessageHead, ServerToolUse, Sink, StopDelta, StopReason, StreamEvent, Usage,
};
use crate::failure::Failure;
use crate::json::JsonStr;
use crate::openai::event::{Event, Place, Response};
use crate::openai::item::OutputItem;
use blocks::Blocks;
use search::Searches;
pub use search::{Asked, Found, SearchRules};
use slot::{Kind, Slot};

/// After so many searches in a row the answer is handed over unfinished.
const MOST_ROUNDS: usize = 16;

/// What the answer's head and signatures are made of.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `msg_…`, from the rim: there is no randomness here.
    pub id: String,
    /// The model's name as the client asked for it (S65).
    pub model: String,
    /// The model that answers; sealed into signatures.
    pub upstream_model: String,
    /// The tag of the account that answers; sealed into signatures.
    pub account: String,
    /// Tool names that had to change.
    pub names: Names,
    /// Does the client want to see thinking (S06)?
    pub thinking: bool,
    /// Where the client wants the answer cut (M09).
    pub stop_sequences: Vec<String>,
    /// What was cleared of the conversation, if the client asked for that.
    pub context_management: Option<ContextManagement>,
    /// What the text must be, if the client gave a schema for it.
    pub format: Option<Format>,
    /// What the client allows a search to do.
    pub search: SearchRules,
    /// Input tokens, estimated, for `message_start` (S29).
    pub estimate: u64,
}

/// The machine. Feed it events, then [`Self::finish`] it.
#[derive(Debug)]
pub struct ResponsesToMessages {
    answer: Answer,
    expect: Expect,
    queue: VecDeque<Slot>,
    blocks: Blocks,
    searches: Searches,
    /// Items that are through: their repetition in `response.completed` says nothing new.
    done_ids: HashSet<String>,
    done_indices: HashSet<u64>,
    refused: bool,
    /// What was said and found in earlier rounds and this one, if the model can ask for searches.
    searched: Searched,
    rounds: usize,
    usage: Option<Usage>,
    notes: Notes,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// Nothing went out yet.
    Start,
    /// Blocks.
    Content,
    /// What was found: the model has asked for searches, and its answer goes on with the next response.
    Findings,
    /// Nothing: the message has ended, well or badly.
    Silence,
}

impl ResponsesToMessages {
    /// A machine for one answer.
    pub fn new(answer: Answer) -> Self {
        Self {
            answer,
            expect: Expect::Start,
            queue: VecDeque::new(),
            blocks: Blocks::default(),
            searches: Searches::default(),
            done_ids: HashSet::new(),
            done_indices: HashSet::new(),
            refused: false,
            searched: Searched::default(),
            rounds: 0,
            usage: None,
            notes: Notes::default(),
        }
    }

    /// Another account than expected answers: its tag is the one to seal.
    pub fn answered_by(&mut self, account: &str) {
        account.clone_into(&mut self.answer.account);
    }

    /// Sends `message_start`, if it has not gone out: for a status line that had to be committed by time.
    pub fn open(&mut self, sink: &mut impl Sink) {
        if self.expect == Expect::Start {
            self.expect = Expect::Content;
            let head = MessageHead::new(&self.answer.id, &self.answer.model, self.answer.estimate);
            sink.event(StreamEvent::MessageStart { message: head });
        }
    }

    /// Takes one upstream event. `now`: unix seconds, for limits that are told relative to it.
    ///
    /// # Errors
    /// What upstream says went wrong, or arguments that are no JSON. The machine is silent from then on.
    pub fn push(&mut self, event: &Event<'_>, now: i64, sink: &mut impl Sink) -> Result<(), Failure> {
        if matches!(self.expect, Expect::Silence | Expect::Findings) {
            return Ok(());
        }
        let pushed = self.take(event, now, sink);
        if pushed.is_err() {
            self.expect = Expect::Silence;
        } else if let Some(sequence) = self.blocks.met.take() {
            self.cut_at(sequence, sink);
        }
        pushed
    }

    /// The end of the upstream's bytes.
    ///
    /// # Errors
    /// [`Failure::Truncated`] if no terminal event came, except where every item is through and a call among them: the
    /// client has it and will run it (S48).
    pub fn finish(&mut self, sink: &mut impl Sink) -> Result<(), Failure> {
        match self.expect {
            Expect::Silence | Expect::Findings => Ok(()),
            Expect::Content if self.queue.is_empty() && self.has_calls() => {
                self.notes.add(What::Repaired, "response.completed", "missing; every item had arrived whole");
                self.stop(StopReason::ToolUse, None, sink);
                Ok(())
            }
            Expect::Start | Expect::Content => {
                self.expect = Expect::Silence;
                Err(Failure::Truncated)
            }
        }
    }

    /// True once the message has ended.
    pub fn has_ended(&self) -> bool {
        self.expect == Expect::Silence
    }

    // === searches that are made for the model ===

    /// True if the response has ended and the answer has not: what [`Self::asked`] tells is to be searched for.
    pub fn is_searching(&self) -> bool {
        self.expect == Expect::Findings
    }

    /// The searches that the model asks for.
    pub fn asked(&self) -> Vec<Asked> {
        let asked = self.queue.iter().filter_map(Slot::asked);
        match self.answer.search.max_uses {
            Some(most) => asked.take(most.saturating_sub(self.searches.made) as usize).collect(),
            None => asked.collect(),
        }
    }

    /// Takes what was found for all of [`Self::asked`], in that order, and gives what the next request to the model goes
    /// on with. `None`: there is none, the message has ended.
    pub fn found(&mut self, found: Vec<Found>, sink: &mut impl Sink) -> Option<Searched> {
        if self.expect != Expect::Findings {
            return None;
        }
        self.expect = Expect::Content;
        let mut found = found.into_iter();
        for slot in &mut self.queue {
            if let Some(Asked { call_id, query }) = slot.asked() {
                let (content, words) = self.searches.found(found.next(), &self.answer.search);
                self.searched.answered(&call_id, &words);
                slot.answer(query, content);
            }
        }
        self.advance(sink);
        self.rounds += 1;
        if self.has_calls() || self.blocks.half_a_call {
            // The client has calls to answer; it gives back what was found with its next request.
            self.stop(self.reason(StopReason::EndTurn), None, sink);
            None
        } else if self.rounds >= MOST_ROUNDS {
            self.notes.add(
                What::Dropped,
                "tools",
                format!("after {MOST_ROUNDS} searches the answer is handed over as it is"),
            );
            self.stop(StopReason::PauseTurn, None, sink);
            None
        } else {
            self.done_ids.clear();
            self.done_indices.clear();
            Some(self.searched.clone())
        }
    }

    /// The true usage, once it is known.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The calls that went out whole: their ids and arguments, as the model wrote them (DECISIONS 12).
    pub fn take_calls(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.blocks.calls)
    }

    /// What was not carried over as it was.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    fn take(&mut self, event: &Event<'_>, now: i64, sink: &mut impl Sink) -> Result<(), Failure> {
        match event {
            Event::ItemAdded { place, item } => {
                if let Some(index) = self.slot(place, item) {
                    self.queue[index].learn(item, &self.answer);
                    self.advance(sink);
                }
            }
            Event::ItemDone { place, item } => self.item_done(place, item, sink)?,
            Event::TextDelta { place, delta, refusal } => {
                self.refused |= *refusal;
                self.delta(place, Kind::Message, delta, sink)?;
            }
            Event::TextDone { place, text, refusal } => {
                self.refused |= *refusal;
                if let Some(index) = self.slot_for(place, Kind::Message) {
                    self.queue[index].complete_part(place.part, text);
                    self.advance(sink);
                }
            }
            Event::ReasoningDelta { place, delta } => self.delta(place, Kind::Reasoning, delta, sink)?,
            Event::ReasoningDone { place, text } => {
                if let Some(index) = self.slot_for(place, Kind::Reasoning) {
                    self.queue[index].complete_part(place.part, text);
                    self.advance(sink);
                }
            }
            Event::ArgumentsDelta { place, delta } => self.delta(place, Kind::Call, delta, sink)?,
            Event::ArgumentsDone { place, arguments } => {
                if let Some(index) = self.slot_for(place, Kind::Call) {
                    self.queue[index].complete_arguments(&arguments.to_text())?;
                    self.advance(sink);
                }
            }
            Event::Completed(response) => {
                self.items_of(response, sink)?;
                self.drain(true, sink)?;
                let reason = if self.refused { StopReason::Refusal } else { StopReason::EndTurn };
                self.end(response, reason, sink);
            }
            Event::Incomplete(response) => {
                self.items_of(response, sink)?;
                self.drain(false, sink)?;
                let why = response.incomplete_details.as_ref().map(|details| details.reason.as_ref());
                let reason = match why {
                    Some("content_filter") => StopReason::Refusal,
                    _ if self.refused => StopReason::Refusal,
                    Some("max_output_tokens") => StopReason::MaxTokens,
                    // Nobody has seen another one. The client must not take the answer for whole.
                    other => {
                        let detail = format!("{:?} is told as max_tokens", other.unwrap_or_default());
                        self.notes.add(What::Adjusted, "response.incomplete_details", detail);
                        StopReason::MaxTokens
                    }
                };
                self.end(response, reason, sink);
            }
            Event::Failed { .. } => {
                return Err(event.failure(now).unwrap_or(Failure::Truncated));
            }
            Event::Lifecycle | Event::RateLimits(_) | Event::Progress | Event::Unknown { .. } => {}
        }
        Ok(())
    }

    /// The queue position of an item that an event names; a new place at the end if it is new, `None` if it is through.
    fn slot(&mut self, place: &Place<'_>, item: &OutputItem<'_>) -> Option<usize> {
        let id = item.id();
        let id = if id.is_empty() { place.item_id.as_ref() } else { id.as_ref() };
        self.find_or_queue(id, place.output_index, Kind::of(item))
    }

    fn slot_for(&mut self, place: &Place<'_>, kind: Kind) -> Option<usize> {
        self.find_or_queue(&place.item_id, place.output_index, kind)
    }

    fn find_or_queue(&mut self, id: &str, output_index: Option<u64>, kind: Kind) -> Option<usize> {
        let through = if id.is_empty() {
            output_index.is_some_and(|index| self.done_indices.contains(&index))
        } else {
            self.done_ids.contains(id)
        };
        if through {
            return None;
        }
        let found = self.queue.iter().position(|slot| slot.is(id, output_index, kind));
        Some(found.unwrap_or_else(|| {
            let held = kind == Kind::Message && self.answer.format.is_some();
            self.queue.push_back(Slot::new(id, output_index, kind, held));
            self.queue.len() - 1
        }))
    }

    fn delta(
        &mut self,
        place: &Place<'_>,
        kind: Kind,
        delta: &JsonStr<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Failure> {
        let Some(index) = self.slot_for(place, kind) else { return Ok(()) };
        let part = if kind == Kind::Call { 0 } else { place.part };
        // A whole item that waits for its turn takes no more than one that has gone out.
        if self.queue[index].done || !self.queue[index].receive(part, delta) {
            return Ok(());
        }
        if self.queue[index].runs_dry(delta) {
            return Err(self.queue[index].broken_arguments());
        }
        if index == 0 && self.queue[0].is_live(&self.answer) {
            self.open(sink);
            self.queue[0].send_piece(part, delta.clone(), &mut self.blocks, &self.answer, sink);
        } else {
            self.queue[index].keep(part, delta);
        }
        Ok(())
    }

    fn item_done(
        &mut self,
        place: &Place<'_>,
        item: &OutputItem<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Failure> {
        let Some(index) = self.slot(place, item) else { return Ok(()) };
        let slot = &mut self.queue[index];
        if slot.is_complete() {
            return Ok(()); // the terminal event repeats what waits here for its turn, or for its search
        }
        slot.learn(item, &self.answer);
        slot.complete(item, &mut self.searches, &mut self.notes)?;
        if self.answer.search.function.is_some() {
            self.searched.heard(item, &self.answer.account);
        }
        if let Some(format) = &self.answer.format {
            // What does not fit may be a word before a call: the end of the answer tells.
            let _unless_it_fits = slot.measure(format);
        }
        self.advance(sink);
        Ok(())
    }

    /// What a terminal event repeats; only what has not been seen is news (S11, S52).
    fn items_of(&mut self, response: &Response<'_>, sink: &mut impl Sink) -> Result<(), Failure> {
        for (i, item) in response.output.iter().enumerate() {
            let place = Place { item_id: "".into(), output_index: Some(i as u64), part: 0 };
            self.item_done(&place, item, sink)?;
        }
        Ok(())
    }

    /// Sends what can be sent: the front item as far as it is known, and the next ones once it is through.
    fn advance(&mut self, sink: &mut impl Sink) {
        while let Some(front) = self.queue.front() {
            if front.has_something_to_send(&self.answer) {
                self.open(sink);
            }
            let Some(front) = self.queue.front_mut() else { break };
            front.send(&mut self.blocks, &self.answer, &mut self.searches, &mut self.notes, sink);
            // Nothing follows a stop sequence, also not what has waited behind it.
            if !front.done || self.blocks.met.is_some() || front.is_held() {
                break;
            }
            if let Some(through) = self.queue.pop_front() {
                self.done_ids.insert(through.id);
                self.done_indices.extend(through.output_index);
            }
        }
    }

    /// The answer is over: items that never said so are. `complete`: what they hold is whole.
    fn drain(&mut self, complete: bool, sink: &mut impl Sink) -> Result<(), Failure> {
        for slot in &mut self.queue {
            slot.end(complete)?;
        }
        if let Some(format) = &self.answer.format {
            let calls = self.blocks.calls_sent > 0 || self.queue.iter().any(Slot::is_call);
            let must_fit = complete && !calls && !self.refused;
            if must_fit && !self.blocks.text_sent && !self.queue.iter().any(Slot::is_held) {
                return Err(Failure::BrokenFormat { why: "there is no text in it".to_owned() });
            }
            for slot in self.queue.iter_mut().filter(|slot| slot.is_held()) {
                if must_fit {
                    slot.measure(format)?;
                } else {
                    slot.release();
                }
            }
        }
        self.advance(sink);
        Ok(())
    }

    /// A stop sequence was met: the message ends here, whatever upstream still says. The true usage never comes.
    fn cut_at(&mut self, sequence: String, sink: &mut impl Sink) {
        if self.expect == Expect::Silence {
            return; // met in the very event that ended the message
        }
        self.blocks.stop(sink);
        self.notes.add(What::Adjusted, "stop_sequences", "the answer was cut here; its usage is an estimate");
        self.stop(StopReason::StopSequence, Some(sequence), sink);
    }

    fn end(&mut self, response: &Response<'_>, reason: StopReason, sink: &mut impl Sink) {
        let usage = response.usage.map(Usage::from).unwrap_or_default();
        self.usage = Some(usage.plus(self.usage.unwrap_or_default()));
        if let Some(sequence) = self.blocks.met.take() {
            return self.stop(StopReason::StopSequence, Some(sequence), sink);
        }
        if self.queue.iter().any(|slot| slot.asked().is_some()) {
            self.open(sink);
            self.expect = Expect::Findings;
            return;
        }
        self.stop(self.reason(reason), None, sink);
    }

    /// True if the client has calls to run. Beside half a call, which a stream can't take back, no call may (S16).
    fn has_calls(&self) -> bool {
        self.blocks.calls_sent > 0 && !self.blocks.half_a_call
    }

    /// The true reason, where upstream gives this one: an answer with half a call in it was cut, even if upstream calls
    /// it completed.
    fn reason(&self, told: StopReason) -> StopReason {
        match told {
            _ if self.has_calls() => StopReason::ToolUse,
            StopReason::EndTurn if self.blocks.half_a_call => StopReason::MaxTokens,
            told => told,
        }
    }

    fn stop(&mut self, stop_reason: StopReason, sequence: Option<String>, sink: &mut impl Sink) {
        self.open(sink);
        let mut usage = self.usage.unwrap_or(Usage {
            input_tokens: self.answer.estimate,
            output_tokens: self.blocks.sent as u64 / 4,
            ..Usage::default()
        });
        if self.searches.made > 0 {
            usage.server_tool_use = Some(ServerToolUse { web_search_requests: self.searches.made });
        }
        self.usage = self.usage.map(|_| usage);
        if self.searches.refused > 0 {
            let detail = format!("searches beyond it, shown as errors: {}", self.searches.refused);
            self.notes.add(What::Adjusted, "tools.max_uses", detail);
        }
        let delta = StopDelta { stop_reason, stop_sequence: sequence.map(Cow::Owned) };
        let context_management = self.answer.context_management.as_ref();
        sink.event(StreamEvent::MessageDelta { delta, usage, context_management });
        sink.event(StreamEvent::MessageStop);
        self.expect = Expect::Silence;
    }
}

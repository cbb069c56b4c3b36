//! Messages and their content blocks → input items and their parts.
//!
//! Order is kept exactly: a message is cut into several items where calls, results or reasoning stand between its text
//! (R06). Not here: the parts that blocks become (`parts.rs`), tools, effort, caching (`tools.rs`, `request.rs`).

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::edits::{CLEARED, Edits};
use super::envelope::{Checksum, Envelope, StaleReasoning};
use super::notes::{Notes, What};
use super::originals::{Originals, stands_for};
use super::pairs::{MAX_ID, Pairs};
use super::tools::upstream_name;
use crate::anthropic::block::{Block, Source, ToolUseBlock};
use crate::anthropic::request::{BILLING_LINE, Content, Message, Role};
use crate::failure::Failure;
use crate::json::JsonStr;
use crate::open::Open;
use crate::openai::request::{
    Arguments, CallOutput, InputItem, InputPart, Role as InputRole, SummaryPart, Tool,
};
use crate::route::Dialect;

/// The output of a call that was never answered (R24).
const INTERRUPTED: &str = "[The call was interrupted: it has no result]";

/// Why something that could have been sent was not.
const AS_ASKED: &str = "cleared, as context_management asks";

/// Whose ciphertexts can be read, and whether any shall be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'c> {
    pub(super) model: &'c str,
    pub(super) account: &'c str,
    pub(super) reasoning: bool,
    /// Ciphertexts that the backend has refused (S41).
    pub(super) stale: &'c StaleReasoning,
    pub(super) dialect: Dialect,
}

impl Reader<'_> {
    /// The reasoning that a signature holds, or why it can't be sent.
    pub(super) fn open<'s>(&self, signature: &'s str) -> Result<Envelope<'s>, &'static str> {
        let envelope = Envelope::open(signature).ok_or("thinking that another model or program signed")?;
        let refused = || Envelope::checksum_of(signature).is_some_and(|sum| self.stale.contains(&sum));
        if !self.reasoning || refused() {
            return Err("reasoning that the backend could not read any more");
        }
        if envelope.model != self.model {
            return Err("reasoning of another model");
        }
        if envelope.account != self.account {
            return Err("reasoning of another account");
        }
        if envelope.encrypted_content.is_empty() {
            return Err("reasoning without its ciphertext");
        }
        Ok(envelope)
    }
}

/// Writes input items.
#[derive(Debug)]
pub(super) struct Writer<'a, 'c> {
    pub(super) items: Vec<InputItem<'a>>,
    pub(super) reader: Reader<'c>,
    pub(super) pairs: Pairs<'a>,
    originals: &'a Originals,
    edits: &'c Edits,
    /// Checksums of the reasoning that goes out.
    pub(super) replayed: Vec<Checksum>,
    /// Calls of the message being written that have no result anywhere.
    unanswered: Vec<Cow<'a, str>>,
    pub(super) notes: &'c mut Notes,
}

impl<'a, 'c> Writer<'a, 'c> {
    pub(super) fn new(
        reader: Reader<'c>,
        pairs: Pairs<'a>,
        originals: &'a Originals,
        edits: &'c Edits,
        notes: &'c mut Notes,
    ) -> Self {
        Self {
            items: Vec::new(),
            reader,
            pairs,
            originals,
            edits,
            replayed: Vec::new(),
            unanswered: Vec::new(),
            notes,
        }
    }

    /// The system prompt, as the first developer message (DECISIONS 8).
    pub(super) fn system(&mut self, content: &Content<'a>) -> Result<(), Failure> {
        let parts = match content {
            Content::Text(text) => match strip_billing(text) {
                Some(text) => vec![InputPart::InputText { text }],
                None => Vec::new(),
            },
            Content::Blocks(blocks) => {
                let mut parts = Vec::with_capacity(blocks.len());
                for (b, block) in blocks.iter().enumerate() {
                    let place = Place { within: Within::System, block: b };
                    self.tell(block, place);
                    match block {
                        Block::Text(block) if b == 0 => {
                            parts
                                .extend(strip_billing(&block.text).map(|text| InputPart::InputText { text }));
                        }
                        other => parts.extend(self.parts(other, place)?),
                    }
                }
                parts
            }
        };
        self.say(InputRole::Developer, parts);
        Ok(())
    }

    /// One message. `tools` that appeared with it go in behind its tool results (DECISIONS 11, Lite).
    pub(super) fn message(
        &mut self,
        m: usize,
        message: &Open<'a, Message<'a>>,
        mut tools: Option<Vec<Tool<'a>>>,
    ) -> Result<(), Failure> {
        self.notes.rest(format_args!("messages.{m}"), &message.rest);
        if let Some(config) = &message.output_config {
            let place = format_args!("messages.{m}.output_config");
            self.notes.rest(place, &config.rest);
            if config.format.is_some() {
                let detail = "the form of the answer is asked for by the request, not by a message";
                self.notes.add(What::Dropped, format!("{place}.format"), detail);
            }
        }
        let role = match message.role {
            Role::User => InputRole::User,
            Role::Assistant => InputRole::Assistant,
            Role::System => InputRole::Developer,
        };
        match &message.content {
            Content::Text(text) => {
                self.load(tools.take());
                let parts = if text.is_blank() { Vec::new() } else { vec![said(role, text.clone())] };
                self.say(role, parts);
            }
            Content::Blocks(blocks) => {
                let last_result = blocks.iter().rposition(|block| matches!(block, Block::ToolResult(_)));
                if last_result.is_none() {
                    self.load(tools.take());
                }
                let mut parts = Vec::new();
                for (b, block) in blocks.iter().enumerate() {
                    let place = Place { within: Within::Message(m), block: b };
                    self.tell(block, place);
                    self.block(role, block, place, &mut parts)?;
                    if last_result == Some(b) {
                        self.say(role, std::mem::take(&mut parts));
                        self.load(tools.take());
                    }
                }
                self.say(role, parts);
            }
        }
        self.answer_interrupted_calls(m);
        Ok(())
    }

    fn block(
        &mut self,
        role: InputRole,
        block: &Block<'a>,
        place: Place<'_>,
        parts: &mut Vec<InputPart<'a>>,
    ) -> Result<(), Failure> {
        match block {
            Block::Text(block) => {
                if !block.text.is_blank() {
                    parts.push(said(role, block.text.clone()));
                }
            }
            Block::ToolUse(call) => {
                self.say(role, std::mem::take(parts));
                self.call(call, place);
            }
            Block::ToolResult(result) => match self.pairs.results.pop_front().flatten() {
                Some(call_id) => {
                    self.say(role, std::mem::take(parts));
                    let output = if self.edits.clears_result(place.at()) {
                        self.notes.add(What::Dropped, place.to_string(), AS_ASKED);
                        CallOutput::Text(JsonStr::from(CLEARED))
                    } else {
                        self.output(result, place)?
                    };
                    self.items.push(InputItem::FunctionCallOutput { call_id, output });
                }
                None => {
                    self.notes.add(
                        What::Described,
                        place.to_string(),
                        format!("a tool result without a call ({}) became text", result.tool_use_id),
                    );
                    parts.push(said(
                        role,
                        JsonStr::from("[Result of a tool call that is not in this conversation]"),
                    ));
                    let content = self.result_parts(result, place)?;
                    parts.extend(content.into_iter().map(|part| self.as_said_by(role, part, place)));
                }
            },
            Block::Thinking(block) if role == InputRole::Assistant => {
                self.say(role, std::mem::take(parts));
                self.reasoning(block.signature.clone(), Some(&block.thinking), place);
            }
            Block::RedactedThinking(block) if role == InputRole::Assistant => {
                self.say(role, std::mem::take(parts));
                self.reasoning(block.data.clone(), None, place);
            }
            other => {
                let described = self.parts(other, place)?;
                parts.extend(described.into_iter().map(|part| self.as_said_by(role, part, place)));
            }
        }
        Ok(())
    }

    /// Notes what of a block has no place upstream.
    pub(super) fn tell(&mut self, block: &Block<'a>, place: Place<'_>) {
        if let Some(rest) = block.rest() {
            self.notes.rest(place, rest);
        }
        if let Some(rest) = block.source().and_then(Source::rest) {
            self.notes.rest(format_args!("{place}.source"), rest);
        }
        if block.wants_citations() {
            let detail = "the backend cites web pages only";
            self.notes.add(What::Dropped, format!("{place}.citations"), detail);
        }
    }

    /// Assistant messages take `output_text` only; pictures and files a model "said" are named in words.
    fn as_said_by(&mut self, role: InputRole, part: InputPart<'a>, place: Place<'_>) -> InputPart<'a> {
        let words = match (role, part) {
            (InputRole::Assistant, InputPart::InputText { text }) => return InputPart::OutputText { text },
            (InputRole::Assistant, InputPart::InputImage { .. }) => "[an image]",
            (InputRole::Assistant, InputPart::InputFile { .. }) => "[a file]",
            (_, part) => return part,
        };
        self.notes.add(What::Described, place.to_string(), "the model's own turn takes text only");
        InputPart::OutputText { text: JsonStr::from(words) }
    }

    /// The items, all written. Reasoning must be followed by what it led to: what leads nowhere is dropped (R50).
    pub(super) fn finish(self) -> (Vec<InputItem<'a>>, Vec<Checksum>) {
        let Self { mut items, replayed, notes, .. } = self;
        let mut leads_on = false;
        let mut kept: Vec<bool> = items
            .iter()
            .rev()
            .map(|item| {
                match item {
                    InputItem::Message { role: InputRole::Assistant, .. }
                    | InputItem::FunctionCall { .. } => {
                        leads_on = true;
                    }
                    InputItem::Reasoning { .. } => return leads_on,
                    _ => leads_on = false,
                }
                true
            })
            .collect();
        let dropped = kept.iter().filter(|kept| !**kept).count();
        for _ in 0..dropped {
            notes.add(What::Dropped, "messages", "reasoning that nothing follows");
        }
        items.retain(|_| kept.pop().unwrap_or(true));
        // An id must not be too long (R67), nor stand there twice. None at all is fine.
        let mut used: HashSet<Cow<'_, str>> = HashSet::new();
        for item in &mut items {
            if let InputItem::Reasoning { id, .. } = item
                && !id.is_empty()
                && (id.len() > MAX_ID || !used.insert(id.clone()))
            {
                *id = Cow::Borrowed("");
                notes.add(What::Dropped, "messages", "a reasoning's id that is too long or there twice");
            }
        }
        (items, replayed)
    }

    /// Calls that were never answered get an answer that says so (R24).
    fn answer_interrupted_calls(&mut self, m: usize) {
        for call_id in std::mem::take(&mut self.unanswered) {
            self.notes.add(
                What::Repaired,
                format!("messages.{m}"),
                format!("the call {call_id} has no result; it got one that says so"),
            );
            let output = CallOutput::Text(JsonStr::from(INTERRUPTED));
            self.items.push(InputItem::FunctionCallOutput { call_id, output });
        }
    }

    /// A message item, if there is anything to say.
    fn say(&mut self, role: InputRole, content: Vec<InputPart<'a>>) {
        if !content.is_empty() {
            self.items.push(InputItem::Message { role, content });
        }
    }

    fn load(&mut self, tools: Option<Vec<Tool<'a>>>) {
        if let Some(tools) = tools {
            self.items.push(InputItem::AdditionalTools { role: InputRole::Developer, tools });
        }
    }

    fn call(&mut self, call: &ToolUseBlock<'a>, place: Place<'_>) {
        let Some(paired) = self.pairs.calls.pop_front() else { return };
        if !paired.answered {
            self.unanswered.push(paired.id.clone());
        }
        let arguments = self.arguments(call, place);
        let name = upstream_name(&call.name);
        self.items.push(InputItem::FunctionCall { call_id: paired.id, name, arguments });
    }

    fn arguments(&mut self, call: &ToolUseBlock<'a>, place: Place<'_>) -> Arguments<'a> {
        if self.edits.clears_input(place.at()) {
            self.notes.add(What::Dropped, format!("{place}.input"), AS_ASKED);
            return Arguments::Empty;
        }
        match (call.input, self.originals.get(call.id.as_ref())) {
            (Some(input), Some(original)) if stands_for(original, input) => Arguments::Original(original),
            (Some(input), _) if input.get() != "null" => Arguments::Raw(input),
            _ => Arguments::Empty,
        }
    }

    fn reasoning(&mut self, signature: Cow<'a, str>, shown: Option<&JsonStr<'a>>, place: Place<'_>) {
        if self.edits.clears_thinking(place.at()) {
            self.notes.add(What::Dropped, place.to_string(), AS_ASKED);
            return;
        }
        let checksum = Envelope::checksum_of(&signature);
        let opened = match signature {
            Cow::Borrowed(signature) => self.reader.open(signature),
            Cow::Owned(signature) => self.reader.open(&signature).map(Envelope::into_owned),
        };
        match opened {
            Ok(envelope) => {
                self.replayed.extend(checksum);
                let summary = shown
                    .filter(|text| !text.is_empty())
                    .map(|text| SummaryPart { kind: "summary_text", text: text.clone() });
                self.items.push(InputItem::Reasoning {
                    id: envelope.item_id,
                    summary: summary.into_iter().collect(),
                    encrypted_content: envelope.encrypted_content,
                });
            }
            Err(why_not) => self.notes.add(What::Dropped, place.to_string(), why_not),
        }
    }
}

/// Where a block stands, for notes and errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'p> {
    within: Within<'p>,
    block: usize,
}

#[derive(Debug, Clone, Copy)]
enum Within<'p> {
    System,
    Message(usize),
    /// A member of another block.
    Block(&'p Place<'p>, &'static str),
}

impl<'p> Place<'p> {
    /// Message and position of a block that stands in a message itself.
    fn at(&self) -> (usize, usize) {
        match self.within {
            Within::Message(m) => (m, self.block),
            Within::System | Within::Block(..) => (usize::MAX, self.block),
        }
    }

    /// A block within this one.
    pub(super) fn within(&'p self, member: &'static str, block: usize) -> Self {
        Self { within: Within::Block(self, member), block }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.within {
            Within::System => write!(f, "system.{}", self.block),
            Within::Message(m) => write!(f, "messages.{m}.content.{}", self.block),
            Within::Block(outer, member) => write!(f, "{outer}.{member}.{}", self.block),
        }
    }
}

/// Text in the part that its speaker uses.
fn said<'a>(role: InputRole, text: JsonStr<'a>) -> InputPart<'a> {
    match role {
        InputRole::Assistant => InputPart::OutputText { text },
        InputRole::User | InputRole::Developer => InputPart::InputText { text },
    }
}

/// The system text without Claude Code's billing line, which differs from request to request (R04, P3). Only at the
/// very start; the same words later are the user's own.
fn strip_billing<'a>(text: &JsonStr<'a>) -> Option<JsonStr<'a>> {
    if !text.starts_with(BILLING_LINE) {
        return (!text.is_blank()).then(|| text.clone());
    }
    let whole = text.to_text();
    let rest = whole.split_once('\n').map_or("", |(_, rest)| rest);
    (!rest.trim().is_empty()).then(|| JsonStr::from(rest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_goes_back_to_whoever_made_it_unless_the_backend_refused_it() {
        let envelope = |model: &'static str, account: &'static str| Envelope {
            model: model.into(),
            account: account.into(),
            item_id: "rs_1".into(),
            encrypted_content: "sealed".into(),
        };
        let sealed = envelope("m", "a").seal();
        let refused = StaleReasoning::from_iter(Envelope::checksum_of(&sealed));
        assert_eq!(refused.len(), 1);
        let none = StaleReasoning::new();
        let reader =
            |stale, reasoning| Reader { model: "m", account: "a", reasoning, stale, dialect: Dialect::Lite };
        assert!(reader(&none, true).open(&sealed).is_ok());
        assert!(reader(&refused, true).open(&sealed).is_err());
        assert!(reader(&none, false).open(&sealed).is_err());
        for other in [envelope("n", "a"), envelope("m", "b")] {
            assert!(reader(&none, true).open(&other.seal()).is_err());
        }
    }
}

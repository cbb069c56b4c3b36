//! One output item on its way to the client: what it is, what has arrived of it, what has been sent.

use super::super::envelope::Envelope;
use super::super::notes::{Notes, What};
use super::super::schema::Format;
use super::Answer;
use super::blocks::Blocks;
use super::cutter::Cutter;
use super::repair::{self, Flood};
use super::search::{Asked, Search, Searches};
use crate::anthropic::event::{BlockStart, Citation, Delta, EmptyObject, SearchContent, Sink};
use crate::failure::Failure;
use crate::json::JsonStr;
use crate::openai::item::{OutputItem, OutputPart};

/// What an item becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text blocks, one for each part.
    Message,
    /// A thinking block.
    Reasoning,
    /// A `tool_use` block.
    Call,
    /// A search and its result; waits for the end of the answer.
    Search,
    /// A sentence that names it (S66).
    Other,
}

impl Kind {
    pub(super) fn of(item: &OutputItem<'_>) -> Self {
        match item {
            OutputItem::Message(_) => Self::Message,
            OutputItem::Reasoning(_) => Self::Reasoning,
            OutputItem::FunctionCall(_) => Self::Call,
            OutputItem::WebSearchCall(_) => Self::Search,
            OutputItem::Unknown { .. } => Self::Other,
        }
    }
}

/// Why nothing of an item goes out before all of it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// It goes out as it comes.
    No,
    /// A text that must fit the client's schema.
    Fit,
    /// A call that is looked at as a whole, for slips of the model.
    Mending,
    /// A call that asks for a search, which is made for the client.
    Search,
}

/// One item.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: String,
    pub(super) output_index: Option<u64>,
    kind: Kind,
    call_id: String,
    name: String,
    /// Decoded bytes received of each part.
    received: Vec<(u64, usize)>,
    /// Pieces that could not be sent yet.
    waiting: Vec<(u64, String)>,
    /// A call's arguments so far, decoded: they are checked before the block is closed.
    arguments: String,
    /// White space at their end.
    flood: Flood,
    /// The query and what came of it.
    found: Option<(String, SearchContent)>,
    encrypted_content: Option<String>,
    started: bool,
    cutter: Cutter,
    search: Option<Search>,
    /// What each part cites.
    citations: Vec<(u64, Citation)>,
    /// The part of the last piece sent.
    sent_part: Option<u64>,
    wait: Wait,
    /// Nothing more will come.
    pub(super) done: bool,
    /// All of it came.
    whole: bool,
}

impl Slot {
    pub(super) fn new(id: &str, output_index: Option<u64>, kind: Kind, held: bool) -> Self {
        Self {
            id: id.to_owned(),
            output_index,
            kind,
            call_id: String::new(),
            name: String::new(),
            received: Vec::new(),
            waiting: Vec::new(),
            arguments: String::new(),
            flood: Flood::default(),
            found: None,
            encrypted_content: None,
            started: false,
            cutter: Cutter::default(),
            search: None,
            citations: Vec::new(),
            sent_part: None,
            wait: if held { Wait::Fit } else { Wait::No },
            done: false,
            whole: false,
        }
    }

    pub(super) fn is_call(&self) -> bool {
        self.kind == Kind::Call && self.whole
    }

    /// Was the item told whole?
    pub(super) fn is_complete(&self) -> bool {
        self.done || self.whole
    }

    pub(super) fn is_held(&self) -> bool {
        self.wait == Wait::Fit
    }

    /// Lets the text go as it is.
    pub(super) fn release(&mut self) {
        self.wait = Wait::No;
    }

    /// Measures the whole text by the client's schema, part by part, and lets it go if it fits (R61).
    pub(super) fn measure(&mut self, format: &Format) -> Result<(), Failure> {
        if self.wait != Wait::Fit || !self.whole {
            return Ok(());
        }
        let mut parts: Vec<(u64, String)> = Vec::new();
        for (part, piece) in &self.waiting {
            match parts.iter_mut().find(|(known, _)| known == part) {
                Some((_, text)) => text.push_str(piece),
                None => parts.push((*part, piece.clone())),
            }
        }
        for (_, text) in &mut parts {
            *text = format.fit(text)?.into_owned();
        }
        self.waiting = parts;
        self.wait = Wait::No;
        Ok(())
    }

    /// Is this the item an event speaks of? The id decides where both have one. What changes its kind is another item.
    pub(super) fn is(&self, id: &str, output_index: Option<u64>, kind: Kind) -> bool {
        let is_named = if id.is_empty() || self.id.is_empty() {
            output_index.is_some() && self.output_index == output_index
        } else {
            self.id == id
        };
        is_named && self.kind == kind
    }

    /// Takes over what an item says about itself.
    pub(super) fn learn(&mut self, item: &OutputItem<'_>, answer: &Answer) {
        if self.id.is_empty() {
            self.id = item.id().into_owned();
        }
        match item {
            OutputItem::FunctionCall(call) => {
                if !call.name.is_empty() {
                    call.name.clone_into_string(&mut self.name);
                    self.wait = if answer.search.function == Some(self.name.as_str()) {
                        Wait::Search
                    } else if repair::applies_to(answer.names.to_client(&self.name)) {
                        Wait::Mending
                    } else {
                        Wait::No
                    };
                }
                if !call.call_id.is_empty() {
                    call.call_id.clone_into_string(&mut self.call_id);
                }
            }
            OutputItem::Reasoning(reasoning) => {
                // The value of `output_item.done` wins over the one of `.added` (S03).
                if let Some(text) = reasoning.encrypted_content.as_deref().filter(|text| !text.is_empty()) {
                    self.encrypted_content = Some(text.to_owned());
                }
            }
            OutputItem::WebSearchCall(call) => self.search = Some(Search::of(call)),
            OutputItem::Message(_) => {}
            OutputItem::Unknown { kind, .. } => kind.clone_into_string(&mut self.name),
        }
    }

    /// Counts a piece of a part. False for an empty one, which is no news.
    pub(super) fn receive(&mut self, part: u64, delta: &JsonStr<'_>) -> bool {
        let length = delta.text_len();
        if length == 0 {
            return false;
        }
        match self.received.iter_mut().find(|(index, _)| *index == part) {
            Some((_, received)) => *received += length,
            None => self.received.push((part, length)),
        }
        if self.kind == Kind::Call {
            self.arguments.push_str(&delta.to_text());
        }
        true
    }

    /// Does this piece of a call's arguments say that the model writes nothing but white space?
    pub(super) fn runs_dry(&mut self, delta: &JsonStr<'_>) -> bool {
        self.kind == Kind::Call && self.flood.rises(&delta.to_text())
    }

    /// Keeps a piece until it is this item's turn.
    pub(super) fn keep(&mut self, part: u64, delta: &JsonStr<'_>) {
        self.waiting.push((part, delta.to_owned_text()));
    }

    /// A piece that was left out before and comes now, from a repetition.
    fn add(&mut self, part: u64, text: &str) {
        if self.receive(part, &JsonStr::from(text)) {
            self.waiting.push((part, text.to_owned()));
        }
    }

    /// The whole of a part, repeated: what is missing of it is taken from here (S07, S08).
    pub(super) fn complete_part(&mut self, part: u64, text: &JsonStr<'_>) {
        let received = self.received.iter().find(|(index, _)| *index == part).map_or(0, |(_, n)| *n);
        if text.text_len() > received {
            let text = text.to_text();
            if let Some(rest) = text.get(received..) {
                self.add(part, rest);
            }
        }
    }

    /// The whole arguments, repeated (S11).
    pub(super) fn complete_arguments(&mut self, whole: &str) -> Result<(), Failure> {
        if whole.is_empty() {
            return Ok(());
        }
        match whole.strip_prefix(self.arguments.as_str()) {
            Some(rest) => {
                self.add(0, rest);
                Ok(())
            }
            None => Err(self.broken_arguments()),
        }
    }

    /// The item, whole.
    pub(super) fn complete(
        &mut self,
        item: &OutputItem<'_>,
        searches: &mut Searches,
        notes: &mut Notes,
    ) -> Result<(), Failure> {
        match item {
            OutputItem::Message(message) => {
                for (part, content) in message.content.iter().enumerate() {
                    match content {
                        OutputPart::Text(text) => {
                            self.complete_part(part as u64, &text.text);
                            let cited = searches.citations(text);
                            self.citations.extend(cited.into_iter().map(|cited| (part as u64, cited)));
                        }
                        OutputPart::Refusal(refusal) => self.complete_part(part as u64, &refusal.refusal),
                        OutputPart::Unknown { kind, raw } => {
                            notes.add(What::Described, "response.output", format!("a part of type {kind}"));
                            self.complete_part(part as u64, &JsonStr::from(raw.get()));
                        }
                    }
                }
            }
            OutputItem::Reasoning(reasoning) => {
                for (part, summary) in reasoning.summary.iter().enumerate() {
                    self.complete_part(part as u64, &summary.text);
                }
            }
            OutputItem::FunctionCall(call) => {
                if let Some(arguments) = &call.arguments {
                    self.complete_arguments(&arguments.to_text())?;
                }
                return self.end(call.status.as_deref() != Some("incomplete"));
            }
            // Its titles are still to come: it is through when the answer is.
            OutputItem::WebSearchCall(_) => return Ok(()),
            OutputItem::Unknown { .. } => {}
        }
        self.end(true)
    }

    /// Nothing more comes. `whole`: what is there is all there was to be.
    pub(super) fn end(&mut self, whole: bool) -> Result<(), Failure> {
        if self.done {
            return Ok(());
        }
        if self.kind == Kind::Call && whole {
            if self.arguments.trim().is_empty() {
                self.add(0, "{}"); // S14
            }
            // A cut JSON object is never valid JSON, so half a call can't pass for a whole one (S15).
            let valid = self.arguments.trim_start().starts_with('{')
                && serde_json::from_str::<serde::de::IgnoredAny>(&self.arguments).is_ok();
            if !valid || self.name.is_empty() {
                return Err(self.broken_arguments());
            }
            self.whole = true;
            if self.wait == Wait::Search {
                return Ok(()); // it is through when the search is
            }
        }
        self.done = true;
        self.whole = whole;
        Ok(())
    }

    /// The search that this call asks for, once the call is whole.
    pub(super) fn asked(&self) -> Option<Asked> {
        #[derive(serde::Deserialize)]
        struct Arguments {
            #[serde(default)]
            query: String,
        }
        let is_open = self.wait == Wait::Search && self.whole && !self.done;
        is_open.then(|| Asked {
            call_id: self.call_id.clone(),
            query: serde_json::from_str::<Arguments>(&self.arguments)
                .map(|call| call.query)
                .unwrap_or_default(),
        })
    }

    /// The search was made.
    pub(super) fn answer(&mut self, query: String, found: SearchContent) {
        self.found = Some((query, found));
        self.done = true;
    }

    pub(super) fn broken_arguments(&self) -> Failure {
        let tool = if self.name.is_empty() { "a tool" } else { &self.name };
        Failure::BrokenArguments { tool: tool.to_owned() }
    }

    /// Would [`Self::send`] send anything now?
    pub(super) fn has_something_to_send(&self, answer: &Answer) -> bool {
        match self.kind {
            Kind::Message => self.wait == Wait::No && !self.waiting.is_empty(),
            Kind::Reasoning => {
                answer.thinking && (!self.waiting.is_empty() || self.done && self.encrypted_content.is_some())
            }
            Kind::Call => self.found.is_some() || self.can_start(),
            Kind::Search | Kind::Other => self.done,
        }
    }

    /// A call starts when its name is known (S10); one that was cut before anything of it went out never does.
    fn can_start(&self) -> bool {
        let may_begin = self.started || self.whole || !self.done && self.wait == Wait::No;
        !self.name.is_empty() && self.wait != Wait::Search && may_begin
    }

    /// Sends what is there. The caller has made sure that this item is the front one and the message has started.
    pub(super) fn send(
        &mut self,
        blocks: &mut Blocks,
        answer: &Answer,
        searches: &mut Searches,
        notes: &mut Notes,
        sink: &mut impl Sink,
    ) {
        match self.kind {
            Kind::Message if self.wait == Wait::Fit => return,
            Kind::Message => {
                self.send_waiting(blocks, answer, sink);
                if self.done {
                    self.flush_text(blocks, sink);
                    self.cite(blocks, sink);
                }
            }
            Kind::Reasoning if answer.thinking => self.send_thinking(blocks, answer, sink),
            Kind::Reasoning => {
                self.waiting.clear();
                if self.done && self.encrypted_content.is_some() {
                    notes.add(What::Dropped, "reasoning", "the client asked for no thinking");
                }
            }
            Kind::Call if self.wait == Wait::Search => {
                if let Some((query, found)) = self.found.take() {
                    searches.show(&self.id, &query, found, blocks, sink);
                }
            }
            Kind::Call => self.send_call(blocks, answer, notes, sink),
            Kind::Search => {
                if let Some(search) = self.search.take_if(|_| self.done) {
                    search.send(&self.id, self.whole, &answer.search, searches, blocks, sink);
                }
            }
            Kind::Other if self.done => {
                notes.add(What::Described, "response.output", format!("an item of type {}", self.name));
                let sentence = format!("[The model produced an item of type {}]", self.name);
                blocks.start(BlockStart::Text { text: "" }, sink);
                blocks.delta(Delta::TextDelta { text: JsonStr::from(sentence) }, sink);
            }
            Kind::Other => {}
        }
        if self.done {
            blocks.stop(sink);
        }
    }

    /// May a piece go out the moment it comes? Then it is copied as it is, escapes and all.
    pub(super) fn is_live(&self, answer: &Answer) -> bool {
        self.waiting.is_empty()
            && match self.kind {
                Kind::Message => self.wait == Wait::No,
                Kind::Reasoning => answer.thinking,
                Kind::Call => self.can_start(),
                Kind::Search | Kind::Other => false,
            }
    }

    /// Sends one piece.
    pub(super) fn send_piece(
        &mut self,
        part: u64,
        piece: JsonStr<'_>,
        blocks: &mut Blocks,
        answer: &Answer,
        sink: &mut impl Sink,
    ) {
        let next_part = self.sent_part != Some(part);
        let first = self.sent_part.replace(part).is_none();
        match self.kind {
            Kind::Message => {
                if next_part {
                    self.flush_text(blocks, sink);
                    self.cite(blocks, sink);
                    self.started = false;
                }
                if answer.stop_sequences.is_empty() {
                    self.send_text(piece, blocks, sink);
                } else if blocks.met.is_none() {
                    let cut = self.cutter.push(&piece.to_text(), &answer.stop_sequences);
                    self.send_text(JsonStr::from(cut.text), blocks, sink);
                    blocks.met = cut.met;
                }
            }
            Kind::Reasoning => {
                self.start_thinking(blocks, sink);
                if next_part && !first {
                    blocks.delta(Delta::ThinkingDelta { thinking: JsonStr::from("\n\n") }, sink); // S02
                }
                blocks.delta(Delta::ThinkingDelta { thinking: piece }, sink);
            }
            Kind::Call => {
                self.start_call(blocks, answer, sink);
                blocks.delta(Delta::InputJsonDelta { partial_json: piece }, sink);
            }
            Kind::Search | Kind::Other => {}
        }
    }

    fn send_text(&mut self, text: JsonStr<'_>, blocks: &mut Blocks, sink: &mut impl Sink) {
        if text.is_empty() {
            return;
        }
        if !self.started {
            self.started = true;
            blocks.start(BlockStart::Text { text: "" }, sink);
        }
        blocks.text_sent = true;
        blocks.delta(Delta::TextDelta { text }, sink);
    }

    /// What was held back as the possible beginning of a stop sequence.
    fn flush_text(&mut self, blocks: &mut Blocks, sink: &mut impl Sink) {
        let held = self.cutter.finish();
        if blocks.met.is_none() {
            self.send_text(JsonStr::from(held), blocks, sink);
        }
    }

    /// The citations of the part that was sent last. They belong into its block.
    fn cite(&mut self, blocks: &mut Blocks, sink: &mut impl Sink) {
        let (Some(sent), true) = (self.sent_part, self.started) else { return };
        for (_, citation) in self.citations.extract_if(.., |(part, _)| *part == sent) {
            blocks.delta(Delta::CitationsDelta { citation }, sink);
        }
    }

    fn send_waiting(&mut self, blocks: &mut Blocks, answer: &Answer, sink: &mut impl Sink) {
        for (part, piece) in std::mem::take(&mut self.waiting) {
            self.send_piece(part, JsonStr::from(piece), blocks, answer, sink);
        }
    }

    fn start_thinking(&mut self, blocks: &mut Blocks, sink: &mut impl Sink) {
        if !self.started {
            self.started = true;
            blocks.start(BlockStart::Thinking { thinking: "", signature: "" }, sink);
        }
    }

    fn start_call(&mut self, blocks: &mut Blocks, answer: &Answer, sink: &mut impl Sink) {
        if !self.started {
            self.started = true;
            let id = if self.call_id.is_empty() { &self.id } else { &self.call_id };
            let name = answer.names.to_client(&self.name);
            blocks.start(BlockStart::ToolUse { id, name, input: EmptyObject {} }, sink);
        }
    }

    fn send_thinking(&mut self, blocks: &mut Blocks, answer: &Answer, sink: &mut impl Sink) {
        self.send_waiting(blocks, answer, sink);
        if self.done
            && let Some(encrypted_content) = self.encrypted_content.take()
        {
            self.start_thinking(blocks, sink);
            let envelope = Envelope {
                model: answer.upstream_model.as_str().into(),
                account: answer.account.as_str().into(),
                item_id: self.id.as_str().into(),
                encrypted_content: encrypted_content.into(),
            };
            blocks.delta(Delta::SignatureDelta { signature: &envelope.seal() }, sink);
        }
    }

    fn send_call(&mut self, blocks: &mut Blocks, answer: &Answer, notes: &mut Notes, sink: &mut impl Sink) {
        if self.can_start() {
            if self.wait == Wait::Mending
                && !self.started
                && let Some((mended, why)) =
                    repair::mended(answer.names.to_client(&self.name), &self.arguments)
            {
                notes.add(What::Repaired, "response.output", why);
                self.waiting = vec![(0, mended.clone())];
                self.arguments = mended;
            }
            self.start_call(blocks, answer, sink);
            self.send_waiting(blocks, answer, sink);
            blocks.half_a_call |= self.done && !self.whole;
            if self.done && self.whole {
                blocks.calls_sent += 1;
                let id = if self.call_id.is_empty() { &self.id } else { &self.call_id };
                blocks.calls.push((id.clone(), std::mem::take(&mut self.arguments)));
            }
        }
    }
}

/// `Cow::clone_into` for strings, without a new allocation where the target has room.
trait CloneIntoString {
    fn clone_into_string(&self, target: &mut String);
}

impl CloneIntoString for std::borrow::Cow<'_, str> {
    fn clone_into_string(&self, target: &mut String) {
        self.as_ref().clone_into(target);
    }
}

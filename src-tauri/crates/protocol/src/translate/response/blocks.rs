//! The client's content blocks: which one is open, what went out of them. Not here: what they are made of.

use crate::anthropic::event::{BlockStart, Delta, Sink, StreamEvent};

/// The client's blocks: at most one is open, indices are dense.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    next: usize,
    open: bool,
    /// Completed tool calls that went out.
    pub(super) calls_sent: usize,
    /// Did a call begin that was cut before its end?
    pub(super) half_a_call: bool,
    /// Their ids and arguments, as the model wrote them.
    pub(super) calls: Vec<(String, String)>,
    /// The stop sequence that was met: nothing goes out after it.
    pub(super) met: Option<String>,
    /// Did any text of the model go out?
    pub(super) text_sent: bool,
    /// Bytes of text and arguments sent, for an estimate where the true usage never comes.
    pub(super) sent: usize,
}

impl Blocks {
    pub(super) fn start(&mut self, content_block: BlockStart<'_>, sink: &mut impl Sink) {
        self.stop(sink);
        sink.event(StreamEvent::ContentBlockStart { index: self.next, content_block });
        self.open = true;
    }

    pub(super) fn delta(&mut self, delta: Delta<'_>, sink: &mut impl Sink) {
        self.sent += match &delta {
            Delta::TextDelta { text } => text.raw_len(),
            Delta::ThinkingDelta { thinking } => thinking.raw_len(),
            Delta::InputJsonDelta { partial_json } => partial_json.raw_len(),
            Delta::SignatureDelta { .. } | Delta::CitationsDelta { .. } => 0,
        };
        sink.event(StreamEvent::ContentBlockDelta { index: self.next, delta });
    }

    pub(super) fn stop(&mut self, sink: &mut impl Sink) {
        if self.open {
            sink.event(StreamEvent::ContentBlockStop { index: self.next });
            self.open = false;
            self.next += 1;
        }
    }
}

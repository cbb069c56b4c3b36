//! What a client hears of an answer: a machine that reads the backend's events, together with the form in which the client
//! wants them. The relay knows no more of either.

use std::fmt;

use dragoman_protocol::anthropic::event::{MessageSink, Sink, SseSink, Usage};
use dragoman_protocol::failure::{Failure, Now};
use dragoman_protocol::openai::event::Event;
use dragoman_protocol::sse::{self, Frame};
use dragoman_protocol::translate::{
    Asked, ChatAnswer, ChatStream, Found, Notes, Passing, ResponsesToMessages, Searched, Thought, What,
    notes_in_chat,
};

use crate::kept::Conversation;

/// In a stream for OpenAI's clients a comment is all that may be said between events.
const COMMENT: &[u8] = b": still waiting for the model\n\n";

/// What a client hears. A whole answer (without `stream`) is heard at its end.
pub(crate) trait Voice: fmt::Debug + Send {
    /// The account of this tag answers, whatever was expected.
    fn answered_by(&mut self, account: &str);

    /// The status line has gone out before the backend spoke.
    fn open(&mut self);

    /// Takes one frame of the backend's, and tells how many bytes of output it brings. `now`: unix seconds.
    fn take(&mut self, frame: &Frame<'_>, now: i64) -> Result<usize, Failure>;

    /// The end of the backend's bytes.
    fn finish(&mut self) -> Result<(), Failure>;

    /// Has the answer ended?
    fn has_ended(&self) -> bool;

    /// A sign of life.
    fn ping(&mut self);

    /// Tells a failure after the status line.
    fn fail(&mut self, failure: &Failure, now: &Now);

    /// What is to be sent now.
    fn bytes(&mut self) -> Vec<u8>;

    /// What is left of the answer, once it has ended.
    fn outcome(&mut self) -> Outcome;

    /// The searches that the model waits for, once its response is over; `None` if it asks for none.
    fn asked(&mut self) -> Option<Vec<Asked>> {
        None
    }

    /// Takes what was found; what the next request to the model goes on with, unless the answer has ended.
    fn found(&mut self, _found: Vec<Found>) -> Option<Searched> {
        None
    }
}

/// What is left of an answer.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) usage: Option<Usage>,
    pub(crate) notes: Notes,
    /// Calls and their arguments, as the model wrote them.
    pub(crate) calls: Vec<(String, String)>,
    /// What was thought before calls, where the client can't carry it.
    pub(crate) thoughts: Vec<(String, Vec<Thought>)>,
    /// The conversation that a later request may go on with, by the response's id.
    pub(crate) response: Option<(String, Conversation)>,
    /// So many items at its end are the response's own.
    pub(crate) own_items: usize,
}

/// The form of an answer in Messages events.
pub(crate) trait Form: Sink + fmt::Debug + Send {
    fn ping(&mut self) {}
    fn fail(&mut self, _failure: &Failure, _now: &Now) {}
    fn bytes(&mut self) -> Vec<u8>;
    fn dropped_calls(&mut self) -> Vec<String> {
        Vec::new()
    }
    fn thoughts(&mut self) -> Vec<(String, Vec<Thought>)> {
        Vec::new()
    }
    /// Tells where something stands in the client's own words.
    fn place(&self, _notes: &mut Notes) {}
}

impl Form for SseSink {
    fn ping(&mut self) {
        self.bytes.extend_from_slice(b"event: ping\ndata: {\"type\": \"ping\"}\n\n");
    }

    fn fail(&mut self, failure: &Failure, now: &Now) {
        sse::write(&mut self.bytes, "error", &failure.to_anthropic_event(now));
    }

    fn bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl Form for MessageSink {
    fn bytes(&mut self) -> Vec<u8> {
        std::mem::take(self).into_json()
    }

    fn dropped_calls(&mut self) -> Vec<String> {
        std::mem::take(&mut self.dropped_calls)
    }
}

impl Form for ChatStream {
    fn ping(&mut self) {
        self.bytes.extend_from_slice(COMMENT);
    }

    fn fail(&mut self, failure: &Failure, now: &Now) {
        sse::write_data(&mut self.bytes, &failure.to_openai_json(now));
    }

    fn bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn thoughts(&mut self) -> Vec<(String, Vec<Thought>)> {
        self.take_thoughts()
    }

    fn place(&self, notes: &mut Notes) {
        notes_in_chat(notes);
    }
}

impl Form for ChatAnswer {
    fn bytes(&mut self) -> Vec<u8> {
        self.to_json()
    }

    fn dropped_calls(&mut self) -> Vec<String> {
        std::mem::take(&mut self.dropped_calls)
    }

    fn thoughts(&mut self) -> Vec<(String, Vec<Thought>)> {
        self.take_thoughts()
    }

    fn place(&self, notes: &mut Notes) {
        notes_in_chat(notes);
    }
}

/// A Messages answer, and what chats make of one.
#[derive(Debug)]
pub(crate) struct Spoken<F> {
    machine: ResponsesToMessages,
    form: F,
}

impl<F: Form> Spoken<F> {
    pub(crate) fn new(machine: ResponsesToMessages, form: F) -> Self {
        Self { machine, form }
    }
}

impl<F: Form> Voice for Spoken<F> {
    fn answered_by(&mut self, account: &str) {
        self.machine.answered_by(account);
    }

    fn open(&mut self) {
        self.machine.open(&mut self.form);
    }

    fn take(&mut self, frame: &Frame<'_>, now: i64) -> Result<usize, Failure> {
        let event = Event::parse(&frame.data)?;
        self.machine.push(&event, now, &mut self.form)?;
        Ok(event.output_len())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.machine.finish(&mut self.form)
    }

    fn has_ended(&self) -> bool {
        self.machine.has_ended()
    }

    fn ping(&mut self) {
        // A client hears of the message before it hears of its pauses.
        self.machine.open(&mut self.form);
        self.form.ping();
    }

    fn fail(&mut self, failure: &Failure, now: &Now) {
        self.form.fail(failure, now);
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.form.bytes()
    }

    fn outcome(&mut self) -> Outcome {
        let mut notes = self.machine.notes().clone();
        for tool in self.form.dropped_calls() {
            let detail = format!("a call of {tool} that the answer's limit cut was left out");
            notes.add(What::Dropped, "response.output", detail);
        }
        self.form.place(&mut notes);
        Outcome {
            usage: self.machine.usage(),
            notes,
            calls: self.machine.take_calls(),
            thoughts: self.form.thoughts(),
            ..Outcome::default()
        }
    }

    fn asked(&mut self) -> Option<Vec<Asked>> {
        self.machine.is_searching().then(|| self.machine.asked())
    }

    fn found(&mut self, found: Vec<Found>) -> Option<Searched> {
        self.machine.found(found, &mut self.form)
    }
}

/// A Responses answer, passed on.
#[derive(Debug)]
pub(crate) struct PassedOn {
    machine: Passing,
    streams: bool,
    /// What went before, if a later request may go on with this response.
    conversation: Option<Conversation>,
}

impl PassedOn {
    pub(crate) fn new(machine: Passing, streams: bool, conversation: Option<Conversation>) -> Self {
        Self { machine, streams, conversation }
    }
}

impl Voice for PassedOn {
    fn answered_by(&mut self, _account: &str) {}

    fn open(&mut self) {
        self.ping();
    }

    fn take(&mut self, frame: &Frame<'_>, now: i64) -> Result<usize, Failure> {
        let written = self.machine.push(frame, now);
        if !self.streams {
            self.machine.bytes.clear(); // the last event holds the whole answer
        }
        written
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.machine.finish()
    }

    fn has_ended(&self) -> bool {
        self.machine.has_ended()
    }

    fn ping(&mut self) {
        self.machine.bytes.extend_from_slice(COMMENT);
    }

    fn fail(&mut self, failure: &Failure, now: &Now) {
        self.machine.fail(failure, now);
    }

    fn bytes(&mut self) -> Vec<u8> {
        let events = std::mem::take(&mut self.machine.bytes);
        match self.machine.response() {
            Some(response) if !self.streams => response.get().as_bytes().to_vec(),
            _ => events,
        }
    }

    fn outcome(&mut self) -> Outcome {
        let mut outcome = Outcome { usage: self.machine.usage(), ..Outcome::default() };
        if let Some(mut conversation) = self.conversation.take()
            && let Some((id, output)) = self.machine.output()
        {
            outcome.own_items = output.len();
            conversation.items.extend(output);
            outcome.response = Some((id.to_owned(), conversation));
        }
        outcome
    }
}

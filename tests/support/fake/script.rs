//! What the fake model does: rules, each saying when it answers and what it says. The first rule with uses left that
//! matches a request answers it.
//!
//! ```text
//! fake.script([
//!     Rule::main("call").think("I should look.").tool("Bash", json!({ "command": "echo marker" })),
//!     Rule::main("end").when_output("marker").text("All done: {{last_output}}"),
//! ]);
//! ```

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::view::{self, Part, View};
use crate::http::Headers;

/// Something that must hold for a rule to answer. Strings are substrings.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    AnyText(String),
    System(String),
    NotSystem(String),
    LastUser(String),
    LastOutput(String),
    FirstUser(String),
    Model(String),
    Tool(String),
    NoTools,
    HostedTool(String),
    Image,
    Document,
    Format,
    UserSpeaks,
}

impl Condition {
    fn holds(&self, view: &View) -> bool {
        match self {
            Self::AnyText(text) => view.everything().contains(text),
            Self::System(text) => view.system.contains(text),
            Self::NotSystem(text) => !view.system.contains(text),
            Self::LastUser(text) => view.last_user().contains(text),
            Self::LastOutput(text) => view.last_output().contains(text),
            Self::FirstUser(text) => view.first_user().contains(text),
            Self::Model(text) => view.model.contains(text),
            Self::Tool(name) => view.tools.contains(name),
            Self::NoTools => view.tools.is_empty() && view.hosted_tools.is_empty(),
            Self::HostedTool(kind) => view.hosted_tools.contains(kind),
            Self::Image => view.latest().any(|part| view::images(part) > 0),
            Self::Document => view.latest().any(|part| view::documents(part) > 0),
            Self::Format => view.format,
            Self::UserSpeaks => !view.latest().any(|part| matches!(part, Part::Output { .. })),
        }
    }
}

/// One thing the model says or does, in order.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    Text(String),
    Think(String),
    /// Reasoning without a summary: only a ciphertext.
    HiddenThought,
    Tool {
        name: String,
        input: Value,
        id: Option<String>,
    },
    Pause(Duration),
    Hold(Gate),
    /// Any event, as it is.
    Event(Value),
    /// Bytes between the events, as they are.
    Bytes(Vec<u8>),
}

/// How an answer fails.
#[derive(Clone, Debug)]
pub enum Fail {
    /// Another answer than a stream.
    Http {
        /// The status code.
        status: u16,
        /// The content type.
        kind: &'static str,
        /// The body.
        body: String,
    },
    /// The history is too long for the model, as the first event.
    ContextOverflow,
    /// 429: the plan's limit is used up for so many seconds.
    UsageLimit {
        /// Seconds until the limit resets.
        resets_in: i64,
    },
    /// The servers are overloaded, as an event.
    Overloaded,
    /// 500.
    ServerError,
    /// 400: the model is not for this plan.
    ModelNotSupported,
    /// `response.failed` with code and message, after what was said.
    Event {
        /// `error.code`.
        code: &'static str,
        /// `error.message`.
        message: &'static str,
    },
    /// The connection breaks after what was said.
    Cut,
    /// The stream ends properly, but without a terminal event.
    EndEarly,
}

/// How an answer ends that does not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `response.completed`.
    Completed,
    /// `response.incomplete`, `max_output_tokens`.
    MaxTokens,
    /// `response.incomplete`, `content_filter`.
    ContentFilter,
}

/// Token counts of an answer; a missing one is estimated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub input: Option<u64>,
    /// Cached ones among them.
    pub cached: u64,
    /// All output tokens, reasoning included.
    pub output: Option<u64>,
    /// Reasoning tokens among them.
    pub reasoning: u64,
}

/// A stop in a script that lasts until the test opens it.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// A shut gate.
    pub fn shut() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Lets everything through that waits, now and later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn wait(&self) {
        let mut receiver = self.0.subscribe();
        let _ = receiver.wait_for(|open| *open).await;
    }
}

/// When to answer, and what.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) id: String,
    pub(crate) when: Vec<Condition>,
    /// `None`: without end.
    pub(crate) uses: Option<u32>,
    pub(crate) say: Vec<Say>,
    pub(crate) fail: Option<Fail>,
    pub(crate) stop: Stop,
    pub(crate) usage: Usage,
    pub(crate) headers: Headers,
    pub(crate) before: Option<Duration>,
    pub(crate) between: Option<Duration>,
    pub(crate) pieces: Option<usize>,
    pub(crate) keep_alive: Option<Duration>,
}

impl Rule {
    /// A rule for any request, used once.
    pub fn any(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            when: Vec::new(),
            uses: Some(1),
            say: Vec::new(),
            fail: None,
            stop: Stop::Completed,
            usage: Usage::default(),
            headers: Headers::default(),
            before: None,
            between: None,
            pieces: None,
            keep_alive: None,
        }
    }

    /// A rule for Claude Code's main loop, used once: side requests (titles, classifiers) do not offer Bash.
    pub fn main(id: &str) -> Self {
        Self::any(id).when_tool("Bash")
    }

    pub(crate) fn matches(&self, view: &View) -> bool {
        self.when.iter().all(|condition| condition.holds(view))
    }

    fn when(mut self, condition: Condition) -> Self {
        self.when.push(condition);
        self
    }

    fn says(mut self, say: Say) -> Self {
        self.say.push(say);
        self
    }
}

/// # When
impl Rule {
    /// The text occurs anywhere.
    pub fn when_text(self, text: &str) -> Self {
        self.when(Condition::AnyText(text.to_owned()))
    }

    /// The text occurs in the system text.
    pub fn when_system(self, text: &str) -> Self {
        self.when(Condition::System(text.to_owned()))
    }

    /// The text does not occur in the system text.
    pub fn unless_system(self, text: &str) -> Self {
        self.when(Condition::NotSystem(text.to_owned()))
    }

    /// The text occurs after the model's last word.
    pub fn when_user(self, text: &str) -> Self {
        self.when(Condition::LastUser(text.to_owned()))
    }

    /// The text occurs in a tool output after the model's last word.
    pub fn when_output(self, text: &str) -> Self {
        self.when(Condition::LastOutput(text.to_owned()))
    }

    /// The text occurs in the first thing the user said.
    pub fn when_first_user(self, text: &str) -> Self {
        self.when(Condition::FirstUser(text.to_owned()))
    }

    /// The text occurs in the model's name.
    pub fn when_model(self, text: &str) -> Self {
        self.when(Condition::Model(text.to_owned()))
    }

    /// This tool is offered.
    pub fn when_tool(self, name: &str) -> Self {
        self.when(Condition::Tool(name.to_owned()))
    }

    /// No tool is offered.
    pub fn when_no_tools(self) -> Self {
        self.when(Condition::NoTools)
    }

    /// This hosted tool is offered.
    pub fn when_hosted_tool(self, kind: &str) -> Self {
        self.when(Condition::HostedTool(kind.to_owned()))
    }

    /// An image came after the model's last word.
    pub fn when_image(self) -> Self {
        self.when(Condition::Image)
    }

    /// A file came after the model's last word.
    pub fn when_document(self) -> Self {
        self.when(Condition::Document)
    }

    /// A JSON schema is asked for.
    pub fn when_format(self) -> Self {
        self.when(Condition::Format)
    }

    /// No tool output came after the model's last word.
    pub fn when_user_speaks(self) -> Self {
        self.when(Condition::UserSpeaks)
    }

    /// Answers so often.
    pub fn times(mut self, uses: u32) -> Self {
        self.uses = Some(uses);
        self
    }

    /// Answers without end.
    pub fn always(mut self) -> Self {
        self.uses = None;
        self
    }
}

/// # What. `{{last_output}}`, `{{last_user}}` and `{{model}}` in text are filled in.
impl Rule {
    /// The model says this.
    pub fn text(self, text: &str) -> Self {
        self.says(Say::Text(text.to_owned()))
    }

    /// The model reasons, and this is the summary.
    pub fn think(self, summary: &str) -> Self {
        self.says(Say::Think(summary.to_owned()))
    }

    /// The model reasons without a summary.
    pub fn think_silently(self) -> Self {
        self.says(Say::HiddenThought)
    }

    /// The model calls a tool. Several in one rule are parallel calls.
    pub fn tool(self, name: &str, input: Value) -> Self {
        self.says(Say::Tool { name: name.to_owned(), input, id: None })
    }

    /// The model calls a tool with this call id.
    pub fn call(self, id: &str, name: &str, input: Value) -> Self {
        self.says(Say::Tool { name: name.to_owned(), input, id: Some(id.to_owned()) })
    }

    /// Silence at this place (before the first item: after `response.created`).
    pub fn pause(self, time: Duration) -> Self {
        self.says(Say::Pause(time))
    }

    /// Silence at this place until the gate opens.
    pub fn hold(self, gate: &Gate) -> Self {
        self.says(Say::Hold(gate.clone()))
    }

    /// This event at this place, as it is.
    pub fn event(self, event: Value) -> Self {
        self.says(Say::Event(event))
    }

    /// These bytes at this place, as they are.
    pub fn bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.says(Say::Bytes(bytes.into()))
    }

    /// Fails, after what is said.
    pub fn fail(mut self, fail: Fail) -> Self {
        self.fail = Some(fail);
        self
    }

    /// Ends in this way.
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Reports these token counts.
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// Adds a header field to the answer.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Waits before the head of the answer.
    pub fn before(mut self, time: Duration) -> Self {
        self.before = Some(time);
        self
    }

    /// Waits between events.
    pub fn between(mut self, time: Duration) -> Self {
        self.between = Some(time);
        self
    }

    /// Sends the stream in pieces of so many bytes, wherever they fall.
    pub fn pieces(mut self, bytes: usize) -> Self {
        self.pieces = Some(bytes.max(1));
        self
    }

    /// Sends a comment this often during pauses.
    pub fn keep_alive(mut self, every: Duration) -> Self {
        self.keep_alive = Some(every);
        self
    }
}

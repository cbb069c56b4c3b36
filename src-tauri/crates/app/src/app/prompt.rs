//! A prompt of the user's own: "say hello", and the test of a model.

use std::time::Instant;

use dragoman_protocol::anthropic::event::Usage;
use dragoman_protocol::sse::Decoder;
use dragoman_proxy::Scenario;
use dragoman_upstream::AccountProblem;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use ts_rs::TS;
use utoipa::ToSchema;

use super::App;
use crate::Error;
use crate::recent::Tokens;

/// What Claude Code asks for most.
const MODEL: &str = "claude-sonnet-5-5";
/// More than a person reads to see that it works.
const LONGEST: u64 = 4096;

/// What to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The question.
    pub text: String,
    /// Which model; without it, what Claude Sonnet stands for.
    pub model: Option<String>,
    /// The only account that may answer: its id, name, address or place in the list.
    pub account: Option<String>,
    /// The model is chosen as for a request of this kind.
    pub scenario: Option<Scenario>,
}

/// What is told while it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum PromptEvent {
    /// It is on its way.
    Asked {
        /// To this model.
        model: String,
    },
    /// A piece of the answer.
    Text {
        /// To be put behind what came before.
        text: String,
    },
    /// The answer is there.
    Done {
        /// From the question to its first word.
        first_text_ms: Option<u64>,
        /// From the question to the end.
        duration_ms: u64,
        /// What it used.
        tokens: Tokens,
    },
    /// There is none.
    Failed {
        /// What happened and what to do.
        message: String,
    },
}

/// As much of Anthropic's events as is looked at.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    ContentBlockDelta {
        delta: Delta,
    },
    MessageDelta {
        usage: Usage,
    },
    MessageStop,
    Error {
        error: Told,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct Told {
    message: String,
}

impl App {
    /// Asks, and tells what comes. The last word is [`PromptEvent::Done`] or [`PromptEvent::Failed`]; dropping the
    /// future ends the request.
    pub async fn prompt(&self, prompt: Prompt, tell: impl Fn(PromptEvent) + Send + Sync) {
        if let Err(error) = self.ask(prompt, &tell).await {
            tell(PromptEvent::Failed { message: error.to_string() });
        }
    }

    async fn ask(&self, prompt: Prompt, tell: &(impl Fn(PromptEvent) + Sync)) -> Result<(), Error> {
        let failed = |words: String| Error::Account(AccountProblem::Failed(words));
        let Prompt { text, model, account, scenario } = prompt;
        let begun = Instant::now();
        let nanoseconds = Timestamp::now().as_nanosecond();
        let session = dragoman_proxy::session_id(&format!("dragoman-prompt-{nanoseconds}"));
        if let Some(account) = account {
            self.inner.client.pin_account(&session, &account).await?;
        }
        let body = json!({
            "model": model.as_deref().unwrap_or(MODEL),
            "max_tokens": LONGEST,
            "stream": true,
            // As the main loop asks; without it, it would be a title's request, which the small model answers.
            "thinking": { "type": "adaptive" },
            "messages": [{ "role": "user", "content": text }],
        });
        let asked = self.inner.proxy.ask(&session, body.to_string(), scenario).await;
        let mut answer = asked.map_err(|failure| failed(dragoman_proxy::in_words(&failure)))?;
        tell(PromptEvent::Asked { model: answer.model.clone() });
        let passed = || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (mut decoder, mut first_text_ms) = (Decoder::default(), None);
        let mut tokens = Tokens::from(Usage::default());
        while let Some(chunk) = answer.next().await {
            decoder.push(&chunk);
            while let Some(frame) = decoder.next_frame() {
                match serde_json::from_str(&frame.data).unwrap_or(Event::Other) {
                    Event::ContentBlockDelta { delta: Delta { text } } if !text.is_empty() => {
                        first_text_ms.get_or_insert_with(passed);
                        tell(PromptEvent::Text { text });
                    }
                    Event::ContentBlockDelta { .. } | Event::Other => {}
                    Event::MessageDelta { usage } => tokens = usage.into(),
                    Event::MessageStop => {
                        tell(PromptEvent::Done { first_text_ms, duration_ms: passed(), tokens });
                        return Ok(());
                    }
                    Event::Error { error } => return Err(failed(error.message)),
                }
            }
        }
        Err(failed("the answer broke off; try again".to_owned()))
    }
}

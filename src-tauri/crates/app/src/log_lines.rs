//! The newest lines of the log, in memory: what the admin API shows of it. The same events as in the file, by the same
//! rule of what is logged at all; bounded in number and length.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::newest::{Follower, Newest};

/// So many lines are kept.
const LINES: usize = 2000;
/// So long is one at most, in bytes.
const LENGTH: usize = 2000;
/// So many wait for a slow reader; of more, the oldest are lost to it.
const WAITING: usize = 512;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct LogLine {
    /// Counted from the program's start.
    pub number: u64,
    /// When, unix milliseconds.
    pub at: i64,
    /// How important.
    pub level: LogLevel,
    /// Which part of the program says it.
    pub target: String,
    /// The message and its fields.
    pub text: String,
}

/// How important a line is, the most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// One line per request and change of state.
    Info,
    /// Every step.
    Debug,
    /// Everything.
    Trace,
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warn,
            Level::INFO => Self::Info,
            Level::DEBUG => Self::Debug,
            Level::TRACE => Self::Trace,
        }
    }
}

/// The newest lines. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct LogLines(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    last: u64,
    lines: Newest<LogLine>,
}

impl Default for LogLines {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Kept { last: 0, lines: Newest::new(LINES, WAITING) })))
    }
}

impl LogLines {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are kept, oldest first.
    pub(crate) fn all(&self) -> Vec<LogLine> {
        self.kept().lines.iter().cloned().collect()
    }

    /// Those that are kept, and every later one exactly once. Those that come too fast are left out; their numbers are
    /// missing.
    pub(crate) fn follow(&self) -> (Vec<LogLine>, Follower<LogLine>) {
        let kept = self.kept();
        (kept.lines.iter().cloned().collect(), kept.lines.follow())
    }

    fn add(&self, level: LogLevel, target: &str, text: String) {
        let mut kept = self.kept();
        kept.last += 1;
        let at = Timestamp::now().as_millisecond();
        let line = LogLine { number: kept.last, at, level, target: target.to_owned(), text };
        kept.lines.push(line);
    }
}

impl<S: Subscriber> Layer<S> for LogLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let mut words = text.message + &text.fields;
        if words.len() > LENGTH {
            let end = (0..=LENGTH).rev().find(|at| words.is_char_boundary(*at)).unwrap_or_default();
            words.truncate(end);
            words.push('…');
        }
        let metadata = event.metadata();
        self.add((*metadata.level()).into(), metadata.target(), words);
    }
}

/// `message key=value key=value`
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value}"),
            name => write!(self.fields, " {name}={value}"),
        };
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn lines_hold_message_and_fields_and_are_bounded() {
        let lines = LogLines::default();
        let subscriber = tracing_subscriber::registry().with(lines.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(model = "m", status = 200, "request finished");
            tracing::warn!("{}", "ä".repeat(LENGTH));
            for _ in 0..LINES {
                tracing::debug!("more");
            }
        });
        let all = lines.all();
        assert_eq!((all.len(), all[0].number), (LINES, 3), "the oldest go");
        let (lines, before) = (LogLines::default(), LogLines::default());
        let subscriber = tracing_subscriber::registry().with(lines.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(model = "m", status = 200, "request finished");
            tracing::warn!("{}", "ä".repeat(LENGTH));
        });
        let all = lines.all();
        assert_eq!(
            (all[0].level, all[0].text.as_str()),
            (LogLevel::Info, "request finished model=\"m\" status=200")
        );
        assert!(all[1].text.len() <= LENGTH + '…'.len_utf8() && all[1].text.ends_with('…'));
        assert!(before.all().is_empty());
    }

    #[tokio::test]
    async fn a_follower_gets_each_line_once() {
        let lines = LogLines::default();
        lines.add(LogLevel::Info, "t", "one".to_owned());
        let (there, mut follower) = lines.follow();
        lines.add(LogLevel::Info, "t", "two".to_owned());
        assert_eq!(there.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["one"]);
        assert_eq!(follower.next().await.map(|line| line.text), Some("two".to_owned()));
    }
}

//! Remembers the arguments of calls as the model wrote them (DECISIONS 12). In memory only, bounded in size and time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dragoman_protocol::anthropic::block::Block;
use dragoman_protocol::anthropic::request::{Content, MessagesRequest};
use dragoman_protocol::translate::Originals;
use tokio::time::Instant;

/// All arguments together, in bytes.
const ROOM: usize = 32 << 20;
/// A conversation that rested longer has lost its cached prefix anyway.
const KEEP: Duration = Duration::from_secs(6 * 3600);

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    calls: HashMap<String, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    arguments: Arc<str>,
    used: Instant,
}

impl Remembered {
    /// Keeps the calls of an answer.
    pub(crate) fn keep(&self, calls: Vec<(String, String)>) {
        if calls.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, arguments) in calls {
            inner.bytes += id.len() + arguments.len();
            let replaced = inner.calls.insert(id.clone(), Entry { arguments: arguments.into(), used: now });
            inner.bytes -= replaced.map_or(0, |old| id.len() + old.arguments.len());
        }
        inner.make_room(now);
    }

    /// What is known of the calls in a request.
    pub(crate) fn of(&self, request: &MessagesRequest<'_>) -> Originals {
        let now = Instant::now();
        let mut known = Originals::new();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.calls.is_empty() {
            return known;
        }
        for message in &request.messages {
            let Content::Blocks(blocks) = &message.content else { continue };
            for block in blocks {
                if let Block::ToolUse(call) = block
                    && let Some(entry) = inner.calls.get_mut(call.id.as_ref())
                    && now < entry.used + KEEP
                {
                    entry.used = now;
                    known.insert(call.id.clone().into_owned(), Arc::clone(&entry.arguments));
                }
            }
        }
        known
    }
}

impl Inner {
    /// Drops what is too old, and then the longest unused until the rest fits.
    fn make_room(&mut self, now: Instant) {
        if self.bytes <= ROOM {
            return;
        }
        self.calls.retain(|_, entry| now < entry.used + KEEP);
        let mut by_age: Vec<(Instant, String)> =
            self.calls.iter().map(|(id, entry)| (entry.used, id.clone())).collect();
        by_age.sort_unstable();
        self.bytes = self.calls.iter().map(|(id, entry)| id.len() + entry.arguments.len()).sum();
        for (_, id) in by_age {
            // Some air, so that the next call does not sort again.
            if self.bytes <= ROOM / 4 * 3 {
                break;
            }
            if let Some(entry) = self.calls.remove(&id) {
                self.bytes -= id.len() + entry.arguments.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: &str) -> String {
        format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","content":[{{"type":"tool_use","id":"{id}","name":"T","input":{{}}}}]}}]}}"#
        )
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_remembered_for_hours_and_within_bounds() {
        let remembered = Remembered::default();
        let known = |id: &str| remembered.of(&MessagesRequest::parse(&request(id)).unwrap()).len();
        remembered.keep(vec![("a".into(), "{}".into())]);
        assert_eq!((known("a"), known("b")), (1, 0));
        tokio::time::advance(KEEP).await;
        assert_eq!(known("a"), 0);
        for n in 0..40 {
            tokio::time::advance(Duration::from_secs(1)).await;
            remembered.keep(vec![(n.to_string(), "x".repeat(1 << 20))]);
        }
        assert_eq!((known("0"), known("39")), (0, 1));
        assert!(remembered.inner.lock().unwrap().bytes <= ROOM);
    }
}

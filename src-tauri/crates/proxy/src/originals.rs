//! Remembers the arguments of calls as the model wrote them (DECISIONS 12).

use std::sync::{Arc, Mutex, PoisonError};

use dragoman_protocol::anthropic::block::Block;
use dragoman_protocol::anthropic::request::{Content, MessagesRequest};
use dragoman_protocol::translate::Originals;

use crate::shelf::Shelf;

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    calls: Mutex<Shelf<Arc<str>>>,
}

impl Remembered {
    /// Keeps the calls of an answer.
    pub(crate) fn keep(&self, calls: Vec<(String, String)>) {
        if calls.is_empty() {
            return;
        }
        let mut shelf = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, arguments) in calls {
            let bytes = arguments.len();
            shelf.put(id, arguments.into(), bytes);
        }
    }

    /// What is known of the calls in a request.
    pub(crate) fn of(&self, request: &MessagesRequest<'_>) -> Originals {
        let mut known = Originals::new();
        let mut shelf = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.is_empty() {
            return known;
        }
        for message in &request.messages {
            let Content::Blocks(blocks) = &message.content else { continue };
            for block in blocks {
                if let Block::ToolUse(call) = block
                    && let Some(arguments) = shelf.get(&call.id)
                {
                    known.insert(call.id.clone().into_owned(), arguments);
                }
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_calls_of_a_request_are_found() {
        let remembered = Remembered::default();
        remembered.keep(vec![("a".into(), "{ }".into())]);
        let known = |id: &str| {
            let body = format!(
                r#"{{"model":"m","messages":[{{"role":"assistant","content":[{{"type":"tool_use","id":"{id}","name":"T","input":{{}}}}]}}]}}"#
            );
            remembered.of(&MessagesRequest::parse(&body).unwrap()).get(id).map(ToString::to_string)
        };
        assert_eq!((known("a").as_deref(), known("b")), (Some("{ }"), None));
    }
}

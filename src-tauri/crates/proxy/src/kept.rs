//! What OpenAI's own servers would keep for their clients, and ChatGPT's backend does not: responses that a later request
//! goes on with, items that it names by id, and the reasoning before a chat's calls. Gone with the process: then the client
//! is told to send the conversation itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dragoman_protocol::openai::chat::request::ChatRequest;
use dragoman_protocol::openai::client::{ClientRequest, ItemHead};
use dragoman_protocol::translate::{KnownItems, Thought, Thoughts};
use serde_json::value::RawValue;

use crate::shelf::Shelf;
use crate::threads::Ids;
use crate::voice::Outcome;

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Conversations, by the id of their last response.
    responses: Shelf<Arc<Conversation>>,
    items: Shelf<Box<RawValue>>,
    /// By the id of the call behind them.
    thoughts: Shelf<Arc<[Thought]>>,
}

/// A conversation that a later request may go on with.
#[derive(Debug)]
pub(crate) struct Conversation {
    /// Whose prompt cache knows it.
    pub(crate) ids: Ids,
    pub(crate) items: Vec<Box<RawValue>>,
}

impl Kept {
    /// Keeps what is left of an answer.
    pub(crate) fn keep(&self, outcome: &mut Outcome) {
        let (thoughts, response) = (std::mem::take(&mut outcome.thoughts), outcome.response.take());
        if thoughts.is_empty() && response.is_none() {
            return;
        }
        let mut inner = self.inner();
        for (call, thoughts) in thoughts {
            let bytes = thoughts.iter().map(|thought| thought.text.len() + thought.signature.len()).sum();
            inner.thoughts.put(call, thoughts.into(), bytes);
        }
        if let Some((id, conversation)) = response {
            for item in conversation.items.iter().rev().take(outcome.own_items) {
                if let Some(id) = id_of(item) {
                    inner.items.put(id, item.clone(), item.get().len());
                }
            }
            let bytes = conversation.items.iter().map(|item| item.get().len()).sum();
            inner.responses.put(id, Arc::new(conversation), bytes);
        }
    }

    /// The conversation up to this response.
    pub(crate) fn response(&self, id: &str) -> Option<Arc<Conversation>> {
        self.inner().responses.get(id)
    }

    /// The items that a request names by their ids.
    pub(crate) fn items_of(&self, request: &ClientRequest<'_>) -> KnownItems {
        let references = request.items().iter().filter_map(|item| {
            let head: ItemHead<'_> = serde_json::from_str(item.get()).ok()?;
            (head.kind.as_deref() == Some("item_reference")).then_some(head.id?.into_owned())
        });
        let mut inner = self.inner();
        if inner.items.is_empty() {
            return KnownItems::new();
        }
        references.filter_map(|id| inner.items.get(&id).map(|item| (id, item))).collect()
    }

    /// What was thought before the calls of a chat.
    pub(crate) fn thoughts_of(&self, request: &ChatRequest<'_>) -> Thoughts {
        let mut inner = self.inner();
        if inner.thoughts.is_empty() {
            return Thoughts::new();
        }
        let calls = request.messages.iter().filter_map(|message| message.tool_calls.as_ref()?.first()?.id());
        calls.filter_map(|id| inner.thoughts.get(id).map(|thoughts| (id.to_owned(), thoughts))).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn id_of(item: &RawValue) -> Option<String> {
    let head: ItemHead<'_> = serde_json::from_str(item.get()).ok()?;
    head.id.map(std::borrow::Cow::into_owned)
}

//! Between the two languages: requests one way, events the other. Pure.
//!
//! [`messages_to_responses`] turns a client's request into the backend's; [`ResponsesToMessages`] turns the backend's
//! events into the client's. Chats go by way of Messages; Responses are passed on. [`Notes`] tell what could not be carried over as it was.

mod chat;
mod content;
mod edits;
#[cfg(test)]
mod effort_tests;
mod envelope;
mod notes;
#[cfg(test)]
mod notes_tests;
mod originals;
mod pairs;
mod parameters;
mod parts;
mod passing;
mod request;
mod response;
mod schema;
mod searching;
mod tools;

pub use chat::{
    Chat, ChatAnswer, ChatForm, ChatStream, Thought, Thoughts, chat_to_messages, failure_in_chat,
    notes_in_chat,
};
pub use envelope::{Checksum, Envelope, StaleReasoning};
pub use notes::{Note, Notes, What};
pub use originals::Originals;
pub use passing::{KnownItems, Passage, PassageContext, Passed, Passing, pass_on};
pub use request::{Context, Translated, is_compaction, messages_to_responses};
pub use response::{Answer, Asked, Found, ResponsesToMessages, SearchRules};
pub use schema::Format;
pub use searching::{Searched, search_body, search_function};
pub use tools::{Names, ToolOrder};

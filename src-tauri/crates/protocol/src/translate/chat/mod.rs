//! Chat Completions, by way of Messages: a chat becomes a Messages request, and the events of the Messages answer become
//! chunks or a completion. So there is one path, and what it repairs is repaired here too.
//!
//! [`chat_to_messages`] one way, [`ChatStream`] and [`ChatAnswer`] the other. Not here: Responses (`passing`).

mod answer;
mod places;
mod request;
#[cfg(test)]
mod tests;

pub use answer::{ChatAnswer, ChatStream};
pub use places::{failure_in_chat, notes_in_chat};
pub use request::{Chat, ChatForm, Thought, Thoughts, chat_to_messages};

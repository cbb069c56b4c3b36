//! The wire languages (Anthropic Messages, OpenAI Responses and Chat Completions, SSE) and the translation between them. Pure: no IO, no
//! clock, no randomness, no async.
//!
//! Input: bytes and plain values. Output: bytes, typed events, [`failure::Failure`].

pub mod anthropic {
    //! What Anthropic calls things: Messages requests, content blocks, events.
    pub mod block;
    pub mod event;
    pub mod request;
}
mod body;
pub mod count;
pub mod failure;
pub mod json;
pub mod layout;
pub mod open;
pub mod openai {
    //! What OpenAI calls things: Responses requests, items, events, errors, and chats.
    pub mod chat {
        //! Chat Completions: a client's request, and the answer in chunks or whole.
        pub mod answer;
        pub mod request;
    }
    pub mod client;
    pub mod error;
    pub mod event;
    pub mod item;
    pub mod request;
    pub mod search;
}
pub mod route;
pub mod sse;
pub mod surrogates;
pub mod translate;

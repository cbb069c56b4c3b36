//! The wire languages (Anthropic Messages, OpenAI Responses, SSE) and the translation between them. Pure: no IO, no
//! clock, no randomness, no async.
//!
//! Input: bytes and plain values. Output: bytes, typed events, [`failure::Failure`].

pub mod anthropic {
    //! What Anthropic calls things: Messages requests, content blocks, events.
    pub mod block;
    pub mod event;
    pub mod request;
}
pub mod count;
pub mod failure;
pub mod json;
pub mod layout;
pub mod open;
pub mod openai {
    //! What OpenAI calls things: Responses requests, items, events, errors.
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

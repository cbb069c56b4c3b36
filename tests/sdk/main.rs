//! Anthropic's own SDKs and OpenAI's, Python and JavaScript, against the real `dragoman serve` with the fake backend
//! behind it. A scenario is a function in `scenarios.py` and one of the same name in `scenarios.mjs` (`openai.py` and
//! `openai.mjs` for OpenAI's); here stands what both must print, and what the backend must have seen.
//!
//! The SDKs are installed by `make setup-tests`; a missing one fails the tests, it does not skip them. They run without
//! the caller's environment, with a home of their own.
#![cfg(test)]

mod client;
mod errors;
mod messages;
mod openai;
mod tools;

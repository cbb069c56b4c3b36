//! The real Claude Code, driven through the real `dragoman` binary against the fake backend. Every test looks at both
//! ends: what the user got, and what the model saw.
//!
//! Claude Code is installed by `make setup-tests`; a missing one fails the tests, it does not skip them. It runs
//! without the caller's environment, with a home of its own, and reaches nothing but this machine.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod client;
mod compaction;
mod connect;
mod conversation;
mod endings;
mod failures;
mod models;
mod no_difference;
mod setup;
mod side_requests;
mod terminal;
mod tools;

//! The support kit of the tests that need more than one crate: a fake ChatGPT backend that rejects what the real
//! one is reported to reject, the real `dragoman` binary as a child process, an HTTP client that can be dropped at
//! any byte, fabricated credentials and files.
//!
//! Not here: expectations. They stand in the tests. The kit fails by panicking, with words that name the cause.
#![expect(clippy::expect_used, reason = "a test kit fails by panicking; there is nobody to hand an error to")]

pub mod anthropic;
mod bin;
mod browser;
mod command;
mod credentials;
mod dragoman;
pub mod fake;
pub mod files;
pub mod http;
pub mod sse;
mod tls;

pub use bin::{bin, node, workspace};
pub use browser::{Ports, Visited, visit};
pub use command::{Done, Running};
pub use credentials::{ACCOUNT, Credentials, EMAIL, codex_home, now, own_login, random, uuid};
pub use dragoman::{Dragoman, Launch, TOKEN, files_below, message};
pub use tls::TlsProxy;

/// How long a test waits for what should come at once: on a loaded machine, at once takes a while.
pub const SOON: std::time::Duration = std::time::Duration::from_secs(30);

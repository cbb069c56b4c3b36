//! Everything that talks to a model backend: the client, who we say we are, the model catalog, limits, accounts, token
//! stores, and the built-in demo backend.
//!
//! Input: a [`Turn`], that is a Responses body and where it goes. Output: an [`EventStream`] of raw SSE bytes, or a
//! [`dragoman_protocol::failure::Failure`]. Invariants: only [`Client`] opens connections; whatever can be mended is
//! mended before the first event that commits has been handed out, and nothing is repeated after that; no secret can
//! be printed. Not here: translation (protocol), rendering for a client (proxy), settings files (app).

mod accounts;
mod attempt;
mod catalog;
mod checks;
mod client;
mod codex;
mod config;
mod demo;
mod error;
mod files;
mod http;
mod identity;
mod limits;
mod login;
mod memory;
mod routing;
mod signpost;
mod stream;
#[cfg(test)]
mod testing;
mod usage;

pub use accounts::{
    AccountId, AccountKind, AccountProblem, AccountState, AccountView, AccountsView, KeyringTrouble, Rest,
    Secret,
};
pub use attempt::{AccountTag, Attempt, Lane, Turn};
pub use catalog::{Catalog, Model, Source};
pub use client::Client;
pub use config::{BackendKind, Compression, Config, Strategy, TokenStoreKind};
pub use error::Error;
pub use http::{Web, install_crypto};
pub use limits::{Credits, LimitWindow, Limits, ReachedLimit, Readings, Spending};
pub use login::{
    Login, LoginError, LoginStep, NotAccepted, Off, Progress, Revoked, SignedIn, SignedOut, Step, Way,
    open_in_browser,
};
pub use stream::EventStream;

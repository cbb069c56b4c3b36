//! The facade [`App`]: every verb a user sees, settings, the listener's life. The shells (cli, desktop) use this crate
//! and nothing below it.
//!
//! Input: settings, variables, flags, clicks. Output: a listening proxy and a [`Snapshot`] of everything there is to
//! show. Invariants: one writer of the settings; every task is owned and joined; secrets can't be printed; all paths
//! and variables are named in [`paths`]. Not here: clap, tauri, and what a request goes through (proxy).

mod admin;
mod app;
mod called;
mod case;
mod claude_code;
mod doctor;
mod environment;
mod error;
mod history;
mod licences;
mod log_lines;
mod logging;
mod models;
mod newest;
mod notices;
mod pace;
pub mod paths;
mod recent;
mod recipes;
mod running;
pub mod settings;
mod shells;
mod snapshot;
pub mod token;
mod tray;
mod updates;

pub use admin::{Answer, Call, Door, Reply, link};
pub use app::{
    App, Exported, LoginKind, LoginRun, McpReport, Options, Paste, Prompt, PromptEvent, STREAMS, Tested,
    running,
};
pub use called::called;
pub use case::NotACase;
pub use claude_code::{
    Change, Conflict, Connect, Refused, Report as SetUpReport, Scope, Standing, Status as SetUpStatus, Weight,
};
pub use doctor::{Check, Outcome};
pub use dragoman_mcp::{State as McpState, View as McpServer};
pub use dragoman_protocol::route::{Dialect, Effort, Pool};
pub use dragoman_proxy::{Decider, Decision, Scenario};
pub use dragoman_upstream::open_in_browser;
pub use dragoman_upstream::{
    AccountId, AccountKind, AccountProblem, AccountState, AccountView, AccountsView, BackendKind, Credits,
    LimitWindow, Limits, ReachedLimit, Rest, Source as CatalogSource, Spending, install_crypto,
};
pub use dragoman_upstream::{LoginError, LoginStep, NotAccepted, Revoked, Secret, SignedIn, SignedOut, Way};
pub use error::Error;
pub use history::{By, Every, LimitPoint, Removed, Totals, UsagePoint, UsageQuery};
pub use log_lines::{LogLevel, LogLine};
pub use models::{Listed, Mapped, Models};
pub use notices::{Named, Notice, Notices};
pub use recent::{Exchange, Ongoing, Tokens};
pub use recipes::{RECIPES, Readiness, Recipe};
pub use running::{Found, Health, Running, Window};
pub use shells::Shell;
pub use snapshot::{Activity, Server, Snapshot};
pub use tray::TrayState;
pub use updates::{NoUpdate, Update, UpdateWish, UpdateWishes};

/// Variables that would lead Claude Code elsewhere, or make it ask.
pub const INTERFERING: [&str; 3] =
    [paths::claude_code::API_KEY, paths::claude_code::USE_BEDROCK, paths::claude_code::USE_VERTEX];

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

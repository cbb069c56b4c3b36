//! The client-facing HTTP API: Claude Code's Messages API and two of OpenAI's, answered by a model backend.
//!
//! Input: HTTP requests on loopback. Output: answers in the client's own API, streamed as they come. Invariants: nothing is forwarded
//! before token and host are checked; time and IO meet the translating machine in [`relay`] only; dropping an answer
//! closes its upstream connection. Not here: settings files, accounts, how the backend is called (upstream).

mod activity;
mod body;
mod chat;
mod config;
mod count;
mod door;
mod error;
mod extra;
mod guard;
mod kept;
mod messages;
mod models;
mod now;
mod originals;
mod probe;
mod quota;
mod record;
mod relay;
mod reminders;
mod responses;
mod routes;
mod search;
mod server;
mod shelf;
mod threads;
mod voice;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, head, post};
use dragoman_upstream::Client;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;

pub use activity::{Activity, Finished, Ongoing, Witness};
pub use config::{ClientToken, Config};
pub use door::Door;
pub use error::Error;
pub use extra::ExtraTool;
pub use guard::is_ours;
pub use now::in_words;
pub use probe::{Answering, Probe};
pub use record::{Fill, Recorder, Recording, Said};
pub use routes::{
    BadTarget, CodexDefaults, Context, Decider, Decision, Facts, Family, Mode, Passed, Routed, Rules,
    Scenario, Target, Tier, gateway_id,
};
pub use server::{Server, listen};
pub use threads::session_id;

/// The proxy: everything that requests share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Proxy {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    config: watch::Receiver<Arc<Config>>,
    threads: threads::Threads,
    originals: originals::Remembered,
    kept: kept::Kept,
    counting: count::Counting,
    activity: activity::Ledger,
    recorder: Recorder,
}

impl Proxy {
    /// A proxy that calls `client` and obeys the newest `config`; `witness` is told of every request that ends.
    pub fn new(client: Client, config: watch::Receiver<Arc<Config>>, witness: Witness) -> Self {
        Self {
            inner: Arc::new(Inner {
                client,
                config,
                threads: threads::Threads::default(),
                originals: originals::Remembered::default(),
                kept: kept::Kept::default(),
                counting: count::Counting::default(),
                activity: activity::Ledger::new(witness),
                recorder: Recorder::default(),
            }),
        }
    }

    /// What is going on, and its changes.
    pub fn activity(&self) -> watch::Receiver<Activity> {
        self.inner.activity.watch()
    }

    /// What is said on both sides, while it is switched on.
    pub fn recorder(&self) -> &Recorder {
        &self.inner.recorder
    }

    /// The routes. A base URL that was configured with `/v1` at its end works too (M16).
    pub fn router(&self) -> Router {
        let api = Router::new()
            .route("/messages", post(messages::messages))
            .route("/messages/count_tokens", post(count::count_tokens))
            .route("/responses", post(responses::responses))
            .route("/chat/completions", post(chat::chat))
            .route("/models", get(models::models))
            .route("/models/{id}", get(models::model))
            .route_layer(axum::middleware::from_fn_with_state(self.clone(), guard::token));
        let usage = Router::new()
            .route("/api/oauth/usage", get(quota::usage))
            .route_layer(axum::middleware::from_fn_with_state(self.clone(), guard::token));
        Router::new()
            .nest("/v1", api.clone())
            .nest("/v1/v1", api)
            .merge(usage)
            .route("/", head(models::hello))
            .route("/api/hello", get(models::hello))
            .route("/health", get(models::health))
            .fallback(guard::no_such_path)
            .method_not_allowed_fallback(guard::method_not_allowed)
            .layer(axum::middleware::from_fn_with_state(self.clone(), guard::host))
            .layer(CatchPanicLayer::custom(guard::panicked))
            .with_state(self.clone())
    }

    fn config(&self) -> Arc<Config> {
        self.inner.config.borrow().clone()
    }
}

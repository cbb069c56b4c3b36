//! The door: everything that the other rooms may ask of a backend.

use std::sync::Arc;

use dragoman_protocol::failure::Failure;
use dragoman_protocol::route::Dialect;
use tokio::sync::watch;

use crate::accounts::{AccountKind, AccountState, AccountView};
use crate::attempt::{AccountTag, Attempt, Turn};
use crate::catalog::{Catalog, Source};
use crate::config::Config;
use crate::error::Error;
use crate::limits::Limits;
use crate::stream::EventStream;

/// The client of the model backend. Cheap to clone; built once and passed down.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    catalog: watch::Sender<Arc<Catalog>>,
    limits: watch::Sender<Limits>,
}

impl Client {
    /// Reads what is on the disk; no network.
    pub async fn start(_config: Config) -> Result<Self, Error> {
        crate::http::install_crypto();
        let catalog = Arc::new(Catalog { models: Vec::new(), etag: None, source: Source::Bundled });
        Ok(Self {
            inner: Arc::new(Inner { catalog: watch::Sender::new(catalog), limits: watch::Sender::default() }),
        })
    }

    /// The catalog: from memory, else the disk, else the bundled one. Never waits.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.inner.catalog.borrow().clone()
    }

    /// The catalog and its changes.
    pub fn catalog_updates(&self) -> watch::Receiver<Arc<Catalog>> {
        self.inner.catalog.subscribe()
    }

    /// What may be shown of the account, as last read.
    pub fn account(&self) -> AccountView {
        AccountView { label: None, plan: None, kind: AccountKind::Demo, state: AccountState::Ready }
    }

    /// Reads the login again, without network, and tells what may be shown of it.
    pub async fn check_account(&self) -> AccountView {
        self.account()
    }

    /// The limits and their changes.
    pub fn limits(&self) -> watch::Receiver<Limits> {
        self.inner.limits.subscribe()
    }

    /// How a request for this model should first be tried.
    pub async fn plan(&self, _model: &str, dialect: Dialect) -> Result<Attempt, Failure> {
        Ok(Attempt { account: AccountTag::demo(), dialect, reasoning: true, instructions: false })
    }

    /// Sends the turn. Resolves when the first event that commits has arrived (DECISIONS 1).
    pub async fn stream(&self, turn: Turn) -> Result<EventStream, Failure> {
        Ok(EventStream { attempt: turn.attempt })
    }

    /// Ends all tasks and joins them.
    pub async fn shutdown(&self) {}
}

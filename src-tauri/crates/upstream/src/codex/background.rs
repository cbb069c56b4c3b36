//! What the client does beside its requests, and nobody waits for: looking for an installed Codex CLI, fetching the
//! catalog. Not here: keeping the catalog (`catalog.rs`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use dragoman_protocol::failure::Failure;
use http::header;
use jiff::Timestamp;
use tokio::time::timeout;

use super::Codex;
use crate::accounts::AccountKind;
use crate::catalog;
use crate::config::Config;
use crate::error::Error;
use crate::http::join;
use crate::identity::{Call, Endpoint};
use crate::signpost::Places;

impl Codex {
    /// Starts what a first request needs and nobody waits for.
    pub(super) fn look_around(self: &Arc<Self>) {
        if !self.looked_for_cli.swap(true, Ordering::Relaxed) {
            let identity = Arc::clone(&self.identity);
            self.spawn(async move { identity.look_for_installed().await });
        }
        self.look_after_catalog();
    }

    /// Asks for the catalog if it is not fresh.
    pub(crate) fn look_after_catalog(self: &Arc<Self>) {
        if self.catalogs.claim() {
            let this = Arc::clone(self);
            self.spawn(async move { this.fetch_catalog().await });
        }
    }

    /// From the next request on: other addresses, another version that requests name. Another backend has another
    /// catalog; until it is there, the one from before counts.
    pub(crate) fn follow(self: &Arc<Self>, config: &Config) -> Result<(), Error> {
        let (places, before) = (Places::of(config)?, self.signpost.now());
        self.identity.present(&config.codex_version);
        self.accounts.set_strategy(config.strategy);
        if *before != places {
            let moves = (&before.base, &before.api) != (&places.base, &places.api);
            self.signpost.turn(places);
            if moves {
                self.catalogs.outdated();
                self.look_after_catalog();
            }
        }
        Ok(())
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn_on(
            async move {
                stop.run_until_cancelled_owned(work).await;
            },
            &self.runtime,
        );
    }

    async fn fetch_catalog(self: Arc<Self>) {
        let places = self.signpost.now();
        let answer = timeout(Duration::from_secs(30), self.ask_catalog(&places)).await;
        let answer = match answer {
            // What somebody says who is not asked any more counts for nothing.
            Ok(Ok(answer)) => (self.signpost.now().base == places.base).then_some(answer),
            Ok(Err(why)) => {
                tracing::debug!(why, "the catalog cannot be fetched, keeping the one there is");
                None
            }
            Err(_) => None,
        };
        let now = Timestamp::now().as_second();
        let catalogs = Arc::clone(&self.catalogs);
        let write = move || {
            let answer = answer.as_ref().map(|(etag, body)| (etag.clone(), &body[..]));
            catalogs.answered(answer, places.base.as_str(), now);
        };
        let _ = tokio::task::spawn_blocking(write).await;
    }

    async fn ask_catalog(&self, places: &Places) -> Result<(Option<String>, Bytes), String> {
        let words = |failure: Failure| failure.to_string();
        let account = self.accounts.for_catalog().await.map_err(words)?;
        let credential = account.usable().await.map_err(words)?;
        let is_key = account.kind == AccountKind::ApiKey;
        let (endpoint, url) = if is_key {
            (Endpoint::ApiModels, join(&places.api, "/models"))
        } else {
            let mut url = join(&places.base, "/codex/models");
            url.query_pairs_mut().append_pair("client_version", &self.identity.version());
            (Endpoint::Models, url)
        };
        let headers =
            self.identity.headers(endpoint, &Call { credential: Some(&credential), ..Call::default() });
        let words = |error: reqwest::Error| error.without_url().to_string();
        let response =
            self.http.client(&url).get(url.clone()).headers(headers).send().await.map_err(words)?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status().as_u16()));
        }
        let etag =
            response.headers().get(header::ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.bytes().await.map_err(words)?;
        if is_key {
            let offered = catalog::offered(&body).ok_or("it names no model that Dragoman knows")?;
            return Ok((None, offered.into()));
        }
        Ok((etag, body))
    }
}

//! Where requests go: what the user may change while the program runs. Every request looks here anew. Not here: what
//! stays as it is until the end (files and stores, [`Config`]).

use std::sync::{Arc, PoisonError, RwLock};

use reqwest::Url;

use crate::config::{Compression, Config};
use crate::error::Error;
use crate::http::base_url;

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// The ChatGPT backend.
    pub(crate) base: Url,
    /// May an account's workspace have an origin of its own? Not with a base URL of the user's (DECISIONS 14).
    pub(crate) may_move: bool,
    /// The OpenAI API, for accounts that are a key.
    pub(crate) api: Url,
    /// Who signs people in and renews logins.
    pub(crate) issuer: Url,
    /// Whether bodies go there compressed.
    pub(crate) compression: Compression,
}

impl Places {
    pub(crate) fn of(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            base: base_url(&config.chatgpt_url)?,
            may_move: config.chatgpt_url_is_default,
            api: base_url(&config.api_url)?,
            issuer: base_url(&config.issuer_url)?,
            compression: config.compression,
        })
    }
}

/// Shows the places of now to all parts of the client.
#[derive(Debug, Clone)]
pub(crate) struct Signpost(Arc<RwLock<Arc<Places>>>);

impl Signpost {
    pub(crate) fn new(places: Places) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(places))))
    }

    /// For the request that is about to be made.
    pub(crate) fn now(&self) -> Arc<Places> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From the next request on.
    pub(crate) fn turn(&self, places: Places) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(places);
    }
}

#[cfg(test)]
impl Signpost {
    /// Everybody is at this address.
    pub(crate) fn all_at(url: &str) -> Self {
        let at = || base_url(url).unwrap();
        let compression = Compression::Auto;
        Self::new(Places { base: at(), may_move: false, api: at(), issuer: at(), compression })
    }

    /// The same for the ChatGPT backend, which may have further origins.
    pub(crate) fn moving(url: &str) -> Self {
        let fixed = Self::all_at(url);
        Self::new(Places { may_move: true, ..Places::clone(&fixed.now()) })
    }
}

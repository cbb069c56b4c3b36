//! Searches that the model asks for and the search endpoint makes: between two requests to the model, within one answer
//! (DECISIONS 15).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dragoman_protocol::failure::Failure;
use dragoman_protocol::translate::{Asked, Found, Searched, search_body};
use dragoman_upstream::{Attempt, Client, Lane, Turn};

use crate::messages::{Head, Source};

/// All that the searches of one answer need.
#[derive(Debug, Clone)]
pub(crate) struct Searches {
    client: Client,
    head: Head,
    source: Arc<Source>,
}

/// Searches under way.
pub(crate) type Searching = Pin<Box<dyn Future<Output = Vec<Found>> + Send>>;

impl Searches {
    pub(crate) fn new(client: Client, head: Head, source: Arc<Source>) -> Self {
        Self { client, head, source }
    }

    /// Makes them, one after the other: in the order in which the model will read the answers.
    pub(crate) fn make(&self, asked: Vec<Asked>) -> Searching {
        let this = self.clone();
        Box::pin(async move {
            let mut found = Vec::with_capacity(asked.len());
            for Asked { query, .. } in asked {
                found.push(this.search(&query).await);
            }
            found
        })
    }

    async fn search(&self, query: &str) -> Found {
        if query.trim().is_empty() {
            return Found::Failed("the query is empty.".to_owned());
        }
        let Head { session, model, pool, .. } = &self.head;
        let lane = Lane { session, pool: *pool };
        let answer = match self.source.read(|request| search_body(request, session, model, query)) {
            Ok(body) => self.client.search(lane, body).await,
            Err(failure) => Err(failure),
        };
        match answer {
            Ok(answer) => Found::Answer(answer),
            Err(Failure::RateLimited { .. } | Failure::AccountLimit { .. } | Failure::Overloaded { .. }) => {
                Found::Busy
            }
            Err(failure) => {
                tracing::info!(kind = failure.anthropic_kind().1, "a web search failed");
                Found::Failed(failure.to_string())
            }
        }
    }

    /// The next request to the model, as the last one was made.
    pub(crate) fn next(&self, attempt: Attempt, searched: Searched) -> Result<Turn, Failure> {
        let body = self.source.translate(&attempt, Some(&searched))?;
        Ok(self.head.clone().turn(true, attempt, body, Arc::clone(&self.source), searched))
    }
}

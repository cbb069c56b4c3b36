//! The search endpoint (`upstream.md` §d.4): one question, one JSON answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_protocol::failure::Failure;
use dragoman_protocol::openai::search::SearchAnswer;
use tokio::time::{sleep, timeout};

use super::answer::failure_of;
use super::{Codex, Refusal, Tried, kind, pause};
use crate::accounts::{AccountKind, Choice, Credential};
use crate::attempt::Lane;
use crate::http::{join, unreachable};
use crate::identity::{Call, Endpoint};

/// From the question to the whole answer: somebody waits for it.
const WITHIN: Duration = Duration::from_secs(60);

impl Codex {
    /// Asks. Tries again as for the model itself: one renewal of the login, two repetitions, one wait.
    pub(crate) async fn search(
        self: &Arc<Self>,
        lane: Lane<'_>,
        body: Bytes,
    ) -> Result<SearchAnswer, Failure> {
        let mut tried = Tried::default();
        // The account that the session's requests to the model go to.
        let account = match self.accounts.choose(lane, &[]).await? {
            Choice::Use(account) => account,
            // A limit of the model's is not one of the search endpoint's: it says so itself if it is.
            Choice::AllRest(resting) => match resting.into_iter().next() {
                Some(account) => account,
                None => return Err(self.accounts.nobody(lane.pool).await),
            },
            Choice::Nobody => return Err(self.accounts.nobody(lane.pool).await),
        };
        loop {
            let credential = account.usable().await?;
            if credential.kind == AccountKind::ApiKey {
                // The endpoint is ChatGPT's: a key of the API is none of its business. The API's models search themselves.
                return Err(Failure::Rejected {
                    message: "an API key has no search endpoint; sign in with ChatGPT to search".to_owned(),
                    code: None,
                });
            }
            let asked = timeout(WITHIN, self.search_once(&body, &credential)).await;
            let failure = match asked {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(Refusal::Unauthorized)) => match self.recover(&account, &credential, &mut tried).await
                {
                    Ok(()) => continue,
                    Err(failure) => failure,
                },
                Ok(Err(Refusal::Failure(failure) | Refusal::Compression(failure))) => failure,
                Err(_) => Failure::Stalled { seconds: WITHIN.as_secs() },
            };
            let Some(wait) = pause(&failure, &mut tried) else { return Err(failure) };
            tracing::debug!(kind = kind(&failure), wait_ms = wait.as_millis() as u64, "searching again");
            sleep(wait).await;
        }
    }

    async fn search_once(&self, body: &Bytes, credential: &Credential) -> Result<SearchAnswer, Refusal> {
        let origin = self.routing.origin(&self.http, &self.identity, credential).await;
        let url = join(&origin.base, "/codex/alpha/search");
        let call = Call {
            credential: Some(credential),
            routing_override: origin.routing_override.as_deref(),
            ..Call::default()
        };
        let headers = self.identity.headers(Endpoint::Search, &call);
        let request = self.http.client(&url).post(url.clone()).headers(headers).body(body.clone());
        let response = request.send().await.map_err(|error| unreachable(&error, &url))?;
        let status = response.status().as_u16();
        tracing::debug!(status, "the search endpoint answered");
        match status {
            200 => {
                let body = response.bytes().await.map_err(|_| Failure::Truncated)?;
                let answer = serde_json::from_slice(&body).map_err(|_| Failure::Upstream {
                    status: 502,
                    message: "the search endpoint answered in a form that can't be read".to_owned(),
                })?;
                Ok(answer)
            }
            401 => Err(Refusal::Unauthorized),
            _ => Err(failure_of(response).await.into()),
        }
    }
}

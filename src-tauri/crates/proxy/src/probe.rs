//! Requests of our own through the whole path: a tiny one to see whether an account answers, and a prompt of the
//! user's.

use std::time::{Duration, Instant};

use axum::body::BodyDataStream;
use bytes::Bytes;
use dragoman_protocol::failure::Failure;
use futures_util::StreamExt as _;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt as _;
use serde::Deserialize;

use crate::Proxy;
use crate::error::request_id;
use crate::messages::{Exchange, Incoming};
use crate::relay;
use crate::routes::Scenario;

/// What Claude Code's smallest model would be asked.
const BODY: &str = r#"{"model":"claude-haiku-4-5","max_tokens":64,
    "messages":[{"role":"user","content":"Answer with the one word: ready"}]}"#;

/// An account answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The model that was asked.
    pub model: String,
    /// What it said.
    pub text: String,
    /// From the question to the whole answer.
    pub took: Duration,
}

#[derive(Deserialize)]
struct Answer {
    content: Vec<Block>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(default)]
    text: String,
}

impl Proxy {
    /// Asks for one word in this session, which the caller has pinned to an account.
    pub async fn probe(&self, session: &str) -> Result<Probe, Failure> {
        let started = Instant::now();
        let exchange = self.prepare(session, Bytes::from_static(BODY.as_bytes()), None).await?;
        let model = exchange.turn.model.clone();
        let response = relay::fold(exchange).await?;
        let broken = |error: &dyn std::fmt::Display| Failure::Internal {
            message: format!("the answer to the test can't be read: {error}"),
        };
        let body = response.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| broken(&error))?;
        let text = answer.content.into_iter().map(|block| block.text).collect::<String>();
        Ok(Probe { model, text, took: started.elapsed() })
    }

    /// Asks what this Messages request with `stream: true` asks, in this session; with a scenario the model is chosen as
    /// for a request of that kind.
    pub async fn ask(
        &self,
        session: &str,
        body: String,
        scenario: Option<Scenario>,
    ) -> Result<Answering, Failure> {
        let exchange = self.prepare(session, Bytes::from(body), scenario).await?;
        let model = exchange.turn.model.clone();
        let response = relay::stream(exchange).await?;
        Ok(Answering { model, body: response.into_body().into_data_stream() })
    }

    async fn prepare(
        &self,
        session: &str,
        body: Bytes,
        scenario: Option<Scenario>,
    ) -> Result<Exchange, Failure> {
        let mut headers = HeaderMap::new();
        let session = HeaderValue::from_str(session)
            .map_err(|_| Failure::Internal { message: "a session id is no header value".to_owned() })?;
        headers.insert(HeaderName::from_static("x-claude-code-session-id"), session);
        headers.insert(USER_AGENT, HeaderValue::from_static("dragoman"));
        let id = request_id();
        let incoming = Incoming { scenario, ..Incoming::messages(&headers, body, &id) };
        Exchange::prepare(self, &self.config(), incoming).await
    }
}

/// An answer on its way. Dropping it ends the request.
#[derive(Debug)]
pub struct Answering {
    /// The model that was asked.
    pub model: String,
    body: BodyDataStream,
}

impl Answering {
    /// The next bytes of Anthropic's event stream; `None` at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        // The body of a relay does not fail: what goes wrong is an event in it.
        self.body.next().await?.ok()
    }
}

//! The way in for the window: the same routes, called in the process, so that it needs no open port and no token.

use std::fmt;

use axum::body::Body;
use bytes::Bytes;
use dragoman_protocol::sse::Decoder;
use futures_util::Stream;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;

use super::answer::{method_not_allowed, no_such_path, panicked};
use super::router;
use crate::App;

/// A call.
#[derive(Debug, Clone, Deserialize)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// With query, such as `/admin/usage?days=7`.
    pub path: String,
    /// JSON, if the verb wants a body.
    pub body: Option<String>,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// As over HTTP.
    pub status: u16,
    /// JSON; empty with status 204.
    pub body: String,
}

/// What came of a call.
pub enum Reply {
    /// It is all there.
    Whole(Answer),
    /// JSON values as they come. Dropping it ends what makes them.
    Stream(BoxStream<'static, String>),
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(answer) => answer.fmt(f),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// Calls the routes.
#[derive(Debug, Clone)]
pub struct Door {
    router: axum::Router,
}

impl App {
    /// A way to the admin API without a listener.
    pub fn door(&self) -> Door {
        let router = router(self).fallback(no_such_path).method_not_allowed_fallback(method_not_allowed);
        Door { router: router.layer(CatchPanicLayer::custom(panicked)) }
    }
}

impl Door {
    /// Calls a verb.
    pub async fn call(&self, call: Call) -> Reply {
        let request = Request::builder().method(call.method.as_str()).uri(call.path.as_str());
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let Ok(request) = request.body(Body::from(call.body.unwrap_or_default())) else {
            return Reply::Whole(Answer { status: 400, body: String::new() });
        };
        let Ok(response) = self.router.clone().oneshot(request).await;
        let status = response.status().as_u16();
        let is_stream = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let body = response.into_body();
        if is_stream {
            return Reply::Stream(values(body).boxed());
        }
        // A body of ours does not fail half-way.
        let bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Reply::Whole(Answer { status, body: String::from_utf8_lossy(&bytes).into_owned() })
    }
}

/// The values in the `data:` of each event.
fn values(body: Body) -> impl Stream<Item = String> + Send {
    let chunks = body.into_data_stream().filter_map(|chunk| std::future::ready(chunk.ok()));
    let state = (Box::pin(chunks), Decoder::default());
    let pieces = stream::unfold(state, |(mut chunks, mut decoder)| async move {
        let chunk: Bytes = chunks.next().await?;
        decoder.push(&chunk);
        let mut values = Vec::new();
        while let Some(frame) = decoder.next_frame() {
            values.push(frame.data.into_owned());
        }
        Some((stream::iter(values), (chunks, decoder)))
    });
    pieces.flatten().filter(|value| std::future::ready(!value.is_empty()))
}

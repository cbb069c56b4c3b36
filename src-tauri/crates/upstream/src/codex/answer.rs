//! What an answer of the backend is, before any event of it is read: a stream, or which failure.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dragoman_protocol::failure::Failure;
use dragoman_protocol::openai::error::{Circumstances, blocked, from_response};
use http::{HeaderMap, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::timeout;

use crate::stream::IDLE_LIMIT;

/// An error's body is read up to this size, and for this long.
const ERROR_BODY: usize = 64 << 10;
const ERROR_BODY_LIMIT: Duration = Duration::from_secs(20);

/// A refusal that a server gives when it reads compressed bytes as if they were JSON.
pub(super) fn sounds_undecoded(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "zstd",
        "content-encoding",
        "compress",
        "decode",
        "utf-8",
        "parse",
        "valid json",
        "invalid json",
        "json body",
    ]
    .iter()
    .any(|word| message.contains(word))
}

/// What an answer with status 200 is made of.
pub(super) enum Kind {
    /// An event stream, as was asked for.
    Events,
    /// JSON: a gateway in between has collected the stream, or the backend has no stream for this (S51).
    Json,
}

/// An answer with status 200 must be an event stream, or else JSON.
pub(super) fn kind_of(headers: &HeaderMap) -> Result<Kind, Failure> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "" | "text/event-stream" => Ok(Kind::Events),
        "application/json" => Ok(Kind::Json),
        "text/html" => Err(blocked(Some(200))),
        other => Err(no_stream(other)),
    }
}

fn no_stream(kind: &str) -> Failure {
    Failure::Upstream {
        status: 502,
        message: format!(
            "The ChatGPT backend answered with {kind} instead of an event stream: a gateway in between may have \
             changed the answer. Try again; if it stays, check the proxy and base URL settings."
        ),
    }
}

/// A whole response in one piece, as the event that a stream would have ended with.
pub(super) async fn as_event(response: reqwest::Response) -> Result<Bytes, Failure> {
    let body = timeout(IDLE_LIMIT, response.bytes())
        .await
        .map_err(|_| Failure::Stalled { seconds: IDLE_LIMIT.as_secs() })?
        .map_err(|_| Failure::Truncated)?;
    event_of(&body)
}

fn event_of(body: &[u8]) -> Result<Bytes, Failure> {
    #[derive(Deserialize)]
    struct Whole {
        #[serde(default)]
        object: String,
        #[serde(default)]
        status: String,
        #[serde(default)]
        error: Option<IgnoredAny>,
        #[serde(default)]
        detail: Option<IgnoredAny>,
    }
    let text = std::str::from_utf8(body).map_err(|_| no_stream("application/json"))?;
    let whole: Whole = serde_json::from_str(text).map_err(|_| no_stream("application/json"))?;
    let kind = match (whole.object.as_str(), whole.status.as_str()) {
        ("response", "completed") => "completed",
        ("response", "incomplete") => "incomplete",
        ("response", "failed") => "failed",
        _ if whole.error.is_some() || whole.detail.is_some() => {
            let now = Timestamp::now().as_second();
            return Err(from_response(body, Circumstances { status: None, retry_after: None, now }));
        }
        _ => return Err(no_stream("application/json")),
    };
    // Line ends stand between JSON's parts only, never in its strings: one line is the same JSON.
    let line = text.replace(['\n', '\r'], " ");
    Ok(format!("data: {{\"type\":\"response.{kind}\",\"response\":{line}}}\n\n").into())
}

/// What an answer with an error status means.
pub(super) async fn failure_of(mut response: reqwest::Response) -> Failure {
    let status = response.status().as_u16();
    let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let retry_after = text("retry-after")
        .and_then(|text| text.trim().parse::<f64>().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if text("cf-mitigated").is_some() {
        return blocked(Some(status));
    }
    let mut body = BytesMut::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = ERROR_BODY - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == ERROR_BODY {
                break;
            }
        }
    };
    let _ = timeout(ERROR_BODY_LIMIT, read).await;
    let now = Timestamp::now().as_second();
    from_response(&body, Circumstances { status: Some(status), retry_after, now })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_response_becomes_the_event_that_ends_a_stream() {
        let event =
            event_of(b"{\n \"object\": \"response\",\r\n \"status\": \"incomplete\", \"output\": []\n}")
                .unwrap();
        let data = r#"{"type":"response.incomplete","response":{  "object": "response",   "status": "incomplete", "output": [] }}"#;
        assert_eq!(event, format!("data: {data}\n\n"));
        let overload = br#"{"error":{"code":"server_is_overloaded","message":"m"}}"#;
        assert_eq!(event_of(overload), Err(Failure::Overloaded { message: "m".into() }));
        for strange in [&b"[]"[..], b"{}", b"{\"object\":\"response\",\"status\":\"queued\"}", b"\xff"] {
            assert!(matches!(event_of(strange), Err(Failure::Upstream { status: 502, .. })));
        }
    }
}

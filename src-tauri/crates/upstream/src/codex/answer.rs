//! What an answer of the backend is, before any event of it is read: a stream, or which failure.

use std::time::Duration;

use bytes::BytesMut;
use dragoman_protocol::failure::Failure;
use dragoman_protocol::openai::error::{Circumstances, blocked, from_response};
use http::{HeaderMap, header};
use jiff::Timestamp;
use tokio::time::timeout;

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

/// An answer with status 200 must be an event stream.
pub(super) fn check_kind(headers: &HeaderMap) -> Result<(), Failure> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "" | "text/event-stream" => Ok(()),
        "text/html" => Err(blocked(Some(200))),
        other => Err(Failure::Upstream {
            status: 502,
            message: format!(
                "The ChatGPT backend answered with {other} instead of an event stream: a gateway in between may have \
                 changed the answer. Try again; if it stays, check the proxy and base URL settings."
            ),
        }),
    }
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

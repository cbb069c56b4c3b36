//! A request's body: read whole within its limit, and as text. Not here: what stands in it.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use dragoman_protocol::failure::Failure;
use dragoman_protocol::surrogates;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// Reads a whole body, up to the limit.
pub(crate) async fn read_body(request: Request, limit: usize) -> Result<Bytes, Failure> {
    let length = request.headers().get(http::header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) {
        refuse(request).await;
        return Err(Failure::TooLarge { limit });
    }
    let mut body = request.into_body();
    match Limited::new(&mut body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            throw_away(body).await;
            Err(Failure::TooLarge { limit })
        }
        Err(error) => Err(Failure::BodyLost { message: error.to_string() }),
    }
}

/// Takes the body of a request that is refused unread. One that asks first has sent nothing yet, and need not.
pub(crate) async fn refuse(request: Request) {
    if !request.headers().contains_key(http::header::EXPECT) {
        throw_away(request.into_body()).await;
    }
}

/// Takes what still comes of a body that is refused. If the connection closed while the client sends, it would see a
/// reset and never the refusal.
async fn throw_away(mut body: Body) {
    /// Some clients never stop.
    const PATIENCE: Duration = Duration::from_secs(5);
    let all = async { while let Some(Ok(_)) = body.frame().await {} };
    let _or_not_all = tokio::time::timeout(PATIENCE, all).await;
}

/// The body as text that JSON readers take.
pub(crate) fn text_of(body: &Bytes) -> Result<Cow<'_, str>, Failure> {
    let invalid = |error: std::str::Utf8Error| Failure::Invalid {
        message: format!("the request body is not valid UTF-8: {error}"),
        param: None,
    };
    match surrogates::repair(body) {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(invalid),
        Cow::Owned(bytes) => {
            String::from_utf8(bytes).map(Cow::Owned).map_err(|error| invalid(error.utf8_error()))
        }
    }
}

//! How the admin API answers: JSON, a stream of JSON values, or one shape of error. And how it reads what it is asked.

use std::any::Any;
use std::convert::Infallible;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use dragoman_upstream::AccountProblem;
use futures_util::{Stream, StreamExt as _};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, StatusCode, Uri};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::case::NotACase;
use crate::{App, Error};

/// More than any verb is told.
pub(super) const BODY: usize = 1 << 20;

/// A JSON answer or an error.
pub(super) type Told<T> = Result<Json<T>, Problem>;

/// Nothing to tell, or an error.
pub(super) type Done = Result<StatusCode, Problem>;

/// What every error looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub(super) struct ErrorAnswer {
    error: ErrorDetail,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub(super) struct ErrorDetail {
    /// For programs.
    kind: ErrorKind,
    /// What happened, for people; often with what to do.
    message: String,
    /// What to do, where it is not in the message.
    hint: Option<String>,
}

/// The kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ErrorKind {
    /// The request can't be read, or a value in it can't be used.
    BadRequest,
    /// Nobody knows who asks.
    Unauthorized,
    /// Whoever asks, it may not be done from there.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// The path answers another method.
    MethodNotAllowed,
    /// The body is too large.
    TooLarge,
    /// The port is in use.
    PortBusy,
    /// An account verb was refused.
    Account,
    /// Claude Code's settings stay as they are.
    ClaudeCode,
    /// The settings file can't be used.
    Settings,
    /// A recording is not there or can't be replayed.
    Recording,
    /// Nothing can be done about newer versions now.
    Update,
    /// A file of ours can't be read or written, or there is a defect.
    Internal,
    /// The program is ending.
    Stopping,
}

/// An error on its way out.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: ErrorDetail,
}

impl Problem {
    pub(super) fn new(status: StatusCode, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { status, detail: ErrorDetail { kind, message: message.into(), hint: None } }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.detail.hint = Some(hint.into());
        self
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorKind::BadRequest, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorAnswer { error: self.detail })).into_response()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let (status, kind) = match &error {
            Error::Listen(dragoman_proxy::Error::Busy { .. }) => (StatusCode::CONFLICT, ErrorKind::PortBusy),
            Error::Settings(_) => (StatusCode::UNPROCESSABLE_ENTITY, ErrorKind::Settings),
            Error::Account(AccountProblem::Unknown { .. }) => (StatusCode::NOT_FOUND, ErrorKind::Account),
            Error::Account(_) | Error::WhichAccount { .. } => (StatusCode::CONFLICT, ErrorKind::Account),
            Error::ClaudeCode(_) => (StatusCode::CONFLICT, ErrorKind::ClaudeCode),
            Error::NotACase(NotACase::NotRecorded) => (StatusCode::NOT_FOUND, ErrorKind::Recording),
            Error::NotACase(_) => (StatusCode::CONFLICT, ErrorKind::Recording),
            Error::Update(_) => (StatusCode::CONFLICT, ErrorKind::Update),
            Error::Stopping => (StatusCode::SERVICE_UNAVAILABLE, ErrorKind::Stopping),
            Error::NoHome
            | Error::File { .. }
            | Error::Token { .. }
            | Error::Listen(dragoman_proxy::Error::Listen { .. })
            | Error::Upstream(_)
            | Error::History(_) => (StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Internal),
        };
        Self::new(status, kind, message)
    }
}

/// The last net: a bug of ours becomes an answer, not the end of a connection.
pub(super) fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let words =
        cause.downcast_ref::<&str>().copied().or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    tracing::error!(words = words.unwrap_or_default(), "a handler panicked");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Internal,
        "Dragoman hit a bug in itself; the log file has the details",
    )
    .into_response()
}

pub(super) async fn no_such_path(uri: Uri) -> Problem {
    Problem::not_found(format!("there is nothing at {}", uri.path()))
        .hint("GET /admin/openapi.json lists every path")
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let message = format!("{} does not answer {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, ErrorKind::MethodNotAllowed, message)
        .hint("GET /admin/openapi.json lists every path with its methods")
}

// === What is asked ===

/// A JSON body. The content type must say so: no form of a foreign page can send that.
pub(super) struct Input<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case("application/json")) {
            return Err(Problem::bad_request("the body must be JSON, with content-type application/json"));
        }
        let body = Limited::new(request.into_body(), BODY).collect().await;
        let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                ErrorKind::TooLarge,
                format!("the body is larger than {} MiB", BODY >> 20),
            ),
            None => Problem::bad_request("the body broke off"),
        })?;
        let body = body.to_bytes();
        let mut json = serde_json::Deserializer::from_slice(&body);
        let read = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| Problem::bad_request(format!("the body can't be used: {error}")))?;
        Ok(Self(read))
    }
}

/// What stands behind the `?`.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(read)) => Ok(Self(read)),
            Err(rejection) => {
                Err(Problem::bad_request(format!("the query can't be used: {}", rejection.body_text())))
            }
        }
    }
}

/// What stands in the path.
pub(super) struct At<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(read)) => Ok(Self(read)),
            Err(rejection) => {
                Err(Problem::bad_request(format!("the path can't be used: {}", rejection.body_text())))
            }
        }
    }
}

// === Streams ===

/// One JSON value after the other, until `items` or the program ends. Dropping the answer drops `items`.
pub(super) fn stream<T: Serialize>(app: &App, items: impl Stream<Item = T> + Send + 'static) -> Response {
    let events = items.take_until(app.stopping()).map(|item| {
        // Serialising our own types does not fail; a comment would say if it did.
        let event = Event::default().json_data(&item);
        Ok::<_, Infallible>(event.unwrap_or_else(|_| Event::default().comment("not serialised")))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// What `act` tells while it runs. It is dropped with the stream.
pub(super) fn telling<T, F>(act: impl FnOnce(mpsc::UnboundedSender<T>) -> F) -> impl Stream<Item = T> + Send
where
    T: Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (tell, told) = mpsc::unbounded_channel();
    let act = Box::pin(act(tell));
    futures_util::stream::unfold((Some(act), told), |(mut act, mut told)| async move {
        loop {
            let Some(running) = &mut act else {
                // What it said last.
                return told.recv().await.map(|item| (item, (None, told)));
            };
            tokio::select! {
                biased;
                Some(item) = told.recv() => return Some((item, (act, told))),
                () = running => act = None,
            }
        }
    })
}

/// An answer without a body.
pub(super) fn empty() -> Done {
    Ok(StatusCode::NO_CONTENT)
}

/// For those who must build their own.
pub(super) fn body(text: impl Into<Body>, kind: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text.into()).into_response()
}

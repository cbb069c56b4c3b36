//! What can go wrong with the proxy itself, and how a request's failure becomes an HTTP answer.

use std::net::SocketAddr;

use axum::body::Body;
use axum::response::Response;
use dragoman_protocol::failure::Failure;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::door::{Door, set};
use crate::now::now;

/// Why the proxy can't listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else has the port.
    #[error("port {} is in use{}; stop that program, or set {setting} to another port", address.port(), owner(holder))]
    Busy {
        /// Where we wanted to listen.
        address: SocketAddr,
        /// Who has it, e.g. `node (pid 123)`, where the system tells.
        holder: Option<String>,
        /// Which setting says so.
        setting: &'static str,
    },
    /// Any other reason.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The system's words.
        source: std::io::Error,
    },
}

fn owner(holder: &Option<String>) -> String {
    holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default()
}

/// An id for one request, shown in errors and the log.
pub(crate) fn request_id() -> String {
    format!("req_{}", uuid::Uuid::now_v7().simple())
}

/// The answer for a failure before the status line went out.
pub(crate) fn failure_response(failure: &Failure, request_id: &str, door: Door) -> Response {
    let rendered = door.render(failure, &now(), request_id);
    tracing::info!(
        status = rendered.status,
        request_id,
        kind = failure.anthropic_kind().1,
        "request refused"
    );
    let mut response = Response::new(Body::from(rendered.body));
    *response.status_mut() =
        StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in rendered.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    set_request_id(&mut response, request_id);
    response
}

/// Every answer carries the id: Claude Code shows it beside an error, and OpenAI's SDKs look for it by another name.
pub(crate) fn set_request_id(response: &mut Response, request_id: &str) {
    for name in ["request-id", "x-request-id"] {
        set(response.headers_mut(), name, request_id);
    }
}

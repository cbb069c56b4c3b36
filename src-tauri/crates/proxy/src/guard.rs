//! Who may ask: the local token, and the `Host` (and `Origin`) against DNS rebinding and foreign web pages.
//!
//! There is no CORS: a page of another origin gets nothing (P30).

use std::any::Any;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use dragoman_protocol::failure::Failure;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::{HeaderMap, Method};

use crate::Proxy;
use crate::body::refuse;
use crate::door::Door;
use crate::error::{failure_response, request_id};

/// Refuses requests whose `Host` or `Origin` is not ours (DECISIONS 32).
pub(crate) async fn host(State(proxy): State<Proxy>, request: Request, next: Next) -> Response {
    let config = proxy.config();
    // HTTP/2 has no Host header; the authority is in the URI.
    let named = text(request.headers(), HOST.as_str())
        .or_else(|| request.uri().authority().map(|authority| authority.as_str().to_owned()))
        .unwrap_or_default();
    let door = Door::of(request.uri().path(), request.headers());
    let foreign = |host| failure_response(&Failure::ForeignHost { host }, &request_id(), door);
    if !is_ours(&named, &config.allowed_hosts) {
        return foreign(named);
    }
    if let Some(origin) = text(request.headers(), ORIGIN.as_str()) {
        let of_origin = origin.split_once("://").map_or("", |(_, rest)| rest);
        if !is_ours(of_origin, &config.allowed_hosts) {
            return foreign(origin);
        }
    }
    next.run(request).await
}

/// Asks for the local token, in either of the two headers that clients use.
pub(crate) async fn token(State(proxy): State<Proxy>, request: Request, next: Next) -> Response {
    let config = proxy.config();
    let bearer = text(request.headers(), AUTHORIZATION.as_str());
    let bearer = bearer.as_deref().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let key = text(request.headers(), "x-api-key");
    let shown = [bearer, key.as_deref()];
    if shown.into_iter().flatten().any(|token| config.token.matches(token)) {
        next.run(request).await
    } else {
        let door = Door::of(request.uri().path(), request.headers());
        refuse(request).await;
        failure_response(&Failure::Unauthorized, &request_id(), door)
    }
}

/// Nothing lives here.
pub(crate) async fn no_such_path(request: Request) -> Response {
    let door = Door::of(request.uri().path(), request.headers());
    let path = request.uri().path().to_owned();
    refuse(request).await;
    failure_response(&Failure::NoSuchPath { path }, &request_id(), door)
}

/// Something lives here, but it answers another method.
pub(crate) async fn method_not_allowed(method: Method, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let allow = match path.as_str() {
        "/" => "HEAD",
        path if ["/messages", "/responses", "/completions"].iter().any(|part| path.contains(part)) => "POST",
        _ => "GET",
    };
    let door = Door::of(&path, request.headers());
    refuse(request).await;
    failure_response(&Failure::Method { method: method.to_string(), path, allow }, &request_id(), door)
}

/// The last net: a bug of ours must not take the connection, let alone the process, with it.
pub(crate) fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let words = cause
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| cause.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    tracing::error!(words, "a handler panicked");
    let message = "Dragoman hit a bug in itself; the log file has the details".to_owned();
    // Which request it was is not known here; clients of either kind find the message in this form.
    failure_response(&Failure::Internal { message }, &request_id(), Door::Messages)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// True for a loopback name or an allowed one, whatever the port.
pub fn is_ours(authority: &str, allowed: &[String]) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    matches!(host, "127.0.0.1" | "localhost" | "::1")
        || allowed.iter().any(|name| name.eq_ignore_ascii_case(host) || name.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_allowed_hosts_are_ours() {
        let allowed = ["box.lan".to_owned()];
        for ours in ["127.0.0.1:3746", "localhost", "localhost:1", "[::1]:3746", "box.lan:3746", "BOX.lan"] {
            assert!(is_ours(ours, &allowed), "{ours}");
        }
        for foreign in
            ["", "evil.example", "127.0.0.1.evil.example:80", "localhost.evil", "[::2]:1", "127.0.0.2"]
        {
            assert!(!is_ours(foreign, &allowed), "{foreign}");
        }
    }
}

//! What stands before the routes on the listener: the `Host` against DNS rebinding, the `Origin` against pages of other
//! servers (also those on other ports of this machine), then token or cookie.

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, LOCATION, ORIGIN, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;

use super::access::Access;
use super::answer::{ErrorKind, Problem};
use crate::settings::Settings;

/// What the page may do: load what we serve and talk to us, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is shown to a browser whose link is no good.
const SPENT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Dragoman</title>\
    <p>This link was used already or is older than a minute. Run <code>dragoman open</code> again.</p></html>";

/// What the guard needs to know.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) access: Access,
    pub(super) settings: tokio::sync::watch::Receiver<Arc<Settings>>,
    /// Cookies are not told apart by port: the name is.
    pub(super) cookie: String,
}

/// Every answer, also a refusal, says what a browser may do with it.
pub(super) async fn seal(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Refuses a `Host` that is not ours and an `Origin` that is not this very server.
pub(super) async fn place(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    // HTTP/2 has no Host header; the authority is in the URI.
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let host = text(request.headers(), &HOST).or(authority).unwrap_or_default();
    let settings = guard.settings.borrow().clone();
    if !dragoman_proxy::is_ours(host, &settings.admin_hosts()) {
        return forbidden(format!("the host {host:?} is not this server"))
            .hint("use 127.0.0.1, or add the name to server.allowed_hosts")
            .into_response();
    }
    if let Some(origin) = text(request.headers(), &ORIGIN) {
        let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !own.is_some_and(|own| own.eq_ignore_ascii_case(host)) {
            return forbidden(format!("a page of {origin} may not use this server")).into_response();
        }
    }
    next.run(request).await
}

/// Asks for the token or the cookie. The cookie alone is not enough to change something: the browser must also say that
/// it is our page which asks.
pub(super) async fn who(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let bearer = text(headers, &AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    if bearer.is_some_and(|token| guard.access.knows_token(token)) {
        return next.run(request).await;
    }
    let session = cookie(headers, &guard.cookie);
    if !session.is_some_and(|session| guard.access.knows_session(session)) {
        return Problem::new(StatusCode::UNAUTHORIZED, ErrorKind::Unauthorized, "nobody is let in like this")
            .hint("run `dragoman open`, or send the token of the file admin-token as `Authorization: Bearer`")
            .into_response();
    }
    let site = text(headers, &HeaderName::from_static("sec-fetch-site"));
    let is_own = match site {
        Some(site) => matches!(site, "same-origin" | "none"),
        // An `Origin` that came this far is ours.
        None => headers.contains_key(ORIGIN),
    };
    if !is_own && (site.is_some() || request.method() != Method::GET) {
        return forbidden("this page may not do that").into_response();
    }
    next.run(request).await
}

/// What a link carries.
#[derive(Deserialize)]
pub(super) struct Link {
    #[serde(default)]
    code: String,
}

/// `GET /open`: trades the link's code for a cookie and shows the page.
pub(super) async fn open(State(guard): State<Arc<Guard>>, Query(link): Query<Link>) -> Response {
    match guard.access.enter(&link.code) {
        Ok(Some(secret)) => {
            let cookie = format!("{}={secret}; Path=/admin; HttpOnly; SameSite=Strict", guard.cookie);
            (StatusCode::SEE_OTHER, [(LOCATION, "/".to_owned()), (SET_COOKIE, cookie)]).into_response()
        }
        Ok(None) => (StatusCode::FORBIDDEN, Html(SPENT)).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

/// `DELETE /admin/session`: this browser leaves.
pub(super) async fn leave(State(guard): State<Arc<Guard>>, headers: HeaderMap) -> Response {
    if let Some(session) = cookie(&headers, &guard.cookie) {
        guard.access.leave(session);
    }
    let gone = format!("{}=; Path=/admin; HttpOnly; SameSite=Strict; Max-Age=0", guard.cookie);
    (StatusCode::NO_CONTENT, [(SET_COOKIE, gone)]).into_response()
}

fn forbidden(message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, ErrorKind::Forbidden, message)
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(this, _)| *this == name).map(|(_, value)| value)
}

//! What the real backend is reported to refuse of a request as a whole: callers without a login, callers that are not
//! Codex, missing ids, and a body that [`body`] refuses. The two id headers are insisted on because the Codex CLI always
//! sends them.
//!
//! Not here: what the backend *answers*. Scripts say that.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::body::{self, Knowledge as Known, error};
use crate::http::Headers;

/// A refusal: status and body.
pub(crate) type Refusal = (u16, Value);

/// What the fake knows when it judges.
pub(crate) struct Knowledge<'a> {
    pub(crate) catalog: &'a Value,
    pub(crate) issued: &'a HashSet<String>,
    pub(crate) valid_tokens: &'a HashSet<String>,
}

/// The refusal that a question to the search endpoint deserves: it has the shape that the Codex CLI sends
/// (`upstream.md` §d.4), and nothing else.
pub(crate) fn search(body: &Value) -> Option<Refusal> {
    const KNOWN: [&str; 6] = ["id", "model", "input", "commands", "settings", "max_output_tokens"];
    let fields = body.as_object();
    let stranger = fields.into_iter().flatten().find(|(name, _)| !KNOWN.contains(&name.as_str()));
    let missing = KNOWN.into_iter().find(|name| body[name].is_null());
    let query = body["commands"]["search_query"][0]["q"].as_str().unwrap_or_default();
    let why = match (stranger, missing) {
        (Some((name, _)), _) => format!("Unsupported parameter: {name}"),
        (None, Some(name)) => format!("Missing parameter: {name}"),
        (None, None) if query.is_empty() => "commands.search_query.0.q: no query".to_owned(),
        (None, None) => return None,
    };
    Some((400, json!({ "detail": why })))
}

/// The refusal that a request deserves, if any.
pub(crate) fn refusal(headers: &Headers, body: &Value, knows: &Knowledge<'_>) -> Option<Refusal> {
    authorization(headers, knows.valid_tokens)
        .or_else(|| identity(headers, body))
        .or_else(|| request(headers, body, knows).err().map(|refused| (400, refused)))
}

/// The refusal that a body deserves at the public API, which speaks the classic dialect.
pub(crate) fn classic(body: &Value, knows: &Knowledge<'_>) -> Option<Refusal> {
    let known = Known { catalog: knows.catalog, issued: knows.issued };
    body::accept(body, false, &known).err().map(|refused| (400, refused))
}

/// Asks for a bearer token that this fake has given out and not withdrawn.
pub(crate) fn authorization(headers: &Headers, valid: &HashSet<String>) -> Option<Refusal> {
    let token = headers.value("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let known = token.is_some_and(|token| valid.contains(token));
    let account = headers.value("chatgpt-account-id").is_some_and(|id| !id.is_empty());
    (!known || !account).then(|| {
        let message = "Provided authentication token is expired. Please try signing in again.";
        let error = json!({ "message": message, "type": null, "code": "token_expired", "param": null });
        (401, json!({ "error": error, "status": 401 }))
    })
}

fn identity(headers: &Headers, body: &Value) -> Option<Refusal> {
    let codex = |name| headers.value(name).is_some_and(|value| value.starts_with("codex"));
    let known = codex("originator") && codex("user-agent") && headers.value("version").is_some();
    (!known).then(|| {
        let message = format!("Model not found {}", body["model"].as_str().unwrap_or_default());
        (404, error(message, None, Some("model")))
    })
}

fn request(headers: &Headers, body: &Value, knows: &Knowledge<'_>) -> Result<(), Value> {
    for name in ["session-id", "thread-id"] {
        if headers.value(name).is_none_or(str::is_empty) {
            return Err(error(format!("missing header {name} (this fake insists on it)"), None, None));
        }
    }
    let lite = headers.value("x-openai-internal-codex-responses-lite") == Some("true");
    body::accept(body, lite, &Known { catalog: knows.catalog, issued: knows.issued })
}

#[cfg(test)]
#[path = "reject_tests.rs"]
mod tests;

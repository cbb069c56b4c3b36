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

/// The refusal that a request deserves, if any.
pub(crate) fn refusal(headers: &Headers, body: &Value, knows: &Knowledge<'_>) -> Option<Refusal> {
    authorization(headers, knows.valid_tokens)
        .or_else(|| identity(headers, body))
        .or_else(|| request(headers, body, knows).err().map(|refused| (400, refused)))
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

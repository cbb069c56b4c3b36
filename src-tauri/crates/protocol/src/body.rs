//! Reading a request's body: into its type, or into a sentence that names the field at fault.
//!
//! Not here: the types (`anthropic/request.rs`, `openai/chat/request.rs`, `openai/client.rs`).

use serde::Deserialize;

use crate::failure::Failure;
use crate::json::located;
use crate::open::{Open, Rest};

/// What the type knows of a body, and the rest.
///
/// # Errors
/// [`Failure::Invalid`] that names the field, with a path like `messages.3.content.0.source`.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a str) -> Result<(T, Rest<'a>), Failure> {
    if !body.trim_start().starts_with('{') {
        let message = "the request body must be a JSON object".to_owned();
        return Err(Failure::Invalid { message, param: None });
    }
    match serde_json::from_str::<Open<'a, T>>(body) {
        Ok(request) => Ok(request.into_parts()),
        Err(_) => Err(diagnose::<T>(body)),
    }
}

/// The slow second look at a body that could not be read: finds the path.
fn diagnose<'a, T: Deserialize<'a>>(body: &'a str) -> Failure {
    match located::<Open<'a, T>>(body) {
        Ok(_) => Failure::Internal { message: "the request could be read only the second time".to_owned() },
        Err(error) => match error.strip_prefix('@').and_then(|rest| rest.split_once(": ")) {
            Some(("", message)) => invalid_at_top(message),
            Some((path, message)) => invalid_at(path, message),
            None => invalid_at_top(&error),
        },
    }
}

fn invalid_at(path: &str, message: &str) -> Failure {
    match missing_field(message) {
        Some(field) => Failure::invalid(format!("{path}.{field}"), "field required"),
        None => Failure::invalid(path, message),
    }
}

fn invalid_at_top(message: &str) -> Failure {
    match missing_field(message) {
        Some(field) => Failure::invalid(field, "field required"),
        None => {
            Failure::Invalid { message: format!("the request body is not valid: {message}"), param: None }
        }
    }
}

fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

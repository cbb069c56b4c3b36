//! A failure in OpenAI's words: the body of an HTTP answer, and the code inside a stream.
//!
//! The status is the one that an Anthropic client gets, with one exception: 529 is Anthropic's own. The types and codes
//! are those that OpenAI's clients look for; `usage_limit_reached` is what the Codex CLI understands (`upstream.md` §e).

use std::borrow::Cow;

use serde::Serialize;

use super::{Failure, Now, Rendered};

#[derive(Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_in_seconds: Option<i64>,
}

/// See [`Failure::to_openai_event`].
#[derive(Debug, Serialize)]
pub struct EventError<'a> {
    code: Cow<'a, str>,
    message: String,
}

impl Failure {
    /// The whole HTTP answer in OpenAI's shape, for a failure before the status line went out.
    pub fn to_openai(&self, now: &Now) -> Rendered {
        let anthropic = self.anthropic_kind().0;
        let status = if anthropic == 529 { 503 } else { anthropic };
        let mut headers = self.headers(now);
        headers.retain(|(name, _)| !name.starts_with("anthropic-"));
        Rendered { status, headers, body: self.to_openai_json(now) }
    }

    /// The error object alone, for a failure in a chat's stream.
    pub fn to_openai_json(&self, now: &Now) -> String {
        let (plan_type, resets_at) = match self {
            Self::AccountLimit { plan, resets_at, .. } => (plan.as_deref(), *resets_at),
            _ => (None, None),
        };
        let error = Body {
            message: match self {
                Self::NoSuchPath { path } => format!(
                    "there is no {path} here; OpenAI's clients find /v1/responses, /v1/chat/completions and /v1/models"
                ),
                other => other.message(now),
            },
            kind: self.openai_type(),
            param: match self {
                Self::Invalid { param, .. } => param.as_deref(),
                Self::UnknownModel { .. } | Self::UnknownBackend { .. } | Self::ModelRefused { .. } => {
                    Some("model")
                }
                _ => None,
            },
            code: self.known_code(),
            plan_type,
            resets_at,
            resets_in_seconds: resets_at.map(|at| (at - now.unix).max(1)),
        };
        serde_json::to_string(&Envelope { error }).unwrap_or_else(|_| {
            r#"{"error":{"message":"internal error","type":"server_error","param":null,"code":null}}"#
                .to_owned()
        })
    }

    /// The `error` of a `response.failed`: a code for every failure, because inside a stream there is no status.
    pub fn to_openai_event(&self, now: &Now) -> EventError<'_> {
        let code = self.known_code().unwrap_or(Cow::Borrowed(self.openai_type()));
        EventError { code, message: self.message(now) }
    }

    fn openai_type(&self) -> &'static str {
        match self {
            Self::AccountLimit { .. } => "usage_limit_reached",
            Self::Billing { .. } => "insufficient_quota",
            Self::RateLimited { .. } => "rate_limit_exceeded",
            _ => match self.anthropic_kind().0 {
                500.. => "server_error",
                401 => "authentication_error",
                403 => "permission_error",
                _ => "invalid_request_error",
            },
        }
    }

    fn known_code(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::Unauthorized => "invalid_api_key",
            Self::UnknownModel { .. } | Self::UnknownBackend { .. } | Self::ModelRefused { .. } => {
                "model_not_found"
            }
            Self::ContextOverflow { .. } => "context_length_exceeded",
            Self::AccountLimit { .. } => "usage_limit_reached",
            Self::Billing { .. } => "insufficient_quota",
            Self::RateLimited { .. } => "rate_limit_exceeded",
            Self::Overloaded { .. } => "server_is_overloaded",
            Self::StaleReasoning { .. } => "invalid_encrypted_content",
            Self::Rejected { code: Some(code), .. } => code,
            _ => return None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { unix: 1_000_000, local: |at| format!("<{at}>") };

    #[test]
    fn the_codex_cli_reads_when_a_limit_resets() {
        let limit =
            Failure::AccountLimit { resets_at: Some(1_000_060), plan: Some("plus".into()), others: 0 };
        let answer = limit.to_openai(&NOW);
        assert_eq!(answer.status, 429);
        assert!(answer.headers.contains(&("retry-after", "60".to_owned())));
        assert!(
            answer.headers.iter().all(|(name, _)| !name.starts_with("anthropic")),
            "{:?}",
            answer.headers
        );
        assert_eq!(
            answer.body,
            r#"{"error":{"message":"The ChatGPT usage limit of this account is reached. It resets <1000060> (in 1 min).","type":"usage_limit_reached","param":null,"code":"usage_limit_reached","plan_type":"plus","resets_at":1000060,"resets_in_seconds":60}}"#
        );
    }

    #[test]
    fn statuses_types_and_codes_are_those_that_clients_look_for() {
        let words = |failure: &Failure| {
            let answer = failure.to_openai(&NOW);
            (answer.status, failure.openai_type(), failure.to_openai_event(&NOW).code.into_owned())
        };
        let message = String::new;
        for (failure, expected) in [
            (Failure::Unauthorized, (401, "authentication_error", "invalid_api_key")),
            (
                Failure::UnknownModel { model: message(), known: vec![] },
                (404, "invalid_request_error", "model_not_found"),
            ),
            (Failure::Overloaded { message: message() }, (503, "server_error", "server_is_overloaded")),
            (
                Failure::ContextOverflow { tokens: 2, window: 1 },
                (400, "invalid_request_error", "context_length_exceeded"),
            ),
            (Failure::Billing { message: message() }, (429, "insufficient_quota", "insufficient_quota")),
            (
                Failure::RateLimited { after: None, message: message() },
                (429, "rate_limit_exceeded", "rate_limit_exceeded"),
            ),
            (Failure::Truncated, (502, "server_error", "server_error")),
            (
                Failure::Rejected { message: message(), code: Some("cyber_policy".into()) },
                (400, "invalid_request_error", "cyber_policy"),
            ),
        ] {
            let (status, kind, code) = words(&failure);
            assert_eq!((status, kind, code.as_str()), expected, "{failure:?}");
        }
    }
}

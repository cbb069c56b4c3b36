//! The three APIs that clients speak. A door decides in whose words an error is told, and what answers carry besides.

use axum::extract::Request;
use axum::response::Response;
use dragoman_protocol::failure::{Failure, Now, Rendered};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::body::read_body;
use crate::error::{failure_response, request_id, set_request_id};
use crate::messages::{Exchange, Incoming};
use crate::now::now;
use crate::quota::{self, AnsweredBy};
use crate::{Proxy, chat, responses};

/// Whose words a client understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Anthropic's Messages API.
    Messages,
    /// OpenAI's Responses API.
    Responses,
    /// OpenAI's Chat Completions API.
    Chat,
}

/// What OpenAI's API has and Anthropic's has not. The base URL may end in `/v1` twice.
const OPENAI: [&str; 7] =
    ["/responses", "/chat/completions", "/completions", "/embeddings", "/images", "/audio", "/moderations"];

impl Door {
    /// Where it is.
    pub fn path(self) -> &'static str {
        match self {
            Self::Messages => "/v1/messages",
            Self::Responses => "/v1/responses",
            Self::Chat => "/v1/chat/completions",
        }
    }

    /// The door that a request knocks at, also where there is none: both APIs have `/v1/models`, and Anthropic's clients
    /// tell its version.
    pub(crate) fn of(path: &str, headers: &HeaderMap) -> Self {
        let path = path.strip_prefix("/v1").unwrap_or(path);
        let path = path.strip_prefix("/v1").unwrap_or(path);
        let is =
            |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is("/chat/completions") {
            Self::Chat
        } else if OPENAI.iter().any(|root| is(root)) || is("/models") && !speaks_anthropic(headers) {
            Self::Responses
        } else {
            Self::Messages
        }
    }

    /// A failure before the status line went out.
    pub(crate) fn render(self, failure: &Failure, now: &Now, request_id: &str) -> Rendered {
        match self {
            Self::Messages => failure.to_anthropic(now, request_id),
            Self::Responses | Self::Chat => failure.to_openai(now),
        }
    }

    /// Answers a request to a model, with what an answer carries besides.
    pub(crate) async fn answer(self, proxy: &Proxy, request: Request) -> Response {
        let id = request_id();
        let mut response = match self.ask(proxy, request, &id).await {
            Ok(response) => response,
            Err(failure) => return failure_response(&failure, &id, self),
        };
        set_request_id(&mut response, &id);
        // Whose answer it is, is not known if the status line goes out before there is one.
        if let Some(AnsweredBy(account)) = response.extensions_mut().remove() {
            let limits = proxy.inner.client.limits_of(&account);
            match self {
                Self::Messages => quota::tell(&limits, now().unix, response.headers_mut()),
                Self::Responses => quota::tell_codex(&limits, now().unix, response.headers_mut()),
                Self::Chat => {}
            }
        }
        response
    }

    async fn ask(self, proxy: &Proxy, request: Request, id: &str) -> Result<Response, Failure> {
        let config = proxy.config();
        let headers = request.headers().clone();
        let body = read_body(request, config.body_limit).await?;
        let exchange = match self {
            Self::Messages => {
                Exchange::prepare(proxy, &config, Incoming::messages(&headers, body, id)).await?
            }
            Self::Chat => chat::prepare(proxy, &config, &headers, body, id).await?,
            Self::Responses => responses::prepare(proxy, &config, &headers, body, id).await?,
        };
        exchange.answer().await
    }
}

/// Anthropic's clients tell which version of its API they speak; Claude Code's discovery does, too.
pub(crate) fn speaks_anthropic(headers: &HeaderMap) -> bool {
    headers.contains_key("anthropic-version") || headers.contains_key("anthropic-beta")
}

/// Sets a header that can't be wrong.
pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_the_api_and_for_the_models_a_header_does() {
        let none = HeaderMap::new();
        let mut anthropic = HeaderMap::new();
        set(&mut anthropic, "anthropic-version", "2023-06-01");
        for (path, headers, door) in [
            ("/v1/messages", &none, Door::Messages),
            ("/v1/messages/count_tokens", &none, Door::Messages),
            ("/v1/chat/completions", &none, Door::Chat),
            ("/v1/v1/chat/completions", &none, Door::Chat),
            ("/v1/responses", &none, Door::Responses),
            ("/v1/responses/resp_1", &none, Door::Responses),
            ("/responses", &none, Door::Responses),
            ("/v1/embeddings", &none, Door::Responses),
            ("/v1/models", &none, Door::Responses),
            ("/v1/models", &anthropic, Door::Messages),
            ("/v1/responsesque", &none, Door::Messages),
            ("/health", &none, Door::Messages),
        ] {
            assert_eq!(Door::of(path, headers), door, "{path}");
        }
    }
}

//! The call that trades a refresh token for new tokens (`upstream.md` §a.5). Not here: when, and under which lock.

use std::time::Duration;

use dragoman_protocol::failure::Failure;
use dragoman_protocol::openai::error::looks_like_html;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::secret::Secret;
use super::tokens::Renewed;
use crate::http::{Http, join, unreachable};
use crate::identity::{Call, Endpoint, Identity};
use crate::signpost::Signpost;

/// OpenAI's public client id of the Codex CLI.
pub(crate) const CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";
/// From the request to the whole answer; the login's lock is held meanwhile (DECISIONS 20).
const LIMIT: Duration = Duration::from_secs(20);

/// Why a refresh is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The token ends soon.
    ProactiveExpiry,
    /// The backend answered 401.
    UnauthorizedRecovery,
}

/// Why there are no new tokens.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The refresh token was spent before: by a crash, or by the Codex CLI beside us.
    Reused,
    /// The login is over; the words say why.
    Permanent(&'static str),
    /// Another time perhaps.
    Transient(Failure),
}

#[derive(Serialize)]
struct Request<'a> {
    client_id: &'a str,
    grant_type: &'a str,
    refresh_reason: Reason,
    refresh_token: &'a str,
}

/// The issuer and how to reach it.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    pub(crate) http: Http,
    pub(crate) signpost: Signpost,
}

impl Issuer {
    /// A page of it.
    pub(crate) fn at(&self, path: &str) -> reqwest::Url {
        join(&self.signpost.now().issuer, path)
    }

    /// Spends the refresh token.
    pub(crate) async fn refresh(
        &self,
        identity: &Identity,
        token: &Secret,
        reason: Reason,
    ) -> Result<Renewed, Refused> {
        let internal = |message: String| Refused::Transient(Failure::Internal { message });
        let body = serde_json::to_vec(&Request {
            client_id: CLIENT_ID,
            grant_type: "refresh_token",
            refresh_reason: reason,
            refresh_token: token.expose(),
        })
        .map_err(|error| internal(error.to_string()))?;
        let url = self.at("/oauth/token");
        let headers = identity.headers(Endpoint::Token, &Call::default());
        let call = async {
            let response =
                self.http.client(&url).post(url.clone()).headers(headers).body(body).send().await?;
            let status = response.status().as_u16();
            // Wiped after reading: it holds tokens.
            let body = Zeroizing::new(response.bytes().await?.to_vec());
            Ok::<_, reqwest::Error>((status, body))
        };
        let (status, body) = match tokio::time::timeout(LIMIT, call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(Refused::Transient(unreachable(&error, &url))),
            Err(_) => {
                let host = url.host_str().unwrap_or("?").to_owned();
                return Err(Refused::Transient(Failure::Unreachable {
                    message: format!(
                        "{host} did not renew the login within {} s: check the network, then try again.",
                        LIMIT.as_secs()
                    ),
                }));
            }
        };
        tracing::info!(status, ?reason, "login refresh answered");
        if !(200..300).contains(&status) {
            return Err(refusal(status, &body));
        }
        // The error's text could quote a token: it is not kept.
        serde_json::from_slice::<Renewed>(&body).map_err(|_| {
            Refused::Transient(Failure::Upstream {
                status: 502,
                message:
                    "The login server answered a refresh with something that holds no tokens; try again."
                        .to_owned(),
            })
        })
    }
}

/// Reads `{"error":{"code":…}}`, `{"error":"code"}` and `{"code":…}`.
pub(crate) fn error_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize, Default)]
    struct Body {
        error: Option<Inner>,
        code: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Inner {
        Word(String),
        Object { code: Option<String> },
    }
    let wire: Body = serde_json::from_slice(body).unwrap_or_default();
    match wire.error {
        Some(Inner::Word(code)) => Some(code),
        Some(Inner::Object { code }) => code,
        None => None,
    }
    .or(wire.code)
}

fn refusal(status: u16, body: &[u8]) -> Refused {
    let body_text = String::from_utf8_lossy(body);
    let code = error_code(body).unwrap_or_default();
    match (code.as_str(), status) {
        ("refresh_token_reused", _) => Refused::Reused,
        ("refresh_token_expired", _) => Refused::Permanent("its refresh token has expired"),
        ("refresh_token_invalidated", _) => Refused::Permanent("its refresh token was revoked"),
        ("invalid_grant", 400) => Refused::Permanent("the login server does not accept its refresh token"),
        (_, 401) if !looks_like_html(&body_text) => {
            Refused::Permanent("the login server does not accept its refresh token")
        }
        _ => Refused::Transient(Failure::Upstream {
            status: if status >= 500 { status } else { 502 },
            message: format!(
                "The login server could not renew the login just now (status {status}); try again."
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_refusal_is_read() {
        let permanent =
            |status, body: &str| matches!(refusal(status, body.as_bytes()), Refused::Permanent(_));
        assert!(matches!(refusal(401, br#"{"error":{"code":"refresh_token_reused"}}"#), Refused::Reused));
        assert!(matches!(refusal(400, br#"{"code":"refresh_token_reused"}"#), Refused::Reused));
        assert!(permanent(400, r#"{"error":"refresh_token_expired"}"#));
        assert!(permanent(401, r#"{"error":{"code":"refresh_token_invalidated","message":"x"}}"#));
        assert!(permanent(400, r#"{"error":"invalid_grant","error_description":"x"}"#));
        assert!(permanent(401, "{}"));
        for (status, body) in
            [(500, "{}"), (400, r#"{"error":"weird"}"#), (429, ""), (401, "<html>"), (503, "<html>")]
        {
            assert!(matches!(refusal(status, body.as_bytes()), Refused::Transient(_)), "{status} {body}");
        }
    }
}

//! The claims of OpenAI's JWTs (`upstream.md` §a.4). Nothing is verified: claims are hints for us, the backend judges.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// The claims that we look at.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Claims {
    pub(crate) expires_at: Option<i64>,
    pub(crate) not_before: Option<i64>,
    pub(crate) account_id: Option<String>,
    pub(crate) plan: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) fedramp: bool,
}

#[derive(Deserialize)]
struct Wire {
    exp: Option<f64>,
    nbf: Option<f64>,
    email: Option<String>,
    #[serde(rename = "https://api.openai.com/auth")]
    auth: Option<Auth>,
    #[serde(rename = "https://api.openai.com/profile")]
    profile: Option<Profile>,
}

#[derive(Deserialize, Default)]
struct Auth {
    chatgpt_account_id: Option<String>,
    chatgpt_plan_type: Option<String>,
    #[serde(default)]
    chatgpt_account_is_fedramp: Option<bool>,
}

#[derive(Deserialize)]
struct Profile {
    email: Option<String>,
}

impl Claims {
    /// Reads the middle part; `None` if this is no JWT.
    pub(crate) fn read(jwt: &str) -> Option<Self> {
        let mut parts = jwt.trim().split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let wire: Wire = serde_json::from_slice(&bytes).ok()?;
        let auth = wire.auth.unwrap_or_default();
        Some(Self {
            expires_at: wire.exp.map(|seconds| seconds as i64),
            not_before: wire.nbf.map(|seconds| seconds as i64),
            account_id: auth.chatgpt_account_id.filter(|id| !id.is_empty()),
            plan: auth.chatgpt_plan_type,
            email: wire.email.or(wire.profile.and_then(|profile| profile.email)),
            fedramp: auth.chatgpt_account_is_fedramp.unwrap_or(false),
        })
    }

    /// These claims, with `other`'s where they are silent. The id token knows the person, the access token its expiry.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            expires_at: self.expires_at.or(other.expires_at),
            not_before: self.not_before.or(other.not_before),
            account_id: self.account_id.or(other.account_id),
            plan: self.plan.or(other.plan),
            email: self.email.or(other.email),
            fedramp: self.fedramp || other.fedramp,
        }
    }
}

/// A JWT with these claims and no signature, for tests.
#[cfg(test)]
pub(crate) fn forge(claims: &serde_json::Value) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(r#"{"alg":"none"}"#), part(&claims.to_string()), part("canary-signature"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_read_from_both_namespaces() {
        let token = forge(&json!({
            "exp": 1_795_000_000, "https://api.openai.com/profile": {"email": "a@example.com"},
            "https://api.openai.com/auth": {
                "chatgpt_account_id": "acct-1", "chatgpt_plan_type": "plus", "chatgpt_account_is_fedramp": true}
        }));
        assert_eq!(
            Claims::read(&token),
            Some(Claims {
                expires_at: Some(1_795_000_000),
                not_before: None,
                account_id: Some("acct-1".into()),
                plan: Some("plus".into()),
                email: Some("a@example.com".into()),
                fedramp: true,
            })
        );
    }

    #[test]
    fn what_is_no_jwt_has_no_claims() {
        for text in ["", "a.b", "sk-123", "a.b.c", "a.e30.c.d..", "..", "a.bm9wZQ.c"] {
            assert!(Claims::read(text).is_none_or(|claims| claims == Claims::default()), "{text}");
        }
    }

    #[test]
    fn the_other_token_fills_gaps() {
        let id = Claims { email: Some("e".into()), ..Claims::default() };
        let access = Claims { expires_at: Some(5), email: Some("x".into()), ..Claims::default() };
        assert_eq!(
            id.or(access),
            Claims { email: Some("e".into()), expires_at: Some(5), ..Claims::default() }
        );
    }
}

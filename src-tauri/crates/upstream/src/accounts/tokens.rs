//! One login's tokens, as both `auth.json` and our own stores keep them, and what a request needs of them.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::jwt::Claims;
use super::secret::Secret;
use super::view::{AccountId, AccountKind};
use crate::attempt::AccountTag;

/// A token is renewed when it has less than this left, in seconds (`upstream.md` §a.5: 285 s yes, 315 s no).
pub(crate) const RENEW_BEFORE: i64 = 300;
/// For access tokens without a readable expiry: renewed when the last refresh is older, in seconds.
const UNKNOWN_LIFETIME: i64 = 8 * 86_400;

/// The tokens of one login.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Tokens {
    #[serde(default)]
    pub(crate) id_token: Option<Secret>,
    pub(crate) access_token: Secret,
    #[serde(default)]
    pub(crate) refresh_token: Option<Secret>,
    #[serde(default)]
    pub(crate) account_id: Option<String>,
    /// Stands beside the tokens in `auth.json`, among them in our own stores.
    #[serde(default)]
    pub(crate) last_refresh: Option<Timestamp>,
}

/// What the issuer answers to a refresh: what is absent stays as it was.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Renewed {
    #[serde(default)]
    pub(crate) id_token: Option<Secret>,
    #[serde(default)]
    pub(crate) access_token: Option<Secret>,
    #[serde(default)]
    pub(crate) refresh_token: Option<Secret>,
}

impl Tokens {
    /// These tokens after a refresh.
    pub(crate) fn renewed(&self, new: &Renewed, now: Timestamp) -> Self {
        Self {
            id_token: new.id_token.clone().or_else(|| self.id_token.clone()),
            access_token: new.access_token.clone().unwrap_or_else(|| self.access_token.clone()),
            refresh_token: new.refresh_token.clone().or_else(|| self.refresh_token.clone()),
            account_id: self.account_id.clone(),
            last_refresh: Some(now),
        }
    }

    /// The text for a token store. Wiped after use.
    pub(crate) fn to_json(&self) -> Zeroizing<String> {
        let mut object = Map::new();
        let mut put = |key: &str, secret: Option<&Secret>| {
            if let Some(secret) = secret {
                object.insert(key.to_owned(), Value::from(secret.expose()));
            }
        };
        put("id_token", self.id_token.as_ref());
        put("access_token", Some(&self.access_token));
        put("refresh_token", self.refresh_token.as_ref());
        if let Some(id) = &self.account_id {
            object.insert("account_id".to_owned(), json!(id));
        }
        if let Some(at) = self.last_refresh {
            object.insert("last_refresh".to_owned(), json!(at.to_string()));
        }
        Zeroizing::new(Value::Object(object).to_string())
    }
}

/// What a request needs to speak for an account.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Credential {
    /// The account in our list.
    pub(crate) account: AccountId,
    pub(crate) kind: AccountKind,
    pub(crate) access: Secret,
    pub(crate) refresh: Option<Secret>,
    pub(crate) account_id: Option<String>,
    pub(crate) tag: AccountTag,
    pub(crate) fedramp: bool,
    pub(crate) plan: Option<String>,
    pub(crate) email: Option<String>,
    /// Unix seconds; from the token, else guessed from the last refresh.
    pub(crate) expires_at: Option<i64>,
}

impl Credential {
    /// What the tokens of this account say.
    pub(crate) fn of(tokens: &Tokens, account: &AccountId, kind: AccountKind) -> Self {
        let read = |secret: &Secret| Claims::read(secret.expose()).unwrap_or_default();
        let access = read(&tokens.access_token);
        let expires_at = access
            .expires_at
            .or_else(|| tokens.last_refresh.map(|at| at.as_second() + UNKNOWN_LIFETIME + RENEW_BEFORE));
        let claims = tokens.id_token.as_ref().map(read).unwrap_or_default().or(access);
        let account_id = tokens.account_id.clone().filter(|id| !id.is_empty()).or(claims.account_id);
        // Without an account id our own name for it is all that tells two logins apart.
        let tag = AccountTag::of(account_id.as_deref().unwrap_or(account.as_str()));
        Self {
            account: account.clone(),
            kind,
            access: tokens.access_token.clone(),
            refresh: tokens.refresh_token.clone().filter(|token| !token.is_empty()),
            account_id,
            tag,
            fedramp: claims.fedramp,
            plan: claims.plan,
            email: claims.email,
            expires_at,
        }
    }

    /// Less than five minutes are left.
    pub(crate) fn is_expiring(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|at| at - now < RENEW_BEFORE)
    }

    /// Nothing is left.
    pub(crate) fn is_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::jwt::forge;
    use super::*;

    fn credential(tokens: &Tokens) -> Credential {
        Credential::of(tokens, &AccountId::of(AccountKind::Own, "me"), AccountKind::Own)
    }

    fn tokens(exp: Option<i64>) -> Tokens {
        Tokens {
            id_token: Some(Secret::new(forge(&json!({"email": "a@example.com",
                "https://api.openai.com/auth": {"chatgpt_account_id": "acct-1", "chatgpt_plan_type": "plus"}})))),
            access_token: Secret::new(exp.map_or("opaque".into(), |exp| forge(&json!({"exp": exp})))),
            refresh_token: Some(Secret::new("rt_1")),
            account_id: None,
            last_refresh: Some(Timestamp::from_second(1_000_000).unwrap()),
        }
    }

    #[test]
    fn five_minutes_before_its_end_a_token_is_expiring() {
        let credential = credential(&tokens(Some(10_000)));
        assert!(!credential.is_expiring(10_000 - 315));
        assert!(credential.is_expiring(10_000 - 285));
        assert!(!credential.is_expired(9_999));
        assert!(credential.is_expired(10_000));
        assert_eq!(credential.account_id.as_deref(), Some("acct-1"));
        assert_eq!(credential.email.as_deref(), Some("a@example.com"));
    }

    #[test]
    fn without_an_expiry_the_last_refresh_counts() {
        let credential = credential(&tokens(None));
        assert!(!credential.is_expiring(1_000_000 + 7 * 86_400));
        assert!(credential.is_expiring(1_000_000 + 8 * 86_400 + 1));
    }

    #[test]
    fn the_stored_text_reads_back() {
        let before = tokens(Some(5));
        let after: Tokens = serde_json::from_str(&before.to_json()).unwrap();
        assert_eq!(before, after);
    }

    #[test]
    fn a_refresh_keeps_what_it_does_not_name() {
        let new = Renewed { access_token: Some(Secret::new("new")), ..Renewed::default() };
        let after = tokens(Some(5)).renewed(&new, Timestamp::UNIX_EPOCH);
        assert_eq!(after.access_token, Secret::new("new"));
        assert_eq!(after.refresh_token, Some(Secret::new("rt_1")));
        assert!(after.id_token.is_some());
    }
}

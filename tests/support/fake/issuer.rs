//! The token endpoint: access tokens that can be withdrawn, refresh tokens that work once.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::json;

use super::render::Answer;
use crate::credentials::Credentials;

#[derive(Debug, Default)]
pub(crate) struct Tokens {
    serial: usize,
    /// Access tokens that the backend accepts.
    pub(crate) access: HashSet<String>,
    /// Unspent refresh tokens and their accounts.
    refresh: HashMap<String, String>,
    spent: HashSet<String>,
    /// What came back for a spent refresh token.
    successors: HashMap<String, Credentials>,
    /// A refresh token that comes again gets its successor again, until that was used.
    pub(crate) forgiving: bool,
    /// Errors that the next refreshes get.
    pub(crate) errors: VecDeque<(u16, &'static str)>,
}

impl Tokens {
    pub(crate) fn issue(&mut self, account: &str, seconds_left: i64) -> Credentials {
        self.serial += 1;
        let credentials = Credentials::fabricate(self.serial, account, seconds_left);
        if seconds_left > 0 {
            self.access.insert(credentials.access_token.clone());
        }
        self.refresh.insert(credentials.refresh_token.clone(), account.to_owned());
        credentials
    }

    /// Ends a login: its refresh token works no more.
    pub(crate) fn revoke(&mut self, refresh_token: &str) {
        self.refresh.remove(refresh_token);
    }

    pub(crate) fn is_unspent(&self, refresh_token: &str) -> bool {
        self.refresh.contains_key(refresh_token)
    }

    pub(crate) fn exchange(&mut self, form: &HashMap<String, String>) -> Answer {
        let refuse = |status, code: &str| Answer::json(status, &json!({ "error": { "code": code } }));
        if let Some((status, code)) = self.errors.pop_front() {
            return refuse(status, code);
        }
        if form.get("grant_type").map(String::as_str) != Some("refresh_token") {
            return refuse(400, "unsupported_grant_type");
        }
        let token = form.get("refresh_token").map(String::as_str).unwrap_or_default();
        if let Some(fresh) = self.successors.get(token).filter(|_| self.forgiving).cloned()
            && self.is_unspent(&fresh.refresh_token)
        {
            return answer(&fresh);
        }
        let Some(account) = self.refresh.remove(token) else {
            let known = self.spent.contains(token);
            return refuse(401, if known { "refresh_token_reused" } else { "refresh_token_invalidated" });
        };
        self.spent.insert(token.to_owned());
        let fresh = self.issue(&account, 864_000);
        self.successors.insert(token.to_owned(), fresh.clone());
        answer(&fresh)
    }
}

fn answer(fresh: &Credentials) -> Answer {
    Answer::json(
        200,
        &json!({
            "access_token": fresh.access_token, "id_token": fresh.id_token, "token_type": "Bearer",
            "refresh_token": fresh.refresh_token, "expires_in": 864_000,
            "scope": "openid profile email offline_access",
        }),
    )
}

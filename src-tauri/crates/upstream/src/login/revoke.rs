//! Signing out: everything of the account goes from this computer, and its tokens are ended at the issuer
//! (`upstream.md` §a.6).

use std::time::Duration;

use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use super::Desk;
use super::call;
use super::keep::is_ours;
use crate::accounts::{AccountKind, AccountProblem, CLIENT_ID, Secret};
use crate::identity::{Call, Endpoint};

/// The issuer gets this long; signing out does not depend on it.
const LIMIT: Duration = Duration::from_secs(10);

/// What signing out did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct SignedOut {
    /// The account's id, as it was.
    pub account: String,
    /// What people called it.
    pub label: Option<String>,
    /// What sort of login it was.
    pub kind: AccountKind,
    /// What became of its tokens at the issuer.
    pub revoked: Revoked,
}

/// What became of the tokens at the issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state", content = "why")]
pub enum Revoked {
    /// They work no more.
    Yes,
    /// They are not ours to end: the Codex CLI goes on with them, or it is a key.
    NotOurs,
    /// There was none.
    NoToken,
    /// The issuer did not do it; they end by themselves.
    Failed(String),
}

impl Desk {
    /// Signs out. First here, so that it holds whatever the network does.
    pub(crate) async fn sign_out(&self, words: &str, codex_too: bool) -> Result<SignedOut, AccountProblem> {
        let removed = self.accounts.sign_out(words).await?;
        let ours =
            is_ours(removed.account.kind) || (codex_too && removed.account.kind == AccountKind::Linked);
        let revoked = if ours {
            let (refresh, access) = (removed.refresh_token.as_ref(), removed.access_token.as_ref());
            revoke(self, refresh, access).await
        } else {
            Revoked::NotOurs
        };
        if codex_too && let Some(codex) = removed.codex {
            let signed_out = tokio::task::spawn_blocking(move || codex.remove()).await;
            signed_out
                .map_err(|error| error.to_string())
                .and_then(|removed| removed.map_err(|error| error.to_string()))
                .map_err(|why| {
                    AccountProblem::Failed(format!("the Codex CLI's auth.json could not be deleted: {why}"))
                })?;
        }
        tracing::info!(account = %removed.account.id, ?revoked, "signed out");
        Ok(SignedOut {
            account: removed.account.id.to_string(),
            label: removed.account.name.or(removed.account.label),
            kind: removed.account.kind,
            revoked,
        })
    }
}

#[derive(Serialize)]
struct Request<'a> {
    token: &'a str,
    token_type_hint: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'static str>,
}

/// Ends a login: by its refresh token, else by its access token. Best effort.
pub(super) async fn revoke(desk: &Desk, refresh: Option<&Secret>, access: Option<&Secret>) -> Revoked {
    let request = match (refresh, access) {
        (Some(token), _) => {
            Request { token: token.expose(), token_type_hint: "refresh_token", client_id: Some(CLIENT_ID) }
        }
        (None, Some(token)) => {
            Request { token: token.expose(), token_type_hint: "access_token", client_id: None }
        }
        (None, None) => return Revoked::NoToken,
    };
    let url = desk.issuer.at("/oauth/revoke");
    let headers = desk.identity.headers(Endpoint::Token, &Call::default());
    let client = desk.issuer.http.client(&url);
    let request = match client.post(url.clone()).json(&request).headers(headers).build() {
        Ok(request) => request,
        Err(_) => return Revoked::Failed("the request could not be made".to_owned()),
    };
    match tokio::time::timeout(LIMIT, call::send(&desk.issuer.http, request)).await {
        Ok(Ok(answer)) => match answer.accept() {
            Ok(_) => Revoked::Yes,
            Err(trouble) => Revoked::Failed(trouble.to_string()),
        },
        Ok(Err(trouble)) => Revoked::Failed(trouble.to_string()),
        Err(_) => Revoked::Failed(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

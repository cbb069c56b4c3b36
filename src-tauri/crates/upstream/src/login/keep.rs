//! From tokens to an account: looked at, put into the list, and the login that it replaces ended at the issuer.

use jiff::Timestamp;

use super::Desk;
use super::call::SKEW;
use super::error::LoginError;
use super::oauth::Issued;
use super::progress::SignedIn;
use super::revoke::revoke;
use crate::accounts::{AccountKind, Claims, NewLogin, Secret};

/// What is to be kept.
#[derive(Debug)]
pub(super) enum New {
    Own { issued: Issued, workspace: Option<String> },
    ApiKey(Secret),
    Linked,
}

/// Puts it into the list. A login that can't be kept is ended at the issuer, and so is the one that it replaces.
pub(super) async fn keep(desk: &Desk, new: New) -> Result<SignedIn, LoginError> {
    let store = |error: crate::accounts::AccountProblem| LoginError::Store { why: error.to_string() };
    let added = match new {
        New::Linked => desk.accounts.link(desk.codex_home.clone()).await.map_err(store)?,
        New::ApiKey(key) => desk.accounts.sign_in(NewLogin::api_key(key.expose())).await.map_err(store)?,
        New::Own { issued, workspace } => {
            let fresh = issued.refresh_token.clone();
            let kept = match judge(&issued, workspace.as_deref(), Timestamp::now().as_second()) {
                Ok(()) => {
                    let Issued { id_token, access_token, refresh_token, .. } = issued;
                    desk.accounts
                        .sign_in(NewLogin::own(id_token, access_token, refresh_token))
                        .await
                        .map_err(store)
                }
                Err(error) => Err(error),
            };
            match kept {
                Ok(added) => {
                    // Never that of the Codex CLI: only logins of our own are replaced here.
                    if let Some(old) = added.superseded.as_ref().filter(|old| Some(*old) != fresh.as_ref()) {
                        revoke(desk, Some(old), None).await;
                    }
                    added
                }
                Err(error) => {
                    revoke(desk, fresh.as_ref(), None).await;
                    return Err(error);
                }
            }
        }
    };
    let account = added.account;
    tracing::info!(account = %account.id, kind = ?account.kind, replaced = added.replaced, "signed in");
    Ok(SignedIn {
        account: account.id.to_string(),
        label: account.label,
        plan: account.plan,
        kind: account.kind,
        replaced: added.replaced,
    })
}

/// Would this login be of use here?
fn judge(issued: &Issued, workspace: Option<&str>, now: i64) -> Result<(), LoginError> {
    let read = |token: &Secret| Claims::read(token.expose()).unwrap_or_default();
    let access = read(&issued.access_token);
    let fast = access.expires_at.filter(|end| *end <= now).map(|end| now - end);
    let slow = access.not_before.filter(|begin| *begin > now + SKEW).map(|begin| now - begin);
    if let Some(seconds) = fast.or(slow) {
        // The server's own clock tells by how much; the token only that.
        let told = issued.server_time.map(|server| now - server).filter(|told| told.abs() > SKEW);
        return Err(LoginError::Clock { seconds: told.unwrap_or(seconds) });
    }
    let Some(wanted) = workspace else { return Ok(()) };
    let got = issued.id_token.as_ref().map(read).unwrap_or_default().or(access).account_id;
    match got {
        Some(got) if got == wanted => Ok(()),
        Some(_) | None => Err(LoginError::WrongWorkspace { wanted: wanted.to_owned() }),
    }
}

/// Only own logins hold refresh tokens that are ours to end.
pub(super) fn is_ours(kind: AccountKind) -> bool {
    match kind {
        AccountKind::Own => true,
        AccountKind::Linked | AccountKind::ApiKey | AccountKind::Demo => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::accounts::forge;

    fn issued(claims: &serde_json::Value, server_time: Option<i64>) -> Issued {
        let id_token = json!({ "https://api.openai.com/auth": { "chatgpt_account_id": "ws-1" } });
        Issued {
            id_token: Some(Secret::new(forge(&id_token))),
            access_token: Secret::new(forge(claims)),
            refresh_token: None,
            server_time,
        }
    }

    #[test]
    fn a_token_that_is_of_no_use_by_our_clock_tells_of_the_clock() {
        let now = 1_000_000;
        let seconds = |claims: serde_json::Value, server| match judge(&issued(&claims, server), None, now) {
            Err(LoginError::Clock { seconds }) => Some(seconds),
            Ok(()) => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(seconds(json!({ "exp": now + 864_000, "nbf": now }), Some(now)), None);
        assert_eq!(seconds(json!({ "exp": now + 864_000, "nbf": now + 200 }), None), None);
        assert_eq!(seconds(json!({ "exp": now - 60 }), None), Some(60));
        assert_eq!(seconds(json!({ "exp": now - 60 }), Some(now - 900_000)), Some(900_000));
        assert_eq!(seconds(json!({ "exp": now + 864_000, "nbf": now + 7200 }), None), Some(-7200));
        assert_eq!(seconds(json!({}), Some(now)), None, "an opaque token is taken as it is");
    }

    #[test]
    fn another_workspace_than_the_one_asked_for_is_not_kept() {
        let login = issued(&json!({}), None);
        assert_eq!(judge(&login, Some("ws-1"), 0), Ok(()));
        assert_eq!(judge(&login, Some("ws-2"), 0), Err(LoginError::WrongWorkspace { wanted: "ws-2".into() }));
    }
}

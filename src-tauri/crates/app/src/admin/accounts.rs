//! The accounts. `{account}` is an account's id, name, address or place in the list.

use axum::Json;
use axum::extract::State;
use dragoman_protocol::route::Pool;
use dragoman_upstream::{AccountId, AccountKind, AccountState, AccountsView, SignedOut};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Asked, At, Done, ErrorAnswer, Input, Told, empty};
use crate::{App, Tested};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(pools))
        .routes(routes!(rename, remove))
        .routes(routes!(prefer))
        .routes(routes!(pause))
        .routes(routes!(retry))
        .routes(routes!(refresh))
        .routes(routes!(refresh_all))
        .routes(routes!(test))
        .routes(routes!(read_limits))
        .routes(routes!(limits_looked_at))
}

/// An account's new name.
#[derive(Debug, Deserialize, TS, ToSchema)]
pub(super) struct Rename {
    /// `null` takes it away.
    name: Option<String>,
}

/// Whether an account is kept out of use.
#[derive(Debug, Deserialize, TS, ToSchema)]
pub(super) struct Pause {
    /// Is it?
    paused: bool,
}

/// How an account goes.
#[derive(Debug, Deserialize, TS, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SignOut {
    /// Sign the Codex CLI out as well, if the login is its.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    codex_too: bool,
}

/// What could not be done with one of several accounts.
#[derive(Debug, Serialize, TS, ToSchema)]
pub(super) struct AccountTrouble {
    /// Which account.
    account: AccountId,
    /// What happened.
    message: String,
}

/// Accounts that a rule of the model map can ask for together, by the word before its comma.
#[derive(Debug, Serialize, TS, ToSchema)]
pub(super) struct PoolAccounts {
    /// The word.
    pool: Pool,
    /// Who is in it, the preferred one first.
    accounts: Vec<AccountId>,
}

/// The pools and who is in each, as far as is known. A rule `api,gpt-5.5` is answered by accounts of `api` only.
#[utoipa::path(get, path = "/admin/pools", responses((status = 200, body = Vec<PoolAccounts>)))]
async fn pools(State(app): State<App>) -> Json<Vec<PoolAccounts>> {
    let snapshot = app.snapshot();
    let snapshot = snapshot.borrow();
    let there = || snapshot.accounts.iter().filter(|account| account.state != AccountState::None);
    let of =
        |pool| there().filter(move |account| account.kind.pool() == pool).map(|account| account.id.clone());
    Json(Pool::ALL.map(|pool| PoolAccounts { pool, accounts: of(pool).collect() }).into())
}

/// All accounts, their logins read again from where they are kept. No network.
#[utoipa::path(get, path = "/admin/accounts", responses((status = 200, body = AccountsView)))]
async fn list(State(app): State<App>) -> Json<AccountsView> {
    Json(app.check_accounts().await)
}

/// Gives an account a name.
#[utoipa::path(patch, path = "/admin/accounts/{account}", request_body = Rename, params(("account" = String, Path)),
    responses((status = 204), (status = "default", body = ErrorAnswer)))]
async fn rename(State(app): State<App>, At(account): At<String>, Input(rename): Input<Rename>) -> Done {
    app.rename_account(&account, rename.name.as_deref()).await?;
    empty()
}

/// Signs out: the account goes from the list, and a login of Dragoman's own is ended at the issuer.
#[utoipa::path(delete, path = "/admin/accounts/{account}", params(("account" = String, Path), SignOut),
    responses((status = 200, body = SignedOut), (status = "default", body = ErrorAnswer)))]
async fn remove(
    State(app): State<App>,
    At(account): At<String>,
    Asked(how): Asked<SignOut>,
) -> Told<SignedOut> {
    Ok(Json(app.logout(Some(&account), how.codex_too).await?))
}

/// Prefers an account to the others, for all sessions from now on.
#[utoipa::path(post, path = "/admin/accounts/{account}/use", params(("account" = String, Path)),
    responses((status = 204), (status = "default", body = ErrorAnswer)))]
async fn prefer(State(app): State<App>, At(account): At<String>) -> Done {
    app.use_account(&account).await?;
    empty()
}

/// Keeps an account out of use, or lets it in again.
#[utoipa::path(put, path = "/admin/accounts/{account}/paused", request_body = Pause,
    params(("account" = String, Path)), responses((status = 204), (status = "default", body = ErrorAnswer)))]
async fn pause(State(app): State<App>, At(account): At<String>, Input(pause): Input<Pause>) -> Done {
    app.pause_account(&account, pause.paused).await?;
    empty()
}

/// Lets an account at its usage limit be tried at once.
#[utoipa::path(post, path = "/admin/accounts/{account}/retry", params(("account" = String, Path)),
    responses((status = 204), (status = "default", body = ErrorAnswer)))]
async fn retry(State(app): State<App>, At(account): At<String>) -> Done {
    app.retry_account(&account).await?;
    empty()
}

/// Renews an account's token now, whatever its age.
#[utoipa::path(post, path = "/admin/accounts/{account}/refresh", params(("account" = String, Path)),
    responses((status = 204), (status = "default", body = ErrorAnswer)))]
async fn refresh(State(app): State<App>, At(account): At<String>) -> Done {
    app.refresh_account(&account).await?;
    empty()
}

/// Renews the tokens of all accounts that have one. Tells of those that could not be.
#[utoipa::path(post, path = "/admin/accounts/refresh", responses((status = 200, body = Vec<AccountTrouble>)))]
async fn refresh_all(State(app): State<App>) -> Json<Vec<AccountTrouble>> {
    let accounts = app.check_accounts().await.accounts;
    let mut troubles = Vec::new();
    let has_token = |kind| matches!(kind, AccountKind::Own | AccountKind::Linked);
    for account in accounts.into_iter().filter(|account| has_token(account.kind)) {
        if let Err(error) = app.refresh_account(account.id.as_str()).await {
            troubles.push(AccountTrouble { account: account.id, message: error.to_string() });
        }
    }
    Json(troubles)
}

/// Asks an account for one word, through the same path as Claude Code's requests.
#[utoipa::path(post, path = "/admin/accounts/{account}/test", params(("account" = String, Path)),
    responses((status = 200, body = Tested), (status = "default", body = ErrorAnswer)))]
async fn test(State(app): State<App>, At(account): At<String>) -> Told<Tested> {
    Ok(Json(app.test_account(&account).await?))
}

/// Reads the limits of every account now. Tells of those that could not be read.
#[utoipa::path(post, path = "/admin/limits/refresh", responses((status = 200, body = Vec<AccountTrouble>)))]
async fn read_limits(State(app): State<App>) -> Json<Vec<AccountTrouble>> {
    let failed = app.refresh_limits().await.into_iter();
    Json(failed.map(|(account, message)| AccountTrouble { account, message }).collect())
}

/// Somebody looks at the limits: they are read again in the background if they are old.
#[utoipa::path(post, path = "/admin/limits/looked-at", responses((status = 204)))]
async fn limits_looked_at(State(app): State<App>) -> Done {
    app.limits_looked_at();
    empty()
}

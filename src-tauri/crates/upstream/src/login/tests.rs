use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::Desk;
use crate::accounts::{Accounts, Issuer};
use crate::config::{Config, TokenStoreKind};
use crate::http::Http;
use crate::identity::Identity;
use crate::signpost::Signpost;

/// A desk before this issuer, with files nowhere.
pub(super) fn desk(issuer: &str) -> Desk {
    let config =
        Config { token_store: TokenStoreKind::Memory, ..Config::new("/nonexistent/a", "/nonexistent/b") };
    let issuer = Issuer { http: Http::build().unwrap(), signpost: Signpost::all_at(issuer) };
    let (identity, tasks) = (Arc::new(Identity::new("0.169.0")), TaskTracker::new());
    let accounts = Accounts::new(&config, issuer.clone(), Arc::clone(&identity), tasks.clone());
    Desk {
        codex_home: accounts.codex_home().to_owned(),
        accounts: Arc::new(accounts),
        issuer,
        identity,
        ports: vec![0],
        tasks,
    }
}

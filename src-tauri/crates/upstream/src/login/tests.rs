use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::Desk;
use crate::accounts::{Accounts, Issuer};
use crate::config::{Config, TokenStoreKind};
use crate::http::{Http, base_url};
use crate::identity::Identity;

/// A desk before this issuer, with files nowhere.
pub(super) fn desk(issuer: &str) -> Desk {
    let config =
        Config { token_store: TokenStoreKind::Memory, ..Config::new("/nonexistent/a", "/nonexistent/b") };
    let issuer = Issuer { http: Http::build().unwrap(), url: base_url(issuer).unwrap() };
    let (identity, tasks) = (Arc::new(Identity::new("0.169.0")), TaskTracker::new());
    let accounts = Accounts::new(&config, issuer.clone(), Arc::clone(&identity), tasks.clone());
    Desk {
        codex_home: accounts.codex_home().to_owned(),
        accounts: Arc::new(accounts),
        api: issuer.url.clone(),
        issuer,
        identity,
        ports: vec![0],
        tasks,
    }
}

//! The limits as they were read last, and which accounts rest, kept in the cache: a new process shows them at once and
//! asks no account that rests; `dragoman status` shows what the server has read. By the account's id; no address, no
//! token.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::accounts::{AccountId, Accounts, Rest};
use crate::files;
use crate::limits::{Limits, Readings};

/// Accounts that were removed long ago are forgotten once there are so many.
const MANY: usize = 64;
/// From asking for the file's lock to having it; it is held for one small file only.
const LOCK_LIMIT: Duration = Duration::from_secs(2);

/// What is known of one account.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    pub(super) id: AccountId,
    pub(super) limits: Limits,
    pub(super) rest: Option<Rest>,
}

/// The file.
#[derive(Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    /// Whose rest this process has written or read: if one of these rests no more, the file must not say so.
    resting: Mutex<BTreeSet<AccountId>>,
}

type Book = BTreeMap<AccountId, Page>;

/// One account in the file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Page {
    #[serde(flatten)]
    readings: Readings,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest: Option<Rest>,
}

impl Kept {
    pub(crate) fn new(cache: &Path) -> Self {
        Self { path: cache.join("limits.json"), resting: Mutex::default() }
    }

    /// Folds what the file tells into the picture. A file that can't be read tells nothing: it is a cache.
    pub(crate) async fn tell(&self, accounts: &Accounts) {
        let path = self.path.clone();
        let Ok(book) = tokio::task::spawn_blocking(move || read(&path)).await else { return };
        accounts.roster().change(|view| {
            for account in &mut view.accounts {
                if let Some(page) = book.get(&account.id) {
                    account.limits = account.limits.with(&page.readings);
                }
            }
        });
        for (id, page) in book {
            if let Some(rest) = page.rest
                && let Some(account) = accounts.get(&id).await
            {
                account.rest_again(rest);
                self.note(|resting| resting.insert(id));
            }
        }
    }

    /// Writes the picture's limits and rests, with what another process has read meanwhile.
    pub(super) async fn keep(&self, known: Vec<Reading>) {
        let lifted = self.note(|resting| {
            let now: BTreeSet<_> =
                known.iter().filter(|known| known.rest.is_some()).map(|known| known.id.clone()).collect();
            std::mem::replace(resting, now.clone()).difference(&now).cloned().collect::<BTreeSet<_>>()
        });
        self.edit(move |book| {
            for id in lifted {
                if let Some(page) = book.get_mut(&id) {
                    page.rest = None;
                }
            }
            for Reading { id, limits, rest } in known {
                let page = book.remove(&id).unwrap_or_default();
                let readings = limits.with(&page.readings).readings;
                book.insert(id, Page { readings, rest: rest.or(page.rest) });
            }
        })
        .await;
    }

    /// The user wants this account to be tried: no process that starts later lets it rest.
    pub(crate) async fn lifted(&self, id: &AccountId) {
        let id = id.clone();
        self.edit(move |book| {
            if let Some(page) = book.get_mut(&id) {
                page.rest = None;
            }
        })
        .await;
    }

    fn note<T>(&self, note: impl FnOnce(&mut BTreeSet<AccountId>) -> T) -> T {
        note(&mut self.resting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn edit(&self, edit: impl FnOnce(&mut Book) + Send + 'static) {
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || {
            // Two that write at once would lose the one's readings; that is all, so nobody waits for long.
            let _lock = files::lock_blocking(&path.with_extension("lock"), LOCK_LIMIT);
            let mut book = read(&path);
            edit(&mut book);
            let now = Timestamp::now().as_second();
            for page in book.values_mut() {
                page.rest = page.rest.filter(|rest| rest.until.is_some_and(|until| until > now));
            }
            while book.len() > MANY {
                let oldest =
                    book.iter().min_by_key(|(_, page)| page.readings.read_at()).map(|(id, _)| id.clone());
                oldest.and_then(|oldest| book.remove(&oldest));
            }
            let text = serde_json::to_vec(&book)?;
            files::write_private(&path, ".limits-", &text)
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the limits could not be kept for the next start"),
            Err(error) => tracing::error!(%error, "keeping the limits ended badly"),
        }
    }
}

fn read(path: &Path) -> Book {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).unwrap_or_default(),
        Err(_) => Book::default(),
    }
}

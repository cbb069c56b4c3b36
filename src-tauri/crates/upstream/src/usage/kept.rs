//! The limits as they were read last, kept in the cache: a new process shows them at once, and `dragoman status` what
//! the server has read. By the account's id; no address, no token.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::accounts::{AccountId, Roster};
use crate::files;
use crate::limits::{Limits, Readings};

/// Accounts that were removed long ago are forgotten once there are so many.
const MANY: usize = 64;

/// The file.
#[derive(Debug)]
pub(crate) struct Kept {
    path: PathBuf,
}

type Book = BTreeMap<AccountId, Readings>;

impl Kept {
    pub(crate) fn new(cache: &Path) -> Self {
        Self { path: cache.join("limits.json") }
    }

    /// Folds what the file tells into the picture. A file that can't be read tells nothing: it is a cache.
    pub(crate) async fn tell(&self, roster: &Roster) {
        let path = self.path.clone();
        let Ok(book) = tokio::task::spawn_blocking(move || read(&path)).await else { return };
        roster.change(|view| {
            for account in &mut view.accounts {
                if let Some(readings) = book.get(&account.id) {
                    account.limits = account.limits.with(readings);
                }
            }
        });
    }

    /// Writes the picture's limits, with what another process has read meanwhile.
    pub(crate) async fn keep(&self, limits: Vec<(AccountId, Limits)>) {
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut book = read(&path);
            for (id, limits) in limits {
                let known = book.remove(&id).unwrap_or_default();
                book.insert(id, limits.with(&known).readings);
            }
            while book.len() > MANY {
                let oldest =
                    book.iter().min_by_key(|(_, readings)| readings.read_at()).map(|(id, _)| id.clone());
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

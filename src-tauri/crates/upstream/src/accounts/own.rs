//! Our own logins: which there are stands in a plain file, their tokens in a token store.
//!
//! The list is apart from the store so that a keyring is asked only when there is something in it: asking may open a
//! password window. Not here: signing in (a later issue) and renewing (`mod.rs`).

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::store::{StoreError, TokenStore};
use super::tokens::Tokens;
use crate::files::{self, Lock, Stamp};

/// One of our own logins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OwnLogin {
    pub(crate) name: String,
    pub(crate) tokens: Arc<Tokens>,
}

/// Our own logins.
#[derive(Debug)]
pub(crate) struct Own {
    directory: PathBuf,
    store: Arc<dyn TokenStore>,
    seen: Mutex<Option<(Stamp, OwnLogin)>>,
    /// Held while the store is asked, with the last failure: a hanging keyring must cost those who wait behind each
    /// other one time limit, not one each.
    asking: Mutex<Option<(Instant, Arc<StoreError>)>>,
}

/// For this long a failed store is not asked again.
const PAUSE: Duration = Duration::from_secs(5);

/// `accounts.json`: no secrets. The first account is the one in use.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Index {
    #[serde(default)]
    accounts: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    name: String,
}

impl Own {
    pub(crate) fn new(directory: PathBuf, store: Arc<dyn TokenStore>) -> Self {
        Self { directory, store, seen: Mutex::new(None), asking: Mutex::new(None) }
    }

    fn index_path(&self) -> PathBuf {
        self.directory.join("accounts.json")
    }

    /// The login in use, if we have one of our own. The store is asked only after the list has changed; blocks.
    pub(crate) fn read(&self) -> Result<Option<OwnLogin>, Arc<StoreError>> {
        let Some(stamp) = self.stamp()? else { return Ok(None) };
        if let Some(login) = self.seen(&stamp) {
            return Ok(Some(login));
        }
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(login) = self.seen(&stamp) {
            return Ok(Some(login));
        }
        match &*asking {
            Some((at, error)) if at.elapsed() < PAUSE => Err(Arc::clone(error)),
            _ => {
                let result = self.ask(stamp).map_err(Arc::new);
                *asking = result.as_ref().err().map(|error| (Instant::now(), Arc::clone(error)));
                result
            }
        }
    }

    /// The same from the store itself.
    pub(crate) fn read_anew(&self) -> Result<Option<OwnLogin>, Arc<StoreError>> {
        let Some(stamp) = self.stamp()? else { return Ok(None) };
        self.ask(stamp).map_err(Arc::new)
    }

    fn seen(&self, stamp: &Stamp) -> Option<OwnLogin> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().filter(|(seen, _)| seen == stamp).map(|(_, login)| login.clone())
    }

    fn ask(&self, stamp: Stamp) -> Result<Option<OwnLogin>, StoreError> {
        let Some(Entry { name }) = self.index()?.accounts.into_iter().next() else { return Ok(None) };
        let Some(text) = self.store.load(&name)? else {
            tracing::warn!("an own login is listed, but the token store does not hold it");
            return Ok(None);
        };
        let tokens: Tokens = serde_json::from_str(text.expose()).map_err(|_| StoreError::Damaged)?;
        let login = OwnLogin { name, tokens: Arc::new(tokens) };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamp, login.clone()));
        Ok(Some(login))
    }

    /// Keeps the tokens, first in the store, then in the list. Blocks.
    pub(crate) fn save(&self, login: &OwnLogin) -> Result<(), StoreError> {
        self.store.save(&login.name, &Secret::new(login.tokens.to_json().as_str()))?;
        let mut index = self.index()?;
        if index.accounts.first().is_none_or(|entry| entry.name != login.name) {
            index.accounts.retain(|entry| entry.name != login.name);
            index.accounts.insert(0, Entry { name: login.name.clone() });
        }
        // Written even if it says the same: other processes see by its stamp that the tokens are new.
        let path = self.index_path();
        let text = serde_json::to_vec_pretty(&index).unwrap_or_default();
        files::create_private_directory(&self.directory)
            .and_then(|()| files::write_private(&path, ".accounts-", &text))
            .map_err(|source| StoreError::File { path, source })?;
        let stamp = self.stamp()?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamp.map(|stamp| (stamp, login.clone()));
        Ok(())
    }

    /// Held while a refresh token is spent and its successor stored; keeps two Dragomans apart.
    pub(crate) async fn lock(&self, limit: Duration) -> io::Result<Lock> {
        files::lock(self.directory.join("accounts.lock"), true, limit).await
    }

    fn stamp(&self) -> Result<Option<Stamp>, StoreError> {
        let path = self.index_path();
        files::stamp(&path).map_err(|source| StoreError::File { path, source })
    }

    fn index(&self) -> Result<Index, StoreError> {
        let path = self.index_path();
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| StoreError::File {
                path,
                source: io::Error::new(io::ErrorKind::InvalidData, error),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Index::default()),
            Err(source) => Err(StoreError::File { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::MemoryStore;
    use super::*;

    fn login(name: &str, token: &str) -> OwnLogin {
        let tokens = serde_json::from_value(serde_json::json!({"access_token": token})).unwrap();
        OwnLogin { name: name.into(), tokens: Arc::new(tokens) }
    }

    #[derive(Debug)]
    struct Untouchable;

    impl TokenStore for Untouchable {
        fn load(&self, _: &str) -> Result<Option<Secret>, StoreError> {
            panic!("the keyring was asked without need")
        }
        fn save(&self, _: &str, _: &Secret) -> Result<(), StoreError> {
            panic!("the keyring was asked without need")
        }
        fn remove(&self, _: &str) -> Result<(), StoreError> {
            panic!("the keyring was asked without need")
        }
    }

    #[test]
    fn without_an_own_login_the_store_is_never_asked() {
        let home = tempfile::tempdir().unwrap();
        let own = Own::new(home.path().to_owned(), Arc::new(Untouchable));
        assert_eq!(own.read().unwrap(), None);
        assert_eq!(own.read_anew().unwrap(), None);
    }

    /// A keyring behind a password window that nobody answers.
    #[derive(Debug, Default)]
    struct Hanging(std::sync::atomic::AtomicUsize);

    impl TokenStore for Hanging {
        fn load(&self, _: &str) -> Result<Option<Secret>, StoreError> {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(100));
            Err(StoreError::TimedOut(Duration::from_millis(100)))
        }
        fn save(&self, _: &str, _: &Secret) -> Result<(), StoreError> {
            Ok(())
        }
        fn remove(&self, _: &str) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[test]
    fn twenty_requests_before_a_hanging_keyring_wait_for_one_time_limit() {
        let home = tempfile::tempdir().unwrap();
        Own::new(home.path().to_owned(), Arc::new(MemoryStore::default())).save(&login("a", "1")).unwrap();
        let store = Arc::new(Hanging::default());
        let own = Own::new(home.path().to_owned(), Arc::clone(&store) as Arc<dyn TokenStore>);
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| own.read().unwrap_err());
            }
        });
        assert_eq!(store.0.load(std::sync::atomic::Ordering::SeqCst), 1);
    }

    #[test]
    fn the_newest_login_is_the_one_in_use() {
        let home = tempfile::tempdir().unwrap();
        let store: Arc<dyn TokenStore> = Arc::new(MemoryStore::default());
        let own = Own::new(home.path().join("state"), Arc::clone(&store));
        own.save(&login("a", "1")).unwrap();
        own.save(&login("b", "2")).unwrap();
        own.save(&login("b", "3")).unwrap();
        assert_eq!(own.read().unwrap(), Some(login("b", "3")));

        let other = Own::new(home.path().join("state"), store);
        assert_eq!(other.read().unwrap(), Some(login("b", "3")));
        own.save(&login("a", "4")).unwrap();
        assert_eq!(other.read().unwrap(), Some(login("a", "4")), "another process sees it");
        let index = fs::read_to_string(home.path().join("state/accounts.json")).unwrap();
        assert!(!index.contains('4'), "no token in the list: {index}");
    }
}

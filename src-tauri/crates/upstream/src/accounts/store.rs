//! Where the tokens of own accounts are kept. Three stores: the system's keyring (`keyring.rs`), files, memory.
//!
//! All calls block; callers leave the async threads first. Not here: which accounts there are (`own.rs`): a store may
//! be locked, and asking it must not open a password window before the user has done anything.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::secret::Secret;
use crate::files;

/// Keeps one secret text per account name.
pub(crate) trait TokenStore: fmt::Debug + Send + Sync {
    /// The text, `None` if none is kept.
    fn load(&self, name: &str) -> Result<Option<Secret>, StoreError>;
    /// Keeps the text. After a crash in the middle the store holds the old or the new text, never a mixture.
    fn save(&self, name: &str, secret: &Secret) -> Result<(), StoreError>;
    /// Forgets the text. No error if there is none.
    fn remove(&self, name: &str) -> Result<(), StoreError>;
}

/// Why a store did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the system's keyring is locked; unlock it and try again")]
    Locked(#[source] keyring_core::Error),
    #[error(
        "there is no usable system keyring; start one, or set DRAGOMAN_TOKEN_STORE=file to keep tokens in files (0600)"
    )]
    Unavailable(#[source] keyring_core::Error),
    #[error("the system's keyring did not answer within {} s (is a password window open?)", .0.as_secs())]
    TimedOut(Duration),
    #[error("what the token store holds for this account is damaged; sign in again")]
    Damaged,
    #[error("{} cannot be used: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

// === files ===

/// One file per account, mode 0600, below the state directory.
#[derive(Debug)]
pub(crate) struct FileStore {
    directory: PathBuf,
}

impl FileStore {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Names come from account ids: anything that is no plain file name is spelled in hex.
    fn path(&self, name: &str) -> PathBuf {
        let plain =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let file = if plain {
            format!("{name}.json")
        } else {
            let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("x.{hex}.json")
        };
        self.directory.join(file)
    }
}

impl TokenStore for FileStore {
    fn load(&self, name: &str) -> Result<Option<Secret>, StoreError> {
        let path = self.path(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::File { path, source }),
        }
    }

    fn save(&self, name: &str, secret: &Secret) -> Result<(), StoreError> {
        let path = self.path(name);
        files::create_private_directory(&self.directory)
            .and_then(|()| files::write_private(&path, ".token-", secret.expose().as_bytes()))
            .map_err(|source| StoreError::File { path, source })
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name);
        files::remove(&path).map_err(|source| StoreError::File { path, source })
    }
}

// === memory ===

/// Gone with the process.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    secrets: Mutex<HashMap<String, Secret>>,
}

impl TokenStore for MemoryStore {
    fn load(&self, name: &str) -> Result<Option<Secret>, StoreError> {
        Ok(self.secrets.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned())
    }

    fn save(&self, name: &str, secret: &Secret) -> Result<(), StoreError> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), secret.clone());
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What every store must do.
    pub(crate) fn keeps_its_promise(store: &dyn TokenStore) {
        assert!(store.load("a").unwrap().is_none());
        store.remove("a").unwrap();
        for size in [0, 1, 2048, 2049, 20_000, 3] {
            let text = Secret::new("x".repeat(size));
            store.save("a", &text).unwrap();
            store.save("../b c", &Secret::new("other")).unwrap();
            assert_eq!(store.load("a").unwrap(), Some(text), "{size}");
        }
        store.remove("a").unwrap();
        assert!(store.load("a").unwrap().is_none());
        assert_eq!(store.load("../b c").unwrap(), Some(Secret::new("other")));
        assert!(!format!("{store:?}").contains("other"));
    }

    #[test]
    fn memory_keeps_its_promise() {
        keeps_its_promise(&MemoryStore::default());
    }

    #[test]
    fn files_keep_their_promise_and_are_private() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("tokens");
        keeps_its_promise(&FileStore::new(directory.clone()));
        let files: Vec<_> = fs::read_dir(&directory).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}

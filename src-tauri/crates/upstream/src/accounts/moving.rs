//! The token store of the settings, with what another setting left elsewhere moved into it when it is asked for.
//!
//! Moving is: mark, copy, read back, delete the old one, unmark; a crash anywhere leaves the secret in at least one of
//! the two, and the mark makes the next process delete the old copy. The other store is asked only if the chosen one
//! has nothing: a keyring must not be opened for nothing.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;
use super::store::{StoreError, TokenStore};
use crate::files::{self, Lock};

/// From asking for the lock to having it. Its holder may wait for a keyring's password window.
const LOCK_LIMIT: Duration = Duration::from_secs(70);

/// A store, and the one that was used before it.
#[derive(Debug)]
pub(super) struct Moving<To, From> {
    to: To,
    from: From,
    directory: PathBuf,
}

impl<To: TokenStore, From: TokenStore> Moving<To, From> {
    pub(super) fn new(to: To, from: From, directory: PathBuf) -> Self {
        Self { to, from, directory }
    }

    fn path(&self, name: &str, end: &str) -> PathBuf {
        // Names are account ids, eight hex digits.
        self.directory.join(format!("account-{name}.{end}"))
    }

    /// Held while an account's secret is written or moved, so that a moved one is never an old one.
    fn lock(&self, name: &str) -> Result<Lock, StoreError> {
        let path = self.path(name, "store-lock");
        files::create_private_directory(&self.directory)
            .and_then(|()| files::lock_blocking(&path, LOCK_LIMIT))
            .map_err(|source| StoreError::File { path, source })
    }

    fn mark(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name, "moving");
        files::write_private(&path, ".moving-", b"").map_err(|source| StoreError::File { path, source })
    }

    /// Deletes the copy in the store that is not used any more.
    fn clean(&self, name: &str) -> Result<(), StoreError> {
        let mark = self.path(name, "moving");
        if fs::exists(&mark).unwrap_or(false) {
            self.from.remove(name)?;
            files::remove(&mark).map_err(|source: io::Error| StoreError::File { path: mark, source })?;
        }
        Ok(())
    }

    fn fetch(&self, name: &str) -> Result<Option<Secret>, StoreError> {
        let _lock = self.lock(name)?;
        if let Some(secret) = self.to.load(name)? {
            return Ok(Some(secret));
        }
        let secret = match self.from.load(name) {
            Ok(Some(secret)) => secret,
            // Where there is no keyring, nothing is in it.
            Ok(None) | Err(StoreError::Unavailable(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        self.mark(name)?;
        self.to.save(name, &secret)?;
        if self.to.load(name)?.as_ref() != Some(&secret) {
            return Err(StoreError::Damaged);
        }
        tracing::info!(account = name, "the login was moved to the token store of the settings");
        if let Err(error) = self.clean(name) {
            tracing::warn!(account = name, %error, "the login's old copy could not be deleted yet");
        }
        Ok(Some(secret))
    }
}

impl<To: TokenStore, From: TokenStore> TokenStore for Moving<To, From> {
    fn load(&self, name: &str) -> Result<Option<Secret>, StoreError> {
        let Some(secret) = self.to.load(name)? else { return self.fetch(name) };
        if fs::exists(self.path(name, "moving")).unwrap_or(false) {
            let _lock = self.lock(name)?;
            if let Err(error) = self.clean(name) {
                tracing::warn!(account = name, %error, "the login's old copy could not be deleted yet");
            }
        }
        Ok(Some(secret))
    }

    fn save(&self, name: &str, secret: &Secret) -> Result<(), StoreError> {
        let _lock = self.lock(name)?;
        self.to.save(name, secret)
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let _lock = self.lock(name)?;
        if self.to.load(name)?.is_none() {
            match self.from.remove(name) {
                Ok(()) | Err(StoreError::Unavailable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.clean(name)?;
        self.to.remove(name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::store::tests::keeps_its_promise;
    use super::super::store::{FileStore, MemoryStore};
    use super::*;
    use crate::files::faults;

    #[derive(Debug)]
    struct Shared(Arc<MemoryStore>, PathBuf);

    impl TokenStore for Shared {
        fn load(&self, name: &str) -> Result<Option<Secret>, StoreError> {
            self.0.load(name)
        }
        fn save(&self, name: &str, secret: &Secret) -> Result<(), StoreError> {
            self.step()?;
            self.0.save(name, secret)
        }
        fn remove(&self, name: &str) -> Result<(), StoreError> {
            self.step()?;
            self.0.remove(name)
        }
    }

    impl Shared {
        fn step(&self) -> Result<(), StoreError> {
            faults::step(&self.1).map_err(|source| StoreError::File { path: self.1.clone(), source })
        }
    }

    /// A store of its own and files, in a home.
    fn stores(home: &tempfile::TempDir, memory: &Arc<MemoryStore>) -> (Shared, FileStore, PathBuf) {
        let directory = home.path().to_owned();
        (Shared(Arc::clone(memory), directory.clone()), FileStore::new(directory.join("tokens")), directory)
    }

    fn copies(home: &tempfile::TempDir, memory: &Arc<MemoryStore>) -> (Option<Secret>, Option<Secret>) {
        let (memory, files, _) = stores(home, memory);
        (memory.load("0a0b0c0d").unwrap(), files.load("0a0b0c0d").unwrap())
    }

    #[test]
    fn a_store_with_another_behind_it_keeps_its_promise() {
        let (home, memory) = (tempfile::tempdir().unwrap(), Arc::default());
        let (memory, files, directory) = stores(&home, &memory);
        std::fs::create_dir(home.path().join("account-..")).unwrap();
        keeps_its_promise(&Moving::new(files, memory, directory));
    }

    #[test]
    fn a_move_cut_anywhere_leaves_the_secret_and_the_next_one_ends_it() {
        let secret = Secret::new("the login");
        for to_files in [true, false] {
            let mut steps = 0;
            loop {
                let (home, memory) = (tempfile::tempdir().unwrap(), Arc::<MemoryStore>::default());
                let (old, files, directory) = stores(&home, &memory);
                if to_files { old.save("0a0b0c0d", &secret) } else { files.save("0a0b0c0d", &secret) }
                    .unwrap();
                let load = || {
                    let (memory, files, directory) = stores(&home, &memory);
                    match to_files {
                        true => Moving::new(files, memory, directory).load("0a0b0c0d"),
                        false => Moving::new(memory, files, directory).load("0a0b0c0d"),
                    }
                };
                faults::allow(&directory, Some(steps));
                let cut = load();
                let was_cut = faults::step(&directory).is_err();
                faults::allow(&directory, None);
                assert!(
                    !matches!(cut, Ok(None)),
                    "{steps}: a login that is being moved is not a missing one"
                );
                assert_eq!(load().unwrap(), Some(secret.clone()), "{steps}");
                let expected =
                    if to_files { (None, Some(secret.clone())) } else { (Some(secret.clone()), None) };
                assert_eq!(copies(&home, &memory), expected, "{steps}: one copy, in the right place");
                assert!(!home.path().join("account-0a0b0c0d.moving").exists());
                if !was_cut {
                    break;
                }
                steps += 1;
            }
            assert!(steps > 5, "{steps}");
        }
    }
}

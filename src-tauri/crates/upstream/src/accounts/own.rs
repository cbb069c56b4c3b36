//! The secrets of one listed account, in the token store. The store is asked only when the list says that they changed.
//!
//! Not here: which accounts there are (`list.rs`) and renewing (`renew.rs`).

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::list::List;
use super::problem::AccountProblem;
use super::secret::Secret;
use super::store::{StoreError, TokenStore};
use super::tokens::Tokens;
use super::view::AccountId;
use crate::files::{self, Lock};

/// One account's tokens (of an API key account: the key, as the access token).
#[derive(Debug)]
pub(crate) struct Own {
    id: AccountId,
    list: Arc<List>,
    store: Arc<dyn TokenStore>,
    /// With the revision that they are.
    seen: Mutex<Option<(u64, Arc<Tokens>)>>,
    /// Held while the store is asked, with the last failure: a hanging keyring must cost those who wait behind each
    /// other one time limit, not one each.
    asking: Mutex<Option<(Instant, Arc<StoreError>)>>,
}

/// For this long a failed store is not asked again.
const PAUSE: Duration = Duration::from_secs(5);

impl Own {
    pub(crate) fn new(id: AccountId, list: Arc<List>, store: Arc<dyn TokenStore>) -> Self {
        Self { id, list, store, seen: Mutex::new(None), asking: Mutex::new(None) }
    }

    /// The tokens; `None` if the account is not in the list or not in the store. Blocks.
    pub(crate) fn read(&self) -> Result<Option<Arc<Tokens>>, Arc<StoreError>> {
        let Some(revision) = self.revision()? else { return Ok(None) };
        if let Some(tokens) = self.seen(revision) {
            return Ok(Some(tokens));
        }
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tokens) = self.seen(revision) {
            return Ok(Some(tokens));
        }
        match &*asking {
            Some((at, error)) if at.elapsed() < PAUSE => Err(Arc::clone(error)),
            _ => {
                let result = self.ask(revision).map_err(Arc::new);
                *asking = result.as_ref().err().map(|error| (Instant::now(), Arc::clone(error)));
                result
            }
        }
    }

    /// The same from the store itself.
    pub(crate) fn read_anew(&self) -> Result<Option<Arc<Tokens>>, Arc<StoreError>> {
        let Some(revision) = self.revision()? else { return Ok(None) };
        self.ask(revision).map_err(Arc::new)
    }

    fn revision(&self) -> Result<Option<u64>, StoreError> {
        let index = self.list.read()?;
        Ok(index.accounts.iter().find(|entry| entry.id == self.id).map(|entry| entry.revision))
    }

    fn seen(&self, revision: u64) -> Option<Arc<Tokens>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().filter(|(seen, _)| *seen == revision).map(|(_, tokens)| Arc::clone(tokens))
    }

    fn ask(&self, revision: u64) -> Result<Option<Arc<Tokens>>, StoreError> {
        let Some(text) = self.store.load(self.id.as_str())? else {
            tracing::warn!(account = %self.id, "the account is listed, but the token store does not hold its login");
            return Ok(None);
        };
        let tokens: Arc<Tokens> =
            Arc::new(serde_json::from_str(text.expose()).map_err(|_| StoreError::Damaged)?);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((revision, Arc::clone(&tokens)));
        Ok(Some(tokens))
    }

    /// Keeps renewed tokens, but only in the place of the ones that were spent for them: a login made meanwhile wins,
    /// and a removed account stays removed. Answers what the account holds afterwards. The caller has the account's
    /// lock; whoever could not get it and went on without is why this looks. Blocks.
    pub(crate) fn commit(
        &self,
        spent: &Secret,
        new: &Arc<Tokens>,
    ) -> Result<Option<Arc<Tokens>>, AccountProblem> {
        match self.read_anew().map_err(|error| AccountProblem::Store(error.to_string()))? {
            Some(tokens) if tokens.refresh_token.as_ref() == Some(spent) => {
                Ok(self.save(new)?.then(|| Arc::clone(new)))
            }
            other => Ok(other),
        }
    }

    /// Keeps the tokens: first in the store, then in the list, where other processes see that they are new. False if
    /// the account was removed meanwhile: then nothing is kept. Blocks.
    pub(crate) fn save(&self, tokens: &Arc<Tokens>) -> Result<bool, AccountProblem> {
        self.keep(tokens)?;
        let revision = self.list.edit(|index| {
            Ok(index.entry(&self.id).map(|entry| {
                entry.revision += 1;
                entry.revision
            }))
        })?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) =
            revision.map(|revision| (revision, Arc::clone(tokens)));
        if revision.is_none() {
            self.store.remove(self.id.as_str())?;
        }
        Ok(revision.is_some())
    }

    /// Puts the tokens into the store; the list does not say so yet. Blocks.
    pub(crate) fn keep(&self, tokens: &Tokens) -> Result<(), StoreError> {
        self.store.save(self.id.as_str(), &Secret::new(tokens.to_json().as_str()))
    }

    /// Held while a refresh token is spent and its successor stored; keeps two Dragomans apart.
    pub(crate) async fn lock(&self, limit: Duration) -> io::Result<Lock> {
        files::lock(self.list.directory().join(format!("account-{}.lock", self.id)), true, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::list::Entry;
    use super::super::store::MemoryStore;
    use super::super::view::AccountKind;
    use super::*;

    fn tokens(token: &str) -> Arc<Tokens> {
        Arc::new(serde_json::from_value(serde_json::json!({"access_token": token})).unwrap())
    }

    /// As one process has it.
    fn own(home: &tempfile::TempDir, store: &Arc<dyn TokenStore>) -> Own {
        let list = Arc::new(List::new(home.path().join("state")));
        let id = AccountId::of(AccountKind::Own, "me");
        list.edit(|index| {
            if index.entry(&id).is_none() {
                index.accounts.push(Entry::new(id.clone(), AccountKind::Own));
            }
            Ok(())
        })
        .unwrap();
        Own::new(id, list, Arc::clone(store))
    }

    #[test]
    fn renewed_tokens_replace_the_ones_they_were_made_of_and_no_others() {
        let home = tempfile::tempdir().unwrap();
        let store: Arc<dyn TokenStore> = Arc::new(MemoryStore::default());
        let own = own(&home, &store);
        let login = |refresh: &str| -> Arc<Tokens> {
            let tokens = serde_json::json!({ "access_token": "a", "refresh_token": refresh });
            Arc::new(serde_json::from_value(tokens).unwrap())
        };
        let spent = Secret::new("rt_1");
        own.save(&login("rt_1")).unwrap();
        assert_eq!(own.commit(&spent, &login("rt_2")).unwrap(), Some(login("rt_2")));
        // Somebody signed in anew.
        own.save(&login("rt_9")).unwrap();
        assert_eq!(own.commit(&spent, &login("rt_2")).unwrap(), Some(login("rt_9")));
        assert_eq!(own.read_anew().unwrap(), Some(login("rt_9")));
        // Somebody signed out: before, and in the middle.
        own.list
            .edit(|index| {
                index.accounts.clear();
                Ok(())
            })
            .unwrap();
        assert_eq!(own.commit(&Secret::new("rt_9"), &login("rt_10")).unwrap(), None);
        assert!(!own.save(&login("rt_10")).unwrap());
        assert_eq!(store.load(own.id.as_str()).unwrap(), None, "tokens of nobody are not left behind");
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
        let store = Arc::new(Hanging::default());
        let own = own(&home, &(Arc::clone(&store) as Arc<dyn TokenStore>));
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| own.read().unwrap_err());
            }
        });
        assert_eq!(store.0.load(std::sync::atomic::Ordering::SeqCst), 1);
    }

    #[test]
    fn another_process_sees_new_tokens_and_the_list_holds_none() {
        let home = tempfile::tempdir().unwrap();
        let store: Arc<dyn TokenStore> = Arc::new(MemoryStore::default());
        let (one, other) = (own(&home, &store), own(&home, &store));
        assert_eq!(one.read().unwrap(), None, "listed, but not in the store");
        one.save(&tokens("canary-3")).unwrap();
        assert_eq!(other.read().unwrap(), Some(tokens("canary-3")));
        one.save(&tokens("canary-4")).unwrap();
        assert_eq!(other.read().unwrap(), Some(tokens("canary-4")));
        let index = std::fs::read_to_string(home.path().join("state/accounts.json")).unwrap();
        assert!(!index.contains("canary"), "no token in the list: {index}");
    }
}

//! Which accounts there are: `accounts.json`, a plain list in the order of preference, without secrets.
//!
//! The list is apart from the token store so that a keyring is asked only when there is something in it: asking may
//! open a password window. It also tells other processes of ours that an account's tokens are new: each time they are
//! kept, the account's revision grows. Not here: the tokens (`own.rs`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::problem::AccountProblem;
use super::store::StoreError;
use super::view::{AccountId, AccountKind};
use crate::files::{self, Stamp};

/// From asking for the list's lock to having it. It is held for one small file only.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// The list as it stands in the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    #[serde(default)]
    pub(crate) accounts: Vec<Entry>,
    /// How often the user said which one to prefer; then every session chooses anew.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) wishes: u64,
}

/// One account in the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: AccountId,
    pub(crate) kind: AccountKind,
    /// What the user calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The e-mail address, as last seen in its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) added_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) paused: bool,
    /// Of linked accounts: where that Codex CLI keeps its login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) codex_home: Option<PathBuf>,
    /// How often the user wanted it to be tried although it rests.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) retries: u64,
    /// How often its tokens were kept.
    #[serde(default)]
    pub(crate) revision: u64,
}

/// The file and what was read of it last.
#[derive(Debug)]
pub(crate) struct List {
    directory: PathBuf,
    seen: Mutex<Option<(Stamp, Arc<Index>)>>,
}

impl List {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, seen: Mutex::new(None) }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self) -> PathBuf {
        self.directory.join("accounts.json")
    }

    /// The list now. Reads the file only if it has changed; blocks.
    pub(crate) fn read(&self) -> Result<Arc<Index>, StoreError> {
        let path = self.path();
        let stamp = files::stamp(&path).map_err(|source| StoreError::File { path: path.clone(), source })?;
        let Some(stamp) = stamp else { return Ok(Arc::default()) };
        if let Some((seen, index)) = &*self.seen.lock().unwrap_or_else(PoisonError::into_inner)
            && *seen == stamp
        {
            return Ok(Arc::clone(index));
        }
        let index = Arc::new(self.load()?);
        // If the file changed between stamp and read, the stamp is the older one and the next read looks again.
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamp, Arc::clone(&index)));
        Ok(index)
    }

    fn load(&self) -> Result<Index, StoreError> {
        let path = self.path();
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| StoreError::File {
                path,
                source: io::Error::new(io::ErrorKind::InvalidData, error),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Index::default()),
            Err(source) => Err(StoreError::File { path, source }),
        }
    }

    /// Changes the list; no other process of ours changes it meanwhile. Blocks.
    pub(crate) fn edit<T>(
        &self,
        change: impl FnOnce(&mut Index) -> Result<T, AccountProblem>,
    ) -> Result<T, AccountProblem> {
        let path = self.path();
        let file = |source| StoreError::File { path: path.clone(), source };
        files::create_private_directory(&self.directory).map_err(file)?;
        let _lock = self.lock().map_err(file)?;
        let mut index = self.load()?;
        let before = index.clone();
        let answer = change(&mut index)?;
        if index != before {
            let text = serde_json::to_vec_pretty(&index).map_err(|error| file(io::Error::other(error)))?;
            files::write_private(&path, ".accounts-", &text).map_err(file)?;
        }
        Ok(answer)
    }

    fn lock(&self) -> io::Result<files::Lock> {
        files::lock_blocking(&self.directory.join("accounts.lock"), LOCK_LIMIT)
    }
}

impl Index {
    /// The account that the user means: by its name, its e-mail address, its id or the beginning of it, or its place.
    pub(crate) fn find(&self, words: &str) -> Result<&Entry, AccountProblem> {
        let given = words.trim();
        let same = |text: &Option<String>| text.as_ref().is_some_and(|text| text.eq_ignore_ascii_case(given));
        let by = |test: &dyn Fn(&Entry) -> bool| {
            self.accounts.iter().filter(|entry| test(entry)).collect::<Vec<_>>()
        };
        let place = given.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
        let ways: [&dyn Fn(&Entry) -> bool; 4] = [
            &|entry| same(&entry.name),
            &|entry| same(&entry.label),
            &|entry| entry.id.as_str() == given,
            &|entry| given.len() >= 4 && entry.id.as_str().starts_with(given),
        ];
        for way in ways {
            match by(way)[..] {
                [] => {}
                [entry] => return Ok(entry),
                [..] => return Err(AccountProblem::Ambiguous { words: given.to_owned() }),
            }
        }
        place.and_then(|place| self.accounts.get(place)).ok_or_else(|| AccountProblem::Unknown {
            words: given.to_owned(),
            known: self.accounts.iter().map(Entry::called).collect(),
        })
    }

    /// Puts the Codex CLI's login that is used because there is no other into the list, so that something can be said
    /// about it.
    pub(crate) fn adopt(&mut self, found: Entry) {
        if self.accounts.is_empty() {
            self.accounts.push(found);
        }
    }

    pub(crate) fn entry(&mut self, id: &AccountId) -> Option<&mut Entry> {
        self.accounts.iter_mut().find(|entry| entry.id == *id)
    }
}

impl Entry {
    /// A new one.
    pub(crate) fn new(id: AccountId, kind: AccountKind) -> Self {
        Self {
            id,
            kind,
            name: None,
            label: None,
            plan: None,
            added_at: Some(Timestamp::now()),
            paused: false,
            codex_home: None,
            retries: 0,
            revision: 0,
        }
    }

    /// What people call it.
    pub(crate) fn called(&self) -> String {
        self.name.clone().or_else(|| self.label.clone()).unwrap_or_else(|| self.id.to_string())
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, name: Option<&str>, label: &str) -> Entry {
        let id = AccountId::try_from(id.to_owned()).unwrap();
        Entry { name: name.map(Into::into), label: Some(label.into()), ..Entry::new(id, AccountKind::Own) }
    }

    #[test]
    fn an_account_is_found_by_name_address_id_and_place() {
        let index = Index {
            accounts: vec![
                entry("00aa00aa", Some("work"), "a@example.com"),
                entry("00bb00bb", Some("2"), "b@example.com"),
                entry("11cc00bb", None, "b@example.com"),
            ],
            wishes: 0,
        };
        let id = |words: &str| index.find(words).map(|entry| entry.id.to_string());
        for (words, expected) in [
            ("work", "00aa00aa"),
            ("WORK ", "00aa00aa"),
            ("a@example.com", "00aa00aa"),
            ("00bb00bb", "00bb00bb"),
            ("11cc", "11cc00bb"),
            ("2", "00bb00bb"),
            ("3", "11cc00bb"),
        ] {
            assert_eq!(id(words).unwrap(), expected, "{words}");
        }
        assert!(matches!(id("b@example.com"), Err(AccountProblem::Ambiguous { .. })));
        for words in ["", "0", "4", "00", "nobody"] {
            let words = id(words).unwrap_err().to_string();
            assert!(
                words.contains("work") && words.contains("11cc00bb") || words.contains("b@example.com"),
                "{words}"
            );
        }
    }

    #[test]
    fn changes_of_two_processes_do_not_undo_each_other() {
        let home = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let list = List::new(home.path().join("state"));
                scope.spawn(move || {
                    for number in 0..10 {
                        let id = AccountId::of(AccountKind::Own, &format!("{thread} {number}"));
                        list.edit(|index| {
                            index.accounts.push(Entry::new(id, AccountKind::Own));
                            Ok(())
                        })
                        .unwrap();
                    }
                });
            }
        });
        assert_eq!(List::new(home.path().join("state")).read().unwrap().accounts.len(), 40);
    }

    #[test]
    fn a_broken_list_is_an_error_and_stays_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("accounts.json"), "{broken").unwrap();
        let list = List::new(home.path().to_owned());
        assert!(matches!(list.read(), Err(StoreError::File { .. })));
        assert!(list.edit(|_| Ok(())).is_err());
        assert_eq!(fs::read(home.path().join("accounts.json")).unwrap(), b"{broken");
    }
}

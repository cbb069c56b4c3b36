//! Where a Codex CLI keeps its login if not in `auth.json`: in the system's keyring (`upstream.md` §a.7; the entry's
//! form is that of Codex CLI 0.169, seen in a Secret Service).
//!
//! Not here: what the text in the entry means (`codex_auth.rs`), how a keyring is asked (`keyring.rs`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::keyring::KeyringStore;
use super::secret::Secret;
use super::store::StoreError;

/// What was read counts for this long. Asking costs a hundredth of a second or a password window; a login that changed
/// meanwhile shows when the old token is refused, and then the entry is read anew.
const FRESH: Duration = Duration::from_secs(30);

/// Where the CLI's settings say that it keeps its login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// In `auth.json`.
    File,
    /// In the system's keyring.
    Keyring,
    /// In the keyring if there is one, else in the file.
    Auto,
    /// Where nobody else reads it; the word of the settings.
    Hidden(String),
}

impl Keeping {
    /// One line of its `config.toml` counts; the rest of that file is not ours to read. Blocks.
    pub(crate) fn of(home: &Path) -> Self {
        let text = fs::read_to_string(home.join("config.toml")).unwrap_or_default();
        let word = text
            .lines()
            .map(str::trim)
            // Keys of a table are not the top-level one.
            .take_while(|line| !line.starts_with('['))
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| key.trim().trim_matches(['"', '\'']) == "cli_auth_credentials_store")
            .map(|(_, value)| {
                value.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
            });
        match word.as_deref() {
            Some("keyring") => Self::Keyring,
            Some("auto") => Self::Auto,
            Some(word @ ("ephemeral" | "secrets")) => Self::Hidden(word.to_owned()),
            Some(_) | None => Self::File,
        }
    }
}

/// Why the Codex CLI's entry in the keyring can't be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringTrouble {
    /// It is there, but closed.
    #[error("the system's keyring, where the Codex CLI keeps it, is locked; unlock it and try again")]
    Locked,
    /// There is none, or it fails.
    #[error(
        "the Codex CLI keeps it in the system's keyring, and there is no usable one here; start one, or set \
         cli_auth_credentials_store = \"file\" in the Codex CLI's config.toml and run `codex login` again"
    )]
    Absent,
    /// It does not answer.
    #[error(
        "the system's keyring, where the Codex CLI keeps it, did not answer within {seconds} s (is a password window open?)"
    )]
    Slow {
        /// How long it was waited for.
        seconds: u64,
    },
}

impl From<StoreError> for KeyringTrouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Locked(_) => Self::Locked,
            StoreError::TimedOut(limit) => Self::Slow { seconds: limit.as_secs() },
            StoreError::Unavailable(_) | StoreError::Damaged | StoreError::File { .. } => Self::Absent,
        }
    }
}

/// One Codex CLI's entry.
#[derive(Debug)]
pub(super) struct CodexKeyring {
    home: PathBuf,
    store: KeyringStore,
    /// Held while the keyring is asked: those who come meanwhile take the answer.
    read: Mutex<Option<(Instant, Answer)>>,
}

/// What the keyring answered.
type Answer = Result<Option<Secret>, KeyringTrouble>;

impl CodexKeyring {
    pub(super) fn of(home: PathBuf) -> Self {
        Self { home, store: KeyringStore::of_codex(), read: Mutex::default() }
    }

    /// The entry's name: the CLI has one for each of its homes.
    fn user(&self) -> String {
        let home = fs::canonicalize(&self.home).unwrap_or_else(|_| self.home.clone());
        let digest = Sha256::digest(home.to_string_lossy().as_bytes());
        let start: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("cli|{start}")
    }

    /// The text as it was read a moment ago. Blocks.
    pub(super) fn load(&self) -> Answer {
        self.ask(FRESH)
    }

    /// The text as it is now. Blocks.
    pub(super) fn load_anew(&self) -> Answer {
        self.ask(Duration::ZERO)
    }

    fn ask(&self, fresh: Duration) -> Answer {
        let begun = Instant::now();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match &*read {
            // Also what came while this waited for its turn: a hanging keyring costs its time limit once.
            Some((at, text)) if at.elapsed() < fresh || *at > begun => text.clone(),
            _ => {
                let text = self.store.entry(&self.user()).map_err(KeyringTrouble::from);
                *read = Some((Instant::now(), text.clone()));
                text
            }
        }
    }

    /// Puts another text into the entry. Blocks.
    pub(super) fn save(&self, text: Secret) -> Result<(), KeyringTrouble> {
        self.store.set_entry(&self.user(), text.clone())?;
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Ok(Some(text))));
        Ok(())
    }

    /// Deletes the entry. Blocks.
    pub(super) fn remove(&self) -> Result<(), KeyringTrouble> {
        self.store.remove_entry(&self.user())?;
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clis_settings_tell_where_the_login_is() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(Keeping::of(home.path()), Keeping::File);
        for (text, expected) in [
            ("cli_auth_credentials_store = \"keyring\"", Keeping::Keyring),
            ("model = \"x\"\n  cli_auth_credentials_store='auto' # why\n", Keeping::Auto),
            ("cli_auth_credentials_store = \"ephemeral\"", Keeping::Hidden("ephemeral".into())),
            ("cli_auth_credentials_store = \"file\"", Keeping::File),
            ("[profiles.a]\ncli_auth_credentials_store = \"keyring\"", Keeping::File),
            ("# cli_auth_credentials_store = \"keyring\"", Keeping::File),
        ] {
            fs::write(home.path().join("config.toml"), text).unwrap();
            assert_eq!(Keeping::of(home.path()), expected, "{text}");
        }
    }

    #[test]
    fn the_entry_is_named_after_the_home() {
        // `/` is what it is on every machine: sha256("/") begins so.
        assert_eq!(CodexKeyring::of("/".into()).user(), "cli|8a5edab282632443");
    }
}

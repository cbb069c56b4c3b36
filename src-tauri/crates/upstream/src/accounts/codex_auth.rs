//! The Codex CLI's `auth.json` (`upstream.md` §a.7): read live, rewritten under the CLI's own locks.
//!
//! Not here: when it is refreshed (`mod.rs`), the call that does (`refresh.rs`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::secret::Secret;
use super::tokens::{Renewed, Tokens};
use crate::files::{self, Lock, Stamp};

/// What the file holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// No file, or one without a login.
    Nothing,
    /// An API key: no subscription.
    ApiKey,
    /// A ChatGPT login.
    Login(Arc<Tokens>),
}

/// The linked login.
#[derive(Debug)]
pub(crate) struct CodexAuth {
    home: PathBuf,
    seen: Mutex<Option<(Stamp, Found)>>,
}

/// The parts that we understand.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auth_mode: Option<String>,
    #[serde(rename = "OPENAI_API_KEY", default)]
    api_key: Option<Secret>,
    #[serde(default)]
    tokens: Option<Tokens>,
    #[serde(default)]
    last_refresh: Option<Timestamp>,
}

impl CodexAuth {
    pub(crate) fn new(home: PathBuf) -> Self {
        Self { home, seen: Mutex::new(None) }
    }

    /// The directory, for messages.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    fn path(&self) -> PathBuf {
        self.home.join("auth.json")
    }

    /// What the file holds now. Reads it only if it has changed; blocks.
    pub(crate) fn read(&self) -> io::Result<Found> {
        let path = self.path();
        let Some(stamp) = files::stamp(&path)? else { return Ok(Found::Nothing) };
        if let Some((seen, found)) = &*self.seen.lock().unwrap_or_else(PoisonError::into_inner)
            && *seen == stamp
        {
            return Ok(found.clone());
        }
        self.read_anew()
    }

    /// What the file holds now, whatever its stamp says.
    pub(crate) fn read_anew(&self) -> io::Result<Found> {
        let path = self.path();
        let Some(stamp) = files::stamp(&path)? else { return Ok(Found::Nothing) };
        let text = match fs::read(&path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        };
        let found = parse(&text)?;
        // If the file changed between stamp and read, the stamp is the older one and the next read looks again.
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamp, found.clone()));
        Ok(found)
    }

    /// The lock that the CLI takes before it commits a refresh; ours is held from re-reading to renaming.
    pub(crate) async fn lock(&self, limit: Duration) -> io::Result<Lock> {
        files::lock(self.home.join("auth.lock"), false, limit).await
    }

    /// Puts renewed tokens into the file; everything else in it stays. Only if it still holds one of the refresh tokens
    /// that were spent: a login made meanwhile wins. Returns what the file holds afterwards. Blocks.
    pub(crate) fn commit(&self, spent: &[[u8; 32]], new: &Renewed, now: Timestamp) -> io::Result<Found> {
        let path = self.path();
        let text = Zeroizing::new(fs::read(&path)?);
        match parse(&text)? {
            Found::Login(tokens)
                if tokens
                    .refresh_token
                    .as_ref()
                    .is_some_and(|token| spent.contains(&token.fingerprint())) => {}
            other => return Ok(other),
        }
        let mut file: Map<String, Value> = serde_json::from_slice(&text).map_err(|_| malformed())?;
        let tokens = file.get_mut("tokens").and_then(Value::as_object_mut).ok_or_else(malformed)?;
        for (key, secret) in [
            ("id_token", &new.id_token),
            ("access_token", &new.access_token),
            ("refresh_token", &new.refresh_token),
        ] {
            if let Some(secret) = secret {
                tokens.insert(key.to_owned(), Value::from(secret.expose()));
            }
        }
        file.insert("last_refresh".to_owned(), Value::from(now.to_string()));
        let text = Zeroizing::new(serde_json::to_vec_pretty(&file).map_err(io::Error::other)?);
        let _lock = self.write_lock()?;
        files::write_private(&path, ".auth-", &text)?;
        self.read_anew()
    }

    /// Signs the CLI out here, as its own `codex logout` does. Blocks.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let _lock = self.write_lock()?;
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The CLI holds this one while it writes and does not wait for it. We wait a little, then write all the same:
    /// the old refresh token is spent, and the rename is atomic.
    fn write_lock(&self) -> io::Result<Option<Lock>> {
        let path = self.home.join("auth.json.lock");
        for _ in 0..20 {
            if let Some(lock) = files::try_lock(&path, true)? {
                return Ok(Some(lock));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        tracing::warn!("auth.json.lock is held by somebody else, writing renewed tokens without it");
        Ok(None)
    }
}

fn parse(text: &[u8]) -> io::Result<Found> {
    // serde's message could quote a value: only the fact is kept.
    let file: File = serde_json::from_slice(text).map_err(|_| malformed())?;
    let api_key = file.api_key.is_some_and(|key| !key.is_empty());
    let is_api_mode = match file.auth_mode.as_deref() {
        Some(mode) => mode.eq_ignore_ascii_case("apikey") || mode.eq_ignore_ascii_case("api_key"),
        None => api_key && file.tokens.is_none(),
    };
    Ok(match file.tokens {
        _ if is_api_mode => Found::ApiKey,
        Some(mut tokens) if !tokens.access_token.is_empty() => {
            tokens.last_refresh = file.last_refresh;
            Found::Login(Arc::new(tokens))
        }
        _ => Found::Nothing,
    })
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is not the JSON that the Codex CLI writes")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn home(text: &str) -> (tempfile::TempDir, CodexAuth) {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("auth.json"), text).unwrap();
        let auth = CodexAuth::new(home.path().to_owned());
        (home, auth)
    }

    fn login(found: Found) -> Arc<Tokens> {
        match found {
            Found::Login(tokens) => tokens,
            other => panic!("{other:?}"),
        }
    }

    fn fingerprint(found: Found) -> [u8; 32] {
        login(found).refresh_token.as_ref().unwrap().fingerprint()
    }

    #[test]
    fn the_modes_are_told_apart() {
        for (text, expected) in [
            (r#"{"auth_mode":"apikey","OPENAI_API_KEY":"sk-1"}"#, Found::ApiKey),
            (r#"{"OPENAI_API_KEY":"sk-1"}"#, Found::ApiKey),
            (
                r#"{"auth_mode":"apikey","OPENAI_API_KEY":"sk-1","tokens":{"access_token":"a"}}"#,
                Found::ApiKey,
            ),
            (r#"{"OPENAI_API_KEY":null,"tokens":null}"#, Found::Nothing),
            (r#"{}"#, Found::Nothing),
        ] {
            assert_eq!(home(text).1.read().unwrap(), expected, "{text}");
        }
        let tokens = login(
            home(r#"{"auth_mode":"chatgpt","tokens":{"access_token":"a","new_key":1}}"#).1.read().unwrap(),
        );
        assert_eq!(tokens.access_token, Secret::new("a"));
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(CodexAuth::new(empty.path().to_owned()).read().unwrap(), Found::Nothing);
    }

    #[test]
    fn a_broken_file_is_an_error_that_quotes_nothing() {
        for text in ["", "{", r#"{"tokens":{"access_token":{"canary":1}}}"#, r#"{"tokens":"canary"}"#] {
            let error = home(text).1.read().unwrap_err();
            assert!(!format!("{error:?} {error}").contains("canary"));
        }
    }

    #[test]
    fn the_file_is_read_again_when_it_changes() {
        let (directory, auth) = home(r#"{"tokens":{"access_token":"a"}}"#);
        assert_eq!(login(auth.read().unwrap()).access_token, Secret::new("a"));
        files::write_private(
            &directory.path().join("auth.json"),
            ".t",
            br#"{"tokens":{"access_token":"b"}}"#,
        )
        .unwrap();
        assert_eq!(login(auth.read().unwrap()).access_token, Secret::new("b"));
        fs::remove_file(directory.path().join("auth.json")).unwrap();
        assert_eq!(auth.read().unwrap(), Found::Nothing);
    }

    #[test]
    fn a_commit_keeps_unknown_keys_and_replaces_the_rest() {
        let before = json!({
            "auth_mode": "chatgpt", "OPENAI_API_KEY": null, "future": {"a": [1, 2.5]},
            "tokens": {"id_token": "i", "access_token": "a", "refresh_token": "r1", "account_id": "acct",
                       "login_owner_id": "o", "oauth_provenance": {"issuer": "x"}},
            "last_refresh": "2026-01-01T00:00:00Z"
        });
        let (directory, auth) = home(&before.to_string());
        let spent = fingerprint(auth.read().unwrap());
        let new = Renewed {
            id_token: None,
            access_token: Some(Secret::new("a2")),
            refresh_token: Some(Secret::new("r2")),
        };
        let now: Timestamp = "2026-11-20T15:16:07Z".parse().unwrap();
        let after = login(auth.commit(&[spent], &new, now).unwrap());
        assert_eq!(after.refresh_token, Some(Secret::new("r2")));

        let path = directory.path().join("auth.json");
        let text = fs::read_to_string(&path).unwrap();
        let mut expected = before;
        expected["tokens"]["access_token"] = json!("a2");
        expected["tokens"]["refresh_token"] = json!("r2");
        expected["last_refresh"] = json!("2026-11-20T15:16:07Z");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
        assert!(text.starts_with("{\n  \"") && text.ends_with('}'), "two spaces, no line break at the end");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let lock = directory.path().join("auth.json.lock");
            assert_eq!(fs::metadata(lock).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_login_made_meanwhile_is_not_overwritten() {
        let (directory, auth) = home(r#"{"tokens":{"access_token":"a","refresh_token":"r1"}}"#);
        let spent = fingerprint(auth.read().unwrap());
        let newer = r#"{"tokens":{"access_token":"z","refresh_token":"r9"}}"#;
        fs::write(directory.path().join("auth.json"), newer).unwrap();
        let new = Renewed { access_token: Some(Secret::new("a2")), ..Renewed::default() };
        let after = login(auth.commit(&[spent], &new, Timestamp::UNIX_EPOCH).unwrap());
        assert_eq!(after.access_token, Secret::new("z"));
        assert_eq!(fs::read_to_string(directory.path().join("auth.json")).unwrap(), newer);
    }
}

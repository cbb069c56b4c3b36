//! The Codex CLI's login (`upstream.md` §a.7), in its `auth.json` or in the system's keyring: read live, rewritten under
//! the CLI's own locks.
//!
//! Not here: when it is refreshed (`mod.rs`), the call that does (`refresh.rs`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::codex_keyring::{CodexKeyring, Keeping, KeyringTrouble};
use super::secret::Secret;
use super::tokens::Tokens;
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
    keyring: CodexKeyring,
    /// The keyring may be asked. Not for a login that is only looked for: asking may open a password window.
    may_ask: AtomicBool,
}

/// Why the login can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error("{0}")]
    File(#[from] io::Error),
    #[error("{0}")]
    Keyring(#[from] KeyringTrouble),
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
    /// The login in the file.
    pub(crate) fn new(home: PathBuf) -> Self {
        let keyring = CodexKeyring::of(home.clone());
        Self { home, seen: Mutex::new(None), keyring, may_ask: AtomicBool::new(false) }
    }

    /// The login wherever the CLI's settings say that it is.
    pub(crate) fn anywhere(home: PathBuf) -> Self {
        let auth = Self::new(home);
        auth.allow_keyring();
        auth
    }

    /// The user wants this login: from now on it is also looked for in the keyring.
    pub(crate) fn allow_keyring(&self) {
        self.may_ask.store(true, Ordering::Relaxed);
    }

    fn is_in_keyring(&self) -> bool {
        self.may_ask.load(Ordering::Relaxed)
            && match Keeping::of(&self.home) {
                Keeping::Keyring => true,
                // Where there is no keyring the CLI takes the file; what it keeps in the keyring it deletes there.
                Keeping::Auto => !self.path().exists(),
                Keeping::File | Keeping::Hidden(_) => false,
            }
    }

    /// The directory, for messages.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    fn path(&self) -> PathBuf {
        self.home.join("auth.json")
    }

    /// The login now. A file is read only if it has changed, a keyring now and then; blocks.
    pub(crate) fn read(&self) -> Result<Found, Unread> {
        if self.is_in_keyring() {
            return entry(self.keyring.load()?.as_ref());
        }
        let path = self.path();
        let Some(stamp) = files::stamp(&path)? else { return Ok(Found::Nothing) };
        if let Some((seen, found)) = &*self.seen.lock().unwrap_or_else(PoisonError::into_inner)
            && *seen == stamp
        {
            return Ok(found.clone());
        }
        self.read_anew()
    }

    /// The login now, whatever is known of it.
    pub(crate) fn read_anew(&self) -> Result<Found, Unread> {
        if self.is_in_keyring() {
            return entry(self.keyring.load_anew()?.as_ref());
        }
        let path = self.path();
        let Some(stamp) = files::stamp(&path)? else { return Ok(Found::Nothing) };
        let text = match fs::read(&path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(error.into()),
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

    /// Puts renewed tokens in the place of the old ones; everything else stays. Only if it still holds one of the refresh
    /// tokens that was spent: a login made meanwhile wins. Returns what is there afterwards. Blocks.
    pub(crate) fn commit(&self, spent: &Secret, new: &Tokens) -> Result<Found, Unread> {
        let is_in_keyring = self.is_in_keyring();
        let text = match is_in_keyring {
            true => match self.keyring.load_anew()? {
                Some(text) => Zeroizing::new(text.expose().as_bytes().to_vec()),
                None => return Ok(Found::Nothing),
            },
            false => Zeroizing::new(fs::read(self.path())?),
        };
        match parse(&text)? {
            Found::Login(tokens) if tokens.refresh_token.as_ref() == Some(spent) => {}
            other => return Ok(other),
        }
        let text = Zeroizing::new(edited(std::str::from_utf8(&text).map_err(|_| malformed())?, new)?);
        let _lock = self.write_lock()?;
        match is_in_keyring {
            true => self.keyring.save(Secret::new(text.as_str()))?,
            false => files::write_private(&self.path(), ".auth-", text.as_bytes())?,
        }
        self.read_anew()
    }

    /// Signs the CLI out here, as its own `codex logout` does. Blocks.
    pub(crate) fn remove(&self) -> Result<(), Unread> {
        let _lock = self.write_lock()?;
        if self.is_in_keyring() {
            self.keyring.remove()?;
        }
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
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

/// What an entry of the keyring holds.
fn entry(text: Option<&Secret>) -> Result<Found, Unread> {
    match text {
        Some(text) => Ok(parse(text.expose().as_bytes())?),
        None => Ok(Found::Nothing),
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

/// The file's text with these tokens in place of the old ones. Every other byte stays: order, spaces, numbers, unknown
/// keys.
fn edited(text: &str, new: &Tokens) -> io::Result<String> {
    /// Also `null` is a place.
    fn place<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
        <&RawValue>::deserialize(from).map(Some)
    }
    #[derive(Deserialize)]
    struct Top<'a> {
        #[serde(borrow)]
        tokens: &'a RawValue,
        #[serde(borrow, default, deserialize_with = "place")]
        last_refresh: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Inner<'a> {
        #[serde(borrow, default, deserialize_with = "place")]
        id_token: Option<&'a RawValue>,
        #[serde(borrow, default, deserialize_with = "place")]
        access_token: Option<&'a RawValue>,
        #[serde(borrow, default, deserialize_with = "place")]
        refresh_token: Option<&'a RawValue>,
    }
    let top: Top<'_> = serde_json::from_str(text).map_err(|_| malformed())?;
    let inner: Inner<'_> = serde_json::from_str(top.tokens.get()).map_err(|_| malformed())?;
    let start = |part: &str| (part.as_ptr() as usize) - (text.as_ptr() as usize);
    // A key that is not there yet goes first into its object.
    let (at_top, at_tokens) = (text.find('{').map_or(0, |at| at + 1), start(top.tokens.get()) + 1);
    let last_refresh = new.last_refresh.map(|at| at.to_string());
    let mut edits = Vec::new();
    for (key, place, value, first) in [
        ("id_token", inner.id_token, new.id_token.as_ref().map(Secret::expose), at_tokens),
        ("access_token", inner.access_token, Some(new.access_token.expose()), at_tokens),
        ("refresh_token", inner.refresh_token, new.refresh_token.as_ref().map(Secret::expose), at_tokens),
        ("last_refresh", top.last_refresh, last_refresh.as_deref(), at_top),
    ] {
        let Some(value) = value else { continue };
        let value = Zeroizing::new(serde_json::to_string(value).map_err(io::Error::other)?);
        edits.push(match place {
            Some(old) => (start(old.get())..start(old.get()) + old.get().len(), value),
            None => (first..first, Zeroizing::new(format!("\"{key}\": {}, ", *value))),
        });
    }
    edits.sort_by_key(|(range, _)| range.start);
    let (mut out, mut done) = (String::with_capacity(text.len() + 4096), 0);
    for (range, value) in edits {
        out.push_str(&text[done..range.start]);
        out.push_str(&value);
        done = range.end;
    }
    out.push_str(&text[done..]);
    Ok(out)
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

    fn refresh(found: Found) -> Secret {
        login(found).refresh_token.clone().unwrap()
    }

    fn tokens(access: &str, refresh: &str, at: Timestamp) -> Tokens {
        let tokens =
            json!({"access_token": access, "refresh_token": refresh, "last_refresh": at.to_string()});
        serde_json::from_value(tokens).unwrap()
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
        const TEXT: &str = r#"{"zeta": 1, "auth_mode": "chatgpt", "OPENAI_API_KEY": null, "future": {"b": [1, 2.5], "a": {}},
            "tokens": {"refresh_token": "r1", "id_token": "i", "access_token": "a", "account_id": "acct",
                       "login_owner_id": "o", "oauth_provenance": {"issuer": "x"}},
            "last_refresh": "2026-01-01T00:00:00Z", "alpha": 12345678901234567890123}"#;
        let (directory, auth) = home(TEXT);
        let spent = refresh(auth.read().unwrap());
        let now: Timestamp = "2026-11-20T15:16:07Z".parse().unwrap();
        let after = login(auth.commit(&spent, &tokens("a2", "r2", now)).unwrap());
        assert_eq!(after.refresh_token, Some(Secret::new("r2")));

        let path = directory.path().join("auth.json");
        let text = fs::read_to_string(&path).unwrap();
        let expected = TEXT
            .replace(r#""access_token": "a""#, r#""access_token": "a2""#)
            .replace("\"r1\"", "\"r2\"")
            .replace("2026-01-01T00:00:00Z", "2026-11-20T15:16:07Z");
        assert_eq!(text, expected);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let lock = directory.path().join("auth.json.lock");
            assert_eq!(fs::metadata(lock).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn keys_that_were_missing_or_null_are_there_afterwards() {
        for text in [
            r#"{"tokens":{"access_token":"a","refresh_token":"r1"}}"#,
            r#"{"last_refresh":null,"tokens":{"access_token":"a","refresh_token":"r1","id_token":null}}"#,
        ] {
            let (_directory, auth) = home(text);
            let new =
                Tokens { id_token: Some(Secret::new("i\"2")), ..tokens("a2", "r2", Timestamp::UNIX_EPOCH) };
            let after = login(auth.commit(&Secret::new("r1"), &new).unwrap());
            assert_eq!(*after, new, "{text}");
        }
    }

    #[test]
    fn a_login_made_meanwhile_is_not_overwritten() {
        let (directory, auth) = home(r#"{"tokens":{"access_token":"a","refresh_token":"r1"}}"#);
        let spent = refresh(auth.read().unwrap());
        let newer = r#"{"tokens":{"access_token":"z","refresh_token":"r9"}}"#;
        fs::write(directory.path().join("auth.json"), newer).unwrap();
        let after = login(auth.commit(&spent, &tokens("a2", "r2", Timestamp::UNIX_EPOCH)).unwrap());
        assert_eq!(after.access_token, Secret::new("z"));
        assert_eq!(fs::read_to_string(directory.path().join("auth.json")).unwrap(), newer);
    }
}

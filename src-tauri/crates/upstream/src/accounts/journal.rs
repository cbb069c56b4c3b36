//! What must outlive a crash in the middle of a renewal: that a refresh token was sent to be spent, and what came back.
//!
//! A refresh token works once. From the moment the issuer takes it until its successor is stored, the only copy of the
//! login is on its way. The token store may be slow (a keyring asks its owner) or refuse, so the answer is first put
//! here: one small file, renamed into place as soon as the last byte has arrived. It is sealed with a key made of the
//! spent token, which only the token store knows: the file alone is of no use to anybody. What no file can save is an
//! answer that never arrived; then the mark at least says what happened.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::secret::Secret;
use super::tokens::Tokens;
use super::view::AccountId;
use crate::files;

/// One account's file.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    path: PathBuf,
}

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Page {
    /// Which refresh token the login's own store held when this was written: the seal is made of it.
    kept: String,
    /// Unix seconds.
    at: i64,
    /// Newer tokens than the store holds, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// Which refresh token was sent to be spent, if nothing came back yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<String>,
    /// The issuer takes the newest refresh token no more: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
}

/// What a renewal that broke off left behind.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Left {
    /// Newer tokens than the store holds.
    pub(super) tokens: Option<Tokens>,
    /// The newest refresh token was sent to be spent, and it is not known what became of it.
    pub(super) sent: bool,
    /// The newest refresh token is dead: why.
    pub(super) ended: Option<String>,
}

impl Journal {
    pub(super) fn new(directory: &Path, account: &AccountId) -> Self {
        Self { path: directory.join(format!("account-{account}.renewal")) }
    }

    /// The newest token is about to be sent; `kept` is what the store holds, and `newer` what it does not hold yet.
    /// Blocks.
    pub(super) fn sent(&self, kept: &Secret, newer: Option<&Tokens>, at: i64) -> io::Result<()> {
        let token = newer.and_then(|tokens| tokens.refresh_token.as_ref()).unwrap_or(kept);
        let answer = newer.map(|tokens| seal(kept, tokens)).transpose()?;
        self.write(&Page { kept: name(kept), at, answer, sent: Some(name(token)), ended: None })
    }

    /// The newest token will not be taken again: no process needs to try. Blocks.
    pub(super) fn ended(&self, kept: &Secret, newer: Option<&Tokens>, why: &str, at: i64) -> io::Result<()> {
        let answer = newer.map(|tokens| seal(kept, tokens)).transpose()?;
        self.write(&Page { kept: name(kept), at, answer, sent: None, ended: Some(why.to_owned()) })
    }

    /// These tokens came back. Blocks.
    pub(super) fn answered(&self, kept: &Secret, newer: &Tokens, at: i64) -> io::Result<()> {
        self.write(&Page { kept: name(kept), at, answer: Some(seal(kept, newer)?), sent: None, ended: None })
    }

    /// Nothing is under way any more, and the store holds the newest. Blocks.
    pub(super) fn close(&self) {
        if let Err(error) = files::remove(&self.path) {
            tracing::warn!(%error, "the mark of a renewal cannot be removed");
        }
    }

    /// What was left behind by a renewal for the login that the store holds. Blocks.
    pub(super) fn left(&self, kept: &Secret) -> Left {
        let Ok(text) = fs::read(&self.path) else { return Left::default() };
        let Ok(page) = serde_json::from_slice::<Page>(&text) else { return Left::default() };
        if page.kept != name(kept) {
            return Left::default();
        }
        let tokens = page.answer.and_then(|sealed| open(kept, &sealed));
        let newest = tokens.as_ref().and_then(|tokens| tokens.refresh_token.as_ref()).unwrap_or(kept);
        Left { sent: page.sent == Some(name(newest)), ended: page.ended, tokens }
    }

    fn write(&self, page: &Page) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            files::create_private_directory(directory)?;
        }
        let text = serde_json::to_vec(page).map_err(io::Error::other)?;
        files::write_private(&self.path, ".renewal-", &text)
    }
}

/// The beginning of a hash: refresh tokens are random and long, so it tells nothing about them.
fn name(token: &Secret) -> String {
    token.fingerprint().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn key(token: &Secret) -> io::Result<LessSafeKey> {
    // Another hash than the name's. No slow derivation: the token itself is a random key.
    let mut hash = Sha256::new();
    hash.update(b"dragoman renewal 1\0");
    hash.update(token.expose().as_bytes());
    let bytes = Zeroizing::new(<[u8; 32]>::from(hash.finalize()));
    UnboundKey::new(&CHACHA20_POLY1305, &*bytes)
        .map(LessSafeKey::new)
        .map_err(|_| io::Error::other("a key of the wrong length"))
}

/// Nonce, then the sealed text; in base64.
fn seal(kept: &Secret, tokens: &Tokens) -> io::Result<String> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new()
        .fill(&mut nonce)
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    let mut sealed = tokens.to_json().as_bytes().to_vec();
    key(kept)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
        .map_err(|_| io::Error::other("the tokens cannot be sealed"))?;
    Ok(STANDARD.encode([&nonce[..], &sealed].concat()))
}

fn open(kept: &Secret, sealed: &str) -> Option<Tokens> {
    let sealed = STANDARD.decode(sealed).ok()?;
    let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut text = Zeroizing::new(text.to_vec());
    let text = key(kept).ok()?.open_in_place(nonce, Aad::empty(), &mut text).ok()?;
    serde_json::from_slice(text).ok()
}

#[cfg(test)]
mod tests {
    use super::super::view::AccountKind;
    use super::*;

    fn tokens(name: &str) -> Tokens {
        serde_json::from_value(serde_json::json!({"access_token": format!("{name}-access"),
            "refresh_token": format!("{name}-refresh")}))
        .unwrap()
    }

    #[test]
    fn what_was_left_is_read_back_by_whoever_knows_the_kept_token_and_by_nobody_else() {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::new(home.path(), &AccountId::of(AccountKind::Own, "me"));
        let (kept, other) = (Secret::new("rt_canary_old"), Secret::new("rt_other"));
        assert_eq!(journal.left(&kept), Left::default());
        journal.sent(&kept, None, 1).unwrap();
        assert_eq!(journal.left(&kept), Left { sent: true, ..Left::default() });
        assert_eq!(journal.left(&other), Left::default());
        journal.answered(&kept, &tokens("canary"), 2).unwrap();
        assert_eq!(journal.left(&kept), Left { tokens: Some(tokens("canary")), ..Left::default() });
        assert_eq!(journal.left(&other), Left::default());
        // The store still refuses, and the next token goes out.
        journal.sent(&kept, Some(&tokens("canary")), 3).unwrap();
        assert_eq!(journal.left(&kept), Left { tokens: Some(tokens("canary")), sent: true, ended: None });

        journal.ended(&kept, Some(&tokens("canary")), "over", 4).unwrap();
        assert_eq!(journal.left(&kept).ended.as_deref(), Some("over"));

        let text = fs::read_to_string(&journal.path).unwrap();
        assert!(!text.contains("canary") && !text.contains("rt_"), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&journal.path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        // Somebody wrote into it: it holds no tokens then.
        let page: Page = serde_json::from_str(&text).unwrap();
        let mut sealed = STANDARD.decode(page.answer.as_ref().unwrap()).unwrap();
        sealed[20] ^= 1;
        journal.write(&Page { answer: Some(STANDARD.encode(sealed)), ..page }).unwrap();
        assert_eq!(journal.left(&kept).tokens, None);
        fs::write(&journal.path, "{broken").unwrap();
        assert_eq!(journal.left(&kept), Left::default());
        journal.close();
        journal.close();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}

//! The signature of a thinking block: where the backend's encrypted reasoning travels through the client and back.
//!
//! Clients replay a signature byte for byte (`claude-code.md` §0.11), so no memory of ours is needed and a restart
//! loses nothing. Form: `dragoman1~<checksum>~<model>~<account>~<item id>~<encrypted content>`. The checksum guards
//! against a client that cut or changed it, model and account against sending ciphertext where it can't be read.

use std::borrow::Cow;
use std::collections::HashSet;

use sha2::{Digest, Sha256};

const HEAD: &str = "dragoman1~";

/// Stands for one ciphertext: the envelope's checksum.
pub type Checksum = u32;

/// Ciphertexts that the backend has refused to read.
pub type StaleReasoning = HashSet<Checksum>;

/// What one reasoning item needs to live on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The upstream model.
    pub model: Cow<'a, str>,
    /// The account's tag, not its id.
    pub account: Cow<'a, str>,
    /// The reasoning item's id; may be empty.
    pub item_id: Cow<'a, str>,
    /// The ciphertext.
    pub encrypted_content: Cow<'a, str>,
}

impl<'a> Envelope<'a> {
    /// The signature. An item id that could not be read back is left out.
    pub fn seal(&self) -> String {
        let item_id = if self.item_id.contains('~') { "" } else { self.item_id.as_ref() };
        let rest = format!("{}~{}~{item_id}~{}", self.model, self.account, self.encrypted_content);
        format!("{HEAD}{}~{rest}", checksum(&rest))
    }

    /// The checksum that a signature shows, whether it is true or not.
    pub(super) fn checksum_of(signature: &str) -> Option<Checksum> {
        let (sum, _) = signature.strip_prefix(HEAD)?.split_once('~')?;
        Checksum::from_str_radix(sum, 16).ok()
    }

    /// Reads a signature back. `None` for one that is not ours or no longer whole.
    pub fn open(signature: &'a str) -> Option<Self> {
        let (sum, rest) = signature.strip_prefix(HEAD)?.split_once('~')?;
        if sum != checksum(rest) {
            return None;
        }
        let mut parts = rest.splitn(4, '~').map(Cow::Borrowed);
        Some(Self {
            model: parts.next()?,
            account: parts.next()?,
            item_id: parts.next()?,
            encrypted_content: parts.next()?,
        })
    }
}

impl Envelope<'_> {
    /// The same, borrowing nothing.
    pub fn into_owned<'b>(self) -> Envelope<'b> {
        Envelope {
            model: Cow::Owned(self.model.into_owned()),
            account: Cow::Owned(self.account.into_owned()),
            item_id: Cow::Owned(self.item_id.into_owned()),
            encrypted_content: Cow::Owned(self.encrypted_content.into_owned()),
        }
    }
}

fn checksum(text: &str) -> String {
    short_hash(text, 4)
}

/// The first `bytes` of SHA-256, in hex.
pub(crate) fn short_hash(text: &str, bytes: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope<'static> {
        Envelope {
            model: "gpt-6.1-sol".into(),
            account: "0011aabb".into(),
            item_id: "rs_1".into(),
            encrypted_content: "gAAAA~with~tildes==".into(),
        }
    }

    #[test]
    fn what_is_sealed_opens_again() {
        let sealed = envelope().seal();
        assert_eq!(Envelope::open(&sealed), Some(envelope()));
    }

    #[test]
    fn anything_cut_changed_or_foreign_stays_shut() {
        let sealed = envelope().seal();
        for end in 0..sealed.len() {
            assert_eq!(Envelope::open(&sealed[..end]), None);
        }
        assert_eq!(Envelope::open(&sealed.replace("sol", "sun")), None);
        assert_eq!(Envelope::open("EqQBCgIYAhIM"), None);
        assert_eq!(Envelope::open(""), None);
    }
}

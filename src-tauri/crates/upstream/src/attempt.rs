//! One turn of the model as the caller describes it, and what may differ between two tries of it.

use std::fmt;

use dragoman_protocol::failure::Failure;
use dragoman_protocol::route::{Dialect, Pool};
use sha2::{Digest, Sha256};

use crate::accounts::AccountId;

/// Which account a request is made for, without naming it: eight hex digits of a hash, `demo` for the demo backend.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccountTag(String);

impl AccountTag {
    /// The tag of the demo backend.
    pub fn demo() -> Self {
        Self("demo".to_owned())
    }

    /// The tag of a ChatGPT account id.
    pub fn of(account_id: &str) -> Self {
        let digest = Sha256::digest(account_id.as_bytes());
        Self(digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The eight digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who a request is for, as far as that decides which account answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane<'a> {
    /// The session; `""`: none.
    pub session: &'a str,
    /// Only accounts of this pool; `None`: any.
    pub pool: Option<Pool>,
}

impl<'a> Lane<'a> {
    /// Any account may answer in this session.
    pub fn open(session: &'a str) -> Self {
        Self { session, pool: None }
    }
}

/// What a request body was translated for. When the backend objects, the client changes a member and asks for another
/// translation ([`Turn::again`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The login in our list that it is made with.
    pub login: AccountId,
    /// The account; replayed reasoning belongs to one.
    pub account: AccountTag,
    /// The dialect.
    pub dialect: Dialect,
    /// False: replayed reasoning is dropped, the backend can't decrypt it any more.
    pub reasoning: bool,
    /// False: tools that were loaded later stand with the others at the beginning, the backend takes them nowhere else
    /// (DECISIONS 11).
    pub late_tools: bool,
    /// True: `"instructions": ""` is added, the backend insists on the field (DECISIONS 8).
    pub instructions: bool,
}

/// One request to the model.
pub struct Turn {
    /// The upstream model.
    pub model: String,
    /// Whose accounts may answer; `None`: anybody's.
    pub pool: Option<Pool>,
    /// The service tier that the body asks for.
    pub tier: Option<String>,
    /// `session-id` (DECISIONS 6).
    pub session: String,
    /// `thread-id`.
    pub thread: String,
    /// The number in `x-codex-window-id`.
    pub window: u64,
    /// True if this goes on with the user's turn (its last message is a tool result): the backend's sticky routing
    /// token is sent back.
    pub continues: bool,
    /// What `body` was translated for.
    pub attempt: Attempt,
    /// The Responses request.
    pub body: Vec<u8>,
    /// Translates again, for another attempt.
    pub again: Box<Translate>,
}

/// See [`Turn::again`].
type Translate = dyn Fn(&Attempt) -> Result<Vec<u8>, Failure> + Send + Sync;

impl Turn {
    pub(crate) fn lane(&self) -> Lane<'_> {
        Lane { session: &self.session, pool: self.pool }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body is the user's conversation: its size is all that may be seen.
        f.debug_struct("Turn")
            .field("model", &self.model)
            .field("tier", &self.tier)
            .field("thread", &self.thread)
            .field("window", &self.window)
            .field("continues", &self.continues)
            .field("attempt", &self.attempt)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_eight_hex_digits_and_does_not_show_the_account() {
        let tag = AccountTag::of("acct-1");
        assert_eq!(tag.as_str().len(), 8);
        assert!(tag.as_str().chars().all(|c| c.is_ascii_hexdigit()));
        assert_eq!(tag, AccountTag::of("acct-1"));
        assert_ne!(tag, AccountTag::of("acct-2"));
    }
}

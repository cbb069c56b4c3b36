//! Why something that the user wanted done with an account was not done.

use super::store::StoreError;

/// What keeps an account verb from its end. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AccountProblem {
    /// No account is called so.
    #[error("{}", unknown(words, known))]
    Unknown {
        /// What was asked for.
        words: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Several accounts are called so.
    #[error("more than one account is called {words:?}; use its id (`dragoman accounts list` shows it)")]
    Ambiguous {
        /// What was asked for.
        words: String,
    },
    /// The name can't be given.
    #[error("the name {name:?} can't be used: {why}")]
    Name {
        /// What was asked for.
        name: String,
        /// Why not, and what would be right.
        why: &'static str,
    },
    /// The Codex CLI's login that was found by itself can't be changed as a listed account can.
    #[error("{0}")]
    NotListed(&'static str),
    /// There are no accounts with the demo backend.
    #[error("the demo backend has no accounts; run this without --backend demo")]
    Demo,
    /// There is no login to link.
    #[error("{0}")]
    NoLogin(String),
    /// The list or the token store can't be used.
    #[error("{0}")]
    Store(String),
    /// The login can't be used or renewed: the words for the user.
    #[error("{0}")]
    Failed(String),
}

impl From<StoreError> for AccountProblem {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

fn unknown(words: &str, known: &[String]) -> String {
    match known {
        [] => "there is no account yet; sign in with `dragoman login` or `codex login`".to_owned(),
        known => format!("no account is called {words:?}; there are: {}", known.join(", ")),
    }
}

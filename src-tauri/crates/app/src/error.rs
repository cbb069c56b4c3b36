//! What can keep Dragoman from doing what it was asked, told to the person who asked: what happened, what to do.
//!
//! Not here: what goes wrong with one request (`dragoman_protocol::failure`).

use std::io;
use std::path::{Path, PathBuf};

use crate::settings::Problem;

/// Everything that makes a verb of [`crate::App`] fail.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nowhere to keep anything.
    #[error("this user has no home directory; set DRAGOMAN_HOME to a directory of your choice")]
    NoHome,
    /// The settings can't be used.
    #[error("the settings can't be used: {0}")]
    Settings(#[from] Problem),
    /// A file of ours can't be read or written.
    #[error("could not {action} {}: {source}", path.display())]
    File {
        /// `read`, `write`, …
        action: &'static str,
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The local token can't be sent in a header.
    #[error("the client token from {origin} can't be used: {message}")]
    Token {
        /// The variable or file.
        origin: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// The listener could not be opened.
    #[error("{0}")]
    Listen(#[from] dragoman_proxy::Error),
    /// The client of the backend could not be built.
    #[error("{}", chain(.0))]
    Upstream(#[from] dragoman_upstream::Error),
    /// Something that was to be done with an account.
    #[error("{0}")]
    Account(#[from] dragoman_upstream::AccountProblem),
    /// There are several accounts, and none was named.
    #[error("there are several accounts ({accounts}); name the one to sign out of")]
    WhichAccount {
        /// What they are called.
        accounts: String,
    },
    /// Claude Code's settings stay as they are.
    #[error("{0}")]
    ClaudeCode(#[from] crate::claude_code::Refused),
    /// The usage history can't be read or changed.
    #[error("the usage history can't be used: {0}")]
    History(String),
    /// What was recorded can't be shown or replayed.
    #[error("{0}")]
    NotACase(#[from] crate::case::NotACase),
    /// A wish about newer versions.
    #[error("{0}")]
    Update(#[from] crate::updates::NoUpdate),
    /// The program is ending.
    #[error("Dragoman is stopping")]
    Stopping,
}

impl Error {
    /// Is the port taken by someone else?
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Listen(dragoman_proxy::Error::Busy { .. }))
    }

    /// Is there no server, or no place for one?
    pub fn is_about_the_server(&self) -> bool {
        self.is_busy() || matches!(self, Self::ClaudeCode(crate::claude_code::Refused::NoAddress))
    }

    /// For `map_err`: an input or output error on a file of ours.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

/// An error with its causes, on one line. The variants above print themselves whole, so that a shell needs no more than
/// `to_string`.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}

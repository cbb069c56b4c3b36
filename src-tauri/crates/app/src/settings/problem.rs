//! Where a value comes from, and what is wrong with it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Built in.
    Default,
    /// The settings file.
    File {
        /// Its path.
        path: PathBuf,
        /// Counted from one.
        line: usize,
    },
    /// A variable of the process.
    Environment(String),
    /// The command line.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Why there are no settings. One sentence each that says where to look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file is no TOML, or one of its values can't be used.
    #[error("{}, line {line}: {}{message}", path.display(), key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default())]
    File {
        /// The settings file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// The dotted key, if the text got as far as having one.
        key: Option<String>,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The value of a variable or flag can't be used.
    #[error("{origin} (setting {key}): {message}")]
    Value {
        /// The variable or flag.
        origin: String,
        /// The dotted key.
        key: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// Other machines could use the account.
    #[error(
        "{key} is {listen} ({origin}), which other machines can reach; use 127.0.0.1, or set server.allow_remote = true if that is what you want"
    )]
    Remote {
        /// Which setting.
        key: &'static str,
        /// The address.
        listen: SocketAddr,
        /// Where it comes from.
        origin: Source,
    },
    /// There is no such key.
    #[error("there is no setting {key}{}", hint.as_ref().map(|known| format!("; did you mean {known}?")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        key: String,
        /// What was probably meant.
        hint: Option<&'static str>,
    },
}

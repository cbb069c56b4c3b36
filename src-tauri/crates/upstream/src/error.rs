//! Why a client could not be built. What goes wrong with a request is a `Failure` of the protocol crate.

use std::path::PathBuf;

/// The client could not be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be built")]
    Http(#[source] reqwest::Error),
    /// A base URL is none.
    #[error("{url:?} is not a usable base URL: use http:// or https:// with a host, without ? and #")]
    Url {
        /// What was given.
        url: String,
    },
    /// A directory that is needed cannot be made.
    #[error("the directory {} cannot be created", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A task of ours broke while starting.
    #[error("starting failed: {0}")]
    Task(String),
}

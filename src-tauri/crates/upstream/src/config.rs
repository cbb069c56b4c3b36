//! What the client must be told. Plain values, resolved by the app: no file and no environment variable is read here.

use std::path::PathBuf;

/// Everything a [`crate::Client`] needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who answers.
    pub backend: BackendKind,
    /// Base URL of the ChatGPT backend, without a slash at the end.
    pub chatgpt_url: String,
    /// True if the base URL is the built-in one; only then may workspace routing change the origin (DECISIONS 14).
    pub chatgpt_url_is_default: bool,
    /// The OAuth issuer, without a slash at the end.
    pub issuer_url: String,
    /// The version of the Codex CLI that we present ourselves as, at least (DECISIONS 7).
    pub codex_version: String,
    /// Whether request bodies are compressed.
    pub compression: Compression,
    /// Where the Codex CLI keeps its login; `None` = `~/.codex`. The app resolves `CODEX_HOME`.
    pub codex_home: Option<PathBuf>,
    /// For what may be lost: the catalog.
    pub cache_dir: PathBuf,
    /// For what may not: the list of own accounts, and the tokens where no keyring is used.
    pub state_dir: PathBuf,
    /// Where the tokens of own accounts are kept.
    pub token_store: TokenStoreKind,
    /// Which of several accounts answers.
    pub strategy: Strategy,
    /// Base URL of the OpenAI API, for accounts that are an API key; without a slash at the end.
    pub api_url: String,
}

impl Config {
    /// The base URL without any setting.
    pub const CHATGPT_URL: &str = "https://chatgpt.com/backend-api";
    /// The issuer without any setting.
    pub const ISSUER_URL: &str = "https://auth.openai.com";
    /// The base URL of the OpenAI API without any setting.
    pub const API_URL: &str = "https://api.openai.com/v1";
    /// The Codex version that the measured facts are about.
    pub const CODEX_VERSION: &str = "0.169.0";

    /// The defaults, with the two places for files.
    pub fn new(cache_dir: impl Into<PathBuf>, state_dir: impl Into<PathBuf>) -> Self {
        Self {
            backend: BackendKind::ChatGpt,
            chatgpt_url: Self::CHATGPT_URL.to_owned(),
            chatgpt_url_is_default: true,
            issuer_url: Self::ISSUER_URL.to_owned(),
            codex_version: Self::CODEX_VERSION.to_owned(),
            compression: Compression::Auto,
            codex_home: None,
            cache_dir: cache_dir.into(),
            state_dir: state_dir.into(),
            token_store: TokenStoreKind::Keyring,
            strategy: Strategy::Priority,
            api_url: Self::API_URL.to_owned(),
        }
    }
}

/// Which backend answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendKind {
    /// The ChatGPT backend, with an account.
    ChatGpt,
    /// The built-in demo model: no network, no account.
    Demo,
}

/// Whether request bodies over 8 kB are compressed (DECISIONS 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// For every host but loopback ones.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Which of several accounts answers a session that has none yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The first in the list that can.
    #[default]
    Priority,
    /// One after the other.
    RoundRobin,
    /// The one with the most room in its fullest window.
    MostRoom,
}

/// Where the tokens of own accounts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStoreKind {
    /// The system's keyring.
    Keyring,
    /// Files with mode 0600 below the state directory.
    File,
    /// Nowhere: they are gone with the process.
    Memory,
}

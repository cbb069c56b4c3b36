//! Every choice a user has, typed: defaults, then `config.toml`, then `DRAGOMAN_*` variables, then command line flags,
//! with the [`Source`] of each value kept.
//!
//! `settings/keys.rs` lists the keys, `map.rs` is the section of the models, `values.rs` and `words.rs` say what a value may
//! be, `file.rs` reads and edits the text,
//! `codex.rs` reads the Codex CLI's, `problem.rs` says what is wrong. Not here: secrets (`token.rs` and the token stores of `upstream`), and what a
//! value does (whoever uses it).

mod codex;
mod file;
mod keys;
mod map;
mod problem;
mod values;
mod words;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use dragoman_proxy::{CodexDefaults, Target};

pub use keys::{Counts, KEYS, Key, Kind};
pub use map::Models;
pub use problem::{Problem, Source};
pub(crate) use values::check_name;
pub use values::{AdminListen, parse_admin_listen, parse_listen};
pub use words::{Compression, Level, McpOffer, Mode, Strategy, TokenStore, WhenOff};

use crate::paths::{self, Environment};

/// All settings, valid: a value that no one could use never gets this far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The proxy's listener.
    pub server: Server,
    /// The backend.
    pub upstream: Upstream,
    /// Where logins are kept.
    pub accounts: Accounts,
    /// Which model answers.
    pub models: Models,
    /// How requests are translated.
    pub translation: Translation,
    /// Tools of MCP servers.
    pub mcp: Mcp,
    /// Claude Code's set-up.
    pub claude_code: ClaudeCode,
    /// The desktop app.
    pub desktop: Desktop,
    /// Newer versions of the desktop app.
    pub updates: Updates,
    /// The usage history.
    pub history: History,
    /// The log.
    pub log: Log,
    /// Where each value that is not the default comes from.
    #[serde(skip)]
    sources: BTreeMap<&'static str, Source>,
    /// What is odd but harmless: unknown keys, variables that name no key.
    #[serde(skip)]
    hints: Vec<String>,
    /// What the Codex CLI is set to, if `models.from_codex` asks for it.
    #[serde(skip)]
    codex: CodexDefaults,
}

/// `[translation]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Translation {
    /// Do calls come one by one where tools can change something?
    #[serde(deserialize_with = "values::switch")]
    pub serial_tools: bool,
    /// Tools that count as such beside the well-known ones.
    #[serde(deserialize_with = "values::tools")]
    pub serial_tool_names: Vec<String>,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    /// Where Claude Code connects.
    #[serde(deserialize_with = "values::listen")]
    pub listen: SocketAddr,
    /// Where the admin pages are.
    #[serde(deserialize_with = "values::admin_listen")]
    pub admin_listen: AdminListen,
    /// May `listen` be reachable from other machines?
    #[serde(deserialize_with = "values::switch")]
    pub allow_remote: bool,
    /// Further names this server answers to (DECISIONS 32).
    #[serde(deserialize_with = "values::hosts")]
    pub allowed_hosts: Vec<String>,
    /// Are there metrics at the admin listener?
    #[serde(deserialize_with = "values::switch")]
    pub metrics: bool,
    /// The largest request body, in MiB.
    #[serde(deserialize_with = "values::body_limit")]
    pub body_limit_mb: u32,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3746)),
            admin_listen: AdminListen::Address(SocketAddr::from(([127, 0, 0, 1], 3747))),
            allow_remote: false,
            allowed_hosts: Vec::new(),
            metrics: false,
            body_limit_mb: 64,
        }
    }
}

/// `[upstream]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Upstream {
    /// Base URL of the ChatGPT backend, without a slash at the end.
    #[serde(deserialize_with = "values::url")]
    pub chatgpt_url: String,
    /// Base URL of the OpenAI API, without a slash at the end; for accounts that are an API key.
    #[serde(deserialize_with = "values::url")]
    pub api_url: String,
    /// Base URL of the OAuth issuer, without a slash at the end.
    #[serde(deserialize_with = "values::url")]
    pub issuer_url: String,
    /// The Codex CLI version that requests name (DECISIONS 7).
    #[serde(deserialize_with = "values::version")]
    pub codex_version: String,
    /// zstd for request bodies (DECISIONS 13).
    #[serde(deserialize_with = "values::word")]
    pub compression: Compression,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            chatgpt_url: "https://chatgpt.com/backend-api".to_owned(),
            api_url: "https://api.openai.com/v1".to_owned(),
            issuer_url: "https://auth.openai.com".to_owned(),
            codex_version: "0.169.0".to_owned(),
            compression: Compression::Auto,
        }
    }
}

/// `[accounts]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Accounts {
    /// Where Dragoman's own logins are kept.
    #[serde(deserialize_with = "values::word")]
    pub token_store: TokenStore,
    /// Which of several accounts answers.
    #[serde(deserialize_with = "values::word")]
    pub strategy: Strategy,
}

/// `[mcp]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mcp {
    /// Whose tools are offered to the model where Claude Code does not offer them itself?
    #[serde(deserialize_with = "values::word")]
    pub offer: McpOffer,
    /// Those servers, with `named`.
    #[serde(deserialize_with = "values::servers")]
    pub servers: Vec<String>,
    /// Projects whose servers count too, beside the user's own. Absolute paths.
    #[serde(deserialize_with = "values::directories")]
    pub projects: Vec<PathBuf>,
}

/// `[claude_code]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaudeCode {
    /// Does Claude Code go back to Anthropic while Dragoman is off?
    #[serde(deserialize_with = "values::word")]
    pub when_off: WhenOff,
}

/// `[desktop]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Desktop {
    /// Is what happens to accounts and port told as a notification?
    #[serde(deserialize_with = "values::switch")]
    pub notifications: bool,
}

impl Default for Desktop {
    fn default() -> Self {
        Self { notifications: true }
    }
}

/// `[updates]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Updates {
    /// Does the desktop app look for a newer version once a day?
    #[serde(deserialize_with = "values::switch")]
    pub check: bool,
    /// Where the list of versions is, if not where the build says.
    #[serde(deserialize_with = "values::update_url")]
    pub url: Option<String>,
    /// The public key that packages must be signed with, if not the build's.
    #[serde(deserialize_with = "values::update_key")]
    pub key: Option<String>,
}

/// `[history]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Is one kept?
    #[serde(deserialize_with = "values::switch")]
    pub enabled: bool,
    /// After how many days rows are deleted.
    #[serde(deserialize_with = "values::days")]
    pub keep_days: u32,
    /// How many rows of each kind are kept at most.
    #[serde(deserialize_with = "values::rows")]
    pub max_rows: u32,
}

impl Default for History {
    fn default() -> Self {
        Self { enabled: true, keep_days: 90, max_rows: 100_000 }
    }
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// The least important line that is still written.
    #[serde(deserialize_with = "values::word")]
    pub level: Level,
    /// After how many days old log files are deleted.
    #[serde(deserialize_with = "values::days")]
    pub keep_days: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info, keep_days: 7 }
    }
}

/// One setting as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `section.field`
    pub key: &'static str,
    /// The words a variable would hold; `None` if nothing is chosen.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: String,
}

/// One value from the command line: key, words, and the flag to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flag {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) name: &'static str,
}

/// What [`Settings::load`] reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layers<'a> {
    pub(crate) path: &'a Path,
    pub(crate) text: &'a str,
    pub(crate) environment: &'a Environment,
    pub(crate) flags: &'a [Flag],
}

impl Settings {
    /// Lay the layers over each other. Each value is checked in the layer it comes from, so that the message can name
    /// the place.
    pub(crate) fn load(layers: Layers<'_>) -> Result<Self, Problem> {
        let file::Contents { mut table, lines, mut hints } = file::read(layers.path, layers.text)?;
        let mut sources: BTreeMap<&'static str, Source> = lines
            .into_iter()
            .map(|(key, line)| (key, Source::File { path: layers.path.to_owned(), line }))
            .collect();
        for key in &KEYS {
            if let Some((variable, value)) = layers.environment.setting(key.name) {
                overlay(&mut table, key, value, &variable)?;
                sources.insert(key.name, Source::Environment(variable));
            }
        }
        for flag in layers.flags {
            if let Some(key) = keys::find(flag.key) {
                overlay(&mut table, key, OsStr::new(&flag.value), flag.name)?;
                sources.insert(key.name, Source::Flag(flag.name.to_owned()));
            }
        }
        hints.extend(layers.environment.ours().filter_map(unknown_variable));
        let mut settings: Self = table.try_into().map_err(|error: toml::de::Error| Problem::File {
            path: layers.path.to_owned(),
            line: 1,
            key: None,
            message: file::sentence(&error),
        })?;
        let listen = settings.server.listen;
        if !listen.ip().is_loopback() && !settings.server.allow_remote {
            let origin = sources.get("server.listen").cloned().unwrap_or(Source::Default);
            return Err(Problem::Remote { key: "server.listen", listen, origin });
        }
        if let AdminListen::Address(listen) = settings.server.admin_listen
            && !listen.ip().is_loopback()
            && !settings.server.allow_remote
        {
            let key = "server.admin_listen";
            let origin = sources.get(key).cloned().unwrap_or(Source::Default);
            return Err(Problem::Remote { key, listen, origin });
        }
        let urls = [
            ("upstream.chatgpt_url", &settings.upstream.chatgpt_url),
            ("upstream.issuer_url", &settings.upstream.issuer_url),
            ("upstream.api_url", &settings.upstream.api_url),
        ];
        hints.extend(urls.into_iter().filter(|(_, url)| values::is_exposed(url)).map(|(key, url)| {
            format!("{key} is {url}: your login would travel there unencrypted; use https")
        }));
        settings.sources = sources;
        settings.hints = hints;
        Ok(settings)
    }

    /// The names that the admin listener answers to, beside loopback (DECISIONS 32).
    pub(crate) fn admin_hosts(&self) -> Vec<String> {
        let own = match self.server.admin_listen {
            AdminListen::Off => None,
            AdminListen::Address(listen) => Some(listen.ip().to_string()),
        };
        self.server.allowed_hosts.iter().cloned().chain(own).collect()
    }

    /// Where the value of `key` comes from.
    pub fn source(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }

    /// Every key with its value and source, in the order of [`KEYS`], to be shown.
    pub fn entries(&self) -> Vec<Entry> {
        let table = Value::try_from(self).ok();
        let value = |key: &Key| table.as_ref()?.get(key.section())?.get(key.field()).map(words);
        let entry =
            |key: &Key| Entry { key: key.name, value: value(key), source: self.source(key.name).to_string() };
        KEYS.iter().map(entry).collect()
    }

    /// What the Codex CLI is set to, as far as it counts here.
    pub(crate) fn codex(&self) -> &CodexDefaults {
        &self.codex
    }

    /// Reads the Codex CLI's settings, if the user wants them as defaults.
    pub(crate) fn with_codex(mut self, config: Option<&Path>) -> Self {
        if self.models.from_codex {
            match codex::read(config) {
                Ok(codex) => self.codex = codex,
                Err(hint) => self.hints.push(hint),
            }
        }
        self
    }

    /// What is odd but harmless, a sentence each.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The text of the settings file with the rule for `name` set, or without it.
    pub(crate) fn edit_name(
        text: &str,
        path: &Path,
        name: &str,
        value: Option<&Target>,
    ) -> Result<String, Problem> {
        file::edit_name(text, path, name, value.map(Target::to_string))
    }

    /// The text of the settings file with `key` set to `value`, or without it: comments, order and unknown keys stay.
    /// The words of `value` are what a variable would hold.
    pub(crate) fn edit(text: &str, path: &Path, key: &str, value: Option<&str>) -> Result<String, Problem> {
        let known = keys::find(key)
            .ok_or_else(|| Problem::Unknown { key: key.to_owned(), hint: keys::nearest(key) })?;
        let value = match value {
            Some(words) => Some(checked(known, OsStr::new(words), "the new value")?),
            None => None,
        };
        file::edit(text, path, known, value)
    }
}

/// A value as the words that [`Kind::value`] reads.
fn words(value: &Value) -> String {
    match value {
        Value::Table(pairs) => pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", words(value)))
            .collect::<Vec<_>>()
            .join("; "),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(words).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Put one value over those of the layers below.
fn overlay(table: &mut Table, key: &Key, words: &OsStr, origin: &str) -> Result<(), Problem> {
    let value = checked(key, words, origin)?;
    let section = table.entry(key.section()).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(key.field().to_owned(), value);
    }
    Ok(())
}

/// The words as a value of this key's kind, if settings with just this value are valid.
fn checked(key: &Key, words: &OsStr, origin: &str) -> Result<Value, Problem> {
    let problem = |message| Problem::Value { origin: origin.to_owned(), key: key.name.to_owned(), message };
    let words = words.to_str().ok_or_else(|| problem("the value is not UTF-8".to_owned()))?;
    let value = key.kind.value(words);
    let section = Table::from_iter([(key.field().to_owned(), value.clone())]);
    let alone = Table::from_iter([(key.section().to_owned(), Value::Table(section))]);
    match alone.try_into::<Settings>() {
        Ok(_) => Ok(value),
        Err(error) => Err(problem(file::sentence(&error))),
    }
}

/// A variable of ours that sets nothing is probably misspelt.
fn unknown_variable(name: &str) -> Option<String> {
    let known = || KEYS.iter().flat_map(|key| paths::variables(key.name));
    let special = [paths::HOME, paths::CLIENT_TOKEN];
    if special.contains(&name) || known().any(|variable| variable == name) {
        return None;
    }
    let all: Vec<String> = known().chain(special.map(str::to_owned)).collect();
    let meant = keys::closest(name, all.iter().map(String::as_str));
    let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    Some(format!("the variable {name} sets nothing{meant}"))
}

#[cfg(test)]
mod tests;

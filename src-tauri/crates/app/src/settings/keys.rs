//! The table of keys. A test holds it against the struct and against `docs/configuration.md`.

use dragoman_protocol::route::Effort;
use serde::Serialize;
use toml::Value;
use ts_rs::TS;
use utoipa::ToSchema;

use super::values::Word;
use super::{Compression, Level, McpOffer, Mode, Settings, Source, Strategy, TokenStore, WhenOff};

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// `section.field`
    pub name: &'static str,
    /// How words from a variable or the command line become a value.
    pub kind: Kind,
    /// What it is, in a few words.
    pub about: &'static str,
}

/// From when on a change counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
#[ts(rename = "SettingCounts")]
#[schema(as = SettingCounts)]
pub enum Counts {
    /// At once, or from the next request on.
    AtOnce,
    /// When the switch is turned on the next time.
    NextOn,
    /// When the program starts the next time.
    NextStart,
}

/// How words become a TOML value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
#[ts(rename = "SettingKind")]
#[schema(as = SettingKind)]
pub enum Kind {
    /// As it is.
    Text,
    /// A whole number.
    Number,
    /// Yes or no.
    Switch,
    /// Separated by commas.
    List,
    /// `name=value`, separated by semicolons.
    Pairs,
}

/// Every setting there is, in the order of the document.
pub const KEYS: [Key; 46] = [
    key("server.listen", Kind::Text, "address Claude Code connects to"),
    key("server.admin_listen", Kind::Text, "address of the admin pages, or off"),
    key("server.allow_remote", Kind::Switch, "may other machines connect"),
    key("server.allowed_hosts", Kind::List, "further host names the server answers to"),
    key("server.metrics", Kind::Switch, "numbers for Prometheus at the admin listener"),
    key("server.body_limit_mb", Kind::Number, "largest request, in MiB"),
    key("upstream.chatgpt_url", Kind::Text, "base URL of the ChatGPT backend"),
    key("upstream.api_url", Kind::Text, "base URL of the OpenAI API, for API keys"),
    key("upstream.issuer_url", Kind::Text, "base URL of the sign-in server"),
    key("upstream.codex_version", Kind::Text, "Codex CLI version that requests name"),
    key("upstream.compression", Kind::Text, "compress large requests: auto, on or off"),
    key("accounts.token_store", Kind::Text, "where logins are kept: keyring or file"),
    key("accounts.strategy", Kind::Text, "which account answers: priority, round-robin or most-room"),
    key("models.opus", Kind::Text, "model for Claude Opus"),
    key("models.sonnet", Kind::Text, "model for Claude Sonnet"),
    key("models.haiku", Kind::Text, "model for Claude Haiku"),
    key("models.fable", Kind::Text, "model for Claude Fable"),
    key("models.default", Kind::Text, "model for Claude names that no other rule is for"),
    key("models.names", Kind::Pairs, "models for single names and patterns"),
    key("models.web_search", Kind::Text, "model for web searches"),
    key("models.compact", Kind::Text, "model for compactions"),
    key("models.long_context", Kind::Text, "model for long conversations"),
    key("models.image", Kind::Text, "model for conversations with pictures"),
    key("models.background", Kind::Text, "model for titles, page summaries and Haiku"),
    key("models.subagent", Kind::Text, "model for subagents"),
    key("models.think", Kind::Text, "model for plan mode and thinking with a budget"),
    key("models.long_context_over", Kind::Number, "tokens from which a conversation is long"),
    key("models.effort", Kind::Text, "effort that overrides the client's"),
    key("models.default_effort", Kind::Text, "effort for requests that ask for none"),
    key("models.mode", Kind::Text, "unknown names: map (refuse) or passthrough"),
    key("models.from_codex", Kind::Switch, "take model and window from the Codex CLI's config.toml"),
    key("translation.serial_tools", Kind::Switch, "one call at a time where tools change something"),
    key("translation.serial_tool_names", Kind::List, "tools that count as changing something"),
    key("mcp.offer", Kind::Text, "tools of MCP servers for the model: off, all or named"),
    key("mcp.servers", Kind::List, "MCP servers whose tools are offered, with named"),
    key("mcp.projects", Kind::List, "project directories whose MCP servers count too"),
    key("claude_code.when_off", Kind::Text, "Claude Code while Dragoman is off: ask, always or never back"),
    key("desktop.notifications", Kind::Switch, "notifications about accounts, limits and the port"),
    key("updates.check", Kind::Switch, "look for a newer version once a day"),
    key("updates.url", Kind::Text, "where the list of versions is"),
    key("updates.key", Kind::Text, "public key that packages must be signed with"),
    key("history.enabled", Kind::Switch, "keep a usage history"),
    key("history.keep_days", Kind::Number, "days until usage rows are deleted"),
    key("history.max_rows", Kind::Number, "how many usage rows are kept at most"),
    key("log.level", Kind::Text, "error, warn, info, debug or trace"),
    key("log.keep_days", Kind::Number, "days until old log files are deleted"),
];

const fn key(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, about }
}

impl Key {
    /// The part before the dot.
    pub fn section(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(section, _)| section)
    }

    /// The part after the dot.
    pub fn field(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, field)| field)
    }

    /// From when on a change counts.
    pub fn counts(&self) -> Counts {
        match self.name {
            "server.listen" => Counts::NextOn,
            "accounts.token_store" | "log.keep_days" => Counts::NextStart,
            _ => Counts::AtOnce,
        }
    }

    /// The words that can be chosen; none if it is no choice.
    pub fn choices(&self) -> Vec<&'static str> {
        match self.name {
            "upstream.compression" => words::<Compression>(),
            "accounts.token_store" => words::<TokenStore>(),
            "accounts.strategy" => words::<Strategy>(),
            "models.effort" => Effort::SENT.iter().map(|effort| effort.as_str()).collect(),
            "models.mode" => words::<Mode>(),
            "mcp.offer" => words::<McpOffer>(),
            "claude_code.when_off" => words::<WhenOff>(),
            "log.level" => words::<Level>(),
            _ => Vec::new(),
        }
    }
}

fn words<W: Word>() -> Vec<&'static str> {
    W::WORDS.iter().map(|(word, _)| *word).collect()
}

impl Settings {
    /// What the user chose in these sections, as a settings file would say it.
    pub(crate) fn chosen(&self, sections: &[&str]) -> toml::Table {
        let mut all = toml::Table::new();
        for (entry, key) in self.entries().into_iter().zip(&KEYS) {
            let is_chosen = sections.contains(&key.section()) && self.source(key.name) != Source::Default;
            if let (true, Some(words)) = (is_chosen, entry.value) {
                let section = all.entry(key.section()).or_insert_with(|| toml::Table::new().into());
                if let Some(section) = section.as_table_mut() {
                    section.insert(key.field().to_owned(), key.kind.value(&words));
                }
            }
        }
        all
    }
}

impl Kind {
    /// The value these words stand for. Words that fit no value stay text, so that the type error quotes them.
    pub(super) fn value(self, words: &str) -> Value {
        let text = || Value::String(words.to_owned());
        match self {
            Self::Text => text(),
            Self::Number => words.trim().parse().map_or_else(|_| text(), Value::Integer),
            Self::Switch => match words.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Value::Boolean(true),
                "false" | "0" | "no" | "off" => Value::Boolean(false),
                _ => text(),
            },
            Self::List => {
                let parts = words.split(',').map(str::trim).filter(|part| !part.is_empty());
                Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
            }
            Self::Pairs => {
                let parts = words.split(';').map(str::trim).filter(|part| !part.is_empty());
                let pair = |part: &str| {
                    let (name, value) = part.split_once('=')?;
                    Some((name.trim().to_owned(), Value::String(value.trim().to_owned())))
                };
                parts.map(pair).collect::<Option<toml::Table>>().map_or_else(text, Value::Table)
            }
        }
    }
}

/// The key of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key that was probably meant. A field in the wrong section, or in none, counts as near.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let field = name.rsplit('.').next().unwrap_or(name);
    let mut same_field = KEYS.iter().filter(|key| key.field() == field);
    match (same_field.next(), same_field.next()) {
        (Some(key), None) => Some(key.name),
        _ => closest(name, KEYS.iter().map(|key| key.name)),
    }
}

/// The known word that is at most three slips away.
pub(super) fn closest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (slips(word, known), known))
        .filter(|(slips, _)| *slips <= 3)
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein distance.
fn slips(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in other.iter().enumerate() {
            let above = row[column + 1];
            row[column + 1] = (diagonal + usize::from(a != *b)).min(above + 1).min(row[column] + 1);
            diagonal = above;
        }
    }
    row[other.len()]
}

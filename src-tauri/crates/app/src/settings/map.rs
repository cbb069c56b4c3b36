//! The section `[models]`: which model answers for what Claude Code asks for, as the user wishes.
//!
//! Not here: which of these rules decides for a request (`proxy`), and what the catalog says (`models.rs`).

use std::collections::BTreeMap;

use dragoman_protocol::route::Effort;
use dragoman_proxy::{Scenario, Target};
use serde::{Deserialize, Serialize};

use super::{Mode, values};

/// `[models]`: the model map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Models {
    /// Instead of the catalog's choice (DECISIONS 19) for `claude-opus-…`.
    #[serde(deserialize_with = "values::target", skip_serializing_if = "Option::is_none")]
    pub opus: Option<Target>,
    /// For `claude-sonnet-…`.
    #[serde(deserialize_with = "values::target", skip_serializing_if = "Option::is_none")]
    pub sonnet: Option<Target>,
    /// For `claude-haiku-…`.
    #[serde(deserialize_with = "values::target", skip_serializing_if = "Option::is_none")]
    pub haiku: Option<Target>,
    /// For `claude-fable-…`.
    #[serde(deserialize_with = "values::target", skip_serializing_if = "Option::is_none")]
    pub fable: Option<Target>,
    /// For Claude names that no other rule is for.
    #[serde(deserialize_with = "values::target", skip_serializing_if = "Option::is_none")]
    pub default: Option<Target>,
    /// For one name, or for all that match a pattern.
    #[serde(deserialize_with = "values::targets", skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Target>,
    /// For requests that offer the web search.
    #[serde(deserialize_with = "values::target", skip_serializing_if = "Option::is_none")]
    pub web_search: Option<Target>,
    /// For compactions.
    #[serde(deserialize_with = "values::target", skip_serializing_if = "Option::is_none")]
    pub compact: Option<Target>,
    /// For long conversations.
    #[serde(deserialize_with = "values::target", skip_serializing_if = "Option::is_none")]
    pub long_context: Option<Target>,
    /// For conversations with pictures.
    #[serde(deserialize_with = "values::target", skip_serializing_if = "Option::is_none")]
    pub image: Option<Target>,
    /// For titles, page summaries and Haiku.
    #[serde(deserialize_with = "values::target", skip_serializing_if = "Option::is_none")]
    pub background: Option<Target>,
    /// For subagents.
    #[serde(deserialize_with = "values::target", skip_serializing_if = "Option::is_none")]
    pub subagent: Option<Target>,
    /// For plan mode and thinking with a budget.
    #[serde(deserialize_with = "values::target", skip_serializing_if = "Option::is_none")]
    pub think: Option<Target>,
    /// More tokens than this are a long conversation.
    #[serde(deserialize_with = "values::tokens")]
    pub long_context_over: u32,
    /// An effort that overrides what the client asks for (DECISIONS 5).
    #[serde(deserialize_with = "values::effort", skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// An effort for requests that ask for none.
    #[serde(deserialize_with = "values::effort", skip_serializing_if = "Option::is_none")]
    pub default_effort: Option<Effort>,
    /// What happens with names that are neither Claude's nor in the catalog.
    #[serde(deserialize_with = "values::word")]
    pub mode: Mode,
    /// Are model and window of the Codex CLI's `config.toml` defaults here too?
    #[serde(deserialize_with = "values::switch")]
    pub from_codex: bool,
}

impl Default for Models {
    fn default() -> Self {
        Self {
            opus: None,
            sonnet: None,
            haiku: None,
            fable: None,
            default: None,
            names: BTreeMap::new(),
            web_search: None,
            compact: None,
            long_context: None,
            image: None,
            background: None,
            subagent: None,
            think: None,
            long_context_over: 200_000,
            effort: None,
            default_effort: None,
            mode: Mode::Map,
            from_codex: false,
        }
    }
}

impl Models {
    /// The rule for a kind of request.
    pub fn scenario(&self, scenario: Scenario) -> Option<&Target> {
        match scenario {
            Scenario::WebSearch => self.web_search.as_ref(),
            Scenario::Compact => self.compact.as_ref(),
            Scenario::LongContext => self.long_context.as_ref(),
            Scenario::Image => self.image.as_ref(),
            Scenario::Background => self.background.as_ref(),
            Scenario::Subagent => self.subagent.as_ref(),
            Scenario::Think => self.think.as_ref(),
        }
    }
}

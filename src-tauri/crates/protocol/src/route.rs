//! Where a request goes: the answer of routing, the question of translation. Plain values.
//!
//! Not here: how a route is chosen (that is settings and catalog, in the proxy).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// Reasoning effort, lowest first; the words of the model catalog (`upstream.md` §b.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// No reasoning.
    None,
    /// The least the older models offer.
    Minimal,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Extra high.
    Xhigh,
    /// The most a single model does.
    Max,
    /// Listed by the catalog; a client-side mode of the Codex CLI that is never sent (DECISIONS 5).
    Ultra,
}

impl Effort {
    /// Those that a request may name, lowest first.
    pub const SENT: [Self; 7] =
        [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
            Self::Ultra => "ultra",
        }
    }

    /// The effort a thinking budget in tokens stands for (DECISIONS 5).
    pub fn from_budget(tokens: u64) -> Self {
        match tokens {
            0..4_000 => Self::Low,
            4_000..16_000 => Self::Medium,
            16_000..48_000 => Self::High,
            _ => Self::Xhigh,
        }
    }

    /// The nearest level at or below `self` among `listed`, else the lowest listed. `ultra` is never an answer.
    /// `None` only if nothing is listed.
    pub fn clamp_to(self, listed: &[Self]) -> Option<Self> {
        let usable = || listed.iter().copied().filter(|level| *level != Self::Ultra);
        usable().filter(|level| *level <= self).max().or_else(|| usable().min())
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no effort.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown effort {0:?}: use none, minimal, low, medium, high, xhigh or max")]
pub struct UnknownEffort(pub String);

impl FromStr for Effort {
    type Err = UnknownEffort;

    fn from_str(word: &str) -> Result<Self, UnknownEffort> {
        Ok(match word {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::Xhigh,
            "max" => Self::Max,
            "ultra" => Self::Ultra,
            _ => return Err(UnknownEffort(word.to_owned())),
        })
    }
}

/// Which of the two request dialects a model speaks (`upstream.md` §b.3; the catalog's `use_responses_lite`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Top-level `tools`, hosted tools, parallel calls.
    Classic,
    /// "Responses Lite": tools travel as an `additional_tools` item, nothing hosted, no parallel calls.
    Lite,
}

impl Dialect {
    /// The other one, for the single retry after the backend refused this one (DECISIONS 9).
    pub fn other(self) -> Self {
        match self {
            Self::Classic => Self::Lite,
            Self::Lite => Self::Classic,
        }
    }
}

/// Whose accounts answer; the word before the comma in `api,gpt-5.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// ChatGPT subscriptions.
    ChatGpt,
    /// Keys of the OpenAI API.
    Api,
}

impl Pool {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::ChatGpt, Self::Api];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChatGpt => "chatgpt",
            Self::Api => "api",
        }
    }

    /// The pool of this name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pool| pool.as_str() == word)
    }
}

/// Where one request goes and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Only accounts of this pool may answer; `None`: any.
    pub pool: Option<Pool>,
    /// The upstream model id, e.g. `gpt-6.1-sol`.
    pub model: String,
    /// Its dialect, from the catalog.
    pub dialect: Dialect,
    /// The effort levels the catalog lists for it.
    pub efforts: Vec<Effort>,
    /// The catalog's default effort.
    pub default_effort: Option<Effort>,
    /// Effort from a suffix of the model name (`gpt-6.1-sol-high`); wins over all but disabled thinking.
    pub suffix_effort: Option<Effort>,
    /// Effort forced by the user (tray or rule); wins over what the client asks.
    pub forced_effort: Option<Effort>,
    /// Effort of the rule that decided, for requests that ask for none.
    pub rule_effort: Option<Effort>,
    /// Was the priority tier asked for, by the request or a suffix of the model's name?
    pub fast: bool,
    /// Service tier to ask for (`priority`), only if the user or client asked and the catalog lists it.
    pub tier: Option<String>,
    /// `text.verbosity`, where the model supports it.
    pub verbosity: Option<String>,
    /// The context window the client was told, in tokens.
    pub window: u64,
}

impl Route {
    /// A route to a model that nothing more is known or wished of.
    pub fn to(model: impl Into<String>, dialect: Dialect, efforts: &[Effort]) -> Self {
        Self {
            pool: None,
            model: model.into(),
            dialect,
            efforts: efforts.to_vec(),
            default_effort: None,
            suffix_effort: None,
            forced_effort: None,
            rule_effort: None,
            fast: false,
            tier: None,
            verbosity: None,
            window: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clamp_takes_the_nearest_level_below_else_the_lowest() {
        let listed = [Effort::Low, Effort::Medium, Effort::High, Effort::Ultra];
        assert_eq!(Effort::Max.clamp_to(&listed), Some(Effort::High));
        assert_eq!(Effort::Ultra.clamp_to(&listed), Some(Effort::High));
        assert_eq!(Effort::Medium.clamp_to(&listed), Some(Effort::Medium));
        assert_eq!(Effort::None.clamp_to(&listed), Some(Effort::Low));
        assert_eq!(Effort::Low.clamp_to(&[]), None);
    }
}

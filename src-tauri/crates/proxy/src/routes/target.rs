//! The right-hand side of a rule: what a client gets. One form of words for file, variables and command line:
//! `[backend,]model [effort=…] [default_effort=…] [tier=…] [context=max]`.

use std::fmt;
use std::str::FromStr;

use dragoman_protocol::route::{Effort, Pool};
use serde::{Serialize, Serializer};

/// What a rule gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whose accounts answer; `None`: anybody's.
    pub pool: Option<Pool>,
    /// A catalog id, with a suffix like `-high` if wanted. Never empty, without blanks.
    pub model: String,
    /// An effort whatever the client asks for.
    pub effort: Option<Effort>,
    /// An effort for requests that ask for none.
    pub default_effort: Option<Effort>,
    /// The service tier; `None`: as the client asks.
    pub tier: Option<Tier>,
    /// How much of the model's window is used.
    pub context: Context,
}

/// A rule's service tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The priority tier, where the model has it.
    Fast,
    /// The ordinary one, even if the client asks for more.
    Standard,
}

/// How much of a model's window is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Context {
    /// What the catalog recommends.
    #[default]
    Usual,
    /// The most that the model takes (DECISIONS 18).
    Max,
}

impl Target {
    /// A model as it is.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            pool: None,
            model: model.into(),
            effort: None,
            default_effort: None,
            tier: None,
            context: Context::Usual,
        }
    }
}

/// Words that are no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// There is no model in them.
    #[error("names no model; write one such as \"gpt-5.5\" or \"gpt-5.5 effort=high tier=fast\"")]
    NoModel,
    /// The model can't be one.
    #[error("{0:?} is not a model id such as \"gpt-5.5\"")]
    Model(String),
    /// The word before the comma.
    #[error("there is no backend {0:?}; use chatgpt or api, as in \"api,gpt-5.5\"")]
    Pool(String),
    /// Something that is no `name=value` of ours.
    #[error("{0:?} is not effort=…, default_effort=…, tier=fast, tier=standard or context=max")]
    Word(String),
    /// An effort that can't be sent.
    #[error("{0:?} is not an effort (none, minimal, low, medium, high, xhigh or max)")]
    Effort(String),
}

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(words: &str) -> Result<Self, BadTarget> {
        const LONGEST: usize = 200;
        let mut words = words.split_whitespace();
        let name = words.next().ok_or(BadTarget::NoModel)?;
        let (pool, model) = match name.split_once(',') {
            Some((word, model)) => {
                let pool = Pool::named(word).ok_or_else(|| BadTarget::Pool(word.to_owned()))?;
                (Some(pool), model)
            }
            None => (None, name),
        };
        if model.is_empty() || model.len() > LONGEST || model.contains(|c: char| c.is_control() || c == '=') {
            return Err(BadTarget::Model(model.to_owned()));
        }
        let mut target = Self { pool, ..Self::new(model) };
        for word in words {
            match word.split_once('=') {
                Some(("effort", level)) => target.effort = Some(effort(level)?),
                Some(("default_effort", level)) => target.default_effort = Some(effort(level)?),
                Some(("tier", "fast")) => target.tier = Some(Tier::Fast),
                Some(("tier", "standard")) => target.tier = Some(Tier::Standard),
                Some(("context", "max")) => target.context = Context::Max,
                _ => return Err(BadTarget::Word(word.to_owned())),
            }
        }
        Ok(target)
    }
}

fn effort(word: &str) -> Result<Effort, BadTarget> {
    match word.parse() {
        Ok(Effort::Ultra) | Err(_) => Err(BadTarget::Effort(word.to_owned())),
        Ok(effort) => Ok(effort),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pool) = self.pool {
            write!(f, "{},", pool.as_str())?;
        }
        f.write_str(&self.model)?;
        if let Some(effort) = self.effort {
            write!(f, " effort={effort}")?;
        }
        if let Some(effort) = self.default_effort {
            write!(f, " default_effort={effort}")?;
        }
        match self.tier {
            Some(Tier::Fast) => f.write_str(" tier=fast")?,
            Some(Tier::Standard) => f.write_str(" tier=standard")?,
            None => {}
        }
        match self.context {
            Context::Max => f.write_str(" context=max"),
            Context::Usual => Ok(()),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written_back() {
        for words in [
            "gpt-5.5",
            "gpt-5.5-high",
            "api,gpt-5.5 effort=low",
            "gpt-6.1-sol default_effort=xhigh tier=standard context=max",
            "chatgpt,gpt-6-luna effort=none default_effort=low tier=fast",
        ] {
            assert_eq!(words.parse::<Target>().unwrap().to_string(), words);
        }
        let target: Target = " gpt-5.5   tier=fast ".parse().unwrap();
        assert_eq!(target, Target { tier: Some(Tier::Fast), ..Target::new("gpt-5.5") });
    }

    #[test]
    fn other_words_are_refused_with_what_would_be_right() {
        for (words, hint) in [
            ("", "names no model"),
            ("  ", "names no model"),
            ("nowhere,gpt-5.5", "use chatgpt or api"),
            ("api,", "is not a model id"),
            ("effort=low", "is not a model id"),
            ("gpt-5.5 low", "is not effort="),
            ("gpt-5.5 tier=slow", "is not effort="),
            ("gpt-5.5 effort=ultra", "is not an effort"),
        ] {
            let error = words.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(hint), "{words:?}: {error}");
        }
    }
}

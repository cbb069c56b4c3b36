//! The names that clients ask for: Claude's families, suffixes, the ids of model discovery, shorthand.

use dragoman_protocol::failure::Failure;
use dragoman_protocol::route::{Effort, Pool};
use dragoman_upstream::{Catalog, Model};
use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

/// The families of Claude's models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The largest.
    Opus,
    /// The middle one.
    Sonnet,
    /// The small one.
    Haiku,
    /// Another large one.
    Fable,
    /// A Claude name of no known family.
    Other,
}

impl Family {
    /// Those with a name of their own.
    pub const NAMED: [Self; 4] = [Self::Opus, Self::Sonnet, Self::Haiku, Self::Fable];

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Sonnet => "sonnet",
            Self::Haiku => "haiku",
            Self::Fable => "fable",
            Self::Other => "default",
        }
    }

    /// The family of a Claude name; `None` for a name that is not Claude's.
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let named = Self::NAMED.into_iter().find(|family| name.contains(family.as_str()));
        let claude =
            name.contains("claude") || name.contains("anthropic") || name == "default" || name == "best";
        match named {
            Some(family) if claude || name == family.as_str() || name == "opusplan" => Some(family),
            _ => claude.then_some(Self::Other),
        }
    }
}

/// A name with its suffixes taken off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wish<'n> {
    pub(super) name: &'n str,
    pub(super) effort: Option<Effort>,
    pub(super) fast: bool,
}

impl<'n> Wish<'n> {
    /// Takes suffixes off until `is_known`, or none is left (R55).
    pub(super) fn read(name: &'n str, is_known: impl Fn(&str) -> bool) -> Self {
        let mut wish = Self { name, effort: None, fast: false };
        while !is_known(wish.name) {
            if let Some(rest) = wish.name.strip_suffix("-fast") {
                wish = Self { name: rest, fast: true, ..wish };
            } else if let Some((rest, effort)) = effort_suffix(wish.name).filter(|_| wish.effort.is_none()) {
                wish = Self { name: rest, effort: Some(effort), ..wish };
            } else {
                break;
            }
        }
        wish
    }
}

/// `name-high` or `name(high)`.
fn effort_suffix(name: &str) -> Option<(&str, Effort)> {
    let (rest, word) = match name.strip_suffix(')') {
        Some(open) => open.rsplit_once('(')?,
        None => name.rsplit_once('-')?,
    };
    let effort = word.parse().ok().filter(|effort| *effort != Effort::Ultra)?;
    (!rest.is_empty()).then(|| (rest.trim_end(), effort))
}

/// The id under which Claude Code's model discovery lists a catalog model: it must look like Claude's (M14).
pub fn gateway_id(slug: &str) -> String {
    format!("claude-{}", slug.replace('.', "-"))
}

/// The model of this name: its id, its discovery id, or its id without a `-codex` at its end.
pub(super) fn find<'c>(catalog: &'c Catalog, name: &str) -> Option<&'c Model> {
    let short = |model: &&Model| model.slug.strip_suffix("-codex") == Some(name);
    let discovered = |model: &&Model| gateway_id(&model.slug) == name;
    let models = || catalog.models.iter();
    catalog.find(name).or_else(|| models().find(discovered)).or_else(|| models().find(short))
}

/// The pool before the comma, and the rest.
pub(super) fn pool(name: &str) -> Result<(Option<Pool>, &str), Failure> {
    let Some((word, rest)) = name.split_once(',') else { return Ok((None, name)) };
    match Pool::named(word.trim()) {
        Some(pool) => Ok((Some(pool), rest.trim())),
        None => Err(Failure::UnknownBackend {
            backend: word.trim().to_owned(),
            known: Pool::ALL.map(Pool::as_str).to_vec(),
        }),
    }
}

/// Does the pattern match the whole name? `*` stands for any characters, `?` for one.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last star stands, and how far it reaches so far.
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(letter) if *letter == '?' || *letter == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((at, reach)) => {
                    *reach += 1;
                    (p, n) = (*at + 1, *reach);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

/// Is this a pattern rather than a name?
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_the_whole_name() {
        for (pattern, name, expected) in [
            ("claude-*", "claude-opus-5-5", true),
            ("*-4-?", "claude-sonnet-4-5", true),
            ("*-4-?", "claude-sonnet-4-55", false),
            ("gpt-*-mini", "gpt-4.1-mini", true),
            ("gpt-*-mini", "gpt-4.1-mini-high", false),
            ("*", "", true),
            ("?", "", false),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXcXb", false),
            ("opus", "opus-5", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_name_may_say_whose_accounts_answer() {
        assert_eq!(pool("gpt-5.5").unwrap(), (None, "gpt-5.5"));
        assert_eq!(pool("api, gpt-5.5").unwrap(), (Some(Pool::Api), "gpt-5.5"));
        assert_eq!(pool("chatgpt,opus").unwrap(), (Some(Pool::ChatGpt), "opus"));
        let error = pool("openrouter,gpt-5.5").unwrap_err().to_string();
        assert!(error.contains("\"openrouter\"") && error.contains("chatgpt, api"), "{error}");
    }
}

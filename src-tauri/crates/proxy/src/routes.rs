//! The model map: which upstream model answers for the name a client asks for, and with what effort and tier.
//!
//! The user's rules come first, then the defaults computed from the live catalog (DECISIONS 19). Every request has
//! exactly one [`Decider`]. `name.rs` reads names, `target.rs` the right-hand side of rules, `scenario.rs` what a request
//! is for. Not here: translation, which accounts there are.

mod name;
mod scenario;
mod target;

use std::collections::BTreeMap;
use std::fmt;

use dragoman_protocol::anthropic::request::MessagesRequest;
use dragoman_protocol::failure::Failure;
use dragoman_protocol::route::{Dialect, Effort, Route};
use dragoman_protocol::translate::{Notes, What};
use dragoman_upstream::{Catalog, Model};
use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

pub use name::{Family, gateway_id};
pub use scenario::{Facts, Scenario};
pub use target::{BadTarget, Context, Target, Tier};

use name::{Wish, find, is_pattern, matches};

/// The user's wishes about models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// For one name, or for all that match a pattern with `*` and `?`.
    pub names: BTreeMap<String, Target>,
    /// For kinds of requests.
    pub scenarios: BTreeMap<Scenario, Target>,
    /// For Opus.
    pub opus: Option<Target>,
    /// For Sonnet.
    pub sonnet: Option<Target>,
    /// For Haiku.
    pub haiku: Option<Target>,
    /// For Fable.
    pub fable: Option<Target>,
    /// For every Claude name that no other rule is for.
    pub default: Option<Target>,
    /// More tokens than this are a long context.
    pub long_context_over: u64,
    /// An effort for all requests, whatever the client asks (the tray's switch).
    pub effort: Option<Effort>,
    /// An effort for requests that ask for none, where the deciding rule has no say.
    pub default_effort: Option<Effort>,
    /// What happens with names that are neither Claude's nor in the catalog.
    pub mode: Mode,
    /// What the Codex CLI is set to, if the user wants that as a default.
    pub codex: CodexDefaults,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            names: BTreeMap::new(),
            scenarios: BTreeMap::new(),
            opus: None,
            sonnet: None,
            haiku: None,
            fable: None,
            default: None,
            long_context_over: 200_000,
            effort: None,
            default_effort: None,
            mode: Mode::Map,
            codex: CodexDefaults::default(),
        }
    }
}

/// Root keys of the Codex CLI's `config.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CodexDefaults {
    /// `model`
    pub model: Option<String>,
    /// `model_context_window`, tokens.
    pub window: Option<u64>,
    /// `model_auto_compact_token_limit`, tokens.
    pub compact_at: Option<u64>,
}

/// What happens with unknown names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// They are an error that lists what exists.
    #[default]
    Map,
    /// They go upstream as they are.
    Passthrough,
}

/// Which rule decided who answers. Displays as the setting to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind", content = "of")]
pub enum Decider {
    /// The user's, for exactly this name.
    Name(String),
    /// The client named a model of the catalog itself.
    Model,
    /// The user's, for what the request is for.
    Scenario(Scenario),
    /// The user's, for a family of Claude's models.
    Family(Family),
    /// The user's, for names like this.
    Pattern(String),
    /// The user's, for everything else.
    Default,
    /// The Codex CLI's own model.
    Codex,
    /// Nobody's: computed from the catalog.
    Catalog,
    /// Unknown names go upstream as they are.
    Passthrough,
}

impl fmt::Display for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) | Self::Pattern(name) => write!(f, "models.names.{name:?}"),
            Self::Model => f.write_str("the model's own name"),
            Self::Scenario(scenario) => write!(f, "models.{}", scenario.as_str()),
            Self::Family(family) => write!(f, "models.{}", family.as_str()),
            Self::Default => f.write_str("models.default"),
            Self::Codex => f.write_str("the Codex CLI's config.toml"),
            Self::Catalog => f.write_str("the catalog"),
            Self::Passthrough => f.write_str("models.mode"),
        }
    }
}

/// A rule that would have decided, but names a model that there is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Passed {
    /// Whose it is.
    pub decider: Decider,
    /// What it names.
    pub model: String,
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} names {}, which this account does not have", self.decider, self.model)
    }
}

/// Why a request goes where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Decision {
    /// The rule that decided.
    pub decider: Decider,
    /// Rules before it that name models that there are not.
    pub passed: Vec<Passed>,
    /// The model that the rule gives, if it can't search and another one answers instead (DECISIONS 15).
    pub cannot_search: Option<String>,
}

impl Decision {
    /// What the client's wish was changed to, as notes.
    pub(crate) fn notes(&self, model: &str) -> Notes {
        let mut notes = Notes::default();
        for passed in &self.passed {
            notes.add(What::Adjusted, "model", format!("{passed}; {model} answers"));
        }
        if let Some(instead) = &self.cannot_search {
            notes.add(
                What::Adjusted,
                "model",
                format!("{instead} has no hosted tools such as web search; {model} answers this request"),
            );
        }
        notes
    }
}

/// Where a request goes, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// Where.
    pub route: Route,
    /// Why.
    pub decision: Decision,
    /// How much of the model's window is used.
    pub context: Context,
}

/// A model that was found for a rule's words.
struct Found<'r, 'c> {
    decider: Decider,
    model: Option<&'c Model>,
    wish: Wish<'r>,
    target: Option<&'r Target>,
}

impl Rules {
    /// Is there a rule for this scenario?
    pub(crate) fn has(&self, scenario: Scenario) -> bool {
        self.scenarios.contains_key(&scenario)
    }

    /// The route for a model name and what is known of the request beside it.
    ///
    /// # Errors
    /// [`Failure::UnknownModel`] and [`Failure::UnknownBackend`], which list what exists.
    pub fn route(&self, catalog: &Catalog, asked: &str, facts: &Facts) -> Result<Routed, Failure> {
        let asked = bare(asked);
        let exact = self.names.get_key_value(asked).filter(|(name, _)| !is_pattern(name));
        let (pool, name) = if exact.is_some() { (None, asked) } else { name::pool(asked)? };
        let name = bare(name);
        let is_known =
            |name: &str| find(catalog, name).is_some() || self.names.contains_key(name) && !is_pattern(name);
        let wish = Wish::read(name, is_known);
        let mut passed = Vec::new();
        let found = match self.first(catalog, &wish, facts, &mut passed) {
            Some(found) => found,
            None if self.mode == Mode::Passthrough => Found {
                decider: Decider::Passthrough,
                model: None,
                wish: Wish { name: wish.name, effort: None, fast: false },
                target: None,
            },
            None => return Err(unknown(catalog, name)),
        };
        let Found { decider, model, wish: given, target } = found;
        let keeps = decider == Decider::Scenario(Scenario::WebSearch);
        // Hosted search exists in the classic dialect only: another model answers such a request (DECISIONS 15).
        let searcher = match model {
            Some(model) if facts.search && !keeps && model.dialect == Dialect::Lite => {
                catalog.listed().find(|model| model.dialect == Dialect::Classic)
            }
            Some(_) | None => None,
        };
        let cannot_search = searcher.and(model).map(|model| model.slug.clone());
        let model = searcher.or(model);
        let tier = target.and_then(|target| target.tier);
        let fast = match tier {
            Some(Tier::Standard) => false,
            Some(Tier::Fast) => true,
            None => facts.fast || wish.fast || given.fast,
        };
        let described = match model {
            Some(model) => Route {
                efforts: model.efforts.clone(),
                default_effort: model.default_effort,
                tier: (fast && model.tiers.iter().any(|tier| tier == "priority"))
                    .then(|| "priority".to_owned()),
                verbosity: model.verbosity.clone(),
                ..Route::to(model.slug.clone(), model.dialect, &[])
            },
            None => Route {
                tier: fast.then(|| "priority".to_owned()),
                ..Route::to(given.name, Dialect::Classic, &USUAL_EFFORTS)
            },
        };
        let route = Route {
            pool: pool.or(target.and_then(|target| target.pool)),
            suffix_effort: wish.effort.or(given.effort),
            forced_effort: self.effort.or(target.and_then(|target| target.effort)),
            rule_effort: target.and_then(|target| target.default_effort).or(self.default_effort),
            fast,
            window: self.window(catalog),
            ..described
        };
        let decision = Decision { decider, passed, cannot_search };
        Ok(Routed { route, decision, context: target.map(|target| target.context).unwrap_or_default() })
    }

    /// The first of the rules for this name and request whose model there is. The order is the map's meaning, and
    /// docs/models.md tells it.
    fn first<'r, 'c>(
        &'r self,
        catalog: &'c Catalog,
        asked: &Wish<'r>,
        facts: &Facts,
        passed: &mut Vec<Passed>,
    ) -> Option<Found<'r, 'c>> {
        let mut offer = |decider: Decider, target: Option<&'r Target>| {
            let target = target?;
            let wish = Wish::read(&target.model, |name| find(catalog, name).is_some());
            let model = find(catalog, wish.name);
            if model.is_some() || self.mode == Mode::Passthrough {
                return Some(Found { decider, model, wish, target: Some(target) });
            }
            passed.push(Passed { decider, model: target.model.clone() });
            None
        };
        let plain = |decider, model| Found { decider, model, wish: Wish::default(), target: None };

        let exact = self.names.get(asked.name).filter(|_| !is_pattern(asked.name));
        if let Some(found) = offer(Decider::Name(asked.name.to_owned()), exact) {
            return Some(found);
        }
        if let Some(model) = find(catalog, asked.name) {
            return Some(plain(Decider::Model, Some(model)));
        }
        let family = Family::of(asked.name);
        if let Some(family) = family {
            for scenario in &facts.scenarios {
                let target = self.scenarios.get(scenario);
                if let Some(found) = offer(Decider::Scenario(*scenario), target) {
                    return Some(found);
                }
            }
            if let Some(found) = offer(Decider::Family(family), self.of_family(family)) {
                return Some(found);
            }
        }
        for (pattern, target) in self.patterns(asked.name) {
            if let Some(found) = offer(Decider::Pattern(pattern.to_owned()), Some(target)) {
                return Some(found);
            }
        }
        let family = family?;
        if let Some(found) = offer(Decider::Default, self.default.as_ref()) {
            return Some(found);
        }
        let family = if facts.scenarios.contains(&Scenario::Background) { Family::Haiku } else { family };
        if family != Family::Haiku
            && let Some(name) = &self.codex.model
        {
            match find(catalog, name) {
                Some(model) => return Some(plain(Decider::Codex, Some(model))),
                None => passed.push(Passed { decider: Decider::Codex, model: name.clone() }),
            }
        }
        by_default(catalog, family).map(|model| plain(Decider::Catalog, Some(model)))
    }

    /// The context window to tell Claude Code: the smallest of the mapped families (DECISIONS 18). Tokens.
    pub fn window(&self, catalog: &Catalog) -> u64 {
        let windows = Family::NAMED.into_iter().filter_map(|family| {
            let wish = Wish { name: family.as_str(), ..Wish::default() };
            let found = self.first(catalog, &wish, &Facts::default(), &mut Vec::new())?;
            let context = found.target.map(|target| target.context).unwrap_or_default();
            found.model.map(|model| self.usable(model, context))
        });
        windows.min().unwrap_or(258_400)
    }

    /// How many tokens a conversation with this model may have.
    pub fn usable(&self, model: &Model, context: Context) -> u64 {
        let window = match (context, self.codex.window) {
            (Context::Max, _) => model.max_context_window,
            (Context::Usual, Some(window)) => window.min(model.max_context_window),
            (Context::Usual, None) => model.context_window,
        };
        window * model.effective_percent / 100
    }

    /// The patterns that cover this name, the one that says most first.
    fn patterns<'r>(&'r self, name: &str) -> Vec<(&'r str, &'r Target)> {
        let mut patterns: Vec<_> = self
            .names
            .iter()
            .filter(|(pattern, _)| is_pattern(pattern) && matches(pattern, name))
            .map(|(pattern, target)| (pattern.as_str(), target))
            .collect();
        let said = |pattern: &str| pattern.chars().filter(|letter| !matches!(letter, '*' | '?')).count();
        patterns.sort_by_key(|(pattern, _)| std::cmp::Reverse(said(pattern)));
        patterns
    }

    fn of_family(&self, family: Family) -> Option<&Target> {
        match family {
            Family::Opus => self.opus.as_ref(),
            Family::Sonnet => self.sonnet.as_ref(),
            Family::Haiku => self.haiku.as_ref(),
            Family::Fable => self.fable.as_ref(),
            Family::Other => None,
        }
    }
}

/// The name without what Claude Code adds for a larger window (R63).
fn bare(name: &str) -> &str {
    let name = name.trim();
    name.strip_suffix("[1m]").unwrap_or(name).trim_end()
}

/// Does the client want Claude's small model?
fn asks_for_haiku(request: &MessagesRequest<'_>) -> bool {
    Family::of(&request.model) == Some(Family::Haiku)
}

/// The levels to assume of a model that no catalog describes.
const USUAL_EFFORTS: [Effort; 4] = [Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh];

/// The default map (DECISIONS 19). The catalog is sorted by priority.
fn by_default(catalog: &Catalog, family: Family) -> Option<&Model> {
    let named = |words: &[&str]| {
        catalog
            .listed()
            .find(|model| words.iter().any(|word| model.slug.split('-').any(|part| part == *word)))
    };
    let first = || catalog.listed().next().or_else(|| catalog.models.first());
    match family {
        Family::Opus | Family::Fable | Family::Other => first(),
        Family::Sonnet => named(&["terra"]).or_else(first),
        Family::Haiku => named(&["luna", "mini", "small"]).or_else(|| catalog.listed().last()).or_else(first),
    }
}

fn unknown(catalog: &Catalog, name: &str) -> Failure {
    let known = catalog.listed().map(|model| model.slug.clone()).collect();
    Failure::UnknownModel { model: name.to_owned(), known }
}

#[cfg(test)]
mod tests;

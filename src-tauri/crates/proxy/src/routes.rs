//! Which upstream model answers for the name a client asks for, and with what effort and tier.
//!
//! Defaults are computed from the live catalog (DECISIONS 19); the user's rules come first. Not here: translation.

use dragoman_protocol::failure::Failure;
use dragoman_protocol::route::{Dialect, Effort, Route};
use dragoman_upstream::{Catalog, Model};

/// The user's wishes about models.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// What answers for Opus; a catalog id, with a suffix like `-high` if wanted. `None`: the catalog's default.
    pub opus: Option<String>,
    /// For Sonnet.
    pub sonnet: Option<String>,
    /// For Haiku.
    pub haiku: Option<String>,
    /// For Fable.
    pub fable: Option<String>,
    /// For every other Claude name.
    pub default: Option<String>,
    /// An effort for all requests, whatever the client asks (the tray's switch).
    pub effort: Option<Effort>,
    /// What happens with names that are neither Claude's nor in the catalog.
    pub mode: Mode,
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

/// What a request wants of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    /// The priority tier.
    pub fast: bool,
    /// The hosted web search.
    pub search: bool,
}

/// The families of Claude's models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    fn of(name: &str) -> Option<Self> {
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
struct Wish<'n> {
    name: &'n str,
    effort: Option<Effort>,
    fast: bool,
}

impl Rules {
    /// The route for a model name and what the request wants beside it.
    ///
    /// # Errors
    /// [`Failure::UnknownModel`] that lists what exists.
    pub fn route(&self, catalog: &Catalog, name: &str, wants: Wants) -> Result<Route, Failure> {
        let name = name.trim();
        let name = name.strip_suffix("[1m]").unwrap_or(name); // R63
        let wish = Wish::read(catalog, name);
        let (model, wish) = match find(catalog, wish.name) {
            Some(model) => (model, wish),
            None => match Family::of(wish.name) {
                Some(family) => {
                    let (model, target) = self.target(catalog, family)?;
                    let effort = wish.effort.or(target.effort);
                    (model, Wish { name: wish.name, effort, fast: wish.fast || target.fast })
                }
                None if self.mode == Mode::Passthrough => return Ok(self.passthrough(catalog, &wish)),
                None => return Err(unknown(catalog, name)),
            },
        };
        // Hosted search exists in the classic dialect only: another model answers such a request (DECISIONS 15).
        let model = match model.dialect {
            Dialect::Lite if wants.search => {
                catalog.listed().find(|model| model.dialect == Dialect::Classic).unwrap_or(model)
            }
            Dialect::Lite | Dialect::Classic => model,
        };
        let fast = wants.fast || wish.fast;
        Ok(Route {
            model: model.slug.clone(),
            dialect: model.dialect,
            efforts: model.efforts.clone(),
            default_effort: model.default_effort,
            suffix_effort: wish.effort,
            forced_effort: self.effort,
            fast,
            tier: (fast && model.tiers.iter().any(|tier| tier == "priority")).then(|| "priority".to_owned()),
            verbosity: model.verbosity.clone(),
            window: self.window(catalog),
        })
    }

    /// The model that answers for a family.
    ///
    /// # Errors
    /// [`Failure::UnknownModel`] if the user's rule names a model that the catalog lacks.
    pub fn family<'c>(&self, catalog: &'c Catalog, family: Family) -> Result<&'c Model, Failure> {
        self.target(catalog, family).map(|(model, _)| model)
    }

    /// The context window to tell Claude Code: the smallest of the mapped families (DECISIONS 18). Tokens.
    pub fn window(&self, catalog: &Catalog) -> u64 {
        let windows = Family::NAMED.into_iter().filter_map(|family| self.family(catalog, family).ok());
        windows.map(|model| model.context_window * model.effective_percent / 100).min().unwrap_or(258_400)
    }

    fn target<'c>(&self, catalog: &'c Catalog, family: Family) -> Result<(&'c Model, Wish<'_>), Failure> {
        let rule = match family {
            Family::Opus => &self.opus,
            Family::Sonnet => &self.sonnet,
            Family::Haiku => &self.haiku,
            Family::Fable => &self.fable,
            Family::Other => &self.default,
        };
        match rule.as_ref().or(self.default.as_ref()) {
            Some(rule) => {
                let wish = Wish::read(catalog, rule);
                match find(catalog, wish.name) {
                    Some(model) => Ok((model, wish)),
                    None => Err(unknown(catalog, rule)),
                }
            }
            None => match by_default(catalog, family) {
                Some(model) => Ok((model, Wish::default())),
                None => Err(unknown(catalog, family.as_str())),
            },
        }
    }

    fn passthrough(&self, catalog: &Catalog, wish: &Wish<'_>) -> Route {
        Route {
            suffix_effort: wish.effort,
            forced_effort: self.effort,
            fast: wish.fast,
            tier: wish.fast.then(|| "priority".to_owned()),
            window: self.window(catalog),
            ..Route::to(wish.name, Dialect::Classic, &USUAL_EFFORTS)
        }
    }
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

/// The id under which Claude Code's model discovery lists a catalog model: it must look like Claude's (M14).
pub fn gateway_id(slug: &str) -> String {
    format!("claude-{}", slug.replace('.', "-"))
}

fn find<'c>(catalog: &'c Catalog, name: &str) -> Option<&'c Model> {
    catalog.find(name).or_else(|| catalog.models.iter().find(|model| gateway_id(&model.slug) == name))
}

fn unknown(catalog: &Catalog, name: &str) -> Failure {
    let known = catalog.listed().map(|model| model.slug.clone()).collect();
    Failure::UnknownModel { model: name.to_owned(), known }
}

impl<'n> Wish<'n> {
    /// Takes suffixes off until the catalog knows the name, or none is left (R55).
    fn read(catalog: &Catalog, name: &'n str) -> Self {
        let mut wish = Self { name, effort: None, fast: false };
        while find(catalog, wish.name).is_none() {
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

#[cfg(test)]
mod tests {
    use dragoman_upstream::Source;

    use super::*;

    fn model(slug: &str, priority: i64, window: u64) -> Model {
        Model {
            slug: slug.to_owned(),
            display_name: slug.to_uppercase(),
            description: String::new(),
            context_window: window,
            max_context_window: window,
            effective_percent: 95,
            default_effort: Some(Effort::Low),
            efforts: vec![Effort::Low, Effort::Medium, Effort::High],
            tiers: vec!["priority".to_owned()],
            dialect: Dialect::Lite,
            verbosity: None,
            visible: true,
            priority,
        }
    }

    fn catalog() -> Catalog {
        let models = vec![
            model("gpt-6.1-sol", 1, 272_000),
            model("gpt-6-luna", 4, 272_000),
            model("gpt-6.1-terra", 7, 500_000),
            model("gpt-5.5", 13, 272_000),
        ];
        Catalog { models, etag: None, source: Source::Bundled }
    }

    fn route(name: &str) -> (String, Option<Effort>, Option<String>) {
        let route = Rules::default().route(&catalog(), name, Wants::default()).unwrap();
        (route.model, route.suffix_effort, route.tier)
    }

    #[test]
    fn families_are_mapped_by_the_catalog() {
        for (name, slug) in [
            ("claude-opus-5-5", "gpt-6.1-sol"),
            ("claude-sonnet-5-5[1m]", "gpt-6.1-terra"),
            ("claude-haiku-5-5", "gpt-6-luna"),
            ("claude-fable-5-2", "gpt-6.1-sol"),
            ("claude-something-new", "gpt-6.1-sol"),
            ("haiku", "gpt-6-luna"),
            ("claude-gpt-5-5", "gpt-5.5"),
            ("gpt-5.5", "gpt-5.5"),
        ] {
            assert_eq!(route(name), (slug.to_owned(), None, None), "{name}");
        }
    }

    #[test]
    fn suffixes_ask_for_effort_and_speed() {
        let fast = Some("priority".to_owned());
        for (name, expected) in [
            ("gpt-5.5-high", ("gpt-5.5".to_owned(), Some(Effort::High), None)),
            ("gpt-5.5(medium)", ("gpt-5.5".to_owned(), Some(Effort::Medium), None)),
            ("gpt-5.5-low-fast", ("gpt-5.5".to_owned(), Some(Effort::Low), fast.clone())),
            ("claude-opus-5-5-max", ("gpt-6.1-sol".to_owned(), Some(Effort::Max), None)),
            ("claude-gpt-6-luna-fast", ("gpt-6-luna".to_owned(), None, fast)),
        ] {
            assert_eq!(route(name), expected, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_what_exists() {
        let error = Rules::default().route(&catalog(), "gpt-9", Wants::default()).unwrap_err();
        assert!(error.to_string().contains("gpt-6.1-sol, gpt-6-luna"), "{error}");
        let passthrough = Rules { mode: Mode::Passthrough, ..Rules::default() };
        assert_eq!(passthrough.route(&catalog(), "gpt-9-high", Wants::default()).unwrap().model, "gpt-9");
    }

    #[test]
    fn rules_come_before_the_catalog_and_bring_their_own_suffix() {
        let rules = Rules {
            opus: Some("gpt-5.5-high".into()),
            default: Some("gpt-6-luna".into()),
            ..Rules::default()
        };
        let opus = rules.route(&catalog(), "claude-opus-5-5", Wants::default()).unwrap();
        assert_eq!((opus.model.as_str(), opus.suffix_effort), ("gpt-5.5", Some(Effort::High)));
        assert_eq!(
            rules.route(&catalog(), "claude-sonnet-5-5", Wants::default()).unwrap().model,
            "gpt-6-luna"
        );
    }

    #[test]
    fn a_search_goes_to_a_model_that_can_search() {
        let mut catalog = catalog();
        let search = Wants { search: true, ..Wants::default() };
        let slug =
            |catalog: &Catalog| Rules::default().route(catalog, "claude-opus-5-5", search).unwrap().model;
        assert_eq!(slug(&catalog), "gpt-6.1-sol", "there is none: translation says so");
        catalog.models[3].dialect = Dialect::Classic;
        assert_eq!(slug(&catalog), "gpt-5.5");
    }

    #[test]
    fn the_window_is_the_smallest_of_the_mapped_families() {
        assert_eq!(Rules::default().window(&catalog()), 258_400);
    }
}

//! Which models there are and what answers for which name, to be shown. Which one answers a request is decided in the
//! proxy's `routes`, by the same [`Rules`].

use dragoman_protocol::route::{Dialect, Effort, Pool};
use dragoman_proxy::gateway_id;
use dragoman_proxy::{Context, Decider, Decision, Facts, Family, Mode, Passed, Routed, Rules, Scenario};
use dragoman_upstream::{Catalog, Model, Source};
use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::settings::{self, Settings};

/// The catalog and the map, as tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Models {
    /// Where the catalog comes from.
    pub source: Source,
    /// The window that Claude Code is told, in tokens: the smallest of the mapped families (DECISIONS 18).
    pub window: u64,
    /// Where the Codex CLI is set to compact, in tokens, if that counts here too.
    pub compact_at: Option<u64>,
    /// The effort that all requests are sent with, if the user wants that.
    pub effort: Option<Effort>,
    /// What each family of Claude's names stands for; the last row, `default`, is for names of no known family.
    pub families: Vec<Mapped>,
    /// What kinds of requests get, whatever family they ask for.
    pub scenarios: Vec<Mapped>,
    /// The user's rules for single names and patterns.
    pub names: Vec<Mapped>,
    /// The models people should see, best first.
    pub listed: Vec<Listed>,
}

/// One row of the map: who asks, who answers, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Mapped {
    /// A family, a scenario, a name or a pattern.
    pub asks: String,
    /// The rule of the user's for exactly this row, in the words of the settings. `None`: there is none, and what stands
    /// here is computed.
    pub rule: Option<String>,
    /// The model's id. `None` for a scenario: as the family that is asked for.
    pub model: Option<String>,
    /// Whose accounts answer; `None`: anybody's.
    pub pool: Option<Pool>,
    /// The effort that is sent whatever the client asks for.
    pub effort: Option<Effort>,
    /// The effort that is sent if the client asks for none.
    pub default_effort: Option<Effort>,
    /// The service tier that is asked for.
    pub tier: Option<String>,
    /// How many tokens a conversation may have there.
    pub window: Option<u64>,
    /// Who decided.
    pub decider: Option<Decider>,
    /// The same in words.
    pub why: String,
    /// What is wrong: a rule that names a model that there is not, or nobody at all to answer.
    pub problem: Option<String>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Listed {
    /// Its id, to be used in settings and by clients.
    pub id: String,
    /// The id under which Claude Code's model discovery lists it.
    pub alias: String,
    /// Its name for people.
    pub name: String,
    /// What it is good for.
    pub description: String,
    /// What a conversation may fill, in tokens.
    pub window: u64,
    /// The efforts it offers that can be sent, lowest first.
    pub efforts: Vec<Effort>,
    /// The effort if none is asked for.
    pub default_effort: Option<Effort>,
    /// The service tiers it offers.
    pub tiers: Vec<String>,
    /// The request dialect it speaks.
    pub dialect: Dialect,
}

impl Models {
    /// What these rules make of this catalog.
    pub(crate) fn of(catalog: &Catalog, rules: &Rules, settings: &settings::Models) -> Self {
        let see = |asks: &str, name: &str, rule: Option<String>, facts: &Facts| {
            let routed = rules.route(catalog, name, facts).map_err(|failure| failure.to_string());
            row(catalog, rules, asks, rule, routed)
        };
        let families = Family::NAMED.into_iter().chain([Family::Other]).map(|family| {
            let rule = match family {
                Family::Opus => &settings.opus,
                Family::Sonnet => &settings.sonnet,
                Family::Haiku => &settings.haiku,
                Family::Fable => &settings.fable,
                Family::Other => &settings.default,
            };
            let rule = rule.as_ref().map(ToString::to_string);
            see(family.as_str(), family.as_str(), rule, &Facts::default())
        });
        let scenarios = Scenario::ALL.into_iter().map(|scenario| {
            let rule = settings.scenario(scenario).map(ToString::to_string);
            let row = see(scenario.as_str(), Family::Opus.as_str(), rule, &Facts::of_scenario(scenario));
            as_the_family(row, scenario)
        });
        let names = settings.names.iter().map(|(name, target)| {
            let rule = Some(target.to_string());
            if !name.contains(['*', '?']) {
                return see(name, name, rule, &Facts::default());
            }
            // Nobody asks for a pattern by its own name: the rule is looked at as if it were for one name.
            let alone = Rules { names: [(ROW.to_owned(), target.clone())].into(), ..rules.clone() };
            let routed = alone.route(catalog, ROW, &Facts::default());
            let decider = Decider::Pattern(name.clone());
            match routed {
                Ok(Routed { route, decision, context }) => {
                    let decision = Decision { decider, ..decision };
                    row(catalog, rules, name, rule, Ok(Routed { route, decision, context }))
                }
                Err(_) => {
                    let passed = Passed { decider, model: target.model.clone() };
                    row(catalog, rules, name, rule, Err(passed.to_string()))
                }
            }
        });
        Self {
            source: catalog.source,
            window: rules.window(catalog),
            compact_at: rules.codex.compact_at,
            effort: rules.effort,
            families: families.collect(),
            scenarios: scenarios.collect(),
            names: names.collect(),
            listed: catalog.listed().map(listed).collect(),
        }
    }

    /// What one name would become, in a request for this or for nothing special.
    pub(crate) fn resolve(
        catalog: &Catalog,
        rules: &Rules,
        name: &str,
        scenario: Option<Scenario>,
    ) -> Mapped {
        let facts = scenario.map_or_else(Facts::default, Facts::of_scenario);
        let routed = rules.route(catalog, name, &facts).map_err(|failure| failure.to_string());
        row(catalog, rules, name, None, routed)
    }

    /// Every row of the map.
    pub fn rows(&self) -> impl Iterator<Item = &Mapped> {
        self.families.iter().chain(&self.scenarios).chain(&self.names)
    }

    /// What is wrong with the map, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<_> = self.rows().filter_map(|row| row.problem.clone()).collect();
        problems.sort();
        problems.dedup();
        problems
    }
}

fn row(
    catalog: &Catalog,
    rules: &Rules,
    asks: &str,
    rule: Option<String>,
    routed: Result<Routed, String>,
) -> Mapped {
    let asks = asks.to_owned();
    match routed {
        Ok(Routed { route, decision, context }) => {
            let model = catalog.find(&route.model);
            let problem = (!decision.passed.is_empty()).then(|| {
                let passed: Vec<_> = decision.passed.iter().map(ToString::to_string).collect();
                format!("{}; {} answers instead", passed.join("; "), route.model)
            });
            Mapped {
                asks,
                rule,
                window: model.map(|model| rules.usable(model, context)),
                pool: route.pool,
                effort: route.suffix_effort.or(route.forced_effort),
                default_effort: route.rule_effort.or(route.default_effort),
                tier: route.tier,
                why: why(&decision.decider, decision.cannot_search.as_deref(), context),
                model: Some(route.model),
                decider: Some(decision.decider),
                problem,
            }
        }
        Err(problem) => Mapped { asks, rule, problem: Some(problem), ..Mapped::default() },
    }
}

/// A scenario that nothing is said about goes where the name leads.
fn as_the_family(row: Mapped, scenario: Scenario) -> Mapped {
    let computed = match row.decider {
        Some(Decider::Scenario(_)) | None => true,
        Some(Decider::Catalog) => scenario == Scenario::Background,
        Some(_) => false,
    };
    if computed || row.why.contains(SEARCH) {
        return row;
    }
    let why = "as the name that is asked for".to_owned();
    let problem = row.rule.is_some().then_some(row.problem).flatten();
    Mapped {
        model: None,
        pool: None,
        effort: None,
        default_effort: None,
        tier: None,
        window: None,
        decider: None,
        why,
        problem,
        ..row
    }
}

/// A name that no client asks for.
const ROW: &str = "a row";

const SEARCH: &str = "can't search";

fn why(decider: &Decider, cannot_search: Option<&str>, context: Context) -> String {
    let rule = match decider {
        Decider::Catalog => "the catalog's order".to_owned(),
        Decider::Model | Decider::Codex => decider.to_string(),
        Decider::Passthrough => "names that nobody knows go upstream as they are (models.mode)".to_owned(),
        Decider::Name(_)
        | Decider::Pattern(_)
        | Decider::Scenario(_)
        | Decider::Family(_)
        | Decider::Default => format!("your rule {decider}"),
    };
    let context = match context {
        Context::Max => ", with its whole window",
        Context::Usual => "",
    };
    match cannot_search {
        Some(model) => format!("{model} {SEARCH}"),
        None => format!("{rule}{context}"),
    }
}

fn listed(model: &Model) -> Listed {
    Listed {
        id: model.slug.clone(),
        alias: gateway_id(&model.slug),
        name: model.display_name.clone(),
        description: model.description.clone(),
        window: model.context_window * model.effective_percent / 100,
        efforts: model.efforts.iter().copied().filter(|effort| *effort != Effort::Ultra).collect(),
        default_effort: model.default_effort,
        tiers: model.tiers.clone(),
        dialect: model.dialect,
    }
}

/// The user's wishes, for the proxy.
pub(crate) fn rules(settings: &Settings) -> Rules {
    let wishes = settings.models.clone();
    let scenarios = Scenario::ALL
        .into_iter()
        .filter_map(|scenario| Some((scenario, wishes.scenario(scenario)?.clone())))
        .collect();
    Rules {
        names: wishes.names,
        scenarios,
        opus: wishes.opus,
        sonnet: wishes.sonnet,
        haiku: wishes.haiku,
        fable: wishes.fable,
        default: wishes.default,
        long_context_over: wishes.long_context_over.into(),
        effort: wishes.effort,
        default_effort: wishes.default_effort,
        mode: match wishes.mode {
            settings::Mode::Map => Mode::Map,
            settings::Mode::Passthrough => Mode::Passthrough,
        },
        codex: settings.codex().clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(slug: &str, priority: i64) -> Model {
        Model {
            slug: slug.to_owned(),
            display_name: slug.to_uppercase(),
            description: "A model.".to_owned(),
            context_window: 272_000,
            max_context_window: 400_000,
            effective_percent: 95,
            default_effort: Some(Effort::Low),
            efforts: vec![Effort::Low, Effort::High, Effort::Ultra],
            tiers: vec!["priority".to_owned()],
            dialect: Dialect::Lite,
            verbosity: None,
            visible: true,
            priority,
        }
    }

    fn models(change: impl FnOnce(&mut Settings)) -> Models {
        let searcher = Model { dialect: Dialect::Classic, ..model("c", 3) };
        let catalog = Catalog {
            models: vec![model("a", 1), model("b-luna", 2), searcher],
            etag: None,
            source: Source::Bundled,
        };
        let mut settings = Settings::default();
        change(&mut settings);
        Models::of(&catalog, &rules(&settings), &settings.models)
    }

    fn row<'m>(models: &'m Models, asks: &str) -> &'m Mapped {
        models.rows().find(|row| row.asks == asks).unwrap()
    }

    #[test]
    fn the_table_shows_what_each_family_gets_and_why() {
        let models = models(|settings| {
            settings.models.fable = Some("gone".parse().unwrap());
            settings.models.sonnet = Some("api,c effort=high tier=fast context=max".parse().unwrap());
        });
        let seen = |asks: &str| {
            let Mapped { model, why, problem, .. } = row(&models, asks).clone();
            (model.unwrap_or_default(), why, problem.unwrap_or_default())
        };
        let catalog = "the catalog's order".to_owned();
        assert_eq!(seen("opus"), ("a".into(), catalog.clone(), String::new()));
        assert_eq!(seen("haiku"), ("b-luna".into(), catalog.clone(), String::new()));
        assert_eq!(seen("default"), ("a".into(), catalog.clone(), String::new()));
        let gone = "models.fable names gone, which this account does not have; a answers instead";
        assert_eq!(seen("fable"), ("a".into(), catalog, gone.into()));
        assert_eq!(models.problems(), [gone]);
        let sonnet = row(&models, "sonnet");
        assert_eq!(sonnet.why, "your rule models.sonnet, with its whole window");
        assert_eq!((sonnet.effort, sonnet.default_effort), (Some(Effort::High), Some(Effort::Low)));
        assert_eq!((sonnet.tier.as_deref(), sonnet.window), (Some("priority"), Some(380_000)));
        assert_eq!((sonnet.pool, models.window), (Some(Pool::Api), 258_400));
        assert_eq!(models.listed[0].efforts, [Effort::Low, Effort::High], "ultra is never sent");
    }

    #[test]
    fn a_scenario_without_a_rule_goes_where_the_name_leads() {
        let models = models(|settings| {
            settings.models.think = Some("c-high".parse().unwrap());
            settings.models.image = Some("gone".parse().unwrap());
        });
        let seen = |asks: &str| {
            let row = row(&models, asks);
            (row.model.as_deref(), row.why.as_str(), row.problem.is_some())
        };
        assert_eq!(seen("think"), (Some("c"), "your rule models.think", false));
        assert_eq!(seen("background"), (Some("b-luna"), "the catalog's order", false));
        assert_eq!(seen("web_search"), (Some("c"), "a can't search", false));
        assert_eq!(seen("subagent"), (None, "as the name that is asked for", false));
        assert_eq!(seen("image"), (None, "as the name that is asked for", true));
    }

    #[test]
    fn one_name_is_looked_up_as_a_request_would_be() {
        let catalog =
            Catalog { models: vec![model("a", 1), model("b-luna", 2)], etag: None, source: Source::Bundled };
        let mut settings = Settings::default();
        settings.models.think = Some("b-luna tier=fast".parse().unwrap());
        let resolve = |name: &str, scenario| Models::resolve(&catalog, &rules(&settings), name, scenario);
        let plain = resolve("claude-opus-5-5-high[1m]", None);
        assert_eq!((plain.model.as_deref(), plain.effort), (Some("a"), Some(Effort::High)));
        assert_eq!(plain.decider, Some(Decider::Catalog));
        let thinking = resolve("opus", Some(Scenario::Think));
        assert_eq!((thinking.model.as_deref(), thinking.tier.as_deref()), (Some("b-luna"), Some("priority")));
        assert_eq!(thinking.why, "your rule models.think");
        let unknown = resolve("gpt-9", None);
        assert!(unknown.model.is_none() && unknown.problem.unwrap().contains("gpt-9"));
    }

    #[test]
    fn names_and_patterns_have_rows_too() {
        let models = models(|settings| {
            let rule = |name: &str, words: &str| (name.to_owned(), words.parse().unwrap());
            settings.models.names =
                [rule("mine", "c-low"), rule("claude-*", "b-luna effort=high"), rule("x?", "gone")].into();
        });
        assert_eq!(models.problems(), ["models.names.\"x?\" names gone, which this account does not have"]);
        let seen = |asks: &str| {
            let row = row(&models, asks);
            (row.model.as_deref(), row.effort, row.decider.clone())
        };
        assert_eq!(seen("mine"), (Some("c"), Some(Effort::Low), Some(Decider::Name("mine".into()))));
        assert_eq!(
            seen("claude-*"),
            (Some("b-luna"), Some(Effort::High), Some(Decider::Pattern("claude-*".into())))
        );
    }
}

use dragoman_protocol::route::Pool;
use dragoman_upstream::Source;
use http::HeaderMap;
use proptest::prelude::*;

use super::*;

fn model(slug: &str, priority: i64, window: u64) -> Model {
    Model {
        slug: slug.to_owned(),
        display_name: slug.to_uppercase(),
        description: String::new(),
        context_window: window,
        max_context_window: window * 2,
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
        model("gpt-5.3-codex", 14, 272_000),
    ];
    Catalog { models, etag: None, source: Source::Bundled }
}

fn target(words: &str) -> Target {
    words.parse().unwrap()
}

fn routed(rules: &Rules, name: &str, scenarios: &[Scenario]) -> Routed {
    let facts = Facts { scenarios: scenarios.to_vec(), ..Facts::default() };
    rules.route(&catalog(), name, &facts).unwrap()
}

fn route(name: &str) -> (String, Option<Effort>, Option<String>) {
    let route = routed(&Rules::default(), name, &[]).route;
    (route.model, route.suffix_effort, route.tier)
}

/// One rule of each kind, each with another model.
fn full() -> Rules {
    let names =
        [("claude-opus-4-1", "gpt-5.3-codex"), ("claude-*-4-?", "gpt-5.5"), ("claude-*", "gpt-6-luna")];
    Rules {
        names: names.map(|(name, words)| (name.to_owned(), target(words))).into(),
        scenarios: BTreeMap::from([
            (Scenario::LongContext, target("gpt-6.1-terra")),
            (Scenario::Think, target("gpt-6.1-sol-high")),
        ]),
        opus: Some(target("gpt-6.1-sol")),
        default: Some(target("gpt-6-luna-low")),
        ..Rules::default()
    }
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
        ("gpt-5.5[1m]", "gpt-5.5"),
        ("gpt-5.3", "gpt-5.3-codex"),
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
        ("gpt-5.5-high[1m]", ("gpt-5.5".to_owned(), Some(Effort::High), None)),
        ("claude-opus-5-5-max", ("gpt-6.1-sol".to_owned(), Some(Effort::Max), None)),
        ("claude-gpt-6-luna-fast", ("gpt-6-luna".to_owned(), None, fast)),
        ("gpt-5.3-xhigh", ("gpt-5.3-codex".to_owned(), Some(Effort::Xhigh), None)),
    ] {
        assert_eq!(route(name), expected, "{name}");
    }
}

/// The table of docs/models.md.
#[test]
fn the_most_particular_rule_decides() {
    use Scenario::{Compact, LongContext, Think};
    let rules = full();
    let family = Decider::Family(Family::Opus);
    for (name, scenarios, decider, slug) in [
        ("claude-opus-4-1", &[LongContext][..], Decider::Name("claude-opus-4-1".into()), "gpt-5.3-codex"),
        ("gpt-5.5", &[LongContext], Decider::Model, "gpt-5.5"),
        ("claude-opus-4-5", &[LongContext, Think], Decider::Scenario(LongContext), "gpt-6.1-terra"),
        ("claude-opus-4-5", &[Compact, Think], Decider::Scenario(Think), "gpt-6.1-sol"),
        ("claude-opus-4-5", &[], family, "gpt-6.1-sol"),
        ("claude-sonnet-4-5", &[], Decider::Pattern("claude-*-4-?".into()), "gpt-5.5"),
        ("claude-sonnet-5-5", &[], Decider::Pattern("claude-*".into()), "gpt-6-luna"),
        ("sonnet", &[], Decider::Default, "gpt-6-luna"),
    ] {
        let routed = routed(&rules, name, scenarios);
        assert_eq!(
            (routed.decision.decider, routed.route.model.as_str()),
            (decider, slug),
            "{name} {scenarios:?}"
        );
    }
}

#[test]
fn an_unknown_name_or_backend_is_an_error_that_lists_what_exists() {
    let route = |rules: &Rules, name: &str| rules.route(&catalog(), name, &Facts::default());
    let error = route(&Rules::default(), "gpt-9").unwrap_err();
    assert!(error.to_string().contains("gpt-6.1-sol, gpt-6-luna"), "{error}");
    assert!(route(&Rules::default(), "gpt-5.5-ultra").is_err(), "no such effort can be sent");
    let error = route(&Rules::default(), "elsewhere,gpt-5.5").unwrap_err();
    assert!(error.to_string().contains("available: chatgpt, api"), "{error}");
    // A rule for a kind of request is no reason to take a slip of the pen for a model.
    let facts = Facts::of_scenario(Scenario::LongContext);
    assert!(full().route(&catalog(), "gpt-9", &facts).is_err());
    let passthrough = Rules { mode: Mode::Passthrough, ..Rules::default() };
    let there = route(&passthrough, "gpt-9-high").unwrap();
    assert_eq!((there.route.model.as_str(), there.route.suffix_effort), ("gpt-9", Some(Effort::High)));
    assert_eq!(there.decision.decider, Decider::Passthrough);
}

#[test]
fn a_name_or_a_rule_may_say_whose_accounts_answer() {
    let pool = |rules: &Rules, name: &str| routed(rules, name, &[]).route.pool;
    assert_eq!(pool(&Rules::default(), "gpt-5.5"), None);
    assert_eq!(pool(&Rules::default(), "api,gpt-5.5-high"), Some(Pool::Api));
    assert_eq!(pool(&Rules::default(), "chatgpt,opus[1m]"), Some(Pool::ChatGpt));
    let rules = Rules { opus: Some(target("api,gpt-5.5")), ..Rules::default() };
    assert_eq!(pool(&rules, "claude-opus-5-5"), Some(Pool::Api));
    assert_eq!(pool(&rules, "chatgpt,claude-opus-5-5"), Some(Pool::ChatGpt), "the name says more");
}

#[test]
fn a_rule_brings_effort_tier_and_suffix() {
    let rules = Rules {
        opus: Some(target("gpt-5.5-high tier=fast")),
        sonnet: Some(target("gpt-5.5 effort=medium default_effort=high tier=standard")),
        default_effort: Some(Effort::Medium),
        ..Rules::default()
    };
    let opus = routed(&rules, "claude-opus-5-5", &[]).route;
    assert_eq!((opus.suffix_effort, opus.tier.as_deref()), (Some(Effort::High), Some("priority")));
    assert_eq!((opus.forced_effort, opus.rule_effort), (None, Some(Effort::Medium)));
    let sonnet = routed(&rules, "claude-sonnet-5-5-fast", &[]).route;
    assert_eq!((sonnet.forced_effort, sonnet.rule_effort), (Some(Effort::Medium), Some(Effort::High)));
    assert_eq!((sonnet.fast, sonnet.tier), (false, None));
    let hurried = Facts { fast: true, ..Facts::default() };
    let hurried = rules.route(&catalog(), "claude-sonnet-5-5", &hurried).unwrap().route;
    assert_eq!((hurried.fast, hurried.tier), (false, None), "the rule says more than the client");
    let mut plain = catalog();
    plain.models[3].tiers.clear();
    let plain = rules.route(&plain, "claude-opus-5-5", &Facts::default()).unwrap().route;
    assert_eq!((plain.fast, plain.tier), (true, None), "the model has no such tier");
    let switched = Rules { effort: Some(Effort::Low), ..rules };
    assert_eq!(
        routed(&switched, "sonnet", &[]).route.forced_effort,
        Some(Effort::Low),
        "the switch is for all"
    );
}

#[test]
fn a_model_that_there_is_not_passes_to_the_next_rule_and_is_told() {
    let rules = Rules {
        scenarios: BTreeMap::from([(Scenario::Think, target("gpt-8"))]),
        opus: Some(target("gpt-9-high")),
        default: Some(target("gpt-5.5")),
        ..Rules::default()
    };
    let routed = routed(&rules, "claude-opus-5-5", &[Scenario::Think]);
    assert_eq!((routed.route.model.as_str(), &routed.decision.decider), ("gpt-5.5", &Decider::Default));
    assert_eq!(routed.route.suffix_effort, None, "that suffix was the other model's");
    let notes: Vec<_> = routed.decision.notes("gpt-5.5").0.into_iter().map(|note| note.detail).collect();
    assert_eq!(
        notes,
        [
            "models.think names gpt-8, which this account does not have; gpt-5.5 answers",
            "models.opus names gpt-9-high, which this account does not have; gpt-5.5 answers",
        ]
    );
}

#[test]
fn a_search_goes_to_a_model_that_can_search() {
    let mut catalog = catalog();
    let search = Facts::of_scenario(Scenario::WebSearch);
    let asked = |catalog: &Catalog, rules: &Rules| rules.route(catalog, "claude-opus-5-5", &search).unwrap();
    let nobody = asked(&catalog, &Rules::default());
    assert_eq!(nobody.route.model, "gpt-6.1-sol", "there is none: translation says so");
    catalog.models[3].dialect = Dialect::Classic;
    let other = asked(&catalog, &Rules::default());
    assert_eq!(other.route.model, "gpt-5.5");
    assert_eq!(other.decision.cannot_search.as_deref(), Some("gpt-6.1-sol"));
    let rules = Rules {
        scenarios: BTreeMap::from([(Scenario::WebSearch, target("gpt-6-luna"))]),
        ..Rules::default()
    };
    assert_eq!(asked(&catalog, &rules).route.model, "gpt-6-luna", "the user wants it so");
}

#[test]
fn background_work_goes_to_the_small_model_unless_a_rule_says_otherwise() {
    let background = [Scenario::Background];
    assert_eq!(routed(&Rules::default(), "claude-opus-5-5", &background).route.model, "gpt-6-luna");
    let rules = Rules { opus: Some(target("gpt-5.5")), ..Rules::default() };
    assert_eq!(routed(&rules, "claude-opus-5-5", &background).route.model, "gpt-5.5");
}

#[test]
fn the_window_is_the_smallest_of_the_mapped_families() {
    let window = |rules: &Rules| rules.window(&catalog());
    assert_eq!(window(&Rules::default()), 258_400);
    let large = || Some(target("gpt-6.1-terra"));
    let rules = Rules { opus: large(), haiku: large(), fable: large(), ..Rules::default() };
    assert_eq!(window(&rules), 475_000);
    let max = || Some(target("gpt-5.5 context=max"));
    let rules = Rules { opus: max(), haiku: max(), fable: max(), ..Rules::default() };
    assert_eq!(window(&rules), 475_000, "terra is smaller than twice 272,000");
}

#[test]
fn the_codex_clis_settings_are_defaults_and_no_more() {
    let codex = CodexDefaults { model: Some("gpt-5.5".into()), window: Some(200_000), compact_at: None };
    let rules = Rules { codex, sonnet: Some(target("gpt-6.1-terra")), ..Rules::default() };
    let decided = |name: &str| {
        let routed = routed(&rules, name, &[]);
        (routed.route.model, routed.decision.decider)
    };
    assert_eq!(decided("claude-opus-5-5"), ("gpt-5.5".into(), Decider::Codex));
    assert_eq!(decided("claude-sonnet-5-5"), ("gpt-6.1-terra".into(), Decider::Family(Family::Sonnet)));
    assert_eq!(
        decided("claude-haiku-5-5"),
        ("gpt-6-luna".into(), Decider::Catalog),
        "small work stays small"
    );
    assert_eq!(rules.window(&catalog()), 190_000);
    let huge = CodexDefaults { window: Some(9_000_000), ..CodexDefaults::default() };
    let rules = Rules { codex: huge, ..Rules::default() };
    assert_eq!(rules.window(&catalog()), 516_800, "no more than the model takes");
}

// === what a request is for ===

fn scenarios(headers: &[(&'static str, &str)], body: &str, tokens: u64) -> Vec<Scenario> {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
    let all = Scenario::ALL.map(|scenario| (scenario, target("gpt-5.5")));
    let rules = Rules { scenarios: all.into(), ..Rules::default() };
    Facts::of(&headers, &MessagesRequest::parse(body).unwrap(), tokens, &rules).scenarios
}

const SESSION: (&str, &str) = ("x-claude-code-session-id", "1fb6b981-be92-43db-a237-cf09d4886ef0");
const TOOLS: &str = r#""tools":[{"name":"Bash","input_schema":{}}],"thinking":{"type":"adaptive"}"#;

/// Bodies as Claude Code 2.1.329 sends them, cut to what tells.
#[test]
fn a_request_shows_what_it_is_for() {
    use Scenario::{Background, Compact, Image, LongContext, Subagent, Think, WebSearch};
    let ask = |model: &str, messages: &str, rest: &str| {
        format!(r#"{{"model":"{model}","messages":[{messages}],{rest}}}"#)
    };
    let user = |text: &str| format!(r#"{{"role":"user","content":"{text}"}}"#);
    let system = |text: &str| format!(r#"{{"role":"system","content":[{{"type":"text","text":"{text}"}}]}}"#);
    let agent = ("x-claude-code-agent-id", "a40152c82520f566a");
    let picture = r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}"#;
    let title = r#""tools":[],"output_config":{"effort":"medium"}"#;
    let main = |messages: &str| ask("claude-opus-5-5", messages, TOOLS);
    let in_result = format!(
        r#"{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":[{picture}]}}]}}"#
    );
    let planning = [user("plan"), system("# Environment\\n\\nPlan mode is active. The user")].join(",");
    let acting =
        [&planning, &user("go"), &system("## Exited Plan Mode\\n\\nYou have")].map(String::as_str).join(",");
    let short =
        [user("plan"), system("Plan mode is active. The user\\n## Exited Plan Mode\\n\\nYou")].join(",");
    let reminded = user("<system-reminder>Plan mode still active (see above)</system-reminder>");
    for (what, headers, body, tokens, expected) in [
        ("the main loop", vec![SESSION], main(&user("hi")), 100, vec![]),
        ("a title", vec![SESSION], ask("claude-opus-5-5", &user("<session>"), title), 100, vec![Background]),
        ("haiku", vec![SESSION], ask("claude-haiku-5-5", &user("hi"), TOOLS), 100, vec![Background]),
        (
            "haiku's agent",
            vec![SESSION, agent],
            ask("claude-haiku-5-5", &user("hi"), TOOLS),
            100,
            vec![Subagent],
        ),
        (
            "an SDK without tools",
            vec![],
            ask("claude-opus-5-5", &user("hi"), r#""max_tokens":5"#),
            100,
            vec![],
        ),
        (
            "the judge of auto mode",
            vec![SESSION],
            ask("claude-sonnet-5-5", &user("<transcript>"), r#""stop_sequences":["</block>"]"#),
            100,
            vec![],
        ),
        (
            "a search",
            vec![SESSION],
            ask(
                "claude-opus-5-5",
                &user("Perform a web search"),
                r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#,
            ),
            100,
            vec![WebSearch],
        ),
        (
            "a compaction of a long conversation",
            vec![SESSION],
            main(&user("CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\\n\\n- Do")),
            200_001,
            vec![Compact, LongContext],
        ),
        ("just as long as allowed", vec![SESSION], main(&user("hi")), 200_000, vec![]),
        ("a subagent", vec![SESSION, agent], main(&user("hi")), 100, vec![Subagent]),
        (
            "a picture",
            vec![SESSION],
            main(&format!(r#"{{"role":"user","content":[{picture}]}}"#)),
            100,
            vec![Image],
        ),
        ("a picture that a tool read", vec![SESSION], main(&in_result), 100, vec![Image]),
        ("plan mode", vec![SESSION], main(&planning), 100, vec![Think]),
        (
            "plan mode goes on",
            vec![SESSION],
            main(&[planning.clone(), user("and")].join(",")),
            100,
            vec![Think],
        ),
        ("plan mode is over", vec![SESSION], main(&acting), 100, vec![]),
        ("plan mode is over in the same note", vec![SESSION], main(&short), 100, vec![]),
        ("an older model's plan mode", vec![SESSION], main(&reminded), 100, vec![Think]),
        ("the user's own words", vec![SESSION], main(&user("Plan mode is active")), 100, vec![]),
        (
            "a budget",
            vec![],
            ask("claude-opus-4-5", &user("hi"), r#""thinking":{"type":"enabled","budget_tokens":9000}"#),
            100,
            vec![Think],
        ),
    ] {
        assert_eq!(scenarios(&headers, &body, tokens), expected, "{what}");
    }
}

// === properties ===

fn some_target() -> impl Strategy<Value = Target> {
    let model = prop::sample::select(vec!["gpt-6.1-sol", "gpt-5.5-high", "gpt-6-luna", "gone", "gone-low"]);
    model.prop_map(target)
}

fn some_rules() -> impl Strategy<Value = Rules> {
    let name =
        prop::sample::select(vec!["claude-opus-5-5", "gpt-5.3", "claude-*", "*", "gpt-?", "opus", "gpt-9"]);
    let names = prop::collection::btree_map(name.prop_map(str::to_owned), some_target(), 0..4);
    let scenarios =
        prop::collection::btree_map(prop::sample::select(&Scenario::ALL[..]), some_target(), 0..4);
    let one = || prop::option::of(some_target());
    let codex = prop::option::of(prop::sample::select(vec!["gpt-5.5".to_owned(), "gone".to_owned()]));
    let families = (one(), one(), one(), one(), one());
    (names, scenarios, families, codex, any::<bool>()).prop_map(
        |(names, scenarios, families, codex, through)| {
            let (opus, sonnet, haiku, fable, default) = families;
            let mode = if through { Mode::Passthrough } else { Mode::Map };
            let codex = CodexDefaults { model: codex, ..CodexDefaults::default() };
            Rules { names, scenarios, opus, sonnet, haiku, fable, default, mode, codex, ..Rules::default() }
        },
    )
}

fn some_name() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "claude-opus-5-5",
        "claude-sonnet-4-5",
        "haiku",
        "fable",
        "claude-new",
        "gpt-5.5",
        "gpt-5.3",
        "gpt-9",
        "claude-gpt-6-luna",
        "opus",
        "best",
        "",
    ]);
    let end = prop::sample::select(vec!["", "-high", "(low)", "-fast", "[1m]", "-max-fast"]);
    (name, end).prop_map(|(name, end)| format!("{name}{end}"))
}

impl Rules {
    /// Without the rule that this decider stands for; `None` if it stands for none of the user's.
    fn without(&self, decider: &Decider) -> Option<Self> {
        let mut rules = self.clone();
        match decider {
            Decider::Name(name) | Decider::Pattern(name) => rules.names.remove(name).map(drop),
            Decider::Scenario(scenario) => rules.scenarios.remove(scenario).map(drop),
            Decider::Family(Family::Opus) => rules.opus.take().map(drop),
            Decider::Family(Family::Sonnet) => rules.sonnet.take().map(drop),
            Decider::Family(Family::Haiku) => rules.haiku.take().map(drop),
            Decider::Family(Family::Fable) => rules.fable.take().map(drop),
            Decider::Default => rules.default.take().map(drop),
            Decider::Codex => rules.codex.model.take().map(drop),
            Decider::Family(Family::Other) | Decider::Model | Decider::Catalog | Decider::Passthrough => None,
        }?;
        Some(rules)
    }
}

proptest! {
    /// Every request has exactly one deciding rule: it is there, its model exists (unless all go through), taking it
    /// away lets another one decide, and taking away the ones that were passed over changes nothing but the notice.
    #[test]
    fn every_request_has_exactly_one_deciding_rule(
        rules in some_rules(), name in some_name(),
        scenarios in prop::sample::subsequence(Scenario::ALL.to_vec(), 0..=Scenario::ALL.len()),
    ) {
        let facts = Facts { scenarios, ..Facts::default() };
        let catalog = catalog();
        let Ok(routed) = rules.route(&catalog, &name, &facts) else {
            prop_assert!(rules.mode == Mode::Map && Family::of(&name).is_none(), "{name} is refused");
            return Ok(());
        };
        let Decision { decider, passed, .. } = &routed.decision;
        prop_assert!(rules.mode == Mode::Passthrough || catalog.find(&routed.route.model).is_some());
        prop_assert!(passed.iter().all(|passed| passed.decider != *decider));
        let mut fewer = rules.clone();
        for passed in passed {
            fewer = fewer.without(&passed.decider).expect("only the user's rules can be passed over");
        }
        let again = fewer.route(&catalog, &name, &facts).unwrap();
        prop_assert_eq!(&again.route, &Route { window: again.route.window, ..routed.route.clone() });
        prop_assert_eq!(&again.decision.decider, decider);
        prop_assert!(again.decision.passed.is_empty());
        if let Some(without) = rules.without(decider)
            && let Ok(next) = without.route(&catalog, &name, &facts)
        {
            prop_assert_ne!(&next.decision.decider, decider);
        }
    }
}

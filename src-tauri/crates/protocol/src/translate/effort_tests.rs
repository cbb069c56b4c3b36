//! The order of DECISIONS 5, pair by pair.

use super::notes::Notes;
use super::request::effort;
use crate::anthropic::request::MessagesRequest;
use crate::route::{Dialect, Effort, Route};

/// One wish about effort, strongest first; each asks for another level.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wish {
    Disabled,
    Suffix,
    Override,
    InConversation,
    Request,
    Budget,
    Rule,
    Default,
}

use Wish::{Budget, Default, Disabled, InConversation, Override, Request, Rule, Suffix};

const ORDER: [Wish; 8] = [Disabled, Suffix, Override, InConversation, Request, Budget, Rule, Default];

const LISTED: [Effort; 6] =
    [Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh, Effort::Max, Effort::Ultra];

fn alone(wish: Wish) -> Effort {
    match wish {
        Disabled => Effort::Low,
        Suffix => Effort::Max,
        Override => Effort::Medium,
        InConversation => Effort::Xhigh,
        Request | Rule => Effort::High,
        Budget => Effort::Low,
        Default => Effort::Max,
    }
}

fn sent(wishes: &[Wish]) -> Option<Effort> {
    let has = |wish| wishes.contains(&wish);
    let part = |wish, json: &'static str| if has(wish) { json } else { "" };
    let thinking = match (has(Disabled), has(Budget)) {
        (true, _) => r#","thinking":{"type":"disabled"}"#,
        (false, true) => r#","thinking":{"type":"enabled","budget_tokens":1024}"#,
        (false, false) => "",
    };
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"a"}}{}]{}{thinking}}}"#,
        part(
            InConversation,
            r#",{"role":"system","content":"b","output_config":{"effort":"low"}},{"role":"user","content":"c"},{"role":"system","content":"d","output_config":{"effort":"xhigh"}},{"role":"user","content":"e"}"#
        ),
        part(Request, r#","output_config":{"effort":"high"}"#),
    );
    let mut route = Route::to("m", Dialect::Classic, &LISTED);
    route.suffix_effort = has(Suffix).then_some(Effort::Max);
    route.forced_effort = has(Override).then_some(Effort::Medium);
    route.rule_effort = has(Rule).then_some(Effort::High);
    route.default_effort = has(Default).then_some(Effort::Max);
    effort(&MessagesRequest::parse(&body).unwrap(), &route, &mut Notes::default())
}

#[test]
fn of_any_two_wishes_the_stronger_one_is_sent() {
    for (strength, stronger) in ORDER.iter().enumerate() {
        assert_eq!(sent(&[*stronger]), Some(alone(*stronger)), "{stronger:?}");
        for weaker in &ORDER[strength + 1..] {
            assert_eq!(
                sent(&[*stronger, *weaker]),
                Some(alone(*stronger)),
                "{stronger:?} against {weaker:?}"
            );
        }
    }
    assert_eq!(sent(&ORDER), Some(Effort::Low));
    assert_eq!(sent(&[]), None);
}

#[test]
fn ultra_is_sent_as_the_highest_level_below_it_and_an_unknown_word_as_the_default() {
    let mut route = Route::to("m", Dialect::Classic, &LISTED);
    route.default_effort = Some(Effort::Medium);
    let mut sent = |word: &str, listed: &[Effort]| {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"a"}}],"output_config":{{"effort":"{word}"}}}}"#
        );
        let mut notes = Notes::default();
        route.efforts = listed.to_vec();
        let effort = effort(&MessagesRequest::parse(&body).unwrap(), &route, &mut notes);
        (effort, notes.0.len())
    };
    assert_eq!(sent("ultra", &LISTED), (Some(Effort::Max), 1));
    assert_eq!(sent("ultra", &LISTED[..3]), (Some(Effort::High), 1));
    assert_eq!(sent("enormous", &LISTED), (Some(Effort::Medium), 1));
    assert_eq!(sent("high", &LISTED), (Some(Effort::High), 0));
    assert_eq!(sent("high", &[]), (None, 0));
}

use serde_json::{Value, json};

use super::*;
use crate::route::Dialect;
use crate::translate::{Envelope, StaleReasoning};

/// A conversation of one user turn with `rounds` calls of Read, each answered with 4,000 bytes (1,000 tokens).
fn session(rounds: usize, edits: &Value) -> String {
    let mut messages = vec![json!({ "role": "user", "content": "go" })];
    for n in 0..rounds {
        let call = json!({ "type": "tool_use", "id": format!("c{n}"), "name": "Read", "input": { "path": "x".repeat(391) } });
        let result =
            json!({ "type": "tool_result", "tool_use_id": format!("c{n}"), "content": "r".repeat(4_038) });
        messages.push(json!({ "role": "assistant", "content": [call] }));
        messages.push(json!({ "role": "user", "content": [result] }));
    }
    json!({ "model": "m", "messages": messages, "context_management": { "edits": edits } }).to_string()
}

fn edits(body: &str) -> (Edits, Notes) {
    let stale = StaleReasoning::new();
    let reader = Reader { model: "m", account: "a", reasoning: true, stale: &stale, dialect: Dialect::Lite };
    let mut notes = Notes::default();
    (Edits::of(&MessagesRequest::parse(body).unwrap(), reader, &mut notes), notes)
}

fn cleared(rounds: usize, edit: Value) -> (Vec<At>, Vec<AppliedEdit>) {
    let (edits, _) = edits(&session(rounds, &json!([edit])));
    let mut results: Vec<At> = edits.results.into_iter().collect();
    results.sort_unstable();
    (results, edits.applied.unwrap().applied_edits)
}

fn tokens(edit: &Value) -> Value {
    let mut edit = edit.clone();
    edit["type"] = json!("clear_tool_uses_20250919");
    edit
}

#[test]
fn old_results_are_cleared_when_the_trigger_is_met() {
    let edit = tokens(
        &json!({ "trigger": { "type": "input_tokens", "value": 5_000 }, "keep": { "type": "tool_uses", "value": 2 } }),
    );
    assert_eq!(cleared(4, edit.clone()), (vec![], vec![]));
    // The fifth result makes it more than 5,000 tokens: three of five go.
    let gain = 3 * (4_038 - CLEARED.len() as u64) / 4;
    let applied = AppliedEdit::ClearToolUses { cleared_tool_uses: 3, cleared_input_tokens: gain };
    assert_eq!(cleared(5, edit), (vec![(2, 0), (4, 0), (6, 0)], vec![applied]));
}

#[test]
fn what_is_cleared_stays_the_same_until_the_trigger_is_met_again() {
    let edit = tokens(&json!({ "trigger": { "type": "input_tokens", "value": 20_000 } }));
    let mut before: Vec<At> = Vec::new();
    let mut changes = 0;
    for rounds in 1..60 {
        let (now, _) = cleared(rounds, edit.clone());
        assert!(now.starts_with(&before), "round {rounds}: {before:?} became {now:?}");
        assert!(now.len() + 3 <= rounds || now.is_empty());
        changes += usize::from(now != before);
        before = now;
    }
    assert!((2..=10).contains(&changes), "the prefix changed {changes} times");
}

#[test]
fn the_options_of_clearing_tool_uses_are_obeyed() {
    let on = json!({ "type": "tool_uses", "value": 4 });
    let count = |edit: &Value| cleared(8, tokens(edit)).0.len();
    assert_eq!(count(&json!({ "trigger": on })), 4);
    assert_eq!(count(&json!({ "trigger": on, "keep": { "type": "tool_uses", "value": 0 } })), 8 - 3);
    assert_eq!(count(&json!({ "trigger": on, "exclude_tools": ["Read"] })), 0);
    assert_eq!(
        count(&json!({ "trigger": on, "clear_at_least": { "type": "input_tokens", "value": 9_000 } })),
        0
    );
    assert_eq!(count(&json!({})), 0, "the default trigger is 100,000 tokens");
    let inputs = |value: Value| {
        let edit = tokens(&json!({ "trigger": on, "clear_tool_inputs": value }));
        edits(&session(8, &json!([edit]))).0.inputs.len()
    };
    assert_eq!(
        [inputs(json!(true)), inputs(json!(["Read"])), inputs(json!(["Bash"])), inputs(json!(false))],
        [4, 4, 0, 0]
    );
}

#[test]
fn thinking_of_earlier_turns_is_cleared_and_only_what_would_have_gone_out_is_counted() {
    let signed = |model: &str| {
        let envelope = Envelope {
            model: model.into(),
            account: "a".into(),
            item_id: "rs".into(),
            encrypted_content: "x".repeat(800).into(),
        };
        json!({ "type": "thinking", "thinking": "t".repeat(400), "signature": envelope.seal() })
    };
    let turn = |thinking: Value| {
        [
            json!({ "role": "user", "content": "next" }),
            json!({ "role": "assistant", "content": [thinking, { "type": "tool_use", "id": "c", "name": "Read", "input": {} }] }),
            json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "c", "content": "r" }] }),
            json!({ "role": "assistant", "content": [signed("m"), { "type": "text", "text": "done" }] }),
        ]
    };
    let messages: Vec<Value> = [turn(signed("m")), turn(signed("other")), turn(signed("m"))].concat();
    let with = |keep: Value| {
        let edit = json!({ "type": "clear_thinking_20251015", "keep": keep });
        let body = json!({ "model": "m", "messages": messages, "context_management": { "edits": [edit] } });
        let (edits, _) = edits(&body.to_string());
        let mut at: Vec<At> = edits.thinking.into_iter().collect();
        at.sort_unstable();
        (at, edits.applied.unwrap().applied_edits)
    };
    assert_eq!(with(json!("all")), (vec![], vec![]));
    assert_eq!(with(json!({ "type": "thinking_turns", "value": 3 })), (vec![], vec![]));
    let (at, applied) = with(json!({ "type": "thinking_turns", "value": 2 }));
    assert_eq!(at, [(1, 0), (3, 0)]);
    assert!(
        matches!(
            applied[..],
            [AppliedEdit::ClearThinking { cleared_thinking_turns: 1, cleared_input_tokens: 390..430 }]
        ),
        "{applied:?}"
    );
    assert_eq!(
        with(Value::Null).0,
        [(1, 0), (3, 0), (7, 0)],
        "one turn is kept unless the client says otherwise"
    );
}

#[test]
fn edits_that_cannot_be_read_are_noted_and_never_refused() {
    for (context_management, notes) in [
        (json!({ "edits": [] }), 0),
        (json!({ "edits": [{ "type": "clear_everything_20300101" }] }), 1),
        (json!({ "edits": [{ "type": "clear_tool_uses_20250919", "trigger": 5 }, 7] }), 2),
        (json!({ "edits": [{ "type": "clear_thinking_20251015", "new": "x" }], "more": 1 }), 2),
        (json!({ "edits": 7 }), 1),
        (json!("x"), 1),
    ] {
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "context_management": context_management });
        let (edits, told) = edits(&body.to_string());
        assert_eq!(told.0.len(), notes, "{body}: {told:?}");
        assert_eq!(edits.applied, Some(ContextManagement::default()));
    }
}

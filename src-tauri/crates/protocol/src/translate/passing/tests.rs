use serde_json::{Value, json};

use super::*;
use crate::failure::{Failure, Now};
use crate::openai::client::ClientRequest;
use crate::route::{Dialect, Effort, Route};
use crate::sse::{Decoder, Frame};

const NOW: Now = Now { unix: 5, local: |_| String::new() };

fn passage(
    request: &Value,
    dialect: Dialect,
    change: impl FnOnce(&mut Route),
) -> Result<(Value, Vec<String>), Failure> {
    let text = request.to_string();
    let request = ClientRequest::parse(&text)?;
    let mut route = Route::to("u", dialect, &[Effort::Low, Effort::High]);
    change(&mut route);
    let known = KnownItems::new();
    let passage = pass_on(&request, PassageContext::new(&route, &known))?;
    let places = passage.notes.0.into_iter().map(|note| note.place).collect();
    Ok((serde_json::from_slice(&passage.body).unwrap(), places))
}

#[test]
fn tools_stand_where_the_dialect_has_them() {
    let item = json!({ "type": "additional_tools", "id": "at_1", "role": "developer", "tools": [{ "type": "custom", "name": "exec" }] });
    let user = json!({ "type": "message", "role": "user", "content": "hi" });
    let hosted = json!({ "type": "web_search" });
    let own = json!({ "type": "function", "name": "f" });
    let request = json!({ "model": "m", "input": [item, user], "tools": [own, hosted] });
    let (classic, notes) = passage(&request, Dialect::Classic, |_| {}).unwrap();
    assert_eq!(classic["input"], json!([user]));
    assert_eq!(classic["tools"], json!([own, hosted, item["tools"][0]]));
    assert!(notes.is_empty(), "{notes:?}");
    let (lite, notes) = passage(&request, Dialect::Lite, |_| {}).unwrap();
    let added = json!({ "type": "additional_tools", "role": "developer", "tools": [own] });
    assert_eq!(lite["input"], json!([added, item, user]));
    assert_eq!((&lite["tools"], notes), (&Value::Null, vec!["tools.1".to_owned()]));
}

#[test]
fn what_the_user_has_set_wins_over_what_the_client_asks() {
    let request =
        json!({ "model": "m", "input": "hi", "reasoning": { "effort": "high" }, "service_tier": "priority" });
    let (as_asked, notes) = passage(&request, Dialect::Classic, |_| {}).unwrap();
    assert_eq!((&as_asked["reasoning"]["effort"], &as_asked["service_tier"]), (&json!("high"), &Value::Null));
    assert_eq!(notes, ["service_tier"]);
    let (forced, notes) = passage(&request, Dialect::Classic, |route| {
        route.forced_effort = Some(Effort::Low);
        route.tier = Some("priority".to_owned());
        route.verbosity = Some("medium".to_owned());
    })
    .unwrap();
    assert_eq!(
        (&forced["reasoning"]["effort"], &forced["service_tier"]),
        (&json!("low"), &json!("priority"))
    );
    assert_eq!(forced["text"], json!({ "verbosity": "medium" }));
    assert!(notes.is_empty(), "{notes:?}");
    let flex = json!({ "model": "m", "input": "hi", "service_tier": "flex", "text": { "format": { "type": "text" }, "verbosity": null } });
    let (flex, _) =
        passage(&flex, Dialect::Classic, |route| route.verbosity = Some("low".to_owned())).unwrap();
    assert_eq!(flex["service_tier"], "flex");
    assert_eq!(flex["text"], json!({ "format": { "type": "text" }, "verbosity": "low" }));
}

#[test]
fn unknown_members_pass_and_empty_wishes_vanish() {
    let request = json!({ "model": "m", "input": "hi", "new": { "a": [1] }, "gone": null, "top_p": 1, "truncation": "disabled", "max_output_tokens": 5 });
    let (body, notes) = passage(&request, Dialect::Classic, |_| {}).unwrap();
    assert_eq!((&body["new"], body.get("gone")), (&json!({ "a": [1] }), None));
    assert!(body.get("top_p").is_none() && body.get("truncation").is_none());
    assert_eq!(notes, ["max_output_tokens"], "what asks for nothing is not told");
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
}

#[test]
fn what_cannot_be_had_is_refused_by_its_place() {
    let item = |item: Value| json!({ "model": "m", "input": [item] });
    for (request, words) in [
        (json!({ "model": "m" }), "input: field required"),
        (json!({ "model": "m", "input": [] }), "input: field required"),
        (json!({ "model": "m", "input": 5 }), "input: invalid type: a number"),
        (json!({ "model": "m", "input": "x", "background": true }), "background: nobody here"),
        (
            json!({ "model": "m", "input": "x", "conversation": "c" }),
            "conversation: conversations are not kept",
        ),
        (json!({ "model": "m", "input": "x", "prompt": { "id": "p" } }), "prompt: prompts are not kept"),
        (item(json!({ "content": "x" })), "input.0.type: field required"),
        (item(json!(7)), "input.0: invalid type: integer `7`"),
        (
            item(json!({ "type": "item_reference", "id": "msg_1" })),
            "input.0.id: the item \"msg_1\" is not remembered",
        ),
    ] {
        let failure = passage(&request, Dialect::Lite, |_| {}).unwrap_err().to_string();
        assert!(failure.starts_with(words), "{failure}");
    }
    let choice = json!({ "model": "m", "input": "x", "tool_choice": 5 });
    assert!(
        passage(&choice, Dialect::Lite, |_| {}).unwrap_err().to_string().starts_with("tool_choice: expected")
    );
}

#[test]
fn items_are_changed_where_the_backend_would_refuse_them_and_nowhere_else() {
    let picture = json!({ "type": "input_image", "image_url": "https://e", "detail": "low" });
    let output = json!({ "type": "function_call_output", "call_id": "c", "output": [picture] });
    let request = json!({ "model": "m", "input": [
        { "role": "system", "content": "s" },
        { "content": [picture], "role": "user", "new": 1 },
        { "type": "item_reference", "id": "rs_gone" },
        { "type": "reasoning", "summary": [], "encrypted_content": "" },
        output,
    ] });
    let (lite, notes) = passage(&request, Dialect::Lite, |_| {}).unwrap();
    let mut plain = picture.clone();
    plain.as_object_mut().unwrap().remove("detail");
    let message = |role: &str, content: Value| json!({ "type": "message", "role": role, "content": content });
    let mut user = message("user", json!([plain]));
    user["new"] = 1.into();
    let expected = json!([message("developer", json!("s")), user, { "type": "function_call_output", "call_id": "c", "output": [plain] }]);
    assert_eq!(lite["input"], expected);
    assert_eq!(notes, ["input.2", "input.3"]);
    let (classic, _) = passage(&request, Dialect::Classic, |_| {}).unwrap();
    assert_eq!(classic["input"][2], output, "the classic dialect takes the detail");
}

#[test]
fn what_is_about_tools_goes_where_there_are_some() {
    let mut request = json!({ "model": "m", "input": "x", "tool_choice": "required", "parallel_tool_calls": true,
        "reasoning": { "context": "current_turn" } });
    let (bare, _) = passage(&request, Dialect::Classic, |_| {}).unwrap();
    assert!(bare.get("tool_choice").is_none() && bare.get("parallel_tool_calls").is_none(), "{bare}");
    assert_eq!(bare["reasoning"]["context"], "current_turn");
    request["tools"] = json!([{ "type": "web_search_preview", "search_context_size": "low" }]);
    let (hosted, notes) = passage(&request, Dialect::Classic, |_| {}).unwrap();
    assert_eq!((&hosted["tool_choice"], &hosted["parallel_tool_calls"]), (&json!("required"), &json!(true)));
    assert_eq!(hosted["tools"], json!([{ "type": "web_search", "search_context_size": "low" }]));
    assert_eq!(notes, ["tools.0.type"]);
    let (lite, _) = passage(&request, Dialect::Lite, |_| {}).unwrap();
    assert_eq!(lite["reasoning"]["context"], "all_turns");
}

#[test]
fn only_what_may_be_gone_on_with_is_remembered() {
    for (store, remembered) in [(json!(null), 1), (json!(true), 1), (json!(false), 0)] {
        let text = json!({ "model": "m", "input": "x", "instructions": "i", "store": store }).to_string();
        let route = Route::to("u", Dialect::Classic, &[]);
        let (request, known) = (ClientRequest::parse(&text).unwrap(), KnownItems::new());
        let passage = pass_on(&request, PassageContext::new(&route, &known)).unwrap();
        assert_eq!(passage.conversation.len(), remembered, "instructions are of one request only");
    }
}

#[test]
fn json_on_several_lines_is_told_on_one() {
    let mut machine = Passing::new(Passed::default());
    let data = "{\"type\":\n\"response.output_text.delta\",\n\"delta\":\"a\"}";
    machine.push(&Frame { event: None, data: data.into() }, 0).unwrap();
    let told = String::from_utf8(machine.bytes).unwrap();
    assert_eq!(told.lines().count(), 3, "{told}");
}

/// What went before is read as anew: another model may have another dialect, another account other reasoning.
#[test]
fn a_conversation_from_memory_is_read_for_the_attempt_at_hand() {
    let raw = |value: Value| serde_json::value::to_raw_value(&value).unwrap();
    let before = [
        raw(
            json!({ "type": "message", "role": "user", "content": [{ "type": "input_image", "image_url": "https://e", "detail": "low" }] }),
        ),
        raw(json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "old" })),
        raw(json!({ "type": "message", "role": "assistant", "content": [] })),
    ];
    let request = ClientRequest::parse(r#"{"model":"m","input":"go on"}"#).unwrap();
    let (route, known) = (Route::to("u", Dialect::Lite, &[]), KnownItems::new());
    let context = PassageContext {
        reasoning: false,
        instructions: true,
        before: &before,
        ..PassageContext::new(&route, &known)
    };
    let passage = pass_on(&request, context).unwrap();
    let body: Value = serde_json::from_slice(&passage.body).unwrap();
    let kinds: Vec<&Value> = body["input"].as_array().unwrap().iter().map(|item| &item["role"]).collect();
    assert_eq!(kinds, ["user", "assistant", "user"]);
    assert!(body["input"][0]["content"][0].get("detail").is_none());
    assert_eq!(body["instructions"], "");
    assert_eq!(passage.notes.0[0].place, "previous_response_id");
    assert_eq!(passage.conversation.len(), 3, "it is remembered with what is new");
}

fn heard(events: &[Value], passed: Passed) -> (Passing, Result<(), Failure>, Vec<Value>) {
    let mut machine = Passing::new(passed);
    let mut outcome = Ok(());
    for event in events {
        let frame = Frame { event: None, data: event.to_string().into() };
        outcome = outcome.and(machine.push(&frame, 0).map(|_| ()));
    }
    let mut decoder = Decoder::default();
    decoder.push(&machine.bytes);
    let mut told = Vec::new();
    while let Some(frame) = decoder.next_frame() {
        told.push(serde_json::from_str(&frame.data).unwrap());
    }
    (machine, outcome, told)
}

#[test]
fn the_terminal_event_holds_what_was_done_in_its_order() {
    let item = |index: u64| json!({ "type": "response.output_item.done", "output_index": index, "item": { "id": format!("i{index}"), "type": "new" } });
    let end = |output: Value| json!({ "type": "response.completed", "response": { "id": "r", "model": "u", "output": output, "usage": { "input_tokens": 3, "output_tokens": 2 } } });
    for output in [json!([]), Value::Null] {
        let (machine, outcome, told) = heard(&[item(1), item(0), end(output)], Passed::default());
        assert!(outcome.is_ok() && machine.has_ended());
        assert_eq!(
            told.last().unwrap()["response"]["output"],
            json!([{ "id": "i0", "type": "new" }, { "id": "i1", "type": "new" }])
        );
        assert_eq!(machine.usage().map(|usage| usage.output_tokens), Some(2));
        let (id, output) = machine.output().unwrap();
        assert_eq!((id, output.len()), ("r", 2));
    }
    let early =
        json!({ "type": "response.in_progress", "response": { "id": "r", "model": "u", "output": [] } });
    let (_, _, told) = heard(&[item(0), early.clone()], Passed::default());
    assert_eq!(told[1], early, "before the end nothing is filled in");
    let own = json!([{ "id": "x", "type": "new" }]);
    let (_, _, told) = heard(&[item(0), end(own.clone())], Passed::default());
    assert_eq!(told.last().unwrap()["response"]["output"], own, "what the backend says itself stays");
}

#[test]
fn the_bytes_of_the_output_are_counted() {
    let mut machine = Passing::new(Passed::default());
    let mut count =
        |event: Value| machine.push(&Frame { event: None, data: event.to_string().into() }, 0).unwrap();
    assert_eq!(count(json!({ "type": "response.output_text.delta", "delta": "seven b" })), 7);
    assert_eq!(count(json!({ "type": "response.output_text.done", "text": "seven b" })), 0);
}

#[test]
fn the_model_has_the_clients_name_from_the_first_event_on() {
    let response = json!({ "id": "r", "model": "u", "output": [] });
    let events = ["response.created", "response.in_progress", "response.completed"]
        .map(|kind| json!({ "type": kind, "response": response }));
    let passed = Passed { model: Some("mine".into()), previous: Some("before".into()), is_codex: false };
    let (machine, _, told) = heard(&events, passed);
    assert!(told.iter().all(|event| event["response"]["model"] == "mine"), "{told:?}");
    assert!(told.iter().all(|event| event["response"]["previous_response_id"] == "before"), "{told:?}");
    assert!(machine.response().unwrap().get().contains("\"mine\""));
}

#[test]
fn a_failure_is_told_with_what_was_done_and_nothing_follows() {
    let created =
        json!({ "type": "response.created", "sequence_number": 4, "response": { "id": "r", "model": "u" } });
    let item = json!({ "type": "response.output_item.done", "sequence_number": 5, "output_index": 0, "item": { "id": "i" } });
    for failed in [
        json!({ "type": "error", "code": "server_error", "message": "m" }),
        json!({ "type": "response.failed", "response": { "error": { "code": "server_error", "message": "m" } } }),
    ] {
        let (mut machine, outcome, told) = heard(&[created.clone(), item.clone(), failed], Passed::default());
        let failure = outcome.unwrap_err();
        assert_eq!(told.len(), 2, "the backend's own words of it are not passed on");
        let before = machine.bytes.len();
        machine.fail(&failure, &NOW);
        let data = String::from_utf8(machine.bytes[before..].to_vec()).unwrap();
        let event: Value = serde_json::from_str(data.split_once("data: ").unwrap().1).unwrap();
        assert_eq!(event["response"]["error"], json!({ "code": "server_error", "message": "m" }));
        assert_eq!(event["response"]["output"], json!([{ "id": "i" }]));
        assert_eq!(event["sequence_number"], 6, "it follows the last one");
        assert_eq!((&event["response"]["id"], &event["response"]["model"]), (&json!("r"), &json!("u")));
        assert!(machine.push(&Frame { event: None, data: created.to_string().into() }, 0).is_ok());
        assert_eq!(machine.bytes.len(), before + data.len());
    }
    let (mut machine, _, _) = heard(&[created], Passed::default());
    assert_eq!(machine.finish(), Err(Failure::Truncated));
    assert_eq!(machine.finish(), Ok(()), "it is said once");
}

#[test]
fn events_of_chatgpts_own_are_for_the_codex_cli() {
    let own = ["codex.rate_limits", "response.metadata", "keepalive"].map(|kind| json!({ "type": kind }));
    let (_, _, told) = heard(&own, Passed::default());
    assert!(told.is_empty(), "{told:?}");
    let (_, _, told) = heard(&own, Passed { is_codex: true, ..Passed::default() });
    assert_eq!(told.len(), 3);
}

//! Single cases of the machine; its properties are in `properties.rs`.

use serde_json::{Value, json};

use super::*;
use crate::anthropic::event::{MessageSink, SseSink};
use crate::sse::Decoder;

pub(super) fn answer(thinking: bool) -> Answer {
    Answer {
        id: "msg_1".into(),
        model: "claude-opus-5-5".into(),
        upstream_model: "gpt-6.1-sol".into(),
        account: "0011aabb".into(),
        names: Names::default(),
        thinking,
        stop_sequences: Vec::new(),
        context_management: None,
        format: None,
        search: SearchRules::default(),
        estimate: 7,
    }
}

pub(super) fn run(events: &[Value], thinking: bool) -> (Result<(), Failure>, Vec<Value>) {
    let mut machine = ResponsesToMessages::new(answer(thinking));
    let mut sink = SseSink::default();
    let mut outcome = Ok(());
    for event in events {
        let text = event.to_string();
        outcome = outcome.and(machine.push(&Event::parse(&text).unwrap(), 0, &mut sink));
    }
    outcome = outcome.and(machine.finish(&mut sink));
    let mut decoder = Decoder::default();
    decoder.push(&sink.bytes);
    let mut sent = Vec::new();
    while let Some(frame) = decoder.next_frame() {
        let data: Value = serde_json::from_str(&frame.data).unwrap();
        assert_eq!(frame.event.as_deref(), data["type"].as_str());
        sent.push(data);
    }
    (outcome, sent)
}

pub(super) fn fold(events: &[Value], thinking: bool) -> Value {
    let mut machine = ResponsesToMessages::new(answer(thinking));
    let mut sink = MessageSink::default();
    for event in events {
        machine.push(&Event::parse(&event.to_string()).unwrap(), 0, &mut sink).unwrap();
    }
    machine.finish(&mut sink).unwrap();
    serde_json::from_slice(&sink.into_json()).unwrap()
}

/// What a client makes of a stream: the blocks it ends up with. Checks properties 1 and 2 on the way.
pub(super) fn client(sent: &[Value]) -> (Vec<Value>, Option<String>) {
    let mut blocks: Vec<Value> = Vec::new();
    let mut open = false;
    let mut stop_reason = None;
    let mut json = String::new();
    for (i, event) in sent.iter().enumerate() {
        let kind = event["type"].as_str().unwrap();
        assert_eq!(kind == "message_start", i == 0, "message_start is first, and only first");
        match kind {
            "message_start" => {}
            "content_block_start" => {
                assert!(!open, "blocks overlap");
                assert_eq!(event["index"], json!(blocks.len()), "indices are dense");
                blocks.push(event["content_block"].clone());
                open = true;
            }
            "content_block_delta" => {
                assert!(open);
                assert_eq!(event["index"], json!(blocks.len() - 1));
                let block = blocks.last_mut().unwrap();
                let delta = &event["delta"];
                let (field, of, fits) = match delta["type"].as_str().unwrap() {
                    "text_delta" => ("text", "text", "text"),
                    "thinking_delta" => ("thinking", "thinking", "thinking"),
                    "signature_delta" => ("signature", "signature", "thinking"),
                    "input_json_delta" if block["type"] == "server_tool_use" => {
                        ("partial_json", "", "server_tool_use")
                    }
                    "input_json_delta" => ("partial_json", "", "tool_use"),
                    other => panic!("{other}"),
                };
                assert_eq!(block["type"], fits, "the delta fits its block");
                let piece = delta[field].as_str().unwrap();
                assert!(!piece.is_empty(), "no empty deltas");
                if of.is_empty() {
                    json.push_str(piece);
                } else {
                    let whole = format!("{}{piece}", block[of].as_str().unwrap());
                    block[of] = json!(whole);
                }
            }
            "content_block_stop" => {
                assert!(open);
                open = false;
                let block = blocks.last_mut().unwrap();
                if block["type"] == "tool_use" || block["type"] == "server_tool_use" {
                    block["input"] = serde_json::from_str(&json).unwrap();
                    json.clear();
                }
            }
            "message_delta" => {
                assert!(!open);
                stop_reason = event["delta"]["stop_reason"].as_str().map(str::to_owned);
            }
            "message_stop" => assert_eq!(i, sent.len() - 1, "silence after message_stop"),
            other => panic!("{other}"),
        }
    }
    (blocks, stop_reason)
}

#[test]
fn a_delta_goes_out_in_the_escapes_it_came_in() {
    let mut machine = ResponsesToMessages::new(answer(true));
    let mut sink = SseSink::default();
    let event = r#"{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"\u00e9\/\n"}"#;
    machine.push(&Event::parse(event).unwrap(), 0, &mut sink).unwrap();
    let sent = String::from_utf8(sink.bytes).unwrap();
    assert!(sent.contains(r#""text":"\u00e9\/\n""#), "{sent}");
}

#[test]
fn a_finished_call_with_broken_arguments_is_an_error() {
    for arguments in ["{\"a\":", "[]", "7", "{}x"] {
        let item = json!({"type":"function_call","id":"fc","call_id":"c","name":"Bash","arguments":arguments,"status":"completed"});
        let (outcome, sent) =
            run(&[json!({"type":"response.output_item.done","output_index":0,"item":item})], true);
        assert_eq!(outcome, Err(Failure::BrokenArguments { tool: "Bash".into() }), "{arguments}");
        assert!(sent.iter().all(|event| event["type"] != "content_block_stop"));
    }
}

#[test]
fn a_call_cut_by_the_output_limit_is_no_call() {
    let events = [
        json!({"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"c","name":"Bash","arguments":""}}),
        json!({"type":"response.function_call_arguments.delta","item_id":"fc","output_index":0,"delta":"{\"command\":\"rm"}),
        json!({"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}),
    ];
    let (outcome, sent) = run(&events, true);
    assert_eq!(outcome, Ok(()));
    let stop = sent.iter().find(|event| event["type"] == "message_delta").unwrap();
    assert_eq!(stop["delta"]["stop_reason"], "max_tokens");
    assert_eq!(fold(&events, true)["content"], json!([]));
}

#[test]
fn an_answer_with_half_a_call_was_cut_whatever_upstream_calls_it() {
    let half =
        json!({"type":"function_call","id":"fc_1","status":"incomplete","call_id":"call_1","name":"Bash"});
    let whole = json!({"type":"function_call","id":"fc_2","call_id":"call_2","name":"Glob","arguments":"{}"});
    let mut events = vec![
        json!({"type":"response.output_item.added","output_index":0,"item":half}),
        json!({"type":"response.function_call_arguments.delta","output_index":0,"item_id":"fc_1","delta":"{\"com"}),
        json!({"type":"response.output_item.done","output_index":0,"item":half}),
        json!({"type":"response.output_item.done","output_index":1,"item":whole}),
    ];
    // Where the end is missing too, nothing says that it was the limit's doing.
    assert_eq!(run(&events, false).0, Err(Failure::Truncated));
    events.push(json!({"type":"response.completed","response":{"output":[half, whole]}}));
    let (outcome, sent) = run(&events, false);
    assert_eq!(outcome, Ok(()));
    let stop = sent.iter().find(|event| event["type"] == "message_delta").unwrap();
    assert_eq!(stop["delta"]["stop_reason"], "max_tokens");
}

#[test]
fn thinking_that_was_not_asked_for_is_not_shown() {
    let events = [
        json!({"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":"e"}}),
        json!({"type":"response.completed","response":{}}),
    ];
    let (outcome, sent) = run(&events, false);
    assert_eq!(outcome, Ok(()));
    assert_eq!(client(&sent).0, Vec::<Value>::new());
}

#[test]
fn a_stop_sequence_ends_the_message_and_nothing_follows() {
    let delta = |text: &str| json!({"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":text});
    let mut machine =
        ResponsesToMessages::new(Answer { stop_sequences: vec!["</block>".into()], ..answer(false) });
    let mut sink = SseSink::default();
    for text in ["<block>no</", "block> trailing", " text"] {
        machine.push(&Event::parse(&delta(text).to_string()).unwrap(), 0, &mut sink).unwrap();
    }
    assert!(machine.has_ended());
    let mut decoder = Decoder::default();
    decoder.push(&sink.bytes);
    let mut sent = Vec::new();
    while let Some(frame) = decoder.next_frame() {
        sent.push(serde_json::from_str::<Value>(&frame.data).unwrap());
    }
    let (blocks, stop_reason) = client(&sent);
    assert_eq!(blocks, [json!({"type":"text","text":"<block>no"})]);
    assert_eq!(stop_reason.as_deref(), Some("stop_sequence"));
    assert_eq!(sent[sent.len() - 2]["delta"]["stop_sequence"], "</block>");
}

/// A search, an answer that cites it behind an emoji, and what is asked of the client's rules.
/// Rounds of the model that asks for searches by a function, and what is found: the message, and what goes upstream
/// again.
fn asking(rules: SearchRules, rounds: &[Vec<Value>], found: &[Vec<Found>]) -> (Value, Vec<Vec<Asked>>) {
    let mut machine = ResponsesToMessages::new(Answer { search: rules, ..answer(true) });
    let mut sink = MessageSink::default();
    let mut asked = Vec::new();
    for (events, found) in rounds.iter().zip(found.iter().chain(std::iter::repeat(&Vec::new()))) {
        for event in events {
            machine.push(&Event::parse(&event.to_string()).unwrap(), 0, &mut sink).unwrap();
        }
        if !machine.is_searching() {
            break;
        }
        asked.push(machine.asked());
        if machine.found(found.clone(), &mut sink).is_none() {
            break;
        }
    }
    assert!(machine.has_ended());
    (serde_json::from_slice(&sink.into_json()).unwrap(), asked)
}

fn call_round(calls: &[(&str, &str, &str)]) -> Vec<Value> {
    let calls = calls.iter().enumerate().map(|(i, (id, name, arguments))| {
        json!({"type":"response.output_item.done","output_index":i,"item":{"type":"function_call","id":format!("fc_{id}"),
            "call_id":id,"name":name,"arguments":arguments,"status":"completed"}})
    });
    let end = json!({"type":"response.completed","response":{"usage":{"input_tokens":2,"output_tokens":1}}});
    calls.chain([end]).collect()
}

fn asks() -> SearchRules {
    SearchRules { function: Some("web_search"), ..SearchRules::default() }
}

#[test]
fn a_search_beside_a_call_of_the_client_ends_with_the_call() {
    let round = call_round(&[("a", "web_search", r#"{"query":"q"}"#), ("b", "Bash", "{}")]);
    let found =
        Found::Answer(crate::openai::search::SearchAnswer { output: "[T](https://t.example/)".into() });
    let (message, asked) = asking(asks(), &[round], &[vec![found]]);
    assert_eq!(asked, [[Asked { call_id: "a".into(), query: "q".into() }]]);
    let kinds: Vec<&str> =
        message["content"].as_array().unwrap().iter().filter_map(|block| block["type"].as_str()).collect();
    assert_eq!(kinds, ["server_tool_use", "web_search_tool_result", "tool_use"]);
    assert_eq!(message["stop_reason"], "tool_use");
}

#[test]
fn a_model_that_never_stops_searching_is_stopped() {
    let rounds: Vec<Vec<Value>> =
        (0..MOST_ROUNDS + 5).map(|i| call_round(&[(&format!("c{i}"), "web_search", "{}")])).collect();
    let found = vec![vec![Found::Busy]; rounds.len()];
    let (message, asked) = asking(asks(), &rounds, &found);
    assert_eq!(asked.len(), MOST_ROUNDS);
    assert_eq!(message["stop_reason"], "pause_turn");
    assert_eq!(message["content"][1]["content"]["error_code"], "too_many_requests");
    assert_eq!(message["usage"]["input_tokens"], 2 * MOST_ROUNDS);
}

#[test]
fn ordinary_arguments_stream_and_those_of_a_read_wait() {
    let sent_of = |name: &str| {
        let mut machine = ResponsesToMessages::new(answer(true));
        let mut sink = SseSink::default();
        let added = json!({"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc",
            "call_id":"c","name":name,"arguments":""}});
        let delta = json!({"type":"response.function_call_arguments.delta","item_id":"fc","output_index":0,"delta":"{\"a\":"});
        for event in [added, delta] {
            machine.push(&Event::parse(&event.to_string()).unwrap(), 0, &mut sink).unwrap();
        }
        String::from_utf8(sink.bytes).unwrap()
    };
    assert!(sent_of("Write").contains("input_json_delta"));
    assert_eq!(sent_of("Read"), "");
}

fn searching(rules: SearchRules, calls: &[Value], text: &str, cited: &str) -> (Value, Vec<Value>) {
    let start = text.chars().count() - cited.chars().count();
    let annotation = json!({"type":"url_citation","url":"https://tauri.app/","title":"Tauri","start_index":start,"end_index":text.chars().count()});
    let mut events: Vec<Value> = Vec::new();
    for (i, call) in calls.iter().enumerate() {
        events.push(json!({"type":"response.output_item.added","output_index":i,"item":{"type":"web_search_call","id":call["id"],"status":"in_progress"}}));
        events.push(json!({"type":"response.output_item.done","output_index":i,"item":call}));
    }
    let n = calls.len();
    events.push(json!({"type":"response.output_text.delta","item_id":"m","output_index":n,"content_index":0,"delta":text}));
    events
        .push(json!({"type":"response.output_item.done","output_index":n,"item":{"type":"message","id":"m",
        "content":[{"type":"output_text","text":text,"annotations":[annotation]}]}}));
    events
        .push(json!({"type":"response.completed","response":{"usage":{"input_tokens":1,"output_tokens":1}}}));
    let answer = Answer { search: rules, ..answer(false) };
    let mut machine = ResponsesToMessages::new(answer.clone());
    let mut folding = ResponsesToMessages::new(answer);
    let (mut sink, mut fold) = (SseSink::default(), MessageSink::default());
    for event in &events {
        let text = event.to_string();
        machine.push(&Event::parse(&text).unwrap(), 0, &mut sink).unwrap();
        folding.push(&Event::parse(&text).unwrap(), 0, &mut fold).unwrap();
    }
    let mut decoder = Decoder::default();
    decoder.push(&sink.bytes);
    let mut sent = Vec::new();
    while let Some(frame) = decoder.next_frame() {
        sent.push(serde_json::from_str(&frame.data).unwrap());
    }
    (serde_json::from_slice(&fold.into_json()).unwrap(), sent)
}

fn search_call(id: &str, query: &str, urls: &[&str]) -> Value {
    let sources: Vec<Value> = urls.iter().map(|url| json!({"type":"url","url":url})).collect();
    json!({"type":"web_search_call","id":id,"status":"completed","action":{"type":"search","query":query,"sources":sources}})
}

#[test]
fn a_search_comes_with_its_results_titles_and_exact_citations() {
    let call = search_call("ws_1", "rust tauri", &["https://tauri.app/", "https://other.example/x"]);
    let (message, sent) =
        searching(SearchRules::default(), &[call], "😀 中 Tauri is a framework.", "Tauri is a framework.");
    let content = message["content"].as_array().unwrap();
    assert_eq!(content[0]["type"], "server_tool_use");
    assert_eq!(content[0]["input"], json!({"query":"rust tauri"}));
    assert_eq!(content[1]["tool_use_id"], content[0]["id"]);
    assert_eq!(
        content[1]["content"],
        json!([
            {"type":"web_search_result","title":"Tauri","url":"https://tauri.app/","encrypted_content":"","page_age":null},
            {"type":"web_search_result","title":"other.example/x","url":"https://other.example/x","encrypted_content":"","page_age":null},
        ])
    );
    assert_eq!(content[2]["citations"][0]["cited_text"], "Tauri is a framework.");
    assert_eq!(message["usage"]["server_tool_use"]["web_search_requests"], 1);
    assert_eq!(message["stop_reason"], "end_turn");
    let kinds: Vec<&str> = sent.iter().filter_map(|event| event["content_block"]["type"].as_str()).collect();
    assert_eq!(kinds, ["server_tool_use", "web_search_tool_result", "text"]);
    let indices: Vec<u64> = sent
        .iter()
        .filter(|event| event["type"] == "content_block_start")
        .filter_map(|event| event["index"].as_u64())
        .collect();
    assert_eq!(indices, [0, 1, 2]);
}

#[test]
fn searches_obey_the_clients_rules() {
    let calls = [
        search_call("ws_1", "a", &["https://www.blocked.example/", "https://tauri.app/"]),
        json!({"type":"web_search_call","id":"ws_2","status":"completed","action":{"type":"open_page","url":"https://tauri.app/"}}),
        search_call("ws_3", "b", &["https://tauri.app/", "https://new.example/"]),
        json!({"type":"web_search_call","id":"ws_4","status":"failed","action":{"type":"search","query":"c"}}),
    ];
    let rules = SearchRules {
        blocked_domains: vec!["blocked.example".into()],
        max_uses: Some(1),
        ..SearchRules::default()
    };
    let (message, _) = searching(rules, &calls, "x", "x");
    let results: Vec<&Value> = message["content"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|block| block["type"] == "web_search_tool_result")
        .map(|block| &block["content"])
        .collect();
    assert_eq!(results.len(), 3, "the page that is opened again says nothing new (S23)");
    assert_eq!(results[0].as_array().unwrap().len(), 1, "blocked ones are left out (R41)");
    assert_eq!(results[1]["error_code"], "max_uses_exceeded");
    assert_eq!(results[2]["error_code"], "unavailable");
    assert_eq!(message["usage"]["server_tool_use"]["web_search_requests"], 1);
}

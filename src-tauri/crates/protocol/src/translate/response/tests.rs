//! The seven properties of the machine, over generated streams in every interleaving, and single cases beside them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::anthropic::event::{MessageSink, SseSink};
use crate::sse::Decoder;
use crate::translate::Envelope;

fn answer(thinking: bool) -> Answer {
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

fn run(events: &[Value], thinking: bool) -> (Result<(), Failure>, Vec<Value>) {
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

fn fold(events: &[Value], thinking: bool) -> Value {
    let mut machine = ResponsesToMessages::new(answer(thinking));
    let mut sink = MessageSink::default();
    for event in events {
        machine.push(&Event::parse(&event.to_string()).unwrap(), 0, &mut sink).unwrap();
    }
    machine.finish(&mut sink).unwrap();
    serde_json::from_slice(&sink.into_json()).unwrap()
}

/// What a client makes of a stream: the blocks it ends up with. Checks properties 1 and 2 on the way.
fn client(sent: &[Value]) -> (Vec<Value>, Option<String>) {
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
                if block["type"] == "tool_use" {
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

/// An item the model produced, and how wordy upstream is about it.
#[derive(Debug, Clone)]
struct Item {
    body: Body,
    deltas: bool,
    part_done: bool,
    item_done: bool,
    cuts: Vec<prop::sample::Index>,
}

#[derive(Debug, Clone)]
enum Body {
    Message(Vec<String>),
    Reasoning(Vec<String>, bool),
    Call(String),
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-zé😀\"\\\\\n ]{1,12}", 1..3)
}

fn item() -> impl Strategy<Value = Item> {
    let body = prop_oneof![
        texts().prop_map(Body::Message),
        (texts(), any::<bool>()).prop_map(|(parts, sealed)| Body::Reasoning(parts, sealed)),
        "[a-zé\"\\\\]{0,12}".prop_map(|value| Body::Call(json!({ "value": value }).to_string())),
    ];
    (body, any::<[bool; 3]>(), prop::collection::vec(any::<prop::sample::Index>(), 3)).prop_map(
        |(body, [deltas, part_done, item_done], cuts)| Item { body, deltas, part_done, item_done, cuts },
    )
}

impl Item {
    /// The item as `output_item.done` and `response.completed` show it.
    fn whole(&self, i: usize) -> Value {
        match &self.body {
            Body::Message(parts) => {
                json!({"type":"message","id":format!("msg_{i}"),"role":"assistant","status":"completed",
                "content":parts.iter().map(|text| json!({"type":"output_text","text":text,"annotations":[]})).collect::<Vec<_>>()})
            }
            Body::Reasoning(parts, sealed) => json!({"type":"reasoning","id":format!("rs_{i}"),
                "encrypted_content": sealed.then(|| format!("enc{i}")),
                "summary":parts.iter().map(|text| json!({"type":"summary_text","text":text})).collect::<Vec<_>>()}),
            Body::Call(arguments) => {
                json!({"type":"function_call","id":format!("fc_{i}"),"call_id":format!("call_{i}"),
                "name":format!("tool_{i}"),"arguments":arguments,"status":"completed"})
            }
        }
    }

    fn events(&self, i: usize) -> Vec<Value> {
        let whole = self.whole(i);
        let mut added = whole.clone();
        for (field, empty) in [("content", json!([])), ("summary", json!([])), ("arguments", json!(""))] {
            if added.get(field).is_some() {
                added[field] = empty;
            }
        }
        let id = &whole["id"];
        let mut events = vec![json!({"type":"response.output_item.added","output_index":i,"item":added})];
        let (event, index, parts, done): (&str, &str, Vec<&String>, &str) = match &self.body {
            Body::Message(parts) => ("output_text", "content_index", parts.iter().collect(), "text"),
            Body::Reasoning(parts, _) => {
                ("reasoning_summary_text", "summary_index", parts.iter().collect(), "text")
            }
            Body::Call(arguments) => ("function_call_arguments", "ignored", vec![arguments], "arguments"),
        };
        for (p, text) in parts.iter().enumerate() {
            if self.deltas {
                let mut at: Vec<usize> = self.cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
                at.retain(|at| text.is_char_boundary(*at));
                at.extend([0, text.len()]);
                at.sort_unstable();
                for pair in at.windows(2) {
                    events.push(
                        json!({"type":format!("response.{event}.delta"),"item_id":id,"output_index":i,index:p,
                        "delta":&text[pair[0]..pair[1]]}),
                    );
                }
            }
            if self.part_done {
                events.push(json!({"type":format!("response.{event}.done"),"item_id":id,"output_index":i,index:p,done:text}));
            }
        }
        if self.item_done {
            events.push(json!({"type":"response.output_item.done","output_index":i,"item":whole}));
        }
        events
    }

    /// The blocks that a client must end up with.
    fn blocks(&self, i: usize) -> Vec<Value> {
        match &self.body {
            Body::Message(parts) => parts.iter().map(|text| json!({"type":"text","text":text})).collect(),
            Body::Reasoning(parts, sealed) => {
                let signature = if *sealed {
                    Envelope {
                        model: "gpt-6.1-sol".into(),
                        account: "0011aabb".into(),
                        item_id: format!("rs_{i}").into(),
                        encrypted_content: format!("enc{i}").into(),
                    }
                    .seal()
                } else {
                    String::new()
                };
                vec![json!({"type":"thinking","thinking":parts.join("\n\n"),"signature":signature})]
            }
            Body::Call(arguments) => {
                let input: Value = serde_json::from_str(arguments).unwrap();
                vec![
                    json!({"type":"tool_use","id":format!("call_{i}"),"name":format!("tool_{i}"),"input":input}),
                ]
            }
        }
    }
}

/// Items whose events are mixed in any way that keeps each item's own order.
fn stream() -> impl Strategy<Value = (Vec<Item>, Vec<Value>)> {
    (prop::collection::vec(item(), 0..5), prop::collection::vec(any::<prop::sample::Index>(), 80)).prop_map(
        |(items, picks)| {
            let mut queues: Vec<std::collections::VecDeque<Value>> =
                items.iter().enumerate().map(|(i, item)| item.events(i).into()).collect();
            let mut events = vec![json!({"type":"response.created","response":{"id":"r"}})];
            // Items are announced in order; what follows comes in any order.
            let mut announced = 0;
            for pick in picks.iter().cycle().take(4_000) {
                let ready: Vec<usize> =
                    (0..queues.len()).filter(|i| !queues[*i].is_empty() && *i <= announced).collect();
                let Some(next) = ready.get(pick.index(ready.len().max(1))) else { break };
                events.extend(queues[*next].pop_front());
                announced = announced.max(next + 1);
            }
            let output: Vec<Value> = items.iter().enumerate().map(|(i, item)| item.whole(i)).collect();
            events.push(json!({"type":"response.completed","response":{"id":"r","output":output,
                "usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":3}}}));
            (items, events)
        },
    )
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_out_of_order((items, events) in stream()) {
        let (outcome, sent) = run(&events, true);
        prop_assert_eq!(outcome, Ok(()));
        let (blocks, stop_reason) = client(&sent);
        let expected: Vec<Value> =
            items.iter().enumerate().flat_map(|(i, item)| item.blocks(i)).collect();
        prop_assert_eq!(&blocks, &expected);
        let calls = items.iter().any(|item| matches!(item.body, Body::Call(_)));
        prop_assert_eq!(stop_reason.as_deref(), Some(if calls { "tool_use" } else { "end_turn" }));

        let whole = fold(&events, true);
        prop_assert_eq!(&whole["content"], &json!(expected), "the fold is the stream");
        prop_assert_eq!(&whole["usage"], &json!({"input_tokens":6,"cache_creation_input_tokens":0,
            "cache_read_input_tokens":4,"output_tokens":3}));
    }

    #[test]
    fn a_stream_that_breaks_off_is_an_error_and_never_an_end(
        (_, events) in stream(), at in any::<prop::sample::Index>()
    ) {
        let cut = &events[..at.index(events.len())];
        let mut machine = ResponsesToMessages::new(answer(true));
        let mut sink = SseSink::default();
        for event in cut {
            machine.push(&Event::parse(&event.to_string()).unwrap(), 0, &mut sink).unwrap();
        }
        let through = machine.queue.is_empty() && machine.blocks.calls_sent > 0;
        prop_assert_eq!(machine.finish(&mut sink).is_ok(), through);
    }

    #[test]
    fn after_a_failure_there_is_silence((_, events) in stream(), at in any::<prop::sample::Index>()) {
        let mut machine = ResponsesToMessages::new(answer(true));
        let mut sink = SseSink::default();
        let failed = r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"m"}}}"#;
        let at = at.index(events.len());
        for event in &events[..at] {
            machine.push(&Event::parse(&event.to_string()).unwrap(), 0, &mut sink).unwrap();
        }
        prop_assert!(machine.push(&Event::parse(failed).unwrap(), 0, &mut sink).is_err());
        let length = sink.bytes.len();
        for event in &events[at..] {
            machine.push(&Event::parse(&event.to_string()).unwrap(), 0, &mut sink).unwrap();
        }
        machine.finish(&mut sink).unwrap();
        prop_assert_eq!(sink.bytes.len(), length);
    }
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
    let rules = SearchRules { blocked_domains: vec!["blocked.example".into()], max_uses: Some(1) };
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

//! The seven properties of the machine, over generated streams in every interleaving.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{answer, client, fold, run};
use super::*;
use crate::anthropic::event::{MessageSink, SseSink};
use crate::sse::Decoder;
use crate::translate::Envelope;

/// The ids of searches are hashes; here it matters only that they are there.
fn without_ids(mut blocks: Vec<Value>) -> Vec<Value> {
    for block in &mut blocks {
        let field = match block["type"].as_str() {
            Some("server_tool_use") => "id",
            Some("web_search_tool_result") => "tool_use_id",
            _ => continue,
        };
        assert!(block[field].as_str().is_some_and(|id| id.starts_with("srvtoolu_")));
        block[field] = json!("srv");
    }
    blocks
}

fn frames(bytes: &[u8]) -> Vec<Value> {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame() {
        frames.push(serde_json::from_str(&frame.data).unwrap());
    }
    frames
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
    Refusal(String),
    Search(String),
    /// Something that the client has no word for.
    Picture,
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
        "[a-zé\"]{1,9}".prop_map(Body::Refusal),
        "[a-z 中😀\"]{1,9}".prop_map(Body::Search),
        Just(Body::Picture),
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
            Body::Refusal(text) => {
                json!({"type":"message","id":format!("msg_{i}"),"role":"assistant","status":"completed",
                "content":[{"type":"refusal","refusal":text}]})
            }
            Body::Search(query) => {
                json!({"type":"web_search_call","id":format!("ws_{i}"),"status":"completed",
                "action":{"type":"search","query":query,"sources":[{"type":"url","url":format!("https://s{i}.example/")}]}})
            }
            Body::Picture => json!({"type":"image_generation_call","id":format!("ig_{i}"),"result":"AAAA"}),
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
            Body::Refusal(text) => ("refusal", "content_index", vec![text], "refusal"),
            Body::Search(_) | Body::Picture => ("", "", Vec::new(), ""),
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
            Body::Refusal(text) => vec![json!({"type":"text","text":text})],
            Body::Search(query) => vec![
                json!({"type":"server_tool_use","id":"srv","name":"web_search","input":{"query":query}}),
                json!({"type":"web_search_tool_result","tool_use_id":"srv","content":[{"type":"web_search_result",
                    "title":format!("s{i}.example"),"url":format!("https://s{i}.example/"),"encrypted_content":"","page_age":null}]}),
            ],
            Body::Picture => {
                vec![
                    json!({"type":"text","text":"[The model produced an item of type image_generation_call]"}),
                ]
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
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn nothing_is_lost_doubled_or_out_of_order((items, events) in stream()) {
        let (outcome, sent) = run(&events, true);
        prop_assert_eq!(outcome, Ok(()));
        let (blocks, stop_reason) = client(&sent);
        let blocks = without_ids(blocks);
        let expected: Vec<Value> =
            items.iter().enumerate().flat_map(|(i, item)| item.blocks(i)).collect();
        prop_assert_eq!(&blocks, &expected);
        let calls = items.iter().any(|item| matches!(item.body, Body::Call(_)));
        // Its deltas say that the model refuses; the whole item alone is text like any other.
        let refused = events.iter().any(|event| event["type"].as_str().is_some_and(|kind| kind.contains("refusal")));
        let reason = if calls { "tool_use" } else if refused { "refusal" } else { "end_turn" };
        prop_assert_eq!(stop_reason.as_deref(), Some(reason));

        let whole = fold(&events, true);
        prop_assert_eq!(without_ids(whole["content"].as_array().unwrap().clone()), expected, "the fold is the stream");
        let told = &sent[sent.len() - 2];
        prop_assert_eq!(&whole["usage"], &told["usage"]);
        prop_assert_eq!(&whole["stop_reason"], &told["delta"]["stop_reason"]);
        let searches = items.iter().filter(|item| matches!(item.body, Body::Search(_))).count();
        let made = whole["usage"]["server_tool_use"]["web_search_requests"].as_u64().unwrap_or_default();
        prop_assert_eq!(made, searches as u64);
        prop_assert_eq!((&whole["usage"]["input_tokens"], &whole["usage"]["cache_read_input_tokens"]), (&json!(6), &json!(4)));
    }

    #[test]
    fn repetitions_say_nothing_new((_, events) in stream(), again in prop::collection::vec(any::<bool>(), 64)) {
        let mut doubled = Vec::new();
        for (event, again) in events.iter().zip(again.iter().cycle()) {
            doubled.push(event.clone());
            let is_repeatable = event["type"].as_str().is_some_and(|kind| !kind.ends_with(".delta"));
            if *again && is_repeatable {
                doubled.push(event.clone());
            }
        }
        doubled.push(json!({"type":"response.new_kind","item_id":"x","delta":7}));
        doubled.extend(events.last().cloned());
        prop_assert_eq!(run(&doubled, true), run(&events, true));
    }

    #[test]
    fn the_bytes_may_be_cut_anywhere(
        (_, events) in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)
    ) {
        let bytes: Vec<u8> = events.iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let feed = |at: &[usize]| {
            let (mut machine, mut decoder, mut sink) =
                (ResponsesToMessages::new(answer(true)), Decoder::default(), SseSink::default());
            for pair in at.windows(2) {
                decoder.push(&bytes[pair[0]..pair[1]]);
                while let Some(frame) = decoder.next_frame() {
                    machine.push(&Event::parse(&frame.data).unwrap(), 0, &mut sink).unwrap();
                }
            }
            machine.finish(&mut sink).unwrap();
            sink.bytes
        };
        prop_assert_eq!(feed(&at), feed(&[0, bytes.len()]));
    }

    #[test]
    fn a_stop_sequence_ends_everything((items, events) in stream()) {
        const STOP: &str = "a";
        let mut machine = ResponsesToMessages::new(Answer { stop_sequences: vec![STOP.to_owned()], ..answer(true) });
        let mut sink = SseSink::default();
        let mut folding = ResponsesToMessages::new(Answer { stop_sequences: vec![STOP.to_owned()], ..answer(true) });
        let mut folded = MessageSink::default();
        for event in &events {
            let text = event.to_string();
            machine.push(&Event::parse(&text).unwrap(), 0, &mut sink).unwrap();
            folding.push(&Event::parse(&text).unwrap(), 0, &mut folded).unwrap();
        }
        machine.finish(&mut sink).unwrap();
        let (blocks, stop_reason) = client(&frames(&sink.bytes));
        let mut expected = Vec::new();
        let mut met = false;
        'items: for (i, item) in items.iter().enumerate() {
            for block in item.blocks(i) {
                let is_said = matches!(item.body, Body::Message(_) | Body::Refusal(_));
                match block["text"].as_str().and_then(|text| text.find(STOP)).filter(|_| is_said) {
                    Some(at) => {
                        let text = &block["text"].as_str().unwrap()[..at];
                        expected.extend((!text.is_empty()).then(|| json!({"type":"text","text":text})));
                        met = true;
                        break 'items;
                    }
                    None => expected.push(block),
                }
            }
        }
        prop_assert_eq!(without_ids(blocks), expected);
        prop_assert_eq!(stop_reason.as_deref() == Some("stop_sequence"), met);
        let whole: Value = serde_json::from_slice(&folded.into_json()).unwrap();
        prop_assert_eq!(whole["stop_reason"].as_str(), stop_reason.as_deref());
        prop_assert_eq!(&whole["stop_sequence"], &if met { json!(STOP) } else { json!(null) });
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

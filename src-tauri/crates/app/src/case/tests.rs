use dragoman_protocol::translate::{Note, What};
use dragoman_proxy::{Decider, Door, Said};
use dragoman_upstream::Source;

use super::*;

fn told(id: &str, request: &str) -> Told {
    let exchange = Exchange {
        id: id.to_owned(),
        ended_at: 0,
        client: "claude-cli".to_owned(),
        session: "s".to_owned(),
        account: None,
        model: "claude-opus-5-5".to_owned(),
        upstream_model: "gpt-x".to_owned(),
        decider: Decider::Catalog,
        effort: None,
        status: 200,
        error: None,
        first_output_ms: None,
        duration_ms: 0,
        tokens: None,
        notes: Vec::new(),
        notes_in_all: 0,
    };
    let said = Said {
        dialect: Dialect::Lite,
        request: r#"{"model":"gpt-x"}"#.into(),
        events: "data: {}\n\n".into(),
    };
    let recording = Recording {
        door: Door::Messages,
        request_id: id.to_owned(),
        thread: "t".to_owned(),
        headers: vec![("user-agent", "claude-cli/2".to_owned())],
        extra_tools: Arc::default(),
        request: request.to_owned(),
        upstream: vec![said],
        answer: format!(
            "event: message_start\ndata: {{\"id\":\"msg_{id}\",\"usage\":{{\"input_tokens\":17}}}}\n\n\
             data: {{\"signature\":\"dragoman1~{id}\"}}\n\n"
        ),
        searched: false,
    };
    Told { exchange, recording: Arc::new(recording), api_key: false }
}

fn case(told: &[Told]) -> Result<Case, NotACase> {
    let catalog = Catalog { models: Vec::new(), etag: None, source: Source::Bundled };
    of(told, Around { catalog: &catalog, settings: &Table::new() })
}

#[test]
fn what_differs_from_run_to_run_has_a_name_and_a_signature_comes_back_by_it() {
    let second = r#"{"messages":[{"role":"assistant","signature":"dragoman1~one"},"dragoman1~old"]}"#;
    let case = case(&[told("one", r#"{"messages":[]}"#), told("two", second)]).unwrap();
    assert_eq!((case.name.as_str(), case.whole), ("X-two", true));
    assert!(
        case.files["1.answer.sse"].contains(r#"{"id":"{{_msg_id}}","usage":{"input_tokens":{{_estimate}}}}"#)
    );
    assert!(case.files["1.answer.sse"].contains(r#""signature":"{{signature1}}""#));
    assert!(case.files["2.request.json"].contains(r#""signature": "{{signature1}}""#));
    assert!(case.files["2.request.json"].contains("dragoman1~old"), "nobody answered that");
    assert!(case.files["2.answer.sse"].contains("{{signature2}}"));
    let head: Table = case.files["case.toml"].parse().unwrap();
    assert_eq!(head["steps"][1]["upstream"], Value::Array(vec!["2.upstream.json".into()]));
    assert_eq!((head["dialect"].as_str(), head["model"].as_str()), (Some("lite"), Some("gpt-x")));
}

#[test]
fn one_request_alone_has_the_usual_names_and_says_if_its_beginning_is_missing() {
    let mut one = told("one", r#"{"messages":[{"role":"assistant"}]}"#);
    one.exchange.notes = vec![Note { what: What::Dropped, place: "a".to_owned(), detail: "b".to_owned() }];
    one.exchange.notes_in_all = 1;
    let case = case(&[one]).unwrap();
    let names: Vec<&str> = case.files.keys().map(String::as_str).collect();
    let usual = [
        "answer.sse",
        "case.toml",
        "catalog.json",
        "events.sse",
        "notes.json",
        "request.json",
        "upstream.json",
    ];
    assert_eq!((names.as_slice(), case.whole), (usual.as_slice(), false));
}

#[test]
fn what_can_t_be_replayed_is_refused_with_its_reason() {
    let refused = |change: fn(&mut Told)| {
        let mut one = told("one", r#"{"messages":[]}"#);
        change(&mut one);
        case(&[one]).unwrap_err()
    };
    assert_eq!(case(&[]), Err(NotACase::NotRecorded));
    assert_eq!(refused(|one| one.exchange.status = 499), NotACase::Failed);
    assert_eq!(refused(|one| one.exchange.error = Some("api_error".to_owned())), NotACase::Failed);
    assert_eq!(refused(|one| one.exchange.notes_in_all = 1), NotACase::Notes);
    assert_eq!(refused(|one| one.api_key = true), NotACase::ApiKey);
    let recording = |one: &mut Told, change: fn(&mut Recording)| change(Arc::make_mut(&mut one.recording));
    let refused = |change: fn(&mut Recording)| {
        let mut one = told("one", r#"{"messages":[]}"#);
        recording(&mut one, change);
        case(&[one]).unwrap_err()
    };
    assert_eq!(refused(|one| one.searched = true), NotACase::Searched);
    assert_eq!(refused(|one| one.upstream.push(one.upstream[0].clone())), NotACase::Retried);
    assert_eq!(refused(|one| one.request.push_str("{{name}}")), NotACase::Placeholder);
    let mut other = told("two", "{}");
    other.exchange.upstream_model = "gpt-y".to_owned();
    assert_eq!(case(&[told("one", "{}"), other]), Err(NotACase::Models));
    assert!(!has_placeholder("{{ user }} {{}} }} {{"));
}

#[test]
fn tools_of_mcp_servers_are_in_it_if_they_stayed_the_same() {
    let with = |mut told: Told, names: &[&str]| {
        let tool = |name: &&str| ExtraTool::new(*name, format!(r#"{{"name":"{name}","input_schema":{{}}}}"#));
        let tools = names.iter().map(|name| tool(name).unwrap()).collect();
        Arc::make_mut(&mut told.recording).extra_tools = tools;
        told
    };
    let (first, second) = (told("one", r#"{"messages":[]}"#), told("two", r#""role":"assistant""#));
    let tools = ["mcp__a__x", "mcp__b__y"];
    let whole = case(&[with(first.clone(), &tools), with(second.clone(), &tools)]).unwrap();
    assert!(whole.files["mcp.json"].contains(r#""name": "mcp__b__y""#), "{}", whole.files["mcp.json"]);
    assert!(!case(std::slice::from_ref(&first)).unwrap().files.contains_key("mcp.json"));
    assert_eq!(case(&[with(first, &tools[..1]), with(second, &tools)]), Err(NotACase::Tools));
}

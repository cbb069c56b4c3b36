use super::*;

fn begin(recorder: &Recorder, request_id: &str, body: &Bytes) -> Option<Tape> {
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("authorization", "Bearer canary"), ("user-agent", "claude-cli/2"), ("x-api-key", "canary")]
    {
        headers.insert(name, value.parse().unwrap());
    }
    recorder.begin(
        Asked {
            request_id,
            door: crate::Door::Messages,
            thread: "t",
            headers: &headers,
            extra_tools: &Arc::default(),
            body,
        },
        "local-token",
    )
}

fn exchange(recorder: &Recorder, id: &str, size: usize) {
    let Some(tape) = begin(recorder, id, &Bytes::from(vec![b'q'; size])) else { return };
    tape.sent(Dialect::Lite, b"sent");
    tape.heard(&Bytes::from_static(b"he"));
    tape.heard(&Bytes::from_static(b"ard"));
    tape.answered(&Bytes::from_static(b"answer"));
    tape.close();
}

#[test]
fn both_sides_are_kept_while_it_is_on_and_gone_when_it_is_off() {
    let recorder = Recorder::default();
    exchange(&recorder, "before", 1);
    assert!(recorder.get("before").is_none(), "off at first");
    recorder.switch(true);
    exchange(&recorder, "one", 1);
    let one = recorder.get("one").unwrap();
    let said = Said { dialect: Dialect::Lite, request: "sent".to_owned(), events: "heard".to_owned() };
    assert_eq!(one.headers, [("user-agent", "claude-cli/2".to_owned())]);
    assert_eq!((&*one.request, &one.upstream, &*one.answer), ("q", &vec![said], "answer"));
    assert_eq!((recorder.fill().exchanges, recorder.fill().bytes), (1, 16));
    let running = begin(&recorder, "running", &Bytes::from_static(b"q")).unwrap();
    recorder.switch(false);
    recorder.switch(true);
    running.sent(Dialect::Lite, b"more");
    running.close();
    assert!(recorder.get("one").is_none() && recorder.get("running").is_none(), "forgotten");
    assert_eq!((recorder.fill().exchanges, recorder.fill().bytes), (0, 0));
}

#[test]
fn it_is_bounded_by_number_and_by_bytes() {
    let recorder = Recorder::default();
    recorder.switch(true);
    for number in 0..=EXCHANGES {
        exchange(&recorder, &number.to_string(), 1);
    }
    assert_eq!(recorder.fill().exchanges, EXCHANGES);
    assert!(recorder.get("0").is_none() && recorder.get("1").is_some(), "the oldest goes");
    exchange(&recorder, "large", BYTES - 100);
    assert!(recorder.get("large").is_some() && recorder.fill().bytes <= BYTES);
    exchange(&recorder, "too large", BYTES + 1);
    assert!(recorder.get("too large").is_none());
    exchange(&recorder, "small", 1);
    assert!(recorder.get("small").is_some() && recorder.fill().bytes < 100, "the lost one holds nothing");
}

#[test]
fn no_secret_and_no_conversation_is_printed_or_kept() {
    let recorder = Recorder::default();
    recorder.switch(true);
    let request = Bytes::from_static(b"{\"canary\":\"ANTHROPIC_AUTH_TOKEN=local-token\"}");
    let tape = begin(&recorder, "one", &request).unwrap();
    tape.heard(&Bytes::from_static(b"lost: nothing was sent"));
    assert!(!format!("{tape:?}").contains("canary"));
    tape.close();
    let one = recorder.get("one").unwrap();
    assert!(one.request.contains("canary") && !one.request.contains("local-token"), "{}", one.request);
    assert!(!format!("{one:?} {recorder:?}").contains("canary"));
}

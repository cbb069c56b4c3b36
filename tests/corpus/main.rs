//! Replays the fuzz corpus (`tests/fuzz/corpus`) and the golden cases as ordinary tests: what once was found stays found.
#![cfg(test)]

#[path = "../fuzz/checks.rs"]
mod checks;

use std::path::Path;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display()); // shown if a check panics
        let data = std::fs::read(&path).unwrap();
        check(&data);
        // Every prefix, too: a body may end anywhere.
        for end in 0..data.len().min(2_000) {
            check(&data[..end]);
        }
        inputs += 1;
    }
    assert!(inputs > 0, "{} is empty", folder.display());
}

#[test]
fn sse_frames_do_not_depend_on_the_cuts() {
    replay("sse", checks::sse);
}

#[test]
fn accepted_requests_become_valid_json() {
    replay("request", checks::request);
}

#[test]
fn events_never_upset_the_machine() {
    replay("event", checks::event);
}

#[test]
fn grown_requests_are_accepted_and_lose_nothing() {
    replay("grown", checks::grown);
}

#[test]
fn accepted_chats_become_valid_requests() {
    replay("chat", checks::chat);
}

#[test]
fn accepted_responses_requests_become_the_backends() {
    replay("responses", checks::responses);
}

/// The files of all golden cases whose name ends so.
fn golden(end: &str, check: impl Fn(&[u8])) {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let mut inputs = 0;
    for case in
        std::fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        for file in std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path()) {
            if file.to_str().unwrap().ends_with(end) {
                println!("{}", file.display()); // shown if a check panics
                check(&std::fs::read(&file).unwrap());
                inputs += 1;
            }
        }
    }
    assert!(inputs > 50, "{inputs} golden files end with {end}");
}

#[test]
fn the_requests_of_golden_cases_hold_for_every_check() {
    golden("request.json", |body| {
        checks::request(body);
        checks::chat(body);
        checks::responses(body);
    });
}

#[test]
fn the_streams_of_golden_cases_hold_for_every_check() {
    golden("events.sse", |stream| {
        checks::sse(stream);
        let lines = String::from_utf8_lossy(stream);
        let events: Vec<&str> = lines.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        checks::event(events.join("\n").as_bytes());
    });
}

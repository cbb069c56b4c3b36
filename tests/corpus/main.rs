//! Replays the fuzz corpus (`tests/fuzz/corpus`) as ordinary tests: what once was found stays found.
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

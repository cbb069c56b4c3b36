//! Properties of the translation over thousands of arbitrary requests. The checks are those of the fuzz targets
//! (`tests/fuzz/checks.rs`); the properties of the event machine stand beside it, in the protocol crate.
#![cfg(test)]

#[path = "../fuzz/checks.rs"]
#[expect(dead_code, reason = "the corpus replay and the fuzz targets use the others")]
mod checks;
mod regressions;

use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// Never a panic; a body that the strict backend accepts, in both dialects, or a refusal in words where one is due;
    /// and no text lost without a note.
    #[test]
    fn any_request_becomes_one_that_the_backend_accepts_and_loses_nothing(
        bytes in prop::collection::vec(any::<u8>(), 0..600)
    ) {
        checks::grown(&bytes);
    }

    /// Events of the golden cases, left out, repeated and moved about: whatever comes, the stream is a proper one, and
    /// the fold says the same.
    #[test]
    fn any_order_of_events_makes_a_proper_stream(
        file in any::<prop::sample::Index>(),
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 0..40),
    ) {
        let streams = golden_events();
        let mut lines = streams[file.index(streams.len())].clone();
        for (at, change) in picks {
            if lines.is_empty() {
                break;
            }
            let at = at.index(lines.len());
            match change {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[at].clone()),
                2 => {
                    let line = lines.remove(at);
                    lines.insert(lines.len() / 2, line);
                }
                // A line from elsewhere.
                3 => lines.insert(at, streams[at % streams.len()].last().cloned().unwrap_or_default()),
                4 => lines.truncate(lines.len().max(at + 1)),
                _ => {}
            }
        }
        checks::event(lines.join("\n").as_bytes());
    }
}

/// The event lines of all golden cases.
fn golden_events() -> &'static [Vec<String>] {
    static EVENTS: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    EVENTS.get_or_init(|| {
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
        let mut streams = Vec::new();
        for case in std::fs::read_dir(cases).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
            for file in std::fs::read_dir(case.path()).unwrap().flatten() {
                if file.file_name().to_string_lossy().ends_with("events.sse") {
                    let text = String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()).into_owned();
                    let lines: Vec<String> = text
                        .lines()
                        .filter_map(|line| line.strip_prefix("data: "))
                        .map(str::to_owned)
                        .collect();
                    if !lines.is_empty() {
                        streams.push(lines);
                    }
                }
            }
        }
        streams.sort();
        streams
    })
}

//! Properties of the translation over thousands of arbitrary requests. The checks are those of the fuzz targets
//! (`tests/fuzz/checks.rs`); the properties of the event machine stand beside it, in the protocol crate.
#![cfg(test)]

#[path = "../fuzz/checks.rs"]
#[expect(dead_code, reason = "the corpus replay and the fuzz targets use the others")]
mod checks;
mod regressions;

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
}

#![no_main]
//! See `checks.rs`, which the corpus replay in the ordinary tests uses too.

#[path = "../checks.rs"]
#[expect(dead_code, reason = "each target uses one of the checks")]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::chat(data));

//! The room table of ARCHITECTURE.md, checked from `cargo metadata` and the tracked files: who may depend on whom,
//! what no room may bring in, licences, and the shape of the tree.
//!
//! Every check returns the violations as sentences, and beside each stands a test that plants one: a guard that cannot
//! fail guards nothing. Not here: what clippy checks (`clippy.toml`, `src-tauri/crates/protocol/.clippy.toml`) and
//! what needs a database of advisories (`make audit`).

#![cfg(test)]

mod licences;
mod metadata;
mod pages;
mod rooms;
mod tree;
mod vendor;

/// Fails with every violation, one to a line.
fn expect_none(violations: &[String]) {
    assert!(violations.is_empty(), "{} violations:\n  {}", violations.len(), violations.join("\n  "));
}

//! Under which licences the packages of the tree come, for all platforms, and from where. `deny.toml` says the same to
//! cargo-deny.

use crate::expect_none;
use crate::metadata::{Metadata, root};

/// Permissive, or (MPL-2.0) weak copyleft by file, which using the crate unchanged satisfies.
const ALLOWED: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Zlib",
];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn licences(metadata: &Metadata) -> Vec<String> {
    let mut violations = Vec::new();
    for package in &metadata.packages {
        match &package.license {
            None => violations.push(format!("{} {} names no licence", package.name, package.version)),
            Some(expression) if !allowed(expression) => {
                violations.push(format!("{} {}: {expression}", package.name, package.version));
            }
            Some(_) => {}
        }
    }
    violations
}

fn sources(metadata: &Metadata) -> Vec<String> {
    let foreign = |source: &&String| source.as_str() != REGISTRY;
    metadata
        .packages
        .iter()
        .filter_map(|package| Some((package, package.source.as_ref().filter(foreign)?)))
        .map(|(package, source)| format!("{} comes from {source}", package.name))
        .collect()
}

/// Whether an SPDX expression can be met: `OR` by one side, `AND` by both; `/` is the old way to write `OR`.
fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let met = any(&mut words);
    met && words.is_empty()
}

fn any(words: &mut Vec<&str>) -> bool {
    let mut met = all(words);
    while words.last() == Some(&"OR") {
        words.pop();
        met |= all(words);
    }
    met
}

fn all(words: &mut Vec<&str>) -> bool {
    let mut met = one(words);
    while words.last() == Some(&"AND") {
        words.pop();
        met &= one(words);
    }
    met
}

fn one(words: &mut Vec<&str>) -> bool {
    match words.pop() {
        Some("(") => {
            let met = any(words);
            words.pop() == Some(")") && met
        }
        Some(licence) if words.last() == Some(&"WITH") => {
            words.pop();
            let whole = format!("{licence} WITH {}", words.pop().unwrap_or_default());
            ALLOWED.contains(&whole.as_str())
        }
        Some(licence) => ALLOWED.contains(&licence),
        None => false,
    }
}

#[test]
fn every_package_comes_under_an_allowed_licence() {
    expect_none(&licences(Metadata::read()));
}

#[test]
fn every_package_comes_from_the_registry() {
    expect_none(&sources(Metadata::read()));
}

#[test]
fn cargo_deny_is_told_the_same_licences() {
    let deny = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there");
    let list = deny
        .split_once("\nallow = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .expect("a list of licences")
        .0;
    let told: Vec<&str> =
        list.split(',').map(|name| name.trim().trim_matches('"')).filter(|n| !n.is_empty()).collect();
    assert_eq!(told, ALLOWED);
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    for fine in [
        "MIT",
        "MIT/GPL-3.0-only",
        "GPL-3.0-only OR MIT",
        "(MIT OR GPL-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        "BSD-3-Clause AND (GPL-2.0 OR (Zlib AND MIT))",
    ] {
        assert!(allowed(fine), "{fine}");
    }
    for wrong in
        ["GPL-3.0-only", "MIT AND GPL-3.0-only", "GPL-3.0 WITH LLVM-exception", "(MIT", "MIT MIT", "", "OR"]
    {
        assert!(!allowed(wrong), "{wrong}");
    }
}

#[test]
fn a_package_without_a_licence_or_from_elsewhere_is_found() {
    let mut planted = Metadata::read().clone();
    planted.with_package("stranger");
    assert_eq!(licences(&planted), ["stranger 99.0.0 names no licence"]);
    assert_eq!(sources(&planted), ["stranger comes from git+https://example.invalid"]);
}

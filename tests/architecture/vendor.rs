//! The libraries in `ui/vendor`: exactly those of this table, byte for byte as their packages have them, each with its
//! licence. A newer version changes a row here, `.ci/setup` and the files, together.

use std::collections::BTreeSet;
use std::fs;

use sha2::{Digest as _, Sha256};

use crate::metadata::root;

/// One file of a package.
struct Vendored {
    file: &'static str,
    package: &'static str,
    version: &'static str,
    /// Where it is in the package.
    origin: &'static str,
    /// SHA-256 of the package's file.
    sha256: &'static str,
    /// What was replaced in it, and by what: a page finds no package by its name.
    replaced: Option<(&'static str, &'static str)>,
}

const VENDORED: [Vendored; 5] = [
    Vendored {
        file: "preact.js",
        package: "preact",
        version: "11.2.0",
        origin: "dist/preact.mjs",
        sha256: "bdcbd9abdf2c77c5c45326eab42191e949222d479d0d5f69467387a77040cb55",
        replaced: None,
    },
    Vendored {
        file: "hooks.js",
        package: "preact",
        version: "11.2.0",
        origin: "hooks/dist/hooks.mjs",
        sha256: "e862ab2973aa6455eaa0f77c5d832d2157d6be59a17c8ba546550a575b58c6b4",
        replaced: Some((r#"from"preact""#, r#"from"./preact.js""#)),
    },
    Vendored {
        file: "htm.js",
        package: "htm",
        version: "3.1.1",
        origin: "dist/htm.mjs",
        sha256: "ab33dd3f38059b9be4d5f5350128eefb2356639c4e0bbe9d9e8b3ba75847e9e4",
        replaced: None,
    },
    Vendored {
        file: "uplot.js",
        package: "uplot",
        version: "1.6.32",
        origin: "dist/uPlot.esm.js",
        sha256: "5dd9b3281aa64b461b42d9945f6adb2649d346502b12281a9ae0d46599a80eba",
        replaced: None,
    },
    Vendored {
        file: "uplot.css",
        package: "uplot",
        version: "1.6.32",
        origin: "dist/uPlot.min.css",
        sha256: "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
        replaced: None,
    },
];

/// The licence of each package, by words that stand in its text.
const LICENCES: [(&str, &str); 3] =
    [("preact", "The MIT License (MIT)"), ("htm", "Apache License"), ("uplot", "The MIT License (MIT)")];

/// Ours: the one door to them, and what their types are.
const OURS: [&str; 5] = ["ui.js", "preact.d.ts", "hooks.d.ts", "htm.d.ts", "uplot.d.ts"];

impl Vendored {
    /// The file as its package has it.
    fn original(&self, text: &str) -> String {
        match self.replaced {
            Some((theirs, ours)) => text.replace(ours, theirs),
            None => text.to_owned(),
        }
    }

    fn checksum(&self, text: &str) -> String {
        let digest = Sha256::digest(self.original(text).as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn read(file: &str) -> String {
    let path = root().join("ui/vendor").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_vendored_file_is_what_its_package_has() {
    for vendored in VENDORED {
        let Vendored { file, package, version, origin, sha256, .. } = &vendored;
        assert_eq!(vendored.checksum(&read(file)), *sha256, "{file} is not {origin} of {package} {version}");
    }
}

#[test]
fn a_changed_byte_is_noticed() {
    for vendored in VENDORED {
        let text = read(vendored.file) + " ";
        assert_ne!(vendored.checksum(&text), vendored.sha256, "{}", vendored.file);
    }
}

#[test]
fn every_package_has_its_licence_beside_it() {
    for (package, words) in LICENCES {
        let text = read(&format!("{package}.LICENSE"));
        assert!(text.contains(words), "{package}.LICENSE does not say {words:?}");
    }
}

#[test]
fn nothing_else_is_vendored() {
    let names = fs::read_dir(root().join("ui/vendor")).unwrap().map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    let licences = LICENCES.iter().map(|(package, _)| format!("{package}.LICENSE"));
    let known = VENDORED.iter().map(|vendored| vendored.file).chain(OURS).map(str::to_owned);
    assert_eq!(there, known.chain(licences).collect());
}

#[test]
fn the_types_are_checked_against_the_same_versions() {
    let setup = fs::read_to_string(root().join(".ci/setup")).unwrap();
    for Vendored { package, version, .. } in VENDORED {
        let line = format!("{}={version}\n", package.to_ascii_uppercase());
        assert!(setup.contains(&line), ".ci/setup does not say {line}");
    }
}

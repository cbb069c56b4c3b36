//! The shape of the tree: what lies at the top, how files open and how long they are, what no file may say, and that
//! every manifest takes the workspace's edition and lints.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::expect_none;
use crate::metadata::{Metadata, root};

/// The card: what the project promises to look like from outside.
const CARD: &[&str] = &["Cargo.toml", "README.md", "icons", "src-tauri", "tauri.conf.json", "tests", "ui"];

/// What stands beside it.
const BESIDE: &[&str] = &[
    ".cargo",
    ".ci",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "LICENSE",
    "Makefile",
    "clippy.toml",
    "deny.toml",
    "docs",
    "rustfmt.toml",
];

const LONGEST: usize = 600;

/// Paths that are true on one machine only. Put together here, so that this file does not say them.
const MACHINE: &[&str] = &[
    concat!("..", "/shared"),
    concat!("/work", "/main"),
    concat!("/work", "/shared"),
    concat!("/root", "/"),
];

/// A tracked file, as far as it is text.
struct File {
    path: String,
    text: String,
}

// === Checks ===

fn top(paths: &[&str]) -> Vec<String> {
    let there: BTreeSet<&str> = paths.iter().filter_map(|path| path.split('/').next()).collect();
    let missing = CARD.iter().filter(|name| !there.contains(*name)).map(|name| format!("{name} is missing"));
    let known = |name: &&str| CARD.contains(name) || BESIDE.contains(name);
    let new =
        there.iter().filter(|name| !known(name)).map(|name| format!("{name} does not belong at the top"));
    missing.chain(new).collect()
}

fn length(file: &File) -> Option<String> {
    let ours = file.path.ends_with(".rs") || file.path.ends_with(".js") || file.path.ends_with(".css");
    let exempt = file.path.starts_with("tests/") || file.path.starts_with("ui/vendor/");
    let lines = file.text.lines().count();
    (ours && !exempt && lines > LONGEST)
        .then(|| format!("{} has {lines} lines; a file is one noun", file.path))
}

fn opening(file: &File) -> Option<String> {
    // `tests.rs` speaks of the module that it lies beside.
    let module =
        file.path.starts_with("src-tauri/") && file.path.ends_with(".rs") && !file.path.ends_with("tests.rs");
    (module && !file.text.starts_with("//! "))
        .then(|| format!("{} does not open by saying what is in it", file.path))
}

fn machine(file: &File) -> Vec<String> {
    let said = MACHINE.iter().filter(|word| file.text.contains(*word));
    said.map(|word| format!("{} names {word}, which is true on one machine only", file.path)).collect()
}

/// `root` says its lints itself, because desktop alone may expect `unsafe_code`; it must not say less otherwise.
/// A test that plain `cargo test` leaves out must be run elsewhere: the stage `keyring` of `.ci/test` runs those of the
/// crates' libraries, the stage `installed` those of the desktop, and nobody runs others.
fn left_out(file: &File) -> Option<String> {
    let is_run = ["src-tauri/crates/", "tests/desktop/"].iter().any(|room| file.path.starts_with(room));
    let ignores =
        file.path.ends_with(".rs") && file.text.lines().any(|line| line.trim().starts_with("#[ignore"));
    (ignores && !is_run).then(|| format!("{} leaves out a test that nobody runs", file.path))
}

fn manifest(package: &str, text: &str, root: &str) -> Vec<String> {
    let mut violations = Vec::new();
    let lines = |name: &str, text: &str| section(name, text).map(str::to_owned).collect::<BTreeSet<_>>();
    if package == "dragoman-desktop" {
        for (own, common) in
            [("lints.rust", "workspace.lints.rust"), ("lints.clippy", "workspace.lints.clippy")]
        {
            let own = lines(own, text);
            let exempt = |line: &&String| line.starts_with("unsafe_code") || line.starts_with("missing_docs");
            let lost = lines(common, root).into_iter().filter(|line| !own.contains(line) && !exempt(&line));
            violations.extend(lost.map(|line| format!("{package} leaves out the lint {line}")));
        }
    } else if !lines("lints", text).contains("workspace = true") {
        violations.push(format!("{package} does not take the workspace's lints"));
    }
    for key in ["edition", "license", "rust-version", "version"] {
        if !lines("package", text).contains(&format!("{key}.workspace = true")) {
            violations.push(format!("{package} does not take the workspace's {key}"));
        }
    }
    violations
}

/// The lines of one section of a manifest.
fn section<'a>(name: &str, text: &'a str) -> impl Iterator<Item = &'a str> {
    let head = format!("[{name}]");
    let rest = text.lines().map(str::trim).skip_while(move |line| *line != head).skip(1);
    rest.take_while(|line| !line.starts_with('[')).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

// === As it is ===

/// The files that git tracks and that still lie in the work tree.
fn tracked() -> Vec<String> {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(root())
        .output()
        .expect("git starts");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("tracked paths are UTF-8");
    listed.split_terminator('\0').filter(|path| root().join(path).is_file()).map(str::to_owned).collect()
}

fn files() -> Vec<File> {
    let text = |path: &String| std::fs::read_to_string(root().join(path)).ok();
    tracked().into_iter().filter_map(|path| Some(File { text: text(&path)?, path })).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_top_is_the_card_and_what_stands_beside_it() {
    let paths = tracked();
    expect_none(&top(&paths.iter().map(String::as_str).collect::<Vec<_>>()));
}

#[test]
fn no_file_is_longer_than_one_noun() {
    expect_none(&files().iter().filter_map(length).collect::<Vec<_>>());
}

#[test]
fn every_module_opens_by_saying_what_is_in_it() {
    expect_none(&files().iter().filter_map(opening).collect::<Vec<_>>());
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    expect_none(&files().iter().flat_map(machine).collect::<Vec<_>>());
}

#[test]
fn no_test_is_left_out_silently() {
    expect_none(&files().iter().filter_map(left_out).collect::<Vec<_>>());
    let stages = read(&root().join(".ci/test"));
    for run in [
        "cargo test --workspace --lib --locked -- --ignored",
        "--test desktop --locked -- --ignored --test-threads=1",
    ] {
        assert!(stages.contains(run), "nobody runs the ignored ones: {run}");
    }
    let stray = File { path: "tests/cli/main.rs".to_owned(), text: "    #[ignore]\nfn x() {}".to_owned() };
    assert!(left_out(&stray).is_some());
}

#[test]
fn every_crate_takes_the_workspace_s_lints_and_edition() {
    let top = read(&root().join("Cargo.toml"));
    let metadata = Metadata::read();
    let mut violations: Vec<String> = metadata
        .members()
        .flat_map(|package| manifest(&package.name, &read(&package.manifest_path), &top))
        .collect();
    let old = metadata.members().filter(|package| package.edition != "2024");
    violations.extend(old.map(|package| format!("{} is of edition {}", package.name, package.edition)));
    expect_none(&violations);
}

// === Planted ===

#[test]
fn a_file_too_long_or_without_an_opening_is_found() {
    let path = "src-tauri/crates/app/src/attic.rs".to_owned();
    let file = File { path, text: "fn attic() {}\n".repeat(LONGEST + 1) };
    assert!(length(&file).is_some_and(|found| found.contains("601 lines")));
    assert!(opening(&file).is_some());
}

#[test]
fn a_path_of_one_machine_is_found() {
    let file = File { path: "docs/attic.md".to_owned(), text: format!("see {}/spec", MACHINE[0]) };
    assert_eq!(machine(&file).len(), 1);
}

#[test]
fn a_stray_entry_and_a_missing_one_are_found() {
    let mut paths: Vec<&str> = CARD.iter().copied().filter(|name| *name != "icons").collect();
    paths.push("attic/old.rs");
    assert_eq!(top(&paths), ["icons is missing", "attic does not belong at the top"]);
}

#[test]
fn a_manifest_of_its_own_mind_is_found() {
    let top = "[workspace.lints.clippy]\ntodo = \"warn\"\ndbg_macro = \"warn\"\n";
    let own = "[package]\nedition = \"2021\"\nversion.workspace = true\nlicense.workspace = true\n\
               rust-version.workspace = true\n[lints]\n";
    assert_eq!(
        manifest("dragoman-proxy", own, top),
        [
            "dragoman-proxy does not take the workspace's lints",
            "dragoman-proxy does not take the workspace's edition"
        ]
    );
    let own = "[lints.clippy]\ntodo = \"warn\"\n[package]\nedition.workspace = true\nversion.workspace = true\n\
               license.workspace = true\nrust-version.workspace = true\n";
    assert_eq!(
        manifest("dragoman-desktop", own, top),
        ["dragoman-desktop leaves out the lint dbg_macro = \"warn\""]
    );
}

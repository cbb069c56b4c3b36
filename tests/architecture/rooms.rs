//! Who may depend on whom, and who may bring in what. A new room or a moved wall changes a table here and the one in
//! ARCHITECTURE.md, in the same commit.

use crate::expect_none;
use crate::metadata::{Kind, Metadata, Package};

struct Room {
    package: &'static str,
    /// The rooms it may use.
    uses: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    Room { package: "dragoman-protocol", uses: &[] },
    Room { package: "dragoman-upstream", uses: &["dragoman-protocol"] },
    Room { package: "dragoman-proxy", uses: &["dragoman-protocol", "dragoman-upstream"] },
    Room { package: "dragoman-mcp", uses: &[] },
    Room {
        package: "dragoman",
        uses: &["dragoman-protocol", "dragoman-upstream", "dragoman-proxy", "dragoman-mcp"],
    },
    Room { package: "dragoman-cli", uses: &["dragoman"] },
    Room { package: "dragoman-desktop", uses: &["dragoman"] },
    Room {
        package: TESTS,
        uses: &["dragoman-protocol", "dragoman-upstream", "dragoman-proxy", "dragoman", "dragoman-cli"],
    },
];

/// Tests may use what they like from outside, but nothing that drags a desktop in.
const TESTS: &str = "dragoman-tests";

/// All that protocol may depend on: pure crates.
const PROTOCOL: &[&str] = &[
    "base64",
    "memchr",
    "serde",
    "serde_json",
    "serde_path_to_error",
    "sha2",
    "thiserror",
    "tiktoken",
    // Derives only: what the admin contract says of the types here.
    "ts-rs",
    "utoipa",
];

/// What must not be linked into protocol by any detour.
const IMPURE: &[&str] = &[
    "async-trait",
    "axum",
    "chrono",
    "futures-core",
    "getrandom",
    "http",
    "hyper",
    "jiff",
    "log",
    "mio",
    "rand",
    "reqwest",
    "ring",
    "rustls",
    "socket2",
    "time",
    "tokio",
    "tower",
    "tracing",
];

/// Crates that have a home: only these rooms name them in their manifest.
const HOMES: &[(&str, &[&str])] = &[
    // mcp: the name of the client that upstream makes.
    ("reqwest", &["dragoman-upstream", "dragoman-mcp"]),
    ("rmcp", &["dragoman-mcp"]),
    ("oauth2", &["dragoman-upstream"]),
    ("open", &["dragoman-upstream"]),
    ("rpassword", &["dragoman-cli"]),
    ("rustls", &["dragoman-upstream"]),
    ("rustls-platform-verifier", &["dragoman-upstream"]),
    ("webpki-roots", &["dragoman-upstream"]),
    ("zstd", &["dragoman-upstream"]),
    ("keyring", &["dragoman-upstream"]),
    ("keyring-core", &["dragoman-upstream"]),
    ("zbus-secret-service-keyring-store", &["dragoman-upstream"]),
    ("apple-native-keyring-store", &["dragoman-upstream"]),
    ("windows-native-keyring-store", &["dragoman-upstream"]),
    ("tiktoken", &["dragoman-protocol"]),
    // app: the admin listener.
    ("axum", &["dragoman-proxy", "dragoman"]),
    ("hyper", &["dragoman-proxy", "dragoman"]),
    ("hyper-util", &["dragoman-proxy", "dragoman"]),
    ("tower", &["dragoman-proxy", "dragoman"]),
    ("tower-http", &["dragoman-proxy", "dragoman"]),
    ("directories", &["dragoman"]),
    ("rusqlite", &["dragoman"]),
    ("toml", &["dragoman"]),
    ("toml_edit", &["dragoman"]),
    // app: the admin contract; the others derive for their own types.
    ("utoipa-axum", &["dragoman"]),
    ("rust-embed", &["dragoman"]),
    ("tracing-appender", &["dragoman"]),
    ("tracing-subscriber", &["dragoman"]),
    ("clap", &["dragoman-cli"]),
    ("clap_complete", &["dragoman-cli"]),
    ("notify-rust", &["dragoman-desktop"]),
    ("tauri", &["dragoman-desktop"]),
    ("tauri-build", &["dragoman-desktop"]),
    ("tauri-plugin-updater", &["dragoman-desktop"]),
    // It comes through tauri's feature of this name: a second copy has its own event channel (ARCHITECTURE.md).
    ("tray-icon", &[]),
    ("muda", &[]),
];

/// Crates that only these may pull in, our rooms and packages from outside alike; a `*` at the end is any ending.
const WRAPPERS: &[(&str, &[&str])] = &[
    ("reqwest", &["dragoman-upstream", "dragoman-mcp", "rmcp", "tauri", "tauri-*", TESTS]),
    ("keyring-core", &["dragoman-upstream", "*-keyring-store"]),
    ("tauri", &["dragoman-desktop", "tauri-*"]),
    ("tray-icon", &["tauri", "tauri-*"]),
];

/// Nowhere in the tree: a second TLS or a C build with cmake.
const BANNED: &[&str] =
    &["aws-lc-rs", "aws-lc-sys", "aws-lc-fips-sys", "cmake", "native-tls", "openssl", "openssl-sys"];

/// One version each: they are big, or share types or global state between us and tauri.
const ONCE: &[&str] = &[
    "axum",
    "http",
    "hyper",
    "keyring-core",
    "muda",
    "reqwest",
    "rustls",
    "serde_json",
    "tauri",
    "tokio",
    "tower-http",
    "tray-icon",
    "zbus",
];

/// What the headless program and the tests must not be linked with.
const DESKTOP: &[&str] =
    &["dragoman-desktop", "gtk", "muda", "tao", "tauri", "tray-icon", "webkit2gtk", "wry"];

const HEADLESS: &[&str] =
    &["dragoman-protocol", "dragoman-upstream", "dragoman-proxy", "dragoman", "dragoman-cli", TESTS];

// === Checks ===

fn walls(metadata: &Metadata) -> Vec<String> {
    let mut violations = Vec::new();
    for package in metadata.members() {
        let Some(room) = ROOMS.iter().find(|room| room.package == package.name) else {
            violations.push(format!("{} is no room of the table", package.name));
            continue;
        };
        for dependency in direct(package) {
            let is_room = ROOMS.iter().any(|room| room.package == dependency);
            if is_room && !room.uses.contains(&dependency) {
                violations.push(format!("{} must not use {dependency}", package.name));
            }
        }
    }
    violations
}

fn homes(metadata: &Metadata) -> Vec<String> {
    let mut violations = Vec::new();
    for package in metadata.members().filter(|package| package.name != TESTS) {
        for dependency in direct(package) {
            let home = HOMES.iter().find(|(name, _)| *name == dependency);
            if home.is_some_and(|(_, rooms)| !rooms.contains(&package.name.as_str())) {
                violations.push(format!("{} must not depend on {dependency}", package.name));
            }
            let known = PROTOCOL.contains(&dependency);
            if package.name == "dragoman-protocol" && !known {
                violations
                    .push(format!("dragoman-protocol depends on {dependency}, which is not on its list"));
            }
        }
    }
    violations
}

fn linked(metadata: &Metadata) -> Vec<String> {
    let mut violations = Vec::new();
    let pure = [("dragoman-protocol", IMPURE)];
    for (room, forbidden) in HEADLESS.iter().map(|room| (*room, DESKTOP)).chain(pure) {
        let linked = metadata.linked(room);
        let found = forbidden.iter().filter(|name| linked.contains(*name));
        violations.extend(found.map(|name| format!("{room} is linked with {name}")));
    }
    violations
}

fn wrappers(metadata: &Metadata) -> Vec<String> {
    let mut violations = Vec::new();
    for (name, allowed) in WRAPPERS {
        let strangers =
            metadata.dependents(name).into_iter().filter(|who| !allowed.iter().any(|rule| fits(rule, who)));
        violations.extend(strangers.map(|who| format!("{who} pulls in {name}")));
    }
    violations
}

fn bans(metadata: &Metadata) -> Vec<String> {
    let banned = BANNED.iter().filter(|name| !metadata.versions(name).is_empty());
    let twice = ONCE.iter().filter(|name| metadata.versions(name).len() > 1);
    banned
        .map(|name| format!("{name} is in the tree, through {:?}", metadata.dependents(name)))
        .chain(
            twice.map(|name| {
                format!("{name} is there more than once: {}", metadata.versions(name).join(", "))
            }),
        )
        .collect()
}

/// What the manifest names for a build; dev-dependencies are the tests' business.
fn direct(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != Some(Kind::Dev))
        .map(|dependency| dependency.name.as_str())
}

fn fits(rule: &str, name: &str) -> bool {
    match (rule.strip_suffix('*'), rule.strip_prefix('*')) {
        (Some(start), _) => name.starts_with(start),
        (_, Some(end)) => name.ends_with(end),
        (None, None) => rule == name,
    }
}

// === As it is ===

#[test]
fn every_room_uses_only_the_rooms_behind_it() {
    expect_none(&walls(Metadata::read()));
}

#[test]
fn every_crate_is_named_only_in_its_home() {
    expect_none(&homes(Metadata::read()));
}

#[test]
fn protocol_is_linked_pure_and_the_headless_part_without_a_desktop() {
    expect_none(&linked(Metadata::read()));
}

#[test]
fn the_network_and_the_keyring_are_reached_through_one_room() {
    expect_none(&wrappers(Metadata::read()));
}

#[test]
fn nothing_banned_and_nothing_big_twice_is_in_the_tree() {
    expect_none(&bans(Metadata::read()));
}

#[test]
fn every_row_of_the_table_is_a_package() {
    let missing: Vec<String> = ROOMS
        .iter()
        .filter(|room| !Metadata::read().members().any(|package| package.name == room.package))
        .map(|room| format!("{} is in the table and not in the workspace", room.package))
        .collect();
    expect_none(&missing);
}

// === Planted ===

#[test]
fn a_way_back_through_the_house_is_found() {
    let planted = Metadata::read().with_dependency("dragoman-protocol", "dragoman-upstream");
    assert!(walls(&planted).contains(&"dragoman-protocol must not use dragoman-upstream".to_owned()));
    let planted = Metadata::read().with_dependency("dragoman-cli", "dragoman-proxy");
    assert_eq!(walls(&planted), ["dragoman-cli must not use dragoman-proxy"]);
}

#[test]
fn a_room_without_a_row_is_found() {
    let mut planted = Metadata::read().clone();
    let id = planted.with_package("dragoman-cellar");
    planted.workspace_members.push(id);
    assert_eq!(walls(&planted), ["dragoman-cellar is no room of the table"]);
}

#[test]
fn a_crate_outside_its_home_is_found() {
    let planted = Metadata::read().with_dependency("dragoman-proxy", "reqwest");
    assert_eq!(homes(&planted), ["dragoman-proxy must not depend on reqwest"]);
    assert_eq!(wrappers(&planted), ["dragoman-proxy pulls in reqwest"]);
    let planted = Metadata::read().with_dependency("dragoman-protocol", "bytes");
    assert_eq!(homes(&planted), ["dragoman-protocol depends on bytes, which is not on its list"]);
}

#[test]
fn an_impure_detour_is_found() {
    let planted = Metadata::read().with_dependency("tiktoken", "tracing");
    assert_eq!(linked(&planted), ["dragoman-protocol is linked with tracing"]);
    let planted = Metadata::read().with_dependency("dragoman-proxy", "wry");
    assert!(linked(&planted).contains(&"dragoman-cli is linked with wry".to_owned()));
}

#[test]
fn a_stranger_with_a_keyring_is_found() {
    let planted = Metadata::read().with_dependency("axum", "keyring-core");
    assert_eq!(wrappers(&planted), ["axum pulls in keyring-core"]);
}

#[test]
fn a_banned_crate_and_a_second_copy_are_found() {
    let planted = Metadata::read().with_dependency("reqwest", "native-tls");
    assert_eq!(bans(&planted).len(), 1);
    let mut planted = Metadata::read().clone();
    planted.with_package("hyper");
    assert_eq!(bans(&planted).len(), 1);
}

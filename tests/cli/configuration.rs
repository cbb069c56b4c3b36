//! What a wrong setting does: one sentence with file, line and key, exit code 1, nothing started.

use support::Launch;
use support::fake::FakeChatGpt;

use crate::run;

#[test]
fn a_wrong_value_names_file_line_and_key() {
    let fake = FakeChatGpt::start();
    for (text, line, key) in [
        ("# mine\n[server]\nlisten = \"nowhere\"\n", 3, "server.listen"),
        ("[server]\nbody_limit_mb = 0\n", 2, "server.body_limit_mb"),
        ("[server]\n\n\nbody_limit_mb = \"much\"\n", 4, "server.body_limit_mb"),
        ("[upstream]\ncompression = \"maybe\"\n", 2, "upstream.compression"),
        ("[log]\nlevel = 3\n", 2, "log.level"),
        ("[models]\neffort = \"extreme\"\n", 2, "models.effort"),
        ("[accounts]\ntoken_store = \"pocket\"\n", 2, "accounts.token_store"),
    ] {
        let launch = Launch::beside(&fake).config(text);
        // The environment would win over the file.
        let launch = launch.env("DRAGOMAN_TOKEN_STORE", "").env("DRAGOMAN_CHATGPT_URL", "");
        for arguments in [&["serve", "--admin-listen", "off"][..], &["status"], &["env"]] {
            let arguments = if key == "server.listen" { &["serve"][..] } else { arguments };
            let done = run(&launch, arguments);
            assert_eq!(done.code, Some(1), "{text}: {}", done.err);
            let file = launch.path().join("dragoman/config/config.toml");
            let place = format!("{}:{line}", file.display());
            let named = done.err.contains(&place)
                || (done.err.contains(&file.display().to_string())
                    && done.err.contains(&format!("line {line}")));
            assert!(named, "{text}: {place} is not in {}", done.err);
            assert!(done.err.contains(key), "{text}: {key} is not in {}", done.err);
            assert_eq!(done.err.trim().lines().count(), 1, "{}", done.err);
        }
    }
}

#[test]
fn broken_toml_names_file_and_line() {
    let fake = FakeChatGpt::start();
    let launch = Launch::beside(&fake).config("[server]\nlisten = \n");
    let done = run(&launch, &["serve", "--admin-listen", "off"]);
    assert_eq!(done.code, Some(1), "{}", done.err);
    assert!(done.err.contains("config.toml") && done.err.contains('2'), "{}", done.err);
}

#[test]
fn a_wrong_variable_is_named() {
    let fake = FakeChatGpt::start();
    for (name, value) in [
        ("DRAGOMAN_LISTEN", "nowhere"),
        ("DRAGOMAN_CHATGPT_URL", "not a url"),
        ("DRAGOMAN_TOKEN_STORE", "pocket"),
        ("DRAGOMAN_UPSTREAM_COMPRESSION", "maybe"),
    ] {
        let launch = Launch::beside(&fake).env(name, value);
        let done = run(&launch, &["env"]);
        assert_eq!(done.code, Some(1), "{name}: {} {}", done.out, done.err);
        assert!(done.err.contains(name), "{name}: {}", done.err);
    }
}

/// A key of a newer version is no error, only worth a word.
#[test]
fn an_unknown_key_is_a_hint() {
    let fake = FakeChatGpt::start();
    let launch = Launch::beside(&fake).config("[models]\nopsu = \"gpt-5.5\"\n[from_the_future]\nx = 1\n");
    let done = run(&launch, &["status", "--json"]);
    assert_eq!(done.code, Some(4), "{}", done.err);
    let hints = done.json()["hints"].to_string();
    assert!(hints.contains("opsu") && hints.contains("opus"), "{hints}");
}

#[test]
fn an_address_for_other_machines_needs_consent() {
    let fake = FakeChatGpt::start();
    let launch = Launch::beside(&fake);
    let done = run(&launch, &["serve", "--listen", "0.0.0.0:0", "--admin-listen", "off"]);
    assert_eq!(done.code, Some(1), "{} {}", done.out, done.err);
    assert!(done.err.contains("allow_remote"), "{}", done.err);
}

//! Signing in and out with the real program, as a person or a script does it: the browser is a client that follows
//! redirects, the issuer is the fake's, the Codex CLI is the real one or a stub.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod api_key;
mod browser;
mod cancel;
mod codex;
mod device;
mod import;
mod manual;
mod out;
mod terminal;
mod trouble;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::fake::FakeChatGpt;
use support::{Launch, Running};

/// Without a login, and with a `bin` directory first on PATH whose programs stand in for those of the system.
fn launch(fake: &FakeChatGpt) -> Launch {
    let launch = Launch::signed_out(fake);
    let bin = launch.path().join("bin");
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    let launch = launch.env("PATH", &path);
    // The opener of a desktop: it leaves the address for the test.
    program(&launch, "xdg-open", "printf %s \"$1\" > \"$HOME/opened\"");
    launch
}

/// Puts a program onto PATH.
fn program(launch: &Launch, name: &str, script: &str) -> PathBuf {
    let bin = launch.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let path = bin.join(name);
    // Renamed into place: a file that is open for writing can't be run, and other tests fork meanwhile.
    let new = bin.join(format!(".{name}"));
    std::fs::write(&new, format!("#!/bin/sh\n{script}\n")).unwrap();
    let mut permissions = std::fs::metadata(&new).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&new, permissions).unwrap();
    std::fs::rename(&new, &path).unwrap();
    path
}

/// Runs `dragoman login --json` with these flags.
fn login(launch: &Launch, flags: &[&str]) -> Running {
    Running::start(launch, &[&["login", "--json"], flags].concat())
}

/// The address that the opener was given.
async fn opened(launch: &Launch) -> String {
    let path = launch.path().join("user/opened");
    for _ in 0..500 {
        if let Ok(url) = std::fs::read_to_string(&path)
            && !url.is_empty()
        {
            std::fs::remove_file(&path).unwrap();
            return url;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("no browser was opened");
}

/// Waits for the failure and its code; the program must end with 1 and say nothing secret.
async fn failure(mut running: Running, code: &str) -> String {
    let failed = running.step("failed").await;
    assert_eq!(failed["code"], code, "{failed}");
    let (status, said) = running.end().await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert_no_secret(&said);
    failed["message"].as_str().unwrap().to_owned()
}

/// Waits for success.
async fn success(mut running: Running) -> (Value, String) {
    let done = running.step("done").await;
    let (status, said) = running.end().await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert_no_secret(&said);
    (done, said)
}

/// Nothing that opens an account: the parts that all fabricated tokens, codes and keys have.
#[track_caller]
fn assert_no_secret(text: &str) {
    for secret in
        ["rt_canary_", "ac_canary_", "eyJ", "sk-canary", "bm90IGEgc2lnbmF0dXJl", "verifier-of-the-server"]
    {
        assert!(!text.contains(secret), "{secret} in: {text}");
    }
}

/// The accounts in the list, by their kinds; empty if there is no list.
fn accounts(launch: &Launch) -> Vec<String> {
    let path = launch.path().join("dragoman/state/accounts.json");
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    assert_no_secret(&text);
    let list: Value = serde_json::from_str(&text).unwrap();
    list["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// The text of the files in which tokens are kept.
fn kept(launch: &Launch) -> String {
    let files = support::files_below(&launch.path().join("dragoman/state/tokens"));
    files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// The tokens of the only own login.
fn tokens(launch: &Launch) -> Value {
    serde_json::from_str(&kept(launch)).unwrap()
}

/// Looks for secrets in every file but those that are there for them.
#[track_caller]
fn assert_files_clean(home: &Path) {
    for path in support::files_below(home) {
        let for_secrets =
            path.to_string_lossy().contains("/state/tokens/") || path.ends_with("codex/auth.json");
        if !for_secrets {
            assert_no_secret(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
}

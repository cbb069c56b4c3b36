//! Several accounts on the way of a request. Logins that must not be lost: by a killed process, by two processes, by the Codex CLI beside us, by a keyring that is
//! locked or away; and tokens that must not be seen.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod beside;
mod keyring;
mod kills;
mod secrets;
mod sharing;

use std::path::{Path, PathBuf};
use std::process::Output;

use support::{Credentials, Launch};

/// Puts a login of Dragoman's own into the state directory, as a process that ended left it; answers its id.
fn own_login(home: &Path, login: &Credentials, place: usize) -> String {
    let id = format!("{:08x}", 0x00c0_ffee + place);
    let state = home.join("dragoman/state");
    std::fs::create_dir_all(state.join("tokens")).unwrap();
    let list = state.join("accounts.json");
    let mut index: serde_json::Value = std::fs::read(&list)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_else(|| serde_json::json!({ "accounts": [] }));
    let accounts = index["accounts"].as_array_mut().unwrap();
    accounts.retain(|account| account["id"] != id.as_str());
    accounts.push(serde_json::json!({ "id": id, "kind": "own", "label": support::EMAIL, "revision": place }));
    std::fs::write(list, index.to_string()).unwrap();
    let tokens = serde_json::json!({ "id_token": login.id_token, "access_token": login.access_token,
        "refresh_token": login.refresh_token, "account_id": login.account });
    std::fs::write(state.join(format!("tokens/{id}.json")), tokens.to_string()).unwrap();
    id
}

/// Runs a command to its end.
fn run(launch: &Launch, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = launch.command().args(arguments).output().unwrap();
    let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(!said.contains("panicked"), "{said}");
    (status.code(), said)
}

/// The directory of the programs that `make setup-tests` installs with npm.
fn clients() -> PathBuf {
    support::workspace().join("target/tools/clients/node_modules/.bin")
}

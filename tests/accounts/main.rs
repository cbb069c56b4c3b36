//! Several accounts on the way of a request. Logins that must not be lost: by a killed process, by two processes, by the Codex CLI beside us, by a keyring that is
//! locked or away; and tokens that must not be seen.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod beside;
mod keyring;
mod kills;
mod secrets;
mod sharing;

use std::path::PathBuf;
use std::process::Output;

use support::{Launch, own_login};

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

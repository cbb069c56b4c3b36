//! The system's keyring as people have it: unlocked, locked, not there. Each on a session bus of its own.
#![cfg(target_os = "linux")]

use std::process::Command;

use support::Launch;
use support::fake::{FakeChatGpt, Rule};

use crate::*;

const KEY: &str = "sk-canary-0123456789keyring";

/// Runs a script on a private bus, in which `dragoman` keeps its logins in the keyring.
fn on_a_bus(launch: &Launch, keyring: &str, script: &str) -> (Option<i32>, String) {
    bus(launch, &[], &format!("{keyring}\n{script}"))
}

/// The same on a bus on which nothing offers a keyring.
fn on_a_bare_bus(launch: &Launch, script: &str) -> (Option<i32>, String) {
    let configuration = launch.path().join("bus.conf");
    let text = "<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>\
        <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
        <allow own=\"*\"/></policy></busconfig>";
    std::fs::write(&configuration, text).unwrap();
    bus(launch, &[&format!("--config-file={}", configuration.display())], script)
}

fn bus(launch: &Launch, arguments: &[&str], script: &str) -> (Option<i32>, String) {
    let dragoman = launch.command();
    let mut command = Command::new("dbus-run-session");
    let home = launch.path().join("user");
    let run = launch.path().join("run");
    std::fs::create_dir_all(&run).unwrap();
    command.env_clear();
    for (name, value) in dragoman.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
        .env("DRAGOMAN_TOKEN_STORE", "keyring")
        .env("XDG_RUNTIME_DIR", &run)
        .env("XDG_DATA_HOME", home.join("data"));
    command.env("dragoman", dragoman.get_program()).env("KEY", KEY).env("codex", clients().join("codex"));
    // Without a display a password window can't open: asking fails instead.
    command.args(arguments).args(["--", "bash", "-c", script]).current_dir(launch.path());
    let output = command.output().expect("dbus-run-session; `make setup-tests` installs it");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    for secret in [KEY, "rt_canary_", "eyJ"] {
        assert!(!said.contains(secret), "{secret} was said: {said}");
    }
    (output.status.code(), said)
}

const UNLOCKED: &str = "printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1";

fn launch(fake: &FakeChatGpt) -> Launch {
    fake.accept_key(KEY);
    Launch::signed_out(fake)
}

fn files_with_the_key(launch: &Launch) -> Vec<std::path::PathBuf> {
    let holds = |path: &std::path::PathBuf| {
        std::fs::read(path).is_ok_and(|text| text.windows(KEY.len()).any(|part| part == KEY.as_bytes()))
    };
    support::files_below(launch.path()).into_iter().filter(holds).collect()
}

#[test]
fn a_login_goes_into_the_keyring_moves_to_a_file_and_back() {
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let list = "\"$dragoman\" accounts list --json || exit 9";
    let (code, said) = on_a_bus(
        &launch,
        UNLOCKED,
        &format!(
            "printf %s \"$KEY\" | \"$dragoman\" login --api-key || exit 8
             {list}; [ ! -e dragoman/state/tokens ] || exit 7
             export DRAGOMAN_TOKEN_STORE=file; {list}
             grep -q \"$KEY\" dragoman/state/tokens/*.json || exit 6
             secret-tool search --all service Dragoman 2>&1 | grep -q secret && exit 5
             export DRAGOMAN_TOKEN_STORE=keyring; {list}
             ls dragoman/state/tokens/*.json 2>/dev/null && exit 4
             secret-tool search --all service Dragoman 2>&1 | grep -q secret || exit 3
             \"$dragoman\" accounts remove 1 || exit 2
             secret-tool search --all service Dragoman 2>&1 | grep -q secret && exit 1
             exit 0"
        ),
    );
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(files_with_the_key(&launch), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_locked_keyring_is_not_a_missing_login() {
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let (code, said) =
        on_a_bus(&launch, UNLOCKED, "printf %s \"$KEY\" | \"$dragoman\" login --api-key || exit 8");
    assert_eq!(code, Some(0), "{said}");
    // Another session: the keyring is started when it is asked for, and nobody unlocks it.
    let (_, said) = on_a_bus(&launch, "", "\"$dragoman\" accounts list; \"$dragoman\" accounts test 1");
    assert!(said.contains("the system's keyring is locked; unlock it and try again"), "{said}");
    assert!(!said.contains("sign in again") && !said.contains("There is no account"), "{said}");
    // Unlocked again, it is there as it was.
    let (code, said) = on_a_bus(&launch, UNLOCKED, "\"$dragoman\" accounts list");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ready"), "{said}");
}

/// A Codex CLI that keeps its login in the keyring, and the entry as Codex CLI 0.169 makes it (measured).
fn codex_in_the_keyring(launch: &Launch, login: &support::Credentials) -> String {
    let home = launch.path().join("codex");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join("config.toml"), "cli_auth_credentials_store = \"keyring\"\n").unwrap();
    let text: serde_json::Value = serde_json::from_str(&login.auth_json()).unwrap();
    std::fs::write(launch.path().join("entry.json"), text.to_string()).unwrap();
    let home = std::fs::canonicalize(home).unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(home.to_string_lossy().as_bytes());
    let start: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("service 'Codex Auth' username 'cli|{start}' target default application rust-keyring")
}

#[test]
fn the_codex_clis_login_in_the_keyring_is_linked_renewed_there_and_still_the_codex_clis() {
    assert!(clients().join("codex").exists(), "the Codex CLI is missing; `make setup-tests` installs it");
    let fake = FakeChatGpt::start();
    fake.script([Rule::any("a").always().text("ready")]);
    let launch = Launch::signed_out(&fake);
    let login = fake.sign_in_for(60);
    let entry = codex_in_the_keyring(&launch, &login);
    let (code, said) = on_a_bus(
        &launch,
        UNLOCKED,
        &format!(
            "\"$dragoman\" accounts list && exit 10 # a keyring is not asked for a login that nobody wanted
             \"$dragoman\" login --import=linked && exit 9
             secret-tool store --label=codex {entry} < entry.json || exit 8
             rm entry.json
             \"$codex\" login status || exit 7
             \"$dragoman\" login --import=linked || exit 6
             \"$dragoman\" accounts test 1 || exit 5
             [ ! -e codex/auth.json ] || exit 4
             secret-tool lookup {entry} > after.json
             \"$codex\" login status || exit 3
             \"$dragoman\" login --import=own --device || exit 2
             \"$dragoman\" logout 1 --codex-too || exit 1
             secret-tool lookup {entry} && exit 11
             \"$dragoman\" accounts list"
        ),
    );
    assert_eq!(code, Some(0), "{said} {}", fake.story());
    assert!(said.contains(&format!("signed in as {}", support::EMAIL)), "{said}");
    assert_eq!(said.matches("Logged in using ChatGPT").count(), 2, "{said}");
    assert!(said.contains("cli_auth_credentials_store = \"file\""), "what to do without an entry: {said}");
    let renewals =
        fake.refreshes().iter().filter(|request| request.body["grant_type"] == "refresh_token").count();
    assert_eq!(renewals, 1, "{}", fake.story());
    let after: serde_json::Value =
        serde_json::from_slice(&std::fs::read(launch.path().join("after.json")).unwrap()).unwrap();
    assert_ne!(after["tokens"]["refresh_token"], login.refresh_token.as_str());
    assert_eq!(after["a_key_of_a_newer_codex"]["kept"], true);
}

#[test]
fn a_codex_login_in_a_keyring_that_is_locked_or_away_is_told_apart() {
    let fake = FakeChatGpt::start();
    fake.script([Rule::any("a").always().text("ready")]);
    let launch = Launch::signed_out(&fake);
    let entry = codex_in_the_keyring(&launch, &fake.sign_in());
    let (code, said) = on_a_bus(
        &launch,
        UNLOCKED,
        &format!(
            "secret-tool store --label=codex {entry} < entry.json || exit 8
             rm entry.json
             \"$dragoman\" login --import=linked || exit 7
             \"$dragoman\" accounts test 1"
        ),
    );
    assert_eq!(code, Some(0), "{said}");
    const SCRIPT: &str = "\"$dragoman\" accounts list; \"$dragoman\" accounts test 1 && exit 9
        \"$dragoman\" login --import=linked && exit 8; exit 0";
    for (words, (code, said)) in [
        ("is locked; unlock it", on_a_bus(&launch, "", SCRIPT)),
        ("there is no usable one here", on_a_bare_bus(&launch, SCRIPT)),
    ] {
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.matches(words).count(), 3, "{words}: {said}");
        assert!(!said.contains("sign in again") && !said.contains("signed out"), "{said}");
    }
}

#[test]
fn on_a_bus_without_a_keyring_the_way_to_files_is_told_and_not_taken() {
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let (code, said) =
        on_a_bare_bus(&launch, "printf %s \"$KEY\" | \"$dragoman\" login --api-key && exit 9; exit 0");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("no usable system keyring") && said.contains("DRAGOMAN_TOKEN_STORE=file"),
        "{said}"
    );
    assert_eq!(files_with_the_key(&launch), Vec::<std::path::PathBuf>::new());
}

#[test]
fn without_a_keyring_nothing_is_kept_in_a_file_behind_the_users_back() {
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let mut command = launch.command();
    command.env("DRAGOMAN_TOKEN_STORE", "keyring").args(["login", "--api-key"]);
    command.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut output = command.spawn().unwrap();
    std::io::Write::write_all(&mut output.stdin.take().unwrap(), KEY.as_bytes()).unwrap();
    let output = output.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("DRAGOMAN_TOKEN_STORE=file"), "{said}");
    assert_eq!(files_with_the_key(&launch), Vec::<std::path::PathBuf>::new());

    // Whoever chooses files is told so.
    let mut login = launch.command();
    login
        .args(["login", "--api-key"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null());
    let mut login = login.spawn().unwrap();
    std::io::Write::write_all(&mut login.stdin.take().unwrap(), KEY.as_bytes()).unwrap();
    assert!(login.wait().unwrap().success());
    let (_, said) = run(&launch, &["status"]);
    assert!(said.contains("Logins are kept in files"), "{said}");
}

//! The system's keyring as people have it: unlocked, locked, not there. Each on a session bus of its own.
#![cfg(target_os = "linux")]

use std::process::Command;

use support::Launch;
use support::fake::FakeChatGpt;

use crate::*;

const KEY: &str = "sk-canary-0123456789keyring";

/// Runs a script on a private bus, in which `dragoman` keeps its logins in the keyring.
fn on_a_bus(launch: &Launch, keyring: &str, script: &str) -> (Option<i32>, String) {
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
    command.env("dragoman", dragoman.get_program()).env("KEY", KEY);
    // Without a display a password window can't open: asking fails instead.
    command.args(["--", "bash", "-c", &format!("{keyring}\n{script}")]).current_dir(launch.path());
    let output = command.output().expect("dbus-run-session; `make setup-tests` installs it");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(!said.contains(KEY), "the key was said: {said}");
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
    assert!(said.contains("locked"), "{said}");
    assert!(!said.contains("sign in again") && !said.contains("There is no account"), "{said}");
    // Unlocked again, it is there as it was.
    let (code, said) = on_a_bus(&launch, UNLOCKED, "\"$dragoman\" accounts list");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ready"), "{said}");
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

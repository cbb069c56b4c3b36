//! The settings file as `dragoman connect` and `dragoman disconnect` leave it.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use serde_json::json;
use support::TOKEN;

use crate::{User, read};

const OLD: &str = "\u{feff}{\r\n    \"permissions\": { \"allow\": [\"Bash(ls:*)\"] },\r\n    \"env\": {\r\n        \"EDITOR\": \"vi\",\r\n        \"ANTHROPIC_BASE_URL\": \"https:\\/\\/gateway.example\"\r\n    },\r\n    \"model\": \"opus\"\r\n}\r\n";

#[test]
fn connecting_writes_the_keys_and_undoing_gives_the_old_bytes() {
    let user = User::new();
    user.file(".claude/settings.json", OLD);
    let report = user.run(&["connect", "--json"]).good().json();
    assert_eq!(user.run(&["status", "--json"]).json()["claude_code"]["state"], "connected");
    let text = read(&user.settings()).unwrap();
    let says: serde_json::Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap();
    assert_eq!(says["env"]["ANTHROPIC_BASE_URL"], "http://127.0.0.1:3999");
    assert_eq!(says["env"]["ANTHROPIC_AUTH_TOKEN"], TOKEN);
    assert_eq!(says["env"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"], "258400");
    assert_eq!(says["env"]["CLAUDE_CODE_AUTO_COMPACT_WINDOW"], "258400");
    assert_eq!(says["env"]["ANTHROPIC_DEFAULT_OPUS_MODEL_NAME"], "GPT-6.1-Sol");
    assert_eq!((&says["env"]["EDITOR"], &says["model"]), (&json!("vi"), &json!("opus")));
    assert!(says["env"].get("ANTHROPIC_API_KEY").is_none() && says.get("disableAutoMode").is_none());
    let rows = says["modelPicker"]["options"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["model"] == "gpt-5.5" && row["label"] == "GPT-5.5"), "{rows:?}");
    assert!(
        text.starts_with("\u{feff}{\r\n    \"permissions\": { \"allow\": [\"Bash(ls:*)\"] },\r\n"),
        "{text}"
    );
    assert!(!text.replace("\r\n", "").contains('\n'), "line ends are mixed");
    let change =
        report["changes"].as_array().unwrap().iter().find(|change| change["key"] == "env.ANTHROPIC_BASE_URL");
    assert_eq!(change.unwrap()["what"], "replaced");
    assert_eq!(read(report["backup"].as_str().unwrap().as_ref()).as_deref(), Some(OLD));
    assert!(!report.to_string().contains(TOKEN), "the token is not told");

    user.run(&["disconnect"]).good();
    assert_eq!(read(&user.settings()).as_deref(), Some(OLD));
    assert!(user.run(&["disconnect"]).good().out.contains("has written nothing"));
}

#[test]
fn a_dry_run_writes_nothing() {
    let user = User::new();
    user.file(".claude/settings.json", "{}");
    let done = user.run(&["connect", "--dry-run", "--disable-auto-mode"]).good();
    for words in ["would be connected", "ANTHROPIC_BASE_URL", "disableAutoMode", "judge each risky action"] {
        assert!(done.out.contains(words), "{words}: {}", done.out);
    }
    assert!(!done.out.contains(TOKEN), "{}", done.out);
    assert_eq!(read(&user.settings()).as_deref(), Some("{}"));
    assert!(user.run(&["disconnect"]).good().out.contains("has written nothing"));
}

#[test]
fn what_the_user_changed_since_stays_and_is_told() {
    let user = User::new();
    user.run(&["connect", "--disable-auto-mode"]).good();
    let text = read(&user.settings()).unwrap();
    std::fs::write(user.settings(), text.replace("\"258400\"", "\"100000\"")).unwrap();
    let done = user.run(&["disconnect"]).good();
    assert!(done.out.contains("left alone") && done.out.contains("stays as it is"), "{}", done.out);
    let says: serde_json::Value = serde_json::from_str(&read(&user.settings()).unwrap()).unwrap();
    let mine =
        json!({ "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "100000", "CLAUDE_CODE_AUTO_COMPACT_WINDOW": "100000" });
    assert_eq!(says, json!({ "env": mine }));
}

#[test]
fn a_project_is_set_up_for_itself() {
    let user = User::new();
    let done = user.run(&["connect", "--project"]).good();
    assert!(done.out.contains("version control"), "{}", done.out);
    let file = user.home().join(".claude/settings.local.json");
    let says: serde_json::Value = serde_json::from_str(&read(&file).unwrap()).unwrap();
    assert_eq!(says["env"]["ANTHROPIC_AUTH_TOKEN"], TOKEN);
    assert!(says.get("modelPicker").is_none(), "Claude Code does not read it there");
    assert_eq!(read(&user.settings()), None);
    assert_eq!(user.run(&["disconnect"]).good().out.lines().count(), 1, "the user's is another file");
    user.run(&["disconnect", "--project"]).good();
    assert!(!file.exists() && !file.parent().unwrap().exists(), "as before");
}

#[test]
fn claude_config_dir_is_honoured() {
    let user = User::new();
    let elsewhere = user.home().join("elsewhere");
    let output = user.command(&["connect"]).env("CLAUDE_CONFIG_DIR", &elsewhere).output().unwrap();
    assert!(output.status.success());
    assert!(elsewhere.join("settings.json").exists() && read(&user.settings()).is_none());
}

#[test]
fn a_file_that_can_t_be_edited_is_refused_and_stays() {
    let user = User::new();
    let broken = "{\n  // mine\n  \"env\": {}\n}";
    user.file(".claude/settings.json", broken);
    let done = user.run(&["connect"]);
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert!(done.err.contains("settings.json, line 2, column 3"), "{}", done.err);
    assert_eq!(read(&user.settings()).as_deref(), Some(broken));
}

#[test]
fn without_a_port_there_is_nothing_to_write() {
    let user = User { launch: User::new().launch.env("DRAGOMAN_LISTEN", "127.0.0.1:0") };
    let done = user.run(&["connect"]);
    assert_eq!(done.code, Some(4), "{}", done.err);
    assert_eq!(read(&user.settings()), None);
}

/// The real program, killed after any time while it connects or disconnects: the file is always whole.
#[test]
fn kill_at_any_moment_leaves_the_old_or_the_new_file() {
    let user = User::new();
    user.file(".claude/settings.json", OLD);
    user.run(&["connect"]).good();
    let new = read(&user.settings()).unwrap();
    user.run(&["disconnect"]).good();
    let begun = std::time::Instant::now();
    user.run(&["connect"]).good();
    let whole = begun.elapsed();
    let (mut killed, mut seen_old, mut seen_new) = (0, 0, 0);
    for round in 0..40_u32 {
        let verb = if round % 2 == 0 { "disconnect" } else { "connect" };
        let mut child = user.command(&[verb]).stdout(std::process::Stdio::null()).spawn().unwrap();
        // Spread over the run, most of them towards its end, where the writing is.
        let share = f64::from(round % 20 + 1) / 20.0;
        std::thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * share.sqrt() * 1.1));
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().signal() == Some(9));
        match read(&user.settings()).as_deref() {
            Some(text) if text == OLD => seen_old += 1,
            Some(text) if text == new => seen_new += 1,
            text => panic!("round {round}: {text:?}"),
        }
    }
    assert!(killed > 5 && seen_old > 0 && seen_new > 0, "{killed} killed, {seen_old} old, {seen_new} new");
    user.run(&["connect"]).good();
    assert_eq!(read(&user.settings()).as_deref(), Some(new.as_str()));
    user.run(&["disconnect"]).good();
    assert_eq!(read(&user.settings()).as_deref(), Some(OLD));
}

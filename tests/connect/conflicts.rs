//! What stands in the way is told with file and line.

use crate::User;

#[test]
fn conflicts_are_told_with_file_and_line() {
    let user = User::new();
    let rc = user.file(".bashrc", "# start\nexport ANTHROPIC_API_KEY=sk-canary\n");
    let project = user.file(
        ".claude/settings.local.json",
        "{\n \"env\": {\n  \"ANTHROPIC_BASE_URL\": \"https://x\"\n }\n}",
    );
    user.file(".claude/.credentials.json", "{\"claudeAiOauth\": \"canary\"}");
    let output =
        user.command(&["connect", "--dry-run"]).env("CLAUDE_CODE_USE_BEDROCK", "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for words in [
        format!("Mind: ANTHROPIC_API_KEY is set in {}, line 2.", rc.display()),
        format!("In the way: ANTHROPIC_BASE_URL is set in {}, line 3.", project.display()),
        "In the way: CLAUDE_CODE_USE_BEDROCK is set in this program's environment.".to_owned(),
        "A claude.ai login is kept".to_owned(),
    ] {
        assert!(said.contains(&words), "{words} is not in: {said}");
    }
    assert!(!said.contains("canary"), "{said}");
}

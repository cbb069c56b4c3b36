//! The pages in a real browser: Chromium, driven by `tests/ui/suite.mjs`, looked over by axe. Once against a backend of
//! the pages' own, in states that are hard to bring about, and once against the real `dragoman serve`, as a person uses
//! it. Each check of that suite prints a line; a browser or tool that is missing fails the test and says what installs it.
//!
//! Not here: the window of the desktop program (`tests/desktop`).
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use support::fake::{FakeChatGpt, Rule};
use support::{Launch, Ports};
use tokio::process::Command;
use tokio::sync::Mutex;

/// One browser at a time: some checks look at the clock.
static ONE: Mutex<()> = Mutex::const_new(());
/// Longer than the suite takes on a slow machine.
const LIMIT: Duration = Duration::from_secs(600);

#[tokio::test]
async fn every_page_is_whole_and_readable_and_all_of_it_is_reached_by_keys() {
    let _one = ONE.lock().await;
    suite(&[]).await;
}

#[tokio::test]
async fn the_dashboard_of_the_real_program_does_what_it_says() {
    // Before the link is made: it holds for a minute.
    let (_one, _ports) = (ONE.lock().await, Ports::take().await);
    let fake = FakeChatGpt::start();
    let second = Duration::from_secs(1);
    fake.script([
        Rule::any("hello").when_user("Say hello").text("Hello from ").pause(second).text("the other side."),
        Rule::any("beside").always().when_user("ask ").text("Said beside."),
        Rule::any("test").always().text("ready"),
    ]);
    let dragoman = without_a_browser(Launch::signed_out(&fake)).admin("127.0.0.1:0").start().await;
    let output = dragoman.launch().command().args(["open", "--print"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let link = String::from_utf8(output.stdout).unwrap();
    suite(&["live", link.trim()]).await;

    let asked = |model: &str| fake.turns().iter().any(|turn| turn.body["model"] == model);
    assert!(asked("gpt-6.1-terra") && asked("gpt-5.5"), "the map in the page decided nothing");
    let settings = fs::read_to_string(dragoman.path().join("user/.claude/settings.json")).unwrap();
    // The switch was turned off and on, so the port is another one by now.
    assert!(settings.contains("\"ANTHROPIC_BASE_URL\": \"http://127.0.0.1:"), "{settings}");
    let config = fs::read_to_string(dragoman.path().join("dragoman/config/config.toml")).unwrap();
    assert!(config.contains("sonnet = \"gpt-5.5\"") && !config.contains("keep_days"), "{config}");
    let code = link.trim().rsplit('=').next().unwrap();
    assert!(!dragoman.said().contains(code), "the log holds the code of the link");
}

/// The opener of a desktop would open a browser of its own; the suite is the one who follows the address.
fn without_a_browser(launch: Launch) -> Launch {
    let bin = launch.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let opener = bin.join("xdg-open");
    fs::write(&opener, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    launch.env("PATH", &path)
}

/// Runs the suite; panics with all that it printed if a check failed.
async fn suite(arguments: &[&str]) {
    let root = support::workspace();
    let tools = root.join("target/tools/clients/node_modules");
    for tool in ["playwright-core", "axe-core"] {
        assert!(tools.join(tool).exists(), "{tool} is missing; `.ci/setup test` installs it");
    }
    let mut node = Command::new("node");
    node.arg(root.join("tests/ui/suite.mjs")).args(arguments).current_dir(root).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, node.output()).await.expect("the suite did not end");
    let output = output.expect("node starts; `.ci/setup test` installs it");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the suite ended with {}:\n{said}", output.status);
}

//! Claude Code on a real terminal, under tmux: chat, a tool, Escape while the model speaks, and on.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use support::fake::Rule;

use crate::client::{Desk, claude};

/// A tmux server of its own; dropping it ends the server and what runs in it.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn start(desk: &Desk, arguments: &[&str]) -> Self {
        let terminal = Self { socket: format!("dragoman-test-{}-{}", std::process::id(), support::random()) };
        let environment = desk.environment();
        let mut words = vec!["env".to_owned(), "-i".to_owned()];
        words.extend(environment.iter().map(|(name, value)| format!("{name}={value}")));
        words.push(claude().display().to_string());
        words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        // The shell outlives claude, so that the last screen can be read.
        let line = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let size = ["-x", "140", "-y", "50"];
        let work = desk.work().display().to_string();
        let begin = ["-f", "/dev/null", "new-session", "-d", "-s", "claude", "-c", &work];
        terminal.tmux(&[&begin[..], &size[..], &[&format!("{line}; sleep 60")]].concat());
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(arguments)
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("TERM", "xterm-256color"), ("LANG", "C.UTF-8")])
            .env("HOME", "/nonexistent")
            .output()
            .expect("tmux is installed (`make setup-tests` installs it)");
        assert!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", "claude"])
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", "-t", "claude", key]);
    }

    /// Types a line and sends it once it stands on the screen: keys that come too early are swallowed.
    async fn enter(&self, line: &str) {
        self.tmux(&["send-keys", "-t", "claude", "-l", line]);
        self.until(line).await;
        self.press("Enter");
    }

    async fn until(&self, words: &str) {
        let deadline = Instant::now() + Duration::from_secs(25);
        while !self.screen().contains(words) {
            assert!(Instant::now() < deadline, "no {words:?} on the screen:\n{}", self.screen());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let tmux =
            |arguments: &[&str]| Command::new("tmux").args(["-L", &self.socket]).args(arguments).output();
        let group = tmux(&["display-message", "-p", "-t", "claude", "#{pane_pid}"]);
        // Only this server: it has a socket of its own.
        let _ = tmux(&["kill-server"]);
        let Ok(group) = group else { return };
        let group = format!("-{}", String::from_utf8_lossy(&group.stdout).trim());
        // Claude Code takes a moment to go, and writes to its home until then.
        let deadline = Instant::now() + Duration::from_secs(5);
        let lives = || {
            Command::new("kill").args(["-s", "0", "--", &group]).output().is_ok_and(|o| o.status.success())
        };
        while group.len() > 1 && lives() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[tokio::test]
async fn tui_chat_tool_cancel() {
    let desk = Desk::open().await;
    let bash = json!({ "command": "echo tui-tool", "description": "d" });
    desk.script([
        Rule::main("tool").when_user("first thing").tool("Bash", bash),
        Rule::main("answer").when_output("tui-tool").text("TUI-ANSWER {{last_output}}"),
        Rule::main("slow")
            .when_user("second thing")
            .text(&"streaming ".repeat(300))
            .between(Duration::from_millis(60)),
        Rule::main("on").when_user("third thing").text("AFTER-CANCEL"),
        Rule::any("rest").always().text("ok"),
    ]);
    let terminal = Terminal::start(&desk, &["--permission-mode", "bypassPermissions"]);
    terminal.until("❯").await;
    terminal.enter("first thing").await;
    terminal.until("TUI-ANSWER tui-tool").await;
    terminal.enter("second thing").await;
    terminal.until("streaming streaming").await;
    terminal.press("Escape");
    terminal.until("Interrupted").await;
    desk.fake.until_gone("slow", Duration::from_secs(5)).await;
    terminal.enter("third thing").await;
    terminal.until("AFTER-CANCEL").await;
    desk.fake.only("answer");
    desk.fake.only("on");
    desk.fake.assert_content();
}

//! Setting clients up: `connect` and `disconnect` on real files, killed at any moment; the variables as real shells read
//! them; `run`; `doctor`; another client than Claude Code. Claude Code itself is in `tests/claude_code/connect.rs`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod codex;
mod conflicts;
mod doctor;
mod opencode;
mod settings;
mod shells;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::fake::FakeChatGpt;
use support::{Done, Launch};

/// A user with a Claude Code directory of their own, and no server.
struct User {
    launch: Launch,
}

impl User {
    fn new() -> Self {
        // A port on which a server could be: it is only written down.
        Self { launch: Launch::signed_out(&FakeChatGpt::start()).env("DRAGOMAN_LISTEN", "127.0.0.1:3999") }
    }

    fn home(&self) -> PathBuf {
        self.launch.path().join("user")
    }

    fn settings(&self) -> PathBuf {
        self.home().join(".claude/settings.json")
    }

    /// Lays out a file below the home.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.launch.command();
        command.args(arguments).current_dir(self.home());
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Done {
        Done::from(self.command(arguments).output().unwrap())
    }
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

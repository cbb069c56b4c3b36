//! On a terminal: `script` gives the program one, and shows what a person would see.
#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};

use support::fake::FakeChatGpt;
use support::{Launch, Ports, SOON, visit};
use tokio::sync::watch;

use crate::*;

/// A program on a terminal. Dropping it ends it.
pub(crate) struct Terminal {
    child: Child,
    input: ChildStdin,
    screen: watch::Receiver<String>,
}

impl Terminal {
    pub(crate) fn start(launch: &Launch, arguments: &str) -> Self {
        let line = format!("{} {arguments}", support::bin("dragoman").display());
        let command = launch.command();
        let mut script = Command::new("script");
        script.env_clear();
        for (name, value) in command.get_envs() {
            script.env(name, value.unwrap());
        }
        script.args(["--quiet", "--return", "--echo", "always", "--command", &line, "/dev/null"]);
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (writer, screen) = watch::channel(String::new());
        std::thread::spawn(move || {
            let mut piece = [0; 256];
            while let Ok(count @ 1..) = out.read(&mut piece) {
                writer.send_modify(|screen| screen.push_str(&String::from_utf8_lossy(&piece[..count])));
            }
        });
        Self { child, input, screen }
    }

    /// The screen, once these words are on it.
    pub(crate) async fn until(&self, words: &str) -> String {
        let mut screen = self.screen.clone();
        let waited = tokio::time::timeout(SOON, screen.wait_for(|screen| screen.contains(words))).await;
        match waited {
            Ok(Ok(screen)) => screen.clone(),
            _ => panic!("no {words:?} on the screen: {}", self.screen.borrow().as_str()),
        }
    }

    pub(crate) fn enter(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Its status and the whole screen.
    pub(crate) async fn end(mut self) -> (Option<i32>, String) {
        let mut screen = self.screen.clone();
        let ended = tokio::time::timeout(SOON, async { while screen.changed().await.is_ok() {} }).await;
        assert!(ended.is_ok(), "it does not end: {}", self.screen.borrow().as_str());
        let status = self.child.wait().unwrap();
        (status.code(), self.screen.borrow().clone())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_address_is_pasted_on_a_terminal() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let mut terminal = Terminal::start(&launch, "login --manual");
    let screen = terminal.until("press Enter").await;
    let url = screen.split_whitespace().find(|word| word.contains("/oauth/authorize")).unwrap();
    let visited = visit(url).await;
    terminal.enter("what now?");
    terminal.until("There is no sign-in code in that").await;
    terminal.enter(visited.address());
    let (status, screen) = terminal.end().await;
    assert_eq!(status, Some(0), "{screen}");
    assert!(screen.contains(&format!("Signed in as {}", support::EMAIL)), "{screen}");
    assert_eq!(accounts(&launch), ["own"]);
}

#[tokio::test]
async fn how_to_import_is_asked_on_a_terminal() {
    let fake = FakeChatGpt::start();
    for (answer, status, words, kinds) in [
        ("2", Some(0), "Linked: Dragoman uses the Codex CLI's login", &["linked"][..]),
        ("neither", Some(1), "nothing was done", &[]),
    ] {
        let launch = launch(&fake).signed_in_with(&fake.sign_in());
        let mut terminal = Terminal::start(&launch, "login --import");
        let screen = terminal.until("1 or 2?").await;
        assert!(screen.contains("(recommended)") && screen.contains("share one login"), "{screen}");
        terminal.enter(answer);
        let (ended, screen) = terminal.end().await;
        assert_eq!(ended, status, "{screen}");
        assert!(screen.contains(words), "{screen}");
        assert_eq!(accounts(&launch), kinds);
    }
    // A login of our own, by device code.
    let launch = launch(&fake).signed_in_with(&fake.sign_in());
    let mut terminal = Terminal::start(&launch, "login --import --device");
    terminal.until("1 or 2?").await;
    terminal.enter("1");
    let (status, screen) = terminal.end().await;
    assert_eq!(status, Some(0), "{screen}");
    assert!(screen.contains("type this code") && screen.contains("Signed in as"), "{screen}");
    assert_eq!(accounts(&launch), ["own"]);
}

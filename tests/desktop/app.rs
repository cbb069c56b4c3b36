//! The app under test: a home of its own, the demo backend, a free port, and ways to take parts of the desktop away.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use support::fake::FakeChatGpt;
use support::http::{Call, Whole};
use tempfile::TempDir;

/// How long anything on the desktop may take before a test gives up.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits until the claim holds.
pub(crate) async fn eventually(claim: &str, mut holds: impl AsyncFnMut() -> bool) {
    becomes(claim, async || if holds().await { Ok(()) } else { Err("nothing that tells more".to_owned()) })
        .await;
}

/// Waits until the claim holds; the error is what is seen instead.
pub(crate) async fn becomes(claim: &str, mut look: impl AsyncFnMut() -> Result<(), String>) {
    let begun = Instant::now();
    while let Err(seen) = look().await {
        assert!(begun.elapsed() < LIMIT, "after {} s still not true: {claim}; seen: {seen}", LIMIT.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks Claude's Sonnet one thing, as a client.
pub(crate) async fn ask(address: SocketAddr, text: &str) -> Whole {
    let call = Call::new(address, "POST", "/v1/messages").header("x-api-key", support::TOKEN);
    call.header("anthropic-version", "2023-06-01").json(&support::message(text)).send().await
}

/// An app about to be started.
#[derive(Debug)]
pub(crate) struct Launch {
    home: TempDir,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    own_bus: bool,
}

impl Launch {
    /// On the session's desktop, with the demo backend. Panics outside of `session.sh`.
    pub(crate) fn new() -> Self {
        assert!(
            std::env::var_os("DESKTOP_TEST_SESSION").is_some(),
            "the desktop tests need a desktop of their own: tests/desktop/session.sh cargo test …"
        );
        let home = tempfile::Builder::new().prefix("dragoman-desktop-").tempdir().unwrap();
        let launch =
            Self { home, environment: Vec::new(), arguments: vec!["--demo".to_owned()], own_bus: false };
        let below = |name: &str| launch.home.path().join(name).display().to_string();
        let (own, codex, user) = (below("dragoman"), below("codex"), below("home"));
        let (claude, data, cache) = (below("claude"), below("data"), below("cache"));
        std::fs::create_dir_all(&user).unwrap();
        launch
            .env("HOME", &user)
            .env("XDG_CONFIG_HOME", &format!("{user}/.config"))
            .env("CLAUDE_CONFIG_DIR", &claude)
            // What the page remembers (first steps, the last picture) is this test's own.
            .env("XDG_DATA_HOME", &data)
            .env("XDG_CACHE_HOME", &cache)
            .env("DRAGOMAN_HOME", &own)
            .env("CODEX_HOME", &codex)
            .env("DRAGOMAN_LISTEN", "127.0.0.1:0")
            .env("DRAGOMAN_CLIENT_TOKEN", support::TOKEN)
            .env("DRAGOMAN_TOKEN_STORE", "file")
    }

    /// The same with a scripted backend and issuer. A browser is "opened" by writing its address to `opened`.
    pub(crate) fn beside(fake: &FakeChatGpt) -> Self {
        let mut launch = Self::new();
        launch.arguments.retain(|argument| argument != "--demo");
        let bin = launch.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        let opened = launch.path().join("opened");
        let opener = format!("#!/bin/sh\nprintf %s \"$1\" > '{}'\n", opened.display());
        std::fs::write(bin.join("xdg-open"), opener).unwrap();
        std::fs::set_permissions(bin.join("xdg-open"), PermissionsExt::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        launch
            .env("PATH", &path)
            .env("DRAGOMAN_CHATGPT_URL", &fake.chatgpt_url())
            .env("DRAGOMAN_ISSUER_URL", &fake.url())
            .env("DRAGOMAN_API_URL", &fake.api_url())
            .env("HTTP_PROXY", &fake.url())
            .env("HTTPS_PROXY", &fake.url())
            .env("NO_PROXY", "127.0.0.1,localhost")
    }

    /// With a login of the Codex CLI.
    pub(crate) fn signed_in(self, fake: &FakeChatGpt) -> Self {
        support::codex_home(&self.path().join("codex"), &fake.sign_in());
        self
    }

    /// The directory below which all homes lie.
    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(key, _)| key != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds an argument.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Writes `config.toml`.
    pub(crate) fn config(self, text: &str) -> Self {
        let folder = self.home.path().join("dragoman/config");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), text).unwrap();
        self.without("DRAGOMAN_LISTEN")
    }

    /// A session bus of its own, on which no panel is: the same screen, but no tray.
    pub(crate) fn on_a_bus_without_tray(mut self) -> Self {
        self.own_bus = true;
        self
    }

    /// The loader finds these files first and refuses them, as if the library were broken or missing.
    pub(crate) fn without_indicator_library(self) -> Self {
        let folder = self.home.path().join("broken");
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["libayatana-appindicator3", "libappindicator3"] {
            for end in ["so.1", "so"] {
                std::fs::write(folder.join(format!("{name}.{end}")), "not a library").unwrap();
            }
        }
        let folder = folder.display().to_string();
        self.env("LD_LIBRARY_PATH", &folder)
    }

    fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(key, _)| key != name);
        self
    }

    /// The program with its environment and arguments.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.prepared(binary());
        command.args(&self.arguments);
        command
    }

    /// What the program is started with.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Another program with the environment that the app is to inherit.
    pub(crate) fn prepared(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = if self.own_bus {
            let mut command = Command::new("dbus-run-session");
            command.arg("--").arg(program);
            command
        } else {
            Command::new(program)
        };
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).process_group(0);
        command
    }

    /// Starts it.
    pub(crate) fn start(self) -> Running {
        let command = self.command();
        self.run(command)
    }

    /// Starts a command made by [`Launch::prepared`].
    pub(crate) fn run(self, mut command: Command) -> Running {
        let log = std::fs::File::create(self.home.path().join("log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Running { child: command.spawn().unwrap(), launch: self }
    }
}

/// Where the binary is.
pub(crate) fn binary() -> PathBuf {
    support::bin("dragoman-desktop")
}

/// A running app. Dropping it kills its process group; after a failure its output is shown.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    launch: Launch,
}

impl Running {
    /// The directory below which all homes lie.
    pub(crate) fn path(&self) -> &Path {
        self.launch.path()
    }

    /// True while it lives.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < limit, "still running after {limit:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a signal to the process itself.
    pub(crate) fn signal(&self, name: &str) {
        let done =
            Command::new("kill").args([&format!("-{name}"), "--", &self.child.id().to_string()]).status();
        assert!(done.unwrap().success());
    }

    /// The same program once more.
    pub(crate) fn again(&self) -> Command {
        self.launch.command()
    }

    /// The process of this name (its first 15 letters) that it started.
    pub(crate) fn descendant(&self, name: &str) -> Option<u32> {
        self.processes().find(|id| {
            let comm = std::fs::read_to_string(format!("/proc/{id}/comm"));
            comm.is_ok_and(|comm| comm.trim_end() == name)
        })
    }

    /// Itself and every process that it started.
    pub(crate) fn processes(&self) -> impl Iterator<Item = u32> {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.filter(|id| self.started(*id))
    }

    /// True if the process is this one or started by it.
    pub(crate) fn started(&self, process: u32) -> bool {
        let mut process = process;
        while process > 1 {
            if process == self.child.id() {
                return true;
            }
            process = parent(process).unwrap_or(0);
        }
        false
    }
}

// === windows, as the window manager knows them ===

impl Running {
    /// The titles of its windows.
    pub(crate) fn windows(&self) -> Vec<String> {
        self.list().into_iter().map(|(_, title)| title).collect()
    }

    /// Closes them all, as their close buttons would.
    pub(crate) fn close_windows(&self) {
        for (id, _) in self.list() {
            let done = Command::new("wmctrl").args(["-i", "-c", &id]).status();
            assert!(done.unwrap().success());
        }
    }

    /// Puts them out of sight.
    pub(crate) fn minimize_windows(&self) {
        for (id, _) in self.list() {
            let done = Command::new("xdotool").args(["windowminimize", "--sync", &id]).status();
            assert!(done.unwrap().success());
        }
    }

    /// Makes its one window so large.
    pub(crate) fn resize_window(&self, (width, height): (u32, u32)) {
        let (id, _) = self.list().remove(0);
        let size = [width, height].map(|side| side.to_string());
        let done = Command::new("xdotool").args(["windowsize", &id]).args(size).status();
        assert!(done.unwrap().success());
    }

    /// How large its one window is; `None` without one.
    pub(crate) fn window_size(&self) -> Option<(u32, u32)> {
        let (id, _) = self.list().pop()?;
        let output = Command::new("xdotool").args(["getwindowgeometry", "--shell", &id]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let of = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
        Some((of("WIDTH=")?, of("HEIGHT=")?))
    }

    /// True if the keyboard is with one of them.
    pub(crate) fn is_in_front(&self) -> bool {
        let output = Command::new("xdotool").arg("getactivewindow").output().unwrap();
        let active: Option<u64> = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
        let own = self.list();
        own.iter().any(|(id, _)| u64::from_str_radix(id.trim_start_matches("0x"), 16).ok() == active)
    }

    /// Ids and titles.
    fn list(&self) -> Vec<(String, String)> {
        let output = Command::new("wmctrl").args(["-l", "-p"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // id, desktop, process, host, title
        let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let own = rows.filter(|row| row[2].parse().is_ok_and(|process| self.started(process)));
        own.map(|row| (row[0].to_owned(), row[4..].join(" "))).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.launch.home.path().join("log")).unwrap_or_default();
            println!("--- what the app said\n{log}---");
        }
    }
}

fn parent(process: u32) -> Option<u32> {
    let status = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

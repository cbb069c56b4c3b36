//! Claude Code as a program: where it is, the desk it works at, one run of it and what came of that.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::fake::{FakeChatGpt, Rule};
use support::{Dragoman, Launch, TOKEN};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

const VERSION: &str = "2.1.329";

/// Claude Code takes half a gigabyte and a core for seconds: more than two at a time only get in each other's way.
static SEATS: Semaphore = Semaphore::const_new(2);

/// How long one run may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The installed Claude Code; panics with what to do if it is not there or not the tested one.
pub(crate) fn claude() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let path = support::workspace().join("target/tools/clients/node_modules/.bin/claude");
        let install = "`make setup-tests` installs it";
        assert!(path.exists(), "Claude Code {VERSION} is not at {}; {install}", path.display());
        let home = tempfile::tempdir().unwrap();
        let output = Command::new(&path)
            .arg("--version")
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", home.path())
            .output()
            .unwrap_or_else(|error| panic!("{} does not run ({error}); {install}", path.display()));
        let version = String::from_utf8_lossy(&output.stdout);
        assert!(
            version.starts_with(VERSION),
            "the tests are for Claude Code {VERSION}, not {version}; {install}"
        );
        path
    })
}

/// One workplace: a fake backend, a Dragoman before it, and a home and a directory for Claude Code.
pub(crate) struct Desk {
    pub(crate) fake: FakeChatGpt,
    pub(crate) dragoman: Dragoman,
    directory: TempDir,
    model: Option<&'static str>,
    session: String,
    _seat: SemaphorePermit<'static>,
}

impl Desk {
    /// With the model that Claude Code asks for by itself.
    pub(crate) async fn open() -> Self {
        Self::with(None, |launch| launch).await
    }

    /// With `--model`.
    pub(crate) async fn for_model(model: &'static str) -> Self {
        Self::with(Some(model), |launch| launch).await
    }

    /// With a Dragoman launched in another way.
    pub(crate) async fn with(model: Option<&'static str>, change: impl FnOnce(Launch) -> Launch) -> Self {
        Self::before(FakeChatGpt::start(), model, change).await
    }

    /// With a backend that was prepared.
    pub(crate) async fn before(
        fake: FakeChatGpt,
        model: Option<&'static str>,
        change: impl FnOnce(Launch) -> Launch,
    ) -> Self {
        claude();
        let seat = SEATS.acquire().await.unwrap();
        let dragoman = change(Launch::beside(&fake)).start().await;
        let directory = tempfile::Builder::new().prefix("claude-test-").tempdir().unwrap();
        let desk = Self { fake, dragoman, directory, model, session: support::uuid(), _seat: seat };
        std::fs::create_dir_all(desk.home().join(".claude")).unwrap();
        std::fs::create_dir_all(desk.work()).unwrap();
        let trusted = json!({ desk.work().to_str().unwrap(): { "hasTrustDialogAccepted": true } });
        let state = json!({
            "hasCompletedOnboarding": true, "hasSeenAutoDefaultNudge": true, "projects": trusted,
        });
        std::fs::write(desk.home().join(".claude.json"), state.to_string()).unwrap();
        desk.settings(json!({}));
        desk
    }

    /// Claude Code's home.
    pub(crate) fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// The directory it works in.
    pub(crate) fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// The path of a file there, as a string for tool inputs.
    pub(crate) fn path(&self, name: &str) -> String {
        self.work().join(name).display().to_string()
    }

    /// Lays out a file.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.work().join(name), content).unwrap();
    }

    /// Reads a file.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.work().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Writes Claude Code's settings; no permission question is ever asked.
    pub(crate) fn settings(&self, extra: Value) {
        let mut settings = json!({
            "permissions": { "defaultMode": "default" }, "skipDangerousModePermissionPrompt": true,
        });
        settings.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        std::fs::write(self.home().join(".claude/settings.json"), settings.to_string()).unwrap();
    }

    /// Scripts the model; side requests get an answer of their own.
    pub(crate) fn script(&self, rules: impl IntoIterator<Item = Rule>) {
        let title = Rule::any("title").always().when_format().when_no_tools().text(r#"{"title":"Test"}"#);
        let classifier =
            Rule::any("classifier").always().when_system("security monitor").text("<block>no</block>");
        self.fake.script(rules.into_iter().chain([title, classifier]));
    }

    /// The environment of Claude Code: nothing of the caller's.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let pairs = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("HOME", self.home().display().to_string()),
            ("TERM", "xterm-256color".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("IS_SANDBOX", "1".to_owned()),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
            ("ANTHROPIC_BASE_URL", self.dragoman.url()),
            ("ANTHROPIC_AUTH_TOKEN", TOKEN.to_owned()),
            // Whatever is not on this machine goes to a port on which nobody listens.
            ("HTTPS_PROXY", "http://127.0.0.1:9".to_owned()),
            ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// `claude -p` with a prompt.
    pub(crate) fn claude(&self, prompt: &str) -> Run<'_> {
        self.run().argument(prompt)
    }

    /// `claude -p` that asks before it acts, or is told another mode.
    pub(crate) fn without_bypass(&self, prompt: &str) -> Run<'_> {
        let mut run = self.claude(prompt);
        run.arguments.retain(|argument| argument != "--dangerously-skip-permissions");
        run
    }

    /// `claude -p` that opens this desk's one session.
    pub(crate) fn begin(&self, prompt: &str) -> Run<'_> {
        self.claude(prompt).arguments(&["--session-id", &self.session])
    }

    /// `claude -p` that goes on with it.
    pub(crate) fn resume(&self, prompt: &str) -> Run<'_> {
        self.claude(prompt).arguments(&["--resume", &self.session])
    }

    /// `claude -p`, to be completed.
    pub(crate) fn run(&self) -> Run<'_> {
        let mut arguments =
            ["-p", "--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"]
                .map(str::to_owned)
                .to_vec();
        if let Some(model) = self.model {
            arguments.extend(["--model".to_owned(), model.to_owned()]);
        }
        Run { desk: self, arguments, environment: self.environment(), stdin: None }
    }
}

/// One `claude -p` about to start.
pub(crate) struct Run<'a> {
    desk: &'a Desk,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    stdin: Option<String>,
}

impl Run<'_> {
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(key, _)| key != name);
        self
    }

    /// Sends one user message as stream-json.
    pub(crate) fn stdin(mut self, content: Value) -> Self {
        let message = json!({ "type": "user", "message": { "role": "user", "content": content } });
        self.stdin = Some(format!("{message}\n"));
        self.arguments(&["--input-format", "stream-json"])
    }

    /// Runs it to its end.
    pub(crate) async fn outcome(self) -> Outcome {
        self.start().outcome().await
    }

    /// Starts it.
    pub(crate) fn start(self) -> Running {
        let mut command = tokio::process::Command::new(claude());
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment)
            .current_dir(self.desk.work())
            .stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let begun = Instant::now();
        let mut child = command.spawn().unwrap();
        if let (Some(text), Some(mut pipe)) = (self.stdin, child.stdin.take()) {
            tokio::spawn(async move { pipe.write_all(text.as_bytes()).await });
        }
        let lines = watch::Sender::new(Vec::new());
        let (mut stdout, sender) = (BufReader::new(child.stdout.take().unwrap()).lines(), lines.clone());
        let reading = tokio::spawn(async move {
            while let Ok(Some(line)) = stdout.next_line().await {
                sender.send_modify(|lines: &mut Vec<String>| lines.push(line));
            }
        });
        let mut pipe = child.stderr.take().unwrap();
        let complaining = tokio::spawn(async move {
            let mut text = String::new();
            let _ = pipe.read_to_string(&mut text).await;
            text
        });
        Running { child, begun, lines, reading, complaining }
    }
}

/// One `claude -p` at work.
pub(crate) struct Running {
    child: tokio::process::Child,
    begun: Instant,
    lines: watch::Sender<Vec<String>>,
    reading: tokio::task::JoinHandle<()>,
    complaining: tokio::task::JoinHandle<String>,
}

impl Running {
    /// Waits until a line of the output contains this.
    pub(crate) async fn until_it_says(&self, text: &str) {
        let mut lines = self.lines.subscribe();
        let said = lines.wait_for(|lines| lines.iter().any(|line| line.contains(text)));
        let found = tokio::time::timeout(LIMIT, said).await.is_ok();
        assert!(found, "claude never said {text:?}: {:?}", self.lines.borrow().last());
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().expect("claude still runs").to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) async fn outcome(mut self) -> Outcome {
        let Ok(status) = tokio::time::timeout(LIMIT, self.child.wait()).await else {
            let lines = self.lines.borrow();
            panic!("claude did not finish within {LIMIT:?}; it last said {:?}", lines.last());
        };
        let seconds = self.begun.elapsed();
        // A background process of a tool may hold the pipes a little longer.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.reading).await;
        let stderr = tokio::time::timeout(Duration::from_secs(5), self.complaining).await;
        let events = self.lines.borrow().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Outcome {
            code: status.unwrap().code(),
            events,
            stderr: stderr.ok().and_then(Result::ok).unwrap_or_default(),
            took: seconds,
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) events: Vec<Value>,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Outcome {
    /// The `result` event.
    pub(crate) fn result(&self) -> &Value {
        let result = self.events.iter().rev().find(|event| event["type"] == "result");
        result.unwrap_or_else(|| panic!("claude gave no result: {self:?}"))
    }

    /// The final text.
    pub(crate) fn text(&self) -> &str {
        self.result()["result"].as_str().unwrap_or_default()
    }

    /// All thinking shown on the way.
    pub(crate) fn thinking(&self) -> String {
        let blocks = self.events.iter().filter_map(|event| event["message"]["content"].as_array()).flatten();
        blocks.filter_map(|block| block["thinking"].as_str()).collect()
    }

    /// Whether an event of this type and subtype occurred.
    pub(crate) fn has(&self, kind: &str, subtype: &str) -> bool {
        self.events.iter().any(|event| event["type"] == kind && event["subtype"] == subtype)
    }

    /// Panics unless it ended well with this in the final text.
    #[track_caller]
    pub(crate) fn assert_says(&self, words: &str) {
        assert_eq!(self.code, Some(0), "claude failed: {} {}", self.text(), self.stderr);
        assert!(self.text().contains(words), "the result lacks {words:?}: {:?}", self.text());
        assert_ne!(self.result()["is_error"], true);
    }

    /// Panics unless it failed with this in the final text.
    #[track_caller]
    pub(crate) fn assert_fails_with(&self, words: &str) {
        assert_eq!(self.code, Some(1), "claude did not fail: {}", self.text());
        assert!(self.text().contains(words), "the result lacks {words:?}: {:?}", self.text());
        assert_eq!(self.result()["is_error"], true);
    }
}

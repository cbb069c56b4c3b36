//! The real `dragoman serve` as a child process with a clean environment and a home of its own.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::SOON;
use crate::credentials::{Credentials, codex_home};
use crate::fake::FakeChatGpt;
use crate::http::Call;

/// The local bearer token of every Dragoman under test.
pub const TOKEN: &str = "local-canary-3f9d1c7a5b";

/// A Dragoman about to be started. Clones share the home, for a second start.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Deleted with the last process that used it.
    home: Arc<TempDir>,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    /// `None`: as the settings say.
    admin: Option<String>,
}

impl Launch {
    /// Signed in at the fake, talking to nobody else.
    pub fn beside(fake: &FakeChatGpt) -> Self {
        let launch = Self::signed_out(fake);
        launch.signed_in_with(&fake.sign_in())
    }

    /// Without any login.
    pub fn signed_out(fake: &FakeChatGpt) -> Self {
        let home =
            tempfile::Builder::new().prefix("dragoman-test-").tempdir().expect("a temporary directory");
        let below = |name: &str| home.path().join(name).display().to_string();
        // Everything that is not on this machine would go to the fake as a proxy, which records and refuses it.
        let environment = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("HOME", below("user")),
            ("LANG", "C.UTF-8".to_owned()),
            ("DRAGOMAN_HOME", below("dragoman")),
            ("CODEX_HOME", below("codex")),
            ("DRAGOMAN_CHATGPT_URL", fake.chatgpt_url()),
            ("DRAGOMAN_ISSUER_URL", fake.url()),
            ("DRAGOMAN_API_URL", fake.api_url()),
            ("DRAGOMAN_CLIENT_TOKEN", TOKEN.to_owned()),
            ("DRAGOMAN_TOKEN_STORE", "file".to_owned()),
            ("HTTP_PROXY", fake.url()),
            ("HTTPS_PROXY", fake.url()),
            ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
        std::fs::create_dir_all(home.path().join("user")).expect("create HOME");
        Self { home: Arc::new(home), environment, arguments: Vec::new(), admin: Some("off".to_owned()) }
    }

    /// Puts this login into the Codex CLI's home.
    pub fn signed_in_with(self, credentials: &Credentials) -> Self {
        codex_home(&self.home.path().join("codex"), credentials);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(key, _)| key != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds an argument to `serve`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// The environment, for an `App` in this process.
    pub fn environment(&self) -> Vec<(String, String)> {
        self.environment.clone()
    }

    /// Sets where the admin API listens; nowhere without it.
    pub fn admin(mut self, listen: &str) -> Self {
        self.admin = Some(listen.to_owned());
        self
    }

    /// Lets the settings say where the admin API listens.
    pub fn admin_as_set(mut self) -> Self {
        self.admin = None;
        self
    }

    /// Writes `config.toml`.
    pub fn config(self, text: &str) -> Self {
        let directory = self.home.path().join("dragoman/config");
        std::fs::create_dir_all(&directory).expect("create the config directory");
        std::fs::write(directory.join("config.toml"), text).expect("write config.toml");
        self
    }

    /// The directory below which all homes lie.
    pub fn path(&self) -> &Path {
        self.home.path()
    }

    /// The binary with the environment set, for any subcommand.
    pub fn command(&self) -> Command {
        let mut command = Command::new(crate::bin("dragoman"));
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.home.path()).stdin(Stdio::null());
        command
    }

    /// Starts `dragoman serve` on a free port and waits for the address that it prints.
    pub async fn start(self) -> Dragoman {
        let mut command = self.command();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(&self.arguments);
        if let Some(admin) = &self.admin {
            command.args(["--admin-listen", admin]);
        }
        let begun = Instant::now();
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start dragoman");
        let said = watch::Sender::new(String::new());
        collect(child.stdout.take(), &said);
        collect(child.stderr.take(), &said);
        let mut dragoman = Dragoman { child, launch: self, address: ([127, 0, 0, 1], 0).into(), said };
        let mut changes = dragoman.said.subscribe();
        let deadline = begun + Duration::from_secs(20);
        loop {
            let text = changes.borrow_and_update().clone();
            if let Some(address) = printed_address(&text) {
                dragoman.address = address;
                return dragoman;
            }
            if let Ok(Some(status)) = dragoman.child.try_wait() {
                panic!("dragoman ended ({status}) before it listened: {}", dragoman.said());
            }
            assert!(Instant::now() < deadline, "dragoman printed no address: {text}");
            // Also wakes up to see whether the child has ended without a word.
            let _ = tokio::time::timeout(Duration::from_millis(100), changes.changed()).await;
        }
    }
}

/// A running Dragoman. Dropping it kills the process, by its own id.
#[derive(Debug)]
pub struct Dragoman {
    child: Child,
    launch: Launch,
    address: SocketAddr,
    said: watch::Sender<String>,
}

impl Dragoman {
    /// Starts one, signed in at the fake.
    pub async fn start(fake: &FakeChatGpt) -> Self {
        Launch::beside(fake).start().await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it was launched; also gives commands with the same environment.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// The directory below which all its files lie.
    pub fn path(&self) -> &Path {
        self.launch.path()
    }

    /// Standard output and standard error so far.
    pub fn said(&self) -> String {
        self.said.borrow().clone()
    }

    /// What it said, once that holds: a log line may come after the answer that it is about.
    pub async fn said_when(&self, holds: impl Fn(&str) -> bool) -> String {
        let mut changes = self.said.subscribe();
        let waited = tokio::time::timeout(SOON, changes.wait_for(|said| holds(said))).await;
        match waited {
            Ok(Ok(said)) => said.clone(),
            _ => panic!("it never said that: {}", self.said()),
        }
    }

    /// Where the admin API listens, as told to `dragoman open`.
    pub fn admin_address(&self) -> SocketAddr {
        let entry = std::fs::read(self.path().join("dragoman/state/admin.json")).expect("admin.json");
        let entry: Value = serde_json::from_slice(&entry).expect("JSON in admin.json");
        entry["address"].as_str().and_then(|address| address.parse().ok()).expect("an address in admin.json")
    }

    /// What programs send to the admin API.
    pub fn admin_token(&self) -> String {
        std::fs::read_to_string(self.path().join("dragoman/state/admin-token")).expect("admin-token")
    }

    /// A request to the admin API with its token.
    pub fn admin(&self, method: &str, path: &str) -> Call {
        Call::new(self.admin_address(), method, path)
            .header("authorization", &format!("Bearer {}", self.admin_token()))
    }

    /// A request with the local token.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.address, method, path)
            .header("authorization", &format!("Bearer {TOKEN}"))
            .header("anthropic-version", "2023-06-01")
    }

    /// `POST /v1/messages?beta=true`.
    pub fn messages(&self, body: &Value) -> Call {
        self.call("POST", "/v1/messages?beta=true").json(body)
    }

    /// Asks it to stop, as Ctrl-C or a service manager does.
    pub fn interrupt(&self, signal: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", signal, &id]).status().expect("run kill");
        assert!(status.success(), "kill -s {signal} {id}");
    }

    /// The next process, in the same home with the same environment.
    pub async fn again(&self) -> Self {
        self.launch.clone().start().await
    }

    /// Waits for its end; panics after `limit`.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status;
            }
            assert!(Instant::now() < deadline, "dragoman still runs after {limit:?}: {}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All files below its homes.
    pub fn files(&self) -> Vec<PathBuf> {
        files_below(self.path())
    }
}

impl Drop for Dragoman {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = self.said();
            let tail = said.char_indices().rev().nth(3000).map_or(0, |(at, _)| at);
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("dragoman said: {}\n", &said[tail..]),
            );
        }
    }
}

/// All files below a directory.
pub fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![path.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => directories.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

/// A Messages request of one user message.
pub fn message(text: &str) -> Value {
    json!({
        "model": "claude-sonnet-5-5", "max_tokens": 512,
        "messages": [{ "role": "user", "content": text }],
    })
}

fn collect(pipe: Option<impl Read + Send + 'static>, said: &watch::Sender<String>) {
    let (Some(pipe), said) = (pipe, said.clone()) else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            said.send_modify(|text| {
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
            });
        }
    });
}

/// The address in the greeting; log lines hold others.
fn printed_address(text: &str) -> Option<SocketAddr> {
    const BEFORE: &str = "Listening on http://";
    let start = text.find(&format!("{BEFORE}127.0.0.1:"))? + BEFORE.len();
    let digits = text[start + "127.0.0.1:".len()..].chars().take_while(char::is_ascii_digit).count();
    let end = start + "127.0.0.1:".len() + digits;
    // The rest of the number may not have been read yet.
    text[end..].chars().next()?;
    text[start..end].parse().ok()
}

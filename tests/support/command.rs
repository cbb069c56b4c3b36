//! A command of `dragoman` that takes its time: its output line by line, and words for its input.

use std::process::{ExitStatus, Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

use crate::{Launch, SOON};

/// A finished command.
#[derive(Debug)]
pub struct Done {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Done {
    /// The output as JSON; panics if it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    /// Panics unless it ended well.
    #[track_caller]
    pub fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{} {}", self.out, self.err);
        self
    }
}

impl From<Output> for Done {
    /// Panics if the program did.
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let done = Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
        for words in ["panicked", "RUST_BACKTRACE"] {
            assert!(!done.err.contains(words), "{}", done.err);
        }
        done
    }
}

/// A running command. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    input: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
    err: Option<ChildStderr>,
    said: String,
}

impl Running {
    /// Starts it with pipes.
    pub fn start(launch: &Launch, arguments: &[&str]) -> Self {
        let mut command = tokio::process::Command::from(launch.command());
        command.args(arguments).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("start dragoman");
        let input = child.stdin.take();
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let err = child.stderr.take();
        Self { child, input, out, err, said: String::new() }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it still runs")
    }

    /// Types a line.
    pub async fn enter(&mut self, line: &str) {
        let input = self.input.as_mut().expect("its input is open");
        input.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    /// Ends its input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// The next line of `--json` whose `step` is this one; panics if the output ends before.
    pub async fn step(&mut self, step: &str) -> Value {
        loop {
            let line = self.line().await.unwrap_or_else(|| panic!("no step {step:?}: {}", self.said));
            let value: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if value["step"] == step {
                return value;
            }
            let over = ["done", "failed", "cancelled"].contains(&value["step"].as_str().unwrap_or_default());
            assert!(!over, "no step {step:?}: {}", self.said);
        }
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(SOON, self.out.read_line(&mut line));
        let count = read.await.unwrap_or_else(|_| panic!("silence after: {}", self.said)).expect("text");
        self.said.push_str(&line);
        (count > 0).then(|| line.trim_end().to_owned())
    }

    /// Asks it to stop.
    pub fn interrupt(&self, signal: &str) {
        let id = self.id().to_string();
        let status = std::process::Command::new("kill").args(["-s", signal, &id]).status().expect("run kill");
        assert!(status.success(), "kill -s {signal} {id}");
    }

    /// Waits for its end: its status, and all that it said on both outputs.
    pub async fn end(mut self) -> (ExitStatus, String) {
        let ended = async {
            let mut err = String::new();
            while self.line().await.is_some() {}
            if let Some(pipe) = self.err.as_mut() {
                pipe.read_to_string(&mut err).await.expect("text");
            }
            self.said.push_str(&err);
            self.child.wait().await.expect("it ends")
        };
        let status = match tokio::time::timeout(SOON, ended).await {
            Ok(status) => status,
            Err(_) => panic!("it does not end"),
        };
        (status, self.said)
    }
}

//! The command line of the real binary, as a shell or a script meets it: words, exit codes, JSON.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod accounts;
mod commands;
mod configuration;

use std::process::Output;

use serde_json::Value;
use support::Launch;

/// A finished command.
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Done {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let done = Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
        for words in ["panicked", "RUST_BACKTRACE"] {
            assert!(!done.err.contains(words), "{}", done.err);
        }
        done
    }
}

fn run(launch: &Launch, arguments: &[&str]) -> Done {
    launch.command().args(arguments).output().unwrap().into()
}

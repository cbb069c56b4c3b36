//! An SDK as a program: where it is, and one scenario run with it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use support::fake::{FakeChatGpt, Rule};
use support::{Dragoman, Launch, TOKEN};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

/// The language of an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sdk {
    Python,
    JavaScript,
}

/// Writes each scenario's test for both SDKs.
macro_rules! in_both_languages {
    ($($name:ident)+) => {
        mod python {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::client::Desk::open(crate::client::Sdk::Python).await).await;
            })+
        }
        mod javascript {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::client::Desk::open(crate::client::Sdk::JavaScript).await).await;
            })+
        }
    };
}
pub(crate) use in_both_languages;

/// A fake backend, a Dragoman before it, and an SDK.
pub(crate) struct Desk {
    pub(crate) fake: FakeChatGpt,
    pub(crate) sdk: Sdk,
    dragoman: Dragoman,
    home: TempDir,
}

impl Desk {
    pub(crate) async fn open(sdk: Sdk) -> Self {
        installed(sdk);
        let fake = FakeChatGpt::start();
        // Small, so that a request which is too large takes no time.
        let dragoman = Launch::beside(&fake).config("[server]\nbody_limit_mb = 8\n").start().await;
        Self { fake, sdk, dragoman, home: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn script(&self, rules: impl IntoIterator<Item = Rule>) {
        self.fake.script(rules);
    }

    /// What a scenario with Anthropic's SDK prints.
    pub(crate) async fn run(&self, scenario: &str) -> Value {
        self.run_with(scenario, &[]).await
    }

    /// The same, with more in its environment.
    pub(crate) async fn run_with(&self, scenario: &str, environment: &[(&str, &str)]) -> Value {
        self.run_of("scenarios", scenario, environment).await
    }

    /// What a scenario with OpenAI's SDK prints.
    pub(crate) async fn openai(&self, scenario: &str) -> Value {
        self.openai_with(scenario, &[]).await
    }

    /// The same, with more in its environment.
    pub(crate) async fn openai_with(&self, scenario: &str, environment: &[(&str, &str)]) -> Value {
        self.run_of("openai", scenario, environment).await
    }

    async fn run_of(&self, file: &str, scenario: &str, environment: &[(&str, &str)]) -> Value {
        let here = support::workspace().join("tests/sdk");
        let mut command = tokio::process::Command::new(installed(self.sdk));
        match self.sdk {
            // -B: no caches beside the scenarios; -E -s: nothing of the user's.
            Sdk::Python => command.args(["-B", "-E", "-s"]).arg(here.join(format!("{file}.py"))),
            Sdk::JavaScript => command.arg(here.join(format!("{file}.mjs"))),
        };
        command
            .arg(scenario)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.home.path())
            .env("LANG", "C.UTF-8")
            .env("BASE_URL", self.dragoman.url())
            .env("TOKEN", TOKEN)
            .env("CLIENTS", clients())
            // Whatever is not on this machine goes to a port on which nobody listens.
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .envs(environment.iter().copied())
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = tokio::time::timeout(LIMIT, command.output()).await;
        let output = ended
            .unwrap_or_else(|_| panic!("{scenario} did not end within {LIMIT:?}; {}", self.fake.story()));
        let output = output.unwrap();
        let (said, complaint) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{scenario} failed: {complaint}\n{said}\n{}", self.fake.story());
        let last = said.lines().last().unwrap_or_default();
        serde_json::from_str(last)
            .unwrap_or_else(|error| panic!("{scenario} printed no JSON ({error}): {said}"))
    }
}

/// The interpreter that has the SDK; panics with what to do if it is not there.
fn installed(sdk: Sdk) -> PathBuf {
    let (program, packages) = match sdk {
        Sdk::Python => {
            let venv = support::workspace().join("target/tools/python");
            let lib = std::fs::read_dir(venv.join("lib")).into_iter().flatten().flatten().next();
            let packages = lib.map(|lib| lib.path().join("site-packages")).unwrap_or_default();
            (venv.join("bin/python"), ["anthropic", "openai"].map(|name| packages.join(name)))
        }
        Sdk::JavaScript => {
            let node = std::env::var_os("PATH")
                .into_iter()
                .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
                .map(|folder| folder.join("node"))
                .find(|node| node.exists());
            let packages = clients().join("node_modules");
            (node.unwrap_or_default(), ["@anthropic-ai/sdk", "openai"].map(|name| packages.join(name)))
        }
    };
    for needed in packages.iter().chain([&program]) {
        assert!(
            needed.exists(),
            "an SDK for {sdk:?} is not installed ({}); `make setup-tests` installs it",
            if needed.as_os_str().is_empty() { Path::new("its interpreter") } else { needed }.display()
        );
    }
    program
}

fn clients() -> PathBuf {
    support::workspace().join("target/tools/clients")
}

/// A call's input.
pub(crate) fn city(name: &str) -> Value {
    json!({ "city": name })
}

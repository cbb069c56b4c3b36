//! The installed Claude Code, run for real: in a home and a directory of its own, with nothing of the user's
//! environment but the search path, so that the user's settings, sessions and files stay out of it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::Command;

use super::Finding;

/// A run that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(120);
const RED: &[u8] = include_bytes!("red.png");

/// Claude Code at a desk of its own.
#[derive(Debug)]
pub(super) struct Client {
    program: PathBuf,
    path: OsString,
    variables: Vec<(String, String)>,
    desk: TempDir,
    /// What nobody can guess: a right answer has read it.
    word: String,
}

/// A line of `--output-format stream-json`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    r#type: String,
    result: Option<String>,
    is_error: bool,
    message: Message,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    content: Content,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Blocks(Vec<Block>),
    #[expect(dead_code, reason = "a message may be plain text; it is not looked into")]
    Text(String),
}

impl Default for Content {
    fn default() -> Self {
        Self::Blocks(Vec::new())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block {
    r#type: String,
    name: String,
    is_error: bool,
}

/// What a run said.
struct Run {
    text: String,
    /// The tools that were called, and whether a result was an error.
    tools: Vec<String>,
    failed_tool: bool,
}

impl Client {
    /// On the search path, or where its installers put it.
    pub(super) fn find(path: Option<&OsStr>, variables: Vec<(String, String)>) -> Result<Self, Finding> {
        let names: &[&str] = if cfg!(windows) { &["claude.exe", "claude.cmd"] } else { &["claude"] };
        let path = path.unwrap_or_default().to_owned();
        let program = std::env::split_paths(&path)
            .flat_map(|directory| names.iter().map(move |name| directory.join(name)))
            .find(|program| program.is_file());
        let Some(program) = program else {
            return Err(Finding::skipped("not run: there is no claude on the search path"));
        };
        let desk = || {
            let desk = tempfile::Builder::new().prefix("dragoman-doctor-").tempdir()?;
            let mut bytes = [0; 4];
            getrandom::fill(&mut bytes).map_err(io::Error::other)?;
            let word = format!("heron-{}", u32::from_le_bytes(bytes));
            for directory in ["home/.claude", "work"] {
                fs::create_dir_all(desk.path().join(directory))?;
            }
            fs::write(desk.path().join("work/word.txt"), &word)?;
            fs::write(desk.path().join("work/colour.png"), RED)?;
            Ok((desk, word))
        };
        match desk() {
            Ok((desk, word)) => Ok(Self { program, path, variables, desk, word }),
            Err(error) => {
                let error: io::Error = error;
                Err(Finding::bad(format!("no temporary directory: {error}"), "Make room in it."))
            }
        }
    }

    pub(super) async fn version(&self) -> Finding {
        let program = self.program.display();
        match self.output(&["--version"]).await {
            Ok(output) if output.status.success() => {
                Finding::good(format!("{} ({program})", String::from_utf8_lossy(&output.stdout).trim()))
            }
            Ok(output) => Finding::bad(
                format!("{program} does not start ({})", output.status),
                "Install Claude Code again.",
            ),
            Err(error) => {
                Finding::bad(format!("{program} does not start: {error}"), "Install Claude Code again.")
            }
        }
    }

    pub(super) async fn prompt(&self) -> Finding {
        let question = format!("Answer with exactly this word and nothing else: {}", self.word);
        self.asked(&question, &[], |run| run.text.contains(&self.word)).await
    }

    pub(super) async fn tool(&self) -> Finding {
        let question = "Use the Bash tool to run exactly `cat word.txt`, then answer with what it printed.";
        self.asked(question, &["Bash(cat word.txt)"], |run| {
            run.tools.iter().any(|tool| tool == "Bash") && run.text.contains(&self.word)
        })
        .await
    }

    pub(super) async fn picture(&self) -> Finding {
        let question =
            "Read the file colour.png with the Read tool. It shows one colour. Answer with its name only.";
        self.asked(question, &["Read"], |run| {
            run.tools.iter().any(|tool| tool == "Read") && run.text.to_lowercase().contains("red")
        })
        .await
    }

    pub(super) async fn search(&self) -> Finding {
        let question = "Use the WebSearch tool to search for: Debian stable release. Answer with one link that it found.";
        self.asked(question, &["WebSearch"], |run| {
            run.tools.iter().any(|tool| tool == "WebSearch") && !run.failed_tool && run.text.contains("://")
        })
        .await
    }

    async fn asked(&self, question: &str, tools: &[&str], right: impl Fn(&Run) -> bool) -> Finding {
        const TODO: &str =
            "The log says why: dragoman serve -v, or the file that docs/configuration.md names.";
        let mut arguments = vec!["-p", "--output-format", "stream-json", "--verbose"];
        let allowed = tools.join(",");
        if !tools.is_empty() {
            arguments.extend(["--allowedTools", &allowed]);
        }
        // The list of tools would swallow the question if it came last.
        arguments.extend(["--", question]);
        let output = match self.output(&arguments).await {
            Ok(output) => output,
            Err(error) => return Finding::bad(error.to_string(), TODO),
        };
        let (mut run, mut failed, mut ended) =
            (Run { text: String::new(), tools: Vec::new(), failed_tool: false }, false, false);
        let text = String::from_utf8_lossy(&output.stdout);
        for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
            if let Content::Blocks(blocks) = line.message.content {
                run.failed_tool |= blocks.iter().any(|block| block.r#type == "tool_result" && block.is_error);
                run.tools.extend(
                    blocks.into_iter().filter(|block| block.r#type == "tool_use").map(|block| block.name),
                );
            }
            if line.r#type == "result" {
                (ended, failed) = (true, line.is_error);
                run.text = line.result.unwrap_or_default();
            }
        }
        if !ended || failed {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let words = if run.text.is_empty() { short(&stderr) } else { short(&run.text) };
            return Finding::bad(format!("Claude Code ended with an error: {words}"), TODO);
        }
        if right(&run) {
            Finding::good(short(&run.text))
        } else {
            let tools = if run.tools.is_empty() { "no tool".to_owned() } else { run.tools.join(", ") };
            Finding::bad(
                format!("the answer is not what was asked for: {} (called: {tools})", short(&run.text)),
                "Try again: a model may err once. If it stays so, try another model for this family.",
            )
        }
    }

    async fn output(&self, arguments: &[&str]) -> io::Result<Output> {
        let home = self.desk.path().join("home");
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        // Windows programs do not start without these.
        for name in ["SystemRoot", "SystemDrive", "ComSpec", "PATHEXT", "TEMP", "TMP"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("PATH", &self.path)
            .env("HOME", &home)
            .env("USERPROFILE", &home)
            .env("CLAUDE_CONFIG_DIR", home.join(".claude"))
            .env("LANG", "C.UTF-8")
            .env("NO_PROXY", "127.0.0.1,localhost,::1")
            // Titles, telemetry and updates are none of a check-up's.
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .current_dir(self.desk.path().join("work"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        match tokio::time::timeout(LIMIT, command.output()).await {
            Ok(output) => output,
            Err(_) => Err(io::Error::other(format!("Claude Code did not end within {} s", LIMIT.as_secs()))),
        }
    }
}

/// One line of at most eighty characters.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_claude_nothing_is_run() {
        let finding = Client::find(Some(OsStr::new("/nonexistent")), Vec::new()).unwrap_err();
        assert!(finding.seen.contains("no claude"), "{finding:?}");
    }

    #[test]
    fn long_answers_are_cut_between_characters() {
        assert_eq!(short(" a\n b "), "a b");
        assert_eq!(short(&"é".repeat(200)).chars().count(), 81);
    }
}

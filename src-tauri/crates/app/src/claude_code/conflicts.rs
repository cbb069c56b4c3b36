//! What else decides where Claude Code goes: variables, shell start files, settings of projects and of the machine's
//! owner, a login. Found with file and line, told with what it means and what to do.
//!
//! Precedence as measured: managed settings > project local > project > user settings > the process's environment.
//! Not here: changing any of it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use super::json::{self, Key};
use super::keys::ENV;
use super::project_of;
use super::state::State;
use crate::paths::claude_code as names;
use crate::paths::{self, Environment, Paths};

/// Something that stands in the way, or might.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Conflict {
    /// How bad it is.
    pub weight: Weight,
    /// The variable, the member of a settings file, or the file.
    pub what: String,
    /// Where it is set; `None`: in the environment of this process.
    #[schema(value_type = Option<String>)]
    pub file: Option<PathBuf>,
    /// Counted from one.
    pub line: Option<usize>,
    /// What it means.
    pub means: &'static str,
    /// What to do.
    pub todo: &'static str,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
#[ts(rename = "ConflictWeight")]
#[schema(as = ConflictWeight)]
pub enum Weight {
    /// Claude Code does not come to Dragoman.
    Blocks,
    /// It comes, with questions or surprises.
    Warns,
    /// Good to know.
    Notes,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, means, todo, .. } = self;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{what} is set in {}, line {line}. ", file.display())?,
            (Some(file), None) => write!(f, "{what}: {}. ", file.display())?,
            (None, _) => write!(f, "{what} is set in this program's environment. ")?,
        }
        write!(f, "{means} {todo}")
    }
}

/// Where something is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Environment,
    ShellFile,
    User,
    Project,
    Managed,
}

/// Everything that concerns a Claude Code started in `directory`. Reads files, none of which may be large.
pub(crate) fn find(paths: &Paths, environment: &Environment, directory: &Path) -> Vec<Conflict> {
    let ours = State::read(paths).unwrap_or_default();
    let mut found = Vec::new();
    for name in paths::DECIDING {
        if environment.raw(name).is_some() {
            found.push(judged(name, Place::Environment).at(name, None, None));
        }
    }
    for file in paths::start_files(paths.user.as_deref(), environment) {
        let Some(text) = read(&file) else { continue };
        for (name, line) in assignments(&text) {
            found.push(judged(name, Place::ShellFile).at(name, Some(file.clone()), Some(line)));
        }
    }
    let project = project_of(directory);
    let mut projects = vec![directory];
    projects.extend(Some(project).filter(|project| *project != directory));
    let of_project = projects.iter().flat_map(|directory| {
        ["settings.local.json", "settings.json"].map(|name| directory.join(".claude").join(name))
    });
    let user = paths.claude.as_ref().map(|claude| claude.join("settings.json"));
    let files = (paths.managed_settings().into_iter().map(|file| (file, Place::Managed)))
        .chain(of_project.filter(|file| Some(file) != user.as_ref()).map(|file| (file, Place::Project)))
        .chain(user.clone().map(|file| (file, Place::User)));
    for (file, place) in files {
        let Some(text) = read(&file) else { continue };
        let own = |key: &Key, value: &str| {
            let connection = ours.of(&file);
            connection.is_some_and(|of| of.entries.iter().any(|entry| entry.key == *key && entry.owns(value)))
        };
        found.extend(in_settings(&file, &text, place, own));
    }
    let login = paths.claude.as_ref().map(|claude| claude.join(".credentials.json"));
    // Only whether it is there: it is nobody's business here what it says.
    if let Some(file) = login.filter(|file| file.exists()) {
        found.push(Conflict {
            weight: Weight::Notes,
            what: "A claude.ai login is kept".to_owned(),
            file: Some(file),
            line: None,
            means: "It stays as it is, and Claude Code does not send it while Dragoman's token is set.",
            todo: "Nothing needs to be done.",
        });
    }
    found.sort_by_key(|conflict| conflict.weight);
    found
}

fn read(file: &Path) -> Option<String> {
    let small = fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.len() < 4 << 20);
    small.then(|| fs::read(file).ok()).flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn in_settings(file: &Path, text: &str, place: Place, own: impl Fn(&Key, &str) -> bool) -> Vec<Conflict> {
    let keys = paths::DECIDING.map(|name| Key::within(ENV, name)).into_iter();
    let mut found = Vec::new();
    for key in keys.chain([Key::top(names::API_KEY_HELPER)]) {
        match json::get(text, &key) {
            Ok(Some((value, line))) if !own(&key, value) && !is_off(value) => {
                found.push(judged(key.name(), place).at(key.name(), Some(file.to_owned()), Some(line)));
            }
            Ok(_) => {}
            Err(_) if super::plan::is_blank(text) => {}
            Err(why) => {
                found.push(Conflict {
                    weight: Weight::Warns,
                    what: format!("These settings can't be read ({why})"),
                    file: Some(file.to_owned()),
                    line: None,
                    means: "Claude Code can't use them either.",
                    todo: "Correct the file.",
                });
                break;
            }
        }
    }
    found
}

/// A value that switches nothing on.
fn is_off(value: &str) -> bool {
    matches!(value, "null" | "\"\"" | "\"0\"" | "\"false\"" | "false" | "0")
}

struct Judged {
    weight: Weight,
    means: &'static str,
    todo: &'static str,
}

impl Judged {
    fn at(self, what: &str, file: Option<PathBuf>, line: Option<usize>) -> Conflict {
        let Self { weight, means, todo } = self;
        Conflict { weight, what: what.to_owned(), file, line, means, todo }
    }
}

/// What a name means at a place.
fn judged(name: &str, place: Place) -> Judged {
    let (weight, means, todo) = match (name, place) {
        (names::USE_BEDROCK | names::USE_VERTEX, _) => (
            Weight::Blocks,
            "Claude Code then goes to that cloud and not to Dragoman.",
            "Remove it, at least where you want to use Dragoman.",
        ),
        (names::API_KEY_HELPER, Place::Managed) => (
            Weight::Blocks,
            "The owner of this machine decides which key Claude Code sends; Dragoman will refuse it.",
            "Ask who manages this machine.",
        ),
        (names::API_KEY_HELPER, _) => (
            Weight::Warns,
            "Claude Code runs this program for a key, and may send that key to Dragoman beside the token.",
            "Remove the line while you use Dragoman.",
        ),
        (names::API_KEY, Place::Managed) => (
            Weight::Warns,
            "Claude Code sends this key to Dragoman beside the token, and asks in a terminal whether to use it.",
            "Ask who manages this machine.",
        ),
        (names::API_KEY, _) => (
            Weight::Warns,
            "Claude Code asks in a terminal whether to use this key; with yes, it is sent to Dragoman beside the token.",
            "Remove it, or answer no.",
        ),
        (_, Place::Managed) => (
            Weight::Blocks,
            "Managed settings go before yours, so Claude Code does not come to Dragoman.",
            "Ask who manages this machine.",
        ),
        (_, Place::Project) => (
            Weight::Blocks,
            "A project's settings go before the user's, so in this project Claude Code does not come to Dragoman.",
            "Remove the line, or connect this project: `dragoman connect --project`.",
        ),
        (_, Place::User) => (
            Weight::Blocks,
            "Claude Code goes there and not to Dragoman.",
            "`dragoman connect` replaces it, and remembers it for `dragoman disconnect`.",
        ),
        (_, Place::Environment | Place::ShellFile) => (
            Weight::Notes,
            "Settings go before it, so it counts only while Claude Code is not connected.",
            "Remove it if you no longer need it.",
        ),
    };
    Judged { weight, means, todo }
}

/// The variables that a shell's start file sets, with their lines. What is commented out or unset is not set.
fn assignments(text: &str) -> Vec<(&'static str, usize)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.starts_with('#') {
            continue;
        }
        let named = paths::DECIDING.into_iter().filter(|name| sets(line, name));
        found.extend(named.map(|name| (name, number + 1)));
    }
    found
}

fn sets(line: &str, name: &str) -> bool {
    let part_of_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        let word = !before.ends_with(part_of_word) && !after.starts_with(part_of_word);
        let after = after.trim_start_matches(['"', '\'']);
        let assigned = after.starts_with('=')
            || before.ends_with("$env:") && after.trim_start().starts_with('=')
            || before.ends_with("$env.") && after.trim_start().starts_with('=')
            || before.contains("SetEnvironmentVariable(");
        // fish: set -gx NAME value; csh: setenv NAME value
        let words: Vec<&str> = before.split_whitespace().collect();
        let spoken = match words.first() {
            Some(&"set") => {
                let options = || words.iter().skip(1).filter(|word| word.starts_with('-'));
                options().count() + 1 == words.len()
                    && !options().any(|option| is_erasing(option))
                    && !after.trim().is_empty()
            }
            Some(&"setenv") => words.len() == 1,
            _ => false,
        };
        word && (assigned || spoken)
    })
}

/// fish: `set -e`, `set --erase`
fn is_erasing(option: &str) -> bool {
    option == "--erase" || !option.starts_with("--") && option.contains('e')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::home;

    #[test]
    fn every_shell_s_way_to_set_a_variable_is_seen() {
        let key = "ANTHROPIC_API_KEY";
        for line in [
            "export ANTHROPIC_API_KEY=sk-1",
            "  ANTHROPIC_API_KEY='x' claude",
            "typeset -x ANTHROPIC_API_KEY=1",
            "set -gx ANTHROPIC_API_KEY sk-1",
            "set --export --global ANTHROPIC_API_KEY sk-1",
            "setenv ANTHROPIC_API_KEY sk-1",
            "$env:ANTHROPIC_API_KEY = 'x'",
            "$env.ANTHROPIC_API_KEY = 'x'",
            "[Environment]::SetEnvironmentVariable('ANTHROPIC_API_KEY', 'x')",
            "alias c='ANTHROPIC_API_KEY=1 claude'",
        ] {
            assert_eq!(assignments(&format!("a\n{line}\n")), [(key, 2)], "{line}");
        }
        for line in [
            "# export ANTHROPIC_API_KEY=sk-1",
            "unset ANTHROPIC_API_KEY",
            "set -e ANTHROPIC_API_KEY",
            "echo $ANTHROPIC_API_KEY",
            "export MY_ANTHROPIC_API_KEY=1",
            "export ANTHROPIC_API_KEY_2=1",
        ] {
            assert_eq!(assignments(line), [], "{line}");
        }
    }

    fn lay(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn conflicts_are_found_with_file_and_line_the_worst_first() {
        let (directory, paths) = home();
        let at = |name: &str| directory.path().join(name);
        let paths = Paths {
            user: Some(at("user")),
            claude: Some(at("user/.claude")),
            managed: at("managed"),
            ..paths
        };
        lay(&at("user/.zshrc"), "# hello\nexport ANTHROPIC_API_KEY=canary\n");
        lay(&at("user/.config/fish/conf.d/a.fish"), "set -gx ANTHROPIC_BASE_URL https://x\n");
        lay(&at("user/.claude/settings.json"), "{\n  \"apiKeyHelper\": \"canary\"\n}");
        lay(&at("user/.claude/.credentials.json"), "canary");
        lay(&at("work/.git/HEAD"), "");
        lay(&at("work/.claude/settings.json"), "{\n \"env\": {\n  \"ANTHROPIC_BASE_URL\": \"https://y\" } }");
        lay(&at("work/sub/.claude/settings.local.json"), "{\"env\": {\"CLAUDE_CODE_USE_BEDROCK\": \"0\"}}");
        lay(
            &at("managed/managed-settings.d/10-a.json"),
            "{\"env\":\n{\"ANTHROPIC_AUTH_TOKEN\": \"canary\"}}",
        );
        lay(&at("managed/managed-settings.json"), "{ broken");
        let environment = [("CLAUDE_CODE_USE_VERTEX", "1")].into_iter().collect();
        let found = find(&paths, &environment, &at("work/sub"));
        let lines: Vec<_> = found
            .iter()
            .map(|conflict| {
                let file = conflict.file.as_deref().map(|file| file.strip_prefix(directory.path()).unwrap());
                let file = file.map(|file| file.display().to_string()).unwrap_or_default();
                format!("{:?} {} {file} {:?}", conflict.weight, conflict.what, conflict.line)
            })
            .collect();
        assert_eq!(
            lines,
            [
                "Blocks CLAUDE_CODE_USE_VERTEX  None",
                "Blocks ANTHROPIC_AUTH_TOKEN managed/managed-settings.d/10-a.json Some(2)",
                "Blocks ANTHROPIC_BASE_URL work/.claude/settings.json Some(3)",
                "Warns ANTHROPIC_API_KEY user/.zshrc Some(2)",
                "Warns These settings can't be read (line 1, column 3 is not valid JSON (key must be a string)) managed/managed-settings.json None",
                "Warns apiKeyHelper user/.claude/settings.json Some(2)",
                "Notes ANTHROPIC_BASE_URL user/.config/fish/conf.d/a.fish Some(1)",
                "Notes A claude.ai login is kept user/.claude/.credentials.json None",
            ]
        );
        let words: String = found.iter().map(Conflict::to_string).collect();
        assert!(!words.contains("canary"), "{words}");
    }
}

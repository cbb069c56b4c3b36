//! How each shell writes "this variable has this value", so that pasting the line gives exactly the value.

use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shell {
    /// bash, and every other POSIX shell.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
    /// PowerShell.
    Powershell,
    /// The Windows command prompt.
    Cmd,
    /// Nushell.
    Nu,
}

impl Shell {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Bash, Self::Zsh, Self::Fish, Self::Powershell, Self::Cmd, Self::Nu];

    /// The lines for these variables, without the last one's end.
    pub fn assignments(self, variables: &[(String, String)]) -> String {
        let lines = variables.iter().map(|(name, value)| self.assignment(name, value));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// One line, without its end.
    fn assignment(self, name: &str, value: &str) -> String {
        match self {
            Self::Bash | Self::Zsh => format!("export {name}='{}'", value.replace('\'', r"'\''")),
            Self::Fish => format!("set -gx {name} '{}'", value.replace('\\', r"\\").replace('\'', r"\'")),
            Self::Powershell => format!("$env:{name} = '{}'", powershell(value)),
            Self::Cmd => cmd(name, value),
            Self::Nu => format!("$env.{name} = {}", nu(value)),
        }
    }
}

impl Shell {
    /// A function that runs Claude Code through Dragoman, for the shell's start file.
    pub fn function(self, name: &str, program: &str) -> String {
        match self {
            Self::Bash | Self::Zsh => {
                let program = program.replace('\'', r"'\''");
                format!("{name}() {{ '{program}' run -- claude \"$@\"; }}")
            }
            Self::Fish => {
                let program = program.replace('\\', r"\\").replace('\'', r"\'");
                format!("function {name}; '{program}' run -- claude $argv; end")
            }
            Self::Powershell => {
                format!("function {name} {{ & '{}' run -- claude @args }}", powershell(program))
            }
            Self::Cmd => format!("doskey {name}=\"{program}\" run -- claude $*"),
            Self::Nu => {
                format!("def --wrapped {name} [...rest] {{ ^{} run -- claude ...$rest }}", nu(program))
            }
        }
    }
}

/// PowerShell takes typographic single quotes for plain ones.
fn powershell(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for character in value.chars() {
        quoted.push(character);
        if matches!(character, '\'' | '\u{2018}'..='\u{201b}') {
            quoted.push(character);
        }
    }
    quoted
}

/// Within quotes cmd leaves everything alone but `"` and `%`; where the value has one of these, each sign that means
/// something is escaped instead. `^%` is right at the prompt, where lines are pasted, and not in a batch file. A line
/// break can't be written at all: nothing of ours has one.
fn cmd(name: &str, value: &str) -> String {
    if !value.contains(['"', '%']) {
        return format!("set \"{name}={value}\"");
    }
    let mut escaped = String::with_capacity(value.len() * 2);
    for character in value.chars() {
        if matches!(character, '"' | '%' | '^' | '&' | '|' | '<' | '>' | '(' | ')' | '!') {
            escaped.push('^');
        }
        escaped.push(character);
    }
    format!("set {name}={escaped}")
}

/// Nushell's single quotes know no escapes at all, its double quotes do.
fn nu(value: &str) -> String {
    if value.contains('\'') {
        format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\""))
    } else {
        format!("'{value}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "http://127.0.0.1:3746";
    const NASTY: &str = r#"it's "two" $words & 100% \n `x`"#;

    #[test]
    fn plain_values() {
        let line = |shell: Shell| shell.assignment("A", PLAIN);
        assert_eq!(line(Shell::Bash), "export A='http://127.0.0.1:3746'");
        assert_eq!(line(Shell::Zsh), "export A='http://127.0.0.1:3746'");
        assert_eq!(line(Shell::Fish), "set -gx A 'http://127.0.0.1:3746'");
        assert_eq!(line(Shell::Powershell), "$env:A = 'http://127.0.0.1:3746'");
        assert_eq!(line(Shell::Cmd), "set \"A=http://127.0.0.1:3746\"");
        assert_eq!(line(Shell::Nu), "$env.A = 'http://127.0.0.1:3746'");
    }

    #[test]
    fn values_with_quotes_and_spaces() {
        let line = |shell: Shell| shell.assignment("A", NASTY);
        assert_eq!(line(Shell::Bash), r#"export A='it'\''s "two" $words & 100% \n `x`'"#);
        assert_eq!(line(Shell::Fish), r#"set -gx A 'it\'s "two" $words & 100% \\n `x`'"#);
        assert_eq!(line(Shell::Powershell), r#"$env:A = 'it''s "two" $words & 100% \n `x`'"#);
        assert_eq!(line(Shell::Cmd), r#"set A=it's ^"two^" $words ^& 100^% \n `x`"#);
        assert_eq!(line(Shell::Nu), r#"$env.A = "it's \"two\" $words & 100% \\n `x`""#);
        assert_eq!(Shell::Cmd.assignment("A", "a & b"), "set \"A=a & b\"");
        assert_eq!(Shell::Nu.assignment("A", r#"a "b" \n"#), r#"$env.A = 'a "b" \n'"#);
        assert_eq!(Shell::Powershell.assignment("A", "a’b"), "$env:A = 'a’’b'");
    }

    #[cfg(unix)]
    #[test]
    fn a_real_shell_reads_the_value_back() {
        for value in [PLAIN, NASTY, "", " ", "'", "a\nb", "!x", "-n"] {
            let script = format!("{}; printf %s \"$A\"", Shell::Bash.assignment("A", value));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
    }
}

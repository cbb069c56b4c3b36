//! The shells, as the command line names them. How each writes a value is the facade's.

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// bash, and every other POSIX shell
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// PowerShell
    #[value(alias = "pwsh")]
    Powershell,
    /// The Windows command prompt
    Cmd,
    /// Nushell
    #[value(alias = "nushell")]
    Nu,
}

impl From<Shell> for dragoman::Shell {
    fn from(shell: Shell) -> Self {
        match shell {
            Shell::Bash => Self::Bash,
            Shell::Zsh => Self::Zsh,
            Shell::Fish => Self::Fish,
            Shell::Powershell => Self::Powershell,
            Shell::Cmd => Self::Cmd,
            Shell::Nu => Self::Nu,
        }
    }
}

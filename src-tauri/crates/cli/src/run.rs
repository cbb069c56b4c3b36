//! `run` and `shell-function`: a command with the variables set, and nothing written anywhere.

use std::ffi::OsString;
use std::process::Command;

use dragoman::{INTERFERING, STREAMS, Scope, Weight};

use crate::args::Common;
use crate::shell::Shell;
use crate::words::{note, say};
use crate::{Exit, Trouble, look};

/// `dragoman run -- claude …`
pub(crate) async fn run(common: &Common, command: Vec<OsString>) -> Result<Exit, Trouble> {
    let (app, running) = look(common).await?;
    let found = running.as_ref().map(|found| app.environment_of(found));
    let conflicts = app.conflicts(&Scope::User).await;
    app.shutdown(STREAMS).await;
    let variables = found.ok_or(Trouble::NoServer)?;
    // Settings go before the environment: whoever has some that point elsewhere should know why this does nothing.
    let pointed_elsewhere = conflicts
        .iter()
        .flatten()
        .filter(|conflict| conflict.weight == Weight::Blocks && conflict.file.is_some());
    for conflict in pointed_elsewhere {
        note(format_args!("dragoman: {conflict}"));
    }
    let Some((program, arguments)) = command.split_first() else { return Ok(Exit::Success) };
    let mut child = Command::new(program);
    child.args(arguments).envs(variables);
    for name in INTERFERING {
        child.env_remove(name);
    }
    become_it(child).map_err(|error| Trouble::Command { program: program.display().to_string(), error })
}

/// The command takes the place of this process: signals, terminal and exit code are its own.
#[cfg(unix)]
fn become_it(mut command: Command) -> std::io::Result<Exit> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec())
}

/// There is no such thing here: wait for it, and end as it ends. Ctrl-C reaches it by itself.
#[cfg(not(unix))]
fn become_it(mut command: Command) -> std::io::Result<Exit> {
    let status = command.status()?;
    std::process::exit(status.code().unwrap_or(1))
}

/// `dragoman shell-function gpt`
pub(crate) fn function(shell: Shell, name: &str) -> Result<Exit, Trouble> {
    let program = std::env::current_exe().map_err(Trouble::System)?;
    say(dragoman::Shell::from(shell).function(name, &program.display().to_string()))?;
    Ok(Exit::Success)
}

/// A name that every shell takes for a function.
pub(crate) fn parse_name(name: &str) -> Result<String, String> {
    let word = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.chars().all(word) {
        Ok(name.to_owned())
    } else {
        Err(format!("{name:?} is not a name such as \"gpt\""))
    }
}

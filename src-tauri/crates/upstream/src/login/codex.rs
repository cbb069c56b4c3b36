//! The Codex CLI as a way in: the login that it has (`upstream.md` §a.7), and `codex login` run for the user.
//!
//! Not here: using and renewing that login (`accounts/`).

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::Desk;
use super::error::LoginError;
use super::progress::{LoginStep, Progress};
use crate::accounts::{Claims, CodexAuth, Found, Keeping, Secret, Unread};
use crate::identity::{numbers, version_in};

/// The oldest version whose `codex login` is known to leave a login that Dragoman reads.
const OLDEST: (u64, u64, u64) = (0, 130, 0);
/// For `codex --version`.
const VERSION: Duration = Duration::from_secs(10);
/// `codex login` waits for a person; it gives up by itself after 15 min.
const LIMIT: Duration = Duration::from_secs(20 * 60);
/// Of one line that it says.
const LONGEST: u64 = 4 << 10;

/// Looks at the login that the CLI has, and tells whose it is.
pub(super) async fn look(desk: &Desk, progress: &Progress) -> Result<(), LoginError> {
    let path = desk.codex_home.clone();
    let home = path.display().to_string();
    let read = tokio::task::spawn_blocking(move || {
        (CodexAuth::anywhere(path.clone()).read_anew(), Keeping::of(&path))
    });
    let (found, keeping) = read.await.map_err(|error| LoginError::Internal { why: error.to_string() })?;
    match found {
        Ok(Found::Login(tokens)) => {
            let read = |token: &Secret| Claims::read(token.expose()).unwrap_or_default();
            let who = tokens.id_token.as_ref().map(read).unwrap_or_default().or(read(&tokens.access_token));
            progress.push(LoginStep::CodexLogin { home, label: who.email, plan: who.plan });
            Ok(())
        }
        Ok(Found::ApiKey) => Err(LoginError::CodexApiKey { home }),
        Ok(Found::Nothing) => Err(match keeping {
            Keeping::File | Keeping::Auto => LoginError::NoCodexLogin { home },
            // It may keep an encrypted file of its own instead of the entry.
            Keeping::Keyring => LoginError::CodexHidden { home, mode: "keyring".to_owned() },
            Keeping::Hidden(mode) => LoginError::CodexHidden { home, mode },
        }),
        Err(Unread::Keyring(trouble)) => Err(LoginError::CodexKeyring { home, trouble }),
        Err(Unread::File(error)) => Err(LoginError::CodexUnreadable { home, why: error.to_string() }),
    }
}

/// Runs `codex login` to its end and shows what it says. Dropping the future ends the program and what it started.
pub(super) async fn run(desk: &Desk, progress: &Progress) -> Result<(), LoginError> {
    let version = version().await?;
    progress.push(LoginStep::CodexStarted { is_old: numbers(&version) < Some(OLDEST), version });
    let mut command = Command::new("codex");
    command.arg("login").env("CODEX_HOME", &desk.codex_home);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running =
        Running::start(command).map_err(|error| LoginError::CodexFailed { why: error.to_string() })?;
    let (out, err) = (running.child.stdout.take(), running.child.stderr.take());
    let ended = async {
        tokio::join!(said(out, progress), said(err, progress));
        running.child.wait().await
    };
    match tokio::time::timeout(LIMIT, ended).await {
        Ok(Ok(status)) if status.success() => {
            running.ended = true;
            Ok(())
        }
        Ok(Ok(status)) => {
            running.ended = true;
            Err(LoginError::CodexFailed { why: status.to_string() })
        }
        Ok(Err(error)) => Err(LoginError::CodexFailed { why: error.to_string() }),
        Err(_) => Err(LoginError::TimedOut { minutes: LIMIT.as_secs() / 60 }),
    }
}

async fn version() -> Result<String, LoginError> {
    let mut command = Command::new("codex");
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(VERSION, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(LoginError::CodexMissing);
        }
        Ok(Err(error)) => return Err(LoginError::CodexStrange { why: error.to_string() }),
        Err(_) => {
            return Err(LoginError::CodexStrange {
                why: format!("no answer within {} s", VERSION.as_secs()),
            });
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    match version_in(&said) {
        Some(version) if output.status.success() => Ok(version),
        _ => Err(LoginError::CodexStrange { why: format!("{}, it said {:?}", output.status, plain(&said)) }),
    }
}

/// A program and what it started. npm's `codex` is a script around the real one: ending the script alone would leave
/// that on the callback port.
struct Running {
    child: Child,
    ended: bool,
}

impl Running {
    fn start(mut command: Command) -> std::io::Result<Self> {
        #[cfg(unix)]
        command.process_group(0);
        Ok(Self { child: command.kill_on_drop(true).spawn()?, ended: false })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        #[cfg(unix)]
        if !self.ended
            && let Some(group) =
                self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()))
        {
            // Gone already: nothing to do.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
        }
    }
}

async fn said(pipe: Option<impl AsyncRead + Unpin>, progress: &Progress) {
    let Some(pipe) = pipe else { return };
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(LONGEST).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let line = plain(&String::from_utf8_lossy(&line));
                if !line.is_empty() {
                    progress.push(LoginStep::CodexSays { line });
                }
            }
        }
    }
}

/// Without colours and other control sequences.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut letters = line.trim_end().chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            // CSI: ESC [ … up to a letter (ECMA-48 §5.4). Anything else after ESC is two characters.
            if letters.next() == Some('[') {
                letters.by_ref().find(|c| ('@'..='~').contains(c));
            }
        } else if !letter.is_control() || letter == '\t' {
            plain.push(letter);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(plain("\u{1b}[1;94mhttps://x\u{1b}[0m\u{7} ok\r\n"), "https://x ok");
        assert_eq!(plain("\u{1b}"), "");
    }
}

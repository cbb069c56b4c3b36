//! What a click in the tray's menu does. Each act is one verb of the facade, or of the shell around it.
//!
//! Not here: what the menu shows (`menu.rs`). What goes wrong is told in words (`tell.rs`): a menu has no place for it.

use std::sync::{Mutex, PoisonError};

use arboard::Clipboard;
use dragoman::{App, Connect, Error, LoginKind, LoginRun, LoginStep, Scope, Server, Shell, Way, Weight};
use tauri::{AppHandle, Manager, async_runtime};
use tauri_plugin_autostart::ManagerExt as _;
use tokio::sync::watch;

use crate::menu::{Act, Doing};
use crate::{leave, tell, window};

/// What the shell is doing, for whoever shows it.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    doing: watch::Sender<Doing>,
    login: Mutex<Option<LoginRun>>,
    /// Kept: on X11 what was copied lives in the program that copied it.
    clipboard: Mutex<Option<Board>>,
}

/// The clipboard, which does not tell what is in it.
struct Board(Clipboard);

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Board")
    }
}

impl Busy {
    /// For whoever shows it.
    pub(crate) fn watch(&self) -> watch::Receiver<Doing> {
        self.doing.subscribe()
    }

    fn signing_in(&self, login: Option<LoginRun>) {
        self.doing.send_modify(|doing| doing.signing_in = login.is_some());
        // Dropping the one before cancels it.
        *self.login.lock().unwrap_or_else(PoisonError::into_inner) = login;
    }
}

/// Does it, off the main thread.
pub(crate) fn act(handle: &AppHandle, act: Act) {
    let handle = handle.clone();
    async_runtime::spawn(async move {
        let app = handle.state::<App>().inner().clone();
        let done = match act {
            Act::Switch => switch(&handle, &app).await,
            Act::SignIn => {
                sign_in(&handle, &app);
                Ok(())
            }
            Act::CancelSignIn => {
                handle.state::<Busy>().signing_in(None);
                Ok(())
            }
            Act::Use(account) => app.use_account(account.as_str()).await.map(drop),
            Act::Model(model) => app.set("models.default", model.as_deref()).await.map(drop),
            Act::Effort(effort) => {
                let word = effort.map(|effort| effort.to_string());
                app.set("models.effort", word.as_deref()).await.map(drop)
            }
            Act::SetUp => set_up(&app).await,
            Act::UndoSetUp => app.disconnect(Scope::User, false).await.map(drop),
            Act::Copy(shell) => {
                copy(&handle, &app, shell);
                Ok(())
            }
            Act::Open => {
                window::open(handle.clone(), None).await;
                Ok(())
            }
            Act::Logs => {
                window::open(handle.clone(), Some("logs")).await;
                Ok(())
            }
            Act::AtLogin => {
                at_login(&handle);
                Ok(())
            }
            Act::Quit => {
                leave::quit(&handle);
                Ok(())
            }
        };
        handle.state::<Busy>().doing.send_modify(|doing| doing.answered += 1);
        if let Err(error) = done {
            tell::trouble(&error.to_string()).await;
        }
    });
}

/// The snapshot tells what became of it, also of a port that is busy. What becomes of Claude Code meanwhile is asked in
/// the window, on whatever page it shows: a menu has no place for a question.
async fn switch(handle: &AppHandle, app: &App) -> Result<(), Error> {
    let is_on = matches!(app.snapshot().borrow().server, Server::On { .. });
    if is_on {
        app.turn_off().await;
        if app.asks_while_off() {
            window::open(handle.clone(), None).await;
        }
    } else if let Err(error) = app.turn_on().await {
        tracing::warn!(%error, "not listening");
    }
    Ok(())
}

/// In the browser. Success is told by the notice about the account.
fn sign_in(handle: &AppHandle, app: &App) {
    let login = app.login(LoginKind { way: Way::Browser { open: true }, workspace: None });
    let mut steps = login.steps();
    handle.state::<Busy>().signing_in(Some(login));
    let handle = handle.clone();
    async_runtime::spawn(async move {
        let is_last = |steps: &Vec<LoginStep>| steps.last().is_some_and(LoginStep::is_last);
        let last = steps.wait_for(is_last).await.ok().and_then(|steps| steps.last().cloned());
        if let Some(LoginStep::Failed(error)) = &last {
            tell::trouble(&error.to_string()).await;
        }
        // A cancelled one made room already, maybe for the next.
        if !matches!(last, Some(LoginStep::Cancelled) | None) {
            handle.state::<Busy>().signing_in(None);
        }
    });
}

async fn set_up(app: &App) -> Result<(), Error> {
    let connect = Connect { scope: Scope::User, disable_auto_mode: false, dry_run: false };
    let report = app.connect(connect, None).await?;
    // What stands in the way, for example a key in the environment: the worst comes first.
    let worst = report.conflicts.first();
    let title = worst.and_then(|worst| match worst.weight {
        Weight::Blocks => Some("Claude Code is set up, but goes elsewhere"),
        Weight::Warns => Some("Claude Code is set up, with something in the way"),
        Weight::Notes => None,
    });
    if let (Some(title), Some(worst)) = (title, worst) {
        tell::show(title, &worst.to_string()).await;
    }
    Ok(())
}

fn copy(handle: &AppHandle, app: &App, shell: Shell) {
    let lines = shell.assignments(&app.environment()) + "\n";
    let mut kept = handle.state::<Busy>().inner().clipboard.lock().unwrap_or_else(PoisonError::into_inner);
    let copied = match kept.take() {
        Some(board) => Ok(board),
        None => Clipboard::new().map(Board),
    }
    .and_then(|mut board| board.0.set_text(lines).map(|()| board));
    match copied {
        Ok(board) => *kept = Some(board),
        Err(error) => {
            async_runtime::spawn(async move {
                tell::trouble(&format!(
                    "Nothing was copied ({error}). `dragoman env` prints the same lines."
                ))
                .await;
            });
        }
    }
}

/// From what it is to the other: what the menu showed may be older.
fn at_login(handle: &AppHandle) {
    let launcher = handle.autolaunch();
    let changed =
        launcher.is_enabled().and_then(|on| if on { launcher.disable() } else { launcher.enable() });
    look_at_login(handle);
    if let Err(error) = changed {
        let words = format!("Start at login could not be changed: {error}");
        async_runtime::spawn(async move { tell::trouble(&words).await });
    }
}

/// Asks the system whether the program starts at login.
pub(crate) fn look_at_login(handle: &AppHandle) {
    let at_login = handle.autolaunch().is_enabled().ok();
    handle.state::<Busy>().doing.send_modify(|doing| doing.at_login = at_login);
}

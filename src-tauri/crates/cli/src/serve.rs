//! `serve` and `demo`: the server in the foreground.

use std::net::SocketAddr;

use dragoman::settings::AdminListen;
use dragoman::{AccountState, App, BackendKind, Options, STREAMS, Server, Snapshot};

use crate::args::{Common, Serve};
use crate::shell::Shell;
use crate::status::account;
use crate::{Exit, Signals, Trouble, words};

/// `dragoman serve`
pub(crate) async fn serve(common: &Common, serve: Serve) -> Result<Exit, Trouble> {
    let options = Options {
        listen: serve.listen,
        admin_listen: serve.admin_listen,
        backend: Some(serve.backend.into()),
        log_file: true,
        ..common.options()
    };
    foreground(options, None).await
}

/// `dragoman demo`
pub(crate) async fn demo(common: &Common, listen: Option<SocketAddr>, shell: Shell) -> Result<Exit, Trouble> {
    let options = Options {
        listen: Some(listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))),
        admin_listen: Some(AdminListen::Off),
        backend: Some(BackendKind::Demo),
        log_file: true,
        ..common.options()
    };
    foreground(options, Some(shell)).await
}

/// Serve until a signal comes. `paste`: print the variables for this shell.
async fn foreground(options: Options, paste: Option<Shell>) -> Result<Exit, Trouble> {
    let mut signals = Signals::listen().map_err(Trouble::System)?;
    let app = App::start(options).await?;
    app.open_admin().await;
    let address = match app.turn_on().await {
        Ok(address) => address,
        Err(error) => {
            app.shutdown(STREAMS).await;
            return Err(error.into());
        }
    };
    let snapshot = app.snapshot().borrow().clone();
    let mut greeting = format!("Listening on http://{address}\n{}\n", introduction(&snapshot));
    if let Some(shell) = paste {
        greeting += "\nPaste these lines into another terminal, then run `claude` there:\n\n";
        greeting += &dragoman::Shell::from(shell).assignments(&app.environment());
        greeting += "\n\nAsk it anything; it can also call a tool. Nothing leaves this machine.\n";
    } else {
        greeting += "Claude Code: `dragoman connect` for good, or `dragoman run -- claude` this once.\n";
    }
    match &snapshot.admin {
        Server::On { .. } => greeting += "Dashboard: `dragoman open`.\n",
        Server::Failed { message } => words::note(format_args!("No dashboard: {message}")),
        Server::Off => {}
    }
    greeting += "Press Ctrl-C to stop.";
    // A server is useful also where no one reads what it says.
    let _unread = words::say(greeting);
    for hint in &snapshot.hints {
        words::note(format_args!("Note: {hint}"));
    }

    signals.next().await;
    let running = app.snapshot().borrow().activity.running.len();
    if running > 0 {
        let requests = if running == 1 { "request" } else { "requests" };
        words::note(format_args!(
            "Stopping: {running} {requests} may take up to {} s to end; Ctrl-C ends them now.",
            STREAMS.as_secs()
        ));
    }
    tokio::select! {
        () = app.shutdown(STREAMS) => Ok(Exit::Success),
        () = signals.next() => Ok(Exit::Failure),
    }
}

/// Who answers, in one or two sentences.
fn introduction(snapshot: &Snapshot) -> String {
    let version = format!("Dragoman {}", snapshot.version);
    match &snapshot.account.state {
        AccountState::Ready => {
            format!("{version} answers with {}.", account(&snapshot.account, &snapshot.accounts))
        }
        AccountState::SignIn(message) | AccountState::Locked(message) => {
            format!("{version} can't answer yet: {message}")
        }
        AccountState::None => {
            format!(
                "{version} can't answer yet: no one is signed in. Run `dragoman login`; no restart is needed."
            )
        }
    }
}

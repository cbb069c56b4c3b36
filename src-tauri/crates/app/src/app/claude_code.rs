//! The verbs around Claude Code's set-up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::App;
use crate::claude_code::{
    self, Aim, Conflict, Connect, Keeper, Refused, Report, Scope, Standing, Status, conflicts,
};
use crate::running::{Found, client_address};
use crate::settings::WhenOff;
use crate::snapshot::{Board, Server};
use crate::{Error, Models};

/// How long the backend may take to list its models before those known before are written.
const MODELS: Duration = Duration::from_secs(5);
/// How long a change that someone else made in the settings may stay unnoticed.
const LOOK: Duration = Duration::from_secs(10);

impl App {
    /// Point Claude Code at the server: that of another process, this one's, or the one that would be turned on.
    pub async fn connect(&self, connect: Connect, found: Option<&Found>) -> Result<Report, Error> {
        let address = match (found, self.inner.board.server()) {
            (Some(found), _) => found.running.address,
            (None, Server::On { address }) => address,
            (None, Server::Off | Server::Failed { .. }) => {
                let listen = self.settings().server.listen;
                if listen.port() == 0 {
                    return Err(Refused::NoAddress.into());
                }
                client_address(listen)
            }
        };
        let models = self.fresh_models(MODELS).await;
        let aim = Aim { address, models: with_window(models, found) };
        let scope = connect.scope.clone();
        let report = self.quietly(move |keeper| keeper.connect(&connect, &aim)).await;
        look(&self.inner.keeper, &self.inner.board).await;
        let report = report?;
        Ok(Report { conflicts: self.conflicts(&scope).await?, ..report })
    }

    /// Undo it: every key that is still as Dragoman wrote it gets its earlier value back.
    pub async fn disconnect(&self, scope: Scope, dry_run: bool) -> Result<Report, Error> {
        let report = self.quietly(move |keeper| keeper.disconnect(&scope, dry_run)).await;
        look(&self.inner.keeper, &self.inner.board).await;
        report
    }

    /// Dragoman is off, and the user lets Claude Code go back to Anthropic until it is on again.
    pub async fn suspend(&self) -> Result<Status, Error> {
        if let Server::On { .. } = self.inner.board.server() {
            return Err(Refused::IsOn.into());
        }
        self.quietly(Keeper::suspend).await?;
        self.set_up(Scope::User).await
    }

    /// Must somebody say what becomes of Claude Code while Dragoman is off? It comes here, and the user wants to be
    /// asked.
    pub fn asks_while_off(&self) -> bool {
        let snapshot = self.snapshot();
        let snapshot = snapshot.borrow();
        let is_off = !matches!(snapshot.server, Server::On { .. });
        let is_asked = self.settings().claude_code.when_off == WhenOff::Ask;
        is_off && is_asked && snapshot.claude_code == Standing::Connected
    }

    /// How Claude Code is set up.
    pub async fn set_up(&self, scope: Scope) -> Result<Status, Error> {
        self.quietly(move |keeper| keeper.status(&scope)).await
    }

    /// What else decides where Claude Code goes, the worst first.
    pub async fn conflicts(&self, scope: &Scope) -> Result<Vec<Conflict>, Error> {
        let directory = match scope {
            Scope::User => std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            Scope::Project(directory) => directory.clone(),
        };
        let environment = self.inner.environment.clone();
        self.quietly(move |keeper| Ok(conflicts::find(&keeper.paths, &environment, &directory))).await
    }

    /// On a thread that may wait for the disk.
    async fn quietly<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Keeper) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let keeper = self.inner.keeper.clone();
        tokio::task::spawn_blocking(move || act(&keeper)).await.map_err(|_| Error::Stopping)?
    }

    /// The switch was turned on, here: what is connected follows.
    pub(super) async fn follow(&self, address: SocketAddr) {
        let models = self.inner.board.subscribe().borrow().models.clone();
        keep(&self.inner.keeper, Aim { address, models }).await;
        look(&self.inner.keeper, &self.inner.board).await;
    }

    /// The switch was turned off: Claude Code goes back to Anthropic, if that is wished.
    pub(super) async fn let_go(&self) {
        match self.settings().claude_code.when_off {
            WhenOff::Always => {}
            WhenOff::Never | WhenOff::Ask => return,
        }
        if let Err(error) = self.quietly(Keeper::suspend).await {
            tracing::warn!(%error, "Claude Code's settings could not be restored");
        }
        look(&self.inner.keeper, &self.inner.board).await;
    }
}

/// The window that the serving process tells: its map may differ from this one's.
pub(super) fn with_window(models: Models, found: Option<&Found>) -> Models {
    let window = found.and_then(|found| found.health.context_window).unwrap_or(models.window);
    Models { window, ..models }
}

/// Follows the models: a changed map or catalog changes names and window. Looks at the settings from time to time.
pub(super) async fn watch(keeper: Keeper, board: Arc<Board>, stop: CancellationToken) {
    let mut snapshots = board.subscribe();
    let (mut last, mut looked) = (None, None::<Instant>);
    loop {
        let aim = {
            let snapshot = snapshots.borrow_and_update();
            match snapshot.server {
                Server::On { address } => Some(Aim { address, models: snapshot.models.clone() }),
                Server::Off | Server::Failed { .. } => None,
            }
        };
        if let Some(aim) = aim.filter(|aim| last.as_ref() != Some(aim)) {
            keep(&keeper, aim.clone()).await;
            last = Some(aim);
        }
        if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            look(&keeper, &board).await;
            looked = Some(Instant::now());
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = snapshots.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Puts into the picture what the settings say. A file that can't be read says nothing new.
async fn look(keeper: &Keeper, board: &Board) {
    let keeper = keeper.clone();
    let status = tokio::task::spawn_blocking(move || keeper.status(&Scope::User)).await;
    if let Ok(Ok(status)) = status {
        board.pin_claude_code(status.state);
    }
}

async fn keep(keeper: &Keeper, aim: Aim) {
    let keeper = keeper.clone();
    let kept = tokio::task::spawn_blocking(move || {
        if claude_code::is_ours_to_keep(&keeper.paths, aim.address) { keeper.keep(&aim) } else { Ok(()) }
    });
    if let Ok(Err(error)) = kept.await {
        tracing::warn!(%error, "Claude Code's settings could not follow");
    }
}

//! What the page may call. Each is one verb of [`App`]; a new one also needs its name in `permissions/commands.toml`.

use std::sync::Arc;

use dragoman::{App, Snapshot};
use tauri::State;
use tokio::sync::watch;

use crate::tray::Standing;

/// The state that the page draws; later ones come as the event `snapshot`.
#[tauri::command]
pub(crate) fn snapshot(app: State<'_, App>) -> Arc<Snapshot> {
    app.snapshot().borrow().clone()
}

/// Starts or stops listening; resolves when that is done.
#[tauri::command]
pub(crate) async fn set_server(app: State<'_, App>, on: bool) -> Result<(), String> {
    if on {
        app.turn_on().await.map_err(|error| error.to_string())?;
    } else {
        app.turn_off().await;
    }
    Ok(())
}

/// The variables that point Claude Code here.
#[tauri::command]
pub(crate) fn environment(app: State<'_, App>) -> Vec<(String, String)> {
    app.environment()
}

/// Why there is no tray icon, if there is none; changes come as the event `notice`.
#[tauri::command]
pub(crate) fn notice(standing: State<'_, watch::Sender<Standing>>) -> Option<&'static str> {
    standing.borrow().notice()
}

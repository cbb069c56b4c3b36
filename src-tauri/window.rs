//! The window: made on demand and gone when closed, because WebKit costs three times what the rest does.

use std::time::Duration;

use tauri::{AppHandle, Manager, WebviewUrl, WebviewWindowBuilder};
use tokio::sync::watch;

use crate::Opening;
use crate::commands::Streams;
use crate::tray::Standing;

const LABEL: &str = "main";

/// How long a tray may take to appear, from our own start on: at login the panel may start after us.
const GRACE: Duration = Duration::from_secs(2);

/// Opens the window, or brings the open one to the front. Not from the main thread: on Windows that deadlocks.
pub(crate) async fn open(handle: AppHandle) {
    let opened = match handle.get_webview_window(LABEL) {
        Some(window) => window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus()),
        None => WebviewWindowBuilder::new(&handle, LABEL, WebviewUrl::App("index.html".into()))
            .title("Dragoman")
            .inner_size(880.0, 600.0)
            .min_inner_size(640.0, 480.0)
            // A page that is loaded again, or goes, leaves its streams behind.
            .on_page_load(|window, _| window.state::<Streams>().end_all())
            .build()
            .map(drop),
    };
    if let Err(error) = opened {
        tracing::error!(%error, "the window did not open");
    }
}

/// Opens the window at the start if it was asked for, or if nothing else of the program can be seen.
pub(crate) async fn open_at_start(handle: AppHandle, opening: Opening) {
    let wanted = match opening {
        Opening::Window => true,
        Opening::IfHomeless => {
            let mut standing = handle.state::<watch::Sender<Standing>>().subscribe();
            let settled = standing.wait_for(|standing| standing.is_settled());
            let settled = tokio::time::timeout(GRACE, settled).await.is_ok();
            !settled || standing.borrow().is_homeless()
        }
        Opening::Background => false,
    };
    if wanted {
        open(handle).await;
    }
}

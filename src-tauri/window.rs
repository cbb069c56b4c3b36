//! The window: made on demand and gone when closed, because WebKit costs three times what the rest does.

use std::time::Duration;

use dragoman::{App, TrayState};
use tauri::{AppHandle, Manager, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tokio::sync::Mutex;

use crate::Opening;
use crate::commands::Streams;
use crate::size::{LEAST, Size};

const LABEL: &str = "main";

/// Held while a window opens: until it is there, a second one would not know of it.
#[derive(Debug, Default)]
pub(crate) struct Opener(Mutex<()>);

/// How long a tray may take to appear, from our own start on: at login the panel may start after us.
const GRACE: Duration = Duration::from_secs(2);

/// Opens the window, or brings the open one to the front. Not from the main thread: on Windows that deadlocks.
///
/// `page`: which one of the rail it shows; the one it was left at otherwise.
pub(crate) async fn open(handle: AppHandle, page: Option<&str>) {
    let opener = handle.state::<Opener>();
    let _one_at_a_time = opener.0.lock().await;
    let place = page.map(|page| format!("#/{page}")).unwrap_or_default();
    let opened = match handle.get_webview_window(LABEL) {
        Some(window) => {
            window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus()).and_then(
                |()| match page {
                    Some(_) => window.eval(format!("location.hash = '{place}'")),
                    None => Ok(()),
                },
            )
        }
        None => {
            let size = Size::last(&handle.state::<App>());
            WebviewWindowBuilder::new(&handle, LABEL, WebviewUrl::App(format!("index.html{place}").into()))
                .title("Dragoman")
                .inner_size(size.width, size.height)
                .maximized(size.maximized)
                .min_inner_size(LEAST.0, LEAST.1)
                // A page that is loaded again, or goes, leaves its streams behind.
                .on_page_load(|window, _| window.state::<Streams>().end_all())
                .build()
                .map(|window| care(&window))
        }
    };
    if let Err(error) = opened {
        tracing::error!(%error, "the window did not open");
    }
}

/// Keeps what the open window should remember: when it closes, and when the program ends.
pub(crate) fn remember(handle: &AppHandle) {
    if let Some(window) = handle.get_webview_window(LABEL) {
        Size::keep(&handle.state::<App>(), &window);
    }
}

/// Loads the page again if the process that draws it has died: without this the window would stay empty. And lets it be
/// drawn without the graphics card: text and small charts need none, and without one at hand WebKit takes 80 MiB for an
/// imitation (`make bench`, memory).
#[cfg(target_os = "linux")]
fn care(window: &WebviewWindow) {
    use gtk::glib;
    use webkit2gtk::{HardwareAccelerationPolicy, SettingsExt as _, WebViewExt as _};
    /// A page that dies at once must not keep the machine busy.
    const PAUSE: Duration = Duration::from_secs(1);
    let watched = window.with_webview(|webview| {
        let page = webview.inner();
        if let Some(settings) = page.settings() {
            settings.set_hardware_acceleration_policy(HardwareAccelerationPolicy::Never);
        }
        page.connect_web_process_terminated(|page, reason| {
            tracing::warn!(?reason, "the window's page has died; it is loaded again");
            let page = page.clone();
            glib::timeout_add_local_once(PAUSE, move || page.reload());
        });
    });
    if let Err(error) = watched {
        tracing::debug!(%error, "the window is gone");
    }
}

/// The system's own webview looks after it.
#[cfg(not(target_os = "linux"))]
fn care(_: &WebviewWindow) {}

/// Opens the window at the start if it was asked for, or if nothing else of the program can be seen.
pub(crate) async fn open_at_start(handle: AppHandle, opening: Opening) {
    let wanted = match opening {
        Opening::Window => true,
        Opening::IfHomeless => {
            let mut tray = handle.state::<App>().tray();
            let settled = tray.wait_for(|tray| tray.is_some_and(TrayState::is_settled));
            let settled = tokio::time::timeout(GRACE, settled).await.is_ok();
            !settled || tray.borrow().is_some_and(TrayState::is_homeless)
        }
        Opening::Background => false,
    };
    if wanted {
        open(handle, None).await;
    }
}

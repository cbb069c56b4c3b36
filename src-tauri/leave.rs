//! The way out (DECISIONS 27): the first Quit closes the listener at once and gives open streams some time, a second
//! one ends them. A signal from the session counts as Quit.

use dragoman::{App, STREAMS};
use tauri::{AppHandle, Manager, async_runtime};
use tokio::sync::watch;

/// Whether Quit was asked for; the tray says so while streams end.
#[derive(Debug)]
pub(crate) struct Leaving(watch::Sender<bool>);

impl Default for Leaving {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Leaving {
    /// For whoever shows it.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

/// Quit, from the menu, the window without a tray, or a signal.
pub(crate) fn quit(handle: &AppHandle) {
    if handle.state::<Leaving>().0.send_replace(true) {
        handle.exit(0);
        return;
    }
    let handle = handle.clone();
    async_runtime::spawn(async move {
        handle.state::<App>().shutdown(STREAMS).await;
        handle.exit(0);
    });
}

/// Quits on SIGTERM, SIGINT and SIGHUP (the end of the session).
#[cfg(unix)]
pub(crate) async fn on_signal(handle: AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    let signals =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else { return };
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
        quit(&handle);
    }
}

/// Quits on Ctrl-C; the end of a Windows session closes windows and processes by itself.
#[cfg(not(unix))]
pub(crate) async fn on_signal(handle: AppHandle) {
    while tokio::signal::ctrl_c().await.is_ok() {
        quit(&handle);
    }
}

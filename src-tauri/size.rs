//! How large the window was when it was last seen, kept in the state directory.
//!
//! What can't be read or written is no harm: the window opens in its first size. Not here: where the window stands, which
//! is the window manager's business.

use std::path::PathBuf;

use dragoman::App;
use dragoman::paths::{Mode, write_atomic};
use serde::{Deserialize, Serialize};
use tauri::WebviewWindow;

/// The smallest size the window can have.
pub(crate) const LEAST: (f64, f64) = (640.0, 480.0);

/// In logical pixels, so that it fits a screen of another density.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Size {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// It filled the screen; width and height are those from before.
    pub(crate) maximized: bool,
}

impl Default for Size {
    fn default() -> Self {
        Self { width: 880.0, height: 600.0, maximized: false }
    }
}

impl Size {
    /// The size from the last time, else the first one.
    pub(crate) fn last(app: &App) -> Self {
        let kept = std::fs::read(file(app)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        kept.filter(Self::can_be).unwrap_or_default()
    }

    /// Keeps the window's size for the next time.
    pub(crate) fn keep(app: &App, window: &WebviewWindow) {
        let kept = Self::last(app).then(window).ok().filter(Self::can_be);
        if let Some(text) = kept.and_then(|size| serde_json::to_vec(&size).ok())
            && let Err(error) = write_atomic(&file(app), &text, Mode::Keep)
        {
            tracing::warn!(%error, "the window's size was not kept");
        }
    }

    /// What became of it.
    fn then(self, window: &WebviewWindow) -> tauri::Result<Self> {
        if window.is_maximized()? {
            return Ok(Self { maximized: true, ..self });
        }
        let size = window.inner_size()?.to_logical::<f64>(window.scale_factor()?);
        Ok(Self { width: size.width, height: size.height, maximized: false })
    }

    /// A minimized window has no size on some systems, and a file can say anything.
    fn can_be(&self) -> bool {
        const MOST: f64 = 16_384.0;
        (LEAST.0..MOST).contains(&self.width) && (LEAST.1..MOST).contains(&self.height)
    }
}

fn file(app: &App) -> PathBuf {
    app.paths().state.join("window.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_no_window_has_is_none() {
        let size = |width, height| Size { width, height, maximized: false };
        assert!(Size::default().can_be() && size(640.0, 480.0).can_be());
        for wrong in [size(0.0, 0.0), size(639.0, 600.0), size(880.0, 1e9), size(f64::NAN, 600.0)] {
            assert!(!wrong.can_be(), "{wrong:?}");
        }
    }
}

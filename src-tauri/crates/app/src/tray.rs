//! Whether a person can find the desktop app in a tray: found out by the shell, told to whoever asks. Not here: the icon.

/// What is known of it; before anything is, it is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrayState {
    /// There is a tray with our icon in it.
    Here,
    /// Nothing shows tray icons at the moment.
    NoHost,
    /// No icon can be made here: a library is missing.
    NoLibrary,
}

impl TrayState {
    /// True if waiting can't make it better.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Here | Self::NoLibrary)
    }

    /// True if the window is the only way to the program.
    pub fn is_homeless(self) -> bool {
        matches!(self, Self::NoHost | Self::NoLibrary)
    }
}

//! Newer versions of the desktop app: what is known of them, and what the user wants done.
//!
//! Not here: looking for one and installing it. The desktop app does that and tells ([`crate::App::tell_update`]); the
//! program for the terminal is renewed with its package.

use serde::Serialize;
use tokio::sync::broadcast;
use ts_rs::TS;
use utoipa::ToSchema;

/// What is known of newer versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Update {
    /// Nobody looks here: this is not the desktop app, or it knows neither an address to ask nor a key.
    Unavailable,
    /// The user has not switched it on, and nothing is asked.
    Off,
    /// The address is being asked.
    Looking,
    /// There was nothing newer.
    Newest {
        /// When that was, unix seconds.
        looked_at: i64,
    },
    /// There is a newer version, as the list at the address says.
    Found {
        /// Which.
        version: String,
        /// What is new in it.
        notes: Option<String>,
    },
    /// The user wanted it, and it is being loaded, checked and installed.
    Installing {
        /// Which.
        version: String,
    },
    /// It is there, and counts from the next start.
    Installed {
        /// Which.
        version: String,
    },
    /// Looking or installing did not work.
    Failed {
        /// What happened and what to do.
        message: String,
        /// The version that could not be installed, and can be tried again.
        version: Option<String>,
    },
}

/// What the user wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateWish {
    /// Look now.
    Look,
    /// Install what was found.
    Install,
}

impl Update {
    /// Can that be done now?
    fn allows(&self, wish: UpdateWish) -> bool {
        match (self, wish) {
            (Self::Newest { .. } | Self::Found { .. } | Self::Failed { .. }, UpdateWish::Look)
            | (Self::Found { .. } | Self::Failed { version: Some(_), .. }, UpdateWish::Install) => true,
            (
                Self::Unavailable
                | Self::Off
                | Self::Looking
                | Self::Newest { .. }
                | Self::Installing { .. }
                | Self::Installed { .. }
                | Self::Failed { version: None, .. },
                _,
            ) => false,
        }
    }
}

/// A wish that nobody can fulfil now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoUpdate {
    /// Nobody looks for newer versions.
    #[error("nobody looks for newer versions here; switch updates.check on in the desktop app")]
    NotLooking,
    /// It is busy, or done.
    #[error("that can't be done now: see what is known of newer versions")]
    NotNow,
}

/// Where wishes come in.
#[derive(Debug)]
pub(crate) struct Updates(broadcast::Sender<UpdateWish>);

impl Default for Updates {
    fn default() -> Self {
        Self(broadcast::Sender::new(4))
    }
}

impl Updates {
    pub(crate) fn wish(&self, known: &Update, wish: UpdateWish) -> Result<(), NoUpdate> {
        match known {
            Update::Unavailable | Update::Off => Err(NoUpdate::NotLooking),
            known if !known.allows(wish) => Err(NoUpdate::NotNow),
            _ => self.0.send(wish).map(drop).map_err(|_| NoUpdate::NotLooking),
        }
    }

    pub(crate) fn wishes(&self) -> UpdateWishes {
        UpdateWishes(self.0.subscribe())
    }
}

/// The wishes from the moment of asking on.
#[derive(Debug)]
pub struct UpdateWishes(broadcast::Receiver<UpdateWish>);

impl UpdateWishes {
    /// The next one; waits for it. `None` once the program has ended.
    pub async fn next(&mut self) -> Option<UpdateWish> {
        loop {
            match self.0.recv().await {
                Ok(wish) => return Some(wish),
                // Of many clicks some may be lost.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_found_can_be_installed_and_only_by_somebody_who_looks() {
        let updates = Updates::default();
        let found = Update::Found { version: "1.0.0".to_owned(), notes: None };
        assert_eq!(updates.wish(&found, UpdateWish::Install), Err(NoUpdate::NotLooking), "nobody listens");
        let mut wishes = updates.wishes();
        assert_eq!(updates.wish(&found, UpdateWish::Install), Ok(()));
        assert_eq!(wishes.0.try_recv(), Ok(UpdateWish::Install));
        let failed = |version: Option<&str>| Update::Failed {
            message: "no".to_owned(),
            version: version.map(str::to_owned),
        };
        assert_eq!(updates.wish(&failed(Some("1.0.0")), UpdateWish::Install), Ok(()));
        assert_eq!(updates.wish(&failed(None), UpdateWish::Install), Err(NoUpdate::NotNow));
        assert_eq!(updates.wish(&failed(None), UpdateWish::Look), Ok(()));
        for busy in [Update::Looking, Update::Installing { version: "1.0.0".to_owned() }] {
            assert_eq!(updates.wish(&busy, UpdateWish::Look), Err(NoUpdate::NotNow), "{busy:?}");
        }
        for nobody in [Update::Off, Update::Unavailable] {
            assert_eq!(updates.wish(&nobody, UpdateWish::Look), Err(NoUpdate::NotLooking), "{nobody:?}");
        }
    }
}

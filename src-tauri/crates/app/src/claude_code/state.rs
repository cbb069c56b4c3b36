//! What Dragoman remembers of the settings files it has written to: what stood there before, and what is its own. It is
//! written before the settings file is, so that a crash at any point leaves something that can be undone.
//!
//! Not here: the settings files themselves (`file.rs`).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::json::{self, Before, Key};
use crate::Error;
use crate::paths::{self, Mode, Paths};

/// All settings files that Dragoman has written to and not restored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct State {
    pub(crate) connections: Vec<Connection>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Connection {
    pub(crate) file: PathBuf,
    /// Is it the user's, not a project's?
    pub(crate) user: bool,
    /// Was auto mode to be switched off as well?
    pub(crate) disable_auto_mode: bool,
    /// Is it restored while Dragoman is off, to be written again when it is on?
    pub(crate) suspended: bool,
    pub(crate) origin: Origin,
    /// The file as it was before the first write.
    pub(crate) backup: Option<PathBuf>,
    pub(crate) entries: Vec<Entry>,
}

/// What the file was before the first write.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// It held JSON.
    There,
    /// It held nothing but this white space.
    Blank(String),
    /// There was none; and its directory was not there either.
    Missing { directory: bool },
}

/// One member of ours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) before: Before,
    /// What we wrote, as JSON; while a write is under way, the old and the new value.
    pub(crate) ours: Vec<String>,
}

impl Entry {
    /// Is this value one that we wrote?
    pub(crate) fn owns(&self, value: &str) -> bool {
        self.ours.iter().any(|ours| json::same(ours, value))
    }
}

impl State {
    pub(crate) fn read(paths: &Paths) -> Result<Self, Error> {
        let path = paths.claude_code_state();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::file("read", &path)(error)),
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::file("understand", &path)(io::Error::other(error)))
    }

    pub(crate) fn write(&self, paths: &Paths) -> Result<(), Error> {
        let path = paths.claude_code_state();
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        paths::write_atomic(&path, &text, Mode::Private).map_err(Error::file("write", &path))
    }

    pub(crate) fn of(&self, file: &Path) -> Option<&Connection> {
        self.connections.iter().find(|connection| connection.file == file)
    }

    /// The same with this connection in place of the one for its file.
    pub(crate) fn with(&self, file: &Path, connection: Option<Connection>) -> Self {
        let others = self.connections.iter().filter(|other| other.file != file);
        Self { connections: others.cloned().chain(connection).collect() }
    }
}

/// Held while settings and state are read and written: `dragoman connect` in a terminal and a running Dragoman take
/// turns. Blocks; every holder is quick.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "the lock is let go when the file is closed")] File);

impl Turn {
    pub(crate) fn take(paths: &Paths) -> Result<Self, Error> {
        let path = paths.claude_code_lock();
        let locked = || {
            paths::create_directory(&paths.state)?;
            let file = paths::open_private(&path)?;
            file.lock()?;
            Ok(file)
        };
        locked().map(Self).map_err(Error::file("lock", &path))
    }
}

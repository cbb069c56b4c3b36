//! What can be wrong with the file, and how it is told.

use std::io;

use rusqlite::ErrorCode;

/// Why the history can't be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// It is no database, or a broken one.
    #[error("the file is damaged ({0})")]
    Damaged(String),
    /// A later Dragoman wrote it.
    #[error("a newer version of Dragoman wrote the file (its format is {version})")]
    Newer {
        /// The format's number.
        version: i64,
    },
    /// There is no place for it.
    #[error("{0}")]
    Place(#[from] io::Error),
    /// SQLite says no for now: the disk is full, or another process holds the file.
    #[error("{}", words(.0))]
    Refused(rusqlite::Error),
}

impl Trouble {
    /// Would another file do better?
    pub(super) fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_))
    }

    /// Does another process hold the file just now?
    pub(super) fn is_busy(&self) -> bool {
        let code = match self {
            Self::Refused(error) => error.sqlite_error_code(),
            _ => None,
        };
        matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Refused(error),
        }
    }
}

fn words(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "there is no room left on the disk".to_owned(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds the file".to_owned()
        }
        Some(ErrorCode::ReadOnly) => "the file or its directory can't be written".to_owned(),
        _ => error.to_string(),
    }
}

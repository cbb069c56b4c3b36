//! The file itself: opened for its owner only, checked, brought up to date; a damaged one is set aside.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;

use super::schema;
use super::trouble::Trouble;
use crate::paths;

/// How long a write waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);
/// SQLite's companions, which belong to the file.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];
/// What a file that was set aside is called between the file's own name and the date.
const DAMAGED: &str = ".damaged-";
/// How many of those are kept.
const KEPT: usize = 2;

/// A file that was opened, and where the damaged one went that was there before.
pub(super) struct Opened {
    pub(super) db: Connection,
    pub(super) set_aside: Option<PathBuf>,
}

/// Opens the file, makes it if there is none, sets a damaged one aside.
pub(super) fn open(path: &Path) -> Result<Opened, Trouble> {
    if let Some(directory) = path.parent() {
        paths::create_directory(directory)?;
    }
    if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        match connect(path) {
            Err(trouble) if trouble.is_damage() || trouble.is_busy() => {}
            connected => return connected.map(|db| Opened { db, set_aside: None }),
        }
    }
    // One at a time. Two processes that make the file at once are in each other's way, and SQLite does not wait there;
    // and of two that find damage the second must not set aside what the first has made anew.
    let lock = paths::open_private(&with(path, ".lock"))?;
    lock.lock()?;
    match connect(path) {
        Err(trouble) if trouble.is_damage() => {
            let aside = set_aside(path)?;
            Ok(Opened { db: connect(path)?, set_aside: Some(aside) })
        }
        connected => connected.map(|db| Opened { db, set_aside: None }),
    }
}

fn connect(path: &Path) -> Result<Connection, Trouble> {
    // SQLite would make it with the umask's mode; its companions get the mode of the file.
    match paths::open_private(path) {
        Ok(_) => {}
        // Something that isn't a file, or one that can't even be read, will never be a history.
        Err(error)
            if fs::symlink_metadata(path).is_ok() && (!path.is_file() || File::open(path).is_err()) =>
        {
            return Err(Trouble::Damaged(error.to_string()));
        }
        Err(error) => return Err(error.into()),
    }
    let mut db = Connection::open(path)?;
    db.busy_timeout(BUSY)?;
    // Only of effect in a new file, before anything else is written.
    db.pragma_update(None, "auto_vacuum", "incremental")?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "normal")?;
    db.pragma_update(None, "secure_delete", true)?;
    db.pragma_update(None, "journal_size_limit", 1 << 20)?;
    schema::migrate(&mut db)?;
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(Trouble::Damaged(found));
    }
    Ok(db)
}

/// Renames the file and its companions. The journal goes first: left behind it would be played into the next file.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let date = Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let mut aside = with(path, &format!("{DAMAGED}{date}"));
    let mut number = 1;
    while fs::symlink_metadata(&aside).is_ok() {
        number += 1;
        aside = with(path, &format!("{DAMAGED}{date}-{number}"));
    }
    for end in COMPANIONS {
        match fs::rename(with(path, end), with(&aside, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, &aside)?;
    let mut all = damaged(path);
    all.sort();
    for old in all.iter().take(all.len().saturating_sub(KEPT)) {
        remove(old)?;
    }
    Ok(aside)
}

/// Removes what was set aside, and tells how many there were.
pub(super) fn remove_damaged(path: &Path) -> io::Result<usize> {
    let all = damaged(path);
    all.iter().try_for_each(|old| remove(old))?;
    Ok(all.len())
}

/// What was set aside, without companions.
fn damaged(path: &Path) -> Vec<PathBuf> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let start = format!("{}{DAMAGED}", name.to_string_lossy());
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let ours = |name: &str| name.starts_with(&start) && !COMPANIONS.iter().any(|end| name.ends_with(end));
    entries.filter(|entry| ours(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect()
}

fn remove(path: &Path) -> io::Result<()> {
    for companion in COMPANIONS.map(|end| with(path, end)) {
        match fs::remove_file(companion) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

//! The settings files on the disk: read, checked, replaced whole, and what is remembered of them kept in step.
//!
//! Order of a write: what is remembered (old and new), then the settings, then what is remembered (new). Whatever
//! point the process dies at, the settings are whole, and undoing works. A file that someone else changed between
//! our reading and our writing is read again. Between the last look and the rename there are microseconds in which a
//! change would be lost: no system offers a rename that asks first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::json::{self, Key};
use super::keys::Wanted;
use super::plan::{self, Deed, Plan, Reach, Step};
use super::state::{Connection, Entry, Origin, State, Turn};
use super::{Refused, Target};
use crate::Error;
use crate::paths::claude_code as names;
use crate::paths::{self, Mode, Paths};

/// Nobody's settings are larger; what is, is something else.
const LARGEST: u64 = 16 << 20;
/// How often a file that keeps changing is read again.
const TRIES: usize = 5;

/// What is to be written.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) reach: Reach,
    pub(crate) disable_auto_mode: bool,
    pub(crate) dry_run: bool,
}

/// What was done, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) steps: Vec<Step>,
    pub(crate) backup: Option<PathBuf>,
    /// Did the user have rows of their own in `/model`? Then ours were left out.
    pub(crate) own_rows: bool,
}

/// What becomes of the connection when it is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undo {
    /// It is over.
    Forget,
    /// It is taken up again when Dragoman is on again.
    Suspend,
}

/// A point between two effects on the disk. Tests stop here, or do what another program might do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Read,
    BackedUp,
    Announced,
    Written,
    Remembered,
}

/// What happens at each [`Point`]; an error ends the work there, as a crash would.
pub(crate) type Between<'a> = &'a dyn Fn(Point) -> Result<(), Error>;

/// Nothing happens between.
pub(crate) fn undisturbed(_: Point) -> Result<(), Error> {
    Ok(())
}

pub(crate) fn connect(
    paths: &Paths,
    target: &Target,
    wish: &Wish,
    between: Between<'_>,
) -> Result<Done, Error> {
    let _turn = Turn::take(paths)?;
    let state = State::read(paths)?;
    let connection = state.of(&target.file);
    // A suspended one has none, unless suspending it was cut short.
    let known = connection.map_or(&[][..], |connection| &connection.entries);
    let active = connection.filter(|connection| !connection.entries.is_empty());
    for _ in 0..TRIES {
        let found = Found::read(&target.file)?;
        between(Point::Read)?;
        let mut wanted = wish.wanted.clone();
        let own_rows = found.has_own_rows(known, &target.file)?;
        if own_rows {
            wanted.retain(|wanted| wanted.key != Key::top(names::MODEL_PICKER));
        }
        let text = found.text(&target.file)?;
        let plan = plan::connect(text, known, &wanted, wish.reach).map_err(refused(&target.file))?;
        let mut backup = connection.and_then(|connection| connection.backup.clone());
        let done = |plan: Plan, backup| Done { steps: plan.steps, backup, own_rows };
        if wish.dry_run {
            return Ok(done(plan, backup));
        }
        let unchanged = plan.text.as_deref() == text;
        if backup.is_none() && !unchanged {
            backup = found.back_up(paths)?;
            between(Point::BackedUp)?;
        }
        let origin =
            active.map_or_else(|| found.origin(&target.file), |connection| connection.origin.clone());
        let remembered = |entries| Connection {
            file: target.file.clone(),
            user: target.user,
            disable_auto_mode: wish.disable_auto_mode,
            suspended: false,
            origin: origin.clone(),
            backup: backup.clone(),
            entries,
        };
        if !unchanged {
            let announced = remembered(either(&plan.entries, known));
            state.with(&target.file, Some(announced)).write(paths)?;
            between(Point::Announced)?;
            if !found.replace(&target.file, plan.text.as_deref())? {
                continue;
            }
            between(Point::Written)?;
        }
        let after = state.with(&target.file, Some(remembered(plan.entries.clone())));
        if after != state || !unchanged {
            after.write(paths)?;
            between(Point::Remembered)?;
        }
        return Ok(done(plan, backup));
    }
    Err(Refused::Restless { file: target.file.clone() }.into())
}

/// `None`: there is nothing of ours in that file.
pub(crate) fn disconnect(
    paths: &Paths,
    file: &Path,
    undo: Undo,
    dry_run: bool,
    between: Between<'_>,
) -> Result<Option<Done>, Error> {
    let _turn = Turn::take(paths)?;
    let state = State::read(paths)?;
    let Some(connection) = state.of(file) else { return Ok(None) };
    let after = match undo {
        Undo::Forget => None,
        Undo::Suspend => Some(Connection {
            suspended: true,
            entries: Vec::new(),
            origin: Origin::There,
            ..connection.clone()
        }),
    };
    for _ in 0..TRIES {
        let found = Found::read(file)?;
        between(Point::Read)?;
        let text = found.text(file)?;
        let plan = plan::disconnect(text, &connection.entries, &connection.origin).map_err(refused(file))?;
        let done = Done { steps: plan.steps, backup: connection.backup.clone(), own_rows: false };
        if dry_run {
            return Ok(Some(done));
        }
        if plan.text.as_deref() != text {
            if undo == Undo::Suspend {
                // Cut short from here on, it is taken up again all the same.
                let announced = Connection { suspended: true, ..connection.clone() };
                state.with(file, Some(announced)).write(paths)?;
                between(Point::Announced)?;
            }
            if !found.replace(file, plan.text.as_deref())? {
                continue;
            }
            between(Point::Written)?;
        }
        if let (Origin::Missing { directory: true }, None, Some(directory)) =
            (&connection.origin, &plan.text, file.parent())
        {
            // Only if nothing else has come to lie in it.
            let _kept = fs::remove_dir(directory);
        }
        state.with(file, after).write(paths)?;
        between(Point::Remembered)?;
        return Ok(Some(done));
    }
    Err(Refused::Restless { file: file.to_owned() }.into())
}

/// What to remember while it is unknown whether the write took place: both.
fn either(new: &[Entry], old: &[Entry]) -> Vec<Entry> {
    let twin = |entry: &Entry, others: &[Entry]| others.iter().find(|other| other.key == entry.key).cloned();
    let mut entries: Vec<Entry> = old.iter().filter(|entry| twin(entry, new).is_none()).cloned().collect();
    entries.extend(new.iter().map(|entry| {
        let earlier = twin(entry, old).map(|entry| entry.ours).unwrap_or_default();
        Entry { ours: entry.ours.iter().cloned().chain(earlier).collect(), ..entry.clone() }
    }));
    entries
}

fn refused(file: &Path) -> impl FnOnce(json::Broken) -> Refused {
    let file = file.to_owned();
    move |why| Refused::Broken { file, why: why.to_string() }
}

/// How much of ours still stands in the file, and which keys someone changed.
pub(crate) fn standing(connection: &Connection) -> Result<(usize, Vec<Key>), Error> {
    let found = Found::read(&connection.file)?;
    let text = found.text(&connection.file)?;
    Ok(plan::still_ours(text, &connection.entries).map_err(refused(&connection.file))?)
}

/// A file as it was read.
struct Found(Option<Vec<u8>>);

impl Found {
    /// Refuses what is no settings file that could be replaced.
    fn read(file: &Path) -> Result<Self, Error> {
        let refused = |why: &'static str| Err(Refused::File { file: file.to_owned(), why }.into());
        match fs::metadata(file) {
            Ok(metadata) if !metadata.is_file() => refused("it is not a file"),
            Ok(metadata) if metadata.len() > LARGEST => refused("it is larger than any settings file"),
            Ok(metadata) if metadata.permissions().readonly() => {
                refused("it is read-only, so someone wants it to stay as it is")
            }
            Ok(_) => fs::read(file).map(|bytes| Self(Some(bytes))).map_err(Error::file("read", file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self(None)),
            Err(error) => Err(Error::file("read", file)(error)),
        }
    }

    fn text(&self, file: &Path) -> Result<Option<&str>, Error> {
        let text = self.0.as_deref().map(std::str::from_utf8).transpose();
        text.map_err(|_| Refused::File { file: file.to_owned(), why: "it is not UTF-8 text" }.into())
    }

    fn has_own_rows(&self, known: &[Entry], file: &Path) -> Result<bool, Error> {
        let Some(text) = self.text(file)?.filter(|text| !plan::is_blank(text)) else { return Ok(false) };
        let key = Key::top(names::MODEL_PICKER);
        let there = json::get(text, &key).map_err(refused(file))?;
        let ours = |value: &str| known.iter().any(|entry| entry.key == key && entry.owns(value));
        Ok(there.is_some_and(|(value, _)| !ours(value)))
    }

    fn origin(&self, file: &Path) -> Origin {
        match self.0.as_deref().map(std::str::from_utf8) {
            None => Origin::Missing { directory: !file.parent().is_some_and(Path::is_dir) },
            Some(Ok(text)) if plan::is_blank(text) => Origin::Blank(text.to_owned()),
            Some(_) => Origin::There,
        }
    }

    fn back_up(&self, paths: &Paths) -> Result<Option<PathBuf>, Error> {
        let Some(bytes) = &self.0 else { return Ok(None) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = paths.claude_code_backup(now);
        // It may hold secrets of the user's.
        paths::write_atomic(&path, bytes, Mode::Private).map_err(Error::file("write", &path))?;
        Ok(Some(path))
    }

    /// Puts `text` there, or nothing, unless the file has changed since it was read: then false.
    fn replace(&self, file: &Path, text: Option<&str>) -> Result<bool, Error> {
        let old = self.0.as_deref();
        match text {
            Some(text) => {
                // A new file holds the local token and nothing else that anyone must read.
                let mode = if old.is_some() { Mode::Keep } else { Mode::Private };
                paths::replace(file, old, text.as_bytes(), mode).map_err(Error::file("write", file))
            }
            None if fs::read(file).ok().as_deref() == old => {
                fs::remove_file(file).map(|()| true).map_err(Error::file("remove", file))
            }
            None => Ok(false),
        }
    }
}

impl Deed {
    /// In a word, for people and scripts.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Replaced => "replaced",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Restored => "restored",
            Self::Removed => "removed",
            Self::LeftAlone => "left alone",
        }
    }
}

#[cfg(test)]
mod tests;

//! From a settings text and what is remembered of it to the new text and what is to be remembered: connecting, keeping
//! up, undoing. Pure.

use super::json::{self, Broken, Key};
use super::keys::{ENV, Ours, Wanted};
use super::state::{Entry, Origin};

/// How far a write goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The user asks for it: every key becomes ours.
    Take,
    /// Address, token or models changed: only what is still ours, and new keys where nothing stands.
    Keep,
}

/// What is to become of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// `None`: the file goes, because it was ours altogether.
    pub(crate) text: Option<String>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) steps: Vec<Step>,
}

/// What happens at one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) key: Key,
    pub(crate) deed: Deed,
}

/// As [`Step`] tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It was not there.
    Added,
    /// It had another value, which is remembered.
    Replaced,
    /// It was ours and has a new value.
    Updated,
    /// It is as it should be.
    Unchanged,
    /// The earlier value is back.
    Restored,
    /// It is gone, as before.
    Removed,
    /// Someone changed it since; it stays.
    LeftAlone,
}

/// The text in which ours is written. A file without JSON begins as an empty object.
fn base(text: Option<&str>) -> &str {
    match text {
        Some(text) if !is_blank(text) => text,
        Some(_) | None => "{}\n",
    }
}

pub(crate) fn is_blank(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim().is_empty()
}

/// Write what is wanted. Keys of ours that are no longer wanted are put back.
pub(crate) fn connect(
    text: Option<&str>,
    known: &[Entry],
    wanted: &[Wanted],
    reach: Reach,
) -> Result<Plan, Broken> {
    let mut now = base(text).to_owned();
    let mut entries = Vec::new();
    let mut steps = Vec::new();
    let stale =
        |entry: &&Entry| entry.key != Key::top(ENV) && !wanted.iter().any(|wanted| wanted.key == entry.key);
    for entry in known.iter().filter(stale).rev() {
        let (text, deed) = undo(&now, entry)?;
        now = text;
        steps.extend(deed.map(|deed| Step { key: entry.key.clone(), deed }));
    }
    let section = Wanted { key: Key::top(ENV), value: Ours::Section {} };
    for Wanted { key, value } in std::iter::once(&section).chain(wanted) {
        let known = known.iter().find(|entry| entry.key == *key);
        let json = value.json();
        let there = json::get(&now, key)?.map(|(value, _)| value);
        if *value == (Ours::Section {}) && there.is_some() {
            // Whoever made it, the variables may stand in it.
            entries.extend(known.cloned());
            continue;
        }
        let own = there.is_some_and(|there| known.is_some_and(|entry| entry.owns(there)));
        let deed = match (there, own, reach) {
            (Some(_), false, Reach::Keep) => {
                steps.push(Step { key: key.clone(), deed: Deed::LeftAlone });
                entries.extend(known.cloned());
                continue;
            }
            // It was ours and someone took it out.
            (None, _, Reach::Keep) if known.is_some() => {
                entries.extend(known.cloned());
                continue;
            }
            (Some(there), true, _) if json::same(there, &json) => Deed::Unchanged,
            (Some(_), true, _) => Deed::Updated,
            (Some(_), false, Reach::Take) => Deed::Replaced,
            (None, _, _) => Deed::Added,
        };
        let before = match known.filter(|_| own) {
            Some(entry) => {
                if deed != Deed::Unchanged {
                    now = json::set(&now, key, value)?.0;
                }
                entry.before.clone()
            }
            None => {
                let (text, before) = json::set(&now, key, value)?;
                now = text;
                before
            }
        };
        if *value != (Ours::Section {}) {
            steps.push(Step { key: key.clone(), deed });
        }
        entries.push(Entry { key: key.clone(), before, ours: vec![json] });
    }
    Ok(Plan { text: Some(now), entries, steps })
}

/// Put back what is still ours.
pub(crate) fn disconnect(text: Option<&str>, known: &[Entry], origin: &Origin) -> Result<Plan, Broken> {
    let mut steps = Vec::new();
    let Some(text) = text.filter(|text| !is_blank(text)) else {
        return Ok(Plan { text: text.map(str::to_owned), entries: Vec::new(), steps });
    };
    let mut now = text.to_owned();
    for entry in known.iter().rev() {
        let (text, deed) = undo(&now, entry)?;
        now = text;
        let told = entry.key != Key::top(ENV);
        steps.extend(deed.filter(|_| told).map(|deed| Step { key: entry.key.clone(), deed }));
    }
    steps.reverse();
    let nothing_left = json::same(now.trim_start_matches('\u{feff}'), "{}");
    let text = match origin {
        Origin::Missing { .. } if nothing_left => None,
        Origin::Blank(blank) if nothing_left => Some(blank.clone()),
        Origin::There | Origin::Blank(_) | Origin::Missing { .. } => Some(now),
    };
    Ok(Plan { text, entries: Vec::new(), steps })
}

fn undo(text: &str, entry: &Entry) -> Result<(String, Option<Deed>), Broken> {
    let deed = match (json::get(text, &entry.key)?, &entry.before) {
        (None, json::Before::Nothing(_)) => return Ok((text.to_owned(), None)),
        (Some((there, _)), json::Before::Value(before)) if there == before && !entry.owns(there) => {
            return Ok((text.to_owned(), None));
        }
        (Some((there, _)), _) if !entry.owns(there) => return Ok((text.to_owned(), Some(Deed::LeftAlone))),
        (None, json::Before::Value(_)) => return Ok((text.to_owned(), Some(Deed::LeftAlone))),
        (Some(_), json::Before::Value(_)) => Deed::Restored,
        (Some(_), json::Before::Nothing(_)) => Deed::Removed,
    };
    Ok((json::put_back(text, &entry.key, &entry.before)?, Some(deed)))
}

/// How much of what we wrote still stands there.
pub(crate) fn still_ours(text: Option<&str>, known: &[Entry]) -> Result<(usize, Vec<Key>), Broken> {
    let (mut own, mut changed) = (0, Vec::new());
    let Some(text) = text.filter(|text| !is_blank(text)) else {
        return Ok((0, known.iter().map(|entry| entry.key.clone()).collect()));
    };
    for entry in known.iter().filter(|entry| entry.key != Key::top(ENV)) {
        match json::get(text, &entry.key)? {
            Some((there, _)) if entry.owns(there) => own += 1,
            Some(_) | None => changed.push(entry.key.clone()),
        }
    }
    Ok((own, changed))
}

#[cfg(test)]
mod tests;

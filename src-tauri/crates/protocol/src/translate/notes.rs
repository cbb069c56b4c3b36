//! Fidelity notes: what of a request or an answer was changed or left out on the way, where, and why.
//!
//! Nothing is dropped silently: code that can't carry something over leaves a note here.

use serde::Serialize;

/// One note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What happened.
    pub what: What,
    /// Where, as a path of the client's request or the name of an upstream item.
    pub place: String,
    /// Why, or what stands there now.
    pub detail: String,
}

/// The kinds of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Left out.
    Dropped,
    /// Replaced by readable text.
    Described,
    /// Renamed within upstream's limits.
    Renamed,
    /// Something was missing and was filled in.
    Repaired,
    /// Asked for in another way than the client did.
    Adjusted,
}

/// The notes of one exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Notes(pub Vec<Note>);

impl Notes {
    /// Adds one.
    pub fn add(&mut self, what: What, place: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Note { what, place: place.into(), detail: detail.into() });
    }
}

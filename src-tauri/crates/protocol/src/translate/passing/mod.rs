//! Responses, passed on: a client's Responses request becomes the backend's in the dialect of the model, everything that
//! the backend takes untouched; the backend's events become the client's, all but a few as they are.
//!
//! Not here: what OpenAI's servers would keep (the proxy remembers a little of it), chats (`chat`).

mod answer;
mod items;
mod request;

pub use answer::{Passed, Passing};
pub use request::{KnownItems, Passage, PassageContext, pass_on};

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::parameters::Members;

/// An object that is written again: members in their order, some replaced.
#[derive(Debug)]
struct Object<'a>(Vec<(Cow<'a, str>, Cow<'a, RawValue>)>);

impl<'a> Object<'a> {
    /// Reads an object; `None` if it is none.
    fn of(raw: &'a RawValue) -> Option<Self> {
        Self::of_text(raw.get())
    }

    fn of_text(json: &'a str) -> Option<Self> {
        let Members(members) = serde_json::from_str(json).ok()?;
        Some(Self(members.into_iter().map(|(key, value)| (key, Cow::Borrowed(value))).collect()))
    }

    fn get(&self, key: &str) -> Option<&RawValue> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_ref())
    }

    /// A member's text, if it is a string.
    fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        #[derive(Deserialize)]
        struct Text<'t>(#[serde(borrow)] Cow<'t, str>);
        let raw = self.get(key)?.get();
        raw.starts_with('"').then(|| serde_json::from_str::<Text<'_>>(raw).ok()).flatten().map(|text| text.0)
    }

    /// Replaces a member's value, or adds it at the end.
    fn set(&mut self, key: &'static str, value: &impl Serialize) {
        let Ok(value) = serde_json::value::to_raw_value(value) else { return };
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, there)) => *there = Cow::Owned(value),
            None => self.0.push((Cow::Borrowed(key), Cow::Owned(value))),
        }
    }

    fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| name != key);
    }

    fn into_raw(self) -> Cow<'a, RawValue> {
        serde_json::value::to_raw_value(&self).map_or(Cow::Borrowed(RawValue::NULL), Cow::Owned)
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[cfg(test)]
mod tests;

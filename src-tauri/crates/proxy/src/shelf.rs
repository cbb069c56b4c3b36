//! Things that are remembered for a while, by name: in memory only, bounded in size and time, the longest unused goes.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// All things on one shelf together, in bytes.
const ROOM: usize = 32 << 20;
/// A conversation that rested longer has lost its cached prefix anyway.
const KEEP: Duration = Duration::from_secs(6 * 3600);

/// The things.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    things: HashMap<String, Thing<T>>,
    bytes: usize,
}

#[derive(Debug)]
struct Thing<T> {
    thing: T,
    bytes: usize,
    used: Instant,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { things: HashMap::new(), bytes: 0 }
    }
}

impl<T: Clone> Shelf<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    /// Puts a thing of this size there, in the place of an earlier one of its name.
    pub(crate) fn put(&mut self, name: String, thing: T, bytes: usize) {
        let (bytes, used) = (bytes + name.len(), Instant::now());
        self.bytes += bytes;
        let replaced = self.things.insert(name, Thing { thing, bytes, used });
        self.bytes -= replaced.map_or(0, |old| old.bytes);
        self.make_room(used);
    }

    /// The thing of this name, if it is still there.
    pub(crate) fn get(&mut self, name: &str) -> Option<T> {
        let now = Instant::now();
        let thing = self.things.get_mut(name).filter(|thing| now < thing.used + KEEP)?;
        thing.used = now;
        Some(thing.thing.clone())
    }

    /// Drops what is too old, and then the longest unused until the rest fits.
    fn make_room(&mut self, now: Instant) {
        if self.bytes <= ROOM {
            return;
        }
        self.things.retain(|_, thing| now < thing.used + KEEP);
        self.bytes = self.things.values().map(|thing| thing.bytes).sum();
        let mut by_age: Vec<(Instant, String)> =
            self.things.iter().map(|(name, thing)| (thing.used, name.clone())).collect();
        by_age.sort_unstable();
        for (_, name) in by_age {
            // Some air, so that the next one does not sort again.
            if self.bytes <= ROOM / 4 * 3 {
                break;
            }
            if let Some(thing) = self.things.remove(&name) {
                self.bytes -= thing.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn things_are_remembered_for_hours_and_within_bounds() {
        let mut shelf = Shelf::default();
        shelf.put("a".into(), 1, 2);
        assert_eq!((shelf.get("a"), shelf.get("b")), (Some(1), None));
        tokio::time::advance(KEEP).await;
        assert_eq!(shelf.get("a"), None);
        for n in 0..40 {
            tokio::time::advance(Duration::from_secs(1)).await;
            shelf.put(n.to_string(), n, 1 << 20);
        }
        assert_eq!((shelf.get("0"), shelf.get("39")), (None, Some(39)));
        assert!(shelf.bytes <= ROOM);
        let before = shelf.bytes;
        shelf.put("39".into(), 40, 1 << 20);
        assert_eq!((shelf.get("39"), shelf.bytes), (Some(40), before), "it takes the other's place");
    }
}

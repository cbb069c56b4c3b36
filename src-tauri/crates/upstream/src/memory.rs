//! What was learnt from earlier requests: quirks of origins and models, final refusals, sticky routing tokens.
//! In memory only, bounded.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dragoman_protocol::failure::Failure;
use dragoman_protocol::route::Dialect;
use tokio::time::Instant;

use crate::attempt::AccountTag;

/// A final refusal is answered locally for this long (DECISIONS 3).
const REFUSAL: Duration = Duration::from_secs(60);
/// How many threads, sessions and refusals are remembered.
const MANY: usize = 512;

/// What was learnt.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    uncompressed: Recent<String, ()>,
    instructions: Recent<String, ()>,
    dialects: Recent<String, Dialect>,
    tools_first: Recent<String, ()>,
    refusals: Recent<[u8; 32], (Failure, Instant)>,
    turn_states: Recent<(AccountTag, String), String>,
}

impl Memory {
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    // === quirks ===

    /// The origin does not take compressed bodies.
    pub(crate) fn refuses_compression(&self, origin: &str) -> bool {
        self.with(|inner| inner.uncompressed.get(origin).is_some())
    }

    pub(crate) fn learn_no_compression(&self, origin: &str) {
        self.with(|inner| inner.uncompressed.put(origin.to_owned(), ()));
    }

    /// The origin insists on `instructions`.
    pub(crate) fn wants_instructions(&self, origin: &str) -> bool {
        self.with(|inner| inner.instructions.get(origin).is_some())
    }

    pub(crate) fn learn_instructions(&self, origin: &str) {
        self.with(|inner| inner.instructions.put(origin.to_owned(), ()));
    }

    /// In this session the backend refused tools that stand behind the beginning (DECISIONS 11).
    pub(crate) fn wants_tools_first(&self, session: &str) -> bool {
        self.with(|inner| inner.tools_first.get(session).is_some())
    }

    pub(crate) fn learn_tools_first(&self, session: &str) {
        self.with(|inner| inner.tools_first.put(session.to_owned(), ()));
    }

    /// The dialect that the model turned out to speak, if the catalog was wrong.
    pub(crate) fn dialect(&self, model: &str) -> Option<Dialect> {
        self.with(|inner| inner.dialects.get(model).copied())
    }

    pub(crate) fn learn_dialect(&self, model: &str, dialect: Dialect) {
        self.with(|inner| inner.dialects.put(model.to_owned(), dialect));
    }

    // === refusals ===

    /// The final refusal of a body like this one.
    pub(crate) fn refusal(&self, body: &[u8; 32]) -> Option<Failure> {
        let (failure, until) = self.with(|inner| inner.refusals.get(body).cloned())?;
        (Instant::now() < until).then_some(failure)
    }

    /// Whether there is any: hashing a body for nothing costs time.
    pub(crate) fn remembers_refusals(&self) -> bool {
        self.with(|inner| !inner.refusals.entries.is_empty())
    }

    pub(crate) fn learn_refusal(&self, body: [u8; 32], failure: Failure) {
        self.with(|inner| inner.refusals.put(body, (failure, Instant::now() + REFUSAL)));
    }

    // === sticky routing ===

    /// The routing token of the user's current turn in this thread.
    pub(crate) fn turn_state(&self, account: &AccountTag, thread: &str) -> Option<String> {
        self.with(|inner| inner.turn_states.get(&(account.clone(), thread.to_owned())).cloned())
    }

    pub(crate) fn learn_turn_state(&self, account: &AccountTag, thread: &str, token: &str) {
        self.with(|inner| inner.turn_states.put((account.clone(), thread.to_owned()), token.to_owned()));
    }

    /// A new turn of the user has begun.
    pub(crate) fn forget_turn_state(&self, account: &AccountTag, thread: &str) {
        self.with(|inner| inner.turn_states.remove(&(account.clone(), thread.to_owned())));
    }
}

/// A map that forgets the oldest of too many entries.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    entries: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.get(key)
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        if self.entries.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > MANY {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }

    fn remove(&mut self, key: &K) {
        if self.entries.remove(key).is_some() {
            self.order.retain(|other| other != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_remembered_for_a_minute() {
        let memory = Memory::default();
        let refusal = Failure::Rejected { message: "no".into(), code: None };
        memory.learn_refusal([1; 32], refusal.clone());
        assert_eq!(memory.refusal(&[1; 32]), Some(refusal));
        assert_eq!(memory.refusal(&[2; 32]), None);
        tokio::time::advance(REFUSAL).await;
        assert_eq!(memory.refusal(&[1; 32]), None);
    }

    #[test]
    fn the_maps_are_bounded() {
        let (memory, me) = (Memory::default(), AccountTag::of("me"));
        for thread in 0..10 * MANY {
            memory.learn_turn_state(&me, &thread.to_string(), "x");
        }
        assert_eq!(memory.turn_state(&me, "0"), None);
        assert_eq!(memory.turn_state(&me, &(10 * MANY - 1).to_string()).as_deref(), Some("x"));
        memory.forget_turn_state(&me, &(10 * MANY - 1).to_string());
        assert_eq!(memory.turn_state(&me, &(10 * MANY - 1).to_string()), None);
    }
}

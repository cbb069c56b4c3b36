//! The newest of something, in memory, and whoever follows it: a bounded list that tells what is added.
//!
//! Not here: what it is a list of, and the lock around it, under which a follower misses none and gets none twice.

use std::collections::VecDeque;

use tokio::sync::broadcast;

/// The newest ones.
#[derive(Debug)]
pub(crate) struct Newest<T> {
    most: usize,
    kept: VecDeque<T>,
    told: broadcast::Sender<T>,
}

impl<T: Clone> Newest<T> {
    /// Keeps so many; so many wait for a slow follower, and of more the oldest are lost to it.
    pub(crate) fn new(most: usize, waiting: usize) -> Self {
        Self { most, kept: VecDeque::new(), told: broadcast::Sender::new(waiting) }
    }

    /// Adds one. The oldest goes where there is no room.
    pub(crate) fn push(&mut self, one: T) {
        if self.kept.len() >= self.most {
            self.kept.pop_front();
        }
        self.kept.push_back(one.clone());
        // Nobody may be listening.
        let _ = self.told.send(one);
    }

    /// Those that are kept, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.kept.iter()
    }

    /// Those that are added from now on.
    pub(crate) fn follow(&self) -> Follower<T> {
        Follower(self.told.subscribe())
    }
}

/// What is added, as it comes.
#[derive(Debug)]
pub(crate) struct Follower<T>(broadcast::Receiver<T>);

impl<T: Clone> Follower<T> {
    /// The next one. Those that came too fast are left out: whoever is so slow asks for the list.
    pub(crate) async fn next(&mut self) -> Option<T> {
        loop {
            match self.0.recv().await {
                Ok(one) => return Some(one),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

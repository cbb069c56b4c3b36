//! The thread that owns the file: takes rows from the queue, writes them in batches, answers questions, keeps the file
//! within its bounds, and tells what is wrong.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::watch;

use super::State;
use super::series::{self, LimitPoint, Totals};
use super::store::{Row, Store};
use super::trouble::Trouble;
use crate::settings::Settings;

/// From the first row of a batch to its transaction.
const BATCH: Duration = Duration::from_millis(500);
/// A batch of this many is written at once.
const FULL: usize = 256;
/// What is kept while the file can't be written.
const PENDING: usize = 4096;
/// From a write that failed to the next try; doubled with each further failure.
const AGAIN: Duration = Duration::from_secs(5);
const LATEST: Duration = Duration::from_secs(300);
/// A reading that tells nothing new is written all the same after this many seconds: a line needs its points.
const HOURLY: i64 = 3600;
/// After how many rows the file is held against its bounds again.
const PRUNE_EVERY: usize = 1000;

/// A question for the open file: `None` if there is no file. What it gives back hands over the answer.
type Question = dyn FnOnce(Result<Option<&mut Store>, Trouble>) -> Box<dyn FnOnce()> + Send;

/// What comes through the queue.
pub(super) enum Job {
    Row(Box<Row>),
    Readings(Vec<LimitPoint>),
    Ask(Box<Question>),
    Look,
    Stop,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Row(_) => "Row",
            Self::Readings(_) => "Readings",
            Self::Ask(_) => "Ask",
            Self::Look => "Look",
            Self::Stop => "Stop",
        })
    }
}

pub(super) struct Keeper {
    path: PathBuf,
    settings: watch::Receiver<Arc<Settings>>,
    state: watch::Sender<State>,
    /// Rows that did not fit into the queue.
    lost: Arc<AtomicU64>,
    store: Option<Store>,
    rows: Vec<Row>,
    readings: Vec<LimitPoint>,
    /// The last reading of each window, to tell news from repetition.
    known: HashMap<(String, Option<String>, u64), LimitPoint>,
    /// When the next batch is due.
    due: Option<Instant>,
    /// Failures in a row.
    failures: u32,
    /// Rows that were given up because the file could not be written for long.
    dropped: u64,
    since_prune: usize,
    set_aside: Option<PathBuf>,
    trouble: Option<String>,
    zone: Option<TimeZone>,
}

impl Keeper {
    pub(super) fn new(
        path: PathBuf,
        settings: watch::Receiver<Arc<Settings>>,
        lost: Arc<AtomicU64>,
        state: watch::Sender<State>,
    ) -> Self {
        Self {
            path,
            settings,
            state,
            lost,
            store: None,
            rows: Vec::new(),
            readings: Vec::new(),
            known: HashMap::new(),
            due: None,
            failures: 0,
            dropped: 0,
            since_prune: PRUNE_EVERY,
            set_aside: None,
            trouble: None,
            zone: None,
        }
    }

    /// Until [`Job::Stop`], or until nobody is left to send one.
    pub(super) fn work(mut self, jobs: &Receiver<Job>) {
        loop {
            let job = match self.wait() {
                Some(time) => jobs.recv_timeout(time),
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match job {
                Ok(Job::Row(row)) => {
                    self.rows.push(*row);
                    self.begin_batch();
                }
                Ok(Job::Readings(readings)) => {
                    self.take_news(readings);
                    if !self.readings.is_empty() {
                        self.begin_batch();
                    }
                }
                Ok(Job::Ask(question)) => {
                    self.flush();
                    let answer = question(self.existing());
                    // Whoever has the answer sees a state that goes with it.
                    self.publish();
                    answer();
                }
                Ok(Job::Look) => self.publish(),
                Err(RecvTimeoutError::Timeout) => {
                    if self.due.is_some_and(|due| due <= Instant::now()) {
                        self.flush();
                    }
                    self.publish();
                }
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.flush();
                    return;
                }
            }
            if self.rows.len() >= FULL && self.trouble.is_none() {
                self.flush();
            }
            let excess = self.rows.len().saturating_sub(PENDING);
            if excess > 0 {
                self.rows.drain(..excess);
                self.dropped += excess as u64;
            }
        }
    }

    /// How long there is nothing to do. While there are sums to show, midnight ends the wait: then they are yesterday's.
    fn wait(&self) -> Option<Duration> {
        if let Some(due) = self.due {
            return Some(due.saturating_duration_since(Instant::now()));
        }
        if self.state.borrow().today == Totals::default() {
            return None;
        }
        let now = Timestamp::now();
        // A day of 25 hours ends a little late, which does no harm: the next look corrects it.
        let tomorrow = series::midnight(now, &self.zone()) + 86_400;
        Some(Duration::from_secs(u64::try_from(tomorrow - now.as_second()).unwrap_or(0) + 1))
    }

    fn zone(&self) -> TimeZone {
        self.zone.clone().unwrap_or_else(TimeZone::system)
    }

    fn begin_batch(&mut self) {
        if self.due.is_none() {
            self.due = Some(Instant::now() + BATCH);
        }
    }

    /// Keeps the readings that say something else than the last one of their window, or that are an hour younger.
    fn take_news(&mut self, readings: Vec<LimitPoint>) {
        for reading in readings {
            let key = (reading.account.clone(), reading.name.clone(), reading.minutes);
            let is_old = self.known.get(&key).is_some_and(|known| {
                let same = known.used_percent == reading.used_percent && known.resets_at == reading.resets_at;
                reading.read_at <= known.read_at || (same && reading.read_at - known.read_at < HOURLY)
            });
            if !is_old {
                self.known.insert(key, reading.clone());
                self.readings.push(reading);
            }
        }
        // While nothing can be written, the newest are worth more.
        let excess = self.readings.len().saturating_sub(PENDING);
        self.readings.drain(..excess);
    }

    /// Writes the batch. What can't be written stays for the next try.
    fn flush(&mut self) {
        self.due = None;
        if self.rows.is_empty() && self.readings.is_empty() {
            return;
        }
        let (rows, readings) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.readings));
        match self.with_store(|store| store.insert(&rows, &readings)) {
            Ok(()) => {
                self.since_prune += rows.len();
                (self.trouble, self.failures) = (None, 0);
                self.prune();
            }
            Err(trouble) => {
                if self.trouble.is_none() {
                    tracing::warn!(%trouble, "the usage history can't be written");
                }
                self.trouble = Some(trouble.to_string());
                (self.rows, self.readings) = (rows, readings);
                self.due = Some(Instant::now() + LATEST.min(AGAIN * (1 << self.failures.min(6))));
                self.failures += 1;
            }
        }
        self.publish();
    }

    fn prune(&mut self) {
        if self.since_prune < PRUNE_EVERY {
            return;
        }
        self.since_prune = 0;
        let bounds = self.settings.borrow().history.clone();
        match self.with_store(|store| store.prune(&bounds, Timestamp::now())) {
            Ok(removed) => tracing::debug!(?removed, "the usage history is within its bounds"),
            Err(trouble) => tracing::warn!(%trouble, "the usage history can't be pruned"),
        }
    }

    /// Does something with the file, made if there is none. If it turns out to be damaged, it is set aside and the
    /// same is done with a new one.
    fn with_store<T>(
        &mut self,
        mut work: impl FnMut(&mut Store) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        match work(self.open()?) {
            Err(trouble) if trouble.is_damage() => {
                tracing::warn!(%trouble, "the usage history is damaged");
                self.store = None;
                work(self.open()?)
            }
            done => done,
        }
    }

    fn open(&mut self) -> Result<&mut Store, Trouble> {
        if self.store.as_ref().is_some_and(|store| !store.is_current()) {
            self.store = None;
        }
        if self.store.is_none() {
            let (store, set_aside) = Store::open(&self.path)?;
            if let Some(set_aside) = set_aside {
                tracing::warn!(path = %set_aside.display(), "a damaged usage history was set aside");
                self.set_aside = Some(set_aside);
            }
            self.store = Some(store);
        }
        self.store.as_mut().ok_or_else(|| Trouble::Damaged("it is not open".to_owned()))
    }

    /// The file, if there is one.
    fn existing(&mut self) -> Result<Option<&mut Store>, Trouble> {
        if self.store.is_none() && std::fs::symlink_metadata(&self.path).is_err() {
            return Ok(None);
        }
        self.open().map(Some)
    }

    /// Today's sums and what is wrong, for everybody to see.
    fn publish(&mut self) {
        let zone = self.zone();
        let today = match self.existing() {
            Ok(Some(store)) => store.today(Timestamp::now(), &zone),
            Ok(None) => Ok(Totals::default()),
            Err(trouble) => Err(trouble),
        };
        match &today {
            Ok(_) if self.due.is_none() => self.trouble = None,
            Ok(_) => {}
            Err(trouble) => {
                if self.trouble.is_none() {
                    tracing::warn!(%trouble, "the usage history can't be read");
                    self.trouble = Some(trouble.to_string());
                }
                if trouble.is_damage() {
                    self.store = None;
                }
            }
        }
        let state = State { today: today.unwrap_or_default(), notice: self.notice() };
        self.state.send_if_modified(|shown| {
            let changed = *shown != state;
            *shown = state;
            changed
        });
    }

    fn notice(&self) -> Option<String> {
        let path = self.path.display();
        if let Some(trouble) = &self.trouble {
            return Some(format!(
                "The usage history in {path} can't be kept: {trouble}. Requests are answered as usual, but statistics \
                 have a gap until this is mended; Dragoman tries again by itself."
            ));
        }
        let lost = self.lost.load(Ordering::Relaxed) + self.dropped;
        if lost > 0 {
            return Some(format!(
                "{lost} requests are missing from the usage history: the disk did not keep up, or could not be \
                 written. They were answered as usual; there is nothing to do."
            ));
        }
        self.set_aside.as_ref().map(|aside| {
            format!(
                "The usage history was damaged. It was set aside as {} and a new one was begun; nothing else is \
                 affected. Delete the old file if you don't need it.",
                aside.display()
            )
        })
    }
}

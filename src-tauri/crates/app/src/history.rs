//! The usage history: one row for each request that has ended, and how full the limits were. Numbers and names, no
//! content (`history/schema.rs`).
//!
//! A thread of its own owns the file. Whoever answers requests only drops rows into a bounded queue; they are written
//! in batches. Nothing that is wrong with the file stops anything else: it is told in [`State::notice`], and tried
//! again. Not here: what the sums mean to a user (the shells).

mod file;
mod keeper;
mod schema;
mod series;
mod store;
mod trouble;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dragoman_proxy::{Finished, Witness};
use dragoman_upstream::AccountsView;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use keeper::{Job, Keeper};
use store::{Row, Store, Tokens};

pub use series::{By, Every, LimitPoint, Totals, UsagePoint, UsageQuery};
pub use store::Removed;
pub(crate) use trouble::Trouble;

use crate::Error;
use crate::settings::Settings;

/// What waits for the disk at most. A row is about 300 bytes.
const QUEUE: usize = 1024;
/// How long the end may wait for the disk.
const LAST_WORDS: Duration = Duration::from_secs(6);

/// What the rest of the program shows of the history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The sums since midnight.
    pub(crate) today: Totals,
    /// What is wrong, in a sentence or two.
    pub(crate) notice: Option<String>,
}

/// The way to the thread that owns the file.
#[derive(Debug)]
pub(crate) struct History {
    queue: Queue,
    state: watch::Receiver<State>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Where rows are dropped. Cheap to clone, never waits.
#[derive(Debug, Clone)]
struct Queue {
    jobs: SyncSender<Job>,
    settings: watch::Receiver<Arc<Settings>>,
    /// What did not fit into the queue.
    lost: Arc<AtomicU64>,
}

impl Queue {
    /// A request has ended.
    fn finished(&self, finished: &Finished) {
        if self.settings.borrow().history.enabled {
            self.put(Job::Row(Box::new(Row::of(finished, now_ms()))));
        }
    }

    fn limits(&self, readings: Vec<LimitPoint>) {
        if self.settings.borrow().history.enabled && !readings.is_empty() {
            self.put(Job::Readings(readings));
        }
    }

    fn put(&self, job: Job) {
        let is_row = matches!(job, Job::Row(_));
        if let Err(TrySendError::Full(_)) = self.jobs.try_send(job)
            && is_row
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl History {
    /// Starts the thread. The file is opened when there is something to write or to read.
    pub(crate) fn start(path: PathBuf, settings: watch::Receiver<Arc<Settings>>) -> Result<Self, Error> {
        let (jobs, queue) = mpsc::sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let (sender, state) = watch::channel(State::default());
        let keeper = Keeper::new(path.clone(), settings.clone(), Arc::clone(&lost), sender);
        let thread =
            std::thread::Builder::new().name("history".to_owned()).spawn(move || keeper.work(&queue));
        let thread = thread.map_err(Error::file("start the thread of", &path))?;
        Ok(Self { queue: Queue { jobs, settings, lost }, state, thread: Mutex::new(Some(thread)) })
    }

    /// Writes down every request that the proxy tells of.
    pub(crate) fn witness(&self) -> Witness {
        let queue = self.queue.clone();
        Witness::new(move |finished| queue.finished(finished))
    }

    /// Writes down how full the limits are, whenever that changes, until `stop`.
    pub(crate) fn follow(
        &self,
        mut accounts: watch::Receiver<AccountsView>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let queue = self.queue.clone();
        async move {
            while let Some(Ok(())) = stop.run_until_cancelled(accounts.changed()).await {
                let readings = readings(&accounts.borrow_and_update());
                queue.limits(readings);
            }
        }
    }

    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Have a look at the file, if there is one: for today's sums.
    pub(crate) fn look(&self) {
        self.queue.put(Job::Look);
    }

    /// Ask the thread. What was dropped into the queue before is written first. `None`: there is no file yet.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Store) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Ask(Box::new(move |store| {
            let result = match store {
                Ok(Some(store)) => question(store).map(Some),
                Ok(None) => Ok(None),
                Err(trouble) => Err(trouble),
            };
            Box::new(move || {
                // Whoever asked may have left.
                let _ = answer.send(result);
            })
        }));
        let jobs = self.queue.jobs.clone();
        // The queue may be full: then this waits for the disk.
        let sent = tokio::task::spawn_blocking(move || jobs.send(job).is_ok()).await;
        if !matches!(sent, Ok(true)) {
            return Err(Error::Stopping);
        }
        let answered = answered.await.map_err(|_| Error::Stopping)?;
        answered.map_err(|trouble| Error::History(trouble.to_string()))
    }

    /// Writes what is left and ends the thread.
    pub(crate) async fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        let jobs = self.queue.jobs.clone();
        let end = tokio::task::spawn_blocking(move || {
            // An error means that the thread is gone.
            let _ = jobs.send(Job::Stop);
            thread.join().is_ok()
        });
        match tokio::time::timeout(LAST_WORDS, end).await {
            Ok(Ok(true)) => {}
            Ok(_) => tracing::error!("the history's thread ended badly"),
            Err(_) => tracing::warn!("the usage history's disk is slow; its last rows may be lost"),
        }
    }
}

impl Drop for History {
    /// Without [`Self::stop`] the thread still ends, by itself.
    fn drop(&mut self) {
        let _ = self.queue.jobs.try_send(Job::Stop);
    }
}

/// All windows of all accounts, as they were read last.
fn readings(accounts: &AccountsView) -> Vec<LimitPoint> {
    let known = accounts.accounts.iter().filter_map(|account| Some((account, account.limits.read_at?)));
    let points = known.flat_map(|(account, read_at)| {
        account.limits.windows.iter().map(move |window| LimitPoint {
            read_at,
            account: account.id.as_str().to_owned(),
            name: window.name.clone(),
            minutes: window.minutes,
            used_percent: window.used_percent,
            resets_at: window.resets_at,
        })
    });
    points.collect()
}

impl Row {
    fn of(finished: &Finished, ended_at: i64) -> Self {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let tokens = finished.usage.map(|usage| Tokens {
            input: number(usage.all_input()),
            cached: number(usage.cache_read_input_tokens),
            cache_write: number(usage.cache_creation_input_tokens),
            output: number(usage.output_tokens),
        });
        let searches = finished.usage.and_then(|usage| usage.server_tool_use);
        Self {
            request_id: finished.request_id.clone(),
            ended_at,
            client: finished.client.clone(),
            session: finished.session.clone(),
            account: finished.account.clone(),
            model: finished.model.clone(),
            upstream_model: finished.upstream_model.clone(),
            effort: finished.effort.map(|effort| effort.to_string()),
            status: finished.status,
            error: finished.error,
            tokens,
            first_output_ms: finished.first_output_ms.map(number),
            duration_ms: number(finished.duration_ms),
            notes: number(finished.notes_in_all as u64),
            searches: number(searches.map_or(0, |searches| searches.web_search_requests)),
        }
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

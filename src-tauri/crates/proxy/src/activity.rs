//! What is going on: which requests run, and how the last one ended. No content, only numbers and names.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use dragoman_protocol::anthropic::event::Usage;
use dragoman_protocol::failure::Failure;
use dragoman_protocol::route::Effort;
use dragoman_protocol::translate::{Note, Notes, What};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::record::Tape;
use crate::routes::Decision;

/// The proxy's state of work.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// Requests being answered now, in the order in which they came.
    pub running: Vec<Arc<Ongoing>>,
    /// Requests since the start.
    pub total: u64,
    /// The last one that ended.
    pub last: Option<Finished>,
    /// Bytes of output of those that ended.
    written: u64,
}

impl Activity {
    /// Bytes of output since the start, as the backend sent them: text, reasoning and arguments, without what is around
    /// them.
    pub fn written(&self) -> u64 {
        self.written + self.running.iter().map(|ongoing| ongoing.written()).sum::<u64>()
    }
}

/// A request that is being answered. Its own task writes here with every read of the backend, so that takes no lock.
#[derive(Debug)]
pub struct Ongoing {
    /// Its id, as in the `request-id` header.
    pub request_id: String,
    /// The model the client asked for.
    pub model: String,
    /// The model that answers.
    pub upstream_model: String,
    /// Why that one.
    pub decision: Decision,
    /// The program that asks, e.g. `claude-cli`; empty if it didn't say.
    pub client: String,
    /// The session that it belongs to.
    pub session: String,
    /// Since when.
    pub since: SystemTime,
    began: Instant,
    first_output: OnceLock<Duration>,
    written: AtomicU64,
}

impl Ongoing {
    fn new(asked: &Asked<'_>) -> Self {
        Self {
            request_id: asked.request_id.to_owned(),
            model: asked.model.to_owned(),
            upstream_model: asked.upstream_model.to_owned(),
            decision: asked.decision.clone(),
            client: asked.client.to_owned(),
            session: asked.session.to_owned(),
            since: SystemTime::now(),
            began: Instant::now(),
            first_output: OnceLock::new(),
            written: AtomicU64::new(0),
        }
    }

    /// Milliseconds to the first output, once there was one.
    pub fn first_output_ms(&self) -> Option<u64> {
        self.first_output.get().copied().map(millis)
    }

    fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

/// A request that has ended.
#[derive(Debug, Clone, Serialize)]
pub struct Finished {
    /// Its id, as in the `request-id` header.
    pub request_id: String,
    /// The model the client asked for.
    pub model: String,
    /// The model that answered.
    pub upstream_model: String,
    /// Why that one.
    pub decision: Decision,
    /// The program that asked, e.g. `claude-cli`; empty if it didn't say.
    pub client: String,
    /// The session that it belongs to.
    pub session: String,
    /// The tag of the account that it was made for, once there was one.
    pub account: Option<String>,
    /// The effort that was sent.
    pub effort: Option<Effort>,
    /// How it ended: an HTTP status; 200 for an answer, 499 for a client that left.
    pub status: u16,
    /// What went wrong, in Anthropic's word.
    pub error: Option<&'static str>,
    /// Milliseconds to the first output.
    pub first_output_ms: Option<u64>,
    /// Milliseconds in all.
    pub duration_ms: u64,
    /// Tokens, where they are known.
    pub usage: Option<Usage>,
    /// What was changed or left out on the way: the first [`SHOWN`] of them.
    pub notes: Vec<Note>,
    /// How many there are in all.
    pub notes_in_all: usize,
}

/// So many notes of one exchange are kept.
const SHOWN: usize = 50;

/// Is told of every request when it has ended, once, on that request's task: it must not wait. A `watch` of
/// [`Activity`] shows the newest request only and may pass over others.
#[derive(Clone)]
pub struct Witness(Arc<dyn Fn(&Finished) + Send + Sync>);

impl Witness {
    /// A witness that does this.
    pub fn new(tell: impl Fn(&Finished) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Both are told.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::new(move |finished| {
            (self.0)(finished);
            (other.0)(finished);
        })
    }
}

impl Default for Witness {
    /// Nobody.
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}

/// Who asks for what.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) client: &'a str,
    pub(crate) session: &'a str,
    pub(crate) model: &'a str,
    pub(crate) upstream_model: &'a str,
    pub(crate) decision: &'a Decision,
}

/// Keeps the books.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    activity: watch::Sender<Activity>,
    witness: Witness,
}

impl Ledger {
    pub(crate) fn new(witness: Witness) -> Self {
        Self { activity: watch::Sender::default(), witness }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Activity> {
        self.activity.subscribe()
    }

    /// Opens an entry; it is closed when it is dropped.
    pub(crate) fn begin(&self, asked: &Asked<'_>) -> Entry {
        let ongoing = Arc::new(Ongoing::new(asked));
        self.activity.send_modify(|activity| {
            activity.running.push(Arc::clone(&ongoing));
            activity.total += 1;
        });
        Entry {
            activity: self.activity.clone(),
            witness: self.witness.clone(),
            ongoing,
            finished: Finished {
                request_id: asked.request_id.to_owned(),
                model: asked.model.to_owned(),
                upstream_model: asked.upstream_model.to_owned(),
                decision: asked.decision.clone(),
                client: asked.client.to_owned(),
                session: asked.session.to_owned(),
                account: None,
                effort: None,
                status: 499,
                error: None,
                first_output_ms: None,
                duration_ms: 0,
                usage: None,
                notes: Vec::new(),
                notes_in_all: 0,
            },
            kinds: BTreeMap::new(),
            tape: None,
        }
    }
}

/// One request's entry. Dropping it before it was told an end means that the client left.
#[derive(Debug)]
pub(crate) struct Entry {
    activity: watch::Sender<Activity>,
    witness: Witness,
    ongoing: Arc<Ongoing>,
    finished: Finished,
    /// By kind of note: what a log shows of them without being asked for each.
    kinds: BTreeMap<What, Kind>,
    /// Where it is recorded, if the user wants that.
    tape: Option<Tape>,
}

/// The notes of one kind.
#[derive(Debug)]
struct Kind {
    first: Note,
    count: usize,
}

impl Entry {
    /// The backend has begun to answer.
    pub(crate) fn output(&self) {
        if self.ongoing.first_output.set(self.ongoing.began.elapsed()).is_ok() {
            self.activity.send_modify(|_| {}); // whoever watches looks again
        }
    }

    /// So many bytes of output came.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.ongoing.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// It is recorded there.
    pub(crate) fn record(&mut self, tape: Option<Tape>) {
        self.tape = tape;
    }

    /// Where it is recorded.
    pub(crate) fn tape(&self) -> Option<&Tape> {
        self.tape.as_ref()
    }

    /// It is made for this account.
    pub(crate) fn made_for(&mut self, account: &str) {
        self.finished.account = Some(account.to_owned());
    }

    /// It is sent with this effort.
    pub(crate) fn sent_with(&mut self, effort: Option<Effort>) {
        self.finished.effort = effort;
    }

    /// Something was not carried over as it was.
    pub(crate) fn note(&mut self, notes: Notes) {
        for note in notes.0 {
            let Note { what, place, detail } = &note;
            tracing::debug!(request_id = self.finished.request_id, ?what, place, detail, "fidelity");
            self.finished.notes_in_all += 1;
            self.kinds.entry(*what).or_insert_with(|| Kind { first: note.clone(), count: 0 }).count += 1;
            if self.finished.notes.len() < SHOWN {
                self.finished.notes.push(note);
            }
        }
    }

    pub(crate) fn answered(&mut self, usage: Option<Usage>) {
        self.finished.status = 200;
        self.finished.usage = usage;
    }

    /// Hands the result on; a failure ends the request.
    pub(crate) fn judge<T>(&mut self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.inspect_err(|failure| self.failed(failure.anthropic_kind()))
    }

    pub(crate) fn failed(&mut self, (status, error): (u16, &'static str)) {
        self.finished.status = status;
        self.finished.error = Some(error);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.finished.duration_ms = millis(self.ongoing.began.elapsed());
        self.finished.first_output_ms = self.ongoing.first_output_ms();
        let Finished { request_id, model, upstream_model, decision, status, duration_ms, .. } =
            &self.finished;
        let usage = self.finished.usage.unwrap_or_default();
        tracing::info!(
            request_id,
            model,
            upstream_model,
            rule = %decision.decider,
            status,
            error = self.finished.error,
            first_output_ms = self.finished.first_output_ms,
            duration_ms,
            input_tokens = usage.input_tokens,
            cached_tokens = usage.cache_read_input_tokens,
            output_tokens = usage.output_tokens,
            notes = self.finished.notes_in_all,
            "request finished"
        );
        for Kind { first: Note { what, place, detail }, count } in self.kinds.values() {
            tracing::info!(request_id, ?what, first_place = place, why = detail, count, "fidelity notes");
        }
        // Whoever hears of the end may look at the recording.
        if let Some(tape) = self.tape.take() {
            tape.close();
        }
        (self.witness.0)(&self.finished);
        let finished = self.finished.clone();
        self.activity.send_modify(|activity| {
            activity.running.retain(|other| !Arc::ptr_eq(other, &self.ongoing));
            activity.written += self.ongoing.written();
            activity.last = Some(finished);
        });
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::Decider;

    fn begin(ledger: &Ledger, request_id: &str) -> Entry {
        ledger.begin(&Asked {
            request_id,
            client: "test",
            session: "s",
            model: "m",
            upstream_model: "u",
            decision: &Decision { decider: Decider::Catalog, passed: Vec::new(), cannot_search: None },
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_there_while_it_runs_and_its_bytes_count_on_after_it() {
        let ledger = Ledger::default();
        let activity = ledger.watch();
        let (one, other) = (begin(&ledger, "req_1"), begin(&ledger, "req_2"));
        one.wrote(7);
        other.wrote(5);
        tokio::time::advance(Duration::from_millis(640)).await;
        one.output();
        tokio::time::advance(Duration::from_millis(10)).await;
        one.output();
        let seen = activity.borrow().clone();
        let rows: Vec<_> = seen.running.iter().map(|row| (&*row.request_id, row.first_output_ms())).collect();
        assert_eq!((rows, seen.written()), (vec![("req_1", Some(640)), ("req_2", None)], 12));
        drop(one);
        let seen = activity.borrow().clone();
        assert_eq!((seen.running.len(), seen.written()), (1, 12));
        assert_eq!(seen.last.unwrap().first_output_ms, Some(640));
    }

    #[test]
    fn the_first_notes_are_kept_and_all_are_counted() {
        let ledger = Ledger::default();
        let mut entry = begin(&ledger, "req_1");
        let mut notes = Notes::default();
        for n in 0..SHOWN + 10 {
            notes.add(What::Dropped, format!("tools.{n}"), "why");
        }
        entry.note(notes);
        drop(entry);
        let last = ledger.watch().borrow().last.clone().unwrap();
        assert_eq!((last.notes.len(), last.notes_in_all), (SHOWN, SHOWN + 10));
        assert_eq!(last.notes[0].place, "tools.0");
    }
}

//! Where the translating machine meets time and IO: the only place that waits, pings, and gives up (DECISIONS 1).
//!
//! The status line goes out at the first output, or after 12 s; a failure before it is an HTTP status, after it an
//! `event: error`. One downstream write for each upstream read. Nothing is spawned: dropping the answer drops the
//! upstream connection. Not here: retries and the upstream's idle limit (upstream crate).

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use dragoman_protocol::failure::Failure;
use dragoman_protocol::sse::Decoder;
use dragoman_protocol::translate::{Checksum, Found, Notes, What};
use dragoman_upstream::{Attempt, Client, EventStream, Turn};
use tokio::time::{Instant, sleep_until, timeout};

use crate::Proxy;
use crate::activity::Entry;
use crate::messages::{Exchange, response};
use crate::now::now;
use crate::quota::AnsweredBy;
use crate::search::{Searches, Searching};
use crate::voice::Voice;

/// From the request's arrival to the status line, if there is no output before.
const COMMIT_AFTER: Duration = Duration::from_secs(12);
/// From the last byte to the next ping.
const PING_EVERY: Duration = Duration::from_secs(10);

type Opening = Pin<Box<dyn Future<Output = Result<EventStream, Failure>> + Send>>;

fn open(client: Client, turn: Turn) -> Opening {
    Box::pin(async move { client.stream(turn).await })
}

/// What turns upstream bytes into the client's, whatever it wants to hear.
#[derive(Debug)]
struct Interpreter {
    decoder: Decoder,
    voice: Box<dyn Voice>,
    searches: Option<Searches>,
    /// How the last request to the model was made.
    attempt: Option<Attempt>,
    /// Who answers it.
    account: Option<AnsweredBy>,
    books: Books,
}

/// What is written down about the exchange.
#[derive(Debug)]
struct Books {
    proxy: Proxy,
    entry: Entry,
    thread: String,
    replayed: Vec<Checksum>,
    alone: u64,
    window: u64,
    estimate: u64,
    /// What the request was first translated for.
    attempt: Attempt,
}

impl Interpreter {
    /// Takes apart what the relay needs; the turn goes its own way.
    fn new(exchange: Exchange) -> (Self, Opening) {
        let Exchange {
            proxy,
            turn,
            voice,
            entry,
            thread,
            replayed,
            alone,
            estimate,
            window,
            searches,
            streams: _,
        } = exchange;
        let attempt = turn.attempt.clone();
        let opening = open(proxy.inner.client.clone(), turn);
        let books = Books { proxy, entry, thread, replayed, alone, window, estimate, attempt };
        (Self { decoder: Decoder::default(), voice, searches, attempt: None, account: None, books }, opening)
    }

    /// The backend has begun to answer.
    fn opened(&mut self, stream: &EventStream) {
        self.voice.answered_by(stream.attempt.account.as_str());
        self.books.entry.made_for(stream.attempt.login.as_str());
        self.account = Some(AnsweredBy(stream.attempt.login.clone()));
        let mut notes = Notes::default();
        if stream.attempt.account != self.books.attempt.account {
            let detail = "another account took over; reasoning that was made with the first one was left out";
            notes.add(What::Dropped, "thinking", detail);
            self.books.attempt.account = stream.attempt.account.clone();
        }
        let is_news = self.attempt.replace(stream.attempt.clone()).is_none_or(|before| before.reasoning);
        if !stream.attempt.reasoning && is_news {
            let detail = "the backend could not read the replayed reasoning; the request went without it";
            notes.add(What::Dropped, "thinking", detail);
            self.books.proxy.inner.threads.refused(&self.books.thread, &self.books.replayed);
        }
        if self.books.attempt.late_tools && !stream.attempt.late_tools {
            let detail =
                "tools loaded later stand with the others: the backend takes them at the beginning only";
            notes.add(What::Adjusted, "tools", detail);
        }
        self.books.entry.note(notes);
        self.books.entry.output();
    }

    /// One upstream read: all events in it, into one buffer.
    fn take(&mut self, chunk: &Bytes) -> Result<(), Failure> {
        if let Some(tape) = self.books.entry.tape() {
            tape.heard(chunk);
        }
        let now = now().unix;
        self.decoder.push(chunk);
        while let Some(frame) = self.decoder.next_frame() {
            let written = self.voice.take(&frame, now)?;
            self.books.entry.wrote(written);
        }
        Ok(())
    }

    /// The end of the upstream's bytes.
    fn finish(&mut self) -> Result<(), Failure> {
        if let Some(frame) = self.decoder.finish() {
            self.voice.take(&frame, now().unix)?;
        }
        self.voice.finish()
    }

    /// The searches that the model asks for, once its response is over; `None` if it asks for none.
    fn searching(&mut self) -> Option<Searching> {
        let asked = self.voice.asked()?;
        if let Some(tape) = self.books.entry.tape() {
            tape.searched();
        }
        self.decoder = Decoder::default();
        Some(match &self.searches {
            Some(searches) => searches.make(asked),
            None => Box::pin(std::future::ready(Vec::new())),
        })
    }

    /// Takes what was found. The next request to the model, unless the message has ended.
    fn found(&mut self, found: Vec<Found>) -> Result<Option<Opening>, Failure> {
        let Some(searched) = self.voice.found(found) else { return Ok(None) };
        let (Some(searches), Some(attempt)) = (&self.searches, &self.attempt) else {
            return Err(Failure::Internal { message: "a search was made that nobody asked for".to_owned() });
        };
        let turn = searches.next(attempt.clone(), searched)?;
        Ok(Some(open(self.books.proxy.inner.client.clone(), turn)))
    }

    /// This goes to the client.
    fn written(&self, bytes: &Bytes) {
        if let Some(tape) = self.books.entry.tape() {
            tape.answered(bytes);
        }
    }

    /// Closes the books on a whole answer.
    fn answered(&mut self) {
        let mut outcome = self.voice.outcome();
        let books = &mut self.books;
        let inner = &books.proxy.inner;
        inner.originals.keep(std::mem::take(&mut outcome.calls));
        inner.kept.keep(&mut outcome);
        if let Some(usage) = outcome.usage {
            inner.threads.answered(&books.thread, books.alone, usage);
        }
        books.entry.note(outcome.notes);
        books.entry.answered(outcome.usage);
    }

    /// Closes the books on a failure, and completes it with what only we know.
    fn failed(&mut self, failure: Failure) -> Failure {
        let failure = failure.sized(self.books.estimate, self.books.window);
        self.books.entry.failed(failure.anthropic_kind());
        failure
    }
}

/// The answer of a request with `stream: true`.
pub(crate) async fn stream(exchange: Exchange) -> Result<Response, Failure> {
    let (mut interpreter, mut opening) = Interpreter::new(exchange);
    let phase = match timeout(COMMIT_AFTER, &mut opening).await {
        Ok(Ok(stream)) => {
            interpreter.opened(&stream);
            Phase::Open(Box::new(stream))
        }
        Ok(Err(failure)) => return Err(interpreter.failed(failure)),
        Err(_) => {
            interpreter.voice.open();
            Phase::Opening(opening)
        }
    };
    let account = interpreter.account.clone();
    let relay = Relay { interpreter, phase, last_write: Instant::now() };
    let body = futures_util::stream::unfold(relay, |mut relay| async move {
        let bytes = relay.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), relay))
    });
    Ok(answered_by(account, response("text/event-stream; charset=utf-8", Body::from_stream(body))))
}

/// The answer of a request without `stream`: a fold of the same machine.
pub(crate) async fn fold(exchange: Exchange) -> Result<Response, Failure> {
    let (mut interpreter, opening) = Interpreter::new(exchange);
    match whole(&mut interpreter, opening).await {
        Ok(()) => {
            interpreter.answered();
            let answer = Bytes::from(interpreter.voice.bytes());
            interpreter.written(&answer);
            let account = interpreter.account.clone();
            Ok(answered_by(account, response("application/json", Body::from(answer))))
        }
        Err(failure) => Err(interpreter.failed(failure)),
    }
}

fn answered_by(account: Option<AnsweredBy>, mut response: Response) -> Response {
    if let Some(account) = account {
        response.extensions_mut().insert(account);
    }
    response
}

async fn whole(interpreter: &mut Interpreter, mut opening: Opening) -> Result<(), Failure> {
    loop {
        response_of(interpreter, opening.await?).await?;
        let Some(searching) = interpreter.searching() else { return Ok(()) };
        let found = searching.await;
        match interpreter.found(found)? {
            Some(next) => opening = next,
            None => return Ok(()),
        }
    }
}

/// One response of the model, to its end.
async fn response_of(interpreter: &mut Interpreter, mut stream: EventStream) -> Result<(), Failure> {
    interpreter.opened(&stream);
    while let Some(chunk) = stream.next().await {
        interpreter.take(&chunk?)?;
        if interpreter.voice.has_ended() || interpreter.voice.asked().is_some() {
            return Ok(());
        }
    }
    interpreter.finish()
}

/// A streaming answer between two of the client's reads.
struct Relay {
    interpreter: Interpreter,
    phase: Phase,
    last_write: Instant,
}

enum Phase {
    /// The status line went out by time; upstream has not begun.
    Opening(Opening),
    /// Upstream is answering.
    Open(Box<EventStream>),
    /// The model waits for what it asked to search for.
    Searching(Searching),
    /// All has been said.
    Over,
}

/// What happened next.
enum Step {
    Opened(Result<EventStream, Failure>),
    Read(Option<Result<Bytes, Failure>>),
    Found(Vec<Found>),
    Silence,
    Over,
}

impl Relay {
    /// The next bytes for the client; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let bytes = Bytes::from(self.interpreter.voice.bytes());
            if !bytes.is_empty() {
                self.last_write = Instant::now();
                self.interpreter.written(&bytes);
                return Some(bytes);
            }
            match self.step().await {
                Step::Opened(Ok(stream)) => {
                    self.interpreter.opened(&stream);
                    self.phase = Phase::Open(Box::new(stream));
                }
                Step::Opened(Err(failure)) => self.fail(failure),
                Step::Read(Some(Ok(chunk))) => {
                    if let Err(failure) = self.interpreter.take(&chunk) {
                        self.fail(failure);
                    } else if self.interpreter.voice.has_ended() {
                        self.end();
                    } else if let Some(searching) = self.interpreter.searching() {
                        self.phase = Phase::Searching(searching);
                    }
                }
                Step::Read(Some(Err(failure))) => self.fail(failure),
                Step::Read(None) => match self.interpreter.finish() {
                    Ok(()) => match self.interpreter.searching() {
                        Some(searching) => self.phase = Phase::Searching(searching),
                        None => self.end(),
                    },
                    Err(failure) => self.fail(failure),
                },
                Step::Found(found) => match self.interpreter.found(found) {
                    Ok(Some(opening)) => self.phase = Phase::Opening(opening),
                    Ok(None) => self.end(),
                    Err(failure) => self.fail(failure),
                },
                Step::Silence => self.interpreter.voice.ping(),
                Step::Over => return None,
            }
        }
    }

    async fn step(&mut self) -> Step {
        let ping = sleep_until(self.last_write + PING_EVERY);
        match &mut self.phase {
            Phase::Opening(opening) => tokio::select! {
                opened = opening => Step::Opened(opened),
                () = ping => Step::Silence,
            },
            Phase::Open(stream) => tokio::select! {
                read = stream.next() => Step::Read(read),
                () = ping => Step::Silence,
            },
            Phase::Searching(searching) => tokio::select! {
                found = searching => Step::Found(found),
                () = ping => Step::Silence,
            },
            Phase::Over => Step::Over,
        }
    }

    fn end(&mut self) {
        self.interpreter.answered();
        self.phase = Phase::Over;
    }

    fn fail(&mut self, failure: Failure) {
        let failure = self.interpreter.failed(failure);
        self.interpreter.voice.fail(&failure, &now());
        self.phase = Phase::Over;
    }
}

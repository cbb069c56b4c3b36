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
use dragoman_protocol::anthropic::event::{MessageSink, Sink, SseSink};
use dragoman_protocol::failure::Failure;
use dragoman_protocol::openai::event::Event;
use dragoman_protocol::sse::{self, Decoder};
use dragoman_protocol::translate::{Checksum, Found, Notes, ResponsesToMessages, What};
use dragoman_upstream::{Attempt, Client, EventStream, Turn};
use tokio::time::{Instant, sleep_until, timeout};

use crate::Proxy;
use crate::activity::Entry;
use crate::messages::{Exchange, response};
use crate::now::now;
use crate::quota::AnsweredBy;
use crate::search::{Searches, Searching};

/// From the request's arrival to the status line, if there is no output before.
const COMMIT_AFTER: Duration = Duration::from_secs(12);
/// From the last byte to the next ping.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";

type Opening = Pin<Box<dyn Future<Output = Result<EventStream, Failure>> + Send>>;

fn open(client: Client, turn: Turn) -> Opening {
    Box::pin(async move { client.stream(turn).await })
}

/// What turns upstream bytes into the client's, whatever the sink.
#[derive(Debug)]
struct Interpreter {
    decoder: Decoder,
    machine: ResponsesToMessages,
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
        let Exchange { proxy, turn, answer, entry, thread, replayed, alone, window, searches, streams: _ } =
            exchange;
        let attempt = turn.attempt.clone();
        let opening = open(proxy.inner.client.clone(), turn);
        let estimate = answer.estimate;
        let books = Books { proxy, entry, thread, replayed, alone, window, estimate, attempt };
        let machine = ResponsesToMessages::new(answer);
        (
            Self { decoder: Decoder::default(), machine, searches, attempt: None, account: None, books },
            opening,
        )
    }

    /// The backend has begun to answer.
    fn opened(&mut self, stream: &EventStream) {
        self.machine.answered_by(stream.attempt.account.as_str());
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
    fn take(&mut self, chunk: &Bytes, sink: &mut impl Sink) -> Result<(), Failure> {
        if let Some(tape) = self.books.entry.tape() {
            tape.heard(chunk);
        }
        let now = now().unix;
        self.decoder.push(chunk);
        while let Some(frame) = self.decoder.next_frame() {
            let event = Event::parse(&frame.data)?;
            self.books.entry.wrote(event.output_len());
            self.machine.push(&event, now, sink)?;
        }
        Ok(())
    }

    /// The end of the upstream's bytes.
    fn finish(&mut self, sink: &mut impl Sink) -> Result<(), Failure> {
        if let Some(frame) = self.decoder.finish() {
            self.machine.push(&Event::parse(&frame.data)?, now().unix, sink)?;
        }
        self.machine.finish(sink)
    }

    /// The searches that the model asks for, once its response is over; `None` if it asks for none.
    fn searching(&mut self) -> Option<Searching> {
        if !self.machine.is_searching() {
            return None;
        }
        if let Some(tape) = self.books.entry.tape() {
            tape.searched();
        }
        self.decoder = Decoder::default();
        let asked = self.machine.asked();
        Some(match &self.searches {
            Some(searches) => searches.make(asked),
            None => Box::pin(std::future::ready(Vec::new())),
        })
    }

    /// Takes what was found. The next request to the model, unless the message has ended.
    fn found(&mut self, found: Vec<Found>, sink: &mut impl Sink) -> Result<Option<Opening>, Failure> {
        let Some(searched) = self.machine.found(found, sink) else { return Ok(None) };
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
        let books = &mut self.books;
        books.proxy.inner.originals.keep(self.machine.take_calls());
        books.entry.note(self.machine.notes().clone());
        if let Some(usage) = self.machine.usage() {
            books.proxy.inner.threads.answered(&books.thread, books.alone, usage);
        }
        books.entry.answered(self.machine.usage());
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
    let mut sink = SseSink::default();
    let phase = match timeout(COMMIT_AFTER, &mut opening).await {
        Ok(Ok(stream)) => {
            interpreter.opened(&stream);
            Phase::Open(Box::new(stream))
        }
        Ok(Err(failure)) => return Err(interpreter.failed(failure)),
        Err(_) => {
            interpreter.machine.open(&mut sink);
            Phase::Opening(opening)
        }
    };
    let account = interpreter.account.clone();
    let relay = Relay { interpreter, sink, phase, last_write: Instant::now() };
    let body = futures_util::stream::unfold(relay, |mut relay| async move {
        let bytes = relay.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), relay))
    });
    Ok(answered_by(account, response("text/event-stream; charset=utf-8", Body::from_stream(body))))
}

/// The answer of a request without `stream`: a fold of the same machine.
pub(crate) async fn fold(exchange: Exchange) -> Result<Response, Failure> {
    let (mut interpreter, opening) = Interpreter::new(exchange);
    let mut sink = MessageSink::default();
    match whole(&mut interpreter, opening, &mut sink).await {
        Ok(()) => {
            let mut notes = Notes::default();
            for tool in &sink.dropped_calls {
                let detail = format!("a call of {tool} that the answer's limit cut was left out");
                notes.add(What::Dropped, "response.output", detail);
            }
            interpreter.books.entry.note(notes);
            let answer = Bytes::from(sink.into_json());
            interpreter.written(&answer);
            interpreter.answered();
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

async fn whole(
    interpreter: &mut Interpreter,
    mut opening: Opening,
    sink: &mut MessageSink,
) -> Result<(), Failure> {
    loop {
        response_of(interpreter, opening.await?, sink).await?;
        let Some(searching) = interpreter.searching() else { return Ok(()) };
        let found = searching.await;
        match interpreter.found(found, sink)? {
            Some(next) => opening = next,
            None => return Ok(()),
        }
    }
}

/// One response of the model, to its end.
async fn response_of(
    interpreter: &mut Interpreter,
    mut stream: EventStream,
    sink: &mut MessageSink,
) -> Result<(), Failure> {
    interpreter.opened(&stream);
    while let Some(chunk) = stream.next().await {
        interpreter.take(&chunk?, sink)?;
        if interpreter.machine.has_ended() || interpreter.machine.is_searching() {
            return Ok(());
        }
    }
    interpreter.finish(sink)
}

/// A streaming answer between two of the client's reads.
struct Relay {
    interpreter: Interpreter,
    sink: SseSink,
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
            if !self.sink.bytes.is_empty() {
                self.last_write = Instant::now();
                let bytes = Bytes::from(std::mem::take(&mut self.sink.bytes));
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
                    if let Err(failure) = self.interpreter.take(&chunk, &mut self.sink) {
                        self.fail(failure);
                    } else if self.interpreter.machine.has_ended() {
                        self.end();
                    } else if let Some(searching) = self.interpreter.searching() {
                        self.phase = Phase::Searching(searching);
                    }
                }
                Step::Read(Some(Err(failure))) => self.fail(failure),
                Step::Read(None) => match self.interpreter.finish(&mut self.sink) {
                    Ok(()) => match self.interpreter.searching() {
                        Some(searching) => self.phase = Phase::Searching(searching),
                        None => self.end(),
                    },
                    Err(failure) => self.fail(failure),
                },
                Step::Found(found) => match self.interpreter.found(found, &mut self.sink) {
                    Ok(Some(opening)) => self.phase = Phase::Opening(opening),
                    Ok(None) => self.end(),
                    Err(failure) => self.fail(failure),
                },
                Step::Silence => {
                    // A client hears of the message before it hears of its pauses.
                    self.interpreter.machine.open(&mut self.sink);
                    self.sink.bytes.extend_from_slice(PING);
                }
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
        let data = failure.to_anthropic_event(&now());
        sse::write(&mut self.sink.bytes, "error", &data);
        self.phase = Phase::Over;
    }
}

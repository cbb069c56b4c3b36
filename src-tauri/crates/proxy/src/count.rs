//! `POST /v1/messages/count_tokens`, answered locally (M13).
//!
//! The vocabulary is loaded by the first count, off the async threads, and dropped after ten idle minutes (DECISIONS
//! 17). One thread counts for all: counting is short, and the tokenizer keeps a cache for each thread.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dragoman_protocol::anthropic::request::MessagesRequest;
use dragoman_protocol::count::Counter;
use dragoman_protocol::failure::Failure;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::Proxy;
use crate::body::{read_body, text_of};
use crate::door::Door;
use crate::error::{failure_response, request_id, set_request_id};

const IDLE: Duration = Duration::from_secs(600);

#[derive(Serialize)]
struct Count {
    input_tokens: u64,
    /// What a conversation may fill, beside the API's own answer: for programs that compact by themselves.
    context_window: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_compact_token_limit: Option<u64>,
}

/// The endpoint.
pub(crate) async fn count_tokens(State(proxy): State<Proxy>, request: Request) -> Response {
    let id = request_id();
    let config = proxy.config();
    let counted = async {
        let body = read_body(request, config.body_limit).await?;
        proxy.inner.counting.count(body).await
    };
    match counted.await {
        Ok(input_tokens) => {
            let count = Count {
                input_tokens,
                context_window: config.rules.window(&proxy.inner.client.catalog_updates().borrow()),
                auto_compact_token_limit: config.rules.codex.compact_at,
            };
            let mut response = Json(count).into_response();
            set_request_id(&mut response, &id);
            response
        }
        Err(failure) => failure_response(&failure, &id, Door::Messages),
    }
}

type Job = (Bytes, oneshot::Sender<Result<u64, Failure>>);

/// The counting thread, while there is one.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    worker: Mutex<Option<Worker>>,
}

#[derive(Debug)]
struct Worker {
    jobs: mpsc::Sender<Job>,
    thread: JoinHandle<()>,
}

impl Counting {
    async fn count(&self, body: Bytes) -> Result<u64, Failure> {
        // A worker may go home in the very moment a job is handed to it: the second one is new and stays.
        for _ in 0..2 {
            let (answer, counted) = oneshot::channel();
            self.send((body.clone(), answer))?;
            if let Ok(count) = counted.await {
                return count;
            }
        }
        Err(Failure::Internal { message: "the counting thread stopped".to_owned() })
    }

    fn send(&self, mut job: Job) -> Result<(), Failure> {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at_work) = worker.as_ref() {
            match at_work.jobs.send(job) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(returned)) => job = returned, // it went home after its idle time
            }
        }
        let new = Worker::start().map_err(|error| Failure::Internal {
            message: format!("the counting thread can't be started: {error}"),
        })?;
        let sent = new.jobs.send(job);
        *worker = Some(new);
        sent.map_err(|_| Failure::Internal { message: "the counting thread stopped".to_owned() })
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let worker = self.worker.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Worker { jobs, thread }) = worker.take() {
            drop(jobs);
            if thread.join().is_err() {
                tracing::error!("the counting thread panicked");
            }
        }
    }
}

impl Worker {
    fn start() -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new().name("count".to_owned()).spawn(move || work(&queue))?;
        Ok(Self { jobs, thread })
    }
}

fn work(queue: &mpsc::Receiver<Job>) {
    let mut counter = None;
    loop {
        match queue.recv_timeout(IDLE) {
            Ok((body, answer)) => {
                let counter = counter.get_or_insert_with(Counter::load);
                let counted = text_of(&body)
                    .and_then(|text| MessagesRequest::parse(&text).map(|request| counter.request(&request)));
                // The client may have left meanwhile; then nobody wants the number.
                answer.send(counted).ok();
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}

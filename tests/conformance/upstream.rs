//! The backend of a case: answers `POST …/codex/responses` with the exact bytes of `events.sse` and passes everything
//! else (catalog, account, token endpoint) on to the kit's [`FakeChatGpt`]. That one also judges every request to the
//! model by its table of refusals, so that a case can't expect something that the real backend would turn down.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use support::fake::{FakeChatGpt, Rule};
use support::http::{Call, Headers};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::script::{Exchange, Step};

const RESPONSES: &str = "/backend-api/codex/responses";
const SEARCH: &str = "/backend-api/codex/alpha/search";

/// A request to the model, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) headers: Headers,
    pub(crate) body: String,
    /// Status and body with which the table of refusals would have answered.
    pub(crate) refused: Option<(u16, String)>,
    /// When Dragoman closed the connection before the answer was over.
    pub(crate) gone: Option<Instant>,
}

#[derive(Debug, Default)]
struct State {
    exchanges: VecDeque<Exchange>,
    seen: Vec<Seen>,
    /// The search endpoint's answers, and what it was asked.
    findings: VecDeque<Exchange>,
    searched: Vec<Seen>,
}

/// The running backend.
#[derive(Debug)]
pub(crate) struct Upstream {
    fake: Arc<FakeChatGpt>,
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// Ends the tasks that serve connections together with this.
    _tasks: tokio::task::JoinSet<()>,
}

impl Upstream {
    /// Starts it on a free port of 127.0.0.1.
    pub(crate) async fn start(fake: FakeChatGpt) -> io::Result<Self> {
        fake.script([Rule::any("judged").always().text("OK.")]);
        let fake = Arc::new(fake);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&fake), Arc::clone(&state)));
        Ok(Self { fake, address, state, _tasks: tasks })
    }

    /// What `DRAGOMAN_CHATGPT_URL` takes.
    pub(crate) fn chatgpt_url(&self) -> String {
        format!("http://{}/backend-api", self.address)
    }

    /// The kit's fake behind it.
    pub(crate) fn fake(&self) -> &FakeChatGpt {
        &self.fake
    }

    /// What it will answer from now on.
    pub(crate) fn play(&self, exchanges: Vec<Exchange>) {
        lock(&self.state).exchanges = exchanges.into();
    }

    /// What its search endpoint will answer from now on.
    pub(crate) fn find(&self, exchanges: Vec<Exchange>) {
        lock(&self.state).findings = exchanges.into();
    }

    /// Answers that nobody has asked for.
    pub(crate) fn unused(&self) -> usize {
        let state = lock(&self.state);
        state.exchanges.len() + state.findings.len()
    }

    /// The questions to the search endpoint since the last time.
    pub(crate) fn take_searched(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.state).searched)
    }

    /// The requests to the model since the last time.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.state).seen)
    }

    /// Waits until Dragoman has closed the connection of the latest request.
    pub(crate) async fn gone(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        loop {
            if lock(&self.state).seen.last().is_some_and(|seen| seen.gone.is_some()) {
                return true;
            }
            if Instant::now() > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, fake: Arc<FakeChatGpt>, state: Arc<Mutex<State>>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (fake, state) = (Arc::clone(&fake), Arc::clone(&state));
        connections.spawn(async move {
            // A connection that breaks is the other side's affair; what it sent is in the record.
            let _ = serve(stream, &fake, &state).await;
        });
    }
}

async fn serve(stream: TcpStream, fake: &FakeChatGpt, state: &Mutex<State>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut reader = BufReader::new(read);
    while let Some(request) = Request::read(&mut reader).await? {
        if request.method == "POST" && request.path == RESPONSES {
            let number = note(&request, fake, state).await;
            let exchange = lock(state).exchanges.pop_front();
            let Some(exchange) = exchange else {
                respond(&mut write, 500, "application/json", b"{\"detail\":\"the case scripts no answer\"}")
                    .await?;
                continue;
            };
            let ended = tokio::select! {
                biased;
                ended = send(&mut write, &exchange) => ended,
                () = closed(&mut reader) => Err(io::ErrorKind::ConnectionAborted.into()),
            };
            match ended {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => {
                    if let Some(seen) = lock(state).seen.get_mut(number) {
                        seen.gone = Some(Instant::now());
                    }
                    return Err(error);
                }
            }
        } else if request.method == "POST" && request.path == SEARCH {
            let judged = request.to(fake.address()).send().await;
            let refused = (judged.status >= 400).then(|| (judged.status, judged.text()));
            let exchange = {
                let mut state = lock(state);
                state.searched.push(Seen {
                    headers: request.headers.clone(),
                    body: String::from_utf8_lossy(&request.body).into_owned(),
                    refused,
                    gone: None,
                });
                state.findings.pop_front()
            };
            let script = exchange.unwrap_or_else(Exchange::missing);
            if !send(&mut write, &script).await? {
                return Ok(());
            }
        } else {
            let answer = request.to(fake.address()).try_open().await?.whole().await;
            let kind = answer.headers.value("content-type").unwrap_or("application/json");
            respond(&mut write, answer.status, kind, &answer.body).await?;
        }
    }
    Ok(())
}

/// Records a request and has it judged. Gives its number.
async fn note(request: &Request, fake: &FakeChatGpt, state: &Mutex<State>) -> usize {
    let plain = match request.headers.value("content-encoding") {
        Some("zstd") => zstd::decode_all(request.body.as_slice()).unwrap_or_default(),
        _ => request.body.clone(),
    };
    request.to(fake.address()).send().await;
    let refused =
        fake.turns().pop().and_then(|turn| turn.refused).map(|(status, body)| (status, body.to_string()));
    let mut state = lock(state);
    state.seen.push(Seen {
        headers: request.headers.clone(),
        body: String::from_utf8_lossy(&plain).into_owned(),
        refused,
        gone: None,
    });
    state.seen.len() - 1
}

/// Resolves when the other side has closed the connection; never if it sends more.
async fn closed(reader: &mut BufReader<OwnedReadHalf>) {
    match reader.fill_buf().await {
        Ok(bytes) if !bytes.is_empty() => std::future::pending().await,
        _ => {}
    }
}

/// `false` if the connection was to be cut.
async fn send(write: &mut OwnedWriteHalf, exchange: &Exchange) -> io::Result<bool> {
    let mut head =
        format!("HTTP/1.1 {} Scripted\r\ncontent-type: {}\r\n", exchange.status, exchange.content_type());
    for (name, value) in exchange.headers.iter().filter(|(name, _)| name != "content-type") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("transfer-encoding: chunked\r\n\r\n");
    write.write_all(head.as_bytes()).await?;
    for step in &exchange.steps {
        match step {
            Step::Bytes(bytes) if bytes.is_empty() => {}
            Step::Bytes(bytes) => {
                let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
                chunk.extend_from_slice(bytes);
                chunk.extend_from_slice(b"\r\n");
                write.write_all(&chunk).await?;
            }
            Step::Pause(time) => tokio::time::sleep(*time).await,
            Step::Cut => return Ok(false),
        }
    }
    write.write_all(b"0\r\n\r\n").await?;
    Ok(true)
}

async fn respond(write: &mut OwnedWriteHalf, status: u16, kind: &str, body: &[u8]) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Relayed\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    write.write_all(head.as_bytes()).await?;
    write.write_all(body).await
}

struct Request {
    method: String,
    path: String,
    headers: Headers,
    body: Vec<u8>,
}

impl Request {
    /// The next request of a connection; `None` at its end.
    async fn read(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if reader.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Headers::default();
        loop {
            let mut field = String::new();
            reader.read_line(&mut field).await?;
            match field.trim_end().split_once(':') {
                Some((name, value)) => headers.push(name, value.trim()),
                None => break,
            }
        }
        let length = headers.value("content-length").and_then(|value| value.parse().ok()).unwrap_or_default();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).await?;
        Ok(Some(Self { method, path, headers, body }))
    }

    /// The same request to another server.
    fn to(&self, address: SocketAddr) -> Call {
        let mut call = Call::new(address, &self.method, &self.path);
        for (name, value) in &self.headers.0 {
            if !matches!(name.as_str(), "host" | "content-length" | "connection") {
                call = call.header(name, value);
            }
        }
        call.bytes(self.body.clone())
    }
}

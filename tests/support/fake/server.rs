//! The wire of the fake: connections, the paths of the backend and of the issuer, and the record of everything that
//! came in. A request in proxy form (`CONNECT host:443`, `GET http://host/…`) is recorded and refused: the kit names
//! this server as the proxy for all other hosts, so that none can be reached unseen.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::reject::{self, Knowledge};
use super::render::{self, Answer, Body, Step};
use super::script::Rule;
use super::view::View;
use super::{Request, Shared, State, auth, catalog};
use crate::http::{self, Framing, Headers};

pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // A connection that breaks is the other side's affair; what it sent is in the record.
            let _ = serve(stream, &shared).await;
        });
    }
}

async fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut reader = BufReader::new(read);
    if reader.fill_buf().await?.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
        // A TLS handshake, say: answered as any plain HTTP server answers it.
        return write
            .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await;
    }
    while let Some((line, headers)) = http::read_head(&mut reader).await? {
        let raw = Framing::of_request(&headers).whole(&mut reader).await?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let number = record(shared, &method, &path, &headers, &raw);
        let Turn { answer, before } = {
            let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            respond(&mut state, number)
        };
        shared.changed.send_modify(|count| *count += 1);
        let answering = async {
            if let Some(time) = before {
                tokio::time::sleep(time).await;
            }
            write_answer(&mut write, &answer, method == "HEAD").await
        };
        let finished = tokio::select! {
            biased;
            result = answering => result,
            () = gone(&mut reader) => Err(io::ErrorKind::ConnectionAborted.into()),
        };
        let whole = matches!(finished, Ok(true));
        shared.note(number, |request| {
            request.client_gone = finished.is_err();
            request.ended = Some(Instant::now());
        });
        if !whole {
            return finished.map(|_| ());
        }
        if headers.value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            write.shutdown().await?;
            http::drain(&mut reader).await;
            return Ok(());
        }
    }
    Ok(())
}

/// Resolves when the client has closed the connection; never if it sends more.
async fn gone(reader: &mut BufReader<OwnedReadHalf>) {
    match reader.fill_buf().await {
        Ok(bytes) if !bytes.is_empty() => std::future::pending().await,
        _ => {}
    }
}

/// `true` if the connection can serve another request.
async fn write_answer(write: &mut OwnedWriteHalf, answer: &Answer, head_only: bool) -> io::Result<bool> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", answer.status);
    for (name, value) in &answer.headers.0 {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    match &answer.body {
        Body::Whole(body) => {
            head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
            write.write_all(head.as_bytes()).await?;
            if !head_only {
                write.write_all(body).await?;
            }
        }
        Body::Steps(steps) => {
            head.push_str("transfer-encoding: chunked\r\n\r\n");
            write.write_all(head.as_bytes()).await?;
            for step in steps {
                match step {
                    Step::Bytes(bytes) => chunk(write, bytes).await?,
                    Step::Pause(time, None) => tokio::time::sleep(*time).await,
                    Step::Pause(time, Some(every)) => keep_alive(write, *time, *every).await?,
                    Step::Hold(gate) => gate.wait().await,
                    Step::Cut => return Ok(false),
                }
            }
            write.write_all(b"0\r\n\r\n").await?;
        }
    }
    Ok(true)
}

async fn keep_alive(write: &mut OwnedWriteHalf, time: Duration, every: Duration) -> io::Result<()> {
    let end = tokio::time::Instant::now() + time;
    while tokio::time::Instant::now() < end {
        tokio::time::sleep_until(end.min(tokio::time::Instant::now() + every)).await;
        chunk(write, b": keep-alive\n\n").await?;
    }
    Ok(())
}

async fn chunk(write: &mut OwnedWriteHalf, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    write.write_all(&framed).await
}

fn record(shared: &Shared, method: &str, path: &str, headers: &Headers, raw: &[u8]) -> usize {
    let compressed = headers.value("content-encoding") == Some("zstd");
    let plain = if compressed { zstd::decode_all(raw).ok() } else { Some(raw.to_vec()) };
    let body: Value =
        plain.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
    let place = path.split('?').next().unwrap_or_default();
    let turn = method == "POST" && [super::RESPONSES, super::API_RESPONSES].contains(&place);
    let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    let number = state.count;
    state.count += 1;
    state.log.push(Request {
        number,
        at: Instant::now(),
        ended: None,
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.clone(),
        plain: plain.unwrap_or_default(),
        compressed,
        view: turn.then(|| View::of(&body)),
        body,
        rule: None,
        refused: None,
        client_gone: false,
    });
    number
}

struct Turn {
    answer: Answer,
    before: Option<Duration>,
}

impl From<Answer> for Turn {
    fn from(answer: Answer) -> Self {
        Self { answer, before: None }
    }
}

fn respond(state: &mut State, number: usize) -> Turn {
    let Some(request) = state.request(number).cloned() else {
        return Answer::json(404, &json!({ "detail": "Not Found" })).into();
    };
    let path = request.path.split('?').next().unwrap_or_default();
    let method = request.method.as_str();
    if method == "CONNECT" || path.starts_with("http://") || path.starts_with("https://") {
        return Answer::whole(502, "text/plain", "no other host may be reached\n".to_owned()).into();
    }
    if let Some(replies) = state.replies.get_mut(path)
        && let Some(reply) = if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() }
    {
        let mut answer = Answer::whole(reply.status, reply.kind, reply.body);
        if let Some(date) = reply.date {
            answer.headers.push("date", date);
        }
        return Turn { answer, before: reply.before };
    }
    if let Some(answer) = state.auth.answer(&mut state.tokens, &request) {
        return answer.into();
    }
    let account = request.headers.value("chatgpt-account-id").unwrap_or(crate::ACCOUNT);
    let signed_in = || reject::authorization(&request.headers, &state.tokens.access);
    match (method, path) {
        ("POST", super::RESPONSES | super::API_RESPONSES) => return turn(state, &request),
        ("GET", super::RESPONSES) => Answer::json(426, &json!({ "detail": "Upgrade Required" })),
        ("GET", super::MODELS | super::ACCOUNTS | super::USAGE) | ("POST", super::SEARCH)
            if state.strict && signed_in().is_some() =>
        {
            let (status, body) = signed_in().unwrap_or_default();
            Answer::json(status, &body)
        }
        ("GET", super::MODELS) => {
            let mut answer = Answer::json(200, &state.catalog);
            answer.headers.push("etag", catalog::etag(&state.catalog));
            answer
        }
        ("GET", super::ACCOUNTS) => Answer::json(200, &catalog::accounts_check(account)),
        ("GET", super::USAGE) => Answer::json(200, &catalog::usage(account)),
        ("POST", super::SEARCH) => match reject::search(&request.body) {
            Some((status, body)) if state.strict => Answer::json(status, &body),
            _ => Answer::json(200, &json!({ "output": "Found: [Example](https://example.com/)" })),
        },
        ("POST", "/oauth/token") => state.tokens.exchange(&auth::fields(&request)),
        _ => Answer::json(404, &json!({ "detail": "Not Found" })),
    }
    .into()
}

fn turn(state: &mut State, request: &Request) -> Turn {
    let knows =
        Knowledge { catalog: &state.catalog, issued: &state.issued, valid_tokens: &state.tokens.access };
    if state.strict
        && let Some((status, body)) = match request.path.starts_with(super::API_RESPONSES) {
            true => state.auth.refuses(&request.headers).or_else(|| reject::classic(&request.body, &knows)),
            false => reject::refusal(&request.headers, &request.body, &knows),
        }
    {
        let answer = Answer::json(status, &body);
        if let Some(recorded) = state.request(request.number) {
            recorded.refused = Some((status, body));
        }
        return answer.into();
    }
    let view = request.view.clone().unwrap_or_default();
    let rule = state
        .rules
        .iter_mut()
        .find(|(rule, used)| rule.uses.is_none_or(|uses| *used < uses) && rule.matches(&view));
    let rule = rule.map(|(rule, used)| {
        *used += 1;
        rule.clone()
    });
    if let Some(recorded) = state.request(request.number) {
        recorded.rule = rule.as_ref().map(|rule| rule.id.clone());
    }
    let rule = rule.unwrap_or_else(|| Rule::any("(none)").text("OK."));
    let (mut answer, issued) = render::answer(&rule, &view, &request.body);
    if answer.status == 200 {
        answer.headers.push("x-models-etag", catalog::etag(&state.catalog));
    }
    state.issued.extend(issued);
    Turn { answer, before: rule.before }
}

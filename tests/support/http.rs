//! The little HTTP/1.1 that both ends of the kit need: heads, bodies, chunks, and a client that can be dropped at
//! any byte. No TLS, no HTTP/2, no pooling: a test sees exactly the bytes that went over one connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinHandle;

use crate::sse::{self, Event};

/// Header fields in the order in which they came; names in lower case.
#[derive(Clone, Debug, Default)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of a header field.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Adds a field.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_ascii_lowercase(), value.into()));
    }
}

/// Reads the first line and the header fields of a message; `None` if the connection ended before it began.
pub(crate) async fn read_head<R: AsyncBufRead + Unpin>(
    reader: &mut R,
) -> io::Result<Option<(String, Headers)>> {
    let Some(first) = read_line(reader).await? else { return Ok(None) };
    let mut headers = Headers::default();
    loop {
        let line = read_line(reader).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(Some((first, headers)));
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push(name.trim(), value.trim());
    }
}

async fn read_line<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

/// How the length of a body is told.
#[derive(Debug)]
pub(crate) enum Framing {
    Length(u64),
    Chunked { left: u64, over: bool },
    UntilClose,
}

impl Framing {
    pub(crate) fn of_request(headers: &Headers) -> Self {
        Self::told(headers).unwrap_or(Self::Length(0))
    }

    fn of_answer(headers: &Headers, bodiless: bool) -> Self {
        if bodiless { Self::Length(0) } else { Self::told(headers).unwrap_or(Self::UntilClose) }
    }

    fn told(headers: &Headers) -> Option<Self> {
        if headers.value("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            return Some(Self::Chunked { left: 0, over: false });
        }
        headers.value("content-length")?.parse().ok().map(Self::Length)
    }

    /// The next piece of the body as it arrives; `None` at its proper end, an error if it was cut short.
    pub(crate) async fn next<R: AsyncBufRead + Unpin>(
        &mut self,
        reader: &mut R,
    ) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Length(0) | Self::Chunked { over: true, .. } => Ok(None),
            Self::Length(left) => piece(reader, left).await.map(Some),
            Self::UntilClose => {
                let mut left = u64::MAX;
                match piece(reader, &mut left).await {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                    other => other.map(Some),
                }
            }
            Self::Chunked { left, over } => {
                if *left == 0 {
                    let line = read_line(reader).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
                    let size = line.split(';').next().unwrap_or_default().trim();
                    *left = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
                    if *left == 0 {
                        while read_line(reader).await?.is_some_and(|trailer| !trailer.is_empty()) {}
                        *over = true;
                        return Ok(None);
                    }
                }
                let bytes = piece(reader, left).await?;
                if *left == 0 {
                    read_line(reader).await?;
                }
                Ok(Some(bytes))
            }
        }
    }

    pub(crate) async fn whole<R: AsyncBufRead + Unpin>(&mut self, reader: &mut R) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next(reader).await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }
}

async fn piece<R: AsyncBufRead + Unpin>(reader: &mut R, left: &mut u64) -> io::Result<Vec<u8>> {
    let available = reader.fill_buf().await?;
    if available.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(available.len());
    let bytes = available[..take].to_vec();
    reader.consume(take);
    *left -= take as u64;
    Ok(bytes)
}

/// One request to a server on this machine, built up field by field.
#[derive(Clone, Debug)]
pub struct Call {
    address: SocketAddr,
    method: String,
    path: String,
    headers: Headers,
    body: Vec<u8>,
}

impl Call {
    /// A request without a body; `host` is set to the address.
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let mut headers = Headers::default();
        headers.push("host", address.to_string());
        Self { address, method: method.to_owned(), path: path.to_owned(), headers, body: Vec::new() }
    }

    /// Sets a header field, in place of an earlier one of that name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push(name, value);
        self
    }

    /// Takes a header field away.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self
    }

    /// Sets the body as it is.
    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a body that is already framed in chunks; the end is added.
    pub fn framed(self, chunks: impl Into<Vec<u8>>) -> Self {
        let mut body = chunks.into();
        body.extend_from_slice(b"0\r\n\r\n");
        self.header("transfer-encoding", "chunked").bytes(body)
    }

    /// Sets a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").bytes(body.to_string())
    }

    /// Sends it and waits for the head of the answer. Panics if there is none.
    pub async fn open(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        self.try_open().await.unwrap_or_else(|error| panic!("{what}: no answer: {error}"))
    }

    /// Sends it and waits for the head of the answer.
    pub async fn try_open(self) -> io::Result<Answer> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let bodiless = self.method == "HEAD";
        // The body is sent beside the reading: a server may answer (413) before it has read it all.
        let writer = Writer(Some(tokio::spawn(self.write(write))));
        let mut reader = BufReader::new(read);
        let (line, headers) = read_head(&mut reader).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = line
            .split_whitespace()
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or(io::ErrorKind::InvalidData)?;
        let framing = Framing::of_answer(&headers, bodiless);
        Ok(Answer { status, headers, reader, framing, decoder: sse::Decoder::default(), _writer: writer })
    }

    /// Sends it and reads the whole answer. Panics if there is none or if it is cut short.
    pub async fn send(self) -> Whole {
        self.open().await.whole().await
    }

    async fn write(self, mut write: OwnedWriteHalf) -> OwnedWriteHalf {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers.0 {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let told =
            ["content-length", "transfer-encoding"].iter().any(|name| self.headers.value(name).is_some());
        if !told && (!self.body.is_empty() || self.method == "POST") {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("connection: close\r\n\r\n");
        // An error here shows in the reading half, where the caller looks.
        if write.write_all(head.as_bytes()).await.is_ok() {
            let _ = write.write_all(&self.body).await;
        }
        write
    }
}

/// Ends the writing task together with the answer, so that dropping an answer closes the connection at once.
#[derive(Debug)]
struct Writer(Option<JoinHandle<OwnedWriteHalf>>);

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

/// An answer whose head has arrived. Dropping it closes the connection.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: Headers,
    reader: BufReader<OwnedReadHalf>,
    framing: Framing,
    decoder: sse::Decoder,
    _writer: Writer,
}

impl Answer {
    /// The next piece of the body; `None` at the proper end, an error if the connection broke.
    pub async fn piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.framing.next(&mut self.reader).await
    }

    /// The next SSE event; `None` at the end. Panics if the connection broke in the middle.
    pub async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.decoder.next_event() {
                return Some(event);
            }
            let bytes = self.piece().await.unwrap_or_else(|error| panic!("the stream broke: {error}"))?;
            self.decoder.push(&bytes);
        }
    }

    /// Reads until an event of this name; panics if the stream ends or `limit` passes before it.
    pub async fn until(&mut self, name: &str, limit: Duration) -> Event {
        let search = async {
            while let Some(event) = self.event().await {
                if event.name == name {
                    return event;
                }
            }
            panic!("the stream ended without {name}")
        };
        tokio::time::timeout(limit, search).await.unwrap_or_else(|_| panic!("no {name} within {limit:?}"))
    }

    /// All events that are left.
    pub async fn events(&mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.event().await {
            all.push(event);
        }
        all
    }

    /// Reads the rest. Panics if it is cut short.
    pub async fn whole(mut self) -> Whole {
        let mut body = Vec::new();
        while let Some(bytes) =
            self.piece().await.unwrap_or_else(|error| panic!("the answer was cut short: {error}"))
        {
            body.extend_from_slice(&bytes);
        }
        Whole { status: self.status, headers: self.headers, body }
    }
}

/// An answer read to its end.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Whole {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; panics with the body if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} is not JSON ({error}): {}", self.status, self.text()))
    }

    /// The SSE events of the body.
    pub fn events(&self) -> Vec<Event> {
        sse::events(&self.body)
    }
}

/// Reads what is left of a connection and throws it away, so that closing it does not reset the other side.
pub(crate) async fn drain(reader: &mut BufReader<OwnedReadHalf>) {
    let mut rubbish = [0; 4096];
    while matches!(reader.read(&mut rubbish).await, Ok(count) if count > 0) {}
}

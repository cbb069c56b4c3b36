//! The model's answer as it arrives: opened up to the first event that commits, then handed through byte by byte.
//!
//! Not here: what is done about an answer that fails to open (`codex.rs`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_protocol::failure::Failure;
use dragoman_protocol::openai::event::Event;
use dragoman_protocol::sse::Decoder;
use jiff::Timestamp;
use memchr::memmem;
use serde::Deserialize;
use tokio::time::timeout;

use crate::accounts::Seat;
use crate::attempt::{AccountTag, Attempt};
use crate::demo::Playback;
use crate::limits::Reached;
use crate::memory::Memory;

/// From one read to the next; the client in front gives up at 300 s (DECISIONS 1).
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(280);
/// A frame with limits is far smaller; longer unfinished frames are not kept for looking at.
const TAIL: usize = 8 << 10;
/// What is looked for before anything is parsed.
const LIMITS: &[u8] = b"codex.rate_limits";
const TURN_STATE: &[u8] = b"x-codex-turn-state";

/// The raw SSE bytes of one answer. Dropping it closes the connection.
pub struct EventStream {
    /// What the request was finally translated for.
    pub attempt: Attempt,
    source: Source,
    /// What was read while opening.
    opened: Option<Bytes>,
    ears: Ears,
}

/// Where the bytes come from.
pub(crate) enum Source {
    Http(Box<reqwest::Response>),
    Demo(Playback),
    /// An answer that came in one piece (S51).
    Whole(Option<Bytes>),
    /// The end, good or bad; the connection is gone.
    Over,
}

impl Source {
    /// One read. Cancel-safe.
    async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        match self {
            Self::Http(response) => response.chunk().await.map_err(|error| {
                tracing::debug!(error = %error.without_url(), "the answer broke off");
                Failure::Truncated
            }),
            Self::Demo(playback) => Ok(playback.chunk().await),
            Self::Whole(bytes) => Ok(bytes.take()),
            Self::Over => Ok(None),
        }
    }

    async fn chunk_in_time(&mut self) -> Result<Option<Bytes>, Failure> {
        timeout(IDLE_LIMIT, self.chunk())
            .await
            .unwrap_or(Err(Failure::Stalled { seconds: IDLE_LIMIT.as_secs() }))
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was read is the model's answer, and the response's headers hold routing tokens.
        f.debug_struct("EventStream").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

impl EventStream {
    /// Reads until an event commits. A failure that comes before is the answer.
    pub(crate) async fn open(mut source: Source, attempt: Attempt, mut ears: Ears) -> Result<Self, Failure> {
        let mut decoder = Decoder::default();
        let mut read: Vec<Bytes> = Vec::new();
        loop {
            let chunk = source.chunk_in_time().await?;
            let at_end = chunk.is_none();
            if let Some(chunk) = chunk {
                decoder.push(&chunk);
                read.push(chunk);
            }
            // Once an event has committed, a failure behind it in the same read is told where it stands: how the bytes
            // were cut must not decide whether the request is repeated.
            let mut committed = false;
            while let Some(frame) = decoder.next_frame() {
                if committed {
                    ears.overhear(&frame.data);
                } else {
                    committed = ears.judge(&frame.data)?;
                }
            }
            if at_end {
                source = Source::Over;
                if let Some(frame) = decoder.finish().filter(|_| !committed) {
                    committed = ears.judge(&frame.data)?;
                }
            }
            if committed {
                let opened = match <[Bytes; 1]>::try_from(read) {
                    Ok([only]) => only,
                    Err(several) => several.concat().into(),
                };
                // Frames were judged above; only an unfinished one is of interest.
                ears.keep_tail(&opened);
                return Ok(Self { attempt, source, opened: Some(opened), ears });
            }
            if at_end {
                return Err(Failure::Truncated);
            }
        }
    }

    /// The next bytes, one upstream read each; the first item holds all that was read while opening. `None` is a clean
    /// end of file. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        if let Some(opened) = self.opened.take() {
            return Some(Ok(opened));
        }
        match self.source.chunk_in_time().await {
            Ok(Some(chunk)) => {
                self.ears.hear(&chunk);
                Some(Ok(chunk))
            }
            Ok(None) => {
                self.source = Source::Over;
                None
            }
            Err(failure) => {
                self.source = Source::Over;
                Some(Err(failure))
            }
        }
    }
}

/// Listens for limits and routing tokens in the bytes that go through, without parsing the others.
pub(crate) struct Ears {
    /// The account whose limits they are.
    seat: Arc<Seat>,
    sticky: Option<Sticky>,
    /// The beginning of a frame whose end is still to come.
    tail: Vec<u8>,
}

/// Whose routing token it is.
pub(crate) struct Sticky {
    pub(crate) memory: Arc<Memory>,
    pub(crate) account: AccountTag,
    pub(crate) thread: String,
}

impl Ears {
    pub(crate) fn new(seat: Arc<Seat>, sticky: Option<Sticky>) -> Self {
        Self { seat, sticky, tail: Vec::new() }
    }

    /// Looks at one event while opening: does it commit, or is it the failure?
    fn judge(&self, data: &str) -> Result<bool, Failure> {
        if data.is_empty() {
            return Ok(false);
        }
        let event = Event::parse(data)?;
        if let Some(json) = event.rate_limits()
            && let Some(Reached { resets_at, plan }) = self.fold(json)
        {
            return Err(Failure::AccountLimit { resets_at, plan, others: 0 });
        }
        self.learn_turn_state(data);
        match event.failure(Timestamp::now().as_second()) {
            Some(failure) => Err(failure),
            None => Ok(event.commits()),
        }
    }

    /// The routing token comes as a response header, or as one in a `response.metadata` event (`upstream.md` §b.6).
    fn learn_turn_state(&self, data: &str) {
        #[derive(Deserialize)]
        struct Metadata {
            #[serde(rename = "type")]
            kind: String,
            headers: Option<Headers>,
        }
        #[derive(Deserialize)]
        struct Headers {
            #[serde(rename = "x-codex-turn-state")]
            turn_state: Option<String>,
        }
        let Some(sticky) = &self.sticky else { return };
        if memmem::find(data.as_bytes(), TURN_STATE).is_none() {
            return;
        }
        if let Ok(Metadata { kind, headers: Some(Headers { turn_state: Some(token) }) }) =
            serde_json::from_str(data)
            && kind == "response.metadata"
        {
            sticky.memory.learn_turn_state(&sticky.account, &sticky.thread, &token);
        }
    }

    fn fold(&self, json: &str) -> Option<Reached> {
        let now = Timestamp::now().as_second();
        self.seat.fold(|limits| limits.with_event(json, now)).flatten()
    }

    /// Bytes go by. Limits in them are folded in; that the account's limit is reached is no failure any more.
    fn hear(&mut self, chunk: &[u8]) {
        if self.tail.is_empty() {
            self.parse(chunk);
            self.keep_tail(chunk);
        } else {
            let mut text = std::mem::take(&mut self.tail);
            text.extend_from_slice(chunk);
            self.parse(&text);
            self.keep_tail(&text);
        }
    }

    fn parse(&self, text: &[u8]) {
        if memmem::find(text, LIMITS).is_none() && memmem::find(text, TURN_STATE).is_none() {
            return;
        }
        let mut decoder = Decoder::default();
        decoder.push(text);
        while let Some(frame) = decoder.next_frame() {
            self.overhear(&frame.data);
        }
    }

    /// Looks at one event, but not for failures.
    fn overhear(&self, data: &str) {
        self.learn_turn_state(data);
        if memmem::find(data.as_bytes(), LIMITS).is_some()
            && let Ok(event) = Event::parse(data)
            && let Some(json) = event.rate_limits()
        {
            let _ = self.fold(json);
        }
    }

    fn keep_tail(&mut self, text: &[u8]) {
        let lf = memmem::rfind(text, b"\n\n").map(|at| at + 2);
        let crlf = memmem::rfind(text, b"\r\n\r\n").map(|at| at + 4);
        let rest = &text[lf.max(crlf).unwrap_or(0)..];
        if rest.len() <= TAIL {
            self.tail.extend_from_slice(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{AccountKind, AccountView, Roster};
    use dragoman_protocol::route::Dialect;

    const CREATED: &str = r#"{"type":"response.created","response":{"id":"r"}}"#;
    const DELTA: &str =
        r#"{"type":"response.output_text.delta","item_id":"m","output_index":0,"delta":"hi"}"#;
    const LIMITS_EVENT: &str =
        r#"{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":5,"window_minutes":300}}}"#;

    fn attempt() -> Attempt {
        Attempt {
            login: roster().in_use().id,
            account: AccountTag::demo(),
            dialect: Dialect::Classic,
            reasoning: true,
            late_tools: true,
            instructions: false,
        }
    }

    fn roster() -> Roster {
        Roster::of(AccountView::new(AccountKind::Own, "me"))
    }

    fn seat(roster: &Roster) -> Arc<Seat> {
        roster.seat(&roster.in_use().id)
    }

    fn source(chunks: &[&str]) -> Source {
        Source::Demo(Playback::of(chunks.iter().map(|chunk| (Duration::ZERO, (*chunk).to_owned()))))
    }

    fn frame(data: &str) -> String {
        format!("event: x\ndata: {data}\n\n")
    }

    async fn open(chunks: &[&str]) -> (Result<EventStream, Failure>, Roster) {
        let roster = roster();
        (EventStream::open(source(chunks), attempt(), Ears::new(seat(&roster), None)).await, roster)
    }

    async fn rest(stream: &mut EventStream) -> Vec<Result<String, Failure>> {
        let mut all = Vec::new();
        while let Some(item) = stream.next().await {
            all.push(item.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()));
        }
        all
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_item_holds_all_that_was_read_while_opening() {
        let (created, delta) = (frame(CREATED), frame(DELTA));
        let (a, b) = delta.split_at(20);
        let (stream, _) = open(&[&created, a, b, "data: tail", "\n\n"]).await;
        let items = rest(&mut stream.unwrap()).await;
        assert_eq!(items, [Ok(format!("{created}{delta}")), Ok("data: tail".into()), Ok("\n\n".into())]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_before_anything_commits_is_truncation() {
        for chunks in [&[][..], &[&frame(CREATED)[..]], &["data: {\"type\":"], &[": keepalive\n\n"]] {
            let (stream, _) = open(chunks).await;
            assert!(stream.is_err(), "{chunks:?}");
        }
        assert_eq!(open(&[&frame(CREATED)]).await.0.unwrap_err(), Failure::Truncated);
    }

    #[tokio::test(start_paused = true)]
    async fn a_last_event_without_its_blank_line_commits_too() {
        let (stream, _) = open(&[&format!("data: {DELTA}")]).await;
        assert_eq!(rest(&mut stream.unwrap()).await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_after_280_seconds_and_closes() {
        let delta = frame(DELTA);
        let late = |seconds| {
            Source::Demo(Playback::of([
                (Duration::ZERO, delta.clone()),
                (Duration::from_secs(seconds), "data: late\n\n".to_owned()),
            ]))
        };
        let begin = tokio::time::Instant::now();
        let mut stream =
            EventStream::open(late(279), attempt(), Ears::new(seat(&roster()), None)).await.unwrap();
        assert_eq!(rest(&mut stream).await.len(), 2);
        assert_eq!(begin.elapsed().as_secs(), 279);
        let mut stream =
            EventStream::open(late(281), attempt(), Ears::new(seat(&roster()), None)).await.unwrap();
        assert_eq!(rest(&mut stream).await, [Ok(delta.clone()), Err(Failure::Stalled { seconds: 280 })]);
        assert!(matches!(stream.source, Source::Over));
    }

    #[tokio::test(start_paused = true)]
    async fn next_can_be_cancelled_without_loss() {
        let source = Source::Demo(Playback::of([
            (Duration::ZERO, frame(DELTA)),
            (Duration::from_secs(10), "one".to_owned()),
            (Duration::from_secs(10), "two".to_owned()),
        ]));
        let mut stream =
            EventStream::open(source, attempt(), Ears::new(seat(&roster()), None)).await.unwrap();
        let _ = stream.next().await;
        let mut seen = Vec::new();
        loop {
            match timeout(Duration::from_secs(3), stream.next()).await {
                Err(_) => {}
                Ok(Some(item)) => seen.push(item.unwrap()),
                Ok(None) => break,
            }
        }
        assert_eq!(seen, ["one", "two"]);
    }

    #[tokio::test(start_paused = true)]
    async fn limits_are_heard_wherever_the_bytes_are_split() {
        let text = format!("{}{}{}", frame(DELTA), frame(LIMITS_EVENT), frame(DELTA));
        let start = frame(DELTA).len();
        for cut in start..text.len() {
            let (stream, roster) = open(&[&text[..start], &text[start..cut], &text[cut..]]).await;
            rest(&mut stream.unwrap()).await;
            assert_eq!(roster.in_use().limits.windows.len(), 1, "cut at {cut}");
        }
        // … also when the cut lies in what was read while opening.
        for cut in start..text.len() {
            let (stream, roster) = open(&[&text[..cut], &text[cut..]]).await;
            rest(&mut stream.unwrap()).await;
            assert_eq!(roster.in_use().limits.windows.len(), 1, "opening cut at {cut}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_routing_token_is_heard_in_metadata_and_not_in_text() {
        let metadata = frame(r#"{"type":"response.metadata","headers":{"x-codex-turn-state":"sticky"}}"#);
        let quoted = frame(
            r#"{"type":"response.output_text.delta","delta":"x","headers":{"x-codex-turn-state":"fake"}}"#,
        );
        for (chunks, expected) in [
            ([metadata.clone(), frame(DELTA)], "sticky"),
            ([frame(DELTA), metadata], "sticky"),
            ([frame(DELTA), quoted], ""),
        ] {
            let memory = Arc::new(Memory::default());
            let me = AccountTag::of("me");
            let sticky = Sticky { memory: Arc::clone(&memory), account: me.clone(), thread: "t".to_owned() };
            let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
            let ears = Ears::new(seat(&roster()), Some(sticky));
            let mut stream = EventStream::open(source(&chunks), attempt(), ears).await.unwrap();
            rest(&mut stream).await;
            assert_eq!(memory.turn_state(&me, "t").unwrap_or_default(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_behind_output_in_one_read_is_handed_through() {
        let failed =
            frame(r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"x"}}}"#);
        let (stream, _) = open(&[&format!("{}{failed}", frame(DELTA))]).await;
        assert!(rest(&mut stream.unwrap()).await[0].as_ref().unwrap().ends_with(&failed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reached_limit_is_a_failure_only_before_output_and_without_credits() {
        let event = |credits: bool| {
            frame(&format!(
                r#"{{"type":"codex.rate_limits","plan_type":"plus","rate_limits":{{"limit_reached":true,"primary":
                {{"used_percent":100,"window_minutes":300,"reset_at":77}}}},"credits":{{"has_credits":{credits}}}}}"#
            ))
            .replace('\n', "")
            .replace("event: xdata:", "data:")
                + "\n\n"
        };
        let delta = frame(DELTA);
        let (failed, _) = open(&[&event(false), &delta]).await;
        assert_eq!(
            failed.unwrap_err(),
            Failure::AccountLimit { resets_at: Some(77), plan: Some("plus".into()), others: 0 }
        );
        let (with_credits, _) = open(&[&event(true), &delta]).await;
        assert_eq!(rest(&mut with_credits.unwrap()).await.len(), 1);
        let (later, roster) = open(&[&delta, &event(false)]).await;
        assert_eq!(rest(&mut later.unwrap()).await.len(), 2);
        assert_eq!(roster.in_use().limits.windows[0].used_percent, 100.0);
    }
}

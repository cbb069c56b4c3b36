//! `POST /v1/responses`: the client speaks the backend's own language; its request is passed on, and so is the answer.
//!
//! Not here: what is rewritten on the way (protocol, `translate/passing`), what is remembered (`kept.rs`).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use dragoman_protocol::failure::Failure;
use dragoman_protocol::openai::client::ClientRequest;
use dragoman_protocol::route::Route;
use dragoman_protocol::translate::{KnownItems, Passage, PassageContext, Passed, Passing, pass_on};
use dragoman_upstream::{Attempt, Turn};
use http::HeaderMap;

use crate::Proxy;
use crate::body::text_of;
use crate::door::Door;
use crate::kept::Conversation;
use crate::messages::{Asks, Exchange, begin};
use crate::record::{self, Tape};
use crate::routes::{Facts, Routed};
use crate::threads::{Ids, header};
use crate::voice::PassedOn;

/// Bytes of JSON to a token, roughly.
const BYTES_PER_TOKEN: u64 = 4;

/// The endpoint.
pub(crate) async fn responses(State(proxy): State<Proxy>, request: Request) -> Response {
    Door::Responses.answer(&proxy, request).await
}

pub(crate) async fn prepare(
    proxy: &Proxy,
    config: &crate::Config,
    headers: &HeaderMap,
    body: Bytes,
    id: &str,
) -> Result<Exchange, Failure> {
    let text = text_of(&body)?;
    let request = ClientRequest::parse(&text)?;
    let client = &proxy.inner.client;
    let before = before(proxy, &request)?;
    let ids = match &before {
        Some(before) if before.ids.is_of(headers) => before.ids.clone(),
        Some(_) | None => Ids::of_responses(headers, &request),
    };
    let search = request.offers_hosted_tools();
    let facts = Facts { fast: request.wants_speed(), search, scenarios: Vec::new() };
    let Routed { route, decision, .. } = config.rules.route(&client.catalog(), &request.model, &facts)?;
    let asked = record::Asked {
        request_id: id,
        door: Door::Responses,
        thread: &ids.thread,
        headers,
        extra_tools: &Arc::default(), // none is added here
        body: &body,
    };
    let asks = Asks { session: &ids.session, model: &request.model, route: &route, decision: &decision };
    let (mut entry, attempt) = begin(proxy, config, asked, asks).await?;

    let tape = entry.tape().cloned();
    let known = proxy.inner.kept.items_of(&request);
    let source =
        Arc::new(Source { body: body.clone(), route, thread: ids.thread.clone(), before, known, tape });
    let Passage { body: upstream_body, conversation, effort, notes } =
        entry.judge(source.translate(&request, &attempt))?;
    entry.sent_with(effort);
    entry.note(notes);
    entry.note(decision.notes(&source.route.model));
    let passed = Passed {
        model: (request.model != source.route.model).then(|| request.model.clone().into_owned()),
        previous: request.previous_response_id.clone().map(std::borrow::Cow::into_owned),
        is_codex: header(headers, "originator").is_some_and(|value| value.starts_with("codex")),
    };
    let streams = request.stream.unwrap_or_default();
    let estimate = upstream_body.len() as u64 / BYTES_PER_TOKEN;
    let again = Arc::clone(&source);
    let conversation =
        (!conversation.is_empty()).then(|| Conversation { ids: ids.clone(), items: conversation });
    let turn = Turn {
        model: source.route.model.clone(),
        pool: source.route.pool,
        tier: source.route.tier.clone(),
        session: ids.session,
        thread: ids.thread.clone(),
        window: window(headers),
        continues: request.goes_on(),
        attempt,
        body: upstream_body,
        again: Box::new(move |attempt| again.again(attempt)),
    };
    Ok(Exchange {
        proxy: proxy.clone(),
        streams,
        turn,
        voice: Box::new(PassedOn::new(Passing::new(passed), streams, conversation)),
        entry,
        thread: ids.thread,
        replayed: Vec::new(),
        alone: estimate,
        estimate,
        window: source.route.window,
        searches: None,
    })
}

/// The conversation that the request goes on with.
fn before(proxy: &Proxy, request: &ClientRequest<'_>) -> Result<Option<Arc<Conversation>>, Failure> {
    let Some(id) = request.previous_response_id.as_deref().filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    proxy.inner.kept.response(id).map(Some).ok_or_else(|| {
        let message = format_args!(
            "the response {id:?} is not remembered here (responses are kept in memory for some hours, and not with store: false); send the whole conversation as input"
        );
        Failure::invalid("previous_response_id", message)
    })
}

/// The window's number, as the Codex CLI tells it: `<thread>:<number>`.
fn window(headers: &HeaderMap) -> u64 {
    header(headers, "x-codex-window-id")
        .and_then(|value| value.rsplit_once(':')?.1.parse().ok())
        .unwrap_or_default()
}

/// The client's request, kept to pass it on again: in another dialect, without reasoning.
#[derive(Debug)]
struct Source {
    body: Bytes,
    route: Route,
    thread: String,
    before: Option<Arc<Conversation>>,
    known: KnownItems,
    /// Where the exchange is recorded.
    tape: Option<Tape>,
}

impl Source {
    fn again(&self, attempt: &Attempt) -> Result<Vec<u8>, Failure> {
        let text = text_of(&self.body)?;
        Ok(self.translate(&ClientRequest::parse(&text)?, attempt)?.body)
    }

    fn translate(&self, request: &ClientRequest<'_>, attempt: &Attempt) -> Result<Passage, Failure> {
        let context = PassageContext {
            route: &self.route,
            dialect: attempt.dialect,
            reasoning: attempt.reasoning,
            instructions: attempt.instructions,
            thread: &self.thread,
            before: self.before.as_ref().map(|before| before.items.as_slice()).unwrap_or_default(),
            known: &self.known,
        };
        let passage = pass_on(request, context)?;
        if let Some(tape) = &self.tape {
            tape.sent(attempt.dialect, &passage.body);
        }
        Ok(passage)
    }
}

//! `POST /v1/messages`: reads the request, decides its route, translates it, and hands it to the relay.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use dragoman_protocol::anthropic::block::Block;
use dragoman_protocol::anthropic::event::{MessageSink, SseSink};
use dragoman_protocol::anthropic::request::{Content, MessagesRequest, Role};
use dragoman_protocol::failure::Failure;
use dragoman_protocol::openai::request as responses;
use dragoman_protocol::route::{Pool, Route};
use dragoman_protocol::translate::{
    Answer, ChatAnswer, ChatForm, ChatStream, Checksum, Context, Notes, Originals, ResponsesToMessages,
    SearchRules, Searched, StaleReasoning, ToolOrder, Translated, messages_to_responses, notes_in_chat,
    search_function,
};
use dragoman_upstream::{Attempt, Lane, Turn};
use http::HeaderMap;
use uuid::Uuid;

use crate::Proxy;
use crate::activity::{Asked, Entry};
use crate::body::text_of;
use crate::door::Door;
use crate::extra::{self, ExtraTool};
use crate::now::now;
use crate::record::{self, Tape};
use crate::relay;
use crate::routes::{Decision, Facts, Routed, Scenario};
use crate::search::Searches;
use crate::threads::Ids;
use crate::voice::{Spoken, Voice};

/// The endpoint.
pub(crate) async fn messages(State(proxy): State<Proxy>, request: Request) -> Response {
    Door::Messages.answer(&proxy, request).await
}

/// A Messages request on its way in, whoever wrote it.
pub(crate) struct Incoming<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// What the client sent.
    pub(crate) shown: Bytes,
    /// The Messages request.
    pub(crate) body: Bytes,
    pub(crate) id: &'a str,
    /// What becomes of the answer.
    pub(crate) form: AnswerForm,
    /// How wordy the client wants it.
    pub(crate) verbosity: Option<&'static str>,
    /// What was lost on the way to a Messages request.
    pub(crate) notes: Notes,
    /// What it is taken for, if that is not to be seen from its form.
    pub(crate) scenario: Option<Scenario>,
}

impl<'a> Incoming<'a> {
    /// A request that a client wrote itself.
    pub(crate) fn messages(headers: &'a HeaderMap, body: Bytes, id: &'a str) -> Self {
        Self {
            headers,
            shown: body.clone(),
            body,
            id,
            form: AnswerForm::Messages,
            verbosity: None,
            notes: Notes::default(),
            scenario: None,
        }
    }
}

/// The form of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AnswerForm {
    Messages,
    Chat(ChatForm),
}

impl AnswerForm {
    fn door(&self) -> Door {
        match self {
            Self::Messages => Door::Messages,
            Self::Chat(_) => Door::Chat,
        }
    }

    /// Tells where something stands in the client's own words.
    fn place(&self, notes: &mut Notes) {
        if let Self::Chat(_) = self {
            notes_in_chat(notes);
        }
    }

    /// An id for the answer.
    fn id(&self) -> String {
        let id = Uuid::now_v7().simple();
        match self {
            Self::Messages => format!("msg_{id}"),
            Self::Chat(_) => format!("chatcmpl-{id}"),
        }
    }

    fn voice(self, answer: Answer, streams: bool) -> Box<dyn Voice> {
        let machine = ResponsesToMessages::new(answer);
        match (self, streams) {
            (Self::Messages, true) => Box::new(Spoken::new(machine, SseSink::default())),
            (Self::Messages, false) => Box::new(Spoken::new(machine, MessageSink::default())),
            (Self::Chat(form), true) => Box::new(Spoken::new(machine, ChatStream::new(form, now().unix))),
            (Self::Chat(form), false) => Box::new(Spoken::new(machine, ChatAnswer::new(form, now().unix))),
        }
    }
}

/// One request on its way: all that the relay needs.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) proxy: Proxy,
    /// Was a stream asked for?
    pub(crate) streams: bool,
    pub(crate) turn: Turn,
    pub(crate) voice: Box<dyn Voice>,
    pub(crate) entry: Entry,
    pub(crate) thread: String,
    /// The reasoning that goes out, to be remembered if the backend can't read it.
    pub(crate) replayed: Vec<Checksum>,
    /// The estimate of this request alone, to learn from its true usage.
    pub(crate) alone: u64,
    /// Input tokens, estimated.
    pub(crate) estimate: u64,
    /// The window that the client was told, tokens.
    pub(crate) window: u64,
    /// Where the model's searches go, if it has none of its own and the client offers one.
    pub(crate) searches: Option<Searches>,
}

impl Exchange {
    pub(crate) async fn prepare(
        proxy: &Proxy,
        config: &crate::Config,
        incoming: Incoming<'_>,
    ) -> Result<Self, Failure> {
        let Incoming { headers, shown, body, id, form, verbosity, notes: lost, scenario } = incoming;
        let text = text_of(&body)?;
        let mut request = MessagesRequest::parse(&text)?;
        if request.max_tokens.is_none() {
            return Err(Failure::invalid("max_tokens", "field required"));
        }
        let client = &proxy.inner.client;
        let ids = Ids::of(headers, &request);
        // Whether the client's own tools are all there is, is seen before others are added.
        let extra = extra::wanted(&config.extra_tools, headers, &request);
        extra::add(&mut request, &extra);
        let seen = proxy.inner.threads.observe(&ids.thread, &request);
        let facts = match scenario {
            Some(scenario) => Facts::of_scenario(scenario),
            None => Facts::of(headers, &request, seen.estimate, &config.rules),
        };
        let Routed { mut route, decision, .. } =
            config.rules.route(&client.catalog(), &request.model, &facts)?;
        if let (Some(there), Some(wanted)) = (&mut route.verbosity, verbosity) {
            wanted.clone_into(there);
        }
        let asked = record::Asked {
            request_id: id,
            door: form.door(),
            thread: &ids.thread,
            headers,
            extra_tools: &config.extra_tools,
            body: &shown,
        };
        let asks = Asks { session: &ids.session, model: &request.model, route: &route, decision: &decision };
        let (mut entry, attempt) = begin(proxy, config, asked, asks).await?;

        let thread = Known {
            thread: ids.thread.clone(),
            tools: seen.tools,
            originals: proxy.inner.originals.of(&request),
            stale: seen.stale,
            serial_tools: config.serial_tools.clone(),
            extra: Arc::clone(&extra),
        };
        let context = thread.context(&route, &attempt, None);
        let translated = entry.judge(messages_to_responses(&request, context))?;
        entry.sent_with(translated.request.reasoning.effort);
        let upstream_body = entry.judge(body_of(&translated.request, text.len()))?;
        if let Some(tape) = entry.tape() {
            tape.sent(attempt.dialect, &upstream_body);
        }
        let Translated { names, format, context_management, replayed, mut notes, .. } = translated;
        form.place(&mut notes);
        entry.note(lost);
        entry.note(notes);
        entry.note(extra::note(&extra));
        entry.note(decision.notes(&route.model));
        let answer = Answer {
            id: form.id(),
            model: request.model.clone().into_owned(),
            upstream_model: route.model.clone(),
            account: attempt.account.as_str().to_owned(),
            names,
            thinking: request.wants_thinking(),
            stop_sequences: stop_sequences(&request),
            context_management,
            format,
            search: search_rules(&request),
            estimate: seen.estimate,
        };
        let continues = goes_on(&request);
        let streams = request.stream.unwrap_or_default();
        let window = route.window;
        let head = Head {
            model: route.model.clone(),
            pool: route.pool,
            tier: route.tier.clone(),
            session: ids.session,
            thread: ids.thread.clone(),
            window: seen.window,
        };
        let tape = entry.tape().cloned();
        let source = Arc::new(Source { body: body.clone(), route, known: thread, tape });
        let searches = facts.search.then(|| Searches::new(client.clone(), head.clone(), Arc::clone(&source)));
        let turn = head.turn(continues, attempt, upstream_body, source, Searched::default());
        Ok(Self {
            proxy: proxy.clone(),
            streams,
            turn,
            voice: form.voice(answer, streams),
            entry,
            thread: ids.thread,
            replayed,
            alone: seen.alone,
            estimate: seen.estimate,
            window,
            searches,
        })
    }

    /// What the client gets.
    pub(crate) async fn answer(self) -> Result<Response, Failure> {
        if self.streams { relay::stream(self).await } else { relay::fold(self).await }
    }
}

/// Who is asked, and why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asks<'a> {
    pub(crate) session: &'a str,
    /// The client's name for the model.
    pub(crate) model: &'a str,
    pub(crate) route: &'a Route,
    pub(crate) decision: &'a Decision,
}

/// Opens the books on a request, and plans its first attempt.
pub(crate) async fn begin(
    proxy: &Proxy,
    config: &crate::Config,
    asked: record::Asked<'_>,
    asks: Asks<'_>,
) -> Result<(Entry, Attempt), Failure> {
    let Asks { session, model, route, decision } = asks;
    let mut entry = proxy.inner.activity.begin(&Asked {
        request_id: asked.request_id,
        client: client_name(asked.headers),
        session,
        model,
        upstream_model: &route.model,
        decision,
    });
    entry.record(proxy.inner.recorder.begin(asked, config.token.expose()));
    let lane = Lane { session, pool: route.pool };
    let attempt = entry.judge(proxy.inner.client.plan(&route.model, route.dialect, lane).await)?;
    entry.made_for(attempt.login.as_str());
    Ok((entry, attempt))
}

/// What all requests to the model have in common that belong to one answer.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) model: String,
    pub(crate) pool: Option<Pool>,
    pub(crate) tier: Option<String>,
    pub(crate) session: String,
    pub(crate) thread: String,
    pub(crate) window: u64,
}

impl Head {
    pub(crate) fn turn(
        self,
        continues: bool,
        attempt: Attempt,
        body: Vec<u8>,
        source: Arc<Source>,
        searched: Searched,
    ) -> Turn {
        let Self { model, pool, tier, session, thread, window } = self;
        let again = Box::new(move |attempt: &Attempt| source.translate(attempt, Some(&searched)));
        Turn { model, pool, tier, session, thread, window, continues, attempt, body, again }
    }
}

/// The client's request, kept to translate it again: for another dialect, another account, without reasoning, with what
/// was searched meanwhile. All of it rare, so the body is read again rather than kept as it was read.
#[derive(Debug)]
pub(crate) struct Source {
    body: Bytes,
    route: Route,
    known: Known,
    /// Where the exchange is recorded.
    tape: Option<Tape>,
}

impl Source {
    pub(crate) fn translate(
        &self,
        attempt: &Attempt,
        searched: Option<&Searched>,
    ) -> Result<Vec<u8>, Failure> {
        let text = text_of(&self.body)?;
        let mut request = MessagesRequest::parse(&text)?;
        extra::add(&mut request, &self.known.extra);
        let context = self.known.context(&self.route, attempt, searched);
        let Translated { request, .. } = messages_to_responses(&request, context)?;
        let body = body_of(&request, text.len())?;
        if let Some(tape) = &self.tape {
            tape.sent(attempt.dialect, &body);
        }
        Ok(body)
    }

    /// Looks at the request itself.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&MessagesRequest<'_>) -> T) -> Result<T, Failure> {
        Ok(look(&MessagesRequest::parse(&text_of(&self.body)?)?))
    }
}

/// What is known of a thread when one of its requests is translated.
#[derive(Debug)]
struct Known {
    thread: String,
    tools: ToolOrder,
    originals: Originals,
    stale: Arc<StaleReasoning>,
    serial_tools: Option<Arc<[String]>>,
    /// Tools that the client did not offer.
    extra: Arc<[ExtraTool]>,
}

impl Known {
    fn context<'a>(
        &'a self,
        route: &'a Route,
        attempt: &'a Attempt,
        searched: Option<&'a Searched>,
    ) -> Context<'a> {
        Context {
            route,
            dialect: attempt.dialect,
            account: attempt.account.as_str(),
            reasoning: attempt.reasoning,
            stale: &self.stale,
            late_tools: attempt.late_tools,
            serial_tools: self.serial_tools.as_deref(),
            instructions: attempt.instructions,
            thread: &self.thread,
            tools: &self.tools,
            originals: &self.originals,
            searched,
        }
    }
}

fn body_of(request: &responses::Request<'_>, size_hint: usize) -> Result<Vec<u8>, Failure> {
    request.to_body(size_hint).map_err(|error| Failure::Internal {
        message: format!("the translated request can't be written: {error}"),
    })
}

/// The program that asks: the first product of its user agent, without the version.
fn client_name(headers: &HeaderMap) -> &str {
    const LONGEST: usize = 40;
    let agent =
        headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = agent.split(['/', ' ']).next().unwrap_or_default();
    let is_token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_token && name.len() <= LONGEST { name } else { "" }
}

/// The sequences that can be met at all.
fn stop_sequences(request: &MessagesRequest<'_>) -> Vec<String> {
    let asked = request.stop_sequences.iter().flatten();
    asked.filter(|sequence| !sequence.is_empty()).map(|sequence| sequence.clone().into_owned()).collect()
}

fn search_rules(request: &MessagesRequest<'_>) -> SearchRules {
    let Some(tool) = request.web_search() else { return SearchRules::default() };
    let all = |domains: &Option<Vec<Cow<'_, str>>>| {
        domains.iter().flatten().map(|domain| domain.clone().into_owned()).collect()
    };
    SearchRules {
        function: search_function(request),
        allowed_domains: all(&tool.allowed_domains),
        blocked_domains: all(&tool.blocked_domains),
        max_uses: tool.max_uses,
    }
}

/// Does this request go on with the user's turn? Then its last message holds tool results (DECISIONS 6). What Claude
/// Code adds behind them (`role: system`) does not count.
fn goes_on(request: &MessagesRequest<'_>) -> bool {
    let last = request.messages.iter().rev().find(|message| message.role != Role::System);
    last.is_some_and(|message| match &message.content {
        Content::Blocks(blocks) => blocks.iter().any(|block| matches!(block, Block::ToolResult(_))),
        Content::Text(_) => false,
    })
}

/// An answer with a body of its own.
pub(crate) fn response(content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    headers.insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-cache"));
    response
}

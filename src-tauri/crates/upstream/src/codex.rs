//! The ChatGPT backend: one POST a try, and everything that may be mended before the first event that commits
//! (DECISIONS 1, 2, 3, 8, 9, 13).

mod answer;
mod background;
mod search;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use dragoman_protocol::failure::{Failure, Retry};
use dragoman_protocol::route::Dialect;
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::answer::{Kind, as_event, failure_of, kind_of, sounds_undecoded};
use crate::accounts::{Account, AccountId, AccountKind, Accounts, Choice, Credential, Recovered, is_over};
use crate::attempt::{Attempt, Lane, Turn};
use crate::catalog::Catalogs;
use crate::config::Compression;
use crate::http::{Http, is_loopback, join, unreachable};
use crate::identity::{Call, Endpoint, Identity, TurnIds};
use crate::login::Desk;
use crate::memory::Memory;
use crate::routing::Routing;
use crate::signpost::Signpost;
use crate::stream::{Ears, EventStream, IDLE_LIMIT, Source, Sticky};
use crate::usage::{Kept, Poller};

/// Before the first and the second repetition.
const BACKOFF: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(1500)];
/// Smaller bodies are not worth compressing.
const COMPRESS_OVER: usize = 8 << 10;

/// The ChatGPT backend.
#[derive(Debug)]
pub(crate) struct Codex {
    pub(crate) desk: Desk,
    pub(crate) http: Http,
    pub(crate) identity: Arc<Identity>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) catalogs: Arc<Catalogs>,
    pub(crate) routing: Routing,
    pub(crate) memory: Arc<Memory>,
    pub(crate) poller: Poller,
    pub(crate) kept: Kept,
    pub(crate) signpost: Signpost,
    pub(crate) looked_for_cli: AtomicBool,
    pub(crate) runtime: Handle,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// Why one try gave no stream.
enum Refusal {
    /// Status 401.
    Unauthorized,
    /// The body went out compressed, and the failure sounds like that was why.
    Compression(Failure),
    Failure(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// What has been tried so far for one turn; each cure is used once.
#[derive(Default)]
struct Tried {
    backoffs: usize,
    waited: bool,
    renewed: bool,
    reloads: usize,
    flipped: bool,
    instructed: bool,
    tools_first: bool,
    uncompressed: bool,
}

/// Why there is no stream with one account.
struct Stop {
    failure: Failure,
    /// The login was in the way, before or instead of the request.
    by_login: bool,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self { failure, by_login: false }
    }
}

/// One turn on its way.
struct Sending {
    turn: Turn,
    /// As it came.
    asked: Bytes,
    /// As it is sent now.
    body: Bytes,
}

impl Sending {
    fn translate(&mut self) -> Result<(), Failure> {
        self.body = (self.turn.again)(&self.turn.attempt)?.into();
        Ok(())
    }
}

impl Codex {
    /// The first attempt for a model: what is remembered about model, origin and account.
    pub(crate) async fn plan(
        self: &Arc<Self>,
        model: &str,
        dialect: Dialect,
        lane: Lane<'_>,
    ) -> Result<Attempt, Failure> {
        self.look_around();
        let credential = self.accounts.plan(lane).await?;
        let origin = self.routing.known(&credential.tag);
        Ok(Attempt {
            login: credential.account,
            dialect: self.dialect(credential.kind, model, dialect),
            account: credential.tag,
            reasoning: true,
            late_tools: !self.memory.wants_tools_first(lane.session),
            instructions: self.memory.wants_instructions(&host(&origin.base)),
        })
    }

    /// Tries until there is a stream or nothing is left to try: account after account, as long as it is an account that
    /// stands in the way.
    pub(crate) async fn stream(self: &Arc<Self>, mut turn: Turn) -> Result<EventStream, Failure> {
        self.look_around();
        let asked = Bytes::from(std::mem::take(&mut turn.body));
        if self.memory.remembers_refusals()
            && let Some(failure) = self.memory.refusal(&Sha256::digest(&asked).into())
        {
            tracing::debug!("a refused request came again, answered from memory");
            return Err(failure);
        }
        let mut sending = Sending { body: asked.clone(), asked, turn };
        let mut without: Vec<AccountId> = Vec::new();
        let mut first = None;
        // So many of those without which it goes on are at their limit.
        let mut limited = 0;
        loop {
            let account = match self.accounts.choose(sending.turn.lane(), &without).await? {
                Choice::Use(account) => account,
                Choice::AllRest(resting) => match self.one_with_room(&resting).await {
                    Ok(account) => account,
                    Err(limit) => {
                        let at_limit = if limited == without.len() { limited + resting.len() } else { 1 };
                        return Err(of_so_many(more_hopeful(first, limit), at_limit));
                    }
                },
                Choice::Nobody => {
                    return Err(match first {
                        Some(failure) => {
                            of_so_many(failure, if limited == without.len() { limited } else { 1 })
                        }
                        None => self.accounts.nobody(sending.turn.pool).await,
                    });
                }
            };
            match self.with_account(&account, &mut sending).await {
                Ok(stream) => return Ok(stream),
                Err(Stop { failure, by_login }) if stands_in_the_way(&failure, by_login, &account) => {
                    tracing::info!(account = %account.id(), kind = kind(&failure), "another account may answer");
                    without.push(account.id().clone());
                    limited += usize::from(matches!(failure, Failure::AccountLimit { .. }));
                    first = Some(more_hopeful(first, failure));
                }
                Err(Stop { failure, .. }) => return Err(failure),
            }
        }
    }

    /// All accounts that are left rest: the one that turns out to have room, else the limit that ends first.
    async fn one_with_room(&self, resting: &[Arc<Account>]) -> Result<Arc<Account>, Failure> {
        for account in resting {
            if account.may_try() {
                return Ok(Arc::clone(account));
            }
            if let Ok(credential) = account.usable().await
                && self.has_room_again(account, &credential).await
            {
                return Ok(Arc::clone(account));
            }
        }
        Err(resting.iter().find_map(|account| account.rests()).unwrap_or(Failure::AccountLimit {
            resets_at: None,
            plan: None,
            others: 0,
        }))
    }

    /// Tries with one account until there is a stream or nothing is left to try with it.
    async fn with_account(
        self: &Arc<Self>,
        account: &Arc<Account>,
        sending: &mut Sending,
    ) -> Result<EventStream, Stop> {
        let alone = self.accounts.roster().now().accounts.len() == 1;
        let mut tried = Tried::default();
        let mut is_first = true;
        loop {
            let mut by_login = false;
            let result = match account.usable().await {
                Ok(credential) => {
                    self.speak_for(&credential, sending)?;
                    if is_first && !sending.turn.continues {
                        self.memory.forget_turn_state(&credential.tag, &sending.turn.thread);
                    }
                    is_first = false;
                    let result = self
                        .once(&sending.turn, &sending.body, (account, &credential), tried.uncompressed)
                        .await;
                    match result {
                        Err(Refusal::Unauthorized) => {
                            match self.recover(account, &credential, &mut tried).await {
                                Ok(()) => continue,
                                Err(failure) => {
                                    by_login = true;
                                    Err(failure)
                                }
                            }
                        }
                        Err(Refusal::Compression(failure)) => {
                            tracing::debug!(
                                kind = kind(&failure),
                                "sending the body again without compression"
                            );
                            tried.uncompressed = true;
                            continue;
                        }
                        Err(Refusal::Failure(failure)) => {
                            self.remember(&failure, account, &sending.asked);
                            Err(failure)
                        }
                        Ok(stream) => {
                            account.lift();
                            account.accepted(&credential);
                            self.learn(&sending.turn, &credential, &tried);
                            Ok(stream)
                        }
                    }
                }
                Err(failure) => {
                    by_login = true;
                    Err(failure)
                }
            };
            let failure = match result {
                Ok(stream) => return Ok(stream),
                Err(failure) => failure,
            };
            if self.adapt(&failure, account.kind, &mut sending.turn.attempt, &mut tried) {
                tracing::debug!(attempt = ?sending.turn.attempt, "translating again for the backend");
                sending.translate()?;
                continue;
            }
            // While a login waits for its issuer, another account may answer.
            let wait = if by_login && !alone { None } else { pause(&failure, &mut tried) };
            let Some(wait) = wait else { return Err(Stop { failure, by_login }) };
            tracing::debug!(kind = kind(&failure), wait_ms = wait.as_millis() as u64, "trying again");
            sleep(wait).await;
        }
    }

    /// Translates again if the body was made for another account: replayed reasoning belongs to one.
    fn speak_for(&self, credential: &Credential, sending: &mut Sending) -> Result<(), Failure> {
        sending.turn.attempt.login = credential.account.clone();
        if credential.tag == sending.turn.attempt.account {
            return Ok(());
        }
        sending.turn.attempt.account = credential.tag.clone();
        // What one account's backend could not read says nothing about another's.
        sending.turn.attempt.reasoning = true;
        let model = &sending.turn.model;
        let listed = self.catalogs.current().find(model).map(|listed| listed.dialect);
        let dialect = listed.unwrap_or(sending.turn.attempt.dialect);
        sending.turn.attempt.dialect = self.dialect(credential.kind, model, dialect);
        sending.translate()
    }

    /// The dialect to begin with. The public API speaks the classic one.
    fn dialect(&self, kind: AccountKind, model: &str, listed: Dialect) -> Dialect {
        match kind {
            AccountKind::ApiKey => Dialect::Classic,
            AccountKind::Own | AccountKind::Linked | AccountKind::Demo => {
                self.memory.dialect(model).unwrap_or(listed)
            }
        }
    }

    /// One POST, up to the first event that commits.
    async fn once(
        self: &Arc<Self>,
        turn: &Turn,
        body: &Bytes,
        (account, credential): (&Account, &Credential),
        uncompressed: bool,
    ) -> Result<EventStream, Refusal> {
        let is_key = credential.kind == AccountKind::ApiKey;
        let places = self.signpost.now();
        let (endpoint, url, routing_override) = if is_key {
            (Endpoint::ApiResponses, join(&places.api, "/responses"), None)
        } else {
            let origin = self.routing.origin(&self.http, &self.identity, credential).await;
            (Endpoint::Responses, join(&origin.base, "/codex/responses"), origin.routing_override)
        };
        let turn_state = self.memory.turn_state(&credential.tag, &turn.thread);
        let mut headers = self.identity.headers(
            endpoint,
            &Call {
                credential: Some(credential),
                turn: Some(TurnIds {
                    model: &turn.model,
                    tier: turn.tier.as_deref(),
                    dialect: turn.attempt.dialect,
                    session: &turn.session,
                    thread: &turn.thread,
                    window: turn.window,
                    turn_state: turn_state.as_deref(),
                }),
                routing_override: routing_override.as_deref(),
            },
        );
        let wanted = match places.compression {
            // Nothing is known of the public API taking compressed bodies.
            Compression::Auto => !is_loopback(&url) && !is_key,
            Compression::On => true,
            Compression::Off => false,
        };
        let compress = wanted
            && body.len() > COMPRESS_OVER
            && !uncompressed
            && !self.memory.refuses_compression(&host(&url));
        let payload = if compress {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("zstd"));
            compressed(body.clone()).await?
        } else {
            body.clone()
        };
        let sent = self.http.client(&url).post(url.clone()).headers(headers).body(payload).send();
        let response = timeout(IDLE_LIMIT, sent)
            .await
            .map_err(|_| Failure::Stalled { seconds: IDLE_LIMIT.as_secs() })?
            .map_err(|error| unreachable(&error, &url))?;
        let status = response.status().as_u16();
        tracing::debug!(model = turn.model, status, bytes = body.len(), compress, "the backend answered");
        self.note_headers(response.headers(), turn, (account, credential));
        if status == 200 {
            let source = match kind_of(response.headers())? {
                Kind::Events => Source::Http(Box::new(response)),
                Kind::Json => Source::Whole(Some(as_event(response).await?)),
            };
            let sticky = Sticky {
                memory: Arc::clone(&self.memory),
                account: credential.tag.clone(),
                thread: turn.thread.clone(),
            };
            let ears = Ears::new(Arc::clone(account.seat()), Some(sticky));
            return Ok(EventStream::open(source, turn.attempt.clone(), ears).await?);
        }
        if status == 401 {
            return Err(Refusal::Unauthorized);
        }
        let failure = failure_of(response).await;
        Err(match failure {
            Failure::CompressionRefused { .. } if compress => Refusal::Compression(failure),
            Failure::Rejected { ref message, .. } if compress && sounds_undecoded(message) => {
                Refusal::Compression(failure)
            }
            other => Refusal::Failure(other),
        })
    }

    /// After a 401: the login may have changed on the disk; else it is renewed, once.
    async fn recover(
        &self,
        account: &Arc<Account>,
        refused: &Credential,
        tried: &mut Tried,
    ) -> Result<(), Failure> {
        if tried.renewed || tried.reloads > 2 || refused.kind == AccountKind::ApiKey {
            return Err(account.refused(refused));
        }
        match account.recover(refused).await? {
            Recovered::Reloaded => tried.reloads += 1,
            Recovered::Renewed => tried.renewed = true,
        }
        Ok(())
    }

    /// Changes the attempt so that the backend may like it better. False if there is no such change (any more).
    fn adapt(&self, failure: &Failure, kind: AccountKind, attempt: &mut Attempt, tried: &mut Tried) -> bool {
        match failure {
            Failure::WrongDialect { .. } if !tried.flipped && kind != AccountKind::ApiKey => {
                attempt.dialect = attempt.dialect.other();
                tried.flipped = true;
                true
            }
            Failure::StaleReasoning { .. } if attempt.reasoning => {
                attempt.reasoning = false;
                true
            }
            Failure::LateToolsRefused { .. } if attempt.late_tools => {
                attempt.late_tools = false;
                tried.tools_first = true;
                true
            }
            Failure::InstructionsWanted { .. } if !attempt.instructions => {
                attempt.instructions = true;
                tried.instructed = true;
                true
            }
            _ => false,
        }
    }

    /// What a success teaches.
    fn learn(self: &Arc<Self>, turn: &Turn, credential: &Credential, tried: &Tried) {
        self.account_used(&credential.account);
        let host = host(&self.routing.known(&credential.tag).base);
        if tried.flipped {
            tracing::info!(model = turn.model, dialect = ?turn.attempt.dialect, "the model speaks the other dialect");
            self.memory.learn_dialect(&turn.model, turn.attempt.dialect);
        }
        if tried.instructed {
            self.memory.learn_instructions(&host);
        }
        if tried.tools_first {
            tracing::info!(
                "the backend takes tools at the beginning only; so it is for the rest of the session"
            );
            self.memory.learn_tools_first(&turn.session);
        }
        if tried.uncompressed {
            tracing::info!(host, "the backend does not take compressed bodies");
            self.memory.learn_no_compression(&host);
        }
    }

    /// What a failure teaches.
    fn remember(self: &Arc<Self>, failure: &Failure, account: &Account, asked: &Bytes) {
        match failure {
            Failure::AccountLimit { .. } => {
                account.rest(failure);
                self.account_limited();
            }
            Failure::Rejected { .. } => {
                self.memory.learn_refusal(Sha256::digest(asked).into(), failure.clone());
            }
            _ => {}
        }
    }

    fn note_headers(
        self: &Arc<Self>,
        headers: &HeaderMap,
        turn: &Turn,
        (account, credential): (&Account, &Credential),
    ) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        account.seat().fold(|limits| {
            let mut limits = limits.with_headers(headers, Timestamp::now().as_second())?;
            limits.plan = limits.plan.or_else(|| credential.plan.clone());
            Some((limits, ()))
        });
        if let Some(token) = text("x-codex-turn-state") {
            self.memory.learn_turn_state(&credential.tag, &turn.thread, token);
        }
        if let Some(etag) = text("x-models-etag") {
            self.catalogs.notice(etag);
            self.look_after_catalog();
        }
        if let Some(model) = text("openai-model").filter(|model| *model != turn.model) {
            tracing::info!(asked = turn.model, model, "the backend answers with another model");
        }
    }
}

/// Is it the account that is in the way, so that another one may do better?
fn stands_in_the_way(failure: &Failure, by_login: bool, account: &Account) -> bool {
    match failure {
        Failure::AccountLimit { .. } | Failure::Billing { .. } => true,
        // A locked keyring is no reason to let another account pay.
        Failure::SignIn { .. } => is_over(account),
        _ => by_login,
    }
}

/// Of what several accounts said, what helps most: a limit ends by itself, and the earlier the better.
fn more_hopeful(before: Option<Failure>, new: Failure) -> Failure {
    let ends = |failure: &Failure| match failure {
        Failure::AccountLimit { resets_at, .. } => resets_at.unwrap_or(i64::MAX - 1),
        _ => i64::MAX,
    };
    match before {
        Some(before) if ends(&before) <= ends(&new) => before,
        _ => new,
    }
}

/// A limit that so many accounts have reached in all.
fn of_so_many(failure: Failure, accounts: usize) -> Failure {
    match failure {
        Failure::AccountLimit { resets_at, plan, .. } => {
            Failure::AccountLimit { resets_at, plan, others: accounts.saturating_sub(1) }
        }
        other => other,
    }
}

/// How long to wait before the same is sent again; `None`: it is over.
fn pause(failure: &Failure, tried: &mut Tried) -> Option<Duration> {
    match failure.retry() {
        Retry::Never => None,
        Retry::Backoff => {
            let wait = BACKOFF.get(tried.backoffs).copied()?;
            tried.backoffs += 1;
            Some(wait)
        }
        Retry::Once(wait) => (!std::mem::replace(&mut tried.waited, true)).then_some(wait),
    }
}

/// What a log may say of a failure: its message may quote the conversation.
fn kind(failure: &Failure) -> &'static str {
    failure.anthropic_kind().1
}

fn host(url: &reqwest::Url) -> String {
    url.origin().ascii_serialization()
}

async fn compressed(body: Bytes) -> Result<Bytes, Failure> {
    let work = move || zstd::bulk::compress(&body, 1);
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(error)) => {
            Err(Failure::Internal { message: format!("the request cannot be compressed: {error}") })
        }
        Err(error) => {
            Err(Failure::Internal { message: format!("the request cannot be compressed: {error}") })
        }
    }
}

#[cfg(test)]
mod failover_tests;
#[cfg(test)]
mod follow_tests;
#[cfg(test)]
pub(crate) mod tests;

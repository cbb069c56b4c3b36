//! A fake ChatGPT backend and issuer on a loopback port, in a thread of its own (so a test may block). It refuses by
//! default what the real backend is reported to refuse ([`reject`]), records every request, and answers by a script.

mod auth;
mod body;
mod catalog;
mod issuer;
mod reject;
mod render;
mod script;
mod server;
mod view;

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{oneshot, watch};

pub use auth::{Scene, decode};
pub use catalog::{catalog, lite_catalog};
pub use script::{Fail, Gate, Rule, Stop, Usage};
pub use view::{Part, Speaker, View};

use crate::credentials::{ACCOUNT, Credentials};
use crate::http::Headers;

const RESPONSES: &str = "/backend-api/codex/responses";
/// The same at the public API, with a key.
const API_RESPONSES: &str = "/v1/responses";
const MODELS: &str = "/backend-api/codex/models";
const SEARCH: &str = "/backend-api/codex/alpha/search";
const ACCOUNTS: &str = "/backend-api/wham/accounts/check";
const USAGE: &str = "/backend-api/wham/usage";

/// One recorded request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its number, from 0.
    pub number: usize,
    /// When it had arrived whole.
    pub at: Instant,
    /// When the answer was written or the client went away.
    pub ended: Option<Instant>,
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The header fields.
    pub headers: Headers,
    /// The body, decompressed.
    pub plain: Vec<u8>,
    /// Whether it came compressed.
    pub compressed: bool,
    /// The body as JSON (null if it is none).
    pub body: Value,
    /// The conversation in it, for requests to the model.
    pub view: Option<View>,
    /// The rule that answered.
    pub rule: Option<String>,
    /// Status and body with which the table of refusals answered.
    pub refused: Option<(u16, Value)>,
    /// Whether the client closed the connection before the answer was over.
    pub client_gone: bool,
}

impl Request {
    /// The conversation; panics for anything but a request to the model.
    pub fn view(&self) -> &View {
        self.view.as_ref().expect("a request to /codex/responses")
    }

    /// A header field that must be there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.value(name).unwrap_or_else(|| panic!("{} {} lacks {name}", self.method, self.path))
    }
}

/// A fixed answer for one path, in place of the usual one.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The content type.
    pub kind: &'static str,
    /// The body.
    pub body: String,
    /// Silence before the head.
    pub before: Option<Duration>,
    /// What time it is there.
    pub date: Option<String>,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, kind: "application/json", body: body.to_string(), before: None, date: None }
    }

    /// An HTML answer, as a firewall or a captive portal gives it.
    pub fn html(status: u16, body: &str) -> Self {
        Self { status, kind: "text/html; charset=utf-8", body: body.to_owned(), before: None, date: None }
    }
}

pub(crate) struct State {
    count: usize,
    rules: Vec<(Rule, u32)>,
    log: Vec<Request>,
    issued: HashSet<String>,
    catalog: Value,
    tokens: issuer::Tokens,
    auth: auth::Auth,
    replies: HashMap<String, VecDeque<Reply>>,
    strict: bool,
}

impl State {
    fn request(&mut self, number: usize) -> Option<&mut Request> {
        self.log.iter_mut().rev().find(|request| request.number == number)
    }
}

pub(crate) struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

impl Shared {
    fn note(&self, number: usize, change: impl FnOnce(&mut Request)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // The record may have been cleared meanwhile.
        if let Some(request) = state.request(number) {
            change(request);
        }
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }
}

/// The running fake. Dropping it closes its port and all connections.
pub struct FakeChatGpt {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for FakeChatGpt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FakeChatGpt").field("address", &self.address).finish_non_exhaustive()
    }
}

impl FakeChatGpt {
    /// Starts it on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let state = State {
            count: 0,
            rules: Vec::new(),
            log: Vec::new(),
            issued: HashSet::new(),
            catalog: catalog::catalog(),
            tokens: issuer::Tokens::default(),
            auth: auth::Auth::default(),
            replies: HashMap::new(),
            strict: true,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: watch::Sender::new(0) });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a non-blocking listener");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime for the fake").block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a tokio listener");
                tokio::select! {
                    () = server::accept(listener, serving) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { shared, address, stop: Some(stop), thread: Some(thread) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its root, which is also the issuer.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What `DRAGOMAN_CHATGPT_URL` takes.
    pub fn chatgpt_url(&self) -> String {
        format!("{}/backend-api", self.url())
    }

    /// Replaces the script.
    pub fn script(&self, rules: impl IntoIterator<Item = Rule>) {
        self.state().rules = rules.into_iter().map(|rule| (rule, 0)).collect();
    }

    /// Answers a path with these, one after the other; the last one stays.
    pub fn reply(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.state().replies.insert(path.to_owned(), replies.into_iter().collect());
    }

    /// Serves another model catalog.
    pub fn serve_catalog(&self, catalog: Value) {
        self.state().catalog = catalog;
    }

    /// Accepts everything from now on.
    pub fn be_lenient(&self) {
        self.state().strict = false;
    }

    /// A login whose access token is good for ten days.
    pub fn sign_in(&self) -> Credentials {
        self.sign_in_for(864_000)
    }

    /// A login whose access token expires so many seconds from now (in the past: the backend refuses it).
    pub fn sign_in_for(&self, seconds_left: i64) -> Credentials {
        self.state().tokens.issue(ACCOUNT, seconds_left)
    }

    /// A login of another account.
    pub fn sign_in_as(&self, account: &str) -> Credentials {
        self.state().tokens.issue(account, 864_000)
    }

    /// Makes the backend refuse all access tokens given out so far.
    pub fn withdraw_access_tokens(&self) {
        self.state().tokens.access.clear();
    }

    /// From now on a refresh token that comes again gets the same answer again, until its successor was used.
    pub fn forgive_repeats(&self) {
        self.state().tokens.forgiving = true;
    }

    /// Makes the next refresh fail with this status and code.
    pub fn fail_refresh(&self, status: u16, code: &'static str) {
        self.state().tokens.errors.push_back((status, code));
    }

    /// Forgets everything that came in so far.
    pub fn forget(&self) {
        self.state().log.clear();
    }

    /// Everything that came in so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state().log.clone()
    }

    /// Requests to a path (query left out).
    pub fn requests_to(&self, path: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.path.split('?').next() == Some(path)).collect()
    }

    /// Requests to the model.
    pub fn turns(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.view.is_some()).collect()
    }

    /// Token refreshes.
    pub fn refreshes(&self) -> Vec<Request> {
        self.requests_to("/oauth/token")
    }

    /// Requests that a rule answered.
    pub fn answered_by(&self, rule: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.rule.as_deref() == Some(rule)).collect()
    }

    /// The one request that a rule answered; panics with the whole sequence if it is not one.
    pub fn only(&self, rule: &str) -> Request {
        let mut found = self.answered_by(rule);
        assert_eq!(found.len(), 1, "rule {rule:?} answered {} requests; {}", found.len(), self.story());
        found.remove(0)
    }

    /// Panics if the fake refused a request, had no rule for one, or was asked for another host.
    pub fn assert_content(&self) {
        for request in self.requests() {
            let head = format!("{} {}", request.method, request.path);
            assert!(request.refused.is_none(), "{head} was refused: {:?}; {}", request.refused, self.story());
            let stranger = request.method == "CONNECT" || request.path.contains("://");
            assert!(!stranger, "another host was asked for: {head}");
            if let (Some(view), None) = (&request.view, &request.rule) {
                panic!("no rule for: {}; tools {:?}; {}", view.last_user(), view.tools, self.story());
            }
        }
    }

    /// What came in, in a few words each.
    pub fn story(&self) -> String {
        let line = |request: &Request| {
            let end = request.rule.clone().or(request.refused.as_ref().map(|refused| format!("{refused:?}")));
            format!("{} {} → {}", request.method, request.path, end.as_deref().unwrap_or("-"))
        };
        format!("seen: [{}]", self.requests().iter().map(line).collect::<Vec<_>>().join(", "))
    }

    /// Waits until the record shows what is looked for; panics after `limit`.
    pub async fn until<T>(&self, what: &str, limit: Duration, look: impl Fn(&[Request]) -> Option<T>) -> T {
        let mut changes = self.shared.changed.subscribe();
        let search = async {
            loop {
                if let Some(found) = look(&self.state().log) {
                    return found;
                }
                // The sender lives as long as `self`.
                let _ = changes.changed().await;
            }
        };
        match tokio::time::timeout(limit, search).await {
            Ok(found) => found,
            Err(_) => panic!("waited {limit:?} for {what}; {}", self.story()),
        }
    }

    /// Waits for a request that this rule answers.
    pub async fn until_answered(&self, rule: &str, limit: Duration) -> Request {
        let of_rule = |request: &&Request| request.rule.as_deref() == Some(rule);
        self.until(&format!("a request for rule {rule:?}"), limit, |log| log.iter().find(of_rule).cloned())
            .await
    }

    /// Waits until the client has left a request that this rule answers.
    pub async fn until_gone(&self, rule: &str, limit: Duration) -> Request {
        let gone = |request: &&Request| request.client_gone && request.rule.as_deref() == Some(rule);
        self.until(&format!("the client to leave {rule:?}"), limit, |log| log.iter().find(gone).cloned())
            .await
    }
}

impl Drop for FakeChatGpt {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;

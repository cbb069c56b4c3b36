use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use dragoman_protocol::route::Dialect;
use serde_json::{Value, json};

use super::*;
use crate::accounts::tests::{access, sign_in};
pub(super) use crate::attempt::AccountTag;
use crate::catalog;
use crate::config::{Config, TokenStoreKind};
use crate::testing::{Request, Server, Step, answer, event, json_answer, sse_answer, sse_head};
use crate::{Client, Limits};

const CREATED: &str = r#"{"type":"response.created","response":{"id":"r"}}"#;
pub(super) const DELTA: &str =
    r#"{"type":"response.output_text.delta","item_id":"m","output_index":0,"delta":"hi"}"#;
const OVERLOADED: &str =
    r#"{"type":"response.failed","response":{"error":{"code":"server_is_overloaded","message":"full"}}}"#;

pub(crate) struct House {
    pub(crate) client: Client,
    pub(crate) home: tempfile::TempDir,
}

/// A client before this server, signed in with a token that lasts.
pub(crate) async fn house(url: &str, change: impl FnOnce(&mut Config)) -> House {
    let home = tempfile::tempdir().unwrap();
    let codex = home.path().join("codex");
    std::fs::create_dir(&codex).unwrap();
    sign_in(&codex, &access("first", 864_000), "rt_1");
    // A fresh catalog on the disk: no background question disturbs the count of requests.
    let mut config = Config {
        chatgpt_url: format!("{url}/backend-api"),
        chatgpt_url_is_default: false,
        issuer_url: url.to_owned(),
        codex_home: Some(codex),
        token_store: TokenStoreKind::Memory,
        ..Config::new(home.path().join("cache"), home.path().join("state"))
    };
    let now = Timestamp::now().as_second();
    let origin = base(&config.chatgpt_url);
    Catalogs::open(&config.cache_dir, &origin, now).answered(
        Some((Some("v1".into()), br#"{"models":[{"slug":"gpt-x"}]}"#)),
        &origin,
        now,
    );
    change(&mut config);
    House { client: Client::start(config).await.unwrap(), home }
}

fn base(url: &str) -> String {
    crate::http::base_url(url).unwrap().to_string()
}

impl House {
    /// A turn whose translation says what it was translated for.
    async fn turn(&self, text: &str) -> Turn {
        self.turn_of("session", text).await.unwrap()
    }

    pub(super) async fn turn_of(&self, session: &str, text: &str) -> Result<Turn, Failure> {
        let attempt = self.client.plan("gpt-x", Dialect::Lite, Lane::open(session)).await?;
        let text = text.to_owned();
        let again = move |attempt: &Attempt| Ok(body(&text, attempt));
        Ok(Turn {
            model: "gpt-x".into(),
            pool: None,
            tier: None,
            session: session.into(),
            thread: "thread".into(),
            window: 0,
            continues: false,
            body: again(&attempt).unwrap(),
            attempt,
            again: Box::new(again),
        })
    }

    /// Adds a login of our own to the list.
    pub(super) async fn sign_in(&self, account: &str) {
        let login = crate::accounts::tests::login_of(account, &format!("{account}@example.com"));
        self.client.room().unwrap().add(login).await.unwrap();
    }

    /// The account at this place has room again.
    pub(super) async fn lift(&self, place: usize) {
        let id = self.client.accounts().accounts[place].id.clone();
        self.client.room().unwrap().lift(&id).await;
    }

    pub(crate) async fn ask(&self, text: &str) -> Result<EventStream, Failure> {
        self.client.stream(self.turn(text).await).await
    }

    fn codex_home(&self) -> std::path::PathBuf {
        self.home.path().join("codex")
    }
}

fn body(text: &str, attempt: &Attempt) -> Vec<u8> {
    let body = json!({"text": text, "lite": attempt.dialect == Dialect::Lite, "reasoning": attempt.reasoning,
        "instructions": attempt.instructions, "account": attempt.account.as_str()});
    body.to_string().into_bytes()
}

fn sent(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// Answers the n-th POST with the n-th script; the last one again and again.
async fn server(scripts: Vec<Vec<Step>>) -> Server {
    let posts = AtomicUsize::new(0);
    Server::start(move |request, _| {
        if request.path != "/backend-api/codex/responses" {
            return json_answer(404, "{}");
        }
        let number = posts.fetch_add(1, Ordering::SeqCst);
        scripts[number.min(scripts.len() - 1)].clone()
    })
    .await
}

pub(crate) fn good() -> Vec<Step> {
    sse_answer(&[CREATED, DELTA])
}

fn error(status: u16, code: &str, message: &str) -> Vec<Step> {
    json_answer(status, &json!({"error": {"code": code, "message": message}}).to_string())
}

async fn text(mut stream: EventStream) -> String {
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    text
}

#[tokio::test(start_paused = true)]
async fn a_turn_goes_out_once_and_its_bytes_come_back_as_they_were() {
    let server = server(vec![good()]).await;
    let house = house(&server.url, |_| ()).await;
    let stream = house.ask("hello").await.unwrap();
    assert_eq!(text(stream).await, format!("data: {CREATED}\n\ndata: {DELTA}\n\n"));
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(
        (requests[0].method.as_str(), requests[0].path.as_str()),
        ("POST", "/backend-api/codex/responses")
    );
    for (name, value) in [
        ("originator", "codex_exec"),
        ("chatgpt-account-id", "acct-1"),
        ("session-id", "session"),
        ("thread-id", "thread"),
        ("x-codex-window-id", "thread:0"),
        ("x-openai-internal-codex-responses-lite", "true"),
        ("accept", "text/event-stream"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(requests[0].header(name), Some(value), "{name}");
    }
    for absent in ["cookie", "accept-encoding", "content-encoding", "referer", "openai-beta"] {
        assert_eq!(requests[0].header(absent), None, "{absent}");
    }
    assert_eq!(sent(&requests[0])["account"], AccountTag::of("acct-1").as_str());
}

#[tokio::test(start_paused = true)]
async fn an_overload_before_output_is_tried_three_times_and_then_told() {
    let overload = vec![sse_head(""), event(CREATED), event(OVERLOADED)];
    let server1 = server(vec![overload.clone(), good()]).await;
    let begin = tokio::time::Instant::now();
    assert!(house(&server1.url, |_| ()).await.ask("a").await.is_ok());
    assert_eq!(server1.requests().len(), 2);
    assert_eq!(begin.elapsed().as_millis() / 100, 5);

    let server2 = server(vec![overload]).await;
    let begin = tokio::time::Instant::now();
    let failure = house(&server2.url, |_| ()).await.ask("a").await.unwrap_err();
    assert_eq!(failure, Failure::Overloaded { message: "full".into() });
    assert_eq!(server2.requests().len(), 3);
    assert_eq!(begin.elapsed().as_millis() / 100, 20);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_tried_again_after_output() {
    let server = server(vec![vec![sse_head(""), event(DELTA), event(OVERLOADED)]]).await;
    let stream = house(&server.url, |_| ()).await.ask("a").await.unwrap();
    assert!(text(stream).await.contains("server_is_overloaded"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_waited_for_once() {
    let busy = |seconds| {
        json_answer(
            429,
            &json!({"error": {"code": "rate_limit_exceeded", "message": format!("try again in {seconds}s")}})
                .to_string(),
        )
    };
    let server1 = server(vec![busy(3), good()]).await;
    let begin = tokio::time::Instant::now();
    assert!(house(&server1.url, |_| ()).await.ask("a").await.is_ok());
    assert_eq!(begin.elapsed().as_secs(), 3);

    let server2 = server(vec![busy(3)]).await;
    let failure = house(&server2.url, |_| ()).await.ask("a").await.unwrap_err();
    assert!(matches!(failure, Failure::RateLimited { .. }));
    assert_eq!(server2.requests().len(), 2);

    let server3 = server(vec![busy(11)]).await;
    house(&server3.url, |_| ()).await.ask("a").await.unwrap_err();
    assert_eq!(server3.requests().len(), 1, "longer than ten seconds is the client's business");
}

#[tokio::test(start_paused = true)]
async fn an_empty_stream_is_tried_twice() {
    let server = server(vec![vec![sse_head(""), event(CREATED)]]).await;
    assert_eq!(house(&server.url, |_| ()).await.ask("a").await.unwrap_err(), Failure::Truncated);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_other_dialect_is_tried_once_and_remembered() {
    let wrong = || {
        error(400, "unsupported_value", "not supported when using X-OpenAI-Internal-Codex-Responses-Lite.")
    };
    let server1 = server(vec![wrong(), good()]).await;
    let house1 = house(&server1.url, |_| ()).await;
    let stream = house1.ask("a").await.unwrap();
    assert_eq!(stream.attempt.dialect, Dialect::Classic);
    house1.ask("b").await.unwrap();
    let requests = server1.requests();
    let lite = |request: &Request| {
        let header = request.header("x-openai-internal-codex-responses-lite").is_some();
        assert_eq!(sent(request)["lite"], header);
        header
    };
    assert_eq!(requests.iter().map(lite).collect::<Vec<_>>(), [true, false, false]);

    let server2 = server(vec![wrong()]).await;
    let house2 = house(&server2.url, |_| ()).await;
    assert!(matches!(house2.ask("a").await.unwrap_err(), Failure::WrongDialect { .. }));
    assert_eq!(server2.requests().len(), 2);
    let plan = house2.client.plan("gpt-x", Dialect::Lite, Lane::open("session")).await.unwrap();
    assert_eq!(plan.dialect, Dialect::Lite, "what helped nothing is not remembered");
}

#[tokio::test(start_paused = true)]
async fn stale_reasoning_is_dropped_once() {
    let stale = || error(400, "invalid_encrypted_content", "The encrypted content could not be verified.");
    let server1 = server(vec![stale(), good()]).await;
    let house1 = house(&server1.url, |_| ()).await;
    assert!(!house1.ask("a").await.unwrap().attempt.reasoning);
    assert!(house1.ask("b").await.unwrap().attempt.reasoning, "new reasoning is replayed again");
    let reasoning: Vec<_> =
        server1.requests().iter().map(|request| sent(request)["reasoning"].clone()).collect();
    assert_eq!(reasoning, [true, false, true]);

    let server2 = server(vec![stale()]).await;
    assert!(house(&server2.url, |_| ()).await.ask("a").await.is_err());
    assert_eq!(server2.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn instructions_are_added_where_they_are_wanted() {
    let server = server(vec![json_answer(400, r#"{"detail":"Instructions are required"}"#), good()]).await;
    let house = house(&server.url, |_| ()).await;
    assert!(house.ask("a").await.unwrap().attempt.instructions);
    house.ask("b").await.unwrap();
    let said: Vec<_> =
        server.requests().iter().map(|request| sent(request)["instructions"].clone()).collect();
    assert_eq!(said, [false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn large_bodies_are_compressed_where_wanted_and_not_where_refused() {
    let long = "x".repeat(9000);
    let refusals = [
        answer(415, "", ""),
        json_answer(400, r#"{"detail":"We could not parse the JSON body of your request."}"#),
    ];
    for refusal in refusals {
        let server = server(vec![good(), refusal, good()]).await;
        let house = house(&server.url, |config| config.compression = Compression::On).await;
        for _ in 0..3 {
            house.ask(&long).await.unwrap();
        }
        house.ask("short").await.unwrap();
        let requests = server.requests();
        let encodings: Vec<_> = requests.iter().map(|request| request.header("content-encoding")).collect();
        assert_eq!(encodings, [Some("zstd"), Some("zstd"), None, None, None]);
        let plain = zstd::bulk::decompress(&requests[0].body, 1 << 20).unwrap();
        assert_eq!(plain, requests[2].body);
    }
    // Auto: nothing is compressed for a loopback host.
    let server = server(vec![good()]).await;
    house(&server.url, |_| ()).await.ask(&long).await.unwrap();
    assert_eq!(server.requests()[0].header("content-encoding"), None);
}

#[tokio::test(start_paused = true)]
async fn a_final_refusal_is_answered_from_memory_for_a_minute() {
    let no = json_answer(400, r#"{"detail":"Unsupported parameter: top_p"}"#);
    let server = server(vec![no.clone(), no, good()]).await;
    let house = house(&server.url, |_| ()).await;
    let mut failures = Vec::new();
    for _ in 0..6 {
        failures.push(house.ask("same").await.unwrap_err());
    }
    assert!(failures.iter().all(|failure| *failure == failures[0]));
    assert!(matches!(failures[0], Failure::Rejected { .. }));
    assert_eq!(server.requests().len(), 1);
    house.ask("another").await.unwrap_err();
    assert_eq!(server.requests().len(), 2);
    tokio::time::advance(Duration::from_secs(61)).await;
    house.ask("same").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_account_limit_is_answered_locally_until_it_ends_or_is_lifted() {
    let at = Timestamp::now().as_second() + 3600;
    let full = json!({"error": {"type": "usage_limit_reached", "message": "x", "plan_type": "plus", "resets_at": at}});
    let headers = "x-codex-primary-used-percent: 100\r\nx-codex-primary-window-minutes: 300\r\n";
    let server = server(vec![answer(429, headers, &full.to_string()), good()]).await;
    let house = house(&server.url, |_| ()).await;
    let limit = Failure::AccountLimit { resets_at: Some(at), plan: Some("plus".into()), others: 0 };
    for _ in 0..5 {
        assert_eq!(house.ask("a").await.unwrap_err(), limit);
    }
    let posts = || server.requests().iter().filter(|request| request.method == "POST").count();
    let asked = || server.requests().iter().filter(|request| request.path.ends_with("/wham/usage")).count();
    assert_eq!((posts(), asked()), (1, 1), "the usage page is asked once, and says nothing here");
    let limits: Limits = house.client.limits();
    assert_eq!((limits.windows[0].minutes, limits.windows[0].used_percent), (300, 100.0));
    assert_eq!(limits.plan.as_deref(), Some("plus"));

    tokio::time::advance(Duration::from_secs(61)).await;
    house.ask("b").await.unwrap();
    house.ask("c").await.unwrap();
    assert_eq!(posts(), 3, "one that got through lifts the limit");
}

#[tokio::test]
async fn a_limit_that_the_usage_page_does_not_know_any_more_is_forgotten() {
    let at = Timestamp::now().as_second() + 3600;
    let full = json!({"error": {"type": "usage_limit_reached", "message": "x", "resets_at": at}});
    let posts = AtomicUsize::new(0);
    let server = Server::start(move |request, _| match request.path.as_str() {
        "/backend-api/codex/responses" if posts.fetch_add(1, Ordering::SeqCst) == 0 => {
            json_answer(429, &full.to_string())
        }
        "/backend-api/codex/responses" => good(),
        "/backend-api/wham/usage" => json_answer(
            200,
            r#"{"rate_limit":{"allowed":true,"limit_reached":false,"primary_window":{"used_percent":3,"limit_window_seconds":18000}}}"#,
        ),
        _ => json_answer(404, "{}"),
    })
    .await;
    let house = house(&server.url, |_| ()).await;
    assert!(matches!(house.ask("a").await.unwrap_err(), Failure::AccountLimit { .. }));
    house.ask("b").await.unwrap();
    let usage: Vec<Request> =
        server.requests().into_iter().filter(|request| request.path.ends_with("/wham/usage")).collect();
    assert_eq!(usage.len(), 1);
    assert!(usage[0].header("authorization").is_some() && usage[0].header("chatgpt-account-id").is_some());
}

#[tokio::test(start_paused = true)]
async fn pages_and_other_answers_that_are_no_stream_are_told_in_words() {
    let html = answer(403, "content-type: text/html\r\n", "<!DOCTYPE html><title>Just a moment</title>");
    let server1 = server(vec![html]).await;
    let failure = house(&server1.url, |_| ()).await.ask("a").await.unwrap_err();
    assert!(matches!(failure, Failure::Blocked { .. }));
    assert_eq!(server1.requests().len(), 1);
    let challenge = answer(403, "cf-mitigated: challenge\r\n", "");
    let server2 = server(vec![challenge]).await;
    assert!(matches!(house(&server2.url, |_| ()).await.ask("a").await.unwrap_err(), Failure::Blocked { .. }));
    let server3 = server(vec![json_answer(200, "{}")]).await;
    let words = house(&server3.url, |_| ()).await.ask("a").await.unwrap_err().to_string();
    assert!(words.contains("application/json instead of an event stream"), "{words}");
    let server4 = server(vec![answer(302, "location: http://127.0.0.1:1/\r\n", "")]).await;
    assert!(house(&server4.url, |_| ()).await.ask("a").await.is_err(), "redirects are not followed");
}

// === the login ===

/// A backend that takes only tokens of this name, and an issuer that hands one out.
async fn guarded(accepts: &'static str) -> (Server, Arc<Mutex<Vec<String>>>) {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&log);
    let server = Server::start(move |request, _| {
        let path = request.path.split('?').next().unwrap().to_owned();
        seen.lock().unwrap().push(path.clone());
        match path.as_str() {
            "/oauth/token" => {
                let tokens = json!({"access_token": access("second", 864_000), "refresh_token": "rt_2"});
                json_answer(200, &tokens.to_string())
            }
            "/backend-api/codex/responses" => {
                let token = request.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
                let payload = token.split('.').nth(1).unwrap();
                use base64::Engine as _;
                let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
                let claims: Value = serde_json::from_slice(&claims).unwrap();
                if claims["name"] == accepts {
                    good()
                } else {
                    json_answer(401, r#"{"error":{"code":"token_expired","message":"canary"},"status":401}"#)
                }
            }
            _ => json_answer(404, "{}"),
        }
    })
    .await;
    (server, log)
}

#[tokio::test(start_paused = true)]
async fn a_401_renews_the_login_once_and_goes_on() {
    let (server, log) = guarded("second").await;
    let house = house(&server.url, |_| ()).await;
    house.ask("a").await.unwrap();
    let post = "/backend-api/codex/responses";
    assert_eq!(*log.lock().unwrap(), [post, "/oauth/token", post]);
    house.ask("b").await.unwrap();
    assert_eq!(log.lock().unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_401_first_looks_whether_the_login_has_changed() {
    let home: Arc<std::sync::OnceLock<std::path::PathBuf>> = Arc::default();
    let (codex, other) = (Arc::clone(&home), access("other", 864_000));
    let renewed = format!("Bearer {other}");
    let server = Server::start(move |request, _| {
        if request.header("authorization") == Some(&renewed) {
            return good();
        }
        // The CLI renews between our reading the login and the backend's answer.
        sign_in(codex.get().unwrap(), &other, "rt_other");
        json_answer(401, "{}")
    })
    .await;
    let house = house(&server.url, |_| ()).await;
    home.set(house.codex_home()).unwrap();
    house.ask("a").await.unwrap();
    assert_eq!(server.requests().len(), 2, "nothing was asked of the issuer");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_refused_even_when_new_is_told() {
    let (server, log) = guarded("nobody").await;
    let house = house(&server.url, |_| ()).await;
    let Failure::SignIn { message } = house.ask("a").await.unwrap_err() else { panic!() };
    assert!(message.contains("codex login") && !message.contains("canary"), "{message}");
    assert_eq!(log.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn another_account_on_the_disk_gets_its_own_translation() {
    let server = server(vec![good()]).await;
    let house = house(&server.url, |_| ()).await;
    let turn = house.turn("a").await;
    let file = json!({"tokens": {"access_token": access("x", 864_000), "refresh_token": "r", "account_id": "acct-2"}});
    std::fs::write(house.codex_home().join("auth.json"), file.to_string()).unwrap();
    let stream = house.client.stream(turn).await.unwrap();
    assert_eq!(stream.attempt.account, AccountTag::of("acct-2"));
    assert_eq!(sent(&server.requests()[0])["account"], AccountTag::of("acct-2").as_str());
    assert_eq!(server.requests()[0].header("chatgpt-account-id"), Some("acct-2"));
}

// === sticky routing, catalog, ends ===

#[tokio::test(start_paused = true)]
async fn the_routing_token_is_sent_back_within_a_turn_of_the_user_only() {
    let sticky = vec![sse_head("x-codex-turn-state: sticky-1\r\n"), event(DELTA)];
    let server = server(vec![sticky, good(), good()]).await;
    let house = house(&server.url, |_| ()).await;
    for continues in [false, true, false] {
        let turn = Turn { continues, ..house.turn("a").await };
        house.client.stream(turn).await.unwrap();
    }
    let sent: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.header("x-codex-turn-state").map(str::to_owned))
        .collect();
    assert_eq!(sent, [None, Some("sticky-1".to_owned()), None]);
}

#[tokio::test]
async fn the_catalog_is_fetched_in_the_background_and_again_when_its_etag_changes() {
    let server = Server::start(|request, _| match request.path.split('?').next().unwrap() {
        "/backend-api/codex/models" => {
            answer(200, "etag: v2\r\n", r#"{"models":[{"slug":"new","use_responses_lite":true}]}"#)
        }
        _ => vec![sse_head("x-models-etag: v2\r\n"), event(DELTA)],
    })
    .await;
    let house = house(&server.url, |_| ()).await;
    let mut updates = house.client.catalog_updates();
    assert_eq!(house.client.catalog().source, catalog::Source::Disk);
    assert_eq!(server.to("/codex/models").len(), 0, "still fresh");
    house.ask("a").await.unwrap();
    updates.wait_for(|catalog| catalog.source == catalog::Source::Live).await.unwrap();
    assert!(house.client.catalog().find("new").is_some());
    house.ask("b").await.unwrap();
    house.client.shutdown().await;
    let asked = server.to("/codex/models");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].method, "GET");
    assert!(asked[0].path.starts_with("/backend-api/codex/models?client_version=0."), "{}", asked[0].path);
    assert_eq!(asked[0].header("if-none-match"), None);
}

#[tokio::test]
async fn dropping_a_stream_closes_the_connection() {
    let mut server = server(vec![vec![sse_head(""), event(DELTA), Step::Hang]]).await;
    let house = house(&server.url, |_| ()).await;
    let mut stream = house.ask("a").await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    tokio::time::timeout(Duration::from_secs(5), server.hung_up()).await.unwrap();
}

#[tokio::test]
async fn dropping_a_request_that_is_still_opening_closes_the_connection() {
    let mut server = server(vec![vec![sse_head(""), event(CREATED), Step::Hang]]).await;
    let house = house(&server.url, |_| ()).await;
    let opening = house.ask("a");
    assert!(tokio::time::timeout(Duration::from_millis(300), opening).await.is_err());
    tokio::time::timeout(Duration::from_secs(5), server.hung_up()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn silence_while_opening_ends_after_280_seconds() {
    let server = server(vec![vec![sse_head(""), event(CREATED), Step::Hang]]).await;
    let house = house(&server.url, |_| ()).await;
    let begin = tokio::time::Instant::now();
    assert_eq!(house.ask("a").await.unwrap_err(), Failure::Stalled { seconds: 280 });
    assert_eq!(begin.elapsed().as_secs(), 280);
}

#[tokio::test]
async fn nothing_secret_is_logged_or_printed() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // While there is only one listener, tracing asks the thread that meets a line first whether anybody listens, and other
    // tests run beside this one. With two it asks the listeners.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);

    let (server, _) = guarded("second").await;
    let house = house(&server.url, |_| ()).await;
    let turn = house.turn("canary-prompt").await;
    let printed = format!("{turn:?} {:?}", house.client);
    let stream = house.client.stream(turn).await.unwrap();
    let printed = format!("{printed} {stream:?} {:?}", house.client);
    text(stream).await;
    house.client.shutdown().await;

    let ours: String = String::from_utf8(log.0.lock().unwrap().clone())
        .unwrap()
        .lines()
        .filter(|line| line.contains("dragoman"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(ours.lines().count() >= 3, "the log is on: {ours}");
    for secret in ["eyJ", "rt_1", "rt_2", "canary", "Bearer", "acct-1"] {
        assert!(!ours.contains(secret), "{secret} in the log:\n{ours}");
        assert!(!printed.contains(secret), "{secret} in Debug:\n{printed}");
    }
}

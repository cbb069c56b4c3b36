//! The door: everything that the other rooms may ask of a backend. What they ask about accounts is in
//! `client/accounts.rs`.

mod accounts;
mod login;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dragoman_protocol::failure::Failure;
use dragoman_protocol::openai::search::SearchAnswer;
use dragoman_protocol::route::Dialect;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::{Accounts, Issuer};
use crate::attempt::{Attempt, Lane, Turn};
use crate::catalog::{Catalog, Catalogs};
use crate::codex::Codex;
use crate::config::{BackendKind, Config};
use crate::demo::Demo;
use crate::error::Error;
use crate::files;
use crate::http::{Http, install_crypto};
use crate::identity::Identity;
use crate::login::Desk;
use crate::routing::Routing;
use crate::signpost::{Places, Signpost};
use crate::stream::EventStream;
use crate::usage::{Kept, Poller};

/// A refresh takes at most 20 s and must not be cut: its token would be lost.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(25);
/// How long starting waits for the login to be read.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// The client of the model backend. Cheap to clone; built once and passed down.
#[derive(Clone)]
pub struct Client {
    pub(crate) backend: Backend,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Clone)]
pub(crate) enum Backend {
    ChatGpt(Arc<Codex>),
    Demo(Arc<Demo>),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No more: below are accounts and what was learnt about them.
        f.write_str(match &self.backend {
            Backend::ChatGpt(_) => "Client(ChatGPT)",
            Backend::Demo(_) => "Client(demo)",
        })
    }
}

impl Client {
    /// Reads what is on the disk; no network. Must be called inside a tokio runtime, which later runs the client's
    /// background tasks.
    pub async fn start(config: Config) -> Result<Self, Error> {
        install_crypto();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let backend = match config.backend {
            BackendKind::Demo => Backend::Demo(Arc::new(Demo::new())),
            BackendKind::ChatGpt => {
                let codex = Arc::new(start_codex(config, &tasks, &stop).await?);
                // A first look at the login, for those who ask before the first request. A keyring may want a password
                // first: nobody waits for that here.
                let first = Arc::clone(&codex);
                let look = tasks.spawn(async move {
                    first.accounts.look().await;
                    first.kept.tell(&first.accounts).await;
                    if first.accounts.roster().now().accounts.iter().any(|account| account.rest.is_some()) {
                        first.account_limited();
                    }
                });
                let _ = tokio::time::timeout(FIRST_LOOK, look).await;
                Backend::ChatGpt(codex)
            }
        };
        Ok(Self { backend, tasks, stop })
    }

    /// The catalog: from memory, else the disk, else the bundled one. Never waits; an old one is fetched anew in the
    /// background.
    pub fn catalog(&self) -> Arc<Catalog> {
        match &self.backend {
            Backend::ChatGpt(codex) => {
                codex.look_after_catalog();
                codex.catalogs.current()
            }
            Backend::Demo(demo) => demo.catalog.borrow().clone(),
        }
    }

    /// The catalog and its changes.
    pub fn catalog_updates(&self) -> watch::Receiver<Arc<Catalog>> {
        match &self.backend {
            Backend::ChatGpt(codex) => codex.catalogs.updates(),
            Backend::Demo(demo) => demo.catalog.subscribe(),
        }
    }

    /// How a request for this model should first be tried: which account answers in this session, and what is
    /// remembered of earlier ones. [`Failure::SignIn`] if there is no login.
    pub async fn plan(&self, model: &str, dialect: Dialect, lane: Lane<'_>) -> Result<Attempt, Failure> {
        match &self.backend {
            Backend::ChatGpt(codex) => codex.plan(model, dialect, lane).await,
            Backend::Demo(demo) => Ok(demo.plan(dialect)),
        }
    }

    /// Sends the turn. Resolves when the first event that commits has arrived (DECISIONS 1); all retries, the one
    /// refresh after a 401 and all other mending are done by then. Dropping the future cancels the request.
    pub async fn stream(&self, turn: Turn) -> Result<EventStream, Failure> {
        match &self.backend {
            Backend::ChatGpt(codex) => codex.stream(turn).await,
            Backend::Demo(demo) => demo.stream(turn).await,
        }
    }

    /// Asks the search endpoint, for models that have no search of their own (DECISIONS 15). Tries again like
    /// [`Self::stream`]; dropping the future cancels it.
    pub async fn search(&self, lane: Lane<'_>, body: Vec<u8>) -> Result<SearchAnswer, Failure> {
        match &self.backend {
            Backend::ChatGpt(codex) => codex.search(lane, body.into()).await,
            Backend::Demo(_) => Err(Failure::Rejected {
                message: "the built-in demo model has no web to search".to_owned(),
                code: None,
            }),
        }
    }

    /// From the next request on as these settings say: addresses, compression, version, and which account answers.
    /// Files and stores stay what they are.
    pub fn follow(&self, config: &Config) -> Result<(), Error> {
        match &self.backend {
            Backend::ChatGpt(codex) => codex.follow(config),
            Backend::Demo(_) => Ok(()),
        }
    }

    /// Ends the background tasks and joins them. Streams in flight belong to their holders.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(SHUTDOWN_LIMIT, self.tasks.wait()).await.is_err() {
            tracing::warn!("a background task did not end in time");
        }
    }
}

async fn start_codex(config: Config, tasks: &TaskTracker, stop: &CancellationToken) -> Result<Codex, Error> {
    let places = Places::of(&config)?;
    for path in [&config.state_dir, &config.cache_dir] {
        let directory = path.clone();
        files::blocking(move || files::create_private_directory(&directory))
            .await
            .map_err(|source| Error::Directory { path: path.clone(), source })?;
    }
    // Reading the system's certificates and the cached catalog is file work.
    let (cache_dir, origin, version) =
        (config.cache_dir.clone(), places.base.to_string(), config.codex_version.clone());
    let prepared = tokio::task::spawn_blocking(move || {
        let now = Timestamp::now().as_second();
        Ok::<_, Error>((Http::build()?, Catalogs::open(&cache_dir, &origin, now), Identity::new(&version)))
    });
    let (http, catalogs, identity) = prepared.await.map_err(|error| Error::Task(error.to_string()))??;
    let identity = Arc::new(identity);
    let signpost = Signpost::new(places);
    let issuer = Issuer { http: http.clone(), signpost: signpost.clone() };
    let accounts = Arc::new(Accounts::new(&config, issuer.clone(), Arc::clone(&identity), tasks.clone()));
    let desk = Desk {
        issuer,
        identity: Arc::clone(&identity),
        codex_home: accounts.codex_home().to_owned(),
        accounts: Arc::clone(&accounts),
        ports: Desk::ports(),
        tasks: tasks.clone(),
    };
    Ok(Codex {
        accounts,
        desk,
        http,
        identity,
        catalogs: Arc::new(catalogs),
        routing: Routing::new(signpost.clone()),
        memory: Arc::default(),
        poller: Poller::new(stop),
        kept: Kept::new(&config.cache_dir),
        signpost,
        looked_for_cli: AtomicBool::new(false),
        runtime: Handle::current(),
        tasks: tasks.clone(),
        stop: stop.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{AccountKind, AccountState};
    use crate::attempt::AccountTag;
    use crate::catalog::Source;
    use crate::testing::{Server, json_answer};

    #[tokio::test(start_paused = true)]
    async fn the_demo_backend_answers_without_files_or_network() {
        let config = Config { backend: BackendKind::Demo, ..Config::new("/nonexistent/a", "/nonexistent/b") };
        let client = Client::start(config).await.unwrap();
        assert_eq!(client.catalog().source, Source::Demo);
        assert_eq!(client.account().kind, AccountKind::Demo);
        let attempt = client.plan("demo-lite", Dialect::Lite, Lane::open("s")).await.unwrap();
        assert_eq!(attempt.account, AccountTag::demo());
        let turn = Turn {
            model: "demo-lite".into(),
            pool: None,
            tier: None,
            session: "s".into(),
            thread: "t".into(),
            window: 0,
            continues: false,
            attempt,
            body: br#"{"model":"demo-lite","input":[{"role":"user","content":"hello"}]}"#.to_vec(),
            again: Box::new(|_| Ok(Vec::new())),
        };
        let mut stream = client.stream(turn).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend(chunk.unwrap());
        }
        assert!(String::from_utf8(bytes).unwrap().contains("response.completed"));
        assert_eq!(client.limits().plan.as_deref(), Some("demo"));
        client.shutdown().await;
    }

    #[tokio::test]
    async fn starting_calls_nobody_and_needs_no_login() {
        let server = Server::start(|_, _| json_answer(500, "{}")).await;
        let home = tempfile::tempdir().unwrap();
        let config = Config {
            chatgpt_url: server.url.clone(),
            issuer_url: server.url.clone(),
            codex_home: Some(home.path().join("nothing")),
            ..Config::new(home.path().join("cache"), home.path().join("state"))
        };
        let client = Client::start(config.clone()).await.unwrap();
        assert_eq!(client.account().state, AccountState::None);
        assert!(matches!(
            client.plan("gpt-x", Dialect::Classic, Lane::open("s")).await.unwrap_err(),
            Failure::SignIn { message } if message.contains("codex login")
        ));
        assert_eq!(client.catalog().source, Source::Bundled);
        client.shutdown().await;
        assert_eq!(server.requests().len(), 0);

        for url in ["", "ftp://x"] {
            let wrong = Config { chatgpt_url: url.into(), ..config.clone() };
            assert!(matches!(Client::start(wrong).await, Err(Error::Url { .. })));
        }
    }
}

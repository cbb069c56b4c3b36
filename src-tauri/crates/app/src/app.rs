//! [`App`]: composes the rooms once and offers every verb a user sees. Tray and command line are shells around it.

mod accounts;
mod claude_code;
mod login;
mod mcp;
mod prompt;
mod recording;
mod settings_file;

pub use self::accounts::Tested;

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dragoman_proxy as proxy;
use dragoman_upstream::{self as upstream, BackendKind, Client};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::admin;
use crate::claude_code::Keeper;
use crate::history::History;
use crate::log_lines::LogLines;
use crate::logging;
use crate::models::{self, Models};
use crate::notices::{Bell, Notices};
use crate::paths::{Environment, Paths};
use crate::recent::Recent;
use crate::running::{Found, Running, client_address};
use crate::settings::{AdminListen, Flag, Settings};
use crate::snapshot::{Board, Server, Snapshot};
use crate::token::ClientToken;
use crate::tray::TrayState;
use crate::updates::{Update, UpdateWish, UpdateWishes, Updates};
use crate::{Error, environment};

pub use self::login::{LoginKind, LoginRun, Paste};
pub use self::mcp::McpReport;
pub use self::prompt::{Prompt, PromptEvent};
pub use self::recording::Exported;

/// How long open streams may go on after the switch was turned off, or after Quit (DECISIONS 27).
pub const STREAMS: Duration = Duration::from_secs(30);

/// What the command line, the desktop or a test decides. `default()` is this process: its environment, a log file.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything of ours lies below it; goes before `DRAGOMAN_HOME`.
    pub home: Option<PathBuf>,
    /// The variables that count.
    pub environment: Environment,
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--admin-listen`
    pub admin_listen: Option<AdminListen>,
    /// Who answers; the ChatGPT backend if nothing is said.
    pub backend: Option<BackendKind>,
    /// Goes before `DRAGOMAN_CLIENT_TOKEN` and the kept one.
    pub client_token: Option<ClientToken>,
    /// How many `-v` there were.
    pub verbose: u8,
    /// Write a log file? Commands that end at once don't.
    pub log_file: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            home: None,
            environment: Environment::from_process(),
            listen: None,
            admin_listen: None,
            backend: None,
            client_token: None,
            verbose: 0,
            log_file: true,
        }
    }
}

impl Options {
    fn flags(&self) -> Vec<Flag> {
        let flag = |key, value: Option<String>, name| value.map(|value| Flag { key, value, name });
        let listen = flag("server.listen", self.listen.map(|listen| listen.to_string()), "--listen");
        let admin = self.admin_listen.map(|listen| listen.to_string());
        listen.into_iter().chain(flag("server.admin_listen", admin, "--admin-listen")).collect()
    }
}

/// The program. Cheap to clone; all clones are one program.
#[derive(Debug, Clone)]
pub struct App {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    paths: Paths,
    environment: Environment,
    flags: Vec<Flag>,
    token: ClientToken,
    backend: BackendKind,
    client: Client,
    proxy: proxy::Proxy,
    settings: watch::Sender<Arc<Settings>>,
    config: watch::Sender<Arc<proxy::Config>>,
    board: Arc<Board>,
    bell: Bell,
    keeper: Keeper,
    mcp: dragoman_mcp::Servers,
    history: History,
    recent: Recent,
    log_lines: LogLines,
    logins: admin::Logins,
    /// Held while it moves, awaits included.
    admin: tokio::sync::Mutex<Option<admin::Open>>,
    /// Held while the switch moves, awaits included: two clicks are two moves, one after the other.
    listener: tokio::sync::Mutex<Option<On>>,
    /// One writer of the settings file at a time.
    writer: Mutex<()>,
    /// `None`: there is no desktop app, or it does not know yet.
    tray: watch::Sender<Option<TrayState>>,
    updates: Updates,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// If an app is dropped without `shutdown`, its tasks end all the same.
    _stop: DropGuard,
    log: logging::Guard,
}

/// A listener that is open.
#[derive(Debug)]
struct On {
    server: proxy::Server,
    running: Running,
}

impl App {
    /// Read settings and logins, start the log and the client of the backend. Nothing listens yet, and nothing goes
    /// over the network.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let paths = Paths::find(options.home.as_deref(), &options.environment)?;
        let flags = options.flags();
        let settings = settings_file::load(&paths, &options.environment, &flags)?;
        let files = options.log_file.then_some(&paths);
        let (log_lines, recent) = (LogLines::default(), Recent::default());
        let targets = logging::Targets { files, lines: &log_lines, verbose: options.verbose };
        let (log, log_hint) = logging::start(targets, &settings.log);
        let token = match options.client_token {
            Some(token) => token,
            None => ClientToken::find(&paths, &options.environment)?,
        };
        let backend = options.backend.unwrap_or(BackendKind::ChatGpt);
        let client = Client::start(upstream_config(&paths, &settings, backend)).await?;
        let (config, config_reader) = watch::channel(Arc::new(proxy_config(&settings, &token)));
        let (settings, settings_reader) = watch::channel(Arc::new(settings));
        let history = History::start(paths.history(), settings_reader.clone())?;
        let proxy = proxy::Proxy::new(client.clone(), config_reader, history.witness().and(recent.witness()));
        let hints = log_hint.into_iter().collect();
        let board =
            Arc::new(Board::new(client.clone(), proxy.activity(), settings_reader, history.state(), hints));
        if options.log_file {
            // A command that ends at once asks for what it needs.
            history.look();
        }
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (bell, ringing) = Bell::of(client.clone(), stop.clone());
        let keeper = Keeper { paths: paths.clone(), token: token.clone() };
        tasks.spawn(board.clone().watch(stop.clone()));
        if options.log_file {
            // A command that ends at once has nobody to tell.
            tasks.spawn(ringing);
        }
        tasks.spawn(claude_code::watch(keeper.clone(), board.clone(), stop.clone()));
        tasks.spawn(history.follow(client.accounts_updates(), stop.clone()));
        tracing::info!(version = crate::VERSION, ?backend, "started");
        let app = Self {
            inner: Arc::new(Inner {
                paths,
                environment: options.environment,
                flags,
                token,
                backend,
                client,
                proxy,
                settings,
                config,
                board,
                bell,
                keeper,
                mcp: mcp::servers(),
                history,
                recent,
                log_lines,
                logins: admin::Logins::default(),
                admin: tokio::sync::Mutex::new(None),
                listener: tokio::sync::Mutex::new(None),
                writer: Mutex::new(()),
                tray: watch::Sender::default(),
                updates: Updates::default(),
                tasks,
                _stop: stop.clone().drop_guard(),
                stop,
                log,
            }),
        };
        if options.log_file {
            // A command ends before a file changes under it.
            let (inner, stop) = (Arc::downgrade(&app.inner), app.inner.stop.clone());
            app.inner.tasks.spawn(settings_file::watch(inner, stop));
            let (inner, stop) = (Arc::downgrade(&app.inner), app.inner.stop.clone());
            app.inner.tasks.spawn(mcp::follow(inner, stop));
        }
        Ok(app)
    }

    /// The picture of the program, and its changes.
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.inner.board.subscribe()
    }

    /// What happens to the accounts from now on, each event once.
    pub fn notices(&self) -> Notices {
        self.inner.bell.notices()
    }

    /// Open the listener. It is on when this returns; if it was on already, nothing changes.
    pub async fn turn_on(&self) -> Result<SocketAddr, Error> {
        let mut listener = self.inner.listener.lock().await;
        if let Some(on) = &*listener {
            return Ok(on.running.address);
        }
        let wanted = self.settings().server.listen;
        let opened = proxy::listen(wanted, "server.listen").await;
        let server = match opened.and_then(|bound| proxy::Server::start(self.inner.proxy.router(), bound)) {
            Ok(server) => server,
            Err(error) => {
                tracing::warn!(%error, "could not turn on");
                self.inner.board.pin(Server::Failed { message: error.to_string() });
                return Err(error.into());
            }
        };
        let address = client_address(server.address());
        let running = Running::here(address, self.inner.backend);
        if let Err(error) = running.announce(&self.inner.paths).await {
            // The server works without it; only `dragoman status` of another process will not see it.
            tracing::warn!(%error, "other processes can't find this server");
        }
        *listener = Some(On { server, running });
        self.follow(address).await;
        tracing::info!(%address, "on");
        self.inner.board.pin(Server::On { address });
        // Whoever turns the switch on will ask soon: an old catalog is fetched anew, in the background.
        self.inner.client.catalog();
        Ok(address)
    }

    /// Close the listener at once. Open streams go on for up to [`STREAMS`]; this does not wait for them.
    pub async fn turn_off(&self) {
        let mut listener = self.inner.listener.lock().await;
        if let Some(On { mut server, running }) = listener.take() {
            running.withdraw(&self.inner.paths);
            server.close(STREAMS).await;
            self.inner.tasks.spawn(server.stop(STREAMS));
            self.let_go().await;
            tracing::info!("off");
        }
        self.inner.board.pin(Server::Off);
    }

    /// The desktop app found out about its tray.
    pub fn tell_tray(&self, tray: TrayState) {
        self.inner.tray.send_replace(Some(tray));
    }

    /// What it told last, and changes of it.
    pub fn tray(&self) -> watch::Receiver<Option<TrayState>> {
        self.inner.tray.subscribe()
    }

    /// The desktop app tells what it knows of newer versions.
    pub fn tell_update(&self, update: Update) {
        self.inner.board.pin_update(update);
    }

    /// What the user wants done about them from now on. The desktop app listens.
    pub fn update_wishes(&self) -> UpdateWishes {
        self.inner.updates.wishes()
    }

    /// The user wants that.
    pub(crate) fn wish_update(&self, wish: UpdateWish) -> Result<(), Error> {
        let known = self.inner.board.subscribe().borrow().update.clone();
        Ok(self.inner.updates.wish(&known, wish)?)
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        self.inner.settings.borrow().clone()
    }

    /// Where clients connect, or would if it were on.
    pub(crate) fn address(&self) -> SocketAddr {
        match self.inner.board.server() {
            Server::On { address } => address,
            Server::Off | Server::Failed { .. } => client_address(self.settings().server.listen),
        }
    }

    /// Resolves when the program begins to end.
    pub(crate) fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        self.inner.stop.clone().cancelled_owned()
    }

    /// The settings in force, and their changes.
    pub fn settings_updates(&self) -> watch::Receiver<Arc<Settings>> {
        self.inner.settings.subscribe()
    }

    /// A task that ends when the program does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.tasks.spawn(task);
    }

    /// The admin API's listener.
    pub(crate) fn admin_listener(&self) -> &tokio::sync::Mutex<Option<admin::Open>> {
        &self.inner.admin
    }

    /// What became of it.
    pub(crate) fn pin_admin(&self, state: Server) {
        self.inner.board.pin_admin(state);
    }

    /// The newest requests that have ended.
    pub(crate) fn recent(&self) -> &Recent {
        &self.inner.recent
    }

    /// The newest lines of the log. Only the first app of a process has any.
    pub(crate) fn log_lines(&self) -> &LogLines {
        &self.inner.log_lines
    }

    /// The sign-ins that were begun through the admin API.
    pub(crate) fn logins(&self) -> &admin::Logins {
        &self.inner.logins
    }

    /// What clients must send.
    pub(crate) fn token(&self) -> &ClientToken {
        &self.inner.token
    }

    /// The client of the backend.
    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    /// Where this process looks for programs.
    pub(crate) fn search_path(&self) -> Option<&OsStr> {
        self.inner.environment.raw("PATH")
    }

    /// Where things are.
    pub fn paths(&self) -> &Paths {
        &self.inner.paths
    }

    /// Change one setting in the file (`None`: back to the default) and use it from the next request on; a new listen
    /// address counts from the next time the switch is turned on. The words are what a variable would hold. A flag or
    /// variable that sets the same key still wins: [`Settings::source`] tells.
    pub async fn set(&self, key: &str, value: Option<&str>) -> Result<Arc<Settings>, Error> {
        self.write(settings_file::Edit::Key { key: key.to_owned(), value: value.map(str::to_owned) }).await
    }

    /// Change one rule of the model map (`None`: there is none any more), as [`Self::set`] does. `asks`: a family, a
    /// scenario, `default`, a name or a pattern.
    pub async fn map(&self, asks: &str, target: Option<&str>) -> Result<Arc<Settings>, Error> {
        self.write(settings_file::Edit::rule(asks, target)?).await
    }

    /// What a name that a client could ask for would become now.
    pub fn resolve(&self, name: &str, scenario: Option<proxy::Scenario>) -> models::Mapped {
        let settings = self.settings();
        Models::resolve(&self.inner.client.catalog(), &models::rules(&settings), name, scenario)
    }

    /// The models, asked of the backend if what is known is old. Waits no longer than `limit` for the answer.
    pub async fn fresh_models(&self, limit: Duration) -> Models {
        let mut catalogs = self.inner.client.catalog_updates();
        let signed_in = self.inner.client.account().state == upstream::AccountState::Ready;
        let known = self.inner.client.catalog();
        if signed_in && matches!(known.source, upstream::Source::Disk | upstream::Source::Bundled) {
            let live = catalogs.wait_for(|catalog| catalog.source == upstream::Source::Live);
            // No answer is an answer too: the table says where it comes from.
            let _in_time = tokio::time::timeout(limit, live).await.is_ok();
        }
        let catalog = catalogs.borrow().clone();
        let settings = self.settings();
        Models::of(&catalog, &models::rules(&settings), &settings.models)
    }

    /// What a client must have in its environment to use this server, or the server that would be turned on.
    pub fn environment(&self) -> Vec<(String, String)> {
        let address = self.address();
        let models = self.inner.board.subscribe().borrow().models.clone();
        environment::claude_code(address, &self.inner.token, &models)
    }

    /// The same for the server of this home that runs in another process.
    pub fn environment_of(&self, found: &Found) -> Vec<(String, String)> {
        let models = self.inner.board.subscribe().borrow().models.clone();
        let models = claude_code::with_window(models, Some(found));
        environment::claude_code(found.running.address, &self.inner.token, &models)
    }

    /// The end: the listener closes at once, open streams get `limit`, every task is joined. Longer than `limit` it
    /// takes only if a login is being renewed: cutting that would lose the login.
    pub async fn shutdown(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let on = self.inner.listener.lock().await.take();
        if let Some(On { server, running }) = on {
            running.withdraw(&self.inner.paths);
            self.inner.board.pin(Server::Off);
            self.let_go().await;
            server.stop(limit).await;
        }
        self.inner.stop.cancel();
        if let Some(open) = self.inner.admin.lock().await.take() {
            open.close(&self.inner.paths).await;
        }
        self.inner.mcp.shutdown().await;
        self.inner.tasks.close();
        // Streams of a listener that was turned off before this.
        if tokio::time::timeout_at(deadline, self.inner.tasks.wait()).await.is_err() {
            tracing::warn!("streams were cut at the end");
        }
        self.inner.client.shutdown().await;
        self.inner.history.stop().await;
        tracing::info!("stopped");
    }
}

/// The server of this home in another process (or this one), if it answers.
pub async fn running(options: &Options) -> Result<Option<Found>, Error> {
    Ok(Found::find(&Paths::find(options.home.as_deref(), &options.environment)?).await)
}

fn upstream_config(paths: &Paths, settings: &Settings, backend: BackendKind) -> upstream::Config {
    use crate::settings::{Compression, TokenStore};
    let chatgpt_url = settings.upstream.chatgpt_url.clone();
    upstream::Config {
        backend,
        chatgpt_url_is_default: chatgpt_url == upstream::Config::CHATGPT_URL,
        chatgpt_url,
        issuer_url: settings.upstream.issuer_url.clone(),
        codex_version: settings.upstream.codex_version.clone(),
        compression: match settings.upstream.compression {
            Compression::Auto => upstream::Compression::Auto,
            Compression::On => upstream::Compression::On,
            Compression::Off => upstream::Compression::Off,
        },
        codex_home: paths.codex.clone(),
        cache_dir: paths.cache.clone(),
        state_dir: paths.state.clone(),
        strategy: strategy(settings),
        api_url: settings.upstream.api_url.clone(),
        token_store: match settings.accounts.token_store {
            TokenStore::Keyring => upstream::TokenStoreKind::Keyring,
            TokenStore::File => upstream::TokenStoreKind::File,
        },
    }
}

fn strategy(settings: &Settings) -> upstream::Strategy {
    use crate::settings::Strategy;
    match settings.accounts.strategy {
        Strategy::Priority => upstream::Strategy::Priority,
        Strategy::RoundRobin => upstream::Strategy::RoundRobin,
        Strategy::MostRoom => upstream::Strategy::MostRoom,
    }
}

fn proxy_config(settings: &Settings, token: &ClientToken) -> proxy::Config {
    let mut allowed_hosts = settings.server.allowed_hosts.clone();
    // The listen address is a name of ours too (DECISIONS 32).
    allowed_hosts.push(settings.server.listen.ip().to_string());
    proxy::Config {
        token: proxy::ClientToken::new(token.expose()),
        allowed_hosts,
        body_limit: (settings.server.body_limit_mb as usize) << 20,
        rules: models::rules(settings),
        serial_tools: settings
            .translation
            .serial_tools
            .then(|| settings.translation.serial_tool_names.clone().into()),
        extra_tools: Arc::default(),
    }
}

mod usage;

#[cfg(test)]
mod tests;
